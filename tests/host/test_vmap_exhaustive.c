// SPDX-License-Identifier: MIT
/*
 * Not some runs but all of them, in a small space. Two explorations, each breadth first from the empty
 * space until no operation leads to a state that has not been seen; and an inductive step.
 *
 *   free side   the free tree of freetree in every layout, tree shape and colouring that can come up in
 *               VMAP_PAGES pages (12); from each, every alloc(size, align), with and without failure of
 *               each descriptor, and every free of every used subrange. Every window in fewer pages.
 *   both sides  every state of every design, busy areas and their tree included, in fewer pages;
 *               every alloc, every free, every resize.
 *   every tree  any valid free tree of up to VMAP_EXTENTS ranges (10), reachable or not: every carve
 *               of each range, every merge at each gap.
 *
 * After each operation: the answer is the one that a page bitmap gives, the layout is the bitmap, and
 * all invariants hold. In VMAP_PAGES=14 pages that takes a minute.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/vmap/avlhash.h"
#include "mm/vmap/busytree.h"
#include "mm/vmap/freetree.h"
#include "mm/vmap/lazy.h"
#include "mm/vmap/nodes.h"
#include "tests/host/rbtree_shapes.h"

#define BASE                                                                                       \
    (0x10000UL * PAGE_SIZE + 11 * PAGE_SIZE) /* page 3 of 8: alignment matters; 5 before a zone */
#define DESCRIPTORS 40
#define SNAPSHOT_STATE 1536 /* of a state, how much is copied: pools for 8 pages */
#define SNAPSHOT_SIZE (offsetof(struct world, state) + SNAPSHOT_STATE)
#define PAGES_MAX 16

static unsigned pages; /* of the space */
static u64 states, operations, answers_no_room, answers_no_memory;

/* ---- descriptors at fixed places, so that a state can be copied and put back ------------------- */

static struct world {
    struct vmap_space space;
    struct vmap_area nodes[DESCRIPTORS];
    u64 nodes_used; /* a bit each */
    union {         /* last: of the pools behind the first ones, nothing changes */
        struct freetree freetree;
        struct nodes nodes;
        u8 bytes[SNAPSHOT_STATE];
    } state;
} world;

static void *node_alloc(void *ctx)
{
    unsigned n = (unsigned)__builtin_ctzll(~world.nodes_used);

    assert_true(n < DESCRIPTORS);
    world.nodes_used |= 1UL << n;
    return &world.nodes[n];
}

