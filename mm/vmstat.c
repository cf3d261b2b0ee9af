// SPDX-License-Identifier: MIT
/*
 * One sample: every counter of the buddy, the slab, the page tables and vmalloc, and the ranges of the vmalloc region, put
 * into the next slot of the ring. It owns the ring. The ring itself is an area of
 * vmalloc_user(): it shows up in the pictures that it carries. Read next: mm/pagestore.h.
 */
#include "mm/vmstat.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "mm/vmalloc_internal.h"
#include "mm/vmstat_wire.h"

_Static_assert(VMSTAT_ORDERS == BUDDY_ORDERS, "a row for each order");
_Static_assert((int)VMSTAT_LAZY == (int)VMAP_LAZY && (int)VMSTAT_CACHED == (int)VMAP_CACHED,
               "the same numbers");

static struct vmstat_ring *ring; /* NULL: nobody wants it */
static struct pagestore *store;  /* its pages, to be mapped */

/* The last opening and the last mapping are gone. */
static void drop_ring(void)
{
    vfree(ring);
    ring = NULL;
    store = NULL;
}

static int make_ring(void)
{
    ring = vmalloc_user(sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    store = pagestore_of_vmalloc(ring);
    if (!store) {
        vfree(ring);
        ring = NULL;
        return -ENOMEM;
    }
    pagestore_on_end(store, drop_ring);
    ring->magic = VMSTAT_MAGIC;
    ring->samples = VMSTAT_SAMPLES;
    ring->sample_size = sizeof(ring->sample[0]);
    ring->space_start = kernel_vmalloc.space.start;
    ring->space_end = kernel_vmalloc.space.end;
    return 0;
}

static bool add_range(void *ctx, const struct vmap_area *area)
{
    struct vmstat_sample *sample = ctx;

    if (sample->ranges == VMSTAT_RANGES) {
        sample->ranges_dropped++;
        return true;
    }
    struct vmstat_range *range = &sample->range[sample->ranges++];
    *range = (struct vmstat_range){area->va_start, area->va_end, area->kind, 0};
    if (area->kind == VMAP_BUSY && area->vm)
        range->pages = (u32)area->vm->nr_pages;
    return true;
}

static void add_cache(struct kmem_cache *cache, void *ctx)
{
    struct vmstat_sample *sample = ctx;

    if (sample->caches == VMSTAT_CACHES)
        return;
    struct vmstat_cache *entry = &sample->cache[sample->caches++];
    string_copy(entry->name, sizeof(entry->name), cache->name);
    entry->size = cache->size;
    entry->objects = (u32)kmem_cache_in_use(cache);
    entry->slabs = (u32)cache->slabs;
    entry->pages = (u32)(cache->slabs << cache->order);
}

static void take_pages(struct vmstat_sample *sample)
{
    struct buddy_stats stats = buddy_stats_read(&kernel_buddy);

    sample->managed = kernel_buddy.managed;
    sample->free = buddy_free_pages(&kernel_buddy);
    sample->tables = buddy_use_pages(&kernel_buddy, PAGE_USE_TABLE);
    sample->slab = buddy_use_pages(&kernel_buddy, PAGE_USE_SLAB);
    sample->vmalloc = buddy_use_pages(&kernel_buddy, PAGE_USE_VMALLOC);
    sample->user = buddy_use_pages(&kernel_buddy, PAGE_USE_USER);
    sample->file = buddy_use_pages(&kernel_buddy, PAGE_USE_FILE);
    sample->other = buddy_use_pages(&kernel_buddy, PAGE_USE_OTHER);
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        sample->blocks[order] = kernel_buddy.areas[order].count;
    sample->splits = stats.splits;
    sample->merges = stats.merges;
}

static void take_areas(struct vmstat_sample *sample)
{
    struct vmap_space *space = &kernel_vmalloc.space;
    struct vmap_stats stats = vmap_space_stats(space);

    sample->areas = stats.busy_areas;
    sample->lazy_pages = kernel_vmalloc.flush.lazy_pages;
    sample->free_extents = stats.free_extents;
    sample->largest_free = stats.largest_free;
    sample->allocs = stats.allocs;
    sample->frees = stats.frees;
    vmap_space_for_each(space, VMAP_BUSY, add_range, sample);
    vmap_space_for_each(space, VMAP_LAZY, add_range, sample);
}

u64 vmstat_sample(void)
{
    ASSERT(ring, "a sample without a ring: store %p", store);
    u64 number = ring->next;
    struct vmstat_sample *sample = &ring->sample[number % VMSTAT_SAMPLES];

    __atomic_store_n(&sample->number, 0, __ATOMIC_RELEASE);
    sample->ns = port_clock_ns();
    sample->ranges = sample->ranges_dropped = sample->caches = 0;
    take_pages(sample);
    take_areas(sample);
    kmem_cache_for_each(add_cache, sample);
    __atomic_store_n(&sample->number, number + 1, __ATOMIC_RELEASE);
    ring->next = number + 1;
    return number;
}

struct pagestore *vmstat_get(void)
{
    if (ring)
        pagestore_get(store);
    else if (make_ring() != 0)
        return NULL;
    return store;
}
