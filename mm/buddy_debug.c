// SPDX-License-Identifier: MIT
/*
 * What the buddy does for people: it refuses a free that cannot be right and says who allocated and
 * who freed the page; it fills freed pages with PAGE_POISON and notices who wrote to them meanwhile.
 * No lock: a page that is being freed or handed out belongs to the caller alone.
 */
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/buddy_internal.h"

static void *as_symbol(u32 packed_caller)
{
    return (void *)caller_unpack(packed_caller);
}

/* ---- content --------------------------------------------------------------------------------- */

static void verify_poison(const struct buddy *buddy, const struct page *page)
{
    const u8 *content = buddy_content(buddy, page);
    const u8 *bad = memory_not_equal(content, PAGE_POISON, PAGE_SIZE);

    if (bad)
        port_report(
            "use after free: page pfn %#lx was modified at +%#lx (%#04x instead of the poison "
            "%#04x) after it was freed by %pS",
            buddy_pfn(buddy, page), (u64)(bad - content), *bad, PAGE_POISON,
            as_symbol(page->free_caller));
}

void buddy_prepare_content(struct buddy *buddy, struct page *page, unsigned order, gfp_t gfp)
{
    for (u64 i = 0; i < 1UL << order; i++) {
        if (page[i].flags & PAGE_FLAG_POISONED)
            verify_poison(buddy, &page[i]);
        page[i].flags = 0;
    }
    if (gfp & __GFP_ZERO)
        memset(buddy_content(buddy, page), 0, PAGE_SIZE << order);
}

/* Each page remembers by itself: the next owner may get another part of the merged block. */
static void poison_block(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller)
{
    memset(buddy_content(buddy, page), PAGE_POISON, PAGE_SIZE << order);
    for (u64 i = 0; i < 1UL << order; i++) {
        page[i].flags = PAGE_FLAG_POISONED;
        page[i].free_caller = caller_pack(caller);
    }
}

/* ---- failures -------------------------------------------------------------------------------- */

void buddy_failed(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    u64 failures = __atomic_add_fetch(&buddy->stats.failures, 1, __ATOMIC_RELAXED);

    /* Whoever runs out of memory does so a thousand times: the 1st, 2nd, 4th, 8th time is said. */
    if (!(gfp & __GFP_NOWARN) && is_power_of_two(failures))
        port_warn("buddy %s: no block of order %u for %pS (%lu of %lu pages free, failure %lu)",
                  buddy->name, order, (void *)caller, buddy_free_pages(buddy), buddy->managed,
                  failures);
}

/* ---- frees that are refused ------------------------------------------------------------------ */

bool buddy_begin_free_slow(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller)
{
    if (unlikely(!buddy_is_page(buddy, page) || page->state != PAGE_USED || page->order != order ||
                 page->refcount != 1 || page->use == PAGE_USE_SLAB)) {
        buddy_report_bad_free(buddy, page, order, caller);
        return false;
    }
    if (page->use != PAGE_USE_OTHER)
        page_set_use(buddy, page, PAGE_USE_OTHER);
    page->refcount = 0;
    page->flags = 0;
    page->free_caller = caller_pack(caller);
    if (buddy->poison)
        poison_block(buddy, page, order, caller);
    return true;
}

static void report_used_page(const struct buddy *buddy, const struct page *page, unsigned order,
                             vaddr_t caller)
{
    pfn_t pfn = buddy_pfn(buddy, page);

    if (page->use == PAGE_USE_SLAB)
        port_report(
            "free of page pfn %#lx by %pS: it belongs to a slab, its objects are freed with "
            "kfree()",
            pfn, (void *)caller);
    else if (page->order != order)
        port_report(
            "free of page pfn %#lx with order %u by %pS: it was allocated with order %u by %pS",
            pfn, order, (void *)caller, page->order, as_symbol(page->alloc_caller));
    else if (page->refcount == 0)
        port_report("double free of page pfn %#lx by %pS: it is being freed by %pS", pfn,
                    (void *)caller, as_symbol(page->free_caller));
    else
        port_report("free of page pfn %#lx by %pS: it has %u users, allocated by %pS", pfn,
                    (void *)caller, page->refcount, as_symbol(page->alloc_caller));
}

void buddy_report_bad_free(const struct buddy *buddy, const struct page *page, unsigned order,
                           vaddr_t caller)
{
    pfn_t pfn = ((u64)page - (u64)buddy->pages) / sizeof(struct page);

    if (!buddy_is_page(buddy, page)) {
        port_report("free of %p (pfn %#lx) by %pS: not a page that buddy %s manages",
                    (const void *)page, pfn, (void *)caller, buddy->name);
        return;
    }
    const char *state = page_state_name(page->state);
    switch (page->state) {
    case PAGE_USED:
        report_used_page(buddy, page, order, caller);
        break;
    case PAGE_USED_TAIL:
        port_report("free of page pfn %#lx by %pS: %s, not the first page of its block", pfn,
                    (void *)caller, state);
        break;
    case PAGE_FREE:
    case PAGE_FREE_TAIL:
    case PAGE_PCP:
        port_report("double free of page pfn %#lx (%s) by %pS: allocated by %pS, freed by %pS", pfn,
                    state, (void *)caller, as_symbol(page->alloc_caller),
                    as_symbol(page->free_caller));
        break;
    default:
        port_report("free of page pfn %#lx by %pS: %s, never given out", pfn, (void *)caller,
                    state);
    }
}
