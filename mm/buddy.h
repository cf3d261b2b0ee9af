// SPDX-License-Identifier: MIT
/*
 * The page allocator: a binary buddy with orders 0..10 (4 KiB .. 4 MiB) and per-CPU lists of order-0
 * pages in front. A struct buddy is an instance: the kernel has one, tests make as many as they like
 * over their own page arrays.
 *
 *   front   per-CPU list, LIFO, refilled and drained in batches
 *   block   2^order pages, aligned to their size
 *   buddy   the block whose PFN differs in bit `order` only: pfn ^ (1 << order)
 *
 * Lock: buddy->lock (irqsave) guards the free lists; the per-CPU lists are guarded by interrupts
 * being off on their CPU. Invariants B1, B2, B3. Reference: Knuth, TAOCP 1, 2.5; LINEAGE section 5.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "lib/types.h"
#include "mm/page.h"
#include "mm/port.h"

#define MAX_ORDER 10
#define BUDDY_ORDERS (MAX_ORDER + 1)
#define PCP_BATCH 31  /* pages that a refill brings and a drain takes */
#define PCP_HIGH 512u /* at most this many wait on the list of a CPU; see pcp_high */
#define PCP_ORDER 6u  /* the largest blocks that wait on lists of a CPU; as many pages again */

/* Allocation flags: the names students will meet in Linux. */
typedef u32 gfp_t;
#define GFP_KERNEL 0x0u
#define GFP_ATOMIC 0x1u     /* may dip into the reserve; never waits (nothing here does, yet) */
#define __GFP_ZERO 0x2u     /* content zeroed */
#define __GFP_NOWARN 0x4u   /* failure is expected: no warning */
#define __GFP_VMALLOC 0x10u /* buddy_alloc_bulk(): born as PAGE_USE_VMALLOC, and in blocks */
#define __GFP_NOFAULT 0x8u  /* not subject to fault injection (tests' own bookkeeping) */

struct buddy_area {
    struct list_head blocks; /* struct page.link of free heads */
    u64 count;
};

struct buddy_cpu {
    struct list_head pages; /* PAGE_PCP pages, most recently freed first */
    u32 count;
    u32 block_pages; /* pages in all of blocks[] */
    struct list_head
        blocks[PCP_ORDER + 1]; /* the same for blocks of orders 1.. that vmalloc uses */
    u64 hits, refills, drains; /* pages that were waiting / came after a refill; drains: times */
    u64 frees;                 /* pages put onto the list by buddy_free() */
} __aligned(64);

/*
 * Frames whose struct page may be read: what buddy_add_range() and buddy_cover() were given, rounded outward to whole
 * pages of struct page (BUDDY_SPAN_FRAMES), because that is how a sparse page array is backed.
 */
struct buddy_span {
    pfn_t start, end;
};
#define BUDDY_SPAN_FRAMES (PAGE_SIZE / sizeof(struct page))
#define BUDDY_MAX_SPANS 128

struct buddy_stats {
    u64 allocs[BUDDY_ORDERS], frees[BUDDY_ORDERS], splits, merges, failures;
};

struct buddy {
    const char *name;
    struct page *pages; /* pages[pfn] (an offset array: the kernel's is VMEMMAP_BASE) */
    pfn_t start, end;   /* every managed PFN lies in [start, end) */
    struct spinlock lock;
    struct buddy_area areas[BUDDY_ORDERS];
    u64 managed;          /* pages given by buddy_add_range() */
    u64 free;             /* pages in areas[] (not the per-CPU ones) */
    u64 reserve;          /* order-0 pages that only GFP_ATOMIC may take */
    u32 pcp_high;         /* PCP_HIGH, or where memory is small 1/64 of it, at least 3 batches */
    bool use_pcp, poison; /* poison: fill on free, verify on allocation (`page_poison=`) */
    u64 use_pages[PAGE_USES]; /* kept by page_set_use(); [OTHER]: buddy_use_pages() */
    struct buddy_span spans[BUDDY_MAX_SPANS]; /* ascending, never touching */
    u32 span_count;
    pfn_t main_start, main_frames; /* the largest span: most questions end here */
    struct buddy_cpu cpu[MAX_CPUS];
    struct buddy_stats stats;
};

extern struct buddy kernel_buddy;

/* An empty instance. `pages` covers [start, end) as pages[pfn]; its structs must be zeroed. */
void buddy_init(struct buddy *buddy, const char *name, struct page *pages, pfn_t start, pfn_t end);

