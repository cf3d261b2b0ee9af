// SPDX-License-Identifier: MIT
/*
 * What the shell's user has allocated and not freed yet: numbered, so that `vfree 2` is enough, and
 * told apart from the kernel's own memory, which a typing error should not free. No lock: one
 * shell.
 */
#ifndef MM_COMMANDS_OWNED_H
#define MM_COMMANDS_OWNED_H

#include "lib/list.h"
#include "lib/types.h"

enum owned_kind { OWNED_VMALLOC, OWNED_PAGES, OWNED_KMALLOC };

struct owned {
    struct list_head link;
    u64 number; /* 1, 2, ... since boot */
    enum owned_kind kind;
    vaddr_t address;
    u64 size; /* bytes asked for */
    unsigned order;
};

/* Remember an allocation; NULL when there is no memory for that. */
struct owned *owned_add(enum owned_kind kind, vaddr_t address, u64 size, unsigned order);

/* The allocation of that kind at exactly this address, or NULL. */
struct owned *owned_at(enum owned_kind kind, vaddr_t address);

/* By what the user typed: its number, or any address spelling. NULL and *address = what was meant
 * when it is not in the list; -EINVAL (after a sentence) when it is neither. */
int owned_parse(enum owned_kind kind, const char *text, struct owned **out, vaddr_t *address);

/* The first of that kind, NULL when there is none: to free all. */
struct owned *owned_first(enum owned_kind kind);
void owned_forget(struct owned *owned);

#endif
