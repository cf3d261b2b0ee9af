// SPDX-License-Identifier: MIT
/*
 * The life of table pages: made on the way down, split out of huge leaves, and freed in the only safe
 * order: unlink, flush, free. For mm/pgtable.c. All with pt->lock held. Read next: mm/pgtable_table.c.
 */
#ifndef MM_PGTABLE_TABLE_H
#define MM_PGTABLE_TABLE_H

#include "mm/pgtable.h"

/*
 * Descend to the entry for `va` in a table of `level`, making the tables that are missing (marked as
 * new; `user` is PTE_U or 0). An empty table where a huge leaf will go is freed. 0; -EEXIST a leaf or a
 * table in use is in the way; -ENOMEM.
 */
int pt_entry_create(struct pagetable *pt, vaddr_t va, unsigned level, pte_t user, pte_t **out);

/* The tables made since the last of these two calls in [start, last] stay / are unlinked, flushed and
 * freed; returns how many were freed. */
void pt_keep_new_tables(struct pagetable *pt, vaddr_t start, vaddr_t last);
u64 pt_drop_new_tables(struct pagetable *pt, vaddr_t start, vaddr_t last);

/* One zeroed table page that counts as one of pt's, to be hung below an entry by the caller; 0: no memory (or
 * FAIL_TABLE). And back: unlinked, and flushed if a processor may have seen it. */
paddr_t pt_table_alloc(struct pagetable *pt);
void pt_table_free(struct pagetable *pt, paddr_t table);

/* Replace a huge leaf of `level` by a table of smaller leaves that mean the same. 0 or -ENOMEM. */
int pt_split(struct pagetable *pt, pte_t *entry, unsigned level);

/* The opposite of pt_split(): put the leaf back and free the table below, flushing first. */
void pt_unsplit(struct pagetable *pt, pte_t *entry, pte_t leaf);

#endif
