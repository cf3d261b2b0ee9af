// SPDX-License-Identifier: MIT
/*
 * struct page by name and number: what a page serves, which block it is in, the words for its states;
 * and the kernel's own buddy under the names that students will meet in Linux.
 */
#include "mm/page.h"

#include "mm/buddy_internal.h"

struct buddy kernel_buddy;

const char *page_state_name(enum page_state state)
{
    static const char *const names[] = {
        [PAGE_UNMANAGED] = "unmanaged",
        [PAGE_FREE] = "free",
        [PAGE_FREE_TAIL] = "inside a free block",
        [PAGE_PCP] = "per-CPU",
        [PAGE_USED] = "used",
        [PAGE_USED_TAIL] = "inside a used block",
    };
    return (unsigned)state < ARRAY_SIZE(names) ? names[state] : "in no known state";
}

const char *page_use_name(enum page_use use)
{
    static const char *const names[PAGE_USES] = {
        [PAGE_USE_OTHER] = "other",      [PAGE_USE_TABLE] = "page table",
        [PAGE_USE_SLAB] = "slab",        [PAGE_USE_VMALLOC] = "vmalloc",
        [PAGE_USE_USER] = "user memory", [PAGE_USE_FILE] = "file in memory",
    };
    return (unsigned)use < PAGE_USES ? names[use] : "unknown use";
}

void page_set_use(struct buddy *buddy, struct page *page, enum page_use use)
{
    u64 pages = 1UL << page->order;

    ASSERT(page->state == PAGE_USED && use < PAGE_USES, "pfn %#lx is %s, use %u",
           buddy_pfn(buddy, page), page_state_name(page->state), use);
    if (page->use != PAGE_USE_OTHER)
        __atomic_fetch_sub(&buddy->use_pages[page->use], pages, __ATOMIC_RELAXED);
    if (use != PAGE_USE_OTHER)
        __atomic_fetch_add(&buddy->use_pages[use], pages, __ATOMIC_RELAXED);
    page->use = (u8)use;
}

u64 buddy_free_pages(const struct buddy *buddy)
{
    u64 pages = buddy->free;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        pages += buddy->cpu[cpu].count + buddy->cpu[cpu].block_pages;
    return pages;
}

u64 buddy_use_pages(const struct buddy *buddy, enum page_use use)
{
    if (use != PAGE_USE_OTHER)
        return buddy->use_pages[use];
    u64 rest = buddy->managed - buddy_free_pages(buddy);
    for (unsigned other = PAGE_USE_OTHER + 1; other < PAGE_USES; other++)
        rest -= buddy->use_pages[other];
    return rest;
}

struct buddy_stats buddy_stats_read(const struct buddy *buddy)
{
    struct buddy_stats stats = buddy->stats;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        stats.allocs[0] += buddy->cpu[cpu].hits + buddy->cpu[cpu].refills;
        stats.frees[0] += buddy->cpu[cpu].frees;
    }
    return stats;
}

/* A block of order k starts at a PFN with k low bits clear: clear one more bit at a time. */
struct page *buddy_block_head(const struct buddy *buddy, struct page *page)
{
    pfn_t pfn = buddy_pfn(buddy, page);

    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        pfn_t start = pfn & ~((1UL << order) - 1);
        if (start < buddy->start || !buddy_covers(buddy, start))
            return NULL;
        struct page *head = &buddy->pages[start];
        if (head->state == PAGE_USED)
            return head->order >= order ? head : NULL;
        if (head->state != PAGE_USED_TAIL)
            return NULL;
    }
    return NULL;
}

__fused struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    return buddy_alloc(&kernel_buddy, gfp, order, CALLER());
}

__fused void free_pages(struct page *page, unsigned order)
{
    if (page)
        buddy_free(&kernel_buddy, page, order, CALLER());
}

u64 alloc_pages_bulk(gfp_t gfp, u64 n, struct page **out)
{
    return buddy_alloc_bulk(&kernel_buddy, gfp, n, out, CALLER());
}

void *get_free_page(gfp_t gfp)
{
    struct page *page = buddy_alloc(&kernel_buddy, gfp, 0, CALLER());
    return page ? page_address(page) : NULL;
}

void free_page(void *content)
{
    if (content)
        buddy_free(&kernel_buddy, virt_to_page(content), 0, CALLER());
}
