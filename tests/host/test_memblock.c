// SPDX-License-Identifier: MIT
/*
 * mm/memblock against one flag per page: what is RAM, what is taken. An allocation must be the highest
 * aligned gap below the limit, found by trying every page from the top; random reservations and
 * allocations, with the whole state compared after each.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "mm/layout.h"
#include "mm/memblock.h"

#define PAGES 512u
#define MEMORY (PAGES * PAGE_SIZE)

static struct memmap map;
static struct memblock mb;
static bool ram[PAGES], taken[PAGES], seen_free[PAGES];

/* Usable RAM of these ranges (in pages), whatever memmap_build() would say: memblock has its own rules. */
static void make_world(const unsigned (*ranges)[2], unsigned count, paddr_t limit)
{
    host_memory_init(MEMORY);
    memset(&map, 0, sizeof(map));
    memset(ram, 0, sizeof(ram));
    memset(taken, 0, sizeof(taken));
    for (unsigned i = 0; i < count; i++) {
        map.ranges[map.count++] =
            (struct memmap_range){ranges[i][0] * PAGE_SIZE, ranges[i][1] * PAGE_SIZE};
        for (unsigned page = ranges[i][0]; page < ranges[i][1]; page++)
            ram[page] = true;
    }
    memblock_init(&mb, &map, limit);
}

static const unsigned three_ranges[][2] = {{1, 100}, {110, 111}, {200, 450}};

static void three_range_world(paddr_t limit)
{
    make_world(three_ranges, 3, limit);
}

static bool model_fits(unsigned page, unsigned pages, unsigned limit)
{
    if (page + pages > limit)
        return false;
    for (unsigned i = page; i < page + pages; i++)
        if (!ram[i] || taken[i])
            return false;
    return true;
}

/* The highest page where an allocation may start, 0 when none. Ranges never touch, so RAM that is
 * contiguous in the model is contiguous in the map. */
static unsigned model_alloc(unsigned pages, unsigned align)
{
    unsigned limit = (unsigned)min_u64(mb.limit / PAGE_SIZE, PAGES);
    for (unsigned page = PAGES; page-- > 0;)
        if (page % align == 0 && model_fits(page, pages, limit))
            return page;
    return 0;
}

static void note_free(void *ctx, paddr_t start, paddr_t end)
{
    paddr_t *previous = ctx;
    assert_true(is_aligned(start | end, PAGE_SIZE) && start < end && start >= *previous);
    *previous = end;
    for (unsigned page = (unsigned)(start / PAGE_SIZE); page < end / PAGE_SIZE; page++)
        seen_free[page] = true;
}

static void compare(void)
{
    paddr_t previous = 0;
    memset(seen_free, 0, sizeof(seen_free));
    memblock_for_each_free(&mb, note_free, &previous);
    for (unsigned page = 0; page < PAGES; page++)
        if (seen_free[page] != (ram[page] && !taken[page]))
            fail_msg("page %u: memblock says %s", page, seen_free[page] ? "free" : "not free");
    if (memblock_check(&mb))
        fail_msg("%s", memblock_check(&mb));
}

static bool is_zeroed(paddr_t at, u64 size)
{
    const u8 *content = phys_to_virt(at);
    for (u64 i = 0; i < size; i++)
        if (content[i])
            return false;
    return true;
}

static void random_alloc(struct rng *rng)
{
    unsigned pages = 1 + (unsigned)rng_below(rng, 12), align = 1u << rng_below(rng, 5);
    unsigned expected = model_alloc(pages, align);
    u64 size = pages * PAGE_SIZE - rng_below(rng, PAGE_SIZE);
    paddr_t got = memblock_alloc(&mb, size, align * PAGE_SIZE, rng_below(rng, 2) ? "a" : "b");

    assert_int_equal(got, expected * PAGE_SIZE);
    if (!got)
        return;
    assert_true(is_zeroed(got, pages * PAGE_SIZE));
    memset(phys_to_virt(got), 0x5a, pages * PAGE_SIZE);
    for (unsigned i = 0; i < pages; i++)
        taken[expected + i] = true;
}

