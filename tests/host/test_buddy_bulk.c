// SPDX-License-Identifier: MIT
/*
 * The buddy's bulk calls, its per-CPU lists, and sparse memory: pieces of RAM with holes whose struct
 * pages do not exist (here: inaccessible memory, so that touching one ends the test).
 */
#include "tests/host/harness.h"

#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "mm/buddy.h"

#define MEMORY (16 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)
#define WHO (KERNEL_BASE + 0x1234)

static struct buddy buddy;
static struct page *out[FRAMES + 1];

static void make_buddy(u64 pages, bool use_pcp)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 0, pages);
    buddy.use_pcp = use_pcp;
}

static void check(void)
{
    const char *broken = buddy_check(&buddy);
    if (broken)
        fail_msg("%s", broken);
}

/* Used, order 0, each one once. */
static void check_pages(u64 n)
{
    static bool seen[FRAMES];
    memset(seen, 0, sizeof(seen));
    for (u64 i = 0; i < n; i++) {
        assert_int_equal(out[i]->state, PAGE_USED);
        assert_int_equal(out[i]->order, 0);
        assert_int_equal(out[i]->refcount, 1);
        assert_int_equal(caller_unpack(out[i]->alloc_caller), WHO);
        assert_false(seen[page_to_pfn(out[i])]);
        seen[page_to_pfn(out[i])] = true;
    }
    check();
}

static void test_every_size(void **state)
{
    (void)state;
    for (unsigned pcp = 0; pcp < 2; pcp++) {
        make_buddy(512, pcp);
        for (u64 n = 0; n <= 512; n += n < 70 ? 1 : 37) {
            assert_int_equal(buddy_alloc_bulk(&buddy, 0, n, out, WHO), n);
            check_pages(n);
            assert_int_equal(buddy_free_pages(&buddy), 512 - n);
            buddy_free_bulk(&buddy, out, n, WHO);
            check();
            assert_int_equal(buddy_free_pages(&buddy), 512);
        }
        buddy_drain(&buddy);
        assert_int_equal(buddy.areas[9].count, 1);
    }
}

/* A power of two comes as one block: neighbouring frames, one split-free round. */
static void test_larger_blocks_first(void **state)
{
    (void)state;
    make_buddy(2048, false);
    assert_int_equal(buddy_alloc_bulk(&buddy, 0, 1024 + 256 + 3, out, WHO), 1283);
    for (unsigned i = 1; i < 1024; i++)
        assert_ptr_equal(out[i], out[i - 1] + 1);
    for (unsigned i = 1025; i < 1280; i++)
        assert_ptr_equal(out[i], out[i - 1] + 1);
    assert_true(buddy.stats.splits < 12);
    check_pages(1283);
}

static void test_partial_answers(void **state)
{
    (void)state;
    for (unsigned pcp = 0; pcp < 2; pcp++) {
        make_buddy(100, pcp);
        assert_int_equal(buddy_alloc_bulk(&buddy, __GFP_NOWARN, 101, out, WHO), 100);
        check_pages(100);
        assert_int_equal(buddy_alloc_bulk(&buddy, __GFP_NOWARN, 5, out + 100, WHO), 0);
        buddy_free_bulk(&buddy, out, 100, WHO);
        buddy.reserve = 30;
        buddy_drain(&buddy);
        assert_int_equal(buddy_alloc_bulk(&buddy, __GFP_NOWARN, 100, out, WHO), 70);
        assert_int_equal(buddy_alloc_bulk(&buddy, GFP_ATOMIC, 30, out + 70, WHO), 30);
        check_pages(100);
    }
}

/* Fragmented as badly as can be: every second page. */
static void test_fragmented(void **state)
{
    (void)state;
    make_buddy(256, false);
    assert_int_equal(buddy_alloc_bulk(&buddy, 0, 256, out, WHO), 256);
    for (unsigned i = 0; i < 256; i += 2)
        buddy_free(&buddy, pfn_to_page(i), 0, WHO);
    assert_int_equal(buddy_alloc_bulk(&buddy, __GFP_NOWARN, 200, out, WHO), 128);
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(page_to_pfn(out[i]) % 2, 0);
    check();
}

static void test_the_kth_page_fails(void **state)
{
    (void)state;
    for (unsigned forever = 0; forever < 2; forever++) {
        make_buddy(512, true);
        for (u64 k = 1;; k++) {
            fail_arm(FAIL_PAGE, k, forever);
            u64 got = buddy_alloc_bulk(&buddy, 0, 40, out, WHO);
            bool hit = fail_count(FAIL_PAGE) != 0;
            fail_disarm(FAIL_PAGE);
            assert_int_equal(got, hit ? k - 1 : 40);
            check_pages(got);
            buddy_free_bulk(&buddy, out, got, WHO);
            assert_int_equal(buddy_free_pages(&buddy), 512);
            if (!hit)
                break;
        }
    }
    assert_int_equal(host_warnings(), 0);
}

