// SPDX-License-Identifier: MIT
/*
 * The binary buddy: free blocks of 2^order pages on one list per order, and in front of it a list of
 * single pages for each CPU. Splitting and merging rest on one fact: a block of order k is aligned to
 * its size, so the other half of the block of order k + 1 differs from it in bit k of the PFN only.
 *
 * buddy->lock (irqsave) guards the free lists; interrupts being off guard this CPU's list. Upholds
 * B1 (aligned, on the list of its order), B2 (no two free buddies), B3 (managed = free + per-CPU +
 * used). Read next: buddy_bulk.c, buddy_debug.c; the checker is buddy_check.c.
 */
#include "mm/buddy.h"

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "mm/buddy_internal.h"

#define PAGE_STRUCT_SHIFT 5
_Static_assert(sizeof(struct page) == 1 << PAGE_STRUCT_SHIFT, "the fast path divides by shifting");

void buddy_init(struct buddy *buddy, const char *name, struct page *pages, pfn_t start, pfn_t end)
{
    *buddy = (struct buddy){.name = name, .pages = pages, .start = start, .end = end};
    spin_init(&buddy->lock, "buddy");
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        list_init(&buddy->areas[order].blocks);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        list_init(&buddy->cpu[cpu].pages);
}

/* ---- spans: where there are struct pages to look at ----------------------------------------- */

/* From the top: the last span is the largest on machines with more than 4 GiB. */
bool buddy_covers_slow(const struct buddy *buddy, pfn_t pfn)
{
    for (u32 i = buddy->span_count; i-- > 0;)
        if (pfn >= buddy->spans[i].start)
            return pfn < buddy->spans[i].end;
    return false;
}

/* Widen a neighbouring span or insert a new one; false when the table is full. */
static bool add_span(struct buddy *buddy, pfn_t start, pfn_t end)
{
    u32 i = 0, last;

    start = max_u64(align_down(start, BUDDY_SPAN_FRAMES), buddy->start);
    end = min_u64(align_up(end, BUDDY_SPAN_FRAMES), buddy->end);
    while (i < buddy->span_count && buddy->spans[i].end < start)
        i++;
    /* Spans i .. last-1 touch or overlap the new one: they become one. */
    for (last = i; last < buddy->span_count && buddy->spans[last].start <= end; last++) {
        start = min_u64(start, buddy->spans[last].start);
        end = max_u64(end, buddy->spans[last].end);
    }
    if (last == i) {
        if (buddy->span_count == BUDDY_MAX_SPANS)
            return false;
        for (u32 k = buddy->span_count++; k > i; k--)
            buddy->spans[k] = buddy->spans[k - 1];
    } else {
        for (u32 from = last, to = i + 1; from < buddy->span_count;)
            buddy->spans[to++] = buddy->spans[from++];
        buddy->span_count -= last - i - 1;
    }
    buddy->spans[i] = (struct buddy_span){start, end};
    if (end - start > buddy->main_frames) {
        buddy->main_start = start;
        buddy->main_frames = end - start;
    }
    return true;
}

/* ---- free lists ------------------------------------------------------------------------------ */

static void link_block(struct buddy *buddy, struct page *page, unsigned order)
{
    page->state = PAGE_FREE;
    page->order = (u8)order;
    list_add(&page->link, &buddy->areas[order].blocks);
    buddy->areas[order].count++;
}

static void unlink_block(struct buddy *buddy, struct page *page, unsigned order)
{
    list_del(&page->link);
    buddy->areas[order].count--;
}

static void mark_tails(struct page *head, unsigned order, enum page_state state)
{
    for (u64 i = 1; i < 1UL << order; i++)
        head[i].state = (u8)state;
}

/*
 * 1. The smallest order that has a block.  2. Take its first block.
 * 3. Halve it until it has the right size: the upper half goes back to the list one order below.
 */
struct page *buddy_take_block(struct buddy *buddy, unsigned order)
{
    unsigned have = order;

    while (have < BUDDY_ORDERS && list_empty(&buddy->areas[have].blocks))
        have++;
    if (have == BUDDY_ORDERS)
        return NULL;
    struct page *page = list_entry(buddy->areas[have].blocks.next, struct page, link);
    ASSERT(page->state == PAGE_FREE && page->order == have,
           "B1: pfn %#lx on the list of order %u is %s, order %u", buddy_pfn(buddy, page), have,
           page_state_name(page->state), page->order);
    unlink_block(buddy, page, have);
    while (have > order) {
        have--;
        link_block(buddy, page + (1UL << have), have);
        buddy->stats.splits++;
    }
    buddy->free -= 1UL << order;
    return page;
}

