// SPDX-License-Identifier: MIT
/*
 * A place in memory as a user writes it: ADDR, or PID:ADDR in the address space of a process. mm/ knows no
 * processes: whoever does says whose space has a number.
 */
#ifndef MM_COMMANDS_PLACE_H
#define MM_COMMANDS_PLACE_H

#include "lib/types.h"
#include "mm/uspace.h"

struct place_named {
    vaddr_t address;
    struct uspace *space; /* NULL: the kernel's own */
    const struct pagetable *tables;
};

/* 0, or -EINVAL after a sentence. */
int place_parse(const char *text, struct place_named *out);

/* Once: find() returns NULL where there is no such process, or it has no space any more. */
void place_set_finder(struct uspace *(*find)(u64 pid));

#endif
