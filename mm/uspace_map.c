// SPDX-License-Identifier: MIT
/*
 * mmap, munmap, brk: areas come and go. Each first gets all the memory that it will need (areas
 * for the pieces, tables for huge leaves that are cut), then does its work, which cannot fail any more; so
 * a call that fails has changed nothing. No lock, see uspace.h. Keeps U1..U6. Read next: uspace_pages.c.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

#define KEPT_FLAGS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NEVER_WRITE)
#define STORE_PAGES_MAX (1UL << 51) /* file offsets are signed */
#define TYPE_MASK 0x0fu             /* MAP_SHARED_VALIDATE is both bits: shared */

/* ---- cuts ---------------------------------------------------------------------------------------- */

void user_cuts_drop(struct uspace *space, struct user_cuts *cuts)
{
    for (unsigned i = 0; i < 2; i++) {
        if (cuts->vma[i])
            vma_free(cuts->vma[i]);
        if (cuts->table[i])
            pt_table_free(&space->pt, cuts->table[i]);
    }
}

int user_cuts_prepare(struct uspace *space, vaddr_t start, vaddr_t end, bool areas,
                      struct user_cuts *cuts)
{
    *cuts = (struct user_cuts){.at = {start, end}};
    for (unsigned i = 0; i < 2; i++) {
        struct vma *vma = uspace_find(space, cuts->at[i]);
        bool cut_area = areas && vma && vma->start < cuts->at[i];
        bool cut_huge = user_huge_across(space, cuts->at[i]);
        if ((cut_area && space->stats.areas + 2 > USER_AREAS_MAX) ||
            (cut_area && !(cuts->vma[i] = vma_alloc())) ||
            (cut_huge && !(cuts->table[i] = pt_table_alloc(&space->pt)))) {
            user_cuts_drop(space, cuts);
            return -ENOMEM;
        }
    }
    return 0;
}

void user_cuts_apply(struct uspace *space, struct user_cuts *cuts)
{
    for (unsigned i = 0; i < 2; i++) {
        pte_t *huge = user_huge_across(space, cuts->at[i]); /* one leaf may have both ends */
        if (huge) {
            user_split_huge(space, cuts->at[i], huge, cuts->table[i]);
            cuts->table[i] = 0;
        }
        if (cuts->vma[i]) {
            vma_split(space, uspace_find(space, cuts->at[i]), cuts->at[i], cuts->vma[i]);
            cuts->vma[i] = NULL;
        }
    }
    user_cuts_drop(space, cuts);
}

/* ---- munmap --------------------------------------------------------------------------------------- */

/* Whole pages inside the user half? *end is set. */
bool user_range_of(vaddr_t address, u64 size, vaddr_t *end)
{
    u64 rounded;
    return is_aligned(address, PAGE_SIZE) && size && align_up_checked(size, PAGE_SIZE, &rounded) &&
           add_checked(address, rounded, end) && *end <= USER_END;
}

/* Areas that lie in [start, end) as a whole go. Pages first: with its last area, a store goes and frees its own. */
static void drop_areas(struct uspace *space, vaddr_t start, vaddr_t end)
{
    struct vma *vma = vma_above(space, start), *above = vma, *next;

    if (!vma || vma->start >= end)
        return;
    while (above && above->start < end)
        above = uspace_next(space, above);
    struct vma *below = vma_prev(space, vma);
    user_zap(space, start, end, below ? below->end : 0, above ? above->start : USER_HALF_END);
    for (; vma != above; vma = next) {
        next = uspace_next(space, vma);
        vma_unlink(space, vma);
        if (vma->store)
            pagestore_detach(vma->store, &vma->mapping);
        vma_free(vma);
    }
}

int uspace_munmap(struct uspace *space, vaddr_t address, u64 size)
{
    struct user_cuts cuts;
    vaddr_t end;

    if (!user_range_of(address, size, &end))
        return -EINVAL;
    int err = user_cuts_prepare(space, address, end, true, &cuts);
    if (err)
        return err;
    user_cuts_apply(space, &cuts);
    drop_areas(space, address, end);
    return 0;
}

/* ---- mmap ------------------------------------------------------------------------------------------ */

/* Pages of the store are going: whoever maps them finds nothing there from now on. */
static void unmap_from_store(struct store_mapping *mapping, u64 first, u64 last)
{
    struct vma *vma = container_of(mapping, struct vma, mapping);
    u64 pages = (vma->end - vma->start) >> PAGE_SHIFT;

    if (last < vma->pgoff || first >= vma->pgoff + pages)
        return;
    first = first > vma->pgoff ? first - vma->pgoff : 0;
    last = min_u64(last - vma->pgoff, pages - 1);
    user_zap(vma->space, vma->start + (first << PAGE_SHIFT),
             vma->start + ((last + 1) << PAGE_SHIFT), 1, 0);
}

