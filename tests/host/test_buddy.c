// SPDX-License-Identifier: MIT
/*
 * The buddy against one flag per page. Completeness is exact: an allocation must succeed if and only if
 * an aligned free run of that size exists, because B2 means that everything free is merged as far as
 * it goes. All short sequences on eight pages, random life on four thousand, exhaustion, injected
 * failures. Beside it: test_buddy_misuse.c, test_buddy_bulk.c, test_buddy_check.c.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "mm/buddy.h"

#define MEMORY (16 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)
#define WHO (KERNEL_BASE + 0x1234) /* who calls, in reports */

static struct buddy buddy;
static bool used[FRAMES]; /* the model: not free */

static void make_buddy(pfn_t start, pfn_t end)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, start, end);
    for (pfn_t pfn = 0; pfn < FRAMES; pfn++)
        used[pfn] = pfn < start || pfn >= end;
}

static void check(void)
{
    const char *broken = buddy_check(&buddy);
    if (broken)
        fail_msg("%s", broken);
}

static bool run_is_free(pfn_t start, unsigned order)
{
    for (pfn_t pfn = start; pfn < start + (1UL << order); pfn++)
        if (used[pfn])
            return false;
    return true;
}

static bool can_alloc(unsigned order, pfn_t frames)
{
    for (pfn_t start = 0; start + (1UL << order) <= frames; start += 1UL << order)
        if (run_is_free(start, order))
            return true;
    return false;
}

static void set_used(pfn_t start, unsigned order, bool value)
{
    for (pfn_t pfn = start; pfn < start + (1UL << order); pfn++)
        used[pfn] = value;
}

/* Allocate and hold the answer against the model. */
static struct page *alloc_checked(unsigned order, pfn_t frames)
{
    bool expected = can_alloc(order, frames);
    struct page *page = buddy_alloc(&buddy, __GFP_NOWARN, order, WHO);

    assert_int_equal(page != NULL, expected);
    if (!page)
        return NULL;
    pfn_t pfn = page_to_pfn(page);
    assert_true(is_aligned(pfn, 1UL << order));
    assert_true(run_is_free(pfn, order));
    assert_int_equal(page->state, PAGE_USED);
    assert_int_equal(page->order, order);
    assert_int_equal(page->refcount, 1);
    assert_int_equal(caller_unpack(page->alloc_caller), WHO);
    set_used(pfn, order, true);
    return page;
}

static void free_checked(struct page *page, unsigned order)
{
    buddy_free(&buddy, page, order, WHO);
    set_used(page_to_pfn(page), order, false);
}

/* ---- every short sequence on eight pages --------------------------------------------------------- */

#define SMALL 8u
#define DEPTH 7u

struct live {
    struct page *page;
    unsigned order;
};

static u64 sequences;

static void try_all(struct live *live, unsigned count, unsigned depth)
{
    static struct buddy saved_buddy[DEPTH + 1];
    static struct page saved_pages[DEPTH + 1][SMALL];

    sequences++;
    check();
    if (depth == 0)
        return;
    saved_buddy[depth] = buddy;
    memcpy(saved_pages[depth], buddy.pages, sizeof(saved_pages[depth]));
    for (unsigned choice = 0; choice < 4 + count; choice++) {
        bool was_used[SMALL];
        memcpy(was_used, used, sizeof(was_used));
        if (choice < 4) {
            live[count] = (struct live){alloc_checked(choice, SMALL), choice};
            try_all(live, count + (live[count].page != NULL), depth - 1);
        } else {
            struct live gone = live[choice - 4];
            live[choice - 4] = live[count - 1];
            free_checked(gone.page, gone.order);
            try_all(live, count - 1, depth - 1);
            live[count - 1] = live[choice - 4];
            live[choice - 4] = gone;
        }
        buddy = saved_buddy[depth];
        memcpy(buddy.pages, saved_pages[depth], sizeof(saved_pages[depth]));
        memcpy(used, was_used, sizeof(was_used));
    }
}

static void test_every_short_sequence(void **state)
{
    (void)state;
    struct live live[DEPTH + 1];
    make_buddy(0, SMALL);
    sequences = 0;
    try_all(live, 0, DEPTH);
    print_message("%lu sequences of up to %u operations on %u pages\n", sequences, DEPTH, SMALL);
}

/* ---- random life ------------------------------------------------------------------------------------ */

static void random_life(u64 seed, pfn_t start, pfn_t end)
{
    struct live live[200];
    unsigned count = 0;
    struct rng rng;

    rng_seed(&rng, seed);
    make_buddy(start, end);
    u64 areas[BUDDY_ORDERS];
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        areas[order] = buddy.areas[order].count;
    for (unsigned op = 0; op < 600; op++) {
        if (count < ARRAY_SIZE(live) && rng_below(&rng, 5) < 3) {
            unsigned order = (unsigned)rng_below(&rng, rng_below(&rng, 4) ? 4 : BUDDY_ORDERS);
            live[count] = (struct live){alloc_checked(order, FRAMES), order};
            count += live[count].page != NULL;
        } else if (count) {
            unsigned i = (unsigned)rng_below(&rng, count);
            free_checked(live[i].page, live[i].order);
            live[i] = live[--count];
        }
        if (op % 16 == 0)
            check();
    }
    while (count--)
        free_checked(live[count].page, live[count].order);
    check();
    /* All back: exactly the blocks of the beginning. */
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        assert_int_equal(buddy.areas[order].count, areas[order]);
    assert_int_equal(buddy_free_pages(&buddy), end - start);
}