/*
 * Give [start, end) to the allocator, in blocks as large as alignment allows; ascending ranges share
 * a span with the last one where they can. With the table of spans full the range stays unmanaged
 * and a warning says so. Boot, or tests.
 */
void buddy_add_range(struct buddy *buddy, pfn_t start, pfn_t end);

/*
 * Frames that have a struct page without being managed (the kernel image, say): they may be looked at.
 * RAM that is one piece then is one span, which makes "is it one of ours?" a single comparison. Boot.
 */
void buddy_cover(struct buddy *buddy, pfn_t start, pfn_t end);

/*
 * 2^order contiguous pages aligned to their size, or NULL (order > MAX_ORDER, no memory, or an
 * armed FAIL_PAGE). Head has state USED, refcount 1. Any context. caller: recorded for reports.
 */
struct page *buddy_alloc(struct buddy *buddy, gfp_t gfp, unsigned order, vaddr_t caller);

/*
 * Give a block back. A wrong order, a tail page, a free or unmanaged page is refused with a report
 * that names the PFN, its state, who allocated and who freed it; nothing changes then. Any context.
 */
void buddy_free(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller);

/* One page that is born serving `use` (not OTHER, not SLAB), and its way back: as alloc, page_set_use() and free, but
 * on the fast path. A page that says that it serves something else is freed all the same. */
struct page *buddy_alloc_for(struct buddy *buddy, gfp_t gfp, enum page_use use, vaddr_t caller);
void buddy_free_from(struct buddy *buddy, struct page *page, enum page_use use, vaddr_t caller);

/*
 * Up to n pages into out[]; returns how many (0..n: partial results are possible and are the caller's
 * to free). Takes the largest blocks first, one lock round per block, and splits them into order-0
 * pages; with __GFP_VMALLOC they stay blocks, head and tails one after the other in out[], which costs
 * next to nothing per page, and come back in the same order: buddy_unblock() before only a part does.
 */
u64 buddy_alloc_bulk(struct buddy *buddy, gfp_t gfp, u64 n, struct page **out, vaddr_t caller);
void buddy_free_bulk(struct buddy *buddy, struct page **pages, u64 n, vaddr_t caller);

/* If this page is inside a used block, not its head: split it, so that each page is on its own. */
void buddy_unblock(struct buddy *buddy, struct page *page);

/* Turn an allocated block of order k into 2^k independent order-0 pages. */
void buddy_split_allocated(struct buddy *buddy, struct page *page, unsigned order);

/* Tag what a used block serves; keeps buddy->use_pages exact. */
void page_set_use(struct buddy *buddy, struct page *page, enum page_use use);

/* Return every per-CPU page to the free lists (this CPU's and those of parked CPUs). An allocation
 * that finds nothing does the same for its own CPU and tries once more before it fails. */
void buddy_drain(struct buddy *buddy);

/* Does `pfn` lie where this buddy manages memory, so that pages[pfn] may be read? Any context. */
bool buddy_covers_slow(const struct buddy *buddy, pfn_t pfn);
static inline bool buddy_covers(const struct buddy *buddy, pfn_t pfn)
{
    return likely(pfn - buddy->main_start < buddy->main_frames) || buddy_covers_slow(buddy, pfn);
}

/* Head of the used block that contains `page` (itself for order 0), or NULL when it is not used. */
struct page *buddy_block_head(const struct buddy *buddy, struct page *page);

/* Used pages that serve `use`, PAGE_USE_OTHER included. / All counters, per-CPU ones added in. */
u64 buddy_use_pages(const struct buddy *buddy, enum page_use use);
struct buddy_stats buddy_stats_read(const struct buddy *buddy);

/* Free pages, per-CPU ones included. */
u64 buddy_free_pages(const struct buddy *buddy);

/* NULL, or the first broken invariant as a sentence with its number (B1, B2, B3) in a static buffer. */
const char *buddy_check(struct buddy *buddy);

/* "free", "used", "per-CPU" ... */
const char *page_state_name(enum page_state state);
const char *page_use_name(enum page_use use);

#define PAGE_POISON 0xaa

/* The kernel's own buddy, under the names that Linux gives them. */
struct page *alloc_pages(gfp_t gfp, unsigned order);
void free_pages(struct page *page, unsigned order); /* NULL is allowed */
u64 alloc_pages_bulk(gfp_t gfp, u64 n, struct page **out);
/* One page's content through the direct map, or NULL. */
void *get_free_page(gfp_t gfp);
void free_page(void *content);

#endif
