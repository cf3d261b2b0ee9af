// SPDX-License-Identifier: MIT
/*
 * Small objects for the kernel itself: caches of equal-sized objects carved from buddy pages reached
 * through the direct map (never from vmalloc: the vmap designs' own nodes come from here, and must
 * not recurse). First client: vmap_area. Lock: cache->lock (irqsave). Double free and foreign pointers
 * are reported and refused. With `poison` on (a cache starts with its buddy's setting; change it only
 * before the first allocation), freed objects are filled with SLAB_POISON and verified when handed out.
 *
 *   slab    2^order pages cut into per_slab objects of `stride` bytes; its head page says how full it is
 *   link    first 8 bytes of a free object: index of the next free one, and a seal over its address
 *
 * S1: a slab is on the list that its fill asks for, and the counts agree.  S2: the chain from slab_free
 * visits each free object once.  S3: a free object holds its poison.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/buddy.h"

/* A CPU's magazine: free objects that need no lock, see mm/slab_magazine.h. */
struct slab_cpu {
    void *objects; /* the one on top */
    u32 count;
    u64 hits; /* allocations served from here */
};

struct kmem_cache {
    const char *name;
    u32 size;   /* bytes per object, as asked for */
    u32 stride; /* bytes from object to object */
    u32 align;
    u32 order;    /* pages per slab = 1 << order */
    u32 per_slab; /* objects per slab */
    bool poison;
    struct buddy *buddy;
    struct spinlock lock;
    struct list_head partial, full, empty; /* struct page.link of slab heads */
    u64 slabs, in_use;                     /* slab count; objects that are out of them */
    u64 allocs, frees, failures;
    u32 empty_slabs;
    struct list_head link; /* in the list of all caches */
    struct slab_cpu cpu[MAX_CPUS];
};

/*
 * Prepare a cache in caller-provided memory (so that the first caches need no allocator). size 1 ..
 * 8192 bytes, align a power of two or 0 for 8. 0 or -EINVAL.
 */
int kmem_cache_init(struct kmem_cache *cache, const char *name, u32 size, u32 align,
                    struct buddy *buddy);

/* All objects must have been freed: -EBUSY otherwise (and the cache stays usable). */
int kmem_cache_destroy(struct kmem_cache *cache);

/* One object, or NULL (no page, FAIL_SLAB armed). __GFP_ZERO honoured. Any context. */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

/* Give it back. NULL is allowed. Foreign or already free: reported and refused. Any context. */
void kmem_cache_free(struct kmem_cache *cache, void *object);

/* Objects that callers have now: those in the CPUs' magazines are free. */
u64 kmem_cache_in_use(const struct kmem_cache *cache);

/* Empty the magazines (this CPU's and those of parked CPUs) and return empty slabs to the buddy; how
 * many pages. */
u64 kmem_cache_shrink(struct kmem_cache *cache);

/* All caches, in creation order. The visitor must not allocate. */
void kmem_cache_for_each(void (*visit)(struct kmem_cache *cache, void *ctx), void *ctx);

/* NULL or a sentence: list membership, counts, free chains, poison. */
const char *kmem_cache_check(struct kmem_cache *cache);

/* Sized allocations: caches 8, 16, 32 ... 2048, larger ones whole buddy blocks up to 4 MiB. */
void slab_init(struct buddy *buddy); /* the kmalloc caches; once, after the buddy */
void *kmalloc(u64 size, gfp_t gfp);  /* NULL for 0, too large, or no memory. Any context. */
void *kzalloc(u64 size, gfp_t gfp);
void kfree(const void *object); /* NULL is allowed; foreign pointers are reported */
u64 ksize(const void *object);  /* usable bytes; 0 for what kmalloc did not give */

/* Shrink all caches; how many pages went back. */
u64 slab_shrink_all(void);

#define SLAB_POISON 0x6b
#define SLAB_KEEP_EMPTY 2 /* empty slabs that a cache keeps for the next allocation */

#endif
