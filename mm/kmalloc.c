// SPDX-License-Identifier: MIT
/*
 * Allocations by size: nine caches from 8 to 2048 bytes, anything larger is a buddy block of its own.
 * kfree() gets nothing but an address, so the page behind it must say what it is: the head page of a
 * slab names its cache, the head page of a large block carries PAGE_FLAG_KMALLOC. No lock of its own.
 */
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/slab_internal.h"

#define SMALLEST 8u
#define LARGEST 2048u

static const char *const cache_names[] = {
    "kmalloc-8",   "kmalloc-16",  "kmalloc-32",   "kmalloc-64",   "kmalloc-128",
    "kmalloc-256", "kmalloc-512", "kmalloc-1024", "kmalloc-2048",
};

static struct kmem_cache caches[ARRAY_SIZE(cache_names)];
static struct buddy *pages; /* NULL until slab_init() */

/* A second call starts over on another buddy (host tests: one world after the other). */
void slab_init(struct buddy *buddy)
{
    for (unsigned i = 0; i < ARRAY_SIZE(caches); i++) {
        if (pages)
            list_del(&caches[i].link);
        int err = kmem_cache_init(&caches[i], cache_names[i], SMALLEST << i, 0, buddy);
        ASSERT(err == 0, "cache %s: error %d", cache_names[i], err);
    }
    pages = buddy;
}

static struct kmem_cache *cache_for(u64 size)
{
    return &caches[size <= SMALLEST ? 0 : fls(size - 1) - 3];
}

static void *large_alloc(u64 size, gfp_t gfp, vaddr_t caller)
{
    if (size > PAGE_SIZE << MAX_ORDER)
        return NULL;
    struct page *head = buddy_alloc(pages, gfp, order_for_pages(bytes_to_pages(size)), caller);
    if (!head)
        return NULL;
    head->flags |= PAGE_FLAG_KMALLOC;
    return phys_to_virt((pfn_t)(head - pages->pages) << PAGE_SHIFT);
}

__fused void *kmalloc(u64 size, gfp_t gfp)
{
    ASSERT(pages, "kmalloc(%lu) before slab_init()", size);
    if (size == 0)
        return NULL;
    if (size > LARGEST)
        return large_alloc(size, gfp, CALLER());
    return kmem_cache_alloc(cache_for(size), gfp);
}

void *kzalloc(u64 size, gfp_t gfp)
{
    return kmalloc(size, gfp | __GFP_ZERO);
}

/* Head page of the used block that an address lies in; NULL for what is not memory of ours. */
static struct page *head_of(const void *object)
{
    pfn_t pfn = virt_to_phys(object) >> PAGE_SHIFT;

    if (!pages || !buddy_covers(pages, pfn))
        return NULL;
    struct page *page = &pages->pages[pfn];
    return likely(page->state == PAGE_USED) ? page : buddy_block_head(pages, page);
}

/* What kmalloc() gave as a whole block, and this is where it starts. */
static bool is_large_start(const struct page *head, const void *object)
{
    return (head->flags & PAGE_FLAG_KMALLOC) &&
           virt_to_phys(object) == (paddr_t)(head - pages->pages) << PAGE_SHIFT;
}

/* Why nothing can be freed here. A page that is free already is a double free: the buddy knows more. */
static __noinline void refuse(const struct page *head, const void *object, vaddr_t caller)
{
    pfn_t pfn = virt_to_phys(object) >> PAGE_SHIFT;

    if (head && (head->flags & PAGE_FLAG_KMALLOC))
        port_report("kfree of %p by %pS: not the start of the block that kmalloc() gave", object,
                    (void *)caller);
    else if (!head && pages && buddy_covers(pages, pfn))
        buddy_free(pages, &pages->pages[pfn], 0, caller);
    else
        port_report("kfree of %p by %pS: kmalloc() did not give this", object, (void *)caller);
}

__fused void kfree(const void *object)
{
    if (!object)
        return;
    struct page *head = head_of(object);
    if (likely(head && head->use == PAGE_USE_SLAB))
        slab_free_object(head->owner, head, (void *)object, CALLER());
    else if (head && is_large_start(head, object))
        buddy_free(pages, head, head->order, CALLER());
    else
        refuse(head, object, CALLER());
}

u64 ksize(const void *object)
{
    struct page *head = object ? head_of(object) : NULL;

    if (!head)
        return 0;
    if (head->use == PAGE_USE_SLAB)
        return ((const struct kmem_cache *)head->owner)->size;
    return is_large_start(head, object) ? PAGE_SIZE << head->order : 0;
}