static void node_free(void *ctx, void *node)
{
    u64 bit = 1UL << ((struct vmap_area *)node - world.nodes);

    assert_true(world.nodes_used & bit);
    world.nodes_used &= ~bit;
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

static void open_world(const struct vmap_design *design, unsigned space_pages)
{
    memset(&world, 0, sizeof(world));
    pages = space_pages;
    states = operations = answers_no_room = answers_no_memory = 0;
    assert_true(design->state_size <= sizeof(world.state));
    assert_int_equal(vmap_space_init(&world.space, "all", design, BASE, BASE + pages * PAGE_SIZE,
                                     &world.state, &node_ops, NULL),
                     0);
}

/* ---- the model: a bit for each free page ------------------------------------------------------ */

static u64 mask(unsigned first, unsigned count)
{
    return ((1UL << count) - 1) << first;
}

/* The lowest page where `size` free pages fit, aligned to `align` pages, in [lo, hi); -1: none. */
static int model_lowest(u64 free, unsigned size, unsigned align, unsigned lo, unsigned hi)
{
    for (unsigned at = lo; at + size <= hi; at++)
        if ((at + (BASE >> PAGE_SHIFT)) % align == 0 && (free & mask(at, size)) == mask(at, size))
            return (int)at;
    return -1;
}

static bool add_pages(void *ctx, const struct vmap_area *area)
{
    u64 *bits = ctx;

    *bits |= mask((unsigned)((area->va_start - BASE) >> PAGE_SHIFT),
                  (unsigned)(vmap_area_size(area) >> PAGE_SHIFT));
    return true;
}

static u64 free_pages_of_space(void)
{
    u64 bits = 0;

    vmap_space_for_each(&world.space, VMAP_FREE, add_pages, &bits);
    vmap_space_for_each(&world.space, VMAP_CACHED, add_pages, &bits);
    return bits;
}

static void must_be_sound(u64 free)
{
    const char *broken = vmap_space_check(&world.space);

    operations++;
    if (broken)
        fail_msg("%s", broken);
    assert_int_equal(free_pages_of_space(), free);
}

/*
 * One alloc in the present state, whose free pages are `free`; descriptor number `fail_node` fails
 * (0: none). Returns the area or NULL.
 */
static struct vmap_area *check_alloc(u64 free, unsigned size, unsigned align, unsigned lo,
                                     unsigned hi, unsigned fail_node)
{
    int expected = model_lowest(free, size, align, lo, hi), error;
    u64 nodes = world.space.stats.nodes;
    struct vmap_area *area;
    unsigned at;
    bool failed;

    if (fail_node)
        fail_arm(FAIL_NODE, fail_node, false);
    error = vmap_space_alloc(&world.space, size * PAGE_SIZE, align * PAGE_SIZE,
                             BASE + lo * PAGE_SIZE, BASE + hi * PAGE_SIZE, 0, &area);
    failed = fail_node && fail_count(FAIL_NODE);
    fail_disarm(FAIL_NODE);
    assert_int_equal(error, failed ? -ENOMEM : expected < 0 ? -ENOSPC : 0);
    if (error) {
        answers_no_memory += error == -ENOMEM;
        answers_no_room += error == -ENOSPC;
        if (!world.space.design->cached) /* a drain in between merges */
            assert_int_equal(world.space.stats.nodes, nodes);
        must_be_sound(free);
        return NULL;
    }
    if (world.space.design->caps & VMAP_CAP_LOWEST_FIT)
        assert_int_equal(area->va_start, BASE + (u64)expected * PAGE_SIZE);
    assert_int_equal(vmap_area_size(area), size * PAGE_SIZE);
    at = (unsigned)((area->va_start - BASE) >> PAGE_SHIFT);
    assert_true(at >= lo && at + size <= hi && is_aligned(area->va_start, align * PAGE_SIZE));
    assert_int_equal(free & mask(at, size), mask(at, size));
    must_be_sound(free & ~mask(at, size));
    return area;
}

/* ---- states that have been seen --------------------------------------------------------------- */

#define KEY_BYTES 56
#define TABLE_SIZE (1U << 20)

struct key {
    u8 length;
    u8 bytes[KEY_BYTES - 1];
};

static struct key *seen; /* in the order of discovery: also the queue */
static u32 *seen_table;  /* hash -> 1 + index in seen */
static u64 seen_limit;

static void forget_all(void)
{
    free(seen);
    free(seen_table);
    seen = NULL;
    seen_limit = 0;
    seen_table = calloc(TABLE_SIZE, sizeof(*seen_table));
}

static void key_put(struct key *key, unsigned byte)
{
    assert_true(key->length < sizeof(key->bytes));
    key->bytes[key->length++] = (u8)byte;
}

static bool key_is_new(const struct key *key)
{
    u64 hash = 14695981039346656037UL; /* FNV-1a */

    for (unsigned i = 0; i < key->length; i++)
        hash = (hash ^ key->bytes[i]) * 1099511628211UL;
    for (u64 at = hash >> 30;; at++) {
        u32 *slot = &seen_table[at % TABLE_SIZE];

        if (*slot && memcmp(&seen[*slot - 1], key, sizeof(*key)) == 0)
            return false;
        if (*slot)
            continue;
        assert_true(states < TABLE_SIZE / 2);
        if (states == seen_limit) {
            seen_limit = seen_limit ? 2 * seen_limit : 1024;
            seen = realloc(seen, seen_limit * sizeof(*seen));
        }
        seen[states] = *key;
        *slot = (u32)++states;
        return true;
    }
}

/* A tree, depth first: for each node its colour, its range, and which children follow. */
static void key_put_tree(struct key *key, const struct rb_node *node)
{
    const struct vmap_area *area = rb_entry(node, struct vmap_area, rb_node);

    key_put(key, (unsigned)rb_node_color(node) | (node->left ? 2U : 0) | (node->right ? 4U : 0));
    key_put(key, (unsigned)((area->va_start - BASE) >> PAGE_SHIFT) << 4 |
                     ((unsigned)(vmap_area_size(area) >> PAGE_SHIFT) - 1));
    if (node->left)
        key_put_tree(key, node->left);
    if (node->right)
        key_put_tree(key, node->right);
}

/* ---- the free side ----------------------------------------------------------------------------- */

static void note_free_side(void)
{
    struct key key = {0};

    if (world.state.freetree.free.root.node)
        key_put_tree(&key, world.state.freetree.free.root.node);
    key_is_new(&key);
}

static struct vmap_area *make_area(unsigned first, unsigned count, u32 kind)
{
    struct vmap_area *area = vmap_node_alloc(&world.space);

    area->va_start = BASE + first * PAGE_SIZE;
    area->va_end = area->va_start + count * PAGE_SIZE;
    area->kind = kind;
    area->subtree_max_size = 0;
    return area;
}

/* The inverse of key_put_tree(); appends to the list in order, on the way. */
static struct rb_node *build_free(const struct key *key, unsigned *at, struct rb_node *parent)
{
    struct freetree *tree = &world.state.freetree;
    unsigned bits = key->bytes[(*at)++], range = key->bytes[(*at)++];
    struct vmap_area *area = make_area(range >> 4, (range & 15) + 1, VMAP_FREE);
    struct rb_node *node = &area->rb_node;

    node->parent_color = (u64)parent | (bits & 1);
    node->left = bits & 2 ? build_free(key, at, node) : NULL;
    list_add_tail(&area->list, &tree->free.list);
    node->right = bits & 4 ? build_free(key, at, node) : NULL;
    area->subtree_max_size = freetree_augment.compute(node);
    world.space.stats.free_extents++;
    world.space.stats.free_bytes += vmap_area_size(area);
    return node;
}

/* Busy areas in ascending order: each goes to the right end of its tree. */
static struct vmap_area *build_busy(unsigned first, unsigned count)
{
    struct area_set *busy = &world.state.freetree.busy;
    struct vmap_area *area = make_area(first, count, VMAP_BUSY);
    struct rb_node *last = rb_last(&busy->root);

    rb_link(&area->rb_node, last, last ? &last->right : &busy->root.node);
    rb_insert_fixup(&busy->root, &area->rb_node, NULL);
    list_add_tail(&area->list, &busy->list);
    world.space.stats.busy_areas++;
    world.space.stats.busy_bytes += count * PAGE_SIZE;
    return area;
}

/* No descriptor, nothing counted, no range. */
static void clear_world(void)
{
    struct freetree *tree = &world.state.freetree;

    world.nodes_used = 0;
    world.space.stats = (struct vmap_stats){0};
    *tree = (struct freetree){0};
    list_init(&tree->free.list);
    list_init(&tree->busy.list);
}

/*
 * What is not free becomes busy: one area for each stretch, cut so that [first, first + count) is an
 * area of its own (count 0: no cut), which is returned.
 */
static struct vmap_area *fill_with_busy(u64 free, unsigned first, unsigned count)
{
    struct vmap_area *cut = NULL;

    for (unsigned start = 0, end; start < pages; start = end) {
        struct vmap_area *area;

        end = start + 1;
        if (free & mask(start, 1))
            continue;
        while (end < pages && !(free & mask(end, 1)) &&
               (!count || (end != first && end != first + count)))
            end++;
        area = build_busy(start, end - start);
        if (count && start == first)
            cut = area;
    }
    return cut;
}

/* Put back the free side that `key` describes, and a busy side for it. Returns the free pages. */
static u64 rebuild(const struct key *key, unsigned first, unsigned count, struct vmap_area **cut)
{
    struct vmap_area *area;
    unsigned at = 0;
    u64 free;

    clear_world();
    if (key->length)
        world.state.freetree.free.root.node = build_free(key, &at, NULL);
    free = free_pages_of_space();
    area = fill_with_busy(free, first, count);
    if (cut)
        *cut = area;
    return free;
}

static void every_alloc(const struct key *key, bool windows)
{
    for (unsigned size = 1; size <= pages + 1; size++)
        for (unsigned align = 1; align <= 8; align *= 2)
            for (unsigned fail_node = 0; fail_node <= 2; fail_node++) {
                check_alloc(rebuild(key, 0, 0, NULL), size, align, 0, pages, fail_node);
                note_free_side();
            }
    for (unsigned size = 1; windows && size <= pages; size++)
        for (unsigned align = 1; align <= 4; align *= 2)
            for (unsigned lo = 0; lo < pages; lo++)
                for (unsigned hi = lo + 1; hi <= pages; hi++) {
                    check_alloc(rebuild(key, 0, 0, NULL), size, align, lo, hi, 0);
                    note_free_side();
                }
}

static void every_free(const struct key *key)
{
    u64 free = rebuild(key, 0, 0, NULL);

    for (unsigned first = 0; first < pages; first++)
        for (unsigned count = 1; first + count <= pages; count++) {
            struct vmap_area *cut = NULL;

            if (free & mask(first, count))
                break;
            rebuild(key, first, count, &cut);
            fail_arm(FAIL_NODE, 1, true); /* a free needs no descriptor */
            vmap_space_free(&world.space, cut);
            fail_disarm(FAIL_NODE);
            must_be_sound(free | mask(first, count));
            note_free_side();
        }
}

static void explore_free_side(unsigned space_pages, bool windows)
{
    struct key start = {0};

    open_world(&vmap_freetree, space_pages);
    forget_all();
    note_free_side();
    for (u64 next = 0; next < states; next++) {
        start = seen[next];
        every_alloc(&start, windows);
        every_free(&start);
    }
    print_message(
        "free side, %u pages%s: %lu states, %lu operations (%lu no room, %lu no memory)\n", pages,
        windows ? ", every window" : "", states, operations, answers_no_room, answers_no_memory);
}

static void free_side(void **state)
{
    const char *text = getenv("VMAP_PAGES");
    unsigned wanted = text ? (unsigned)atoi(text) : 12;

    assert_in_range(wanted, 4, PAGES_MAX - 2);
    explore_free_side(wanted, false);
    if (wanted >= 12)
        assert_true(states > 10000 && operations > 2000000);
    assert_true(answers_no_room > 0 && answers_no_memory > 0);
}

static void free_side_every_window(void **state)
{
    explore_free_side(8, true);
    assert_true(states > 400 && operations > 400000);
}

/* ---- both sides -------------------------------------------------------------------------------- */

static bool put_busy(void *ctx, const struct vmap_area *area)
{
    key_put(ctx, (unsigned)((area->va_start - BASE) >> PAGE_SHIFT) << 4 |
                     ((unsigned)(vmap_area_size(area) >> PAGE_SHIFT) - 1));
    return true;
}

static u8 *snapshots; /* SNAPSHOT_SIZE each */
static u64 snapshot_limit;

/* The hint of busytree. */
static void key_put_hint(struct key *key, const struct busytree *tree)
{
    if (!tree->cache)
        return;
    key_put(key, (unsigned)((tree->cache->va_start - BASE) >> PAGE_SHIFT));
    key_put(key, (unsigned)((tree->cached_vstart - BASE) >> PAGE_SHIFT));
    key_put(key, (unsigned)(tree->cached_align >> PAGE_SHIFT));
    key_put(key, (unsigned)(tree->cached_hole_size >> PAGE_SHIFT));
}

static void key_put_avl(struct key *key, const struct avl_node *node)
{
    key_put(key, (unsigned)avl_node_lean(node) | (node->left ? 4U : 0) | (node->right ? 8U : 0));
    if (node->left)
        key_put_avl(key, node->left);
    if (node->right)
        key_put_avl(key, node->right);
}

/* The frontier, the shape of the tree, and the unused areas in the order of their chains. */
static void key_put_avlhash(struct key *key, const struct avlhash *hash)
{
    key_put(key, (unsigned)((hash->frontier - BASE) >> PAGE_SHIFT));
    if (hash->used.node)
        key_put_avl(key, hash->used.node);
    for (unsigned i = 0; i < AVLHASH_BUCKETS; i++)
        for (struct hash_node *node = hash->unused[i].first; node; node = node->next)
            put_busy(key, hash_entry(node, struct vmap_area, hash_node));
}

/* The trees of used areas, one of each node, and the pools in the order of their lists. */
static void key_put_nodes(struct key *key, const struct nodes *nodes)
{
    for (unsigned n = 0; n < NODES; n++)
        if (nodes->node[n].busy.root.node)
            key_put_tree(key, nodes->node[n].busy.root.node);
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        const struct vmap_area *area;
        list_for_each_entry(area, &nodes->pool[i][0].areas, list)
            put_busy(key, area);
    }
}

