// SPDX-License-Identifier: MIT
/*
 * Gaps between used areas, off the hot path: visiting them, and moving the end of an area into one.
 * Lock: space->lock is held. Read next: mm/vmap/gaps.h.
 */
#include "mm/vmap/gaps.h"
#include "lib/errno.h"

void gaps_for_each(const struct vmap_space *space, const struct list_head *areas,
                   bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    const struct list_head *pos = areas;

    do {
        struct vmap_area gap = {.kind = VMAP_FREE};

        pos = pos->next;
        gap.va_start = gap_start(space, areas, pos);
        gap.va_end = gap_end(space, areas, pos);
        if (gap.va_start != gap.va_end && !visit(ctx, &gap))
            return;
    } while (pos != areas);
}

void gaps_shrink(struct vmap_space *space, const struct list_head *areas, struct vmap_area *area,
                 vaddr_t new_end)
{
    if (gap_end(space, areas, area->list.next) == area->va_end)
        space->stats.free_extents++;
    else
        space->stats.merges++;
    area->va_end = new_end;
}

int gaps_grow(struct vmap_space *space, const struct list_head *areas, struct vmap_area *area,
              vaddr_t new_end)
{
    vaddr_t limit = gap_end(space, areas, area->list.next);

    if (new_end > limit)
        return -ENOSPC;
    count_fit(&space->stats, true, new_end == limit);
    area->va_end = new_end;
    return 0;
}
