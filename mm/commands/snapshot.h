// SPDX-License-Identifier: MIT
/*
 * The vmap space as it was at one moment: gathered under the locks, printed after them. The copy
 * lives in kmalloc memory (direct map), so it never shows up in the picture it makes.
 *
 *   range      a copy of one vmap_area with what its vm_struct said, guard page included
 *   cursor     walks the ranges of all kinds in address order
 *
 * Locks: vmalloc->lock, then space->lock, while copying; none afterwards.
 */
#ifndef MM_COMMANDS_SNAPSHOT_H
#define MM_COMMANDS_SNAPSHOT_H

#include "mm/vmalloc_internal.h"

struct range {
    vaddr_t start, end; /* guard page included */
    vaddr_t caller;
    paddr_t phys; /* VM_IOREMAP */
    u64 nr_pages;
    u64 requested; /* bytes, as asked for; 0 without vm_struct */
    u32 flags;     /* VM_* */
    u8 kind;       /* enum vmap_kind */
    bool has_vm, has_pages, array_is_vmalloc, huge;
};

#define SNAPSHOT_KINDS                                                                             \
    3 /* BUSY (with LAZY), FREE, CACHED: three ascending lists behind each other */

struct snapshot {
    vaddr_t start, end; /* of the space */
    struct range *ranges;
    u64 capacity;
    u64 from[SNAPSHOT_KINDS + 1]; /* list k is ranges[from[k]] .. ranges[from[k + 1] - 1] */
    u64 first[SNAPSHOT_KINDS];    /* where a walk begins in each: from[k] or later */
    u64 lost;                     /* ranges that did not fit ... */
    vaddr_t complete_to;          /* ... all of them at or above this address */
    struct range few[48];         /* when even the smallest allocation fails */
};

struct snapshot_cursor {
    const struct snapshot *snapshot;
    u64 next[SNAPSHOT_KINDS];
};

/* Copy the space's state now. Never fails: with no memory it says in `lost` what is missing. Must
 * be followed by snapshot_release(). May sleep. */
void snapshot_take(struct snapshot *s, struct vmalloc *v);
void snapshot_release(struct snapshot *s);

/* Forget every range that ends at or below `from`; the picture then starts there. */
void snapshot_clip(struct snapshot *s, vaddr_t from);

void snapshot_begin(const struct snapshot *s, struct snapshot_cursor *cursor);
/* The next range in address order, NULL after the last. */
const struct range *snapshot_next(struct snapshot_cursor *cursor);

/* Bytes of guard page at the end of a range: PAGE_SIZE or 0. */
u64 range_guard(const struct range *range);

static inline u64 range_size(const struct range *range)
{
    return range->end - range->start;
}

#endif
