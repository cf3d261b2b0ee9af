// SPDX-License-Identifier: MIT
/*
 * Free space as what nobody has: the designs up to Linux 5.1 keep the used areas on a list in address
 * order, and a free range is the gap in front of a list position. A gap has no descriptor, so giving
 * space back cannot fail and merging is no work; the price is that nobody can look for a gap by its size.
 * What vmlist and busytree share about gaps is here. `areas` is the head of the list, which as a
 * position stands for the end of the space.
 *
 * Lock: space->lock is held. V5 holds by construction. Read next: mm/vmap/vmlist.c, mm/vmap/busytree.c.
 */
#ifndef MM_VMAP_GAPS_H
#define MM_VMAP_GAPS_H

#include "lib/errno.h"
#include "mm/vmap/vmap.h"

static inline struct vmap_area *to_area(const struct list_head *pos)
{
    return list_entry(pos, struct vmap_area, list);
}

/* The gap in front of a position: from the end of the area before it, to its start. */
static inline vaddr_t gap_start(const struct vmap_space *space, const struct list_head *areas,
                                const struct list_head *pos)
{
    return pos->prev == areas ? space->start : to_area(pos->prev)->va_end;
}

static inline vaddr_t gap_end(const struct vmap_space *space, const struct list_head *areas,
                              const struct list_head *pos)
{
    return pos == areas ? space->end : to_area(pos)->va_start;
}

/* [from, to) is about to be taken out of the free [start, end): which of the four cases of freetree? */
static inline void tell_carve(vaddr_t start, vaddr_t end, vaddr_t from, vaddr_t to)
{
    if (from == start && to == end)
        STEP(CARVE_FL, start, end, from, to);
    else if (from == start)
        STEP(CARVE_LE, start, end, from, to);
    else if (to == end)
        STEP(CARVE_RE, start, end, from, to);
    else
        STEP(CARVE_NE, start, end, from, to);
}

/* The same four cases; here they only tell how many gaps there are now. */
static inline void count_fit(struct vmap_stats *stats, bool left_edge, bool right_edge)
{
    if (left_edge && right_edge) {
        stats->fit_full++;
        stats->free_extents--;
    } else if (left_edge) {
        stats->fit_left++;
    } else if (right_edge) {
        stats->fit_right++;
    } else {
        stats->fit_inner++;
        stats->free_extents++;
    }
}

/* [start, start + size) is about to be taken from the gap in front of pos. */
static inline void gap_count_take(struct vmap_space *space, const struct list_head *areas,
                                  const struct list_head *pos, vaddr_t start, u64 size)
{
    tell_carve(gap_start(space, areas, pos), gap_end(space, areas, pos), start, start + size);
    count_fit(&space->stats, start == gap_start(space, areas, pos),
              start + size == gap_end(space, areas, pos));
}

/* An area that is on the list is about to leave it: the gaps on its two sides become one. */
static inline void gap_count_give(struct vmap_space *space, const struct list_head *areas,
                                  const struct vmap_area *area)
{
    bool gap_before = gap_start(space, areas, &area->list) != area->va_start;
    bool gap_behind = gap_end(space, areas, area->list.next) != area->va_end;

    if (gap_before)
        STEP(MERGE_LEFT, gap_start(space, areas, &area->list), area->va_start, area->va_start,
             area->va_end);
    if (gap_behind)
        STEP(MERGE_RIGHT, area->va_end, gap_end(space, areas, area->list.next), area->va_start,
             area->va_end);
    if (!gap_before && !gap_behind)
        STEP(GAP, area->va_start, area->va_end);
    space->stats.merges += (u64)gap_before + gap_behind;
    space->stats.free_extents += 1UL - gap_before - gap_behind;
}

/* Move the end of a listed area: only the gap behind it changes. Growing: 0 or -ENOSPC. */
static inline void gaps_shrink(struct vmap_space *space, const struct list_head *areas,
                               struct vmap_area *area, vaddr_t new_end)
{
    vaddr_t gap = gap_end(space, areas, area->list.next);

    if (gap == area->va_end) {
        STEP(GAP, new_end, area->va_end);
        space->stats.free_extents++;
    } else {
        STEP(MERGE_RIGHT, area->va_end, gap, new_end, area->va_end);
        space->stats.merges++;
    }
    area->va_end = new_end;
}

static inline int gaps_grow(struct vmap_space *space, const struct list_head *areas,
                            struct vmap_area *area, vaddr_t new_end)
{
    vaddr_t limit = gap_end(space, areas, area->list.next);

    if (new_end > limit)
        return -ENOSPC;
    tell_carve(area->va_end, limit, area->va_end, new_end);
    count_fit(&space->stats, true, new_end == limit);
    area->va_end = new_end;
    return 0;
}

/* Visit the gaps as FREE areas, which are made up for the time of the visit. */
void gaps_for_each(const struct vmap_space *space, const struct list_head *areas,
                   bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);

#endif
