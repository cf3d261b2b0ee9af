// SPDX-License-Identifier: MIT
/*
 * kmem_cache_check(): S1, S2 and S3 of one cache as a sentence. Like buddy_check() it follows no pointer
 * before it has looked at it, and no list or chain further than it can be long. Holds cache->lock.
 */
#include "lib/bits.h"
#include "lib/format.h"
#include "mm/slab_internal.h"

static char text[240];

#define BROKEN(...) (format_to(text, sizeof(text), __VA_ARGS__), text)

struct slab_census {
    u64 slabs, in_use;
};

/* The page whose link this is, if it can be the head of one of this cache's slabs; else NULL. */
static struct page *slab_of_link(const struct kmem_cache *cache, const struct list_head *link)
{
    u64 offset = (u64)link - (u64)cache->buddy->pages - offsetof(struct page, link);
    pfn_t pfn = offset / sizeof(struct page);

    if (offset % sizeof(struct page) != 0 || !buddy_covers(cache->buddy, pfn))
        return NULL;
    struct page *head = &cache->buddy->pages[pfn];
    bool ours = head->state == PAGE_USED && head->use == PAGE_USE_SLAB && head->owner == cache;
    return ours ? head : NULL;
}

/* S2 and S3: as many sealed objects as are free, then the end. A cycle is longer than that. */
static const char *check_chain(const struct kmem_cache *cache, const struct page *head)
{
    u32 at = head->slab_free, want = cache->per_slab - head->slab_inuse;

    for (u32 seen = 0; seen < want; seen++) {
        if (at >= cache->per_slab)
            return BROKEN(
                "S2: the free chain of the %s slab at pfn %#lx has %u objects instead of %u "
                "(index %u)",
                cache->name, slab_pfn(cache, head), seen, want, at);
        const u8 *object = slab_object(cache, head, at);
        if (!slab_is_sealed(object))
            return BROKEN("S2: the link of the free %s object %p was overwritten: %#lx",
                          cache->name, (const void *)object, *(const u64 *)object);
        const u8 *damage = slab_poison_damage(cache, object);
        if (damage)
            return BROKEN("S3: the free %s object %p was modified at +%lu: %#04x", cache->name,
                          (const void *)object, (u64)(damage - object), *damage);
        at = slab_next(object);
    }
    return at == SLAB_END
               ? NULL
               : BROKEN("S2: the free chain of the %s slab at pfn %#lx goes on after its %u "
                        "objects (index %u)",
                        cache->name, slab_pfn(cache, head), want, at);
}

/* One list: slabs whose fill is in [low, high]. */
static const char *check_list(const struct kmem_cache *cache, const struct list_head *list,
                              const char *name, u32 low, u32 high, struct slab_census *census)
{
    const struct list_head *previous = list;

    for (const struct list_head *at = list->next; at != list; previous = at, at = at->next) {
        const struct page *head = slab_of_link(cache, at);
        if (!head)
            return BROKEN("S1: the %s list of %s leads to %p, which is not one of its slabs", name,
                          cache->name, (const void *)at);
        if (at->prev != previous)
            return BROKEN("S1: the %s list of %s is not linked back at pfn %#lx", name, cache->name,
                          slab_pfn(cache, head));
        if (++census->slabs > cache->slabs)
            return BROKEN("S1: %s has more than its %lu slabs (a cycle in the %s list?)",
                          cache->name, cache->slabs, name);
        if (head->slab_inuse < low || head->slab_inuse > high)
            return BROKEN(
                "S1: the slab at pfn %#lx on the %s list of %s has %u of %u objects in use",
                slab_pfn(cache, head), name, cache->name, head->slab_inuse, cache->per_slab);
        const char *broken = check_chain(cache, head);
        if (broken)
            return broken;
        census->in_use += head->slab_inuse;
    }
    return NULL;
}

static const char *check_locked(const struct kmem_cache *cache)
{
    struct slab_census census = {0};
    u32 all = cache->per_slab;
    const char *broken = check_list(cache, &cache->empty, "empty", 0, 0, &census);

    if (!broken && census.slabs != cache->empty_slabs)
        return BROKEN("S1: %s has %lu empty slabs, empty_slabs says %u", cache->name, census.slabs,
                      cache->empty_slabs);
    if (!broken)
        broken = check_list(cache, &cache->partial, "partial", 1, all - 1, &census);
    if (!broken)
        broken = check_list(cache, &cache->full, "full", all, all, &census);
    if (broken)
        return broken;
    if (census.slabs != cache->slabs || census.in_use != cache->in_use)
        return BROKEN("S1: %s has %lu slabs with %lu objects in use, its counts say %lu and %lu",
                      cache->name, census.slabs, census.in_use, cache->slabs, cache->in_use);
    return NULL;
}

const char *kmem_cache_check(struct kmem_cache *cache)
{
    u64 flags = spin_lock_irqsave(&cache->lock);
    const char *broken = check_locked(cache);
    spin_unlock_irqrestore(&cache->lock, flags);
    return broken;
}
