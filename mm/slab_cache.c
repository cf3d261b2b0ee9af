// SPDX-License-Identifier: MIT
/*
 * Caches as a whole: their geometry, their beginning and end, and the list of all of them, guarded by
 * all_caches_lock (irqsave; taken before any cache->lock). Read next: slab.c for what is inside.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/slab_internal.h"

#define MAX_OBJECT 8192u
#define MAX_SLAB_ORDER 3u

static struct list_head all_caches = LIST_HEAD_INIT(all_caches);
static struct spinlock all_caches_lock = SPINLOCK_INIT("slab caches");

/* ---- geometry -------------------------------------------------------------------------------- */

/* The smallest slab that holds two objects and wastes at most an eighth of itself: low orders are the
 * ones that can still be had when memory is fragmented. */
static u32 choose_order(u32 stride)
{
    u32 order = 0;
    for (; order < MAX_SLAB_ORDER; order++) {
        u64 bytes = PAGE_SIZE << order;
        if (bytes / stride >= 2 && bytes % stride <= bytes / 8)
            break;
    }
    return order;
}

int kmem_cache_init(struct kmem_cache *cache, const char *name, u32 size, u32 align,
                    struct buddy *buddy)
{
    if (align == 0)
        align = SLAB_LINK_SIZE;
    if (size == 0 || size > MAX_OBJECT || !is_power_of_two(align) || align > PAGE_SIZE)
        return -EINVAL;
    u32 wanted_align = (u32)max_u64(align, SLAB_LINK_SIZE);
    u32 stride = (u32)align_up(max_u64(size, SLAB_LINK_SIZE), wanted_align);
    u32 order = choose_order(stride);
    *cache = (struct kmem_cache){
        .name = name,
        .size = size,
        .stride = stride,
        .align = align,
        .order = order,
        .per_slab = (u32)((PAGE_SIZE << order) / stride),
        .poison = buddy->poison,
        .buddy = buddy,
    };
    spin_init(&cache->lock, name);
    list_init(&cache->partial);
    list_init(&cache->full);
    list_init(&cache->empty);
    u64 flags = spin_lock_irqsave(&all_caches_lock);
    list_add_tail(&cache->link, &all_caches);
    spin_unlock_irqrestore(&all_caches_lock, flags);
    return 0;
}

u64 kmem_cache_in_use(const struct kmem_cache *cache)
{
    u64 out = cache->in_use;

    for (unsigned i = 0; i < MAX_CPUS; i++)
        out -= cache->cpu[i].count;
    return out;
}

/* ---- the list of all --------------------------------------------------------------------------- */

int kmem_cache_destroy(struct kmem_cache *cache)
{
    if (kmem_cache_in_use(cache))
        return -EBUSY;
    kmem_cache_shrink(cache);
    u64 flags = spin_lock_irqsave(&all_caches_lock);
    list_del(&cache->link);
    spin_unlock_irqrestore(&all_caches_lock, flags);
    return 0;
}

void kmem_cache_for_each(void (*visit)(struct kmem_cache *cache, void *ctx), void *ctx)
{
    struct kmem_cache *cache;
    u64 flags = spin_lock_irqsave(&all_caches_lock);

    list_for_each_entry(cache, &all_caches, link)
        visit(cache, ctx);
    spin_unlock_irqrestore(&all_caches_lock, flags);
}

static void shrink_one(struct kmem_cache *cache, void *pages)
{
    *(u64 *)pages += kmem_cache_shrink(cache);
}

u64 slab_shrink_all(void)
{
    u64 pages = 0;
    kmem_cache_for_each(shrink_one, &pages);
    return pages;
}