/* What a design has beside its areas and the trees that it shows. */
static void key_put_rest(struct key *key, const struct vmap_design *design)
{
    if (design == &vmap_busytree)
        key_put_hint(key, world.space.state);
    else if (design == &vmap_nodes)
        key_put_nodes(key, world.space.state);
    else if (design->check == avlhash_check)
        key_put_avlhash(key, world.space.state);
}

/* Note the present state with all that belongs to it; counters that only grow are not part of it. */
static void note_both_sides(void)
{
    const struct vmap_design *design = world.space.design;
    struct rb_root *roots[] = {design->free_root(&world.space), design->busy_root(&world.space)};
    struct key key = {0};

    design->for_each(&world.space, VMAP_BUSY, put_busy, &key);
    for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
        key_put(&key, 0xff);
        if (roots[i] && roots[i]->node)
            key_put_tree(&key, roots[i]->node);
    }
    key_put_rest(&key, design);
    if (!key_is_new(&key))
        return;
    if (states > snapshot_limit) {
        snapshot_limit = snapshot_limit ? 2 * snapshot_limit : 1024;
        snapshots = realloc(snapshots, snapshot_limit * SNAPSHOT_SIZE);
    }
    memcpy(snapshots + (states - 1) * SNAPSHOT_SIZE, &world, SNAPSHOT_SIZE);
}

