// SPDX-License-Identifier: MIT
/*
 * The binary buddy: free blocks of 2^order pages on one list per order. Splitting and merging rest on
 * one fact: a block of order k is aligned to its size, so the other half of the block of order k + 1
 * differs from it in bit k of the PFN only.
 *
 * buddy->lock (irqsave) guards the free lists. Upholds B1 (aligned, on the list of its order), B2 (no
 * two free buddies), B3 (managed = free + per-CPU + used). Read next: buddy_pcp.c, which callers meet
 * first; buddy_bulk.c; buddy_debug.c; the checker is buddy_check.c.
 */
#include "mm/buddy.h"

#include "lib/bits.h"
#include "mm/buddy_internal.h"

void buddy_init(struct buddy *buddy, const char *name, struct page *pages, pfn_t start, pfn_t end)
{
    *buddy = (struct buddy){.name = name, .pages = pages, .start = start, .end = end};
    spin_init(&buddy->lock, "buddy");
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        list_init(&buddy->areas[order].blocks);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        list_init(&buddy->cpu[cpu].pages);
        for (unsigned order = 0; order <= PCP_ORDER; order++)
            list_init(&buddy->cpu[cpu].blocks[order]);
    }
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
    EVENT(buddy, BLOCK_TAKE, buddy_pfn(buddy, page), have, order);
    unlink_block(buddy, page, have);
    while (have > order) {
        have--;
        EVENT(buddy, BLOCK_SPLIT, buddy_pfn(buddy, page) + (1UL << have), have);
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
        EVENT(buddy, BLOCK_MERGE, buddy_pfn(buddy, other), order);
        unlink_block(buddy, other, order);
        other->state = PAGE_FREE_TAIL;
        buddy->pages[pfn].state = PAGE_FREE_TAIL;
        pfn &= ~(1UL << order);
        order++;
        buddy->stats.merges++;
    }
    EVENT(buddy, BLOCK_PUT, pfn, order);
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
    buddy->pcp_high = (u32)min_u64(max_u64(buddy->managed / 64, 3 * PCP_BATCH), PCP_HIGH);
    spin_unlock_irqrestore(&buddy->lock, flags);
    if (!added)
        port_warn("buddy %s: frames [%#lx, %#lx) are not used: more than %u separate pieces of RAM",
                  buddy->name, start, end, BUDDY_MAX_SPANS);
}

void buddy_cover(struct buddy *buddy, pfn_t start, pfn_t end)
{
    u64 flags = spin_lock_irqsave(&buddy->lock);

    if (start < end)
        add_span(buddy, start, end); /* without room in the table they stay unknown, as before */
    spin_unlock_irqrestore(&buddy->lock, flags);
}

/* ---- whole blocks ----------------------------------------------------------------------------- */

void buddy_mark_block(struct page *head, unsigned order, vaddr_t caller)
{
    buddy_mark_used(head, order, caller);
    mark_tails(head, order, PAGE_USED_TAIL);
}

struct page *buddy_block_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller)
{
    struct page *page = NULL;
    u64 flags = spin_lock_irqsave(&buddy->lock);

    if (buddy_above_reserve(buddy, gfp, order))
        page = buddy_take_block(buddy, order);
    if (page) {
        buddy_mark_block(page, order, caller);
        buddy->stats.allocs[order]++;
    }
    spin_unlock_irqrestore(&buddy->lock, flags);
    return page;
}

void buddy_block_free(struct buddy *buddy, struct page *page, unsigned order)
{
    u64 flags = spin_lock_irqsave(&buddy->lock);
    buddy->stats.frees[order]++;
    buddy_put_block(buddy, page, order);
    spin_unlock_irqrestore(&buddy->lock, flags);
}
