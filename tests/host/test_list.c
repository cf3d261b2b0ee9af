// SPDX-License-Identifier: MIT
/*
 * lib/list.h against an array as the model: random operations, the whole list compared in both
 * directions after each. Then every misuse that the list promises to notice.
 */
#include "tests/host/harness.h"

#include "lib/list.h"
#include "lib/rng.h"

#define ITEMS 12

struct item {
    u32 number;
    struct list_head link;
};

struct model {
    struct list_head head;
    struct item *order[ITEMS];
    unsigned count;
};

static void check_list(struct model *model)
{
    struct list_head *at = &model->head;
    struct item *item;
    unsigned i = 0;

    list_for_each_entry(item, &model->head, link)
        assert_ptr_equal(item, model->order[i++]);
    assert_int_equal(i, model->count);
    while ((at = at->prev) != &model->head)
        assert_ptr_equal(list_entry(at, struct item, link), model->order[--i]);
    assert_int_equal(i, 0);
    assert_int_equal(list_empty(&model->head), model->count == 0);
}

static void model_insert(struct model *model, unsigned at, struct item *item)
{
    memmove(&model->order[at + 1], &model->order[at], (model->count - at) * sizeof(item));
    model->order[at] = item;
    model->count++;
}

static void model_remove(struct model *model, unsigned at)
{
    model->count--;
    memmove(&model->order[at], &model->order[at + 1],
            (model->count - at) * sizeof(model->order[0]));
}

static unsigned model_find(const struct model *model, const struct item *item)
{
    unsigned i = 0;

    while (i < model->count && model->order[i] != item)
        i++;
    return i;
}

static void test_random_operations(void **state)
{
    struct item items[ITEMS];
    struct model model = {.count = 0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    list_init(&model.head);
    for (unsigned step = 0; step < 20000; step++) {
        struct item *item = &items[rng_below(&rng, ITEMS)];
        unsigned at = model_find(&model, item);

        if (at < model.count) {
            list_del(&item->link);
            assert_ptr_equal(item->link.next, LIST_POISON);
            model_remove(&model, at);
        } else if (rng_below(&rng, 3) == 0) {
            list_add(&item->link, &model.head);
            model_insert(&model, 0, item);
        } else if (model.count && rng_below(&rng, 2)) {
            at = (unsigned)rng_below(&rng, model.count);
            list_add(&item->link, &model.order[at]->link);
            model_insert(&model, at + 1, item);
        } else {
            list_add_tail(&item->link, &model.head);
            model_insert(&model, model.count, item);
        }
        check_list(&model);
    }
}

/* Every length of both lists. */
static void test_splice(void **state)
{
    (void)state;
    for (unsigned a = 0; a <= 5; a++)
        for (unsigned b = 0; b <= 5; b++) {
            struct item items[ITEMS];
            struct model to = {.count = 0}, from = {.count = 0};

            list_init(&to.head);
            list_init(&from.head);
            for (unsigned i = 0; i < a + b; i++) {
                list_add_tail(&items[i].link, i < a ? &to.head : &from.head);
                model_insert(&to, i, &items[i]);
            }
            list_splice_tail_init(&from.head, &to.head);
            check_list(&to);
            check_list(&from);
        }
}

static void test_removal_while_walking(void **state)
{
    struct item items[ITEMS], *item, *next;
    struct list_head head = LIST_HEAD_INIT(head), *at, *after;
    unsigned seen = 0;

    (void)state;
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i].number = i;
        list_add_tail(&items[i].link, &head);
    }
    list_for_each_entry_safe(item, next, &head, link)
        if (item->number % 2)
            list_del(&item->link);
    list_for_each(at, &head)
        assert_int_equal(list_entry(at, struct item, link)->number, 2 * seen++);
    assert_int_equal(seen, ITEMS / 2);
    list_for_each_safe(at, after, &head)
        list_del(at);
    assert_true(list_empty(&head));
}

static void remove_link(void *link)
{
    list_del(link);
}

static void add_behind(void *at)
{
    struct list_head node;

    list_add(&node, at);
}

static void test_misuse_is_noticed(void **state)
{
    struct list_head head, a, b, stray;

    (void)state;
    list_init(&head);
    list_init(&stray);
    list_add_tail(&a, &head);
    list_add_tail(&b, &head);
    list_del(&a);
    expect_panic(remove_link, &a, "was removed before");
    assert_ptr_equal(head.next, &b);

    list_add(&a, &head); /* head, a, b */
    a.next = &stray;     /* the list skips b */
    expect_panic(remove_link, &b, "list corrupted");
    expect_panic(remove_link, &a, "list corrupted");
    expect_panic(add_behind, &a, "list corrupted");
    a.next = &b;
    b.prev = &stray; /* the way back is wrong */
    expect_panic(remove_link, &b, "list corrupted");
    expect_panic(add_behind, &a, "list corrupted");
    b.prev = &a;
    list_del(&a);
    list_del(&b);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_random_operations),
        host_test(test_splice),
        host_test(test_removal_while_walking),
        host_test(test_misuse_is_noticed),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
