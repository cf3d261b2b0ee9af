// SPDX-License-Identifier: MIT
/*
 * Is the avlhash sound? The tree first (V2), then the list, which must tile [start, frontier) (V4, V5);
 * then the tree against the list and the hash against the list (V1). Each step may rely on what the one
 * before has shown, and each is bounded by the number of descriptors: however broken the structures are,
 * none of them hangs. Every failure is a sentence with the invariant's number and the addresses.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/check.c, what is verified for every design.
 */
#include "mm/vmap/avlhash.h"
#include "mm/vmap/gaps.h"

static const char *check_tree(const struct vmap_space *space, const struct avlhash *hash)
{
    const struct avl_node *where;
    enum avl_problem problem = avl_check(&hash->used, space->stats.nodes, &where);

    if (problem == AVL_OK)
        return NULL;
    return vmap_broken("V2: used tree: %s, at [%#lx, %#lx)", avl_problem_name(problem),
                       avl_to_va(where)->va_start, avl_to_va(where)->va_end);
}

/* One area of the list, which the one before (NULL: none) ends at `cursor`. */
static const char *check_area(const struct vmap_area *area, const struct vmap_area *last,
                              vaddr_t cursor)
{
    if (area->kind != VMAP_FREE && area->kind != VMAP_BUSY && area->kind != VMAP_LAZY)
        return vmap_broken("V1: list: [%#lx, %#lx) is of kind %u", area->va_start, area->va_end,
                           area->kind);
    if (area->va_start >= area->va_end)
        return vmap_broken("V4: list: [%#lx, %#lx) is empty", area->va_start, area->va_end);
    if (last && last->va_start >= area->va_start)
        return vmap_broken("V1: list: [%#lx, %#lx) comes before [%#lx, %#lx)", last->va_start,
                           last->va_end, area->va_start, area->va_end);
    if (area->va_start != cursor)
        return vmap_broken("V4: list: [%#lx, %#lx) does not begin at %#lx, where the one before it"
                           " ends",
                           area->va_start, area->va_end, cursor);
    if (last && last->kind == VMAP_FREE && area->kind == VMAP_FREE)
        return vmap_broken("V5: unused [%#lx, %#lx) and [%#lx, %#lx) touch, but are not merged",
                           last->va_start, last->va_end, area->va_start, area->va_end);
    return NULL;
}

static const char *check_frontier(const struct vmap_space *space, const struct avlhash *hash,
                                  const struct vmap_area *last, vaddr_t cursor)
{
    if (cursor != hash->frontier || hash->frontier > space->end)
        return vmap_broken("V4: the areas end at %#lx, the frontier is %#lx", cursor,
                           hash->frontier);
    if (last && last->kind == VMAP_FREE && hash->policy.frontier == AVLHASH_FRONTIER_LOWERED)
        return vmap_broken("V5: unused [%#lx, %#lx) touches the frontier", last->va_start,
                           last->va_end);
    return NULL;
}

/* The links agree with each other, and the areas tile [start, frontier). */
static const char *check_list(const struct vmap_space *space, const struct avlhash *hash)
{
    const struct list_head *pos = &hash->all;
    const struct vmap_area *last = NULL;
    vaddr_t cursor = space->start;

    for (u64 left = space->stats.nodes; pos->next != &hash->all; left--, pos = pos->next) {
        const struct vmap_area *area = to_area(pos->next);
        const char *broken;

        if (left == 0)
            return vmap_broken("V1: the list has more elements than there are descriptors (%lu)",
                               space->stats.nodes);
        if (pos->next->prev != pos)
            return vmap_broken("V1: list: [%#lx, %#lx) does not point back to the element before"
                               " it",
                               area->va_start, area->va_end);
        broken = check_area(area, last, cursor);
        if (broken)
            return broken;
        cursor = area->va_end;
        last = area;
    }
    if (hash->all.prev != pos)
        return vmap_broken("V1: the head of the list does not point to the last element");
    return check_frontier(space, hash, last, cursor);
}

/* The used elements of the list, and the nodes of the tree in order: the same. Both walks end, because both
 * structures have been found sound. */
static const char *check_used(const struct avlhash *hash)
{
    const struct avl_node *node = avl_first(&hash->used);
    const struct vmap_area *area;

    list_for_each_entry(area, &hash->all, list) {
        if (area->kind == VMAP_FREE)
            continue;
        if (node != &area->avl_node)
            return vmap_broken("V1: the list's used [%#lx, %#lx) is not the tree's next node",
                               area->va_start, area->va_end);
        node = avl_next(node);
    }
    if (node)
        return vmap_broken("V1: the tree goes on with [%#lx, %#lx) where the list ends",
                           avl_to_va(node)->va_start, avl_to_va(node)->va_end);
    return NULL;
}

/* A set of descriptors, told by its size and the sum of its addresses. */
struct census {
    u64 count, sum;
};

static void count_in(struct census *census, const struct vmap_area *area)
{
    census->count++;
    census->sum += (u64)area;
}

/* One bucket: links agree, every element is unused and belongs here by its size. */
static const char *check_bucket(const struct avlhash *hash, unsigned bucket, u64 max_nodes,
                                struct census *census)
{
    struct hash_node *const *link = &hash->unused[bucket].first;

    for (; *link; link = &(*link)->next) {
        const struct vmap_area *area = hash_entry(*link, struct vmap_area, hash_node);

        if (census->count == max_nodes)
            return vmap_broken("V1: the hash has more elements than there are descriptors (%lu)",
                               max_nodes);
        if (area->hash_node.link != link)
            return vmap_broken("V1: hash: [%#lx, %#lx) does not point back to what points to it",
                               area->va_start, area->va_end);
        if (area->kind != VMAP_FREE)
            return vmap_broken("V1: hash: [%#lx, %#lx) is of kind %u", area->va_start, area->va_end,
                               area->kind);
        if (avlhash_bucket(hash, vmap_area_size(area)) != bucket)
            return vmap_broken("V1: hash: [%#lx, %#lx) is in bucket %u, its size belongs into %u",
                               area->va_start, area->va_end, bucket,
                               avlhash_bucket(hash, vmap_area_size(area)));
        count_in(census, area);
    }
    return NULL;
}

/* Each element is in one bucket only, since it points back to one place. So if the hash and the list have
 * equally many unused areas, and the same sum of addresses, then they have the same. */
static const char *check_hash(const struct vmap_space *space, const struct avlhash *hash)
{
    struct census listed = {0}, hashed = {0};
    const struct vmap_area *area;

    for (unsigned i = 0; i < AVLHASH_BUCKETS; i++) {
        const char *broken = check_bucket(hash, i, space->stats.nodes, &hashed);

        if (broken)
            return broken;
    }
    list_for_each_entry(area, &hash->all, list)
        if (area->kind == VMAP_FREE)
            count_in(&listed, area);
    if (listed.count != hashed.count || listed.sum != hashed.sum)
        return vmap_broken("V1: %lu unused areas on the list, %lu in the hash%s", listed.count,
                           hashed.count,
                           listed.count == hashed.count ? ", and not the same ones" : "");
    return NULL;
}

const char *avlhash_check(struct vmap_space *space)
{
    const struct avlhash *hash = space->state;
    const char *broken = check_tree(space, hash);

    if (!broken)
        broken = check_list(space, hash);
    if (!broken)
        broken = check_used(hash);
    return broken ? broken : check_hash(space, hash);
}
