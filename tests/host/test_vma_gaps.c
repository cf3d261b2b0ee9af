// SPDX-License-Identifier: MIT
/*
 * The search for a gap: every arrangement of areas in ten pages, every size, every window, from the top and
 * from the bottom, against a look at each page; the distance that stacks keep; and what it costs among 100,000
 * areas, counted in areas looked at.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/rng.h"
#include "mm/uspace_internal.h"
#include "tests/host/uspace_world.h"

#define PAGES 10u
#define BASE (USER_END - PAGES * PAGE_SIZE)
#define MANY 100000u
#define DEPTH_MAX 34u /* of a red-black tree of that many nodes: 2 log2(n + 1) */

static struct uspace *space;

static vaddr_t page_at(u64 page)
{
    return BASE + (page << PAGE_SHIFT);
}

static void link_area(vaddr_t start, vaddr_t end, u32 flags)
{
    struct vma *vma = vma_alloc();

    assert_non_null(vma);
    *vma = (struct vma){.start = start, .end = end, .prot = 1, .flags = MAP_PRIVATE | flags};
    vma_link(space, vma);
}

static void unlink_all(void)
{
    struct vma *vma;

    while ((vma = uspace_first(space))) {
        vma_unlink(space, vma);
        vma_free(vma);
    }
}

/* Bit i: page i is taken. Where do `size` pages fit in [lo, hi), topmost or lowest? -1: nowhere. */
static int oracle(u32 taken, unsigned size, unsigned lo, unsigned hi, bool topmost)
{
    int found = -1;

    for (unsigned at = lo; at + size <= hi; at++) {
        u32 mask = ((1u << size) - 1) << at;
        if (taken & mask)
            continue;
        found = (int)at;
        if (!topmost)
            break;
    }
    return found;
}

static void expect_gap(u32 taken, unsigned size, unsigned lo, unsigned hi, bool topmost)
{
    vaddr_t start = 0;
    int expected = oracle(taken, size, lo, hi, topmost);
    bool found = topmost
                     ? vma_topmost_gap(space, size << PAGE_SHIFT, page_at(lo), page_at(hi), &start)
                     : vma_lowest_gap(space, size << PAGE_SHIFT, page_at(lo), page_at(hi), &start);
    int got = found ? (int)((start - BASE) >> PAGE_SHIFT) : -1;

    if (got != expected)
        port_panic("areas %#x, %u pages in [%u, %u), %s: %d instead of %d", taken, size, lo, hi,
                   topmost ? "topmost" : "lowest", got, expected);
}

/* Each taken page is an area of its own, or neighbours are one: two trees for one arrangement. */
static void arrange(u32 taken, bool joined)
{
    for (unsigned i = 0; i < PAGES; i++) {
        unsigned end = i + 1;
        if (!(taken & 1u << i))
            continue;
        while (joined && end < PAGES && taken & 1u << end)
            end++;
        link_area(page_at(i), page_at(end), 0);
        i = end - 1;
    }
}

static void every_arrangement(void **state)
{
    uspace_world_open(4 * 1024);
    space = uspace_create();
    for (u32 taken = 0; taken < 1u << PAGES; taken++)
        for (unsigned joined = 0; joined < 2; joined++) {
            arrange(taken, joined);
            for (unsigned lo = 0; lo < PAGES; lo++)
                for (unsigned hi = lo + 1; hi <= PAGES; hi++)
                    for (unsigned size = 1; size <= hi - lo; size++) {
                        expect_gap(taken, size, lo, hi, true);
                        expect_gap(taken, size, lo, hi, false);
                    }
            unlink_all();
        }
    uspace_put(space);
    uspace_world_close();
}

static void stacks_keep_their_distance(void **state)
{
    vaddr_t stack = USER_END - 64 * PAGE_SIZE, start;

    uspace_world_open(4 * 1024);
    space = uspace_create();
    link_area(stack, USER_END, MAP_GROWSDOWN);
    assert_true(vma_topmost_gap(space, PAGE_SIZE, USER_START, USER_END, &start));
    assert_int_equal(start, USER_MMAP_TOP - PAGE_SIZE); /* below all that it may grow into */
    assert_true(vma_range_free(space, start, start + PAGE_SIZE));
    assert_false(vma_range_free(space, start, start + 2 * PAGE_SIZE));
    link_area(stack - 10 * PAGE_SIZE, stack - 9 * PAGE_SIZE, 0); /* FIXED may come nearer */
    assert_true(vma_topmost_gap(space, PAGE_SIZE, USER_START, USER_END, &start));
    assert_int_equal(start, stack - 11 * PAGE_SIZE);
    assert_null(vma_check(space, (char[100]){0}, 100));
    unlink_all();
    uspace_put(space);
    uspace_world_close();
}

/* 100,000 areas with gaps of one to eight pages: a search looks at no more than the tree is deep, twice. */
static void cost_among_100000_areas(void **state)
{
    struct rng rng;
    u64 most = 0, sum = 0;
    vaddr_t at = USER_START, start;

    rng_seed(&rng, 5);
    uspace_world_open(24 * 1024);
    space = uspace_create();
    for (u64 i = 0; i < MANY; i++) {
        at += (1 + rng_below(&rng, 8)) << PAGE_SHIFT;
        link_area(at, at + PAGE_SIZE, 0);
        at += PAGE_SIZE;
    }
    for (u64 i = 0; i < 2000; i++) {
        u64 size = (1 + rng_below(&rng, 9)) << PAGE_SHIFT;
        vaddr_t lo = align_down(USER_START + rng_below(&rng, at / 2), PAGE_SIZE);
        vaddr_t hi = align_down(at / 2 + rng_below(&rng, at / 2), PAGE_SIZE);
        if (i % 2)
            vma_topmost_gap(space, size, lo, hi, &start);
        else
            vma_lowest_gap(space, size, lo, hi, &start);
        most = max_u64(most, space->visited);
        sum += space->visited;
    }
    print_message("%u areas: %lu areas looked at by the longest of 2000 searches, %lu on average\n",
                  MANY, most, sum / 2000);
    assert_true(most <= 3 * DEPTH_MAX);
    assert_true(most > 4);
    assert_null(vma_check(space, (char[100]){0}, 100));
    unlink_all();
    uspace_put(space);
    uspace_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(every_arrangement),
        uspace_test(stacks_keep_their_distance),
        uspace_test(cost_among_100000_areas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
