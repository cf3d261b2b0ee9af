// SPDX-License-Identifier: MIT
/*
 * What a set of areas needs off the hot path: visits, the end, and the proof that tree and list are
 * sound. Every failure is a sentence with the invariant's number and the addresses.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/check.c, what is verified for every design.
 */
#include "mm/vmap/area_set.h"

void area_set_overlap(const struct vmap_area *va, const struct vmap_area *other)
{
    port_panic("V4: [%#lx, %#lx) overlaps [%#lx, %#lx), which is there already", va->va_start,
               va->va_end, other->va_start, other->va_end);
}

void area_set_for_each(const struct area_set *set,
                       bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct vmap_area *va;

    list_for_each_entry(va, &set->list, list)
        if (!visit(ctx, va))
            return;
}

void area_set_free_all(struct vmap_space *space, struct area_set *set)
{
    struct vmap_area *va, *next;

    list_for_each_entry_safe(va, next, &set->list, list)
        vmap_node_free(space, va);
    area_set_init(set);
}

const char *area_set_check_tree(const struct vmap_space *space, const char *name,
                                const struct area_set *set, const struct rb_augment *augment)
{
    const struct rb_node *where;
    enum rb_problem problem = rb_check(&set->root, augment, space->stats.nodes, &where);

    if (problem == RB_OK)
        return NULL;
    if (problem == RB_VALUE)
        return vmap_broken("V3: %s tree: [%#lx, %#lx) stores subtree_max_size %#lx, its subtree has"
                           " %#lx",
                           name, to_va(where)->va_start, to_va(where)->va_end, augment->get(where),
                           augment->compute(where));
    return vmap_broken("V2: %s tree: %s, at [%#lx, %#lx)", name, rb_problem_name(problem),
                       to_va(where)->va_start, to_va(where)->va_end);
}

/*
 * Step through the tree and the list side by side. The tree has passed area_set_check_tree(), so this
 * walk of it ends; the list is followed only as long as it names the same elements, so it ends too.
 */
const char *area_set_check_order(const char *name, const struct area_set *set)
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

const char *area_set_check_busy(const struct area_set *set)
{
    const struct vmap_area *va;

    list_for_each_entry(va, &set->list, list)
        if (va->kind != VMAP_BUSY && va->kind != VMAP_LAZY)
            return vmap_broken("V1: busy: [%#lx, %#lx) is of kind %u", va->va_start, va->va_end,
                               va->kind);
    return NULL;
}

const char *area_set_check_free(const struct area_set *set)
{
    const struct vmap_area *va, *last = NULL;

    list_for_each_entry(va, &set->list, list) {
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