static void test_zeroed_and_verified(void **state)
{
    (void)state;
    make_buddy(128, true);
    buddy.poison = true;
    assert_int_equal(buddy_alloc_bulk(&buddy, 0, 128, out, WHO), 128);
    buddy_free_bulk(&buddy, out, 128, WHO);
    ((u8 *)page_address(out[77]))[9] = 1;
    assert_int_equal(buddy_alloc_bulk(&buddy, __GFP_ZERO, 128, out, WHO), 128);
    expect_report("was modified at +0x9");
    for (unsigned i = 0; i < 128; i++)
        for (unsigned k = 0; k < PAGE_SIZE; k++)
            assert_int_equal(((u8 *)page_address(out[i]))[k], 0);
}

/* The same page twice in one call, a tail page, a page that is free already: all others are freed. */
static void test_bad_pages_among_good_ones(void **state)
{
    (void)state;
    for (unsigned pcp = 0; pcp < 2; pcp++) {
        u64 n = pcp ? 20 : 100; /* both ways through buddy_free_bulk() */
        make_buddy(512, pcp);
        assert_int_equal(buddy_alloc_bulk(&buddy, 0, n, out, WHO), n);
        out[n] = out[5];
        buddy_free_bulk(&buddy, out, n + 1, WHO);
        expect_report("double free");
        assert_int_equal(buddy_free_pages(&buddy), 512);
        check();
        buddy_free_bulk(&buddy, out, n, WHO);
        assert_int_equal(host_take_reports(), n);
        assert_int_equal(buddy_free_pages(&buddy), 512);
        check();
    }
}

/* ---- per-CPU lists ------------------------------------------------------------------------------- */

static void test_last_in_first_out(void **state)
{
    (void)state;
    make_buddy(512, true);
    struct page *a = buddy_alloc(&buddy, 0, 0, WHO), *b = buddy_alloc(&buddy, 0, 0, WHO);
    assert_int_equal(buddy.cpu[0].refills, 1);
    assert_int_equal(buddy.cpu[0].hits, 1);
    assert_int_equal(buddy.cpu[0].count, PCP_BATCH - 2);
    buddy_free(&buddy, a, 0, WHO);
    buddy_free(&buddy, b, 0, WHO);
    assert_ptr_equal(buddy_alloc(&buddy, 0, 0, WHO), b);
    assert_ptr_equal(buddy_alloc(&buddy, 0, 0, WHO), a);
    assert_int_equal(buddy_stats_read(&buddy).allocs[0], 4);
    check();
}

static void test_a_long_list_is_drained(void **state)
{
    (void)state;
    make_buddy(512, true);
    for (unsigned i = 0; i < 400; i++)
        out[i] = buddy_alloc(&buddy, 0, 0, WHO);
    for (unsigned i = 0; i < 400; i++) {
        buddy_free(&buddy, out[i], 0, WHO);
        assert_true(buddy.cpu[0].count <= PCP_HIGH);
    }
    assert_true(buddy.cpu[0].drains > 0);
    check();
    buddy_drain(&buddy);
    assert_int_equal(buddy.cpu[0].count, 0);
    assert_int_equal(buddy.free, 512);
    check();
}

static void test_each_cpu_has_its_own(void **state)
{
    (void)state;
    make_buddy(512, true);
    host_set_cpu_count(4);
    for (u32 cpu = 0; cpu < 4; cpu++) {
        host_set_cpu(cpu);
        out[cpu] = buddy_alloc(&buddy, 0, 0, WHO);
        assert_int_equal(buddy.cpu[cpu].count, PCP_BATCH - 1);
    }
    host_set_cpu(3);
    for (u32 cpu = 0; cpu < 4; cpu++)
        buddy_free(&buddy, out[cpu], 0, WHO);
    assert_int_equal(buddy.cpu[3].count, PCP_BATCH + 3);
    assert_int_equal(buddy_free_pages(&buddy), 512);
    check();
    host_set_cpu(0);
    buddy_drain(&buddy);
    assert_int_equal(buddy.free, 512);
    assert_int_equal(buddy.areas[9].count, 1);
    check();
}

