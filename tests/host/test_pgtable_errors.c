// SPDX-License-Identifier: MIT
/*
 * Page tables when things go wrong: the k-th table cannot be had, for every k, once and for ever, in
 * every call that makes tables; afterwards the tables are byte for byte what they were. Then the order
 * unlink, flush, free against a TLB that forgets nothing by itself; the visitor; P2; the two sources.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/buddy.h"
#include "mm/memblock.h"
#include "mm/pgtable_source.h"
#include "tests/host/soft_mmu.h"

#define MEMORY (4 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)

static struct buddy buddy;
static struct pagetable pt;

static void make_tables(void)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 1, FRAMES);
    buddy.poison = true; /* a freed table is no longer a table */
    assert_int_equal(pt_init(&pt, &pt_buddy_ops, &buddy), 0);
}

static void drop_tables(void)
{
    mmu_flush_all();
    pt_fini(&pt);
    assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_TABLE), 0);
    assert_null(buddy_check(&buddy));
}

/* What the tables say about a range, as one number; and that nothing but tables is allocated. */
static bool hash_run(void *ctx, const struct pt_run *run)
{
    u64 *hash = ctx;
    *hash = (*hash ^ run->start) * 0x100000001b3UL;
    *hash = (*hash ^ run->size ^ run->entry ^ run->level) * 0x100000001b3UL;
    return true;
}

static u64 fingerprint(void)
{
    u64 hash = pt.tables;
    pt_visit(&pt, 0, 0, hash_run, &hash);
    assert_int_equal(pt.tables, buddy_use_pages(&buddy, PAGE_USE_TABLE));
    assert_int_equal(buddy_free_pages(&buddy) + pt.tables, FRAMES - 1);
    return hash;
}

/* ---- the k-th table fails ------------------------------------------------------------------------- */

#define BASE (VMALLOC_BASE + 512 * GIB) /* a border of all levels */

static struct page *some_pages[1030];

static int map_across_all_borders(void)
{
    return pt_map(&pt, BASE - 3 * PAGE_SIZE, 0, 2 * MIB + 9 * PAGE_SIZE, PROT_KERNEL_RW, 12);
}

static int map_huge_with_ragged_ends(void)
{
    vaddr_t border = BASE + 512 * GIB;
    return pt_map(&pt, border - 2 * MIB - PAGE_SIZE, 6 * GIB - 2 * MIB - PAGE_SIZE, 2 * GIB,
                  PROT_KERNEL_RW, 30);
}

static int map_pages_across_all_borders(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(some_pages); i++)
        some_pages[i] = pfn_to_page(i % 1000);
    return pt_map_pages(&pt, BASE - 5 * PAGE_SIZE, some_pages, ARRAY_SIZE(some_pages),
                        PROT_KERNEL_RW);
}

static int map_user(void)
{
    return pt_map(&pt, GIB - PAGE_SIZE, 0, 2 * PAGE_SIZE, PROT_KERNEL_RW | PTE_U, 12);
}

static int populate(void)
{
    return pt_populate_top(&pt, VMALLOC_BASE, VMALLOC_END);
}

/* Splits 1 GiB -> 2 MiB -> 4 KiB at both ends: four tables. */
static int protect_middle(void)
{
    return pt_protect(&pt, BASE + 8 * GIB + 5 * PAGE_SIZE, GIB, 0, PTE_W);
}

static const struct {
    int (*call)(void);
    unsigned tables; /* how many it makes in world_for_calls() */
} calls[] = {
    {map_across_all_borders, 3},
    {map_huge_with_ragged_ends, 5},
    {map_pages_across_all_borders, 4},
    {map_user, 5},
    {populate, 62},
    {protect_middle, 4},
};

static void world_for_calls(void)
{
    make_tables();
    assert_int_equal(pt_map(&pt, BASE + 8 * GIB, 64 * GIB, 2 * GIB, PROT_KERNEL_RW, 30), 0);
    /* An empty table that was there before must still be there afterwards. */
    assert_int_equal(pt_map(&pt, BASE - 2 * MIB, 0, PAGE_SIZE, PROT_KERNEL_RW, 12), 0);
    assert_int_equal(pt_unmap(&pt, BASE - 2 * MIB, PAGE_SIZE), 1);
}

