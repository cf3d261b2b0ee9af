// SPDX-License-Identifier: MIT
/*
 * fork: the child gets the same areas and the same pages. Private pages lose their write permission in both
 * spaces, so that the first to write gets a copy (uspace_fault.c). Leaf tables are walked directly, entry by
 * entry, since what fork costs is what it costs per page. No lock, see uspace.h.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"

static int copy_areas(struct uspace *child, struct uspace *parent)
{
    struct vma *vma;

    list_for_each_entry(vma, &parent->list, link) {
        struct vma *copy = vma_alloc();
        if (!copy)
            return -ENOMEM;
        *copy = *vma;
        if (copy->store)
            pagestore_attach(copy->store, &copy->mapping);
        vma_link(child, copy);
    }
    return 0;
}

static void copy_leaves(struct uspace *child, pte_t *from, pte_t *to, u64 n, pte_t keep)
{
    struct page *zero = user_zero_page;
    u64 uses[PAGE_USES] = {0};

    for (pte_t *end = from + n; from < end; from++, to++) {
        pte_t value = pte_load(from);
        if (!value)
            continue;
        value &= keep;
        pte_store(from, value);
        pte_store(to, value);
        struct page *page = user_entry_page(value);
        if (unlikely(page == zero))
            continue;
        page->refcount++;
        uses[page->use]++;
    }
    child->stats.anon_pages += uses[PAGE_USE_USER];
    child->stats.file_pages += uses[PAGE_USE_FILE] + uses[PAGE_USE_VMALLOC];
}

static void copy_huge(struct uspace *child, pte_t *from, pte_t *to, pte_t keep)
{
    pte_t value = pte_load(from) & keep;
    struct page *page = user_entry_page(value & ~(HUGE_SIZE - 1));

    pte_store(from, value);
    pte_store(to, value);
    if (page->order == HUGE_ORDER)
        page->refcount++;
    else
        for (u64 i = 0; i < HUGE_PAGES; i++)
            page[i].refcount++;
    child->stats.anon_pages += HUGE_PAGES;
    child->stats.huge_pages++;
}

/* Table after table; what has none is passed over as a whole. */
static int copy_pages(struct uspace *child, struct uspace *parent, const struct vma *vma)
{
    pte_t keep = vma->flags & MAP_SHARED ? ~0UL : ~PTE_W;
    vaddr_t next;

    for (vaddr_t at = vma->start; at < vma->end; at = next) {
        unsigned level;
        pte_t *from = pt_leaf_entry(&parent->pt, at, &level), *to;
        next = min_u64(vma->end, (at | (pt_level_size(level ? level : 1) - 1)) + 1);
        if (level > 0 && !pte_load(from))
            continue;
        to = user_entry_create(child, at, level);
        if (!to)
            return -ENOMEM;
        if (level == 0)
            copy_leaves(child, from, to, (next - at) >> PAGE_SHIFT, keep);
        else
            copy_huge(child, from, to, keep);
    }
    return 0;
}

struct uspace *uspace_fork(struct uspace *parent)
{
    struct uspace *child = uspace_create();
    struct vma *vma;
    int err;

    if (!child)
        return NULL;
    EVENT_BEGIN(FORK, parent->pt.root, child->pt.root, CALLER());
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    err = copy_areas(child, parent);
    for (vma = uspace_first(parent); vma && !err; vma = uspace_next(parent, vma))
        err = copy_pages(child, parent, vma);
    user_flush(parent, USER_START, USER_END);
    EVENT_END(FORK, err);
    if (!err)
        return child;
    uspace_put(child);
    return NULL;
}
