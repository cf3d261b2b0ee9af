// SPDX-License-Identifier: MIT
/*
 * buddy_alloc() and buddy_free(): what callers meet first. Single pages pass through a short list of
 * this CPU, which needs no lock, only interrupts off, and hands out the page that was freed last; it
 * is refilled and drained in batches. Everything else goes to the blocks of buddy.c. Part of B3: pages
 * on these lists are neither free nor used, and are counted. Read next: buddy_debug.c.
 */
#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/string.h"
#include "mm/buddy_internal.h"

#define PAGE_STRUCT_SHIFT 5
_Static_assert(sizeof(struct page) == 1 << PAGE_STRUCT_SHIFT, "the fast path divides by shifting");

/* ---- this CPU's list --------------------------------------------------------------------------- */

/* The order to take next: what page by page would come to as well, the smallest free block in address order, but at
 * once: a fifth of the instructions. No more than is wanted, and nothing of the reserve. */
static unsigned refill_order(const struct buddy *buddy, gfp_t gfp, u32 wanted)
{
    unsigned order = 0;

    while (order < MAX_ORDER && list_empty(&buddy->areas[order].blocks))
        order++;
    order = (unsigned)min_u64(order, ilog2(wanted));
    while (order > 0 && !buddy_above_reserve(buddy, GFP_KERNEL, order))
        order--;
    return buddy_above_reserve(buddy, order ? GFP_KERNEL : gfp, order) ? order : BUDDY_ORDERS;
}

/* Up to one batch into an empty list; below the reserve just the one page that ATOMIC asks for, so
 * that no page of the reserve waits where everybody may take it. */
static void refill(struct buddy *buddy, struct buddy_cpu *cpu, gfp_t gfp)
{
    spin_lock(&buddy->lock);
    do {
        unsigned order = refill_order(buddy, gfp, PCP_BATCH - cpu->count);
        struct page *page = order < BUDDY_ORDERS ? buddy_take_block(buddy, order) : NULL;
        if (!page)
            break;
        for (struct page *end = page + (1UL << order); page < end; page++) {
            page->header = PAGE_HEADER(PAGE_PCP, page->flags, 0);
            list_add_tail(&page->link, &cpu->pages);
            cpu->count++;
        }
    } while (cpu->count < PCP_BATCH && buddy_above_reserve(buddy, GFP_KERNEL, 0));
    EVENT(buddy, PCP_REFILL, cpu->count);
    spin_unlock(&buddy->lock);
}

/* The `n` pages that have not been used for the longest time go back. Interrupts off. */
static void drain_pages(struct buddy *buddy, struct buddy_cpu *cpu, u32 n)
{
    EVENT(buddy, PCP_DRAIN, min_u64(n, cpu->count));
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

/* Everything that waits here goes back, blocks too. Interrupts off. */
static void drain_all(struct buddy *buddy, struct buddy_cpu *cpu)
{
    if (cpu->count)
        drain_pages(buddy, cpu, cpu->count);
    if (cpu->block_pages)
        EVENT(buddy, PCP_DRAIN, cpu->block_pages);
    spin_lock(&buddy->lock);
    for (unsigned order = 1; order <= PCP_ORDER; order++) {
        while (!list_empty(&cpu->blocks[order])) {
            struct page *page = list_entry(cpu->blocks[order].next, struct page, link);
            list_del(&page->link);
            buddy_put_block(buddy, page, order);
        }
    }
    cpu->block_pages = 0;
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
    if (done)
        EVENT(buddy, PAGES_TAKE, done, buddy_pfn(buddy, out[0]));
    irq_restore(flags);
    return done;
}

void buddy_pcp_free(struct buddy *buddy, struct page *const *pages, u64 n)
{
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];

    if (n)
        EVENT(buddy, PAGES_GIVE, n, buddy_pfn(buddy, pages[n - 1]));
    for (u64 i = 0; i < n; i++) {
        pages[i]->state = PAGE_PCP;
        list_add(&pages[i]->link, &cpu->pages);
    }
    cpu->frees += n;
    cpu->count += (u32)n;
    while (cpu->count > buddy->pcp_high)
        drain_pages(buddy, cpu, PCP_BATCH);
    irq_restore(flags);
}

/*
 * The two fast paths below are the same two functions when all goes well, in some forty instructions
 * each: one page, no special wishes, content that needs no work. They look at everything first, so
 * that "no" leaves no trace and the slow path starts from the beginning.
 */

/* The page that was freed last: its content may still be in a cache. NULL: not that simple. `header`
 * says what it is to be. */
static inline struct page *pcp_alloc_fast(struct buddy *buddy, u64 header, vaddr_t caller)
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
        page->header = header;
        page->alloc_caller = caller_pack(caller);
        EVENT(buddy, PAGES_TAKE, 1, buddy_pfn(buddy, page));
    } else {
        page = NULL;
    }
    irq_restore(flags);
    return page;
}

