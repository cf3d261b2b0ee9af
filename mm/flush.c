// SPDX-License-Identifier: MIT
/*
 * When does a freed range become usable again? Not before every CPU has forgotten its translations
 * (P3). Flushing each range at once costs an interrupt to all CPUs per free; collecting ranges and
 * flushing them together costs address space that lies idle. Two policies, chosen per queue.
 *
 * Owns struct flush_queue. Locks: purge_lock, then the space's (irqsave), which is never held while CPUs
 * are waited for. Read next: mm/vmap/lazy.h, where the ranges wait.
 */
#include "mm/flush.h"
#include "lib/bits.h"
#include "mm/vmap/lazy.h"

u64 lazy_max_pages(void)
{
    return fls(port_cpu_count()) * ((32 * MIB) >> PAGE_SHIFT);
}

void flush_queue_init(struct flush_queue *queue, struct vmap_space *space, enum flush_policy policy)
{
    *queue = (struct flush_queue){
        .space = space,
        .policy = policy,
        .threshold = lazy_max_pages(),
    };
    spin_init(&queue->purge_lock, "purge");
}

/* Under the space's lock. */
static void count_purge(struct flush_queue *queue, u64 ranges, u64 pages)
{
    queue->purges++;
    queue->purged_areas += ranges;
    queue->purged_pages += pages;
}

static __noinline void flush_at_once(struct flush_queue *queue, struct vmap_area *area)
{
    struct vmap_space *space = queue->space;
    u64 flags = spin_lock_irqsave(&space->lock);

    vmap_retire_alone(space, area);
    spin_unlock_irqrestore(&space->lock, flags);
    port_tlb_flush_range(area->va_start, area->va_end);
    flags = spin_lock_irqsave(&space->lock);
    count_purge(queue, 1, vmap_area_size(area) >> PAGE_SHIFT);
    vmap_free_locked(space, area);
    spin_unlock_irqrestore(&space->lock, flags);
}

void flush_defer(struct flush_queue *queue, struct vmap_area *area)
{
    if (unlikely(queue->policy == FLUSH_EAGER)) {
        flush_at_once(queue, area);
        return;
    }
    u64 pages = vmap_area_size(area) >> PAGE_SHIFT;
    u64 flags = spin_lock_irqsave(&queue->space->lock);
    queue->count += vmap_retire(queue->space, area);
    queue->lazy_pages += pages;
    bool full = queue->lazy_pages > queue->threshold;
    spin_unlock_irqrestore(&queue->space->lock, flags);
    if (unlikely(full))
        flush_purge(queue);
}

#define PURGE_CHUNK 64 /* ranges given back under one lock: bounds the time with interrupts off */

/*
 *   1 take everything that waits, in one step
 *   2 one flush over the smallest range that contains it all: above 33 pages a full flush anyway
 *   3 only now give each range back (P3)
 */
__noinline u64 flush_purge(struct flush_queue *queue)
{
    struct vmap_space *space = queue->space;
    vaddr_t start, end;

    EVENT_BEGIN(PURGE, queue->count, queue->lazy_pages, CALLER());
    spin_lock(&queue->purge_lock);
    u64 flags = spin_lock_irqsave(&space->lock);
    bool any = vmap_purge_begin(space, &start, &end);
    u64 pages = queue->lazy_pages;
    queue->peak_pages = max_u64(queue->peak_pages, pages);
    if (any) {
        EVENT(space, PURGE, start, end, queue->count, pages);
        count_purge(queue, queue->count, pages);
    }
    queue->lazy_pages = 0;
    queue->count = 0;
    spin_unlock_irqrestore(&space->lock, flags);

    if (any)
        port_tlb_flush_range(start, end);
    u64 done;
    do {
        flags = spin_lock_irqsave(&space->lock);
        done = vmap_purge_some(space, PURGE_CHUNK);
        spin_unlock_irqrestore(&space->lock, flags);
    } while (done == PURGE_CHUNK);
    spin_unlock(&queue->purge_lock);
    EVENT_END(PURGE, pages);
    return pages;
}

void flush_for_each(struct flush_queue *queue,
                    bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    u64 flags = spin_lock_irqsave(&queue->space->lock);
    struct vmap_area *area;

    list_for_each_entry(area, &queue->space->lazy, purge)
        if (!visit(ctx, area))
            break;
    spin_unlock_irqrestore(&queue->space->lock, flags);
}

const char *flush_policy_name(enum flush_policy policy)
{
    return policy == FLUSH_EAGER ? "eager" : "lazy";
}
