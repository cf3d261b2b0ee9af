// SPDX-License-Identifier: MIT
/*
 * The pictures of the vmap space that `vmap` is composed of, one file each: bar, table, tree,
 * checks.
 */
#ifndef MM_COMMANDS_VMAP_VIEWS_H
#define MM_COMMANDS_VMAP_VIEWS_H

#include "mm/commands/snapshot.h"

/*
 * The letter of the n-th busy area in address order, the same in bar and table: A..Z, a..z, then
 * '+' for all others.
 */
char area_letter(u64 n);
enum color area_color(u64 n);

/* The coloured bar: everything in use in proportion, large free ranges as a break in the axis. */
void vmap_bar(const struct snapshot *s);

/* Address-ordered rows; `limit` rows at most (0 = all); merge: runs of equal areas as one row. */
void vmap_table(const struct snapshot *s, u64 limit, bool merge);

/* "start-end kind bytes guard=... pages=... use caller": one range as a line for programs. */
void vmap_range_line(const struct range *range);

/* The red-black tree of free (or busy) areas; the search path to *mark when given. */
int vmap_tree(struct vmalloc *v, bool busy, const vaddr_t *mark);

/* Every invariant, one line each; returns how many are broken. */
unsigned vmap_check_print(struct vmalloc *v);

#endif
