// SPDX-License-Identifier: MIT
/*
 * The design of Linux 2.6.28 to 5.1 (Piggin, 2008; commit db64fe02258f): the used areas are also in a
 * red-black tree, so that vfree() and a page fault find theirs in O(log n). A hole is still what nobody
 * has, and finding one is still a walk over used areas. Two designs here: `busytree28` as it began, and
 * `busytree` with the hint of 2.6.39 (89699605fe7c), which remembers where the last walk ended.
 *
 * Owns struct busytree. No lock of its own: space->lock is held around every call. Keeps V1, V2, V7; V5
 * by construction, a gap has no descriptor. Read next: busytree_check.c; freetree.c, the successor.
 */
#include "mm/vmap/busytree.h"
#include "lib/errno.h"
#include "mm/vmap/gaps.h"

/*
 *  page  0    2       5        8  9      11              16
 *        |####|.......|########|..|######|...............|      # used    . nobody's
 *
 *   used, a tree by address ...        ... and a list by address
 *
 *             [5,8)
 *            /     \                   [0,2) <-> [5,8) <-> [9,11)
 *       [0,2)       [9,11)
 *
 * Four pages anywhere: walk the list and look at the gap in front of each area, [2,5), then [8,9), then
 * what is behind the last, [11,16): it fits, and [11,15) is the answer. The tree is of no help in that.
 * It says where to begin, when the request has a lower limit, and it finds the area of an address.
 *
 * What came with it in 2008: the same change made the TLB flush lazy. A freed area stays where it is,
 * marked, until one flush serves many (kind LAZY here). So the tree holds n used areas and h lazily freed
 * ones, each search walks past both, and every vmalloc() of a GFS2 user became slow. Hence the hint:
 *
 *        |####|.......|########|..|######|%%%%%%%%%%%|...|      [11,15) is the newest: `cache`
 *                                                    ^
 *             cached_vstart = 0, cached_hole_size = 3 pages, cached_align = 1 page
 *
 * "Below the end of `cache` there are only holes of 3 pages and less." A request for 4 more goes straight
 * to the ^, in O(1). A request for 2 does not trust the hint, starts from the bottom and finds [2,5).
 *
 * What was wrong with it: O(n + h) as soon as the hint is not trusted, and it takes one small or less
 * aligned request between the others to lose it. With sizes and alignments mixed, every second request
 * walks over thousands of areas; that is what freelist and freetree were written against.
 *
 * Here the hint never costs the lowest address (V7). Linux's did: it went to the hint when the size was
 * not *less* than cached_hole_size, and so passed over a hole of exactly the size asked for. That was right
 * while a hole had to be larger than the request, and stayed when the walk began to accept equal ones.
 */

static inline struct busytree *tree_of(const struct vmap_space *space)
{
    return space->state;
}

static int busytree_init(struct vmap_space *space)
{
    struct busytree *tree = tree_of(space);

    *tree = (struct busytree){0};
    area_set_init(&tree->busy);
    space->stats.free_extents = 1;
    return 0;
}

static void busytree_fini(struct vmap_space *space)
{
    area_set_free_all(space, &tree_of(space)->busy);
    tree_of(space)->cache = NULL;
}

/*
 * May this request begin behind `cache`? Only if the promise covers it: no smaller than the holes that were
 * passed over (an equal one would fit), no lower and no less aligned than what the walk looked at; and if
 * it leads to where the request wants to be, instead of a long way below.
 */
static bool hint_covers(const struct busytree *tree, u64 size, u64 align, vaddr_t lo)
{
    vaddr_t start;

    return tree->cache && size > tree->cached_hole_size && lo >= tree->cached_vstart &&
           align >= tree->cached_align && align_up_checked(tree->cache->va_end, align, &start) &&
           start >= lo;
}

/*
 * Walk: from a list position up, the first gap that fits; its position, or NULL when there is none below
 * hi. *largest_hole grows to the largest one passed over, measured from its first aligned address.
 */
static struct list_head *walk(struct vmap_space *space, struct list_head *pos, u64 size, u64 align,
                              vaddr_t lo, vaddr_t hi, vaddr_t *start, u64 *largest_hole)
{
    struct list_head *areas = &tree_of(space)->busy.list;
    vaddr_t from = gap_start(space, areas, pos);

    for (;; from = to_area(pos)->va_end, pos = pos->next) {
        vaddr_t to = gap_end(space, areas, pos), aligned;

        space->stats.visited++;
        STEP(LOOK, from, to);
        if (vmap_fit(from, to, size, align, lo, hi, start)) {
            STEP(TAKE, from, to, *start, size);
            return pos;
        }
        if (pos == areas || to >= hi) {
            STEP(NO_ROOM, size);
            return NULL;
        }
        if (align_up_checked(max_u64(from, lo), align, &aligned) && aligned < to)
            *largest_hole = max_u64(*largest_hole, to - aligned);
    }
}

/* 2.6.28: down the tree to the first area above lo, and from there along the list. */
static struct list_head *walk_from_lo(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                      vaddr_t hi, vaddr_t *start, u64 *largest_hole)
{
    struct area_set *busy = &tree_of(space)->busy;
    struct list_head *pos = area_set_first_above(busy, lo, &space->stats.visited);

    STEP(DESCEND, gap_start(space, &busy->list, pos), space->stats.visited);
    return walk(space, pos, size, align, lo, hi, start, largest_hole);
}

