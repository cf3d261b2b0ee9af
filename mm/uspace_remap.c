// SPDX-License-Identifier: MIT
/*
 * mremap and madvise. Moving an area moves its page-table entries, never the content of a page. As in
 * uspace_map.c, memory comes first, and a call that fails has changed nothing. No lock, see uspace.h.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

/* ---- madvise -------------------------------------------------------------------------------------- */

/* Advice that changes nothing here: NORMAL, RANDOM, SEQUENTIAL, WILLNEED, HUGEPAGE, NOHUGEPAGE. */
static bool is_hint_only(int advice)
{
    return (advice >= 0 && advice <= 3) || advice == 14 || advice == 15;
}

int uspace_madvise(struct uspace *space, vaddr_t address, u64 size, int advice)
{
    struct user_cuts cuts;
    vaddr_t end, at = address;

    if (!is_aligned(address, PAGE_SIZE) || !align_up_checked(size, PAGE_SIZE, &size) ||
        !add_checked(address, size, &end))
        return -EINVAL;
    if (advice != MADV_DONTNEED && advice != MADV_FREE)
        return is_hint_only(advice) ? 0 : -EINVAL;
    if (!size)
        return 0;
    if (end > USER_END)
        return -ENOMEM;
    int err = user_cuts_prepare(space, address, end, false, &cuts);
    if (err)
        return err;
    user_cuts_apply(space, &cuts);
    user_zap(space, address, end, 1, 0);
    for (struct vma *vma = vma_above(space, at); vma && vma->start <= at && at < end;
         vma = uspace_next(space, vma))
        at = vma->end;
    return at < end ? -ENOMEM : 0; /* there were holes */
}

/* ---- mremap ----------------------------------------------------------------------------------------- */

static void move_back(struct uspace *space, vaddr_t from, vaddr_t to, vaddr_t done)
{
    for (vaddr_t at = from; at < done; at += PAGE_SIZE) {
        unsigned level;
        pte_t *entry = pt_leaf_entry(&space->pt, to + (at - from), &level);
        if (level == 0 && pte_load(entry)) {
            pte_store(pt_leaf_entry(&space->pt, at, &level), pte_load(entry));
            pte_store(entry, 0);
        }
    }
}

/* Huge leaves of [start, end) become tables, so that pages can be moved one by one. */
static int split_all_huge(struct uspace *space, vaddr_t start, vaddr_t end)
{
    for (vaddr_t at = align_down(start, HUGE_SIZE); at < end; at += HUGE_SIZE) {
        pte_t *huge = user_huge_across(space, at + PAGE_SIZE);
        if (!huge)
            continue;
        paddr_t table = pt_table_alloc(&space->pt);
        if (!table)
            return -ENOMEM;
        user_split_huge(space, at, huge, table);
    }
    return 0;
}

/* Entries of [from, from + size) go to `to`, where nothing is. -ENOMEM: they are where they were. */
static int move_entries(struct uspace *space, vaddr_t from, vaddr_t to, u64 size)
{
    unsigned level;
    int err = split_all_huge(space, from, from + size);

    for (vaddr_t at = from; at < from + size && !err; at += PAGE_SIZE) {
        pte_t *old = pt_leaf_entry(&space->pt, at, &level);
        if (!pte_load(old))
            continue;
        pte_t *new = user_entry_create(space, to + (at - from), 0);
        if (new) {
            pte_store(new, pte_load(old));
            pte_store(old, 0);
        } else {
            move_back(space, from, to, at);
            err = -ENOMEM;
        }
    }
    user_flush(space, from, from + size);
    return err;
}

/* Where the tables of `area` alone end: the neighbours. */
static void zap_area_range(struct uspace *space, vaddr_t start, vaddr_t end)
{
    struct vma *above = vma_above(space, start);
    struct vma *below = above                ? vma_prev(space, above)
                        : space->stats.areas ? list_entry(space->list.prev, struct vma, link)
                                             : NULL;

    user_zap(space, start, end, below ? below->end : 0, above ? above->start : USER_HALF_END);
}

/*
 *   1 the new area, and everything that the new place needs
 *   2 the entries move
 *   3 the old area goes; the piece of it that does not move had been cut off before
 */
static s64 move_area(struct uspace *space, struct vma *vma, u64 new_size, vaddr_t to)
{
    vaddr_t from = vma->start;
    u64 old_size = vma->end - from;
    struct vma *moved = vma_alloc();

    if (!moved)
        return -ENOMEM;
    *moved = *vma;
    moved->start = to;
    moved->end = to + new_size;
    int err = move_entries(space, from, to, min_u64(old_size, new_size));
    if (err) {
        zap_area_range(space, to, to + new_size); /* the tables that were made */
        vma_free(moved);
        return err;
    }
    if (moved->store)
        pagestore_attach(moved->store, &moved->mapping);
    vma_link(space, moved);
    vma_merge(space, moved);
    uspace_munmap(space, from, old_size);
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

/* Make [old, old + old_size) an area of its own. */
static struct vma *isolate(struct uspace *space, vaddr_t old, u64 old_size)
{
    struct user_cuts cuts;

    if (user_cuts_prepare(space, old, old + old_size, true, &cuts) != 0)
        return NULL;
    user_cuts_apply(space, &cuts);
    return uspace_find(space, old);
}

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
    if (err)
        return err;
    vma = isolate(space, old, old_size);
    return vma ? move_area(space, vma, new_size, to) : -ENOMEM;
}