/* Is it one of ours? Divided by rotating: the remainder, which must be 0, lands on top and makes the PFN
 * absurd. */
static inline bool is_main_page(const struct buddy *buddy, const struct page *page)
{
    u64 offset = (u64)page - (u64)buddy->pages;
    pfn_t pfn = offset >> PAGE_STRUCT_SHIFT | offset << (64 - PAGE_STRUCT_SHIFT);
    return pfn - buddy->main_start < buddy->main_frames;
}

/* The way back of a page that says it is what `header` says. False: not that simple, nothing done. */
static inline bool pcp_free_fast(struct buddy *buddy, struct page *page, u64 header, vaddr_t caller)
{
    if (unlikely(!is_main_page(buddy, page) && !buddy_is_page(buddy, page)) ||
        page->header != header)
        return false;

    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    bool room = cpu->count < buddy->pcp_high;
    if (likely(room)) {
        page->header = HEADER_PCP;
        page->free_caller = caller_pack(caller);
        list_add(&page->link, &cpu->pages);
        cpu->count++;
        cpu->frees++;
        EVENT(buddy, PAGES_GIVE, 1, buddy_pfn(buddy, page));
    }
    irq_restore(flags);
    return room;
}

/* The chain is cut once, behind the last page that was taken: 9 instructions a page. */
static inline u64 take_pages(struct buddy_cpu *cpu, u64 n, struct page **out, u64 header,
                             u32 packed)
{
    struct list_head *link = cpu->pages.next;
    u64 done = 0;

    for (n = min_u64(n, cpu->count); done < n; done++) {
        struct page *page = list_entry(link, struct page, link);
        if (unlikely(page->header != HEADER_PCP))
            break;
        link = link->next;
        page->header = header;
        page->alloc_caller = packed;
        out[done] = page;
    }
    if (done) {
        ASSERT(link->prev == &out[done - 1]->link, "per-CPU list corrupted at %p", (void *)link);
        cpu->pages.next = link;
        link->prev = &cpu->pages;
        cpu->count -= (u32)done;
    }
    return done;
}

/* The block that was freed last; its tails are marked as they were: 3 instructions a page. 0 or 2^order. */
static inline u64 take_block(struct buddy_cpu *cpu, unsigned order, struct page **out, u64 header,
                             u32 packed)
{
    struct list_head *list = &cpu->blocks[order];
    struct page *head = list_entry(list->next, struct page, link);
    u64 n = 1UL << order;

    if (list_empty(list) || head->header != (HEADER_PCP | HEADER_ORDER(order)))
        return 0;
    list_del(&head->link);
    cpu->block_pages -= (u32)n;
    head->header = header | HEADER_ORDER(order);
    head->alloc_caller = packed;
    for (u64 i = 0; i < n; i += 2) {
        out[i] = head + i;
        out[i + 1] = head + i + 1;
    }
    return n;
}

/* Blocks as large as fit into what is missing, then single pages. */
static inline u64 take_blocks(struct buddy_cpu *cpu, u64 n, struct page **out, u64 header,
                              u32 packed)
{
    u64 done = 0, got;

    do {
        unsigned order = (unsigned)min_u64(ilog2(n - done), PCP_ORDER);
        got = order ? take_block(cpu, order, out + done, header, packed)
                    : take_pages(cpu, 1, out + done, header, packed);
        done += got;
    } while (done < n && got);
    return done;
}

u64 buddy_pcp_take(struct buddy *buddy, u64 n, struct page **out, u64 header, vaddr_t caller)
{
    if (n == 1) /* -35 instructions */
        return (out[0] = pcp_alloc_fast(buddy, header, caller)) != NULL;

    u64 done, flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    u32 packed = caller_pack(caller);

    if (header != HEADER_VMALLOC)
        done = take_pages(cpu, n, out, header, packed);
    else
        done = take_blocks(cpu, n, out, header, packed);
    cpu->hits += done;
    if (done)
        EVENT(buddy, PAGES_TAKE, done, buddy_pfn(buddy, out[0]));
    irq_restore(flags);
    return done;
}

/* Single pages, as far as they go. 15 instructions each. */
static inline u64 give_pages(struct buddy *buddy, struct buddy_cpu *cpu, struct page *const *pages,
                             u64 n, u32 packed, u64 *plain)
{
    struct list_head *front = cpu->pages.next;
    u64 done = 0;

    for (n = min_u64(n, buddy->pcp_high - min_u64(cpu->count, buddy->pcp_high)); done < n; done++) {
        struct page *page = pages[done];
        if (unlikely(!is_main_page(buddy, page) && !buddy_is_page(buddy, page)))
            break;
        if (unlikely(page->header != HEADER_VMALLOC)) {
            if (page->header != HEADER_USED)
                break;
            ++*plain;
        }
        page->header = HEADER_PCP;
        page->free_caller = packed;
        page->link.next = front;
        front->prev = &page->link;
        front = &page->link;
    }
    cpu->pages.next = front;
    front->prev = &cpu->pages;
    cpu->count += (u32)done;
    return done;
}

