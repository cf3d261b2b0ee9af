// SPDX-License-Identifier: MIT
/*
 * Around the algorithms of avlhash.c: finding and visiting areas, the policies of a space, and the three
 * designs that are made of them. The policies themselves are explained in avlhash.h.
 *
 * Lock: space->lock is held, except by avlhash_set_policy(). Read next: avlhash_check.c.
 */
#include "lib/errno.h"
#include "mm/vmap/avlhash.h"

static struct vmap_area *avlhash_find(struct vmap_space *space, vaddr_t addr)
{
    struct avl_node *node = hash_of(space)->used.node;

    while (node) {
        struct vmap_area *area = avl_to_va(node);

        if (addr < area->va_start)
            node = node->left;
        else if (addr >= area->va_end)
            node = node->right;
        else
            return area;
    }
    return NULL;
}

/* What is behind the frontier is one free range with the unused area that touches it. */
static void for_each_free(struct vmap_space *space,
                          bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area rest = {.va_start = hash->frontier, .va_end = space->end, .kind = VMAP_FREE};
    struct vmap_area *area;

    list_for_each_entry(area, &hash->all, list) {
        if (area->kind != VMAP_FREE)
            continue;
        if (area->va_end == hash->frontier)
            rest.va_start = area->va_start;
        else if (!visit(ctx, area))
            return;
    }
    if (rest.va_start != rest.va_end)
        visit(ctx, &rest);
}

static void avlhash_for_each(struct vmap_space *space, enum vmap_kind kind,
                             bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct vmap_area *area;

    if (kind == VMAP_FREE)
        for_each_free(space, visit, ctx);
    if (kind != VMAP_BUSY)
        return;
    list_for_each_entry(area, &hash_of(space)->all, list)
        if (area->kind != VMAP_FREE && !visit(ctx, area))
            return;
}

/* ---- the designs ------------------------------------------------------------------------------------ */

int avlhash_set_policy(struct vmap_space *space, const struct avlhash_policy *policy)
{
    if (space->operations)
        return -EBUSY;
    if (policy->exhausted == AVLHASH_EXHAUSTED_FAIL && !(space->design->caps & VMAP_CAP_GIVES_UP))
        return -EINVAL;
    hash_of(space)->policy = *policy;
    return 0;
}

static int init_with(struct vmap_space *space, struct avlhash_policy policy)
{
    struct avlhash *hash = hash_of(space);

    *hash = (struct avlhash){.frontier = space->start, .policy = policy};
    list_init(&hash->all);
    space->stats.free_extents = 1;
    return 0;
}

static int avlhash_init(struct vmap_space *space)
{
    return init_with(space, (struct avlhash_policy){.probes = 32});
}

static int avlhash_pure_init(struct vmap_space *space)
{
    return init_with(space, (struct avlhash_policy){.align = AVLHASH_ALIGN_FRONTIER,
                                                    .frontier = AVLHASH_FRONTIER_STAYS,
                                                    .exhausted = AVLHASH_EXHAUSTED_FAIL});
}

static int avlhash_split_init(struct vmap_space *space)
{
    return init_with(space, (struct avlhash_policy){.hit = AVLHASH_HIT_LARGER, .probes = 32});
}

static void avlhash_fini(struct vmap_space *space)
{
    struct vmap_area *area, *next;

    list_for_each_entry_safe(area, next, &hash_of(space)->all, list)
        vmap_node_free(space, area);
    init_with(space, hash_of(space)->policy);
}

static struct rb_root *avlhash_no_root(struct vmap_space *space)
{
    (void)space;
    return NULL;
}

#define AVLHASH_OPERATIONS                                                                         \
    .state_size = sizeof(struct avlhash), .fini = avlhash_fini, .alloc = avlhash_alloc,            \
    .free = avlhash_free, .find = avlhash_find, .for_each = avlhash_for_each,                      \
    .check = avlhash_check, .shrink = avlhash_shrink, .grow = avlhash_grow,                        \
    .free_root = avlhash_no_root, .busy_root = avlhash_no_root

const struct vmap_design vmap_avlhash = {
    .name = "avlhash",
    .since = "RFC, February 2001",
    .origin = "AVL tree of used areas, hash of unused by size, one list of all (Baettig)",
    .init = avlhash_init,
    AVLHASH_OPERATIONS,
};

const struct vmap_design vmap_avlhash_pure = {
    .name = "avlhash-pure",
    .since = "RFC, February 2001",
    .origin = "the same to the letter: exact hits or new space, nothing else (Baettig)",
    .caps = VMAP_CAP_GIVES_UP,
    .init = avlhash_pure_init,
    AVLHASH_OPERATIONS,
};

const struct vmap_design vmap_avlhash_split = {
    .name = "avlhash-split",
    .since = "after the RFC of 2001",
    .origin = "the same with larger hits, of which the rest goes back to the hash",
    .init = avlhash_split_init,
    AVLHASH_OPERATIONS,
};
