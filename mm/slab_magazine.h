// SPDX-License-Identifier: MIT
/*
 * In front of a cache's slabs: a few free objects for each CPU, last in first out, without a lock. Only
 * while poisoning is off, and for objects of two words: the first one keeps the seal that tells a free
 * object (its index says "in a magazine"), the second leads to the next, mixed with the same seal, so
 * that a write after the free does not send the allocator to a wild address. To the slabs an object in a
 * magazine counts as handed out; kmem_cache_in_use() takes it off again. (-90 instructions per pair.)
 *
 * Interrupts off, on this CPU. For mm/slab.c and slab_cache.c.
 */
#ifndef MM_SLAB_MAGAZINE_H
#define MM_SLAB_MAGAZINE_H

#include "lib/bits.h"
#include "mm/slab_internal.h"

#define SLAB_MAGAZINE 32u   /* objects at most */
#define SLAB_CACHED 0xfffeu /* where a free object's link has its index: in a magazine */

static inline bool magazine_used(const struct kmem_cache *cache)
{
    return likely(!cache->poison && cache->size >= 2 * sizeof(u64));
}

/* Its first word says that it is in a magazine and that nobody has written to it. */
static inline bool magazine_holds(const void *object)
{
    return *(const u64 *)object == slab_link_value(object, SLAB_CACHED);
}

/* The object below; false when the second word cannot be right: no address of an object. */
static inline bool magazine_next(const struct kmem_cache *cache, const u64 *object, void **next)
{
    *next = (void *)(object[1] ^ slab_seal(object));
    return likely(!*next || (is_aligned((u64)*next, sizeof(u64)) &&
                             buddy_covers(cache->buddy, virt_to_phys(*next) >> PAGE_SHIFT)));
}

/* NULL: empty, or somebody wrote over the object on top, which slab.c finds out and reports. */
static inline void *magazine_take(const struct kmem_cache *cache, struct slab_cpu *cpu)
{
    u64 *object = cpu->objects;
    void *next;

    if (unlikely(!object || !magazine_holds(object) || !magazine_next(cache, object, &next)))
        return NULL;
    cpu->objects = next;
    cpu->count--;
    cpu->hits++;
    *object = 0; /* break the seal: the object is not free any more */
    return object;
}

static inline void magazine_put(struct slab_cpu *cpu, void *object)
{
    *(u64 *)object = slab_link_value(object, SLAB_CACHED);
    ((u64 *)object)[1] = (u64)cpu->objects ^ slab_seal(object);
    cpu->objects = object;
    cpu->count++;
}

#endif
