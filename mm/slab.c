// SPDX-License-Identifier: MIT
/*
 * Caches of equal objects. A slab is one buddy block; everything about it is in its head page (owner,
 * slab_inuse, slab_free, list link) and in the free objects themselves, so a slab costs no metadata.
 * cache->lock (irqsave) guards lists, counts and chains; pages come and go with it released. Orders of
 * locks: list of caches, cache, buddy. Upholds S1, S2, S3 (slab.h). Read next: slab_cache.c, kmalloc.c,
 * slab_check.c.
 */
#include "mm/slab.h"

#include "lib/failpoint.h"
#include "lib/string.h"
#include "mm/slab_magazine.h"

/* ---- free objects ---------------------------------------------------------------------------- */

const void *slab_poison_damage(const struct kmem_cache *cache, const void *object)
{
    if (!cache->poison || cache->size <= SLAB_LINK_SIZE)
        return NULL;
    return memory_not_equal((const u8 *)object + SLAB_LINK_SIZE, SLAB_POISON,
                            cache->size - SLAB_LINK_SIZE);
}

static void poison_object(const struct kmem_cache *cache, u8 *object)
{
    if (cache->poison && cache->size > SLAB_LINK_SIZE)
        memset(object + SLAB_LINK_SIZE, SLAB_POISON, cache->size - SLAB_LINK_SIZE);
}

/* At the head of the slab's chain: the object that is still warm is handed out first. */
static void chain_object(struct page *head, u8 *object, u32 index)
{
    *(u64 *)object = slab_link_value(object, head->slab_free);
    head->slab_free = (u16)index;
}

static void report_damage(const struct kmem_cache *cache, const void *object, const void *damage)
{
    port_report("use after free: %s object %p was modified at +%lu (%#04x) after it had been freed",
                cache->name, object, (u64)damage - (u64)object, *(const u8 *)damage);
}

/*
 * Somebody wrote over the link of a free object, so nobody knows what follows it. The free objects of
 * this slab are given up for good: they count as handed out, and S1 and S2 hold without them.
 */
static void give_up_chain(struct kmem_cache *cache, struct page *head)
{
    cache->in_use += cache->per_slab - head->slab_inuse;
    head->slab_inuse = (u16)cache->per_slab;
    head->slab_free = SLAB_END;
}

/* The first free object of a slab that has one, or NULL when its chain turns out to be destroyed. */
static void *unchain_object(struct kmem_cache *cache, struct page *head)
{
    u8 *object = slab_object(cache, head, head->slab_free);

    if (unlikely(!slab_is_sealed(object))) {
        give_up_chain(cache, head);
        report_damage(cache, object, object);
        return NULL;
    }
    head->slab_free = (u16)slab_next(object);
    *(u64 *)object = 0; /* break the seal: the object is not free any more */
    head->slab_inuse++;
    cache->in_use++;
    return object;
}

/* ---- slabs ----------------------------------------------------------------------------------- */

/* Where a slab belongs (S1). Keeps empty_slabs. */
static void file_slab(struct kmem_cache *cache, struct page *head)
{
    if (head->slab_inuse == cache->per_slab) {
        list_add(&head->link, &cache->full);
    } else if (head->slab_inuse > 0) {
        list_add(&head->link, &cache->partial);
    } else {
        list_add(&head->link, &cache->empty);
        cache->empty_slabs++;
    }
}

static void unfile_slab(struct kmem_cache *cache, struct page *head)
{
    if (head->slab_inuse == 0)
        cache->empty_slabs--;
    list_del(&head->link);
}

/* A new slab, all objects free. Without locks: nobody else knows it yet. */
static struct page *make_slab(struct kmem_cache *cache, gfp_t gfp, vaddr_t caller)
{
    struct page *head = buddy_alloc(cache->buddy, gfp & ~__GFP_ZERO, cache->order, caller);

    if (!head)
        return NULL;
    page_set_use(cache->buddy, head, PAGE_USE_SLAB);
    head->owner = cache;
    head->slab_inuse = 0;
    head->slab_free = SLAB_END;
    for (u32 i = cache->per_slab; i-- > 0;) {
        u8 *object = slab_object(cache, head, i);
        poison_object(cache, object);
        chain_object(head, object, i);
    }
    return head;
}

/* An empty slab that is on no list goes back to the buddy. No lock held. */
static void destroy_slab(struct kmem_cache *cache, struct page *head)
{
    page_set_use(cache->buddy, head, PAGE_USE_OTHER);
    head->owner = NULL;
    head->refcount = 1;
    buddy_free(cache->buddy, head, cache->order, CALLER());
}

/* Partly used slabs first, so that the others can become empty. NULL: the cache has no free object. */
static struct page *slab_with_room(const struct kmem_cache *cache)
{
    const struct list_head *list = list_empty(&cache->partial) ? &cache->empty : &cache->partial;
    return list_empty(list) ? NULL : list_entry(list->next, struct page, link);
}