static u64 restore(u64 number)
{
    memcpy(&world, snapshots + number * SNAPSHOT_SIZE, SNAPSHOT_SIZE);
    return free_pages_of_space();
}

/* The n-th busy area of the present state, or NULL. */
struct nth {
    unsigned n;
    const struct vmap_area *area;
};

static bool count_down(void *ctx, const struct vmap_area *area)
{
    struct nth *nth = ctx;

    nth->area = area;
    return nth->n-- != 0;
}

static struct vmap_area *busy_area(unsigned n)
{
    struct nth nth = {n, NULL};

    world.space.design->for_each(&world.space, VMAP_BUSY, count_down, &nth);
    return nth.n == ~0U ? (struct vmap_area *)nth.area : NULL;
}

static void check_resize(u64 free, struct vmap_area *area, unsigned new_end, unsigned fail_node)
{
    unsigned start = (unsigned)((area->va_start - BASE) >> PAGE_SHIFT);
    unsigned end = (unsigned)((area->va_end - BASE) >> PAGE_SHIFT);
    u64 wanted = new_end > end ? mask(end, new_end - end) : 0;
    bool fits = (free & wanted) == wanted, failed;
    int error;

    if (fail_node)
        fail_arm(FAIL_NODE, fail_node, false);
    error = vmap_space_resize(&world.space, area, BASE + new_end * PAGE_SIZE);
    failed = fail_node && fail_count(FAIL_NODE);
    fail_disarm(FAIL_NODE);
    assert_int_equal(error, failed ? -ENOMEM : fits ? 0 : -ENOSPC);
    if (!error) {
        free |= mask(start, end - start);
        free &= ~mask(start, new_end - start);
    }
    must_be_sound(free);
}

