// SPDX-License-Identifier: MIT
/*
 * Free ranges as objects: how a request is carved out of one (FL, LE, RE, NE) and how a range comes
 * back and merges. The two designs that keep free ranges in a tree and a list share these steps:
 * freelist (the RFC of October 2018) with a plain tree, freetree (Linux 5.2 as merged) with an augmented
 * one. They differ in the search. Static inline, with the augmentation as a constant: so the compiler
 * makes a version for each, and a plain tree pays nothing. Function names are Linux's.
 *
 * No lock of its own: space->lock is held. Keeps V1, V2, V3, V5. Read next: mm/vmap/freetree.c.
 */
#ifndef MM_VMAP_FREE_AREAS_H
#define MM_VMAP_FREE_AREAS_H

#include "lib/errno.h"
#include "lib/rbtree_augmented.h"
#include "mm/vmap/freetree.h"

/* Where the request lies inside the free range that it is carved from. */
enum fit_type {
    FL_FIT_TYPE, /* full: |#####|   both edges, nothing remains */
    LE_FIT_TYPE, /* left edge: |###..|   the right part remains */
    RE_FIT_TYPE, /* right edge: |..###|   the left part remains */
    NE_FIT_TYPE, /* no edge: |.###.|   two parts remain, which costs one more descriptor */
};

/* The size of va changed: bring subtree_max_size up to date from va towards the root (V3). */
static __fused_in void augment_tree_propagate_from(struct vmap_area *va,
                                                   const struct rb_augment *augment)
{
    if (augment)
        rb_propagate(&va->rb_node, augment);
}

/* Enter a free range, beginning the descent at a node that is known to be near, or at the root. */
static inline void insert_vmap_area_augment(struct vmap_area *va, struct rb_node *from,
                                            struct area_set *free, const struct rb_augment *augment)
{
    struct rb_node *parent, **link = find_va_links(va, &free->root, from, &parent);

    va->kind = VMAP_FREE;
    link_va(va, free, parent, link, augment);
}

static __fused_in enum fit_type classify_va_fit_type(const struct vmap_area *va, vaddr_t start,
                                                     u64 size)
{
    bool left_edge = va->va_start == start;
    bool right_edge = va->va_end == start + size;

    if (left_edge)
        return right_edge ? FL_FIT_TYPE : LE_FIT_TYPE;
    return right_edge ? RE_FIT_TYPE : NE_FIT_TYPE;
}

/* Carve [start, start + size) out of the free range va. 0, or -ENOMEM with nothing changed. */
static __fused_in int adjust_va_to_fit_type(struct vmap_space *space, struct vmap_area *va,
                                            vaddr_t start, u64 size,
                                            const struct rb_augment *augment)
{
    struct freetree *tree = space->state;
    struct vmap_area *left;

    switch (classify_va_fit_type(va, start, size)) {
    case FL_FIT_TYPE:
        STEP(CARVE_FL, va->va_start, va->va_end, start, start + size);
        space->stats.fit_full++;
        space->stats.free_extents--;
        unlink_va(va, &tree->free, augment);
        vmap_node_free(space, va);
        break;
    case LE_FIT_TYPE:
        STEP(CARVE_LE, va->va_start, va->va_end, start, start + size);
        space->stats.fit_left++;
        va->va_start += size;
        augment_tree_propagate_from(va, augment);
        break;
    case RE_FIT_TYPE:
        STEP(CARVE_RE, va->va_start, va->va_end, start, start + size);
        space->stats.fit_right++;
        va->va_end = start;
        augment_tree_propagate_from(va, augment);
        break;
    case NE_FIT_TYPE:
        /* va keeps the right part. It must have its new size, up to the root, before the left part
         * goes in: the rotations of the insertion compute from what their nodes say. */
        left = vmap_node_alloc(space);
        if (!left)
            return -ENOMEM;
        STEP(CARVE_NE, va->va_start, va->va_end, start, start + size);
        space->stats.fit_inner++;
        space->stats.free_extents++;
        left->va_start = va->va_start;
        left->va_end = start;
        va->va_start = start + size;
        augment_tree_propagate_from(va, augment);
        insert_vmap_area_augment(left, &va->rb_node, &tree->free, augment);
        break;
    }
    return 0;
}

/*
 * Make [va->va_start, va->va_end) free; va is in no structure. Its descriptor becomes the free range's
 * or goes back, so this needs no memory and cannot fail.
 *   1. Find the place; the neighbours are the parent there and the parent's neighbour in the list.
 *   2. Both touch: take `next` out first, while every stored size is still true, then widen `prev`
 *      over both. (The other order would let the rotations of the erase see a stale maximum.)
 *   3. One touches: widen it. 4. None does: va goes in as it is.
 */
