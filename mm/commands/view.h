// SPDX-License-Identifier: MIT
/*
 * What the commands of this folder share: reading arguments, writing numbers, the width of the
 * screen. Everything here is for one reader, the shell's user; nothing below uses it.
 * Read next: mm/commands/snapshot.h.
 */
#ifndef MM_COMMANDS_VIEW_H
#define MM_COMMANDS_VIEW_H

#include "lib/types.h"
#include "mm/vmalloc_internal.h"

/* Characters per line of the user's terminal: `columns=` on the command line, `columns N` later. */
unsigned view_columns(void);
#define VIEW_COLUMNS_MIN 80u
#define VIEW_COLUMNS_MAX 240u

/*
 * An address as a user writes it: 0xffffc90000000000, the same without 0x when it has at least nine
 * hexadecimal digits (as tables print it), or a kernel symbol's name. 0, or -EINVAL after a
 * sentence.
 */
int view_parse_address(const char *text, vaddr_t *out);

/* A size or count in [low, high], with parse_size()'s suffixes. 0, or -EINVAL after a sentence. */
int view_parse_number(const char *what, const char *text, u64 low, u64 high, u64 *out);

/* "align=64K" is "64K" for key "align"; NULL when the word has another key. */
const char *view_option(const char *word, const char *key);

/* "14,998" into buf, which has room for 27 bytes; returns buf. */
#define VIEW_NUMBER 28
const char *view_number(char *buf, u64 n);

/* "" for 1, "s" otherwise. */
const char *view_plural(u64 n);

/* Who called, cut to `room` characters: symbol+0x12/0x40 where that fits, else the name alone. */
void view_caller(char *buf, size_t size, vaddr_t caller, size_t room);

/* "vmalloc", "vmap", "ioremap", "vm_map_ram" (no vm_struct) and so on. */
const char *view_use(bool has_vm, u32 flags);

/* The n-th word of a NULL-terminated list: what COMMAND()'s complete wants. */
const char *view_complete(const char *const *words, unsigned n);

/* Has Ctrl-C been pressed? Says so. Long outputs ask once per line. */
bool view_stopped(void);

#endif
