// SPDX-License-Identifier: MIT
/*
 * What the page-table files share: how an entry of any level is read, and the cursor, which is the one
 * walk over a range that unmapping, protecting, visiting and checking all use. Not for anybody else.
 */
#ifndef MM_PGTABLE_INTERNAL_H
#define MM_PGTABLE_INTERNAL_H

#include "mm/pgtable.h"

/* A bit that the hardware ignores: this table was made by the call in progress (undo on failure). */
#define PTE_NEW_TABLE (1UL << 9)

#define TOP_LEVEL (PT_LEVELS - 1)

static inline u64 pt_level_size(unsigned level)
{
    return 1UL << pt_level_shift(level);
}

static inline bool entry_is_leaf(pte_t entry, unsigned level)
{
    return (entry & PTE_P) && (level == 0 || (level < TOP_LEVEL && (entry & PTE_PS)));
}

static inline bool entry_is_table(pte_t entry, unsigned level)
{
    return (entry & PTE_P) && !entry_is_leaf(entry, level);
}

/* The table that an entry leads to. */
static inline pte_t *entry_table(pte_t entry)
{
    return phys_to_virt(entry & PTE_FRAME);
}

/* First frame of a leaf. In a huge one the low frame bits are not part of it: bit 12 is PAT. */
static inline paddr_t leaf_frame(pte_t entry, unsigned level)
{
    return entry & PTE_FRAME & ~(pt_level_size(level) - 1);
}

static inline pte_t *pt_root(const struct pagetable *pt)
{
    return phys_to_virt(pt->root);
}

/* One level down, if the entry leads to a table. */
static inline bool pt_step_down(pte_t **entry, unsigned level, vaddr_t address)
{
    pte_t value = pte_load(*entry);
    if (!entry_is_table(value, level))
        return false;
    *entry = entry_table(value) + pt_index(address, level - 1);
    return true;
}

/* The entry that decides about `address`, a leaf or an absent one, and its level. Without a loop, since
 * with a constant level each step is seven instructions. */
static inline pte_t *pt_leaf_entry(const struct pagetable *pt, vaddr_t address, unsigned *level)
{
    pte_t *entry = pt_root(pt) + pt_index(address, 3);

    if (!pt_step_down(&entry, 3, address))
        *level = 3;
    else if (!pt_step_down(&entry, 2, address))
        *level = 2;
    else if (!pt_step_down(&entry, 1, address))
        *level = 1;
    else
        *level = 0;
    return entry;
}
/* The level-0 entry for the (canonical) address, if that is in the hot table; NULL. */
static inline pte_t *pt_hot_entry(const struct pagetable *pt, vaddr_t va)
{
    u64 hot = __atomic_load_n(&pt->hot, __ATOMIC_RELAXED);
    if (unlikely((hot ^ va << 15) & ~PT_HOT_FRAME))
        return NULL;
    return (pte_t *)phys_to_virt((hot & PT_HOT_FRAME) << PAGE_SHIFT) + pt_index(va, 0);
}
_Static_assert(PT_LEVELS == 4, "pt_leaf_entry() takes one step per level");

/*
 * A position in a range: the entry that decides about `va`, a leaf or an absent one, never a table.
 *
 *     for (pt_cursor_begin(&c, pt, start, last); !c.done; pt_cursor_next(&c))
 */
struct pt_cursor {
    const struct pagetable *pt;
    vaddr_t va,
        last; /* where we are; the last byte of the range (inclusive: a range may end at 2^64) */
    unsigned level; /* of the entry */
    pte_t *entry;
    pte_t value;   /* *entry */
    pte_t granted; /* PTE_W and PTE_U: granted by every level above */
    pte_t denied;  /* PTE_NX: set in some level above */
    bool done;
};

void pt_cursor_begin(struct pt_cursor *cursor, const struct pagetable *pt, vaddr_t start,
                     vaddr_t last);
void pt_cursor_next_slow(struct pt_cursor *cursor);

/* Look at the same address again, after its entry has been replaced. */
void pt_cursor_reload(struct pt_cursor *cursor);

/* First address that the entry under the cursor decides about, and its last byte. */
static inline vaddr_t pt_cursor_start(const struct pt_cursor *cursor)
{
    return cursor->va & ~(pt_level_size(cursor->level) - 1);
}

static inline vaddr_t pt_cursor_last(const struct pt_cursor *cursor)
{
    return cursor->va | (pt_level_size(cursor->level) - 1);
}

/* The next entry of the same table needs no descent, unless a table hangs below it. */
static inline void pt_cursor_next(struct pt_cursor *cursor)
{
    vaddr_t next = pt_cursor_last(cursor) + 1;

    if (unlikely(next > cursor->last || pt_index(next, cursor->level) == 0 ||
                 cursor->level == TOP_LEVEL)) {
        pt_cursor_next_slow(cursor);
        return;
    }
    cursor->va = next;
    cursor->value = pte_load(++cursor->entry);
    if (unlikely(entry_is_table(cursor->value, cursor->level)))
        pt_cursor_reload(cursor);
}

#endif
