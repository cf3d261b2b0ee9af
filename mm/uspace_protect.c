// SPDX-License-Identifier: MIT
/*
 * mprotect and madvise: an area stays where it is and becomes another kind of area, in part or as a whole, or
 * forgets its pages. As in uspace_map.c, memory comes first, so that a call that fails has changed nothing. No
 * lock, see uspace.h. Keeps U3, U4.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

/* ---- mprotect --------------------------------------------------------------------------------------- */

/* Write permission of a private page is not given here: the next write decides whether to copy. */
static pte_t entry_for(const struct vma *vma, pte_t old)
{
    bool write = vma->prot & PROT_WRITE && (old & PTE_W || vma->flags & MAP_SHARED);
    pte_t keep = old & (PTE_FRAME | PTE_PS | PTE_D);

    return keep | (user_leaf_bits(vma, write) & ~PTE_D);
}

static void protect_pages(struct uspace *space, const struct vma *vma)
{
    struct pt_cursor cursor;

    for (pt_cursor_begin(&cursor, &space->pt, vma->start, vma->end - 1); !cursor.done;
         pt_cursor_next(&cursor))
        if (cursor.value)
            pte_store(cursor.entry, entry_for(vma, cursor.value));
    user_flush(space, vma->start, vma->end);
}

/* Is every page of [start, end) in some area? */
static bool all_mapped(struct uspace *space, vaddr_t start, vaddr_t end)
{
    for (struct vma *vma = vma_above(space, start); vma && vma->start <= start;
         vma = uspace_next(space, vma)) {
        if (vma->end >= end)
            return true;
        start = vma->end;
    }
    return false;
}

/* Would this open for writing what may only be read? */
static bool forbidden(struct uspace *space, vaddr_t start, vaddr_t end, u32 prot)
{
    struct vma *vma = prot & PROT_WRITE ? vma_above(space, start) : NULL;

    for (; vma && vma->start < end; vma = uspace_next(space, vma))
        if (vma->flags & MAP_NEVER_WRITE)
            return true;
    return false;
}

/* Each area of [start, end), which begins and ends with one, and its neighbours where they are alike now. */
static void change_areas(struct uspace *space, vaddr_t start, vaddr_t end,
                         void (*change)(struct uspace *space, struct vma *vma, u32 what), u32 what)
{
    for (struct vma *vma = vma_above(space, start); vma && vma->start < end;
         vma = uspace_next(space, vma)) {
        change(space, vma, what);
        vma = vma_merge(space, vma);
    }
}

static void set_protection(struct uspace *space, struct vma *vma, u32 prot)
{
    if (vma->prot == prot)
        return;
    vma->prot = prot;
    protect_pages(space, vma);
}

int uspace_mprotect(struct uspace *space, vaddr_t address, u64 size, u32 prot)
{
    struct user_cuts cuts;
    vaddr_t end;

    if (!is_aligned(address, PAGE_SIZE) || prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
        return -EINVAL;
    if (!size)
        return 0;
    if (!user_range_of(address, size, &end) || !all_mapped(space, address, end))
        return -ENOMEM;
    if (forbidden(space, address, end, prot))
        return -EACCES;
    int err = user_cuts_prepare(space, address, end, true, &cuts);
    if (err)
        return err;
    user_cuts_apply(space, &cuts);
    change_areas(space, address, end, set_protection, prot);
    return 0;
}

/* ---- madvise -------------------------------------------------------------------------------------- */

/* Advice that changes nothing here: NORMAL, RANDOM, SEQUENTIAL, WILLNEED. */
static bool is_hint_only(int advice)
{
    return advice >= 0 && advice <= 3;
}

static void set_no_huge(struct uspace *space __unused, struct vma *vma, u32 flag)
{
    vma->flags = (vma->flags & ~MAP_NO_HUGE) | flag;
}

/* Does the advice mean whole areas? They are cut, then; pages are cut always. */
static bool changes_areas(int advice)
{
    return advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE;
}

int uspace_madvise(struct uspace *space, vaddr_t address, u64 size, int advice)
{
    struct user_cuts cuts;
    vaddr_t end;

    if (!is_aligned(address, PAGE_SIZE) || !align_up_checked(size, PAGE_SIZE, &size) ||
        !add_checked(address, size, &end))
        return -EINVAL;
    if (!changes_areas(advice) && advice != MADV_DONTNEED && advice != MADV_FREE)
        return is_hint_only(advice) ? 0 : -EINVAL;
    if (!size)
        return 0;
    if (end > USER_END)
        return -ENOMEM;
    int err = user_cuts_prepare(space, address, end, changes_areas(advice), &cuts);
    if (err)
        return err;
    user_cuts_apply(space, &cuts);
    if (changes_areas(advice))
        change_areas(space, address, end, set_no_huge, advice == MADV_NOHUGEPAGE ? MAP_NO_HUGE : 0);
    else
        user_zap(space, address, end, 1, 0);
    return all_mapped(space, address, end) ? 0 : -ENOMEM; /* there were holes */
}