/* The block that begins with pages[0], if all of it is there: 2^order, or 0. */
static inline u64 give_block(struct buddy *buddy, struct buddy_cpu *cpu, struct page *const *pages,
                             u64 n, u32 packed)
{
    struct page *head = pages[0];

    if (unlikely(!is_main_page(buddy, head) && !buddy_is_page(buddy, head)))
        return 0;
    unsigned order = head->order;
    u64 size = 1UL << (order & 63);
    if (unlikely(order == 0 || order > PCP_ORDER || size > n ||
                 pages[size - 1] != head + size - 1 ||
                 head->header != (HEADER_VMALLOC | HEADER_ORDER(order)) ||
                 cpu->block_pages + size > buddy->pcp_high))
        return 0;
    head->header = HEADER_PCP | HEADER_ORDER(order);
    head->free_caller = packed;
    list_add(&head->link, &cpu->blocks[order]);
    cpu->block_pages += (u32)size;
    return size;
}

/*
 * Verify, mark and chain in one pass, the last one in front as if they had been freed one by one. A page
 * that comes twice in the array carries the mark already the second time.
 */
u64 buddy_pcp_give(struct buddy *buddy, struct page *const *pages, u64 n, vaddr_t caller)
{
    if (n == 1 &&
        likely(pcp_free_fast(buddy, pages[0], HEADER_VMALLOC, caller))) { /* -60 instructions */
        __atomic_fetch_sub(&buddy->use_pages[PAGE_USE_VMALLOC], 1, __ATOMIC_RELAXED);
        return 1;
    }

    u32 packed = caller_pack(caller);
    u64 done = 0, plain = 0, got, flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];

    do {
        got = n - done > 1 ? give_block(buddy, cpu, pages + done, n - done, packed) : 0;
        if (!got)
            got = give_pages(buddy, cpu, pages + done, n - done, packed, &plain);
        done += got;
    } while (unlikely(done < n) && got);
    cpu->frees += done;
    if (done)
        EVENT(buddy, PAGES_GIVE, done, buddy_pfn(buddy, pages[done - 1]));
    irq_restore(flags);
    if (done > plain)
        __atomic_fetch_sub(&buddy->use_pages[PAGE_USE_VMALLOC], done - plain, __ATOMIC_RELAXED);
    return done;
}

void buddy_drain_this_cpu(struct buddy *buddy)
{
    u64 flags = irq_save();
    struct buddy_cpu *cpu = &buddy->cpu[cpu_id()];
    drain_all(buddy, cpu);
    irq_restore(flags);
}

void buddy_drain(struct buddy *buddy)
{
    u64 flags = irq_save();
    for (unsigned i = 0; i < MAX_CPUS; i++)
        if (buddy->cpu[i].count || buddy->cpu[i].block_pages)
            drain_all(buddy, &buddy->cpu[i]);
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
    if (likely(order == 0 && buddy->use_pcp && !fail_armed)) {
        struct page *page = pcp_alloc_fast(buddy, HEADER_USED, caller);
        if (page && (gfp & __GFP_ZERO))
            memset(buddy_content(buddy, page), 0, PAGE_SIZE);
        if (likely(page))
            return page;
    }
    return alloc_slow(buddy, gfp, order, caller);
}

struct page *buddy_alloc_for(struct buddy *buddy, gfp_t gfp, enum page_use use, vaddr_t caller)
{
    struct page *page = NULL;

    if (likely(buddy->use_pcp && !fail_armed))
        page = pcp_alloc_fast(buddy, HEADER_USE(use), caller);
    if (likely(page)) {
        __atomic_fetch_add(&buddy->use_pages[use], 1, __ATOMIC_RELAXED);
        if (gfp & __GFP_ZERO)
            memset(buddy_content(buddy, page), 0, PAGE_SIZE);
        return page;
    }
    page = alloc_slow(buddy, gfp, 0, caller);
    if (page)
        page_set_use(buddy, page, use);
    return page;
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

void buddy_free_from(struct buddy *buddy, struct page *page, enum page_use use, vaddr_t caller)
{
    if (likely(buddy->use_pcp && !buddy->poison) &&
        likely(pcp_free_fast(buddy, page, HEADER_USE(use), caller)))
        __atomic_fetch_sub(&buddy->use_pages[use], 1, __ATOMIC_RELAXED);
    else
        free_slow(buddy, page, 0, caller);
}

void buddy_free(struct buddy *buddy, struct page *page, unsigned order, vaddr_t caller)
{
    if (likely(order == 0 && buddy->use_pcp && !buddy->poison) &&
        likely(pcp_free_fast(buddy, page, HEADER_USED, caller)))
        return;
    free_slow(buddy, page, order, caller);
}