/* Where: at the address if it is FIXED, or as a hint if it is free; else the topmost gap. */
static int choose_address(struct uspace *space, u64 size, u32 flags, vaddr_t *address)
{
    vaddr_t hint = align_down(*address, PAGE_SIZE), end;

    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        struct vma *above = vma_above(space, *address);
        if (!is_aligned(*address, PAGE_SIZE))
            return -EINVAL;
        if (!add_checked(*address, size, &end) || end > USER_END)
            return -ENOMEM;
        if (*address < USER_START)
            return -EPERM;
        return flags & MAP_FIXED_NOREPLACE && above && above->start < end ? -EEXIST : 0;
    }
    if (hint >= USER_START && hint <= USER_END - size && vma_range_free(space, hint, hint + size)) {
        *address = hint;
        return 0;
    }
    if (flags & MAP_32BIT)
        return vma_lowest_gap(space, size, GIB, 2 * GIB, address) ? 0 : -ENOMEM;
    return vma_topmost_gap(space, size, USER_START, USER_MMAP_TOP, address) ||
                   vma_lowest_gap(space, size, USER_MMAP_TOP, USER_END, address)
               ? 0
               : -ENOMEM;
}

static int check_request(struct uspace *space, u64 *size, u32 flags, const struct pagestore *store,
                         u64 pgoff)
{
    u32 type = flags & TYPE_MASK;
    u64 last;

    if (!*size || !type || type > (MAP_SHARED | MAP_PRIVATE) ||
        (flags & MAP_GROWSDOWN && (store || type != MAP_PRIVATE)) ||
        (!store && !(flags & MAP_ANONYMOUS)))
        return -EINVAL;
    if (!align_up_checked(*size, PAGE_SIZE, size) || *size > USER_END - USER_START ||
        space->stats.areas >= USER_AREAS_MAX)
        return -ENOMEM;
    return !add_checked(pgoff, *size >> PAGE_SHIFT, &last) || last > STORE_PAGES_MAX ? -EOVERFLOW
                                                                                     : 0;
}

/* Touch it now, as far as there is memory; what cannot be had now will be tried again when it is needed. */
static void populate(struct uspace *space, vaddr_t start, vaddr_t end, u32 prot)
{
    u64 access = prot & PROT_WRITE ? USER_WRITE : 0;
    u64 pages = min_u64((end - start) >> PAGE_SHIFT, buddy_free_pages(&kernel_buddy));

    for (vaddr_t at = start; pages > 0 && prot != PROT_NONE; at += PAGE_SIZE, pages--)
        if (uspace_fault(space, at, access) != 0)
            return;
}

/* The new area gets `store` (with a reference of its own), or one to share if that is asked for. */
static int attach_store(struct vma *vma, struct pagestore *store)
{
    struct pagestore *own = NULL;

    if (!store && vma->flags & MAP_SHARED) {
        own = store = pagestore_create();
        if (!store || pagestore_resize(store, vma->end - vma->start) != 0) {
            pagestore_put(own);
            return -ENOMEM;
        }
    }
    vma->store = store;
    vma->mapping.unmap = unmap_from_store;
    if (store)
        pagestore_attach(store, &vma->mapping);
    pagestore_put(own);
    return 0;
}

s64 uspace_mmap(struct uspace *space, vaddr_t address, u64 size, u32 prot, u32 flags,
                struct pagestore *store, u64 pgoff, const char *name)
{
    int err = check_request(space, &size, flags, store, pgoff);
    if (!err)
        err = choose_address(space, size, flags, &address);
    if (err)
        return err;
    struct vma *vma = vma_alloc();
    if (!vma)
        return -ENOMEM;
    u32 kept = flags & KEPT_FLAGS & ~(flags & MAP_SHARED ? MAP_PRIVATE : 0);
    *vma = (struct vma){.start = address,
                        .end = address + size,
                        .prot = prot & 7,
                        .flags = kept,
                        .pgoff = store ? pgoff : 0,
                        .name = name};
    err = attach_store(vma, store);
    if (!err && flags & MAP_FIXED) {
        err = uspace_munmap(space, address, size);
        if (err && vma->store)
            pagestore_detach(vma->store, &vma->mapping);
    }
    if (err) {
        vma_free(vma);
        return err;
    }
    vma_link(space, vma);
    vma_merge(space, vma);
    if (flags & MAP_POPULATE)
        populate(space, address, address + size, prot);
    return (s64)address;
}

/* ---- brk --------------------------------------------------------------------------------------------- */

void uspace_set_brk(struct uspace *space, vaddr_t start)
{
    space->brk_start = space->brk = start;
}

vaddr_t uspace_brk(struct uspace *space, vaddr_t address)
{
    vaddr_t have = align_up(space->brk, PAGE_SIZE), want;

    if (address < space->brk_start || address > USER_END)
        return space->brk;
    want = align_up(address, PAGE_SIZE);
    if (want > have &&
        uspace_mmap(space, have, want - have, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, NULL, 0, "[heap]") < 0)
        return space->brk;
    if (want < have && uspace_munmap(space, want, have - want) != 0)
        return space->brk;
    return space->brk = address;
}