static inline void merge_or_add_vmap_area(struct vmap_space *space, struct vmap_area *va,
                                          const struct rb_augment *augment)
{
    struct area_set *free = &((struct freetree *)space->state)->free;
    struct rb_node *parent, **link = find_va_links(va, &free->root, NULL, &parent);
    struct list_head *after = parent ? &to_va(parent)->list : &free->list;
    struct list_head *before;
    struct vmap_area *prev, *next;
    bool joins_prev, joins_next;

    if (parent && link == &parent->right)
        after = after->next;
    before = after->prev;
    prev = list_entry(before, struct vmap_area, list);
    next = list_entry(after, struct vmap_area, list);
    joins_prev = before != &free->list && prev->va_end == va->va_start;
    joins_next = after != &free->list && next->va_start == va->va_end;

    if (!joins_prev && !joins_next) {
        space->stats.free_extents++;
        va->kind = VMAP_FREE;
        link_va(va, free, parent, link, augment);
        return;
    }
    space->stats.merges += (u64)joins_prev + joins_next;
    if (joins_prev)
        STEP(MERGE_LEFT, prev->va_start, prev->va_end, va->va_start, va->va_end);
    if (joins_next)
        STEP(MERGE_RIGHT, next->va_start, next->va_end, va->va_start, va->va_end);
    if (joins_prev && joins_next) {
        space->stats.free_extents--;
        unlink_va(next, free, augment);
        prev->va_end = next->va_end;
        vmap_node_free(space, next);
    } else if (joins_prev) {
        prev->va_end = va->va_end;
    } else {
        next->va_start = va->va_start;
    }
    augment_tree_propagate_from(joins_prev ? prev : next, augment);
    vmap_node_free(space, va);
}

/* One free range: all of the space. 0 or -ENOMEM. */
static inline int free_areas_init(struct vmap_space *space, const struct rb_augment *augment)
{
    struct freetree *tree = space->state;
    struct vmap_area *all = vmap_node_alloc(space);

    if (!all)
        return -ENOMEM;
    area_set_init(&tree->free);
    area_set_init(&tree->busy);
    all->va_start = space->start;
    all->va_end = space->end;
    insert_vmap_area_augment(all, NULL, &tree->free, augment);
    space->stats.free_extents = 1;
    return 0;
}

/* What the two designs search with: the lowest free range that fits and where in it, or NULL. */
typedef struct vmap_area *free_areas_search(struct vmap_space *space, u64 size, u64 align,
                                            vaddr_t lo, vaddr_t hi, vaddr_t *start);

/*
 * 1. The descriptor of the busy area first: without it there is nothing to undo.
 * 2. Search. 3. Carve; the NE case may find no second descriptor. 4. Enter it as busy.
 */
static __fused_in int free_areas_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                       vaddr_t hi, struct vmap_area **out,
                                       free_areas_search *search, const struct rb_augment *augment)
{
    struct freetree *tree = space->state;
    struct vmap_area *busy = vmap_node_alloc(space);
    struct vmap_area *hole;
    vaddr_t start;
    int error;

    if (!busy)
        return -ENOMEM;
    hole = search(space, size, align, lo, hi, &start);
    error = hole ? adjust_va_to_fit_type(space, hole, start, size, augment) : -ENOSPC;
    if (unlikely(error)) {
        vmap_node_free(space, busy);
        return error;
    }
    busy->va_start = start;
    busy->va_end = start + size;
    busy->kind = VMAP_BUSY;
    insert_vmap_area(busy, &tree->busy);
    *out = busy;
    return 0;
}

/* A freed area leaves the busy ones at once (since 5.4); while it is lazy, no structure holds it. */
static inline void free_areas_retire(struct vmap_space *space, struct vmap_area *area)
{
    unlink_va(area, &((struct freetree *)space->state)->busy, NULL);
}

static inline void free_areas_free(struct vmap_space *space, struct vmap_area *area,
                                   const struct rb_augment *augment)
{
    if (area->kind == VMAP_BUSY)
        free_areas_retire(space, area);
    merge_or_add_vmap_area(space, area, augment);
}

/* The tail needs a descriptor of its own; from there on it goes the way of every freed range. */
static inline int free_areas_shrink(struct vmap_space *space, struct vmap_area *area,
                                    vaddr_t new_end, const struct rb_augment *augment)
{
    struct vmap_area *tail = vmap_node_alloc(space);

    if (!tail)
        return -ENOMEM;
    tail->va_start = new_end;
    tail->va_end = area->va_end;
    area->va_end = new_end;
    merge_or_add_vmap_area(space, tail, augment);
    return 0;
}

/* What is wanted starts at the left edge of the free range (LE or FL), so no descriptor is needed. */
static inline int free_areas_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end,
                                  const struct rb_augment *augment)
{
    struct freetree *tree = space->state;
    struct vmap_area *hole = area_set_find(&tree->free, area->va_end);
    int error;

    if (!hole || hole->va_end < new_end)
        return -ENOSPC;
    error = adjust_va_to_fit_type(space, hole, area->va_end, new_end - area->va_end, augment);
    if (!error)
        area->va_end = new_end;
    return error;
}

/* What does not depend on the augmentation: in free_areas.c. */
void free_areas_fini(struct vmap_space *space);
struct vmap_area *free_areas_find(struct vmap_space *space, vaddr_t addr);
void free_areas_for_each(struct vmap_space *space, enum vmap_kind kind,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);
struct rb_root *free_areas_free_root(struct vmap_space *space);
struct rb_root *free_areas_busy_root(struct vmap_space *space);
/* V1, V2, V3, V5: NULL or a sentence. */
const char *free_areas_check(struct vmap_space *space, const struct rb_augment *augment);

#endif
