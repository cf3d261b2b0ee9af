// SPDX-License-Identifier: MIT
/*
 * The design of Linux 6.9 (Rezki, 2024; "Mitigate a vmap lock contention", v3 of 2 January 2024): the free
 * tree of 5.2, with everything in front of it dealt out to nodes, so that many CPUs seldom meet at one
 * lock. On one CPU no lock is contended; what can be seen here is the other half of the design, ranges of
 * each size kept ready, and what that costs and saves.
 *
 * Owns struct nodes. No lock of its own: space->lock is held around every call. Keeps V1, V2, V3, V5 (of
 * free ranges; a cached one may touch anything). Read next: nodes_check.c; freetree.c, which it builds on.
 */
#include "mm/vmap/nodes.h"
#include "lib/errno.h"
#include "mm/vmap/free_areas.h"
#include "mm/vmap/freetree_search.h"

/*
 * Who and why: with 64 threads on a Threadripper, 93 % of the time of a vmalloc benchmark went into waiting
 * for the locks of the free tree, the busy tree and the lazy list. With nodes it runs twelve times as fast.
 * On one thread, says the same letter, the gain is 3 %.
 *
 *  page   0         16        32        48        64        80
 *         |# # # # #|# #      |#   # # #|#        |#   #    |. . . . . . .      # used    . free
 *   node       0         1         2         3         0
 *
 *   node 0            node 1            node 2            node 3          each: a tree and a list of the
 *   busy: [0,2) ...   busy: [16,18) ..  busy: [32,34) ..  busy: [48,50)   used areas whose start is in
 *   lazy: [6,8)       lazy: -           lazy: -           lazy: -         its zones, and a lazy list
 *   pool:             pool:             pool:             pool:
 *     1 page   -        1 page   -        1 page   -        1 page   -
 *     2 pages  [20,22) -> [34,36)
 *     ...               ...               ...               ...           of each size, 1 to 256 pages,
 *     256      -        256      -        256      -        256      -    a list of ranges kept ready
 *
 *                          one global free tree, as in freetree
 *
 *   busy   belongs to the node of its address: (start / 16 pages) mod nodes. A lookup goes there at once.
 *   lazy   goes to the node that it was allocated for, that of the allocating CPU.
 *   pool   is filled by the purge: what has been flushed goes into its node's pool of exactly its size, and
 *          does not go near the free tree. The next request of that size takes it: no search, no carving,
 *          no descriptor, no merging. O(1).
 *   decay  each purge first moves a quarter of every pool to the free tree, so that a size that nobody asks
 *          for any more gives its addresses back in the end (all but three of them).
 *
 * Two pages, in the picture: pool 2 of node 0 has [20,22): done. Three pages: the pool is empty, so the free
 * tree is searched. Two pages aligned to 16: [20,22) does not do; it goes to the end of its list, and the
 * free tree is searched. One look, not a search, is what the pool is worth.
 *
 * What is wrong with it: the lowest address is no promise any more (no V7), and cached ranges do not merge,
 * so a pool full of twos is no room for a four. That is made good when there is no room at all: then every
 * pool is emptied, and the search repeated. A pool knows no limit but the decay. It is filled by the purge
 * alone, so who never frees enough for a purge never sees one. And an address that belongs to nobody is
 * looked for in every node. What is left out here is what one CPU cannot show: a lock in each part, and
 * purging the nodes in parallel. (Linux, on one CPU, has one node and no pools at all.)
 */

static inline struct nodes *nodes_of(const struct vmap_space *space)
{
    return space->state;
}

static inline struct vmap_node *home_of(struct vmap_space *space, vaddr_t addr)
{
    return &nodes_of(space)->node[node_of_address(addr)];
}

/* Where a freed area waits, and whose pool it fills: the node that it was allocated for, if any. */
static inline struct vmap_node *owner_of(struct vmap_space *space, const struct vmap_area *area)
{
    return area->node ? &nodes_of(space)->node[area->node - 1] : home_of(space, area->va_start);
}

static int nodes_init(struct vmap_space *space)
{
    struct nodes *nodes = nodes_of(space);

    for (unsigned n = 0; n < NODES; n++) {
        area_set_init(&nodes->node[n].busy);
        list_init(&nodes->node[n].lazy);
        for (unsigned i = 0; i < NODE_POOLS; i++) {
            list_init(&nodes->pool[i][n].areas);
            nodes->pool[i][n].length = 0;
        }
    }
    return free_areas_init(space, &freetree_augment);
}

/* ---- pools -------------------------------------------------------------------------------------------- */

/* NULL: there is no pool for ranges as large as that. */
static inline struct vmap_pool *pool_of(struct vmap_space *space, unsigned node, u64 size)
{
    u64 pages = size >> PAGE_SHIFT;

    return pages <= NODE_POOLS ? &nodes_of(space)->pool[pages - 1][node] : NULL;
}