/* A slab keeps its place in the partial list until it is full. */
static void *take_object(struct kmem_cache *cache)
{
    void *object = NULL;
    struct page *head;

    while (!object && (head = slab_with_room(cache)) != NULL) {
        bool was_empty = head->slab_inuse == 0;
        if (was_empty)
            unfile_slab(cache, head);
        object = unchain_object(cache, head);
        if (was_empty) {
            file_slab(cache, head);
        } else if (head->slab_inuse == cache->per_slab) {
            list_del(&head->link);
            file_slab(cache, head);
        }
    }
    cache->allocs += object != NULL;
    return object;
}

/* ---- allocate -------------------------------------------------------------------------------- */

/* No free object: add a slab, then take one under the same lock, before somebody else does. */
static void *grow_and_take(struct kmem_cache *cache, gfp_t gfp, vaddr_t caller)
{
    struct page *head = make_slab(cache, gfp, caller);
    u64 flags = spin_lock_irqsave(&cache->lock);

    if (head) {
        cache->slabs++;
        file_slab(cache, head);
    }
    void *object = take_object(cache);
    cache->failures += object == NULL;
    spin_unlock_irqrestore(&cache->lock, flags);
    return object;
}

static void count_failure(struct kmem_cache *cache)
{
    u64 flags = spin_lock_irqsave(&cache->lock);
    cache->failures++;
    spin_unlock_irqrestore(&cache->lock, flags);
}

/* Some objects more for a magazine, while the lock is held anyway; only what is there already. */
static void refill_magazine(struct kmem_cache *cache, struct slab_cpu *cpu)
{
    void *object;

    while (cpu->count < SLAB_MAGAZINE / 2 && slab_with_room(cache) &&
           (object = take_object(cache)) != NULL)
        magazine_put(cpu, object);
}

/* Somebody wrote to the object on top, so nobody knows what follows it: all of them are given up, and
 * count as handed out for good. */
static void give_up_magazine(struct kmem_cache *cache, struct slab_cpu *cpu)
{
    u8 *object = cpu->objects;

    cpu->objects = NULL;
    cpu->count = 0;
    report_damage(cache, object, magazine_holds(object) ? object + sizeof(u64) : object);
}

static __noinline void *alloc_slow(struct kmem_cache *cache, gfp_t gfp, vaddr_t caller)
{
    if (!(gfp & __GFP_NOFAULT) && should_fail(FAIL_SLAB)) {
        count_failure(cache);
        return NULL;
    }
    u64 flags = spin_lock_irqsave(&cache->lock);
    struct slab_cpu *cpu = &cache->cpu[cpu_id()];
    void *object = magazine_take(cache, cpu);
    if (unlikely(!object && cpu->objects)) /* nothing can be taken, and yet it is not empty */
        give_up_magazine(cache, cpu);
    if (!object) {
        object = take_object(cache);
        if (object && magazine_used(cache))
            refill_magazine(cache, cpu);
    }
    spin_unlock_irqrestore(&cache->lock, flags);
    if (unlikely(!object))
        object = grow_and_take(cache, gfp, caller);
    if (unlikely(!object))
        return NULL;
    const void *damage = slab_poison_damage(cache, object);
    if (unlikely(damage))
        report_damage(cache, object, damage);
    return object;
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
    void *object = NULL;

    if (likely(!fail_armed)) {
        u64 flags = irq_save();
        object = magazine_take(cache, &cache->cpu[cpu_id()]);
        irq_restore(flags);
    }
    if (unlikely(!object) && !(object = alloc_slow(cache, gfp, CALLER())))
        return NULL;
    if (unlikely(gfp & __GFP_ZERO))
        memset(object, 0, cache->size);
    return object;
}

/* ---- free ------------------------------------------------------------------------------------ */

/*
 * The slab that an address of this cache lies in, or NULL. The head of a slab is found by alignment:
 * a buddy block starts at a multiple of its size.
 */
static struct page *slab_of(const struct kmem_cache *cache, const void *object)
{
    pfn_t pfn = virt_to_phys(object) >> PAGE_SHIFT;
    pfn_t start = pfn & ~((1UL << cache->order) - 1);

    if (!buddy_covers(cache->buddy, start))
        return NULL;
    struct page *head = &cache->buddy->pages[start];
    bool ours = head->state == PAGE_USED && head->use == PAGE_USE_SLAB && head->owner == cache;
    return ours ? head : NULL;
}

/* The seal alone could be a live object's data: only the chain knows for certain. */
static bool is_on_chain(const struct kmem_cache *cache, const struct page *head, u32 index)
{
    u32 at = head->slab_free;

    for (u32 seen = 0; seen < cache->per_slab && at < cache->per_slab; seen++) {
        if (at == index)
            return true;
        at = slab_next(slab_object(cache, head, at));
    }
    return false;
}