/* The free block that `page` of `order` may merge with, or NULL. */
static struct page *free_buddy(const struct buddy *buddy, pfn_t pfn, unsigned order)
{
    pfn_t other = pfn ^ (1UL << order);

    if (other < buddy->start || other + (1UL << order) > buddy->end)
        return NULL;
    /* Up to this order both lie in one page of the page array; beyond, the other may be in a hole. */
    if ((1UL << order) >= BUDDY_SPAN_FRAMES && !buddy_covers(buddy, other))
        return NULL;
    struct page *page = &buddy->pages[other];
    return page->state == PAGE_FREE && page->order == order ? page : NULL;
}

/*
 * 1. While the buddy (PFN with bit `order` flipped) is a free block of the same order, take it off
 *    its list; the two become one block, whose head is the one with the bit clear.
 * 2. Put what has grown onto the list of its order. B2 holds again: its buddy is not free.
 */
void buddy_put_block(struct buddy *buddy, struct page *page, unsigned order)
{
    pfn_t pfn = buddy_pfn(buddy, page);
    struct page *other;

    buddy->free += 1UL << order;
    mark_tails(page, order, PAGE_FREE_TAIL);
    while (order < MAX_ORDER && (other = free_buddy(buddy, pfn, order)) != NULL) {
        unlink_block(buddy, other, order);
        other->state = PAGE_FREE_TAIL;
        buddy->pages[pfn].state = PAGE_FREE_TAIL;
        pfn &= ~(1UL << order);
        order++;
        buddy->stats.merges++;
    }
    link_block(buddy, &buddy->pages[pfn], order);
}

void buddy_add_range(struct buddy *buddy, pfn_t start, pfn_t end)
{
    ASSERT(start >= buddy->start && start <= end && end <= buddy->end,
           "frames [%#lx, %#lx) are not all in [%#lx, %#lx)", start, end, buddy->start, buddy->end);
    if (start == end)
        return;
    u64 flags = spin_lock_irqsave(&buddy->lock);
    bool added = add_span(buddy, start, end);
    for (pfn_t pfn = start; added && pfn < end;) {
        unsigned order = pfn ? (unsigned)__builtin_ctzl(pfn) : MAX_ORDER;
        order = (unsigned)min_u64(min_u64(order, MAX_ORDER), ilog2(end - pfn));
        for (u64 i = 0; i < 1UL << order; i++)
            ASSERT(buddy->pages[pfn + i].state == PAGE_UNMANAGED, "pfn %#lx is managed already: %s",
                   pfn + i, page_state_name(buddy->pages[pfn + i].state));
        buddy->managed += 1UL << order;
        buddy_put_block(buddy, &buddy->pages[pfn], order);
        pfn += 1UL << order;
    }
    spin_unlock_irqrestore(&buddy->lock, flags);
    if (!added)
        port_warn("buddy %s: frames [%#lx, %#lx) are not used: more than %u separate pieces of RAM",
                  buddy->name, start, end, BUDDY_MAX_SPANS);
}

/* ---- per-CPU lists --------------------------------------------------------------------------- */

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

static struct page *block_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    struct page *page = NULL;
    u64 flags = spin_lock_irqsave(&buddy->lock);

    if (buddy_above_reserve(buddy, gfp, order))
        page = buddy_take_block(buddy, order);
    if (page) {
        buddy_mark_used(page, order, caller);
        mark_tails(page, order, PAGE_USED_TAIL);
        buddy->stats.allocs[order]++;
    }
    spin_unlock_irqrestore(&buddy->lock, flags);
    return page;
}

static struct page *try_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    struct page *page;

    if (order == 0 && buddy->use_pcp)
        return buddy_pcp_alloc(buddy, gfp, 1, &page, caller) ? page : NULL;
    return block_alloc(buddy, gfp, order, caller);
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

static void block_free(struct buddy *buddy, struct page *page, unsigned order)
{
    u64 flags = spin_lock_irqsave(&buddy->lock);
    buddy->stats.frees[order]++;
    buddy_put_block(buddy, page, order);
    spin_unlock_irqrestore(&buddy->lock, flags);
}

static __noinline void free_slow(struct buddy *buddy, struct page *page, unsigned order,
                                 vaddr_t caller)
{
    if (!buddy_begin_free(buddy, page, order, caller))
        return;
    if (order == 0 && buddy->use_pcp)
        buddy_pcp_free(buddy, &page, 1);
    else
        block_free(buddy, page, order);
}

void buddy_free(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller)
{
    if (likely(order == 0 && buddy->use_pcp && !buddy->poison) &&
        likely(pcp_free_fast(buddy, page, caller)))
        return;
    free_slow(buddy, page, order, caller);
}
