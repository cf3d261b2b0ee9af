// SPDX-License-Identifier: MIT
/*
 * When does a freed range become usable again? Not before every CPU has forgotten its translations
 * (P3). Flushing each range at once costs an interrupt to all CPUs per free; collecting ranges and
 * flushing them together costs address space that lies idle. Two policies, chosen per queue.
 *
 * Owns struct flush_queue. Lock: queue->lock (irqsave) guards the list and the counters; it is never
 * held while the space's lock is taken or while CPUs are waited for. Read next: mm/vmap/space.c.
 */
#include "mm/flush.h"
#include "lib/bits.h"

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
    spin_init(&queue->lock, "flush queue");
    list_init(&queue->areas);
}

static void count_purge(struct flush_queue *queue, u64 areas, u64 pages)
{
    queue->purges++;
    queue->purged_areas += areas;
    queue->purged_pages += pages;
}

static void flush_at_once(struct flush_queue *queue, struct vmap_area *area)
{
    u64 pages = vmap_area_size(area) >> PAGE_SHIFT, flags;

    port_tlb_flush_range(area->va_start, area->va_end);
    vmap_space_free(queue->space, area);
    flags = spin_lock_irqsave(&queue->lock);
    count_purge(queue, 1, pages);
    spin_unlock_irqrestore(&queue->lock, flags);
}

void flush_defer(struct flush_queue *queue, struct vmap_area *area)
{
    bool full;
    u64 flags;

    vmap_space_retire(queue->space, area);
    if (queue->policy == FLUSH_EAGER) {
        flush_at_once(queue, area);
        return;
    }
    flags = spin_lock_irqsave(&queue->lock);
    list_add_tail(&area->purge, &queue->areas);
    queue->count++;
    queue->lazy_pages += vmap_area_size(area) >> PAGE_SHIFT;
    queue->peak_pages = max_u64(queue->peak_pages, queue->lazy_pages);
    full = queue->lazy_pages > queue->threshold;
    spin_unlock_irqrestore(&queue->lock, flags);
    if (full)
        flush_purge(queue);
}

/* Take the whole queue in one step: two CPUs that purge at once get disjoint sets of ranges. */
static u64 take_waiting(struct flush_queue *queue, struct list_head *taken)
{
    u64 flags = spin_lock_irqsave(&queue->lock);
    u64 pages = queue->lazy_pages;

    list_splice_tail_init(&queue->areas, taken);
    if (pages)
        count_purge(queue, queue->count, pages);
    queue->lazy_pages = 0;
    queue->count = 0;
    spin_unlock_irqrestore(&queue->lock, flags);
    return pages;
}

/*
 * 1. Take everything that waits. 2. One flush over the smallest range that contains it all: above 33
 * pages that is a full flush anyway. 3. Only now give each range back (P3).
 */
u64 flush_purge(struct flush_queue *queue)
{
    struct list_head taken = LIST_HEAD_INIT(taken);
    u64 pages = take_waiting(queue, &taken);
    vaddr_t start = ~0UL, end = 0;
    struct vmap_area *area, *next;

    if (list_empty(&taken))
        return 0;
    list_for_each_entry(area, &taken, purge) {
        start = min_u64(start, area->va_start);
        end = max_u64(end, area->va_end);
    }
    port_tlb_flush_range(start, end);
    list_for_each_entry_safe(area, next, &taken, purge)
        vmap_space_free(queue->space, area);
    return pages;
}

void flush_for_each(struct flush_queue *queue,
                    bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    u64 flags = spin_lock_irqsave(&queue->lock);
    struct vmap_area *area;

    list_for_each_entry(area, &queue->areas, purge)
        if (!visit(ctx, area))
            break;
    spin_unlock_irqrestore(&queue->lock, flags);
}

const char *flush_policy_name(enum flush_policy policy)
{
    return policy == FLUSH_EAGER ? "eager" : "lazy";
}
