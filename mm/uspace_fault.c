// SPDX-License-Identifier: MIT
/*
 * Demand paging: what a page fault in a user space becomes. Nothing is mapped before it is touched; a read
 * of untouched anonymous memory shows the zero page, a write gets a zeroed page of its own (2 MiB at once
 * where that fits); a write to a page that others have too gets a copy. No lock, see uspace.h. Keeps U4: no
 * entry grants more than its area, and none allows writing to a private page that somebody else has.
 * Read next: uspace_fork.c, which makes pages shared.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

bool uspace_huge = true;

/* ---- pages ------------------------------------------------------------------------------------- */

/* Content undefined unless __GFP_ZERO: the caller fills it before a program sees it. */
static struct page *take_page(gfp_t gfp)
{
    return buddy_alloc_for(&kernel_buddy, gfp | __GFP_NOWARN, PAGE_USE_USER, CALLER());
}

static void drop_page(struct page *page)
{
    if (page)
        buddy_free_from(&kernel_buddy, page, PAGE_USE_USER, CALLER());
}

static void set_entry(vaddr_t va, pte_t *entry, struct page *page, pte_t bits)
{
    EVENT(NULL, PTE_SET, va, page_to_phys(page) | bits, bits & PTE_PS ? 1 : 0);
    pte_store(entry, page_to_phys(page) | bits);
}

/* Where nothing is mapped yet. */
struct place {
    vaddr_t va;
    pte_t *entry; /* the entry that decides about va, at this level */
    unsigned level;
};

/* Map a new page of this space's own; it goes back when there is no table for it. */
static int map_own(struct uspace *space, struct vma *vma, const struct place *at, struct page *page)
{
    pte_t *entry = user_entry_below(space, at->va, at->entry, at->level, 0);

    if (!entry) {
        drop_page(page);
        return -ENOMEM;
    }
    set_entry(at->va, entry, page, user_leaf_bits(vma, vma->prot & PROT_WRITE));
    space->stats.anon_pages++;
    return 0;
}

/* ---- first touch of anonymous memory ------------------------------------------------------------- */

/* Large blocks only while memory is plentiful: what is touched here and there needs few of 512 pages. */
static bool wants_huge(const struct vma *vma, const struct place *at)
{
    vaddr_t base = align_down(at->va, HUGE_SIZE);

    return at->level > 0 && uspace_huge && base >= vma->start && base + HUGE_SIZE <= vma->end &&
           !(vma->flags & (MAP_GROWSDOWN | MAP_NO_HUGE)) &&
           kernel_buddy.free >= kernel_buddy.managed / 4;
}

/* False: no block, or no table. A small page may still be had. */
static bool map_huge(struct uspace *space, struct vma *vma, const struct place *at)
{
    struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, HUGE_ORDER);

    if (!page)
        return false;
    vaddr_t base = align_down(at->va, HUGE_SIZE);
    pte_t *entry = user_entry_below(space, base, at->entry, at->level, 1);
    if (!entry) {
        free_pages(page, HUGE_ORDER);
        return false;
    }
    page_set_use(&kernel_buddy, page, PAGE_USE_USER);
    set_entry(base, entry, page, user_leaf_bits(vma, true) | PTE_PS);
    space->stats.anon_pages += HUGE_PAGES;
    space->stats.huge_pages++;
    return true;
}

static int map_zero_page(struct uspace *space, struct vma *vma, const struct place *at)
{
    pte_t *entry = user_entry_below(space, at->va, at->entry, at->level, 0);

    if (!entry)
        return -ENOMEM;
    set_entry(at->va, entry, user_zero_page, user_leaf_bits(vma, false));
    space->stats.zero_page_maps++;
    return 0;
}

static int first_touch(struct uspace *space, struct vma *vma, const struct place *at, bool write)
{
    if (!write)
        return map_zero_page(space, vma, at);
    if (wants_huge(vma, at) && map_huge(space, vma, at))
        return 0;
    struct page *page = take_page(__GFP_ZERO);
    return page ? map_own(space, vma, at, page) : -ENOMEM;
}

/* ---- first touch of a page of a store -------------------------------------------------------------- */

static int touch_store(struct uspace *space, struct vma *vma, const struct place *at, bool write)
{
    u64 index = vma->pgoff + ((at->va - vma->start) >> PAGE_SHIFT);
    bool shared = vma->flags & MAP_SHARED;

    if (index >= bytes_to_pages(pagestore_size(vma->store)))
        return -EIO;
    struct page *page = pagestore_page(vma->store, index, true);
    if (!page)
        return -ENOMEM;
    if (write && !shared) {
        struct page *own = take_page(0);
        if (!own)
            return -ENOMEM;
        memcpy(page_address(own), page_address(page), PAGE_SIZE);
        return map_own(space, vma, at, own);
    }
    pte_t *entry = user_entry_below(space, at->va, at->entry, at->level, 0);
    if (!entry)
        return -ENOMEM;
    page->refcount++;
    space->stats.file_pages++;
    pte_t bits = user_leaf_bits(vma, shared && vma->prot & PROT_WRITE);
    set_entry(at->va, entry, page, write ? bits : bits & ~PTE_D);
    return 0;
}

