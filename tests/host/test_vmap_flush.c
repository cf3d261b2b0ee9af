// SPDX-License-Identifier: MIT
/*
 * The flush policies: a range comes back to the space after its flush and not before (P3), waiting
 * ranges are bounded by the threshold, as Linux had to learn, and one flush serves all of them. The
 * space's design is freetree with an ear: it notes what had been flushed when a range was given back.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/rng.h"
#include "mm/flush.h"

#define BASE 0x20000000UL
#define PAGES 4096

static struct vmap_design listening;
static struct vmap_space space;
static struct flush_queue queue;
static void *state_memory;
static u64 flushes_at_defer, given_back, given_back_unflushed;

static void *node_alloc(void *ctx)
{
    return malloc(sizeof(struct vmap_area));
}

static void node_free(void *ctx, void *node)
{
    free(node);
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

static void listening_free(struct vmap_space *s, struct vmap_area *area)
{
    assert_true(spin_held(&space.lock));
    assert_int_equal(area->kind, VMAP_LAZY);
    given_back++;
    given_back_unflushed += port_tlb_stats().range_flushes == flushes_at_defer;
    vmap_freetree.free(s, area);
}

static int setup(void **state)
{
    int error = host_setup(state);

    listening = vmap_freetree;
    listening.free = listening_free;
    state_memory = calloc(1, listening.state_size);
    given_back = given_back_unflushed = 0;
    return error ? error
                 : vmap_space_init(&space, "flush", &listening, BASE, BASE + PAGES * PAGE_SIZE,
                                   state_memory, &node_ops, NULL);
}

static int teardown(void **state)
{
    assert_null(vmap_space_check(&space));
    listening.free = vmap_freetree.free;
    vmap_space_fini(&space);
    free(state_memory);
    return host_teardown(state);
}

#define flush_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct vmap_area *take(u64 pages)
{
    struct vmap_area *area;

    assert_int_equal(
        vmap_space_alloc(&space, pages * PAGE_SIZE, PAGE_SIZE, space.start, space.end, 0, &area),
        0);
    return area;
}

static void defer(struct vmap_area *area)
{
    flushes_at_defer = port_tlb_stats().range_flushes;
    flush_defer(&queue, area);
}

static void eager_flushes_each(void **state)
{
    flush_queue_init(&queue, &space, FLUSH_EAGER);
    for (u64 i = 1; i <= 5; i++) {
        defer(take(i));
        assert_int_equal(port_tlb_stats().range_flushes, i);
        assert_int_equal(given_back, i);
        assert_int_equal(queue.count, 0);
    }
    assert_int_equal(given_back_unflushed, 0);
    assert_int_equal(port_tlb_stats().pages_flushed, 1 + 2 + 3 + 4 + 5);
    assert_int_equal(queue.purges, 5);
    assert_int_equal(queue.purged_areas, 5);
    assert_int_equal(queue.purged_pages, 15);
    assert_int_equal(space.stats.busy_areas, 0);
}

static void lazy_waits_and_is_not_reused(void **state)
{
    struct vmap_area *first, *second;
    vaddr_t start;

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    first = take(3);
    start = first->va_start;
    defer(first);
    assert_int_equal(port_tlb_stats().range_flushes, 0);
    assert_int_equal(queue.lazy_pages, 3);
    assert_int_equal(queue.count, 1);
    assert_null(vmap_space_find(&space, start));
    second = take(3);
    assert_int_not_equal(second->va_start, start);
    assert_int_equal(flush_purge(&queue), 3);
    assert_int_equal(given_back_unflushed, 0);
    assert_int_equal(queue.lazy_pages, 0);
    assert_int_equal(queue.count, 0);
    assert_int_equal(flush_purge(&queue), 0); /* nothing waits: nothing is flushed */
    assert_int_equal(port_tlb_stats().range_flushes, 1);
    assert_int_equal(queue.purges, 1);
    first = take(3);
    assert_int_equal(first->va_start, start);
    vmap_space_retire(&space, first);
    vmap_space_retire(&space, second);
    vmap_space_free(&space, first);
    vmap_space_free(&space, second);
}

static void threshold_purges_with_one_flush(void **state)
{
    /* The edges are not the last one's; 4 joins 3, and 2 joins both. */
    static const unsigned order[6] = {1, 5, 0, 3, 4, 2};
    struct vmap_area *areas[6];

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    queue.threshold = 10;
    for (unsigned i = 0; i < 6; i++)
        areas[i] = take(2);
    for (unsigned i = 0; i < 5; i++)
        defer(areas[order[i]]);
    assert_int_equal(queue.lazy_pages, 10); /* at the threshold, not above */
    assert_int_equal(given_back, 0);
    defer(areas[order[5]]);
    assert_int_equal(given_back, 4);
    assert_int_equal(given_back_unflushed, 0);
    assert_int_equal(port_tlb_stats().range_flushes, 1);
    assert_int_equal(port_tlb_stats().pages_flushed, 12);
    assert_int_equal(queue.purged_areas, 4);
    assert_int_equal(queue.purged_pages, 12);
    assert_int_equal(queue.peak_pages, 12);
    assert_int_equal(space.stats.free_extents, 1);
}

