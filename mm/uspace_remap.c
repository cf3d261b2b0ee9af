// SPDX-License-Identifier: MIT
/*
 * mremap. Moving an area moves its page-table entries, never the content of a page. As in
 * uspace_map.c, memory comes first, so that a call that fails has changed nothing. No lock, see uspace.h.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

/* From the entries of one leaf table, or from one huge leaf, whatever `from` is in: where that ends. */
static vaddr_t chunk_end(vaddr_t from, unsigned level, vaddr_t end)
{
    return min_u64(end, (from | (pt_level_size(level ? level : 1) - 1)) + 1);
}

/* Tables for all that moves, which may lie across the border of two. -ENOMEM: some are there, some not. */
static int make_tables_at(struct uspace *space, vaddr_t from, vaddr_t end, vaddr_t to)
{
    vaddr_t next;

    for (vaddr_t at = from; at < end; at = next) {
        unsigned level;
        pte_t *entry = pt_leaf_entry(&space->pt, at, &level);
        next = chunk_end(at, level, end);
        if (level > 0 && !pte_load(entry))
            continue;
        if (!user_entry_create(space, to + (at - from), 0) ||
            !user_entry_create(space, to + (next - PAGE_SIZE - from), 0))
            return -ENOMEM;
    }
    return 0;
}

static void move_leaves(struct uspace *space, pte_t *from, u64 n, vaddr_t to)
{
    unsigned level;

    for (u64 i = 0; i < n; i++) {
        pte_t value = pte_load(&from[i]);
        if (!value)
            continue;
        pte_store(pt_leaf_entry(&space->pt, to + (i << PAGE_SHIFT), &level), value);
        pte_store(&from[i], 0);
    }
}

/* A huge leaf becomes small ones at its new place, whose alignment is another one in general. */
static void move_huge(struct uspace *space, pte_t *from, vaddr_t to)
{
    pte_t huge = pte_load(from);
    unsigned level;

    user_split_block(user_entry_page(huge & ~(HUGE_SIZE - 1)));
    for (u64 i = 0; i < HUGE_PAGES; i++)
        pte_store(pt_leaf_entry(&space->pt, to + (i << PAGE_SHIFT), &level),
                  (huge & ~PTE_PS) + (i << PAGE_SHIFT));
    pte_store(from, 0);
    space->stats.huge_pages--;
}

/* Entries of [from, end) go to `to`, where nothing is, and all tables are. */
static void move_entries(struct uspace *space, vaddr_t from, vaddr_t end, vaddr_t to)
{
    vaddr_t next;

    for (vaddr_t at = from; at < end; at = next) {
        unsigned level;
        pte_t *entry = pt_leaf_entry(&space->pt, at, &level);
        next = chunk_end(at, level, end);
        if (level == 0)
            move_leaves(space, entry, (next - at) >> PAGE_SHIFT, to + (at - from));
        else if (pte_load(entry))
            move_huge(space, entry, to + (at - from));
    }
    user_flush(space, from, end);
}

/* Tables in a range without areas go again. */
static void drop_tables_at(struct uspace *space, vaddr_t start, vaddr_t end)
{
    struct vma *above = vma_above(space, start);
    struct vma *below = above ? vma_prev(space, above) : vma_last(space);

    user_zap(space, start, end, below ? below->end : 0, above ? above->start : USER_HALF_END);
}

/*
 *   1 all that is needed: pieces of areas, the new area, tables at the new place
 *   2 the old piece becomes an area of its own, the entries move, the new area appears
 *   3 the old piece goes
 */
static s64 move_area(struct uspace *space, vaddr_t from, u64 old_size, u64 new_size, vaddr_t to)
{
    struct user_cuts cuts;
    struct vma *moved = vma_alloc();
    int err = moved ? user_cuts_prepare(space, from, from + old_size, true, &cuts) : -ENOMEM;

    if (err == 0 && make_tables_at(space, from, from + old_size, to) != 0) {
        drop_tables_at(space, to, to + new_size);
        user_cuts_drop(space, &cuts);
        err = -ENOMEM;
    }
    if (err) {
        vma_free(moved);
        return err;
    }
    user_cuts_apply(space, &cuts);
    *moved = *uspace_find(space, from);
    moved->start = to;
    moved->end = to + new_size;
    if (moved->store)
        pagestore_attach(moved->store, &moved->mapping);
    move_entries(space, from, from + old_size, to);
    vma_link(space, moved);
    uspace_munmap(space, from, old_size); /* whole areas: it cannot fail */
    vma_merge(space, moved);
    return (s64)to;
}

/* Grow in place: the gap above is large enough, and it is the end of the area that grows. */
static bool grow_in_place(struct uspace *space, struct vma *vma, vaddr_t old_end, vaddr_t new_end)
{
    if (old_end != vma->end || new_end > USER_END || !vma_range_free(space, old_end, new_end))
        return false;
    vma_set_bounds(space, vma, vma->start, new_end);
    vma_merge(space, vma);
    return true;
}

/* A fixed place is emptied at once, as in Linux: what was there is gone even if the move then fails. */
static int choose_target(struct uspace *space, vaddr_t old, u64 old_size, u64 new_size, u32 flags,
                         vaddr_t *to)
{
    if (!(flags & MREMAP_FIXED))
        return vma_topmost_gap(space, new_size, USER_START, USER_MMAP_TOP, to) ? 0 : -ENOMEM;
    if (!is_aligned(*to, PAGE_SIZE) || *to < USER_START || *to > USER_END - new_size ||
        (*to < old + old_size && old < *to + new_size))
        return -EINVAL;
    return uspace_munmap(space, *to, new_size);
}

s64 uspace_mremap(struct uspace *space, vaddr_t old, u64 old_size, u64 new_size, u32 flags,
                  vaddr_t new_address)
{
    vaddr_t to = new_address;

    if (!is_aligned(old, PAGE_SIZE) || !new_size || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) ||
        (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)) ||
        !align_up_checked(old_size, PAGE_SIZE, &old_size) || !old_size ||
        !align_up_checked(new_size, PAGE_SIZE, &new_size))
        return -EINVAL;
    struct vma *vma = uspace_find(space, old);
    if (!vma || old_size > vma->end - old)
        return -EFAULT;
    if (new_size > USER_END - USER_START)
        return -ENOMEM;
    if (!(flags & MREMAP_FIXED)) {
        if (new_size == old_size)
            return (s64)old;
        if (new_size < old_size) {
            int err = uspace_munmap(space, old + new_size, old_size - new_size);
            return err ? err : (s64)old;
        }
        if (grow_in_place(space, vma, old + old_size, old + new_size))
            return (s64)old;
        if (!(flags & MREMAP_MAYMOVE))
            return -ENOMEM;
    }
    int err = choose_target(space, old, old_size, new_size, flags, &to);
    if (!err &&
        new_size < old_size) { /* what goes is cut off first: a move takes whole huge leaves */
        err = uspace_munmap(space, old + new_size, old_size - new_size);
        old_size = new_size;
    }
    return err ? err : move_area(space, old, old_size, new_size, to);
}