/* ---- copy on write ------------------------------------------------------------------------------- */

/* Nobody else has the page any more. */
static int write_own(struct uspace *space, vaddr_t va, pte_t *entry)
{
    pte_store(entry, pte_load(entry) | PTE_W | PTE_D);
    space->stats.cow_reuses++;
    user_flush(space, va, va + PAGE_SIZE);
    return 0;
}

static void map_copy(struct uspace *space, struct vma *vma, vaddr_t va, pte_t *entry,
                     struct page *copy)
{
    pte_t old = pte_load(entry);
    struct page *page = user_entry_page(old);

    if (page == user_zero_page)
        memset(page_address(copy), 0, PAGE_SIZE);
    else
        memcpy(page_address(copy), page_address(page), PAGE_SIZE);
    set_entry(va, entry, copy, user_leaf_bits(vma, true));
    space->stats.anon_pages++;
    space->stats.cow_copies += page != user_zero_page;
    user_put_page(space, old);
    user_flush(space, va, va + PAGE_SIZE);
}

static bool is_own(const struct vma *vma, const struct page *page)
{
    return vma->flags & MAP_SHARED || (page->use == PAGE_USE_USER && page->refcount == 1);
}

static int write_page(struct uspace *space, struct vma *vma, vaddr_t va, pte_t *entry)
{
    if (is_own(vma, user_entry_page(pte_load(entry))))
        return write_own(space, va, entry);
    struct page *copy = take_page(0);
    if (!copy)
        return -ENOMEM;
    map_copy(space, vma, va, entry, copy);
    return 0;
}

/* A 2 MiB leaf that is ours alone becomes writable; a shared one falls apart, and one page is copied. */
static int write_huge(struct uspace *space, struct vma *vma, vaddr_t va, pte_t *entry)
{
    struct page *page = user_entry_page(pte_load(entry) & ~(HUGE_SIZE - 1));

    if (page->order == HUGE_ORDER && page->refcount == 1)
        return write_own(space, va, entry);
    struct page *copy = take_page(0);
    paddr_t table = copy ? pt_table_alloc(&space->pt) : 0;
    if (!table) {
        drop_page(copy);
        return -ENOMEM;
    }
    user_split_huge(space, va, entry, table);
    entry = (pte_t *)phys_to_virt(table) + pt_index(va, 0);
    if (!is_own(vma, user_entry_page(pte_load(entry)))) {
        map_copy(space, vma, va, entry, copy);
        return 0;
    }
    drop_page(copy);
    return write_own(space, va, entry);
}

/* ---- the fault ------------------------------------------------------------------------------------ */

/* A stack grows down to the address, unless something would come too near. */
static struct vma *grow_stack(struct uspace *space, vaddr_t address)
{
    struct vma *stack = vma_above(space, address);
    vaddr_t start = align_down(address, PAGE_SIZE);

    if (!stack || !(stack->flags & MAP_GROWSDOWN) || start < USER_START ||
        stack->end - start > USER_STACK_MAX)
        return NULL;
    struct vma *below = vma_prev(space, stack);
    if (below && start - below->end < USER_STACK_GUARD)
        return NULL;
    vma_set_bounds(space, stack, start, stack->end);
    return stack;
}

/* On x86, what can be written or executed can be read. */
static bool access_allowed(const struct vma *vma, u64 error)
{
    if (error & USER_WRITE)
        return vma->prot & PROT_WRITE;
    return error & USER_FETCH ? vma->prot & PROT_EXEC : vma->prot != PROT_NONE;
}

int uspace_fault(struct uspace *space, vaddr_t address, u64 error)
{
    bool write = error & USER_WRITE;
    struct place at = {.va = align_down(address, PAGE_SIZE)};

    ASSERT(!(error & USER_RESERVED), "a program's tables have a reserved bit set: %#lx", address);
    EVENT_BEGIN(FAULT, address, error, CALLER());
    space->stats.faults++;
    struct vma *vma = uspace_find(space, address);
    if (unlikely(!vma))
        vma = grow_stack(space, address);
    int err = !vma ? -EFAULT : access_allowed(vma, error) ? 0 : -EACCES;
    if (likely(!err)) {
        at.entry = pt_leaf_entry(&space->pt, at.va, &at.level);
        pte_t value = pte_load(at.entry);
        if (!value)
            err = vma->store ? touch_store(space, vma, &at, write)
                             : first_touch(space, vma, &at, write);
        else if (write && !(value & PTE_W))
            err = at.level ? write_huge(space, vma, at.va, at.entry)
                           : write_page(space, vma, at.va, at.entry);
        else /* another thread was first: only the TLB is late */
            user_flush(space, at.va, at.va + PAGE_SIZE);
    }
    EVENT_END(FAULT, err);
    return err;
}
