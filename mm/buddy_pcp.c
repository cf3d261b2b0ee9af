// SPDX-License-Identifier: MIT
/*
 * buddy_alloc() and buddy_free(): what callers meet first. Single pages pass through a short list of
 * this CPU, which needs no lock, only interrupts off, and hands out the page that was freed last; it
 * is refilled and drained in batches. Everything else goes to the blocks of buddy.c. Part of B3: pages
 * on these lists are neither free nor used, and are counted. Read next: buddy_debug.c.
 */
#include "lib/failpoint.h"
#include "mm/buddy_internal.h"

#define PAGE_STRUCT_SHIFT 5
_Static_assert(sizeof(struct page) == 1 << PAGE_STRUCT_SHIFT, "the fast path divides by shifting");

/* ---- this CPU's list --------------------------------------------------------------------------- */

/* Up to one batch into an empty list; below the reserve just the one page that ATOMIC asks for, so
 * that no page of the reserve waits where everybody may take it. */
static void refill(struct buddy *buddy, struct buddy_cpu *cpu, gfp_t gfp)
{
    spin_lock(&buddy->lock);
    do {
        struct page *page;
        if (!buddy_above_reserve(buddy, gfp, 0) || !(page = buddy_take_block(buddy, 0)))
            break;
        page->header = PAGE_HEADER(PAGE_PCP, page->flags, 0);
        list_add_tail(&page->link, &cpu->pages);
        cpu->count++;
    } while (cpu->count < PCP_BATCH && buddy_above_reserve(buddy, GFP_KERNEL, 0));
    spin_unlock(&buddy->lock);
}

/* The `n` pages that have not been used for the longest time go back. Interrupts off. */
static void drain_pages(struct buddy *buddy, struct buddy_cpu *cpu, u32 n)
{
    spin_lock(&buddy->lock);
    for (; n > 0 && cpu->count > 0; n--) {
        struct page *page = list_entry(cpu->pages.prev, struct page, link);
        list_del(&page->link);
        cpu->count--;
        buddy_put_block(buddy, page, 0);
    }
    cpu->drains++;
    spin_unlock(&buddy->lock);
}

u64 buddy_pcp_alloc(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out, vaddr_t caller)
{
    u64 done = 0, hits = 0;
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    bool refilled = false;

    while (done < n && (cpu->count || !refilled)) {
        if (!cpu->count) {
            refill(buddy, cpu, gfp);
            refilled = true;
            hits = done;
            continue;
        }
        struct page *page = list_entry(cpu->pages.next, struct page, link);
        list_del(&page->link);
        cpu->count--;
        buddy_mark_used(page, 0, caller);
        out[done++] = page;
    }
    if (!refilled)
        hits = done;
    cpu->hits += hits;
    cpu->refills += done - hits;
    irq_restore(flags);
    return done;
}

void buddy_pcp_free(struct buddy *buddy, struct page *const *pages, u64 n)
{
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];

    for (u64 i = 0; i < n; i++) {
        pages[i]->state = PAGE_PCP;
        list_add(&pages[i]->link, &cpu->pages);
    }
    cpu->frees += n;
    cpu->count += (u32)n;
    while (cpu->count > PCP_HIGH)
        drain_pages(buddy, cpu, PCP_BATCH);
    irq_restore(flags);
}

/*
 * The two fast paths below are the same two functions when all goes well, in some forty instructions
 * each: one page, no special wishes, content that needs no work. They look at everything first, so
 * that "no" leaves no trace and the slow path starts from the beginning.
 */

/* The page that was freed last: its content may still be in a cache. NULL: not that simple. */
static inline struct page *pcp_alloc_fast(struct buddy *buddy, vaddr_t caller)
{
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    struct list_head *link = cpu->pages.next, *next = link->next;
    struct page *page = list_entry(link, struct page, link);

    if (likely(cpu->count && page->header == HEADER_PCP)) {
        ASSERT(next->prev == link, "per-CPU list corrupted behind %p", (void *)page);
        cpu->pages.next = next;
        next->prev = &cpu->pages;
        cpu->count--;
        cpu->hits++;
        page->header = HEADER_USED;
        page->alloc_caller = caller_pack(caller);
    } else {
        page = NULL;
    }
    irq_restore(flags);
    return page;
}

/* False: not that simple, nothing done. */
static inline bool pcp_free_fast(struct buddy *buddy, struct page *page, vaddr_t caller)
{
    /* Divided by rotating: the remainder, which must be 0, lands on top and makes the PFN absurd. */
    u64 offset = (u64)page - (u64)buddy->pages;
    pfn_t pfn = offset >> PAGE_STRUCT_SHIFT | offset << (64 - PAGE_STRUCT_SHIFT);
    if (pfn - buddy->main_start >= buddy->main_frames || page->header != HEADER_USED)
        return false;

    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    bool room = cpu->count < PCP_HIGH;
    if (likely(room)) {
        page->header = HEADER_PCP;
        page->free_caller = caller_pack(caller);
        list_add(&page->link, &cpu->pages);
        cpu->count++;
        cpu->frees++;
    }
    irq_restore(flags);
    return room;
}

void buddy_drain_this_cpu(struct buddy *buddy)
{
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    if (cpu->count)
        drain_pages(buddy, cpu, cpu->count);
    irq_restore(flags);
}

void buddy_drain(struct buddy *buddy)
{
    u64 flags = irq_save();
    for (unsigned i = 0; i < MAX_CPUS; i++)
        if (buddy->cpu[i].count)
            drain_pages(buddy, &buddy->cpu[i], buddy->cpu[i].count);
    irq_restore(flags);
}

/* ---- allocate and free ----------------------------------------------------------------------- */

static struct page *try_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    struct page *page;

    if (order == 0 && buddy->use_pcp)
        return buddy_pcp_alloc(buddy, gfp, 1, &page, caller) ? page : NULL;
    return buddy_block_alloc(buddy, gfp, order, caller);
}

static __noinline struct page *alloc_slow(struct buddy *buddy, gfp_t gfp, unsigned order,
                                          vaddr_t caller)
{
    if (order > MAX_ORDER)
        return NULL;
    if (!(gfp & __GFP_NOFAULT) && should_fail(FAIL_PAGE)) {
        buddy_failed(buddy, gfp | __GFP_NOWARN, order, caller);
        return NULL;
    }
    struct page *page = try_alloc(buddy, gfp, order, caller);
    if (!page) {
        /* Single pages that wait on our list may complete the block that is missing. */
        buddy_drain_this_cpu(buddy);
        page = try_alloc(buddy, gfp, order, caller);
        if (!page) {
            buddy_failed(buddy, gfp, order, caller);
            return NULL;
        }
    }
    buddy_prepare_content(buddy, page, order, gfp);
    return page;
}

struct page *buddy_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    if (likely(order == 0 && buddy->use_pcp && !fail_armed && !(gfp & __GFP_ZERO))) {
        struct page *page = pcp_alloc_fast(buddy, caller);
        if (likely(page))
            return page;
    }
    return alloc_slow(buddy, gfp, order, caller);
}

static __noinline void free_slow(struct buddy *buddy, struct page *page, unsigned order,
                                 vaddr_t caller)
{
    if (!buddy_begin_free(buddy, page, order, caller))
        return;
    if (order == 0 && buddy->use_pcp)
        buddy_pcp_free(buddy, &page, 1);
    else
        buddy_block_free(buddy, page, order);
}

void buddy_free(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller)
{
    if (likely(order == 0 && buddy->use_pcp && !buddy->poison) &&
        likely(pcp_free_fast(buddy, page, caller)))
        return;
    free_slow(buddy, page, order, caller);
}
