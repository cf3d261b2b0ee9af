// SPDX-License-Identifier: MIT
/*
 * The test of the checker: one kind of damage after the other is planted into a healthy buddy, and
 * buddy_check() must notice each and call it by its name. A cycle or a wild pointer is an answer.
 */
#include "tests/host/harness.h"

#include "mm/buddy.h"

#define MEMORY (16 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)

static struct buddy buddy;
static struct page *used_block, *used_single, *cached;

/* Something of everything: free blocks of several orders, a used block, per-CPU pages. */
static void make_world(void)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 1, 2000);
    used_block = buddy_alloc(&buddy, 0, 3, 0);
    used_single = buddy_alloc(&buddy, 0, 0, 0);
    page_set_use(&buddy, used_single, PAGE_USE_TABLE);
    buddy.use_pcp = true;
    cached = buddy_alloc(&buddy, 0, 0, 0);
    buddy_free(&buddy, cached, 0, 0);
    assert_null(buddy_check(&buddy));
}

static struct page *first_free(unsigned order)
{
    assert_false(list_empty(&buddy.areas[order].blocks));
    return list_entry(buddy.areas[order].blocks.next, struct page, link);
}

static unsigned some_order(void)
{
    unsigned order = 4;
    while (list_empty(&buddy.areas[order].blocks))
        order++;
    return order;
}

/* ---- the damages ---------------------------------------------------------------------------------- */

static void wrong_list(void)
{
    unsigned order = some_order();
    struct page *page = first_free(order);
    list_del(&page->link);
    buddy.areas[order].count--;
    list_add(&page->link, &buddy.areas[order - 1].blocks);
    buddy.areas[order - 1].count++;
}

static void wrong_order(void)
{
    first_free(some_order())->order++;
}

static void on_two_lists(void)
{
    /* The neighbour's link is copied: both lists now lead through the same page. */
    unsigned order = some_order();
    buddy.areas[0].blocks.next = &first_free(order)->link;
}

static void not_on_a_list(void)
{
    unsigned order = some_order();
    list_del(&first_free(order)->link);
    buddy.areas[order].count--;
}

static void count_wrong(void)
{
    buddy.areas[some_order()].count++;
}

static void cycle(void)
{
    struct page *page = first_free(some_order());
    page->link.next = &page->link;
}

static void wild_pointer(void)
{
    first_free(some_order())->link.next = LIST_POISON;
}

static void back_link(void)
{
    struct page *page = first_free(some_order());
    page->link.prev = &page->link;
}

static void not_closed(void)
{
    buddy.areas[some_order()].blocks.prev = &used_block->link;
}

static void unaligned(void)
{
    unsigned order = some_order();
    struct page *page = first_free(order);
    list_del(&page->link);
    page[1].state = PAGE_FREE;
    page[1].order = (u8)order;
    list_add(&page[1].link, &buddy.areas[order].blocks);
}

static void unmerged(void)
{
    /* Split a free block by hand and leave the halves beside each other. */
    unsigned order = some_order();
    struct page *page = first_free(order), *upper = page + (1UL << (order - 1));
    list_del(&page->link);
    buddy.areas[order].count--;
    page->order = upper->order = (u8)(order - 1);
    upper->state = PAGE_FREE;
    list_add(&page->link, &buddy.areas[order - 1].blocks);
    list_add(&upper->link, &buddy.areas[order - 1].blocks);
    buddy.areas[order - 1].count += 2;
}

static void used_page_in_free_block(void)
{
    first_free(some_order())[3].state = PAGE_USED;
}

static void free_page_in_used_block(void)
{
    used_block[2].state = PAGE_FREE_TAIL;
}

static void orphan_tail(void)
{
    used_single->state = PAGE_USED_TAIL;
}

static void used_order_absurd(void)
{
    used_block->order = 200;
}

static void used_order_unaligned(void)
{
    used_single->order = MAX_ORDER;
}

static void state_absurd(void)
{
    used_single->state = 77;
}

static void free_counter(void)
{
    buddy.free--;
}

static void managed_counter(void)
{
    buddy.managed++;
}

static void lost_page(void)
{
    used_single->state = PAGE_UNMANAGED;
}

static void pcp_counter(void)
{
    buddy.cpu[0].count--;
}

static void pcp_state(void)
{
    cached->state = PAGE_USED;
}

static void pcp_page_lost(void)
{
    list_del(&cached->link);
    buddy.cpu[0].count--;
}

static void use_counter(void)
{
    buddy.use_pages[PAGE_USE_TABLE] = 0;
}

static void use_changed(void)
{
    used_single->use = PAGE_USE_VMALLOC;
}

static const struct {
    void (*plant)(void);
    const char *name, *named;
} damages[] = {
    {wrong_list, "block on the list of another order", "B1: pfn"},
    {wrong_order, "order changed", "B1: pfn"},
    {on_two_lists, "block on two lists", "B1"},
    {not_on_a_list, "free block on no list", "B1"},
    {count_wrong, "count of a list", "its count says"},
    {cycle, "cycle", "cycle"},
    {wild_pointer, "poisoned link", "0xdead000000000100, which is no page"},
    {back_link, "link back", "not linked back"},
    {not_closed, "tail of a list", "not closed"},
    {unaligned, "free block not aligned", "not aligned"},
    {unmerged, "two free buddies", "B2: pfn"},
    {used_page_in_free_block, "used page in a free block", "B3: pfn"},
    {free_page_in_used_block, "free page in a used block", "B3: pfn"},
    {orphan_tail, "tail without a head", "no block contains it"},
    {used_order_absurd, "order 200", "order 200"},
    {used_order_unaligned, "used block not aligned", "not aligned"},
    {state_absurd, "state 77", "no known state"},
    {free_counter, "free counter", "B3: "},
    {managed_counter, "managed counter", "B3: managed"},
    {lost_page, "lost page", "B3: managed"},
    {pcp_counter, "per-CPU counter", "per-CPU list"},
    {pcp_state, "used page on a per-CPU list", "per-CPU list"},
    {pcp_page_lost, "per-CPU page on no list", "B3: "},
    {use_counter, "counter of page tables", "page table"},
    {use_changed, "use changed", "B3: "},
};

static void test_every_damage_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        make_world();
        damages[i].plant();
        const char *broken = buddy_check(&buddy);
        if (!broken || !strstr(broken, damages[i].named))
            fail_msg("%s: \"%s\" expected, got: %s", damages[i].name, damages[i].named, broken);
        assert_string_not_equal(broken, "");
    }
    print_message("%zu of %zu kinds of damage named\n", ARRAY_SIZE(damages), ARRAY_SIZE(damages));
}

static void alloc_big(void *arg __unused)
{
    buddy_alloc(&buddy, 0, 4, 0);
}

/* An allocation that meets a damaged list stops instead of handing out what is not free. */
static void test_allocation_stops_at_a_damaged_list(void **state)
{
    (void)state;
    make_world();
    first_free(some_order())->state = PAGE_USED;
    expect_panic(alloc_big, NULL, "B1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_damage_is_named),
        host_test(test_allocation_stops_at_a_damaged_list),
    };

    return cmocka_run_group_tests_name("buddy_check", tests, NULL, NULL);
}