/* The other way back, for who may keep a range ready then: it has waited for its flush. And then a purge,
 * which decays, and a drain. */
static void every_return(u64 number, unsigned n, u64 free)
{
    if (!world.space.design->cached)
        return;
    for (unsigned after = 0; after < 3; after++) {
        vaddr_t start, end;
        struct vmap_area *area;

        restore(number);
        area = busy_area(n);
        vmap_space_retire(&world.space, area);
        vmap_space_free(&world.space, area);
        if (after == 1)
            vmap_purge_begin(&world.space, &start, &end);
        else if (after == 2)
            vmap_space_drain(&world.space);
        must_be_sound(free);
        note_both_sides();
    }
}

/* Fewer pages for who remembers much. */
static unsigned pages_for(const struct vmap_design *design, unsigned most)
{
    if (design == &vmap_nodes || design == &vmap_busytree)
        return most > 5 ? 6 : 4;
    return most;
}

static void every_operation(u64 number, bool windows)
{
    for (unsigned lo = 0; windows && lo < pages; lo++)
        for (unsigned hi = lo + 1; hi <= pages; hi++)
            for (unsigned size = 1; size <= pages; size++)
                for (unsigned align = 1; align <= 4; align *= 2) {
                    check_alloc(restore(number), size, align, lo, hi, 0);
                    note_both_sides();
                }
    for (unsigned size = 1; size <= pages; size++)
        for (unsigned align = 1; align <= 4; align *= 2)
            for (unsigned fail_node = 0; fail_node <= 2; fail_node++) {
                check_alloc(restore(number), size, align, 0, pages, fail_node);
                note_both_sides();
            }
    for (unsigned n = 0;; n++) {
        u64 free = restore(number);
        struct vmap_area *area = busy_area(n);

        if (!area)
            break;
        free |= mask((unsigned)((area->va_start - BASE) >> PAGE_SHIFT),
                     (unsigned)(vmap_area_size(area) >> PAGE_SHIFT));
        vmap_space_free(&world.space, area);
        must_be_sound(free);
        note_both_sides();
        every_return(number, n, free);
        for (unsigned end = 1; end <= pages; end++)
            for (unsigned fail_node = 0; fail_node <= 1; fail_node++) {
                free = restore(number);
                area = busy_area(n);
                if (BASE + end * PAGE_SIZE <= area->va_start)
                    continue;
                check_resize(free, area, end, fail_node);
                note_both_sides();
            }
    }
}

