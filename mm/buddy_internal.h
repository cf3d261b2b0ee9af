// SPDX-License-Identifier: MIT
/*
 * Shared by buddy.c (blocks), buddy_pcp.c (single pages), buddy_bulk.c (many pages at a time) and buddy_debug.c (what
 * is refused and why). "Locked" in a comment means: buddy->lock held. Not for anybody else.
 */
#ifndef MM_BUDDY_INTERNAL_H
#define MM_BUDDY_INTERNAL_H

#include "mm/buddy.h"

/* Private page arrays do not start at VMEMMAP_BASE: never page_to_pfn() in here. */
static inline pfn_t buddy_pfn(const struct buddy *buddy, const struct page *page)
{
    return (pfn_t)(page - buddy->pages);
}

static inline void *buddy_content(const struct buddy *buddy, const struct page *page)
{
    return phys_to_virt(buddy_pfn(buddy, page) << PAGE_SHIFT);
}

/* A free block of exactly 2^order pages off the lists, larger ones split; NULL. Locked. */
struct page *buddy_take_block(struct buddy *buddy, unsigned order);

/* A block that no list and no caller holds goes to the lists, merged with its buddies. Locked. */
void buddy_put_block(struct buddy *buddy, struct page *page, unsigned order);

/* Head and tails are used now. Whoever took the block from the lists. */
void buddy_mark_block(struct page *head, unsigned order, vaddr_t caller);

/* The same under the lock, with all tails marked; NULL when nothing is left above the reserve. */
struct page *buddy_block_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller);
void buddy_block_free(struct buddy *buddy, struct page *page, unsigned order);

/* May this caller take 2^order pages, or would that touch the reserve? Locked. */
static inline bool buddy_above_reserve(const struct buddy *buddy, gfp_t gfp, unsigned order)
{
    return (gfp & GFP_ATOMIC) || buddy->free >= buddy->reserve + (1UL << order);
}

/* Up to n single pages from this CPU's list, refilled once when it runs dry, state USED; how many. */
u64 buddy_pcp_alloc(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out, vaddr_t caller);

/*
 * The same for pages whose content needs no work, without a refill, and back again. Both stop at the
 * first page that is not so simple, or when the list is empty or full, and return how many they did:
 * the rest is for the slow path. Simple: poison off; for a free also a used single page with one user,
 * of PAGE_USE_VMALLOC (whose count is kept) or of no use, or all pages of such a block in a row. With
 * HEADER_VMALLOC pages come in blocks as far as blocks wait here.
 */
u64 buddy_pcp_take(struct buddy *buddy, u64 n, struct page **out, u64 header, vaddr_t caller);
u64 buddy_pcp_give(struct buddy *buddy, struct page *const *pages, u64 n, vaddr_t caller);

/* Second half of a free: pages that buddy_begin_free() has accepted go onto this CPU's list. */
void buddy_pcp_free(struct buddy *buddy, struct page *const *pages, u64 n);
void buddy_drain_this_cpu(struct buddy *buddy);

/* A single page as most of them are while used / while on a per-CPU list. */
#define HEADER_USED PAGE_HEADER(PAGE_USED, 0, 1)
#define HEADER_PCP PAGE_HEADER(PAGE_PCP, 0, 0)
#define HEADER_USE(use) (HEADER_USED | (u64)(use) << 16)
#define HEADER_VMALLOC HEADER_USE(PAGE_USE_VMALLOC)
#define HEADER_ORDER(order) ((u64)(order) << 8) /* ... of a block: this added */

/* PAGE_FLAG_POISONED stays until the content has been verified. */
static inline void buddy_mark_used(struct page *page, unsigned order, vaddr_t caller)
{
    page->header = PAGE_HEADER(PAGE_USED, page->flags, 1) | (u64)order << 8;
    page->alloc_caller = caller_pack(caller);
}

/* `page` need not point at a struct page at all: is it one of ours? */
static inline bool buddy_is_page(const struct buddy *buddy, const struct page *page)
{
    u64 offset = (u64)page - (u64)buddy->pages;
    return offset % sizeof(struct page) == 0 && buddy_covers(buddy, offset / sizeof(struct page));
}

/* Content of a block that is about to be handed out: poison verified, zeroed when asked for. */
void buddy_prepare_content(struct buddy *buddy, struct page *page, unsigned order, gfp_t gfp);

/* Count a failed allocation, and say so unless the caller expects it. */
void buddy_failed(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller);

/*
 * First half of every free: verify that the caller may free this, or report and refuse; untag it,
 * poison it. Afterwards refcount is 0, so that a second free of the same page is noticed even before
 * the page has reached a list.
 */
bool buddy_begin_free_slow(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller);

static inline bool buddy_begin_free(struct buddy *buddy, struct page *page, unsigned order,
                                    vaddr_t caller)
{
    if (unlikely(order != 0 || buddy->poison || !buddy_is_page(buddy, page) ||
                 page->header != HEADER_USED))
        return buddy_begin_free_slow(buddy, page, order, caller);
    page->header = PAGE_HEADER(PAGE_USED, 0, 0);
    page->free_caller = caller_pack(caller);
    return true;
}

/* Explain why a free was refused. */
void buddy_report_bad_free(const struct buddy *buddy, const struct page *page, unsigned order,
                           vaddr_t caller);

#endif
