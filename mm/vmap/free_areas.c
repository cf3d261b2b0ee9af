// SPDX-License-Identifier: MIT
/*
 * What freelist and freetree share off the hot path: two sets of areas, free and busy, in a struct
 * freetree. V2 and V3 are verified first, then V1, then V5: each step may rely on what the one before
 * has shown, so that none of them hangs or leaves the structure, however broken it is.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/area_set.c, mm/vmap/check.c.
 */
#include "mm/vmap/free_areas.h"

void free_areas_fini(struct vmap_space *space)
{
    struct freetree *tree = space->state;

    area_set_free_all(space, &tree->free);
    area_set_free_all(space, &tree->busy);
}

struct vmap_area *free_areas_find(struct vmap_space *space, vaddr_t addr)
{
    return area_set_find(&((struct freetree *)space->state)->busy, addr);
}

void free_areas_for_each(struct vmap_space *space, enum vmap_kind kind,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct freetree *tree = space->state;

    if (kind == VMAP_FREE)
        area_set_for_each(&tree->free, visit, ctx);
    else if (kind == VMAP_BUSY)
        area_set_for_each(&tree->busy, visit, ctx);
}

struct rb_root *free_areas_free_root(struct vmap_space *space)
{
    return &((struct freetree *)space->state)->free.root;
}

struct rb_root *free_areas_busy_root(struct vmap_space *space)
{
    return &((struct freetree *)space->state)->busy.root;
}

const char *free_areas_check(struct vmap_space *space, const struct rb_augment *augment)
{
    const struct freetree *tree = space->state;
    const char *broken = area_set_check_tree(space, "free", &tree->free, augment);

    if (!broken)
        broken = area_set_check_tree(space, "busy", &tree->busy, NULL);
    if (!broken)
        broken = area_set_check_order("free", &tree->free);
    if (!broken)
        broken = area_set_check_order("busy", &tree->busy);
    if (!broken)
        broken = area_set_check_busy(&tree->busy);
    return broken ? broken : area_set_check_free(&tree->free);
}
