// SPDX-License-Identifier: MIT
/*
 * Is the busytree sound? V2, then V1 of tree and list, then the kinds, then the hint: it must name an area
 * that is there, and what it promises must be true of every gap it speaks about. A wrong promise loses no
 * range, but it makes the search pass over a hole: V7 would break at some later request, so it is V7 here.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/check.c, what is verified for every design.
 */
#include "mm/vmap/busytree.h"
#include "mm/vmap/gaps.h"

/* How much of a gap a request could use that the hint covers. */
static u64 usable(const struct busytree *tree, vaddr_t start, vaddr_t end)
{
    vaddr_t from;

    if (!align_up_checked(max_u64(start, tree->cached_vstart), tree->cached_align, &from))
        return 0;
    return from < end ? end - from : 0;
}

/* The list has passed area_set_check_order(). */
static const char *check_hint(const struct vmap_space *space, const struct busytree *tree)
{
    const struct list_head *areas = &tree->busy.list, *pos;

    if (!tree->cache)
        return NULL;
    if (!is_power_of_two(tree->cached_align))
        return vmap_broken("V7: the hint has an alignment of %#lx", tree->cached_align);
    list_for_each(pos, areas) {
        vaddr_t start = gap_start(space, areas, pos), end = gap_end(space, areas, pos);

        if (usable(tree, start, end) > tree->cached_hole_size)
            return vmap_broken(
                "V7: the hint says that no gap below it has more than %#lx bytes, but"
                " [%#lx, %#lx) has",
                tree->cached_hole_size, start, end);
        if (to_area(pos) == tree->cache)
            return NULL;
    }
    return vmap_broken("V1: the hint names an area at %p, which is not on the list",
                       (const void *)tree->cache);
}

const char *busytree_check(struct vmap_space *space)
{
    const struct busytree *tree = space->state;
    const char *broken = area_set_check_tree(space, "busy", &tree->busy, NULL);

    if (!broken)
        broken = area_set_check_order("busy", &tree->busy);
    if (!broken)
        broken = area_set_check_busy(&tree->busy);
    return broken ? broken : check_hint(space, tree);
}