static inline struct vmap_area *pool_first(const struct vmap_pool *pool)
{
    return list_entry(pool->areas.next, struct vmap_area, list);
}

static void pool_add(struct vmap_space *space, struct vmap_pool *pool, struct vmap_area *area)
{
    STEP(POOL_ADD, area->va_start, area->va_end);
    area->kind = VMAP_CACHED;
    list_add(&area->list, &pool->areas);
    pool->length++;
    space->stats.cached_areas++;
    space->stats.cached_bytes += vmap_area_size(area);
}

static void pool_remove(struct vmap_space *space, struct vmap_pool *pool, struct vmap_area *area)
{
    list_del(&area->list);
    pool->length--;
    space->stats.cached_areas--;
    space->stats.cached_bytes -= vmap_area_size(area);
}

/* The range on top, if its alignment does; otherwise the next request shall see another one. */
static struct vmap_area *pool_take(struct vmap_space *space, unsigned node, u64 size, u64 align)
{
    struct vmap_pool *pool = pool_of(space, node, size);
    struct vmap_area *area;

    if (!pool || list_empty(&pool->areas)) {
        STEP(POOL_MISS, size, 0);
        return NULL;
    }
    space->stats.visited++;
    area = pool_first(pool);
    if (is_aligned(area->va_start, align)) {
        STEP(POOL_HIT, area->va_start, area->va_end);
        pool_remove(space, pool, area);
        return area;
    }
    STEP(POOL_MISS, size, 1);
    list_del(&area->list);
    list_add_tail(&area->list, &pool->areas);
    return NULL;
}

/* The first `count` ranges of a pool go to the free tree and merge. */
static void pool_release(struct vmap_space *space, struct vmap_pool *pool, u64 count)
{
    while (count--) {
        struct vmap_area *area = pool_first(pool);

        STEP(POOL_DROP, area->va_start, area->va_end);
        pool_remove(space, pool, area);
        merge_or_add_vmap_area(space, area, &freetree_augment);
    }
}

/* 1/2^shift of each pool, rounded down: at 2, pools of three and less stay as they are. */
static void release_part_of_pools(struct vmap_space *space, unsigned shift)
{
    struct vmap_pool *pool = nodes_of(space)->pool[0];

    for (unsigned i = 0; i < NODE_POOLS * NODES && space->stats.cached_areas; i++, pool++)
        pool_release(space, pool, pool->length >> shift);
}

static void nodes_drain(struct vmap_space *space)
{
    release_part_of_pools(space, 0);
}

/* Decay, before the purge fills them again. */
static void nodes_purge(struct vmap_space *space)
{
    release_part_of_pools(space, 2);
}

static void nodes_cached(struct vmap_space *space, struct list_head *out)
{
    struct vmap_pool *pool = nodes_of(space)->pool[0];
    struct vmap_area *area;

    for (unsigned i = 0; i < NODE_POOLS * NODES; i++, pool++)
        list_for_each_entry(area, &pool->areas, list)
            list_add_tail(&area->purge, out);
}

static void nodes_fini(struct vmap_space *space)
{
    struct nodes *nodes = nodes_of(space);

    nodes_drain(space);
    for (unsigned n = 0; n < NODES; n++)
        area_set_free_all(space, &nodes->node[n].busy);
    free_areas_fini(space);
}

/* ---- alloc and free ------------------------------------------------------------------------------------ */

static struct vmap_area *search(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                vaddr_t hi, vaddr_t *start)
{
    struct vmap_area *va;

    STEP(SEARCH, size, align, lo, hi);
    va = search_free_tree(&nodes_of(space)->global.free, size, size, align, lo,
                          &space->stats.visited, start);
    if (va && (*start >= hi || hi - *start < size))
        va = NULL;
    if (va)
        STEP(TAKE, va->va_start, va->va_end, *start, size);
    else
        STEP(NO_ROOM, size);
    return va;
}

/* Search, and when that finds nothing, once more after the pools have given up what they hold. */
static int carve_lowest(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                        vaddr_t *start)
{
    struct vmap_area *hole = search(space, size, align, lo, hi, start);

    if (!hole && space->stats.cached_areas) {
        nodes_drain(space);
        hole = search(space, size, align, lo, hi, start);
    }
    return hole ? adjust_va_to_fit_type(space, hole, *start, size, &freetree_augment) : -ENOSPC;
}

static int from_global(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                       struct vmap_area **out)
{
    struct vmap_area *area = vmap_node_alloc(space);
    vaddr_t start;
    int error;

    if (!area)
        return -ENOMEM;
    error = carve_lowest(space, size, align, lo, hi, &start);
    if (error) {
        vmap_node_free(space, area);
        return error;
    }
    area->va_start = start;
    area->va_end = start + size;
    *out = area;
    return 0;
}

