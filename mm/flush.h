// SPDX-License-Identifier: MIT
/*
 * How freed address ranges wait for their TLB flush: a policy separate from the structure that finds
 * space. `eager` flushes each range at once (2.4), `lazy` (2.6.28+) queues ranges and flushes them
 * together when fls(CPUs) x 32 MiB wait. Only after the flush may a range be handed out again (P3).
 * Lock: the space's guards what waits and the counters; purge_lock, taken first, lets one CPU purge at a
 * time, so that nobody gives back what another CPU has not flushed yet.
 */
#ifndef MM_FLUSH_H
#define MM_FLUSH_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/port.h"
#include "mm/vmap/vmap.h"

enum flush_policy { FLUSH_EAGER, FLUSH_LAZY };

struct flush_queue {
    struct vmap_space *space; /* where flushed ranges go back to */
    enum flush_policy policy;
    struct spinlock purge_lock;
    u64 lazy_pages; /* waiting now, on space->lazy */
    u64 count;      /* ranges waiting now */
    u64 threshold;  /* pages; lazy_max_pages() unless a test sets it */
    u64 purges, purged_areas, purged_pages, peak_pages;
};

/* fls(online CPUs) x 32 MiB in pages, as in Linux since 2.6.28. */
u64 lazy_max_pages(void);

void flush_queue_init(struct flush_queue *queue, struct vmap_space *space,
                      enum flush_policy policy);

/*
 * The range of a BUSY area has been unmapped (PTEs cleared): retire the area, flush now or later, then
 * give it back to the space. The area may be gone when this returns. Any context but interrupts.
 */
void flush_defer(struct flush_queue *queue, struct vmap_area *area);

/* Flush everything that waits with one range flush and give it back; returns pages purged. */
u64 flush_purge(struct flush_queue *queue);

/* Ranges that wait, under the space's lock: for the dumps. The visitor must not sleep nor
 * call back; it returns false to stop. */
void flush_for_each(struct flush_queue *queue,
                    bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);

const char *flush_policy_name(enum flush_policy policy);

#endif