static void fail_every_table(enum fail_site site, int (*call)(void), unsigned tables, bool forever)
{
    world_for_calls();
    u64 before = fingerprint();
    for (u64 k = 1;; k++) {
        fail_arm(site, k, forever);
        int err = call();
        bool hit = fail_count(site) != 0;
        fail_disarm(site);
        if (!hit) {
            assert_int_equal(err, 0);
            assert_int_equal(k, tables + 1);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(fingerprint(), before);
    }
    drop_tables();
}

static void test_every_table_fails_once_and_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (unsigned forever = 0; forever < 2; forever++) {
            fail_every_table(FAIL_TABLE, calls[i].call, calls[i].tables, forever);
            fail_every_table(FAIL_PAGE, calls[i].call, calls[i].tables, forever);
        }
    }
}

static void test_something_in_the_way(void **state)
{
    (void)state;
    make_tables();
    assert_int_equal(pt_map(&pt, BASE + 700 * PAGE_SIZE, GIB, PAGE_SIZE, PROT_KERNEL_RO, 12), 0);
    u64 before = fingerprint();
    assert_int_equal(pt_map(&pt, BASE - 4 * MIB, 0, 8 * MIB, PROT_KERNEL_RW, 12), -EEXIST);
    assert_int_equal(fingerprint(), before);
    assert_int_equal(pt_map(&pt, BASE - 4 * MIB, 0, 8 * MIB, PROT_KERNEL_RW, 21), -EEXIST);
    assert_int_equal(fingerprint(), before);
    some_pages[0] = pfn_to_page(1);
    some_pages[1] = NULL;
    assert_int_equal(pt_map_pages(&pt, BASE - PAGE_SIZE, some_pages, 2, PROT_KERNEL_RW), -EINVAL);
    assert_int_equal(fingerprint(), before);
    /* A huge leaf above the range, and one that a small range lies in. */
    assert_int_equal(pt_map(&pt, BASE + GIB, GIB, GIB, PROT_KERNEL_RW, 30), 0);
    assert_int_equal(pt_map(&pt, BASE + GIB + 2 * MIB, GIB, PAGE_SIZE, PROT_KERNEL_RW, 12),
                     -EEXIST);
    drop_tables();
}

/* A part of a huge leaf, and no table to split it: it stays, whole, and a report says so. */
static void test_unmap_that_cannot_split(void **state)
{
    (void)state;
    make_tables();
    assert_int_equal(pt_map(&pt, BASE, GIB, 4 * MIB, PROT_KERNEL_RW, 21), 0);
    u64 before = fingerprint();
    fail_arm(FAIL_TABLE, 1, false);
    assert_int_equal(pt_unmap(&pt, BASE + PAGE_SIZE, PAGE_SIZE), 0);
    fail_disarm(FAIL_TABLE);
    expect_report("stays mapped");
    assert_int_equal(fingerprint(), before);
    assert_int_equal(pt_unmap(&pt, BASE + PAGE_SIZE, 4 * MIB - PAGE_SIZE), 1023);
    assert_int_equal(pt_unmap(&pt, BASE, 4 * MIB), 1);
    drop_tables();
}

/* ---- unlink, flush, free ---------------------------------------------------------------------------- */

