// SPDX-License-Identifier: MIT
/*
 * buddy_check(): the invariants B1, B2 and B3, found out twice: once along the lists, once across the
 * page array, and the two must agree. It believes nothing: every pointer is looked at before it is
 * followed, every list has a bound, so a cycle or a wild pointer is an answer and not a hang. Takes
 * buddy->lock for the whole scan; the answer is exact while no other CPU uses its per-CPU list.
 */
#include "lib/bits.h"
#include "lib/format.h"
#include "mm/buddy_internal.h"

static char text[240];

#define BROKEN(...) (format_to(text, sizeof(text), __VA_ARGS__), text)

/* What a scan of the page array found. */
struct census {
    u64 heads[BUDDY_ORDERS], free, pcp, used;
    u64 uses[PAGE_USES];
};

static bool block_fits(const struct buddy *buddy, pfn_t pfn, unsigned order)
{
    return order <= MAX_ORDER && is_aligned(pfn, 1UL << order) &&
           pfn + (1UL << order) <= buddy->end;
}

/* The page whose link this is, if it can be one of ours; NULL for a pointer that leads astray. */
static struct page *page_of_link(const struct buddy *buddy, const struct list_head *link)
{
    u64 offset = (u64)link - (u64)buddy->pages - offsetof(struct page, link);
    pfn_t pfn = offset / sizeof(struct page);
    bool ours = offset % sizeof(struct page) == 0 && buddy_covers(buddy, pfn);
    return ours ? &buddy->pages[pfn] : NULL;
}

/* One list: every element ours, in `state`, of `order`, linked both ways, exactly `count` of them, or
 * at most NOT_COUNTED when its count is not kept. */
#define NOT_COUNTED (2UL * PCP_HIGH)
static const char *check_list(const struct buddy *buddy, const struct list_head *head, u64 count,
                              enum page_state state, unsigned order, const char *list)
{
    const struct list_head *previous = head;
    u64 seen = 0;

    for (const struct list_head *at = head->next; at != head; at = at->next, seen++) {
        const struct page *page = page_of_link(buddy, at);
        if (!page)
            return BROKEN("B1: the %s list of order %u leads to %p, which is no page", list, order,
                          (const void *)at);
        pfn_t pfn = buddy_pfn(buddy, page);
        if (seen == count)
            return BROKEN(
                "B1: the %s list of order %u has more than its %lu blocks (pfn %#lx: a cycle, "
                "or on two lists)",
                list, order, count, pfn);
        if (at->prev != previous)
            return BROKEN("B1: the %s list of order %u is not linked back at pfn %#lx", list, order,
                          pfn);
        if (page->state != state || page->order != order)
            return BROKEN("B1: pfn %#lx on the %s list of order %u is %s, order %u", pfn, list,
                          order, page_state_name(page->state), page->order);
        if (!block_fits(buddy, pfn, order))
            return BROKEN("B1: free block at pfn %#lx is not aligned to its order %u", pfn, order);
        previous = at;
    }
    if (seen != count && count != NOT_COUNTED)
        return BROKEN("B1: the %s list of order %u has %lu blocks, its count says %lu", list, order,
                      seen, count);
    return head->prev == previous
               ? NULL
               : BROKEN("B1: the %s list of order %u is not closed", list, order);
}

static const char *check_lists(const struct buddy *buddy)
{
    const char *broken = NULL;

    for (unsigned order = 0; order < BUDDY_ORDERS && !broken; order++)
        broken = check_list(buddy, &buddy->areas[order].blocks, buddy->areas[order].count,
                            PAGE_FREE, order, "free");
    for (unsigned cpu = 0; cpu < MAX_CPUS && !broken; cpu++) {
        broken = check_list(buddy, &buddy->cpu[cpu].pages, buddy->cpu[cpu].count, PAGE_PCP, 0,
                            "per-CPU");
        for (unsigned order = 1; order <= PCP_ORDER && !broken; order++)
            broken = check_list(buddy, &buddy->cpu[cpu].blocks[order], NOT_COUNTED, PAGE_PCP, order,
                                "per-CPU");
    }
    return broken;
}

static const char *check_tails(const struct buddy *buddy, pfn_t head, unsigned order,
                               enum page_state tail)
{
    for (pfn_t pfn = head + 1; pfn < head + (1UL << order); pfn++)
        if (buddy->pages[pfn].state != tail)
            return BROKEN("B3: pfn %#lx inside the order-%u block at %#lx is %s", pfn, order, head,
                          page_state_name(buddy->pages[pfn].state));
    return NULL;
}

