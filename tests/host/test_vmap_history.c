// SPDX-License-Identifier: MIT
/*
 * What the head of each design's file tells: the drawing with its worked example, what the design is good
 * at, and what was wrong with it, by the number of nodes that a search looks at. A cost is not a matter of
 * correctness, so nothing else would notice a hint that is never used or a subtree that is never pruned.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/vmap/lazy.h"
#include "mm/vmap/vmap.h"

#define BASE 0x40000000UL

static struct vmap_space space;
static void *space_state;
static struct vmap_area *areas[4096];
static unsigned area_count;

static unsigned asked_under_lock, descriptors;

static void *node_alloc(void *ctx)
{
    asked_under_lock += host_locks_held() != 0;
    descriptors++;
    return malloc(sizeof(struct vmap_area));
}

static void node_free(void *ctx, void *node)
{
    descriptors--;
    free(node);
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

static void open_space(const struct vmap_design *design, u64 pages)
{
    space_state = calloc(1, design->state_size);
    area_count = 0;
    assert_int_equal(vmap_space_init(&space, "history", design, BASE, BASE + pages * PAGE_SIZE,
                                     space_state, &node_ops, NULL),
                     0);
}

static void close_space(void)
{
    assert_null(vmap_space_check(&space));
    vmap_space_fini(&space);
    assert_int_equal(descriptors, 0); /* those in reserve, too */
    free(space_state);
}

/* The page where an area of so many pages lands; the search looked at space.stats.visited nodes. */
static u64 take(u64 pages)
{
    struct vmap_area *area;

    assert_int_equal(
        vmap_space_alloc(&space, pages * PAGE_SIZE, PAGE_SIZE, BASE, space.end, 0, &area), 0);
    areas[area_count++ % ARRAY_SIZE(areas)] = area;
    return (area->va_start - BASE) >> PAGE_SHIFT;
}

static void take_at(u64 page, u64 pages)
{
    struct vmap_area *area;
    vaddr_t at = BASE + page * PAGE_SIZE;

    assert_int_equal(vmap_space_alloc(&space, pages * PAGE_SIZE, PAGE_SIZE, at,
                                      at + pages * PAGE_SIZE, 0, &area),
                     0);
    areas[area_count++] = area;
}

/* ##...###.##..... and then nothing up to page 32 */
static void open_drawing(const struct vmap_design *design)
{
    open_space(design, 32);
    take_at(5, 3);
    take_at(0, 2);
    take_at(9, 2);
}

/* "Four pages": all three holes are looked at, in the way of each design, and the answer is [11,15). */
static void drawings(void **unused)
{
    static const struct {
        const struct vmap_design *design;
        u64 visited;
    } expected[] = {
        {&vmap_vmlist, 4},     /* the gaps before [0,2), [5,8), [9,11), and the last one */
        {&vmap_busytree28, 6}, /* [5,8) and [0,2) in the tree, then the same four */
        {&vmap_busytree, 6},   /* the requests before had windows: no hint for this one */
        {&vmap_freelist, 3},   /* [2,5), [8,9), [11,32) */
        {&vmap_freetree, 2},   /* the root, whose left side is pruned, and its right child */
    };

    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        open_drawing(expected[i].design);
        assert_int_equal(take(4), 11);
        if (space.stats.visited != expected[i].visited)
            fail_msg("%s: %lu nodes visited, not %lu", expected[i].design->name,
                     space.stats.visited, expected[i].visited);
        close_space();
    }
}

/* "A request for 4 more goes straight to the ^; a request for 2 starts from the bottom"; and then: "it takes
 * one small request between the others to lose the hint". */
static void hint(void **unused)
{
    open_drawing(&vmap_busytree);
    assert_int_equal(take(4), 11);
    assert_int_equal(take(4), 15);
    assert_int_equal(space.stats.visited, 1);
    assert_int_equal(take(2), 2);
    assert_true(space.stats.visited > 1);
    assert_int_equal(take(4), 19);
    assert_true(space.stats.visited >= 4);
    assert_int_equal(take(4), 23);
    assert_int_equal(space.stats.visited, 1);
    vmap_space_free(&space, areas[3]); /* [11,15): below the hint, which is pulled back to it */
    assert_int_equal(take(4), 11);
    assert_true(space.stats.visited <= 2);
    close_space();

    open_drawing(&vmap_busytree);
    take(4);
    assert_int_equal(take(2), 2); /* a new hint, which knows nothing of the holes above it */
    assert_int_equal(take(1), 4);
    assert_int_equal(space.stats.visited, 1);
    close_space();
}

/* Nodes visited by one more request behind n areas; holes: each is followed by a page that is too small. */
static u64 cost(const struct vmap_design *design, u64 n, bool holes, u64 pages)
{
    u64 visited;

    open_space(design, 8192);
    for (u64 i = 0; i < n; i++) {
        take(1);
        if (holes)
            take(1);
    }
    for (u64 i = 1; holes && i < 2 * n; i += 2)
        vmap_space_free(&space, areas[i]);
    take(pages);
    take(pages);
    visited = space.stats.visited;
    close_space();
    return visited;
}

