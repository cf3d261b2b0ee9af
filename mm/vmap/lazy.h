// SPDX-License-Identifier: MIT
/*
 * Ranges that were given back and wait for their TLB flush (P3). Since Linux 5.4 they are not in the
 * structures of the used areas any more, so that nobody's search walks past them; a design that does so
 * has a retire(). One that has none keeps them where they were, marked (2.6.28 - 5.3). Either way they
 * are on space->lazy, and on space->purging while they are being flushed, chained by area->purge.
 *
 * Lock: the caller holds space->lock. For mm/flush.c, which decides when, and for mm/vmap/ itself.
 */
#ifndef MM_VMAP_LAZY_H
#define MM_VMAP_LAZY_H

#include "mm/vmap/vmap.h"

/*
 * BUSY -> LAZY: find() no longer returns it, and it is not reusable yet. true: one more entry waits.
 * false: the range continues the newest one that waits, has been joined to it, and its descriptor is
 * gone: what is freed in the order in which it was allocated waits as one range and costs one merge.
 */
bool vmap_retire(struct vmap_space *space, struct vmap_area *area);

/* (Joining is for designs with VMAP_CAP_JOINS_LAZY.) The same, never joined: the area can be given back on its own. */
void vmap_retire_alone(struct vmap_space *space, struct vmap_area *area);

/* Every waiting range moves to space->purging; [*start, *end) is the smallest range around them all.
 * false: there is none. */
bool vmap_purge_begin(struct vmap_space *space, vaddr_t *start, vaddr_t *end);

/* Give back up to `limit` ranges of space->purging, which have been flushed; how many. */
u64 vmap_purge_some(struct vmap_space *space, u64 limit);

/* The space ends: the descriptors of what still waits go back. */
void vmap_lazy_forget(struct vmap_space *space);

/*
 * The retired ranges that no structure of the design holds, in address order. begin() sorts the lists
 * (their order means nothing but age); nothing may be retired or given back during the walk.
 */
struct vmap_lazy_walk {
    struct list_head *head[2];
    const struct list_head *at[2]; /* the next one of each list */
};
void vmap_lazy_begin(struct vmap_lazy_walk *walk, struct vmap_space *space);
/* The next one, which stays the next one until it is taken; NULL at the end. */
const struct vmap_area *vmap_lazy_peek(const struct vmap_lazy_walk *walk);
void vmap_lazy_take(struct vmap_lazy_walk *walk);

/* Sort areas that are chained by area->purge by address: links only, no memory. O(n log n). */
void vmap_sort_by_address(struct list_head *list);

/* Ascending visit like design->for_each(), of which CACHED is made of design->cached(), and BUSY includes every lazy range of any design. */
void vmap_for_each_locked(struct vmap_space *space, enum vmap_kind kind,
                          bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);

#endif