static void test_trim_flushes_before_it_frees(void **state)
{
    (void)state;
    struct mmu_translation seen;
    make_tables();
    assert_int_equal(pt_map(&pt, BASE, GIB, 3 * PAGE_SIZE, PROT_KERNEL_RW, 12), 0);
    assert_true(mmu_access(pt.root, BASE + PAGE_SIZE, MMU_READ, &seen));
    assert_int_equal(pt_trim(&pt, BASE, BASE + GIB), 0); /* in use */
    pt_unmap(&pt, BASE, 3 * PAGE_SIZE);
    assert_true(
        mmu_access(pt.root, BASE + PAGE_SIZE, MMU_READ, &seen)); /* nobody has flushed yet */
    assert_int_equal(pt_trim(&pt, BASE, BASE + GIB), 2);
    assert_false(mmu_access(pt.root, BASE + PAGE_SIZE, MMU_READ, &seen));
    assert_int_equal(pt.tables, 2);
    u64 flushes = port_tlb_stats().full_flushes;
    assert_int_equal(pt_trim(&pt, BASE, BASE + GIB), 0);
    assert_int_equal(port_tlb_stats().full_flushes, flushes); /* nothing freed: nothing flushed */
    assert_int_equal(pt_trim(&pt, BASE, BASE), 0);
    drop_tables();
}

/* A processor may have cached a translation of a mapping that then failed half-way. */
static void test_failed_map_leaves_nothing_cached(void **state)
{
    (void)state;
    make_tables();
    assert_int_equal(pt_map(&pt, BASE, GIB, PAGE_SIZE, PROT_KERNEL_RW, 12), 0);
    u64 flushes = port_tlb_stats().full_flushes + port_tlb_stats().range_flushes;
    assert_int_equal(pt_map(&pt, BASE - PAGE_SIZE, GIB, 2 * PAGE_SIZE, PROT_KERNEL_RW, 12),
                     -EEXIST);
    assert_true(port_tlb_stats().full_flushes + port_tlb_stats().range_flushes > flushes);
    flushes = port_tlb_stats().full_flushes;
    assert_int_equal(pt_map(&pt, BASE, GIB, PAGE_SIZE, PROT_KERNEL_RW, 12), -EEXIST);
    assert_int_equal(port_tlb_stats().full_flushes, flushes); /* nothing done: nothing to flush */
    drop_tables();
}

static void trim_across_halves(void *arg __unused)
{
    pt_trim(&pt, 0, 0);
}

static void test_trim_stays_in_one_half(void **state)
{
    (void)state;
    make_tables();
    expect_panic(trim_across_halves, NULL, "one half");
    drop_tables();
}

/* ---- the visitor and P2 -------------------------------------------------------------------------------- */

struct tiling {
    vaddr_t next;
    u64 present, absent, runs;
};

static bool tile(void *ctx, const struct pt_run *run)
{
    struct tiling *tiling = ctx;
    assert_int_equal(run->start, tiling->next);
    assert_true(run->size > 0);
    tiling->next = run->start + run->size;
    if (tiling->next == NON_CANONICAL_LOW)
        tiling->next = NON_CANONICAL_HIGH;
    *(run->present ? &tiling->present : &tiling->absent) += run->size;
    tiling->runs++;
    return true;
}

static bool stop_at_once(void *ctx, const struct pt_run *run __unused)
{
    (*(unsigned *)ctx)++;
    return false;
}

static void test_visit_tiles_the_range(void **state)
{
    (void)state;
    static const vaddr_t ranges[][2] = {
        {0, 0},
        {NON_CANONICAL_HIGH, 0},
        {BASE + 512 * GIB - 10 * PAGE_SIZE, BASE + 515 * GIB},
        {BASE + 512 * GIB + PAGE_SIZE, BASE + 513 * GIB + 5 * PAGE_SIZE},
        {NON_CANONICAL_LOW - PAGE_SIZE, 0}};
    unsigned calls_made = 0;

    make_tables();
    assert_int_equal(map_huge_with_ragged_ends(), 0);
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        struct tiling tiling = {.next = ranges[i][0]};
        pt_visit(&pt, ranges[i][0], ranges[i][1], tile, &tiling);
        assert_int_equal(tiling.next, ranges[i][1]);
        if (i == 0)
            assert_int_equal(tiling.present, 2 * GIB);
    }
    struct tiling none = {.next = NON_CANONICAL_LOW};
    pt_visit(&pt, NON_CANONICAL_LOW, NON_CANONICAL_HIGH, tile, &none);
    assert_int_equal(none.runs, 0);
    pt_visit(&pt, 0, 0, stop_at_once, &calls_made);
    assert_int_equal(calls_made, 1);
    drop_tables();
}