static void explore_both_sides(const struct vmap_design *design, unsigned space_pages, bool windows)
{
    open_world(design, space_pages);
    forget_all();
    snapshot_limit = 0;
    note_both_sides();
    for (u64 next = 0; next < states; next++)
        every_operation(next, windows);
    print_message("both sides, %s, %u pages%s: %lu states, %lu operations\n", design->name, pages,
                  windows ? ", every window" : "", states, operations);
}

/* What a design remembers beside its areas multiplies the states: then fewer pages have to do. */
static void both_sides(void **state)
{
    for (unsigned i = 0; vmap_designs[i]; i++) {
        explore_both_sides(vmap_designs[i], pages_for(vmap_designs[i], 8), false);
        assert_true(states > 1000 && operations > 100000);
    }
}

static void both_sides_every_window(void **state)
{
    for (unsigned i = 0; vmap_designs[i]; i++) {
        explore_both_sides(vmap_designs[i], pages_for(vmap_designs[i], 5), true);
        assert_true(states > 50 && operations > 10000);
    }
    free(snapshots);
    snapshots = NULL;
}

/* ---- every tree -------------------------------------------------------------------------------- */

#define PERIOD 6 /* pages from one free range to the next; ranges have 1 or 3 pages */

static unsigned range_pages(unsigned i, unsigned large, unsigned n)
{
    return i == large || large > n ? 3 : 1;
}