static void random_reserve(struct rng *rng)
{
    u64 start = rng_below(rng, MEMORY),
        end = min_u64(start + rng_below(rng, 20 * PAGE_SIZE), MEMORY);

    assert_int_equal(memblock_reserve(&mb, start, end, rng_below(rng, 2) ? "a" : "c"), 0);
    if (start == end)
        return;
    for (u64 page = start / PAGE_SIZE; page <= (end - 1) / PAGE_SIZE; page++)
        taken[page] = true;
}

static void test_random_life(void **state)
{
    (void)state;
    for (u64 seed = 1; seed <= 60; seed++) {
        struct rng rng;
        rng_seed(&rng, seed);
        three_range_world(seed % 3 ? MEMORY : 300 * PAGE_SIZE + 5);
        for (unsigned op = 0; op < 40 && mb.count < MEMBLOCK_MAX_RESERVED - 2; op++) {
            if (rng_below(&rng, 3))
                random_alloc(&rng);
            else
                random_reserve(&rng);
            compare();
        }
    }
}

static void test_from_the_top_below_the_limit(void **state)
{
    (void)state;
    three_range_world(250 * PAGE_SIZE + 100);
    assert_int_equal(memblock_alloc(&mb, 1, PAGE_SIZE, "x"), 249 * PAGE_SIZE);
    assert_int_equal(memblock_alloc(&mb, 2 * PAGE_SIZE, PAGE_SIZE, "x"), 247 * PAGE_SIZE);
    assert_int_equal(memblock_alloc(&mb, 1, 64 * PAGE_SIZE, "x"), 64 * PAGE_SIZE);
    assert_int_equal(mb.allocated_bytes, 4 * PAGE_SIZE);
}

/* Hundreds of single pages for the same purpose share one row of the table. */
static void test_same_purpose_merges(void **state)
{
    (void)state;
    three_range_world(MEMORY);
    for (unsigned i = 0; i < 240; i++)
        assert_int_not_equal(memblock_alloc(&mb, PAGE_SIZE, PAGE_SIZE, "page tables"), 0);
    assert_int_equal(mb.count, 1);
    assert_int_equal(memblock_reserve(&mb, 448 * PAGE_SIZE, 452 * PAGE_SIZE, "kernel image"), 0);
    assert_int_equal(mb.count, 2);
    /* The gap between two rows of one purpose closes: three become one. */
    assert_int_equal(memblock_reserve(&mb, 10 * PAGE_SIZE, 11 * PAGE_SIZE, "z"), 0);
    assert_int_equal(memblock_reserve(&mb, 12 * PAGE_SIZE, 13 * PAGE_SIZE, "z"), 0);
    assert_int_equal(mb.count, 4);
    assert_int_equal(memblock_reserve(&mb, 11 * PAGE_SIZE, 12 * PAGE_SIZE, "z"), 0);
    assert_int_equal(mb.count, 3);
    assert_null(memblock_check(&mb));
}

static void test_bad_arguments(void **state)
{
    (void)state;
    three_range_world(MEMORY);
    assert_int_equal(memblock_reserve(&mb, 2 * PAGE_SIZE, PAGE_SIZE, "x"), -EINVAL);
    assert_int_equal(memblock_reserve(&mb, 5, 5, "x"), 0);
    assert_int_equal(mb.count, 0);
    assert_int_equal(memblock_alloc(&mb, 0, PAGE_SIZE, "x"), 0);
    assert_int_equal(memblock_alloc(&mb, ~0UL, PAGE_SIZE, "x"), 0);
    assert_int_equal(memblock_alloc(&mb, ~0UL - PAGE_SIZE, PAGE_SIZE, "x"), 0);
    assert_int_equal(memblock_alloc(&mb, 251 * PAGE_SIZE, PAGE_SIZE, "x"), 0);
    assert_int_equal(memblock_alloc(&mb, PAGE_SIZE, 1UL << 63, "x"), 0);
    assert_int_equal(memblock_reserve(&mb, ~0UL - 10, ~0UL, "top"), 0);
    assert_int_equal(memblock_reserve(&mb, 600 * PAGE_SIZE, ~0UL, "not RAM"), 0);
    assert_int_equal(memblock_alloc(&mb, 250 * PAGE_SIZE, PAGE_SIZE, "x"), 200 * PAGE_SIZE);
    assert_null(memblock_check(&mb));
}

