// SPDX-License-Identifier: MIT
/*
 * mm/memmap against a model that knows nothing of ranges: one flag for each half page, set by every
 * usable entry, then cleared by every other one. Small maps are enumerated completely; large, hostile
 * ones are random with the seed in the failure message.
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/rng.h"
#include "mm/layout.h"
#include "mm/memmap.h"

#define HALF (PAGE_SIZE / 2)
#define RESERVED 2u
#define FLAGS_MAX 16384 /* half pages that the model can hold */

static struct memmap map;

static struct model {
    u64 base;       /* of flag 0 */
    unsigned count; /* flags */
    bool usable[FLAGS_MAX];
} model;

/* ---- the model -------------------------------------------------------------------------------- */

static void mark(u64 base, u64 length, bool value)
{
    for (unsigned i = 0; i < model.count; i++) {
        u64 at = model.base + i * HALF; /* every edge in these tests is a multiple of HALF */
        if (at >= base && at - base < length)
            model.usable[i] = value;
    }
}

static void model_build(const struct memmap_entry *raw, size_t count, u64 base, unsigned flags)
{
    assert_true(flags <= FLAGS_MAX);
    model.base = base;
    model.count = flags;
    memset(model.usable, 0, sizeof(model.usable));
    for (size_t i = 0; i < count; i++)
        if (raw[i].type == MEMMAP_USABLE)
            mark(raw[i].base, raw[i].length, true);
    for (size_t i = 0; i < count; i++)
        if (raw[i].type != MEMMAP_USABLE)
            mark(raw[i].base, raw[i].length, false);
}

static bool model_page(unsigned page)
{
    return model.base + page * PAGE_SIZE != 0 && model.usable[2 * page] &&
           model.usable[2 * page + 1];
}

static bool in_ranges(u64 at)
{
    for (unsigned i = 0; i < map.count; i++)
        if (at >= map.ranges[i].start && at < map.ranges[i].end)
            return true;
    return false;
}

/* Page by page the same, and nothing outside of what the model covers. */
static bool agrees_with_model(void)
{
    u64 pages = 0;
    for (unsigned page = 0; page < model.count / 2; page++) {
        pages += model_page(page);
        if (in_ranges(model.base + page * PAGE_SIZE) != model_page(page))
            return false;
    }
    return map.usable_bytes == pages * PAGE_SIZE && !memmap_check(&map);
}

/* ---- every small map --------------------------------------------------------------------------- */

#define GRID 8 /* half pages */
#define INTERVALS ((GRID + 1) * (GRID + 2) / 2)
#define CHOICES (INTERVALS * 2)

static struct memmap_entry choices[CHOICES];
static u8 choice_mask[CHOICES];

static void make_choices(u64 base)
{
    unsigned n = 0;
    for (unsigned start = 0; start <= GRID; start++) {
        for (unsigned length = 0; start + length <= GRID; length++) {
            for (u32 type = MEMMAP_USABLE; type <= RESERVED; type++) {
                choice_mask[n] = (u8)(((1u << length) - 1) << start);
                choices[n++] = (struct memmap_entry){base + start * HALF, length * HALF, type};
            }
        }
    }
    assert_int_equal(n, CHOICES);
}

static bool is_usable_choice(unsigned choice)
{
    return choices[choice].type == MEMMAP_USABLE;
}

/* The model in four bits: page p is usable when both of its half pages are and none is reserved. */
static unsigned expected_pages(const unsigned *picked, unsigned entries, u64 base)
{
    unsigned usable = 0, reserved = 0, pages = 0;
    for (unsigned i = 0; i < entries; i++) {
        if (is_usable_choice(picked[i]))
            usable |= choice_mask[picked[i]];
        else
            reserved |= choice_mask[picked[i]];
    }
    for (unsigned page = 0; page < GRID / 2; page++)
        if (((usable & ~reserved) >> (2 * page) & 3) == 3 && base + page != 0)
            pages |= 1u << page;
    return pages;
}

static unsigned found_pages(u64 base)
{
    unsigned pages = 0;
    for (unsigned page = 0; page < GRID / 2; page++)
        pages |= (unsigned)in_ranges(base + page * PAGE_SIZE) << page;
    return pages;
}