/* B2: a free block's buddy is not a free block of the same order. */
static const char *check_buddy(const struct buddy *buddy, pfn_t pfn, unsigned order)
{
    pfn_t other = pfn ^ (1UL << order);

    if (order == MAX_ORDER || other < buddy->start || other >= buddy->end ||
        !buddy_covers(buddy, other))
        return NULL;
    const struct page *page = &buddy->pages[other];
    if (page->state != PAGE_FREE || page->order != order)
        return NULL;
    return BROKEN("B2: pfn %#lx and its buddy %#lx are both free blocks of order %u", pfn, other,
                  order);
}

/* Account for the block (or the single frame) at pfn; *next is where the following one starts. */
static const char *count_block(const struct buddy *buddy, pfn_t pfn, struct census *census,
                               pfn_t *next)
{
    const struct page *page = &buddy->pages[pfn];
    bool head = page->state == PAGE_FREE || page->state == PAGE_USED || page->state == PAGE_PCP;
    unsigned order = head ? page->order : 0;
    const char *broken = NULL;

    if (!block_fits(buddy, pfn, order))
        return BROKEN("B1: %s block at pfn %#lx is not aligned to its order %u",
                      page_state_name(page->state), pfn, order);
    *next = pfn + (1UL << order);
    switch (page->state) {
    case PAGE_UNMANAGED:
        break;
    case PAGE_PCP:
        census->pcp += 1UL << order;
        broken = check_tails(buddy, pfn, order, PAGE_USED_TAIL);
        break;
    case PAGE_FREE:
        census->heads[order]++;
        census->free += 1UL << order;
        broken = check_tails(buddy, pfn, order, PAGE_FREE_TAIL);
        if (!broken)
            broken = check_buddy(buddy, pfn, order);
        break;
    case PAGE_USED:
        census->used += 1UL << order;
        if (page->use < PAGE_USES)
            census->uses[page->use] += 1UL << order;
        broken = check_tails(buddy, pfn, order, PAGE_USED_TAIL);
        break;
    default:
        broken = BROKEN("B3: pfn %#lx is %s, but no block contains it", pfn,
                        page_state_name(page->state));
    }
    return broken;
}

static const char *take_census(const struct buddy *buddy, struct census *census)
{
    for (u32 i = 0; i < buddy->span_count; i++) {
        for (pfn_t pfn = buddy->spans[i].start, next; pfn < buddy->spans[i].end; pfn = next) {
            const char *broken = count_block(buddy, pfn, census, &next);
            if (broken)
                return broken;
        }
    }
    return NULL;
}

/* The array and the lists, the array and the counters: the same numbers. */
static const char *compare(const struct buddy *buddy, const struct census *census)
{
    u64 pcp = 0;

    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        if (census->heads[order] != buddy->areas[order].count)
            return BROKEN("B1: %lu free blocks of order %u exist, %lu are on its list",
                          census->heads[order], order, buddy->areas[order].count);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        pcp += buddy->cpu[cpu].count + buddy->cpu[cpu].block_pages;
    if (census->pcp != pcp)
        return BROKEN("B3: %lu per-CPU pages exist, the per-CPU lists count %lu", census->pcp, pcp);
    if (census->free != buddy->free)
        return BROKEN("B3: %lu pages are free, buddy %s counts %lu", census->free, buddy->name,
                      buddy->free);
    if (buddy->managed != census->free + census->pcp + census->used)
        return BROKEN("B3: managed %lu != free %lu + per-CPU %lu + used %lu", buddy->managed,
                      census->free, census->pcp, census->used);
    for (unsigned use = PAGE_USE_OTHER + 1; use < PAGE_USES; use++)
        if (census->uses[use] != buddy->use_pages[use])
            return BROKEN("B3: %lu pages serve as %s, the counter says %lu", census->uses[use],
                          page_use_name((enum page_use)use), buddy->use_pages[use]);
    return NULL;
}

const char *buddy_check(struct buddy *buddy)
{
    struct census census = {0};
    u64 flags = spin_lock_irqsave(&buddy->lock);
    const char *broken = check_lists(buddy);

    if (!broken)
        broken = take_census(buddy, &census);
    if (!broken)
        broken = compare(buddy, &census);
    spin_unlock_irqrestore(&buddy->lock, flags);
    return broken;
}