static const struct vmap_design *const all[] = {&vmap_vmlist,     &vmap_avlhash,  &vmap_freelist,
                                                &vmap_busytree28, &vmap_busytree, &vmap_freetree};

static bool grows(const struct vmap_design *design, bool holes)
{
    u64 few = cost(design, 100, holes, 2), many = cost(design, 1000, holes, 2);

    print_message("%-10s %s: %5lu nodes behind 100 areas, %5lu behind 1000\n", design->name,
                  holes ? "with small holes" : "dense           ", few, many);
    assert_true(many >= few);
    return many > 5 * few;
}

/* Dense areas hurt who walks over used ones; holes that are too small, who walks over free ones, too. */
static void growth(void **unused)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        bool walks_used = all[i] == &vmap_vmlist || all[i] == &vmap_busytree28;

        assert_int_equal(grows(all[i], false), walks_used);
        assert_int_equal(grows(all[i], true), walks_used || all[i] == &vmap_freelist);
    }
}

/* Small and large in turn, with one hole in front: the hint is lost at each small one. */
static void hint_lost_between_sizes(void **unused)
{
    for (unsigned n = 100; n <= 1000; n += 900) {
        u64 small, large;

        open_space(&vmap_busytree, 8192);
        for (unsigned i = 0; i < n; i++)
            take(3);
        vmap_space_free(&space, areas[0]);
        take(4);
        take(2); /* into the hole: the hint is here now */
        small = space.stats.visited;
        take(4);
        large = space.stats.visited;
        assert_true(small <= 16 && large >= n);
        close_space();
    }
}

/*
 * Four pages aligned to four, and the only hole that will do is just that, [8,12), below a root of one page.
 * 5.2 and 5.3 look for seven pages and never get there; 5.17 does so unless the window is exactly the size.
 */
static void exact_hole(void **unused)
{
    static const struct {
        const struct vmap_design *design;
        int exact_window, wider_window;
    } expected[] = {
        {&vmap_freetree52, -ENOSPC, -ENOSPC},
        {&vmap_freetree53, -ENOSPC, -ENOSPC},
        {&vmap_freetree517, 0, -ENOSPC},
        {&vmap_freetree, 0, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        for (u64 wider = 0; wider < 2; wider++) {
            vaddr_t lo = BASE + 8 * PAGE_SIZE;
            struct vmap_area *area;

            open_space(expected[i].design, 16);
            take_at(0, 16);
            assert_int_equal(vmap_space_resize(&space, areas[0], BASE + PAGE_SIZE), 0);
            take_at(4, 1);
            take_at(2, 2);
            take_at(6, 2);
            take_at(12, 4); /* free: [1,2) [5,6) [8,12) */
            assert_int_equal(vmap_space_alloc(&space, 4 * PAGE_SIZE, 4 * PAGE_SIZE, lo,
                                              lo + (4 + wider) * PAGE_SIZE, 0, &area),
                             wider ? expected[i].wider_window : expected[i].exact_window);
            close_space();
        }
}

/* From the middle of a hole: the second descriptor is asked for under the lock in 5.2, before it since 5.3. */
static void preload(void **unused)
{
    static const struct {
        const struct vmap_design *design;
        unsigned under_lock;
    } expected[] = {{&vmap_freetree52, 1}, {&vmap_freetree53, 0}, {&vmap_freetree517, 0}};

    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        open_space(expected[i].design, 16);
        asked_under_lock = 0;
        take_at(4, 2);
        assert_int_equal(space.stats.fit_inner, 1);
        assert_int_equal(asked_under_lock, expected[i].under_lock);
        assert_int_equal(
            vmap_space_alloc(&space, 17 * PAGE_SIZE, PAGE_SIZE, BASE, space.end, 0, &areas[1]),
            -ENOSPC); /* larger than the space: what is in reserve stays there */
        close_space();
    }
}

/* Each purge gives a quarter of every pool to the free tree before it fills them. */
static void decay(void **unused)
{
    vaddr_t start, end;

    open_space(&vmap_nodes, 64);
    for (unsigned i = 0; i < 8; i++)
        take(2);
    for (unsigned i = 0; i < 8; i++)
        vmap_space_retire(&space, areas[i]);
    assert_true(vmap_purge_begin(&space, &start, &end));
    assert_int_equal(vmap_purge_some(&space, 100), 8);
    assert_int_equal(space.stats.cached_areas, 8);
    assert_false(vmap_purge_begin(&space, &start, &end));
    assert_int_equal(space.stats.cached_areas, 6);
    close_space();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(drawings),   host_test(hint),
        host_test(growth),     host_test(hint_lost_between_sizes),
        host_test(exact_hole), host_test(preload),
        host_test(decay),
    };

    return cmocka_run_group_tests_name("vmap_history", tests, NULL, NULL);
}
