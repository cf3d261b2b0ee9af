// SPDX-License-Identifier: MIT
/*
 * Many single pages at once, for vmalloc: one lock round per block instead of one per page, and the
 * largest blocks first, which costs the fewest splits and gives neighbouring frames. Same locks and
 * invariants as buddy.c.
 */
#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/string.h"
#include "mm/buddy_internal.h"

#define FREE_CHUNK 64 /* pages given back under one lock: bounds the time with interrupts off */

/* A block of which each page is on its own: USED, order 0, counted once. Also for tail pages. */
static void mark_singles(struct page *head, unsigned order, vaddr_t caller)
{
    for (u64 i = 0; i < 1UL << order; i++)
        buddy_mark_used(&head[i], 0, caller);
}

/* The largest block of at most 2^*order pages that this caller may have now; *order says which. It
 * stays a block for vmalloc, and for others each page stands alone. */
static struct page *take_largest(struct buddy *buddy, gfp_t gfp, unsigned *order, vaddr_t caller)
{
    struct page *page = NULL;
    u64 flags = spin_lock_irqsave(&buddy->lock);

    for (unsigned k = *order + 1; k-- > 0 && !page;) {
        if (buddy_above_reserve(buddy, gfp, k))
            page = buddy_take_block(buddy, k);
        *order = k;
    }
    if (page) {
        if (gfp & __GFP_VMALLOC)
            buddy_mark_block(page, *order, caller);
        else
            mark_singles(page, *order, caller);
        buddy->stats.allocs[0] += 1UL << *order;
    }
    spin_unlock_irqrestore(&buddy->lock, flags);
    return page;
}

/* Fault injection counts pages: the k-th page of this request is the one that cannot be had. */
static u64 pages_before_fault(gfp_t gfp, u64 n)
{
    if ((gfp & __GFP_NOFAULT) || likely(!fail_armed))
        return n;
    for (u64 i = 0; i < n; i++)
        if (should_fail(FAIL_PAGE))
            return i;
    return n;
}

/*
 * 1. A single page, or a small rest that must be single pages, from this CPU's list, refilled; else
 *    the largest block that fits into what is missing.
 * 2. When there is nothing: give this CPU's cached pages back and try once more, then be content.
 */
static u64 take_pages(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out, vaddr_t caller)
{
    bool few = n <= PCP_BATCH && buddy->use_pcp && !(gfp & __GFP_VMALLOC);
    bool drained = false;
    u64 done = 0;

    while (done < n) {
        unsigned order = (unsigned)min_u64(ilog2(n - done), MAX_ORDER);
        u64 got = 0;
        if (few || (order == 0 && buddy->use_pcp)) {
            got = buddy_pcp_alloc(buddy, gfp, n - done, out + done, caller);
        } else {
            struct page *head = take_largest(buddy, gfp, &order, caller);
            for (; head && got < 1UL << order; got++)
                out[done + got] = head + got;
        }
        done += got;
        if (got == 0 && drained)
            break;
        if (got == 0) {
            buddy_drain_this_cpu(buddy);
            drained = true;
        }
    }
    return done;
}

static __noinline u64 alloc_bulk_slow(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out,
                                      vaddr_t caller)
{
    u64 allowed = pages_before_fault(gfp, n);
    u64 done = take_pages(buddy, gfp, allowed, out, caller);

    for (u64 i = 0; i < done; i++) {
        if (out[i]->flags || (gfp & __GFP_ZERO))
            buddy_prepare_content(buddy, out[i], 0, gfp);
        if (gfp & __GFP_VMALLOC && out[i]->state == PAGE_USED)
            out[i]->use = PAGE_USE_VMALLOC;
    }
    if (done < n)
        buddy_failed(buddy, done < allowed ? gfp : gfp | __GFP_NOWARN, 0, caller);
    return done;
}

