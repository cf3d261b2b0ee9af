// SPDX-License-Identifier: MIT
/*
 * Is the freetree sound? V2 and V3 first, then V1, then V5: each step may rely on what the one before
 * has shown, so that none of them hangs or leaves the structure, however broken it is. Every failure
 * is a sentence with the invariant's number and the addresses.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/check.c, what is verified for every design.
 */
#include "mm/vmap/freetree.h"

/* V2 and V3 (the latter with the two values, if that is what is wrong). Bounded by the node count. */
static const char *check_tree(const char *name, const struct area_set *set,
                              const struct rb_augment *augment, u64 max_nodes)
{
    const struct rb_node *where;
    enum rb_problem problem = rb_check(&set->root, augment, max_nodes, &where);

    if (problem == RB_OK)
        return NULL;
    if (problem == RB_VALUE)
        return vmap_broken("V3: %s tree: [%#lx, %#lx) stores subtree_max_size %#lx, its subtree has"
                           " %#lx",
                           name, to_va(where)->va_start, to_va(where)->va_end,
                           to_va(where)->subtree_max_size, freetree_augment.compute(where));
    return vmap_broken("V2: %s tree: %s, at [%#lx, %#lx)", name, rb_problem_name(problem),
                       to_va(where)->va_start, to_va(where)->va_end);
}

/*
 * V1, and that no two neighbours overlap (V4): step through the tree and the list side by side. The tree has passed check_tree(), so this walk
 * of it ends; the list is followed only as long as it names the same elements, so it ends too.
 */
static const char *check_order(const char *name, const struct area_set *set)
{
    const struct list_head *pos = &set->list;
    const struct vmap_area *last = NULL;

    for (struct rb_node *node = rb_first(&set->root); node; node = rb_next(node)) {
        const struct vmap_area *va = to_va(node);

        if (pos->next != &va->list || va->list.prev != pos)
            return vmap_broken("V1: %s: the tree's [%#lx, %#lx) is not the list's next element",
                               name, va->va_start, va->va_end);
        if (last && last->va_start >= va->va_start)
            return vmap_broken("V1: %s: [%#lx, %#lx) comes before [%#lx, %#lx)", name,
                               last->va_start, last->va_end, va->va_start, va->va_end);
        if (last && last->va_end > va->va_start)
            return vmap_broken("V4: %s: [%#lx, %#lx) overlaps [%#lx, %#lx)", name, last->va_start,
                               last->va_end, va->va_start, va->va_end);
        last = va;
        pos = pos->next;
    }
    if (pos->next != &set->list || set->list.prev != pos)
        return vmap_broken("V1: %s: the list goes on where the tree ends", name);
    return NULL;
}

/* V5, and that every area is of a kind that belongs here. The list has passed check_order(). */
static const char *check_areas(const struct freetree *tree)
{
    const struct vmap_area *va, *last = NULL;

    list_for_each_entry(va, &tree->busy.list, list)
        if (va->kind != VMAP_BUSY && va->kind != VMAP_LAZY)
            return vmap_broken("V1: busy: [%#lx, %#lx) is of kind %u", va->va_start, va->va_end,
                               va->kind);
    list_for_each_entry(va, &tree->free.list, list) {
        if (va->kind != VMAP_FREE)
            return vmap_broken("V1: free: [%#lx, %#lx) is of kind %u", va->va_start, va->va_end,
                               va->kind);
        if (last && last->va_end == va->va_start)
            return vmap_broken("V5: free [%#lx, %#lx) and [%#lx, %#lx) touch, but are not merged",
                               last->va_start, last->va_end, va->va_start, va->va_end);
        last = va;
    }
    return NULL;
}

const char *freetree_check(struct vmap_space *space)
{
    const struct freetree *tree = space->state;
    u64 nodes = space->stats.nodes;
    const char *broken = check_tree("free", &tree->free, &freetree_augment, nodes);

    if (!broken)
        broken = check_tree("busy", &tree->busy, NULL, nodes);
    if (!broken)
        broken = check_order("free", &tree->free);
    if (!broken)
        broken = check_order("busy", &tree->busy);
    return broken ? broken : check_areas(tree);
}