/* A full table refuses as a whole: a reservation of several pieces leaves no part of it behind. */
static void test_full_table(void **state)
{
    (void)state;
    three_range_world(MEMORY);
    for (unsigned i = 0; i < MEMBLOCK_MAX_RESERVED - 1; i++)
        assert_int_equal(memblock_reserve(&mb, 2 * i * PAGE_SIZE, (2 * i + 1) * PAGE_SIZE, "x"), 0);
    struct memblock before = mb;
    assert_int_equal(memblock_reserve(&mb, 0, 4 * PAGE_SIZE, "two holes"), -ENOSPC);
    assert_memory_equal(&before, &mb, sizeof(mb));
    assert_int_equal(memblock_reserve(&mb, 0, 3 * PAGE_SIZE, "one hole"), 0);
    assert_int_equal(memblock_reserve(&mb, 3 * PAGE_SIZE, 4 * PAGE_SIZE, "none left"), -ENOSPC);
    assert_int_equal(memblock_alloc(&mb, PAGE_SIZE, PAGE_SIZE, "none left"), 0);
    assert_int_equal(memblock_reserve(&mb, 3 * PAGE_SIZE, 4 * PAGE_SIZE, "x"),
                     0); /* joins two rows */
    assert_int_equal(memblock_alloc(&mb, PAGE_SIZE, PAGE_SIZE, "the last row"), 449 * PAGE_SIZE);
    assert_int_equal(memblock_alloc(&mb, PAGE_SIZE, PAGE_SIZE, "none left"), 0);
    assert_null(memblock_check(&mb));
}

static void alloc_one(void *arg)
{
    memblock_alloc(arg, PAGE_SIZE, PAGE_SIZE, "too late");
}

static void alloc_unaligned(void *arg)
{
    memblock_alloc(arg, PAGE_SIZE, 3 * PAGE_SIZE, "odd");
}

static void test_sealed(void **state)
{
    (void)state;
    three_range_world(MEMORY);
    expect_panic(alloc_unaligned, &mb, "alignment");
    memblock_seal(&mb);
    expect_panic(alloc_one, &mb, "sealed");
}

static void test_check_names_the_damage(void **state)
{
    (void)state;
    struct memblock_reservation damages[] = {
        {20 * PAGE_SIZE, 20 * PAGE_SIZE, "x"},
        {20 * PAGE_SIZE + 1, 21 * PAGE_SIZE, "x"},
        {9 * PAGE_SIZE, 21 * PAGE_SIZE, "x"},
        {1 * PAGE_SIZE, 2 * PAGE_SIZE, "x"},
    };
    const char *named[] = {"empty", "aligned", "overlaps", "precedes"};
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        three_range_world(MEMORY);
        memblock_reserve(&mb, 8 * PAGE_SIZE, 10 * PAGE_SIZE, "x");
        memblock_reserve(&mb, 20 * PAGE_SIZE, 21 * PAGE_SIZE, "y");
        assert_null(memblock_check(&mb));
        mb.reserved[1] = damages[i];
        assert_non_null(memblock_check(&mb));
        assert_non_null(strstr(memblock_check(&mb), named[i]));
    }
    mb.count = MEMBLOCK_MAX_RESERVED + 1;
    assert_non_null(strstr(memblock_check(&mb), "more than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_random_life),
        host_test(test_from_the_top_below_the_limit),
        host_test(test_same_purpose_merges),
        host_test(test_bad_arguments),
        host_test(test_full_table),
        host_test(test_sealed),
        host_test(test_check_names_the_damage),
    };

    return cmocka_run_group_tests_name("memblock", tests, NULL, NULL);
}