/*
 * 2.6.39:
 *   1. If the hint covers the request, walk from behind `cache`. What it has seen is still true then, and
 *      what this walk sees is added to it.
 *   2. Otherwise the hint is void, and the walk from lo makes a new one.
 *   3. In either case it now speaks of the range from lo on, and of this alignment; both only became
 *      narrower, so the largest hole of before remains an upper bound.
 */
static struct list_head *walk_with_hint(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                        vaddr_t hi, vaddr_t *start)
{
    struct busytree *tree = tree_of(space);
    bool covered = hint_covers(tree, size, align, lo);

    tree->cached_vstart = lo;
    tree->cached_align = align;
    if (covered)
        STEP(HINT_HIT, tree->cache->va_end);
    if (covered)
        return walk(space, tree->cache->list.next, size, align, lo, hi, start,
                    &tree->cached_hole_size);
    tree->cache = NULL;
    tree->cached_hole_size = 0;
    return walk_from_lo(space, size, align, lo, hi, start, &tree->cached_hole_size);
}

static void enter(struct vmap_space *space, struct vmap_area *area, struct list_head *pos,
                  vaddr_t start, u64 size)
{
    struct busytree *tree = tree_of(space);

    gap_count_take(space, &tree->busy.list, pos, start, size);
    area->va_start = start;
    area->va_end = start + size;
    area->kind = VMAP_BUSY;
    insert_vmap_area(area, &tree->busy);
}

/* 1. The descriptor. 2. Walk to the first gap that fits. 3. Enter the area into tree and list. */
static int busytree28_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                            struct vmap_area **out)
{
    struct vmap_area *area = vmap_node_alloc(space);
    struct list_head *pos;
    u64 unused = 0;
    vaddr_t start;

    if (!area)
        return -ENOMEM;
    space->stats.visited = 0;
    STEP(SEARCH, size, align, lo, hi);
    pos = walk_from_lo(space, size, align, lo, hi, &start, &unused);
    if (!pos) {
        vmap_node_free(space, area);
        return -ENOSPC;
    }
    enter(space, area, pos, start, size);
    *out = area;
    return 0;
}

/* The same, and 4. remember it: no gap below its end had room for this request. */
static int busytree_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                          struct vmap_area **out)
{
    struct vmap_area *area = vmap_node_alloc(space);
    struct list_head *pos;
    vaddr_t start;

    if (!area)
        return -ENOMEM;
    space->stats.visited = 0;
    STEP(SEARCH, size, align, lo, hi);
    pos = walk_with_hint(space, size, align, lo, hi, &start);
    if (!pos) {
        vmap_node_free(space, area);
        return -ENOSPC;
    }
    enter(space, area, pos, start, size);
    tree_of(space)->cache = area;
    *out = area;
    return 0;
}

/* A hole appears or widens behind the end of `below` (NULL: at the start of the space). If that is inside
 * of what the hint speaks about, let the hint end there: the next walk begins with this hole. */
static void pull_hint_back(struct busytree *tree, struct vmap_area *below, vaddr_t hole_start)
{
    if (tree->cache && hole_start <= tree->cache->va_start)
        tree->cache = below;
}

static void busytree_free(struct vmap_space *space, struct vmap_area *area)
{
    struct busytree *tree = tree_of(space);
    struct list_head *areas = &tree->busy.list, *before = area->list.prev;

    gap_count_give(space, areas, area);
    pull_hint_back(tree, before == areas ? NULL : to_area(before), area->va_start);
    unlink_va(area, &tree->busy, NULL);
    vmap_node_free(space, area);
}

static struct vmap_area *busytree_find(struct vmap_space *space, vaddr_t addr)
{
    return area_set_find(&tree_of(space)->busy, addr);
}

static void busytree_for_each(struct vmap_space *space, enum vmap_kind kind,
                              bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct busytree *tree = tree_of(space);

    if (kind == VMAP_FREE)
        gaps_for_each(space, &tree->busy.list, visit, ctx);
    else if (kind == VMAP_BUSY)
        area_set_for_each(&tree->busy, visit, ctx);
}

static int busytree_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    struct busytree *tree = tree_of(space);

    pull_hint_back(tree, area, new_end);
    gaps_shrink(space, &tree->busy.list, area, new_end);
    return 0;
}

static int busytree_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return gaps_grow(space, &tree_of(space)->busy.list, area, new_end);
}

static struct rb_root *busytree_no_root(struct vmap_space *space)
{
    (void)space;
    return NULL;
}

static struct rb_root *busytree_root(struct vmap_space *space)
{
    return &tree_of(space)->busy.root;
}

#define BUSYTREE_OPERATIONS                                                                        \
    .caps = VMAP_CAP_LOWEST_FIT, .state_size = sizeof(struct busytree), .init = busytree_init,     \
    .fini = busytree_fini, .free = busytree_free, .find = busytree_find,                           \
    .for_each = busytree_for_each, .check = busytree_check, .shrink = busytree_shrink,             \
    .grow = busytree_grow, .free_root = busytree_no_root, .busy_root = busytree_root

const struct vmap_design vmap_busytree28 = {
    .name = "busytree28",
    .since = "Linux 2.6.28, 2008",
    .origin = "used areas in an rbtree and a list, walk for a hole (Piggin, db64fe02258f)",
    .alloc = busytree28_alloc,
    BUSYTREE_OPERATIONS,
};

const struct vmap_design vmap_busytree = {
    .name = "busytree",
    .since = "Linux 2.6.39 to 5.1, 2011",
    .origin = "the same, with a hint where the last walk ended (Piggin, 89699605fe7c)",
    .alloc = busytree_alloc,
    BUSYTREE_OPERATIONS,
};