/* However fast ranges are freed, what waits stays below the threshold. */
static void waiting_is_bounded(void **state)
{
    struct vmap_area *kept[64] = {NULL};
    struct rng rng;

    rng_seed(&rng, 13);
    flush_queue_init(&queue, &space, FLUSH_LAZY);
    queue.threshold = 500;
    for (unsigned i = 0; i < 20000; i++) {
        struct vmap_area **slot = &kept[rng_below(&rng, ARRAY_SIZE(kept))];

        host_set_cpu((u32)rng_below(&rng, 2));
        if (*slot)
            defer(*slot);
        *slot = *slot ? NULL : take(1 + rng_below(&rng, 20));
        assert_true(queue.lazy_pages <= queue.threshold);
    }
    assert_int_equal(given_back_unflushed, 0);
    assert_true(queue.peak_pages <= queue.threshold + 20);
    assert_true(queue.purged_areas > 10 * queue.purges);
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (kept[i])
            defer(kept[i]);
    flush_purge(&queue);
    assert_int_equal(space.stats.free_extents, 1);
    host_set_cpu(0);
}

static void threshold_grows_with_the_cpus(void **state)
{
    static const u64 factor[] = {1, 2, 2, 3, 3, 3, 3, 4}; /* fls(1), fls(2), ... fls(8) */

    for (u32 cpus = 1; cpus <= 8; cpus++) {
        host_set_cpu_count(cpus);
        assert_int_equal(lazy_max_pages(), factor[cpus - 1] * 8192);
        flush_queue_init(&queue, &space, FLUSH_LAZY);
        assert_int_equal(queue.threshold, lazy_max_pages());
    }
}

struct walk {
    const struct vmap_area *order[8];
    unsigned count, stop_after;
};

static bool note(void *ctx, const struct vmap_area *area)
{
    struct walk *walk = ctx;

    walk->order[walk->count++] = area;
    return walk->count != walk->stop_after;
}

static void visits_oldest_first(void **state)
{
    struct vmap_area *areas[8]; /* every second one: neighbours would be joined */
    struct walk all = {.stop_after = 0}, two = {.stop_after = 2}, none = {.stop_after = 0};

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    for (unsigned i = 0; i < 8; i++)
        areas[i] = take(1);
    for (unsigned i = 0; i < 4; i++)
        defer(areas[6 - 2 * i]);
    flush_for_each(&queue, note, &all);
    assert_int_equal(all.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(all.order[i], areas[6 - 2 * i]);
    flush_for_each(&queue, note, &two);
    assert_int_equal(two.count, 2);
    flush_purge(&queue);
    flush_for_each(&queue, note, &none);
    assert_int_equal(none.count, 0);
    for (unsigned i = 1; i < 8; i += 2)
        defer(areas[i]);
    flush_purge(&queue);
}

/* Neighbours wait as one range, whichever of them is freed first, and cost one merge. */
static void neighbours_wait_as_one(void **state)
{
    struct vmap_area *areas[6];

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    for (unsigned i = 0; i < 6; i++)
        areas[i] = take(1 + i);
    defer(areas[0]);
    defer(areas[1]);
    assert_int_equal(queue.count, 1);
    defer(areas[4]);
    defer(areas[3]);
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.lazy_pages, 1 + 2 + 5 + 4);
    assert_int_equal(space.stats.busy_areas, 4);
    assert_null(vmap_space_check(&space));
    assert_int_equal(flush_purge(&queue), 12);
    assert_int_equal(given_back, 2);
    defer(areas[2]);
    defer(areas[5]);
    flush_purge(&queue);
    assert_int_equal(space.stats.nodes, 1);
}

static void in_an_interrupt(void **state)
{
    struct vmap_area *area = take(1), *other = take(1);

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    host_set_interrupt(true);
    defer(area);
    host_set_interrupt(false);
    defer(other);
    assert_int_equal(flush_purge(&queue), 2);
}

static void defer_it(void *area)
{
    flush_defer(&queue, area);
}

static void twice_is_refused(void **state)
{
    struct vmap_area *area = take(1);

    flush_queue_init(&queue, &space, FLUSH_LAZY);
    defer(area);
    expect_panic(defer_it, area, "is of kind 2");
    flush_purge(&queue);
}

static void names(void **state)
{
    assert_string_equal(flush_policy_name(FLUSH_EAGER), "eager");
    assert_string_equal(flush_policy_name(FLUSH_LAZY), "lazy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        flush_test(eager_flushes_each),
        flush_test(lazy_waits_and_is_not_reused),
        flush_test(threshold_purges_with_one_flush),
        flush_test(waiting_is_bounded),
        flush_test(threshold_grows_with_the_cpus),
        flush_test(visits_oldest_first),
        flush_test(neighbours_wait_as_one),
        flush_test(in_an_interrupt),
        flush_test(twice_is_refused),
        flush_test(names),
    };

    return cmocka_run_group_tests_name("vmap_flush", tests, NULL, NULL);
}