/* The missing half of a block waits on this CPU's list: the allocation must not fail. */
static void test_cached_pages_are_drained_before_failing(void **state)
{
    (void)state;
    make_buddy(64, true);
    struct page *page = buddy_alloc(&buddy, 0, 0, WHO);
    buddy_free(&buddy, page, 0, WHO);
    assert_int_equal(buddy.cpu[0].count, PCP_BATCH);
    struct page *all = buddy_alloc(&buddy, 0, 6, WHO);
    assert_non_null(all);
    assert_int_equal(buddy.cpu[0].count, 0);
    buddy_free(&buddy, all, 6, WHO);
    assert_int_equal(host_warnings(), 0);
}

/* ---- sparse memory ---------------------------------------------------------------------------------- */

#define SPARSE_FRAMES (1UL << 20)

/*
 * Struct pages exist only where RAM is, in whole pages of the array, as the kernel backs its vmemmap.
 * Blocks at the very edges are merged and split and checked: nothing may reach into the holes.
 */
static void test_holes_are_never_touched(void **state)
{
    (void)state;
    static const pfn_t ram[][2] = {
        {1, 159}, {256, 16352}, {16384, 16390}, {100000, 100500}, {262144, 262144 + 3 * 1024 - 1}};
    u64 bytes = SPARSE_FRAMES * sizeof(struct page), total = 0;
    u8 *array = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct rng rng;

    assert_ptr_not_equal(array, MAP_FAILED);
    buddy_init(&buddy, "sparse", (struct page *)array, 0, SPARSE_FRAMES);
    for (size_t i = 0; i < ARRAY_SIZE(ram); i++) {
        u64 from = align_down(ram[i][0] * sizeof(struct page), PAGE_SIZE);
        u64 to = align_up(ram[i][1] * sizeof(struct page), PAGE_SIZE);
        assert_int_equal(mprotect(array + from, to - from, PROT_READ | PROT_WRITE), 0);
        buddy_add_range(&buddy, ram[i][0], ram[i][1]);
        total += ram[i][1] - ram[i][0];
    }
    assert_int_equal(buddy.managed, total);
    check();
    rng_seed(&rng, 7);
    for (unsigned round = 0; round < 20; round++) {
        u64 n = 0;
        unsigned order = (unsigned)rng_below(&rng, BUDDY_ORDERS);
        while (n < FRAMES && (out[n] = buddy_alloc(&buddy, __GFP_NOWARN, order, WHO)) != NULL)
            n++;
        while (n--)
            buddy_free(&buddy, out[n], order, WHO);
        assert_int_equal(buddy.free, total);
    }
    check();
    buddy_free(&buddy, buddy.pages + 50000, 0, WHO);
    expect_report("not a page");
    munmap(array, bytes);
}

static void test_more_pieces_than_spans(void **state)
{
    (void)state;
    static struct page array[(BUDDY_MAX_SPANS + 2) * 2 * BUDDY_SPAN_FRAMES];
    memset(array, 0, sizeof(array));
    buddy_init(&buddy, "pieces", array, 0, ARRAY_SIZE(array));
    for (unsigned i = 0; i < BUDDY_MAX_SPANS + 2; i++)
        buddy_add_range(&buddy, i * 2 * BUDDY_SPAN_FRAMES, i * 2 * BUDDY_SPAN_FRAMES + 3);
    assert_int_equal(host_warnings(), 2);
    assert_int_equal(buddy.managed, BUDDY_MAX_SPANS * 3);
    check();
    /* Filling a gap joins two spans, and then there is room for one more. */
    buddy_add_range(&buddy, BUDDY_SPAN_FRAMES, 2 * BUDDY_SPAN_FRAMES);
    assert_int_equal(buddy.span_count, BUDDY_MAX_SPANS - 1);
    buddy_add_range(&buddy, BUDDY_MAX_SPANS * 2 * BUDDY_SPAN_FRAMES,
                    BUDDY_MAX_SPANS * 2 * BUDDY_SPAN_FRAMES + 3);
    assert_int_equal(buddy.managed, BUDDY_MAX_SPANS * 3 + BUDDY_SPAN_FRAMES + 3);
    check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_size),
        host_test(test_larger_blocks_first),
        host_test(test_partial_answers),
        host_test(test_fragmented),
        host_test(test_the_kth_page_fails),
        host_test(test_zeroed_and_verified),
        host_test(test_bad_pages_among_good_ones),
        host_test(test_last_in_first_out),
        host_test(test_a_long_list_is_drained),
        host_test(test_each_cpu_has_its_own),
        host_test(test_cached_pages_are_drained_before_failing),
        host_test(test_holes_are_never_touched),
        host_test(test_more_pieces_than_spans),
    };

    return cmocka_run_group_tests_name("buddy_bulk", tests, NULL, NULL);
}