/* What waits on this CPU's list and needs no work first, whatever is missing then the long way. */
u64 buddy_alloc_bulk(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out, vaddr_t caller)
{
    u64 header = gfp & __GFP_VMALLOC ? HEADER_VMALLOC : HEADER_USED, done = 0;

    if (likely(buddy->use_pcp && !fail_armed))
        done = buddy_pcp_take(buddy, n, out, header, caller);
    if (unlikely(gfp & __GFP_ZERO))
        for (u64 i = 0; i < done; i++)
            memset(buddy_content(buddy, out[i]), 0, PAGE_SIZE);
    if (unlikely(done < n))
        done += alloc_bulk_slow(buddy, gfp, n - done, out + done, caller);
    if (gfp & __GFP_VMALLOC && done)
        __atomic_fetch_add(&buddy->use_pages[PAGE_USE_VMALLOC], done, __ATOMIC_RELAXED);
    return done;
}

/* Pages that came as one block often go as one block: the largest that starts with pages[0]. */
static unsigned block_order(const struct buddy *buddy, struct page *const *pages, u64 n)
{
    pfn_t pfn = buddy_pfn(buddy, pages[0]);
    unsigned order = 0;
    u64 run = 1;

    while (run < n && pages[run] == pages[0] + run)
        run++;
    while (order < MAX_ORDER && (2UL << order) <= run && is_aligned(pfn, 2UL << order))
        order++;
    return order;
}

/* A used block of which pages[] has all: its order; 0 for a single page, or to let the checks say no. */
static unsigned used_order(struct page *const *pages, u64 n)
{
    unsigned order = pages[0]->order;

    if (pages[0]->state != PAGE_USED || order > MAX_ORDER || 1UL << order > n)
        return 0;
    for (u64 i = 1; i < 1UL << order; i++)
        if (pages[i] != pages[0] + i)
            return 0;
    return order;
}

/*
 * The next pages, up to FREE_CHUNK single ones or one block, home or to this CPU; those that are
 * refused stay as they are. Returns how many have been dealt with.
 */
static u64 free_chunk(struct buddy *buddy, struct page **pages, u64 n, bool home, vaddr_t caller)
{
    struct page *accepted[FREE_CHUNK];
    u64 count = 0, done = 0;

    for (; done < n && done < FREE_CHUNK; done++) {
        unsigned order = buddy_is_page(buddy, pages[done]) ? used_order(pages + done, n - done) : 0;
        if (order && done)
            break;
        if (order) {
            if (buddy_begin_free(buddy, pages[0], order, caller))
                buddy_block_free(buddy, pages[0], order);
            return 1UL << order;
        }
        if (buddy_begin_free(buddy, pages[done], 0, caller))
            accepted[count++] = pages[done];
    }
    if (!home) {
        buddy_pcp_free(buddy, accepted, count);
        return done;
    }
    u64 flags = spin_lock_irqsave(&buddy->lock);
    for (u64 i = 0, order; i < count; i += 1UL << order) {
        order = block_order(buddy, accepted + i, count - i);
        buddy_put_block(buddy, accepted[i], (unsigned)order);
    }
    buddy->stats.frees[0] += count;
    spin_unlock_irqrestore(&buddy->lock, flags);
    return done;
}

/* Pages are likely to be wanted again soon and stay with this CPU; what finds no room goes home. */
void buddy_free_bulk(struct buddy *buddy, struct page **pages, u64 n, vaddr_t caller)
{
    u64 done = 0;

    if (likely(buddy->use_pcp && !buddy->poison))
        done = buddy_pcp_give(buddy, pages, n, caller);
    if (likely(done == n))
        return;
    bool home = n - done > PCP_BATCH || !buddy->use_pcp;
    while (done < n)
        done += free_chunk(buddy, pages + done, n - done, home, caller);
}

void buddy_split_allocated(struct buddy *buddy, struct page *page, unsigned order)
{
    ASSERT(page->state == PAGE_USED && page->order == order,
           "pfn %#lx is %s of order %u, not a used block of order %u", buddy_pfn(buddy, page),
           page_state_name(page->state), page->order, order);
    u64 flags = spin_lock_irqsave(&buddy->lock);
    u8 use = page->use;
    mark_singles(page, order, caller_unpack(page->alloc_caller));
    for (u64 i = 0; i < 1UL << order; i++)
        page[i].use = use;
    spin_unlock_irqrestore(&buddy->lock, flags);
}

void buddy_unblock(struct buddy *buddy, struct page *page)
{
    struct page *head = page->state == PAGE_USED_TAIL ? buddy_block_head(buddy, page) : NULL;

    if (head)
        buddy_split_allocated(buddy, head, head->order);
}
