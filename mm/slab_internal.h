// SPDX-License-Identifier: MIT
/*
 * Where objects are inside a slab and what a free one looks like: shared by slab.c, slab_check.c and
 * kmalloc.c, not for anybody else.
 */
#ifndef MM_SLAB_INTERNAL_H
#define MM_SLAB_INTERNAL_H

#include "mm/slab.h"

#define SLAB_END 0xffffu /* slab_free when no object is free */

/*
 * The first 8 bytes of a free object:  63..16 seal | 15..0 index of the next free object or SLAB_END.
 * A right seal says that the object is free and that nobody has written to its first bytes.
 */
#define SLAB_LINK_SIZE 8u

static inline pfn_t slab_pfn(const struct kmem_cache *cache, const struct page *head)
{
    return (pfn_t)(head - cache->buddy->pages);
}

static inline u8 *slab_object(const struct kmem_cache *cache, const struct page *head, u32 index)
{
    return (u8 *)phys_to_virt(slab_pfn(cache, head) << PAGE_SHIFT) + (u64)index * cache->stride;
}

/* 48 bits that depend on the object's address: live data equals them by accident only. */
static inline u64 slab_seal(const void *object)
{
    return ((u64)object * 0x9e3779b97f4a7c15UL) &
           ~0xffffUL; /* 2^64 / golden ratio: all bits mixed */
}

static inline u64 slab_link_value(const void *object, u32 next)
{
    return slab_seal(object) | next;
}

static inline bool slab_is_sealed(const void *object)
{
    return (*(const u64 *)object & ~0xffffUL) == slab_seal(object);
}

static inline u32 slab_next(const void *object)
{
    return (u32)(*(const u64 *)object & 0xffff);
}

/* Second half of every free: `head` is the object's slab, of this cache. Misuse is reported. */
void slab_free_object(struct kmem_cache *cache, struct page *head, void *object, vaddr_t caller);

/* First byte of a free object that is not poison (S3), or NULL. */
const void *slab_poison_damage(const struct kmem_cache *cache, const void *object);

#endif
