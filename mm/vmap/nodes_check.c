// SPDX-License-Identifier: MIT
/*
 * Is the nodes design sound? The free tree as in freetree; then each node: its busy areas (V2, V1), each
 * of them in the node of its address (V6 would miss it), its lazy list, its pools (every range of a pool has
 * exactly the pool's size, and the pool knows how many). Lists are followed no further than there are
 * descriptors: a broken one is an answer, not a hang. That the ranges tile the space is check.c's part.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/check.c, what is verified for every design.
 */
#include "mm/vmap/nodes.h"

/* Links agree in both directions and lead back to the head; *length elements of that kind. */
static const char *check_list(const struct vmap_space *space, const struct list_head *head,
                              enum vmap_kind kind, const char *name, u64 *length)
{
    const struct list_head *pos = head;

    for (*length = 0; pos->next != head; ++*length) {
        const struct vmap_area *va = list_entry(pos->next, struct vmap_area, list);

        if (*length == space->stats.nodes || pos->next->prev != pos)
            return vmap_broken("V1: the %s list is no list behind its element %lu", name, *length);
        if (va->kind != kind)
            return vmap_broken("V1: %s: [%#lx, %#lx) is of kind %u", name, va->va_start, va->va_end,
                               va->kind);
        pos = pos->next;
    }
    if (head->prev != pos)
        return vmap_broken("V1: the %s list does not end where it ends", name);
    return NULL;
}

static const char *check_pool(const struct vmap_space *space, const struct vmap_pool *pool,
                              u64 pages, unsigned node)
{
    const struct vmap_area *va;
    u64 length;
    const char *broken = check_list(space, &pool->areas, VMAP_CACHED, "pool", &length);

    if (broken)
        return broken;
    if (length != pool->length)
        return vmap_broken("V4: node %u has %lu ranges of %lu pages in its pool, and counts %lu",
                           node, length, pages, pool->length);
    list_for_each_entry(va, &pool->areas, list) {
        if (vmap_area_size(va) != pages << PAGE_SHIFT)
            return vmap_broken("V4: [%#lx, %#lx) is in the pool for %lu pages", va->va_start,
                               va->va_end, pages);
        if (va->node != node + 1)
            return vmap_broken("V4: [%#lx, %#lx) is in a pool of node %u, and owned by %u - 1",
                               va->va_start, va->va_end, node, va->node);
    }
    return NULL;
}

static const char *check_homes(const struct area_set *busy, unsigned node)
{
    const struct vmap_area *va;

    list_for_each_entry(va, &busy->list, list) {
        if (va->node > NODES)
            return vmap_broken("V4: [%#lx, %#lx) is owned by node %u - 1", va->va_start, va->va_end,
                               va->node);
        if (node_of_address(va->va_start) != node)
            return vmap_broken("V6: busy [%#lx, %#lx) is kept by node %u", va->va_start, va->va_end,
                               node);
    }
    return NULL;
}

static u64 length_of(const struct list_head *list)
{
    const struct list_head *pos;
    u64 length = 0;

    list_for_each(pos, list)
        length++;
    return length;
}

/* Whatever waits for a flush waits in its owner's list as well: sound lists, equally many elements. */
static const char *check_lazy(const struct vmap_space *space, const struct nodes *nodes)
{
    u64 waiting = length_of(&space->lazy) + length_of(&space->purging), listed = 0;

    for (unsigned n = 0; n < NODES; n++)
        listed += length_of(&nodes->node[n].lazy);
    if (listed != waiting)
        return vmap_broken("V1: %lu ranges wait for a flush, %lu in the lists of the nodes",
                           waiting, listed);
    return NULL;
}

static const char *check_node(const struct vmap_space *space, unsigned n)
{
    const struct nodes *nodes = space->state;
    const struct area_set *busy = &nodes->node[n].busy;
    const char *broken = area_set_check_tree(space, "busy", busy, NULL);
    u64 unused;

    if (!broken)
        broken = area_set_check_order("busy", busy);
    if (!broken)
        broken = area_set_check_busy(busy);
    if (!broken)
        broken = check_homes(busy, n);
    if (!broken)
        broken = check_list(space, &nodes->node[n].lazy, VMAP_LAZY, "lazy", &unused);
    for (unsigned i = 0; i < NODE_POOLS && !broken; i++)
        broken = check_pool(space, &nodes->pool[i][n], i + 1, n);
    return broken;
}

const char *nodes_check(struct vmap_space *space)
{
    const struct nodes *nodes = space->state;
    const char *broken = area_set_check_tree(space, "free", &nodes->global.free, &freetree_augment);

    if (!broken)
        broken = area_set_check_order("free", &nodes->global.free);
    if (!broken)
        broken = area_set_check_free(&nodes->global.free);
    for (unsigned n = 0; n < NODES && !broken; n++)
        broken = check_node(space, n);
    return broken ? broken : check_lazy(space, nodes);
}