static void check_picked(const unsigned *picked, unsigned entries, u64 base)
{
    struct memmap_entry raw[4];
    unsigned expected = expected_pages(picked, entries, base);

    for (unsigned i = 0; i < entries; i++)
        raw[i] = choices[picked[i]];
    int result = memmap_build(&map, raw, entries);
    bool good = found_pages(base) == expected &&
                map.usable_bytes == PAGE_SIZE * (u64)__builtin_popcount(expected) &&
                result == (expected && base >= MIB ? 0 : -ENOMEM) && !memmap_check(&map);
    if (good)
        return;
    for (unsigned i = 0; i < entries; i++)
        print_error("  entry %#lx +%#lx type %u\n", raw[i].base, raw[i].length, raw[i].type);
    fail_msg("pages %#x expected, %#x found, result %d, %s", expected, found_pages(base), result,
             memmap_check(&map));
}

/* All sequences of `entries` choices: an odometer with `entries` digits. */
static u64 check_all(unsigned entries, u64 base)
{
    unsigned picked[4] = {0};
    u64 maps = 0;

    make_choices(base);
    for (;;) {
        unsigned digit = 0;
        check_picked(picked, entries, base);
        maps++;
        while (digit < entries && ++picked[digit] == CHOICES)
            picked[digit++] = 0;
        if (digit == entries)
            return maps;
    }
}

static void test_every_map_of_up_to_three_entries(void **state)
{
    (void)state;
    u64 maps = check_all(1, MIB) + check_all(2, MIB) + check_all(3, MIB);
    print_message("%lu maps of up to 3 entries on a grid of half pages\n", maps);
}

/* Frame 0 is never usable, and below 1 MiB alone is not enough. */
static void test_every_map_of_two_entries_at_zero(void **state)
{
    (void)state;
    check_all(1, 0);
    check_all(2, 0);
}

/* The order of entries means nothing (the three-entry run proves it), so four need no permutations. */
static void test_every_set_of_four_entries(void **state)
{
    (void)state;
    make_choices(MIB);
    unsigned p[4];
    for (p[0] = 0; p[0] < CHOICES; p[0]++)
        for (p[1] = p[0]; p[1] < CHOICES; p[1]++)
            for (p[2] = p[1]; p[2] < CHOICES; p[2]++)
                for (p[3] = p[2]; p[3] < CHOICES; p[3]++)
                    check_picked(p, 4, MIB);
}

/* ---- large maps -------------------------------------------------------------------------------- */

static struct memmap_entry many[MEMMAP_MAX_RAW + 512];

static void random_map(u64 seed, size_t entries, unsigned pages)
{
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t i = 0; i < entries; i++) {
        u64 start = rng_below(&rng, pages * 2);
        u64 length = rng_below(&rng, rng_below(&rng, 8) ? 8 : 200);
        if (start + length > pages * 2)
            length = pages * 2 - start;
        many[i] =
            (struct memmap_entry){2 * MIB + start * HALF, length * HALF,
                                  rng_below(&rng, 3) ? MEMMAP_USABLE : 2 + (u32)rng_below(&rng, 9)};
    }
    memmap_build(&map, many, entries);
    model_build(many, entries, 2 * MIB, pages * 2);
    if (!agrees_with_model())
        fail_msg("seed %lu, %zu entries: differs from the model, %s", seed, entries,
                 memmap_check(&map));
}

static void test_hundreds_of_entries(void **state)
{
    (void)state;
    for (u64 seed = 1; seed <= 40; seed++)
        random_map(seed, 20 + seed * 17, 1000);
    assert_int_equal(map.dropped, 0);
}

/* More than fit: RAM that does not fit is reported; what is reserved there counts all the same. */
static void test_more_entries_than_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct memmap_entry){2 * MIB, 64 * PAGE_SIZE, MEMMAP_USABLE};
    many[MEMMAP_MAX_RAW] = (struct memmap_entry){64 * MIB, MIB, MEMMAP_USABLE};
    many[MEMMAP_MAX_RAW + 1] = (struct memmap_entry){2 * MIB + PAGE_SIZE, 1, 77};
    assert_int_equal(memmap_build(&map, many, ARRAY_SIZE(many)), 0);
    assert_int_equal(map.dropped, 512 - 1);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.usable_bytes, 63 * PAGE_SIZE);
    assert_false(memmap_contains(&map, (2 * MIB + PAGE_SIZE) >> PAGE_SHIFT));
    assert_null(memmap_check(&map));
}