/* Put a verified object back. Returns an empty slab that is too many, unfiled, or NULL. Locked. */
static struct page *put_object(struct kmem_cache *cache, struct page *head, u8 *object, u32 index)
{
    bool was_full = head->slab_inuse == cache->per_slab;

    chain_object(head, object, index);
    head->slab_inuse--;
    cache->in_use--;
    cache->frees++;
    if (!was_full && head->slab_inuse > 0)
        return NULL;
    list_del(&head->link);
    if (head->slab_inuse > 0 || cache->empty_slabs < SLAB_KEEP_EMPTY) {
        file_slab(cache, head);
        return NULL;
    }
    cache->slabs--;
    return head;
}

/* The object's index in its slab; false after a report: it is not the start of an object. */
static inline bool slab_index(const struct kmem_cache *cache, const struct page *head,
                              const void *object, u32 *index)
{
    u32 offset = (u32)((u64)object - (u64)slab_object(cache, head, 0));

    *index = offset / cache->stride;
    if (likely(offset == *index * cache->stride && *index < cache->per_slab))
        return true;
    port_report("free of %p to cache %s: not the start of an object (+%u into object %u at %p)",
                object, cache->name, offset - *index * cache->stride, *index,
                (void *)slab_object(cache, head, *index));
    return false;
}

static __noinline void free_to_slab(struct kmem_cache *cache, struct page *head, void *object,
                                    u32 index, vaddr_t caller)
{
    struct page *surplus = NULL;
    u64 flags = spin_lock_irqsave(&cache->lock);
    bool free_already = unlikely(slab_is_sealed(object)) &&
                        (magazine_holds(object) || is_on_chain(cache, head, index));

    if (likely(!free_already)) {
        poison_object(cache, object);
        surplus = put_object(cache, head, object, index);
    }
    spin_unlock_irqrestore(&cache->lock, flags);
    if (unlikely(free_already))
        port_report("double free of %s object %p by %pS", cache->name, object, (void *)caller);
    if (surplus)
        destroy_slab(cache, surplus);
}

/* The object that has been on a magazine for the shortest time goes to its slab; false: none is left. */
static bool unload_one(struct kmem_cache *cache, struct slab_cpu *cpu)
{
    u32 index;
    u64 flags = irq_save();
    void *object = magazine_take(cache, cpu);

    cpu->hits -= object != NULL;
    if (unlikely(!object && cpu->objects))
        give_up_magazine(cache, cpu);
    irq_restore(flags);
    struct page *head = object ? slab_of(cache, object) : NULL;
    if (head && slab_index(cache, head, object, &index))
        free_to_slab(cache, head, object, index, CALLER());
    return head != NULL;
}

void slab_free_object(struct kmem_cache *cache, struct page *head, void *object, vaddr_t caller)
{
    u32 index;

    if (unlikely(!slab_index(cache, head, object, &index)))
        return;
    if (unlikely(!magazine_used(cache) || slab_is_sealed(object))) {
        free_to_slab(cache, head, object, index, caller);
        return;
    }
    u64 flags = irq_save();
    struct slab_cpu *cpu = &cache->cpu[cpu_id()];
    magazine_put(cpu, object);
    bool full = cpu->count >= SLAB_MAGAZINE;
    irq_restore(flags);
    for (u32 i = 0; unlikely(full) && i < SLAB_MAGAZINE / 2; i++)
        unload_one(cache, cpu);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
    struct page *head;

    if (!object)
        return;
    if (likely(head = slab_of(cache, object)))
        slab_free_object(cache, head, object, CALLER());
    else
        port_report("free of %p to cache %s: not one of its objects", object, cache->name);
}

/* ---- shrink ---------------------------------------------------------------------------------- */

/* One empty slab off its list, or NULL. */
static struct page *take_empty_slab(struct kmem_cache *cache)
{
    struct page *head = NULL;
    u64 flags = spin_lock_irqsave(&cache->lock);

    if (!list_empty(&cache->empty)) {
        head = list_entry(cache->empty.next, struct page, link);
        unfile_slab(cache, head);
        cache->slabs--;
    }
    spin_unlock_irqrestore(&cache->lock, flags);
    return head;
}

u64 kmem_cache_shrink(struct kmem_cache *cache)
{
    struct page *head;
    u64 pages = 0;

    for (unsigned i = 0; i < MAX_CPUS; i++)
        while (unload_one(cache, &cache->cpu[i]))
            continue;
    while ((head = take_empty_slab(cache)) != NULL) {
        destroy_slab(cache, head);
        pages += 1UL << cache->order;
    }
    return pages;
}
