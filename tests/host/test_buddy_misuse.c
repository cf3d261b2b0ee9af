// SPDX-License-Identifier: MIT
/*
 * What the buddy does for people who make mistakes: frees that are refused, with a report that names
 * the page and the culprits and with nothing changed; ranges that are refused; poison and zeroing.
 */
#include "tests/host/harness.h"

#include "mm/buddy.h"

#define MEMORY (16 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)
#define WHO (KERNEL_BASE + 0x1234) /* who calls, in reports */

static struct buddy buddy;

static void make_buddy(pfn_t start, pfn_t end)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, start, end);
}

static void check(void)
{
    const char *broken = buddy_check(&buddy);
    if (broken)
        fail_msg("%s", broken);
}

/* ---- misuse: reported, refused, nothing changed ------------------------------------------------------ */

static void refuse(struct page *page, unsigned order, const char *why)
{
    struct page before = {0};
    bool ours = buddy_covers(&buddy, page_to_pfn(page));
    u64 free_pages = buddy_free_pages(&buddy);

    if (ours)
        before = *page;
    buddy_free(&buddy, page, order, WHO);
    expect_report(why);
    assert_int_equal(buddy_free_pages(&buddy), free_pages);
    if (ours)
        assert_memory_equal(&before, page, sizeof(before));
    check();
}

static void test_frees_that_are_refused(void **state)
{
    (void)state;
    make_buddy(256, 2048);
    struct page *page = buddy_alloc(&buddy, 0, 3, WHO), *other = buddy_alloc(&buddy, 0, 0, WHO);
    char pfn[32];
    snprintf(pfn, sizeof(pfn), "pfn 0x%lx", page_to_pfn(page));

    refuse(page, 2, "with order 2");
    refuse(page, 2, pfn);
    refuse(page, MAX_ORDER + 1, "order 11");
    refuse(page + 1, 0, "inside a used block");
    refuse((struct page *)((u8 *)page + 8), 3, "not a page");
    refuse(pfn_to_page(100), 0, "not a page");
    refuse(pfn_to_page(3000), 0, "not a page");
    refuse(pfn_to_page(~0UL >> 12), 0, "not a page");
    page->refcount = 2;
    refuse(page, 3, "2 users");
    page->refcount = 1;
    page_set_use(&buddy, other, PAGE_USE_SLAB);
    refuse(other, 0, "slab");
    page_set_use(&buddy, other, PAGE_USE_OTHER);

    buddy_free(&buddy, page, 3, WHO);
    refuse(page, 3, "double free");
    refuse(page, 0, pfn);
    buddy_free(&buddy, other, 0, WHO);
    refuse(other, 0, "double free");
    buddy.use_pcp = true;
    other = buddy_alloc(&buddy, 0, 0, WHO);
    buddy_free(&buddy, other, 0, WHO);
    refuse(other, 0, "per-CPU");
}

/* A frame inside the array that nobody ever gave to the buddy. */
static void test_unmanaged_frames_are_refused(void **state)
{
    (void)state;
    make_buddy(200, 2048);
    assert_true(buddy_covers(&buddy, 199)); /* same page of struct pages as frame 200 */
    refuse(pfn_to_page(199), 0, "unmanaged");
}

static void test_orders_that_do_not_exist(void **state)
{
    (void)state;
    make_buddy(0, FRAMES);
    assert_null(buddy_alloc(&buddy, 0, MAX_ORDER + 1, WHO));
    assert_null(buddy_alloc(&buddy, 0, (unsigned)-1, WHO));
    check();
}

static void add_twice(void *arg __unused)
{
    buddy_add_range(&buddy, 100, 101);
}

static void add_outside(void *arg __unused)
{
    buddy_add_range(&buddy, FRAMES - 1, FRAMES + 1);
}

static void test_ranges_that_are_refused(void **state)
{
    (void)state;
    make_buddy(64, 128);
    expect_panic(add_twice, NULL, "managed already");
    expect_panic(add_outside, NULL, "not all in");
}

/* ---- content ------------------------------------------------------------------------------------------- */

static void test_poison_finds_use_after_free(void **state)
{
    (void)state;
    make_buddy(0, 64);
    buddy.poison = true;
    struct page *page = buddy_alloc(&buddy, 0, 2, WHO);
    u8 *content = page_address(page);
    memset(content, 0, 4 * PAGE_SIZE);
    buddy_free(&buddy, page, 2, KERNEL_BASE + 0x777);
    assert_int_equal(content[0], PAGE_POISON);
    assert_int_equal(content[4 * PAGE_SIZE - 1], PAGE_POISON);
    assert_int_equal(caller_unpack(page[3].free_caller), KERNEL_BASE + 0x777);

    content[3 * PAGE_SIZE + 17] = 0x55;
    struct page *all = buddy_alloc(&buddy, 0, 6, WHO);
    assert_non_null(all);
    char where[64];
    snprintf(where, sizeof(where), "pfn 0x%lx was modified at +0x11", page_to_pfn(page) + 3);
    expect_report(where);
    assert_non_null(strstr(host_last_report(), "0x55"));
    assert_non_null(strstr(host_last_report(), "80000777"));
    buddy_free(&buddy, all, 6, WHO);
    check();
}

/* Turning poison off and on again leaves no page that is verified without having been filled. */
static void test_poison_may_be_switched(void **state)
{
    (void)state;
    make_buddy(0, 16);
    for (unsigned round = 0; round < 8; round++) {
        buddy.poison = round & 1;
        struct page *page = buddy_alloc(&buddy, 0, round % 4, WHO);
        memset(page_address(page), (int)round, PAGE_SIZE << (round % 4));
        buddy_free(&buddy, page, round % 4, WHO);
    }
    assert_int_equal(host_take_reports(), 0);
}

static void test_zero(void **state)
{
    (void)state;
    make_buddy(0, 64);
    for (unsigned i = 0; i < 4; i++) {
        buddy.poison = i & 1;
        buddy.use_pcp = i & 2;
        struct page *page = buddy_alloc(&buddy, __GFP_ZERO, 3 * (i == 3), WHO);
        const u8 *content = page_address(page);
        for (u64 k = 0; k < PAGE_SIZE << page->order; k++)
            assert_int_equal(content[k], 0);
        memset(page_address(page), 0x11, PAGE_SIZE << page->order);
        buddy_free(&buddy, page, page->order, WHO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_frees_that_are_refused),
        host_test(test_unmanaged_frames_are_refused),
        host_test(test_orders_that_do_not_exist),
        host_test(test_ranges_that_are_refused),
        host_test(test_poison_finds_use_after_free),
        host_test(test_poison_may_be_switched),
        host_test(test_zero),
    };

    return cmocka_run_group_tests_name("buddy_misuse", tests, NULL, NULL);
}