#define TEXT (KERNEL_BASE + 2 * MIB)

static void test_wx_rule(void **state)
{
    (void)state;
    struct pt_walk walk;
    make_tables();
    assert_int_equal(pt_map(&pt, TEXT, 2 * MIB, MIB, PROT_KERNEL_RX, 12), 0);
    assert_int_equal(pt_map(&pt, TEXT + MIB, 3 * MIB, MIB, PROT_KERNEL_RO, 12), 0);
    assert_int_equal(pt_map(&pt, TEXT + 2 * MIB, 4 * MIB, 2 * MIB, PROT_KERNEL_RW, 21), 0);
    assert_null(pt_check_wx(&pt, TEXT, TEXT + MIB));

    assert_non_null(strstr(pt_check_wx(&pt, TEXT, TEXT + MIB - PAGE_SIZE), "not kernel text"));
    assert_non_null(
        strstr(pt_check_wx(&pt, TEXT + PAGE_SIZE, TEXT + MIB), "P2: [0xffffffff80200000"));
    /* Planted: one entry of text becomes writable; the huge page loses its NX bit. */
    pt_walk(&pt, TEXT + 7 * PAGE_SIZE, &walk);
    *walk.entry[0] |= PTE_W;
    assert_non_null(
        strstr(pt_check_wx(&pt, TEXT, TEXT + MIB),
               "P2: [0xffffffff80207000, 0xffffffff80208000) is writable and executable"));
    *walk.entry[0] &= ~PTE_W;
    pt_walk(&pt, TEXT + 2 * MIB, &walk);
    *walk.entry[1] &= ~PTE_NX;
    assert_non_null(strstr(pt_check_wx(&pt, TEXT, TEXT + MIB), "0xffffffff80400000"));
    /* NX in the table above counts as well. */
    *walk.entry[2] |= PTE_NX;
    assert_null(pt_check_wx(&pt, TEXT, TEXT + MIB));
    pt_walk(&pt, TEXT, &walk);
    assert_false(walk.executable);
    drop_tables();
}

/* ---- sources ------------------------------------------------------------------------------------------ */

static void test_from_memblock_to_buddy(void **state)
{
    (void)state;
    static struct memmap map = {.ranges = {{PAGE_SIZE, MEMORY}}, .count = 1};
    static struct memblock mb;

    host_memory_init(MEMORY);
    memblock_init(&mb, &map, MEMORY);
    assert_int_equal(pt_init(&pt, &pt_memblock_ops, &mb), 0);
    assert_int_equal(map_across_all_borders(), 0);
    u64 boot_tables = pt.tables;
    assert_int_equal(mb.allocated_bytes, boot_tables * PAGE_SIZE);

    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 1, FRAMES - boot_tables);
    pt_set_ops(&pt, &pt_buddy_ops, &buddy);
    assert_int_equal(map_user(), 0);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_TABLE), pt.tables - boot_tables);
    /* Tables of the boot allocator join the buddy when they go: nothing is lost. */
    drop_tables();
    assert_int_equal(buddy.managed, FRAMES - 1);
}

static void test_no_root(void **state)
{
    (void)state;
    make_tables();
    drop_tables();
    fail_arm(FAIL_TABLE, 1, false);
    assert_int_equal(pt_init(&pt, &pt_buddy_ops, &buddy), -ENOMEM);
    fail_disarm(FAIL_TABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_table_fails_once_and_for_ever),
        host_test(test_something_in_the_way),
        host_test(test_unmap_that_cannot_split),
        host_test(test_trim_flushes_before_it_frees),
        host_test(test_failed_map_leaves_nothing_cached),
        host_test(test_trim_stays_in_one_half),
        host_test(test_visit_tiles_the_range),
        host_test(test_wx_rule),
        host_test(test_from_memblock_to_buddy),
        host_test(test_no_root),
    };

    return cmocka_run_group_tests_name("pgtable_errors", tests, NULL, NULL);
}
