// SPDX-License-Identifier: MIT
/* Visiting the gaps between used areas. Lock: space->lock is held. Read next: mm/vmap/gaps.h. */
#include "mm/vmap/gaps.h"

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