/* A thousand crumbs of one page each come first, the real memory last: it must not be pushed out. */
static void test_crumbs_do_not_push_out_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++)
        many[i] = (struct memmap_entry){2 * MIB + 2 * i * PAGE_SIZE, PAGE_SIZE, MEMMAP_USABLE};
    many[1000] = (struct memmap_entry){GIB, GIB, MEMMAP_USABLE};
    assert_int_equal(memmap_build(&map, many, 1001), 0);
    assert_int_equal(map.count, MEMMAP_MAX_RANGES);
    assert_int_equal(map.dropped, 1001 - MEMMAP_MAX_RANGES);
    assert_int_equal(memmap_end(&map), 2 * GIB);
    assert_int_equal(map.usable_bytes, GIB + (MEMMAP_MAX_RANGES - 1) * PAGE_SIZE);
    assert_null(memmap_check(&map));
}

/* ---- one by one ----------------------------------------------------------------------------------- */

static void test_no_entry_at_all(void **state)
{
    (void)state;
    assert_int_equal(memmap_build(&map, NULL, 0), -EINVAL);
    assert_int_equal(map.count, 0);
    assert_int_equal(memmap_end(&map), 0);
}

static void test_nothing_above_one_mib(void **state)
{
    (void)state;
    const struct memmap_entry low[] = {{0, 640 * KIB, 1}, {MIB, 16 * MIB, 2}};
    assert_int_equal(memmap_build(&map, low, 2), -ENOMEM);
    assert_int_equal(map.usable_bytes, 640 * KIB - PAGE_SIZE);
    const struct memmap_entry only_reserved[] = {{MIB, 16 * MIB, 2}};
    assert_int_equal(memmap_build(&map, only_reserved, 1), -ENOMEM);
    const struct memmap_entry up_to_it[] = {{0, MIB, 1}};
    assert_int_equal(memmap_build(&map, up_to_it, 1), -ENOMEM);
    const struct memmap_entry one_page[] = {{MIB, PAGE_SIZE, 1}};
    assert_int_equal(memmap_build(&map, one_page, 1), 0);
}

static void test_ends_that_wrap(void **state)
{
    (void)state;
    const struct memmap_entry usable[] = {{16 * MIB, ~0UL, 1}};
    assert_int_equal(memmap_build(&map, usable, 1), 0);
    assert_int_equal(map.ranges[0].start, 16 * MIB);
    assert_int_equal(map.ranges[0].end, DIRECT_MAP_SIZE);
    const struct memmap_entry exactly[] = {
        {16 * MIB, 0UL - 16 * MIB, 1}, {~0UL, 1, 1}, {~0UL, 2, 1}};
    assert_int_equal(memmap_build(&map, exactly, 3), 0);
    assert_int_equal(map.count, 1);
    /* A reserved entry that wraps takes everything above its base, and nothing at address 0. */
    const struct memmap_entry reserved[] = {{0, 64 * MIB, 1}, {32 * MIB, ~0UL - MIB, 2}};
    assert_int_equal(memmap_build(&map, reserved, 2), 0);
    assert_int_equal(map.count, 1);
    assert_int_equal(map.ranges[0].start, PAGE_SIZE);
    assert_int_equal(map.ranges[0].end, 32 * MIB);
}

static void test_single_bytes_cost_their_page(void **state)
{
    (void)state;
    const struct memmap_entry raw[] = {
        {4 * MIB + 5 * PAGE_SIZE - 1, 2, 3}, {4 * MIB, 8 * PAGE_SIZE, 1}, {4 * MIB + 77, 0, 2}};
    assert_int_equal(memmap_build(&map, raw, 3), 0);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.ranges[0].end, 4 * MIB + 4 * PAGE_SIZE);
    assert_int_equal(map.ranges[1].start, 4 * MIB + 6 * PAGE_SIZE);
}