/*
 * A free tree of the given shape: n ranges, of which number `large` has 3 pages (n: none; n + 1: all).
 * The values are filled in from the leaves up. Returns the free pages.
 */
static u64 build_tree(u32 shape, unsigned n, unsigned large, unsigned first, unsigned count,
                      struct vmap_area **cut)
{
    struct freetree *tree = &world.state.freetree;
    struct vmap_area *area;
    u64 free = 0;

    clear_world();
    for (unsigned i = 0; i < n; i++) {
        area = make_area(PERIOD * i, range_pages(i, large, n), VMAP_FREE);
        assert_ptr_equal(area, &world.nodes[i]);
        list_add_tail(&area->list, &tree->free.list);
        world.space.stats.free_extents++;
        world.space.stats.free_bytes += vmap_area_size(area);
        free |= mask(PERIOD * i, range_pages(i, large, n));
    }
    tree->free.root.node = shapes_build(shape, &world.nodes[0].rb_node, sizeof(world.nodes[0]));
    for (unsigned i = 0; i < n;
         i++) /* from each node upward: in the end each is the maximum below it */
        for (struct rb_node *up = &world.nodes[i].rb_node; up; up = rb_parent(up))
            to_va(up)->subtree_max_size =
                max_u64(to_va(up)->subtree_max_size,
                        max_u64(vmap_area_size(to_va(up)), vmap_area_size(&world.nodes[i])));
    area = fill_with_busy(free, first, count);
    if (cut)
        *cut = area;
    return free;
}

static void every_carve(u32 shape, unsigned n, unsigned large, unsigned range)
{
    unsigned size = range_pages(range, large, n), start = PERIOD * range;

    for (unsigned lo = 0; lo < size; lo++)
        for (unsigned hi = lo + 1; hi <= size; hi++)
            for (unsigned fail_node = 0; fail_node <= 2; fail_node++)
                check_alloc(build_tree(shape, n, large, 0, 0, NULL), hi - lo, 1, start + lo,
                            start + hi, fail_node);
}

/* Free the part of a gap that touches both ranges, one, the other, none. */
static void every_merge(u32 shape, unsigned n, unsigned large, unsigned range)
{
    unsigned start = PERIOD * range + range_pages(range, large, n), end = PERIOD * (range + 1);
    const unsigned parts[][2] = {
        {start, end}, {start, start + 1}, {end - 1, end}, {start + 1, start + 2}};

    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        unsigned count = parts[i][1] - parts[i][0];
        struct vmap_area *cut;
        u64 free = build_tree(shape, n, large, parts[i][0], count, &cut);

        vmap_space_free(&world.space, cut);
        must_be_sound(free | mask(parts[i][0], count));
    }
}

static void every_tree(void **state)
{
    const char *text = getenv("VMAP_EXTENTS");
    unsigned most = text ? (unsigned)atoi(text) : 10;
    u64 trees = 0;

    assert_in_range(most, 1, 10);
    shapes_init();
    open_world(&vmap_freetree, PERIOD);
    for (unsigned n = 1; n <= most; n++) {
        world.space.end = BASE + PERIOD * n * PAGE_SIZE;
        pages = PERIOD * n;
        for (u32 i = 0; i < shapes_count(n); i++, trees++)
            for (unsigned large = 0; large <= n + 1; large++)
                for (unsigned range = 0; range < n; range++) {
                    every_carve(shapes_get(n, i), n, large, range);
                    every_merge(shapes_get(n, i), n, large, range);
                }
    }
    print_message("every tree of up to %u free ranges: %lu trees, %lu operations\n", most, trees,
                  operations);
    assert_true(trees >= most && operations > 100 * most);
}

static int release(void **state)
{
    free(seen);
    free(seen_table);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(free_side),  host_test(free_side_every_window),
        host_test(both_sides), host_test(both_sides_every_window),
        host_test(every_tree),
    };

    return cmocka_run_group_tests_name("vmap_exhaustive", tests, NULL, release);
}