/*
 * 1. Who may have any address takes a range of that size from this CPU's pool. 2. Otherwise, or when there
 * is none, the global free tree, as in freetree. 3. Enter it as busy, at the node of its address; remember
 * whose pool it will go to, which is nobody's if the request was for a window.
 */
static int nodes_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                       struct vmap_area **out)
{
    bool anywhere = lo == space->start && hi == space->end;
    unsigned node = cpu_id() % NODES;

    space->stats.visited = 0;
    *out = anywhere ? pool_take(space, node, size, align) : NULL;
    if (!*out) {
        int error = from_global(space, size, align, lo, hi, out);
        if (error)
            return error;
    }
    (*out)->kind = VMAP_BUSY;
    (*out)->node = (u16)(anywhere ? node + 1 : 0);
    insert_vmap_area(*out, &home_of(space, (*out)->va_start)->busy);
    return 0;
}

static void nodes_retire(struct vmap_space *space, struct vmap_area *area)
{
    unlink_va(area, &home_of(space, area->va_start)->busy, NULL);
    list_add_tail(&area->list, &owner_of(space, area)->lazy);
}

/* From its lazy list into its pool; what never waited, has no owner or is too large goes to the free tree. */
static void nodes_free(struct vmap_space *space, struct vmap_area *area)
{
    struct vmap_pool *pool = NULL;

    if (area->kind == VMAP_BUSY) {
        unlink_va(area, &home_of(space, area->va_start)->busy, NULL);
    } else {
        list_del(&area->list);
        if (area->node)
            pool = pool_of(space, area->node - 1U, vmap_area_size(area));
    }
    if (pool)
        pool_add(space, pool, area);
    else
        merge_or_add_vmap_area(space, area, &freetree_augment);
}

/* The node of the address; if it is not there, it may lie inside of an area that starts in another one's
 * zone, most likely in the one before. */
static struct vmap_area *nodes_find(struct vmap_space *space, vaddr_t addr)
{
    struct vmap_area *area = NULL;

    for (unsigned i = 0; i < NODES && !area; i++)
        area = area_set_find(
            &nodes_of(space)->node[(node_of_address(addr) + NODES - i) % NODES].busy, addr);
    return area;
}

static int nodes_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return free_areas_shrink(space, area, new_end, &freetree_augment);
}

/* What is behind may be in a pool. */
static int nodes_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    int error = free_areas_grow(space, area, new_end, &freetree_augment);

    if (error != -ENOSPC || !space->stats.cached_areas)
        return error;
    nodes_drain(space);
    return free_areas_grow(space, area, new_end, &freetree_augment);
}

/* ---- visits -------------------------------------------------------------------------------------------- */

/* Of all nodes, in address order: NODES lists side by side, always the lowest of their first elements. */
static void for_each_busy(struct vmap_space *space,
                          bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct vmap_node *node = nodes_of(space)->node;
    const struct list_head *at[NODES];

    for (unsigned n = 0; n < NODES; n++)
        at[n] = node[n].busy.list.next;
    for (;;) {
        const struct vmap_area *lowest = NULL;
        unsigned which = 0;

        for (unsigned n = 0; n < NODES; n++) {
            const struct vmap_area *area = list_entry(at[n], struct vmap_area, list);

            if (at[n] != &node[n].busy.list && (!lowest || area->va_start < lowest->va_start)) {
                lowest = area;
                which = n;
            }
        }
        if (!lowest)
            return;
        at[which] = at[which]->next;
        if (!visit(ctx, lowest))
            return;
    }
}

static void nodes_for_each(struct vmap_space *space, enum vmap_kind kind,
                           bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    if (kind == VMAP_FREE)
        area_set_for_each(&nodes_of(space)->global.free, visit, ctx);
    else if (kind == VMAP_BUSY)
        for_each_busy(space, visit, ctx);
}

/* There are as many as nodes: no single tree to draw. */
static struct rb_root *no_busy_root(struct vmap_space *space)
{
    (void)space;
    return NULL;
}

const struct vmap_design vmap_nodes = {
    .name = "nodes",
    .since = "Linux 6.9, 2024",
    .origin = "freetree behind nodes: busy trees, lazy lists, pools by exact size (Rezki)",
    .caps = VMAP_CAP_AUGMENTED | VMAP_CAP_FREE_TREE,
    .state_size = sizeof(struct nodes),
    .init = nodes_init,
    .fini = nodes_fini,
    .alloc = nodes_alloc,
    .retire = nodes_retire,
    .free = nodes_free,
    .find = nodes_find,
    .for_each = nodes_for_each,
    .check = nodes_check,
    .shrink = nodes_shrink,
    .grow = nodes_grow,
    .drain = nodes_drain,
    .purge = nodes_purge,
    .cached = nodes_cached,
    .free_root = free_areas_free_root,
    .busy_root = no_busy_root,
};