/* What QEMU gives a machine with 8 GiB, the reserved island at a terabyte included. */
static void test_qemu(void **state)
{
    (void)state;
    const struct memmap_entry raw[] = {
        {0, 0x9fc00, 1},
        {0x9fc00, 0x400, 2},
        {0xf0000, 0x10000, 2},
        {0x100000, 0xbfee0000, 1},
        {0xbffe0000, 0x20000, 2},
        {0xfeffc000, 0x4000, 2},
        {0xfffc0000, 0x40000, 2},
        {0xfd00000000, 0x300000000, 2},
        {0x100000000, 0x140000000, 1},
    };
    assert_int_equal(memmap_build(&map, raw, ARRAY_SIZE(raw)), 0);
    assert_int_equal(map.count, 3);
    assert_int_equal(memmap_end(&map), 0x240000000);
    assert_true(memmap_contains(&map, 0x9e));
    assert_false(memmap_contains(&map, 0x9f));
    assert_false(memmap_contains(&map, 0));
    assert_true(memmap_contains(&map, 0x23ffff));
    assert_false(memmap_contains(&map, 0x240000));
}

static void test_contains_agrees_with_the_ranges(void **state)
{
    (void)state;
    random_map(4711, 60, 1000);
    assert_true(map.count > 10);
    for (pfn_t pfn = 0; pfn < 2 * MIB / PAGE_SIZE + 1010; pfn++)
        assert_int_equal(memmap_contains(&map, pfn), in_ranges(pfn << PAGE_SHIFT));
}

/* The checker's own test: every kind of damage is found and named. */
static void test_check_names_the_damage(void **state)
{
    (void)state;
    const struct memmap_entry raw[] = {{MIB, MIB, 1}, {4 * MIB, MIB, 1}, {8 * MIB, MIB, 1}};
    struct {
        unsigned range;
        struct memmap_range damaged;
        const char *named;
    } damages[] = {
        {1, {4 * MIB, 4 * MIB}, "empty"},
        {1, {5 * MIB, 4 * MIB}, "backwards"},
        {1, {4 * MIB + 1, 5 * MIB}, "aligned"},
        {1, {2 * MIB, 3 * MIB}, "touches"},
        {1, {MIB + PAGE_SIZE, 5 * MIB}, "overlaps"},
        {0, {0, MIB}, "touches"},
        {2, {8 * MIB, 10 * MIB}, "usable_bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        assert_int_equal(memmap_build(&map, raw, 3), 0);
        assert_null(memmap_check(&map));
        map.ranges[damages[i].range] = damages[i].damaged;
        assert_non_null(memmap_check(&map));
        assert_non_null(strstr(memmap_check(&map), damages[i].named));
    }
    map.count = MEMMAP_MAX_RANGES + 1;
    assert_non_null(strstr(memmap_check(&map), "more than"));
}

static void test_type_names(void **state)
{
    (void)state;
    assert_string_equal(memmap_type_name(1), "usable");
    assert_string_equal(memmap_type_name(4), "ACPI NVS");
    assert_string_equal(memmap_type_name(0), "type 0");
    assert_string_equal(memmap_type_name(4000000000u), "type 4000000000");
}

static void test_layout_table(void **state)
{
    (void)state;
    for (unsigned i = 1; i < layout_region_count; i++)
        assert_true(layout_regions[i].end <= layout_regions[i - 1].base);
    assert_string_equal(layout_find(VMALLOC_BASE)->name, "vmalloc");
    assert_string_equal(layout_find(VMALLOC_END - 1)->name, "vmalloc");
    assert_null(layout_find(VMALLOC_END));
    assert_string_equal(layout_find(KERNEL_BASE)->name, "kernel image");
    assert_string_equal(layout_find(USER_BASE)->name, "user");
    assert_null(layout_find(0));
    assert_null(layout_find(NON_CANONICAL_LOW));
    assert_null(layout_find(~0UL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_map_of_up_to_three_entries),
        host_test(test_every_map_of_two_entries_at_zero),
        host_test(test_every_set_of_four_entries),
        host_test(test_hundreds_of_entries),
        host_test(test_more_entries_than_fit),
        host_test(test_crumbs_do_not_push_out_memory),
        host_test(test_no_entry_at_all),
        host_test(test_nothing_above_one_mib),
        host_test(test_ends_that_wrap),
        host_test(test_single_bytes_cost_their_page),
        host_test(test_qemu),
        host_test(test_contains_agrees_with_the_ranges),
        host_test(test_check_names_the_damage),
        host_test(test_type_names),
        host_test(test_layout_table),
    };

    return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