static void test_random_life(void **state)
{
    (void)state;
    for (u64 seed = 1; seed <= 12; seed++)
        random_life(seed, seed * 37 % 100, FRAMES - seed * 91 % 300);
}

static void test_ranges_become_the_largest_blocks(void **state)
{
    (void)state;
    make_buddy(1, 4096);
    for (unsigned order = 0; order < MAX_ORDER; order++)
        assert_int_equal(buddy.areas[order].count, 1); /* 1, 2-3, 4-7, ... 512-1023 */
    assert_int_equal(buddy.areas[MAX_ORDER].count, 3);
    make_buddy(1000, 1000);
    assert_int_equal(buddy.managed, 0);
    /* Pieces that touch merge across calls. */
    buddy_add_range(&buddy, 1024, 1500);
    buddy_add_range(&buddy, 2000, 2048);
    buddy_add_range(&buddy, 1500, 2000);
    assert_int_equal(buddy.areas[MAX_ORDER].count, 1);
    assert_int_equal(buddy.span_count, 1);
    check();
}

/* ---- too little memory ----------------------------------------------------------------------------------- */

static void test_exhaustion_leaves_no_trace(void **state)
{
    (void)state;
    static struct page *taken[FRAMES];
    make_buddy(3, 1000);
    for (unsigned round = 0; round < 12; round++) {
        unsigned order = round % 4, n = 0;
        buddy.use_pcp = round & 4;
        while ((taken[n] = buddy_alloc(&buddy, 0, order, WHO)) != NULL)
            n++;
        assert_true(order || n == 997);
        check();
        while (n--)
            buddy_free(&buddy, taken[n], order, WHO);
        buddy_drain(&buddy);
        assert_int_equal(buddy.free, 997);
        assert_int_equal(buddy.areas[8].count, 2); /* 256.., 512.. */
        check();
    }
    assert_true(host_warnings() >= 4); /* the 1st, 2nd, 4th and 8th failure */
    assert_true(host_warnings() < 12);
}

static void test_reserve_is_for_atomic(void **state)
{
    (void)state;
    for (unsigned pcp = 0; pcp < 2; pcp++) {
        make_buddy(0, 64);
        buddy.reserve = 10;
        buddy.use_pcp = pcp;
        unsigned n = 0;
        while (buddy_alloc(&buddy, __GFP_NOWARN, 0, WHO))
            n++;
        assert_int_equal(n, 54);
        assert_null(buddy_alloc(&buddy, __GFP_NOWARN, 2, WHO));
        for (n = 0; buddy_alloc(&buddy, GFP_ATOMIC | __GFP_NOWARN, 0, WHO); n++)
            assert_null(buddy_alloc(&buddy, __GFP_NOWARN, 0, WHO));
        assert_int_equal(n, 10);
        check();
    }
}

static void test_injected_failures(void **state)
{
    (void)state;
    make_buddy(0, 64);
    fail_arm(FAIL_PAGE, 2, false);
    struct page *first = buddy_alloc(&buddy, 0, 0, WHO);
    assert_non_null(first);
    assert_non_null(buddy_alloc(&buddy, __GFP_NOFAULT, 0, WHO)); /* does not count */
    assert_null(buddy_alloc(&buddy, 0, 0, WHO));
    assert_non_null(buddy_alloc(&buddy, 0, 0, WHO));
    fail_disarm(FAIL_PAGE);
    assert_int_equal(buddy_free_pages(&buddy), 61);
    assert_int_equal(buddy.stats.failures, 1);
    assert_int_equal(host_warnings(), 0);
    check();
}

/* ---- counters ---------------------------------------------------------------------------------------------- */

static void test_uses_are_counted(void **state)
{
    (void)state;
    make_buddy(0, 64);
    struct page *table = buddy_alloc(&buddy, 0, 0, WHO), *area = buddy_alloc(&buddy, 0, 3, WHO);
    page_set_use(&buddy, table, PAGE_USE_TABLE);
    page_set_use(&buddy, area, PAGE_USE_VMALLOC);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_VMALLOC), 8);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_TABLE), 1);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_OTHER), 0);
    buddy_split_allocated(&buddy, area, 3);
    check();
    for (unsigned i = 0; i < 8; i++)
        buddy_free(&buddy, area + i, 0, WHO);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_VMALLOC), 0);
    assert_int_equal(buddy_stats_read(&buddy).frees[0], 8);
    check();
    buddy_free(&buddy, table, 0, WHO);
    assert_int_equal(buddy.areas[6].count, 1);
}

static void test_block_head(void **state)
{
    (void)state;
    make_buddy(0, 64);
    for (unsigned order = 0; order <= 6; order++) {
        struct page *head = buddy_alloc(&buddy, 0, order, WHO);
        for (unsigned i = 0; i < 1u << order; i++)
            assert_ptr_equal(buddy_block_head(&buddy, head + i), head);
        for (pfn_t pfn = 0; pfn < 64; pfn++)
            if (pfn < page_to_pfn(head) || pfn >= page_to_pfn(head) + (1UL << order))
                assert_null(buddy_block_head(&buddy, pfn_to_page(pfn)));
        buddy_free(&buddy, head, order, WHO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_short_sequence),
        host_test(test_random_life),
        host_test(test_ranges_become_the_largest_blocks),
        host_test(test_exhaustion_leaves_no_trace),
        host_test(test_reserve_is_for_atomic),
        host_test(test_injected_failures),
        host_test(test_uses_are_counted),
        host_test(test_block_head),
    };

    return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
