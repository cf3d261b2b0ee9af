// SPDX-License-Identifier: MIT
/*
 * Tests of the checker: rb_check() must find what is broken, and name the place. Every valid tree
 * of up to 8 nodes is damaged in one spot, in every way of a kind; after the damage is undone the
 * same tree must pass. An undetected damage fails the test, a hang would be a test timeout.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/rbtree_augmented.h"
#include "tests/host/rbtree_shapes.h"

#define NODES 8

struct item {
    struct rb_node rb;
    u64 value; /* sum of the identities below: the exact set */
};

static struct item items[NODES];
static struct rb_root root;
static u64 damages;

static u64 stored(const struct rb_node *node)
{
    return node ? rb_entry(node, struct item, rb)->value : 0;
}

static u64 compute(const struct rb_node *node)
{
    return (1UL << (rb_entry(node, struct item, rb) - items)) + stored(node->left) +
           stored(node->right);
}

static u64 get_value(const struct rb_node *node)
{
    return stored(node);
}

static void set_value(struct rb_node *node, u64 value)
{
    rb_entry(node, struct item, rb)->value = value;
}

RB_DEFINE_AUGMENT(augment, compute, get_value, set_value);

static void fill_values(struct rb_node *node)
{
    if (!node)
        return;
    fill_values(node->left);
    fill_values(node->right);
    set_value(node, compute(node));
}

static void make_tree(u32 shape)
{
    root.node = shapes_build(shape, &items[0].rb, sizeof(items[0]));
    fill_values(root.node);
}

static enum rb_problem check(const struct rb_augment *aug, unsigned n, const struct rb_node **where)
{
    damages++;
    return rb_check(&root, aug, n, where);
}

/* Run `damage(n)` on every tree of 1..NODES nodes; the tree is sound before and after. */
static void on_every_tree(void (*damage)(unsigned n))
{
    damages = 0;
    for (unsigned n = 1; n <= NODES; n++)
        for (u32 i = 0; i < shapes_count(n); i++) {
            const struct rb_node *where = &items[0].rb;

            make_tree(shapes_get(n, i));
            damage(n);
            assert_int_equal(rb_check(&root, &augment, n, &where), RB_OK);
            assert_null(where);
        }
    print_message("# %lu damages, all found\n", damages);
}

static void flip_colours(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct rb_node *where = NULL;
        enum rb_problem problem;

        items[i].rb.parent_color ^= 1;
        problem = check(NULL, n, &where);
        if (&items[i].rb == root.node)
            assert_int_equal(problem, RB_RED_ROOT);
        else
            assert_true(problem == RB_RED_RED || problem == RB_BLACK_HEIGHT);
        assert_non_null(where);
        items[i].rb.parent_color ^= 1;
    }
}

static void change_values(unsigned n)
{
    for (unsigned i = 0; i < 2 * n; i++) {
        const struct rb_node *where = NULL;
        u64 good = items[i / 2].value;

        items[i / 2].value = i % 2 ? good + 1 : good - 1;
        assert_int_equal(check(&augment, n, &where), RB_VALUE);
        /* Seen at the node, or first at the parent that was computed from it. */
        assert_true(where == &items[i / 2].rb || where == rb_parent(&items[i / 2].rb));
        assert_int_equal(rb_check(&root, NULL, n, &where), RB_OK);
        items[i / 2].value = good;
    }
}

static void change_parents(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        u64 good = items[i].rb.parent_color;

        for (unsigned wrong = 0; wrong <= n; wrong++) {
            struct rb_node *parent = wrong < n ? &items[wrong].rb : NULL;
            const struct rb_node *where = NULL;

            if (parent == rb_parent(&items[i].rb))
                continue;
            items[i].rb.parent_color = (u64)parent | (good & 1);
            assert_int_equal(check(NULL, n, &where), RB_PARENT_LINK);
            assert_ptr_equal(where, &items[i].rb);
            items[i].rb.parent_color = good;
        }
    }
}

/* Every child link to every other node of the tree: cycles, shared subtrees, a node as its own
 * child, the same child left and right. */
static void change_children(unsigned n)
{
    for (unsigned i = 0; i < 2 * n; i++) {
        struct rb_node **link = i % 2 ? &items[i / 2].rb.left : &items[i / 2].rb.right;
        struct rb_node *good = *link;

        for (unsigned wrong = 0; wrong < n; wrong++) {
            const struct rb_node *where = NULL;
            enum rb_problem problem;

            if (&items[wrong].rb == good)
                continue;
            *link = &items[wrong].rb;
            problem = check(NULL, n, &where);
            assert_true(problem != RB_OK && problem != RB_VALUE);
            if (problem == RB_PARENT_LINK)
                assert_ptr_equal(where, &items[wrong].rb);
            *link = good;
        }
    }
}

/* A lost red leaf leaves a sound smaller tree; only the values know that it is missing. */
static void drop_children(unsigned n)
{
    for (unsigned i = 0; i < 2 * n; i++) {
        struct rb_node **link = i % 2 ? &items[i / 2].rb.left : &items[i / 2].rb.right;
        struct rb_node *good = *link;
        const struct rb_node *where = NULL;

        if (!good)
            continue;
        *link = NULL;
        assert_int_not_equal(check(&augment, n, &where), RB_OK);
        *link = good;
    }
}

static void lower_the_bound(unsigned n)
{
    const struct rb_node *where = NULL;

    for (unsigned bound = 0; bound < n; bound++)
        assert_int_equal(check(NULL, bound, &where), RB_CYCLE);
    assert_int_equal(rb_check(&root, NULL, (u64)-1, &where), RB_OK);
}

static void test_flipped_colour(void **state)
{
    (void)state;
    on_every_tree(flip_colours);
}

static void test_wrong_value(void **state)
{
    (void)state;
    on_every_tree(change_values);
}

static void test_wrong_parent(void **state)
{
    (void)state;
    on_every_tree(change_parents);
}

static void test_wrong_child_and_cycles(void **state)
{
    (void)state;
    on_every_tree(change_children);
}

static void test_lost_child(void **state)
{
    (void)state;
    on_every_tree(drop_children);
}

static void test_node_bound(void **state)
{
    (void)state;
    on_every_tree(lower_the_bound);
}

static void test_empty_tree(void **state)
{
    const struct rb_node *where = &items[0].rb;

    (void)state;
    root = RB_ROOT_INIT;
    assert_int_equal(rb_check(&root, &augment, 0, &where), RB_OK);
    assert_null(where);
    assert_null(rb_first(&root));
    assert_null(rb_last(&root));
}

static void erase_first_item(void *aug)
{
    rb_erase(&root, &items[0].rb, aug);
}

/* Erasing a node twice is noticed before anything is written. */
static void test_second_erase(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= NODES; n++)
        for (u32 i = 0; i < shapes_count(n); i++) {
            const struct rb_node *where;

            make_tree(shapes_get(n, i));
            erase_first_item(NULL);
            expect_panic(erase_first_item, NULL, "erased twice");
            assert_int_equal(rb_check(&root, NULL, n - 1, &where), RB_OK);
        }
}

static void test_problem_names(void **state)
{
    (void)state;
    for (unsigned a = 0; a <= RB_CYCLE + 1; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(rb_problem_name(a), rb_problem_name(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_flipped_colour), host_test(test_wrong_value),
        host_test(test_wrong_parent),   host_test(test_wrong_child_and_cycles),
        host_test(test_lost_child),     host_test(test_node_bound),
        host_test(test_empty_tree),     host_test(test_second_erase),
        host_test(test_problem_names),
    };

    shapes_init();
    return cmocka_run_group_tests_name("rbtree_check", tests, NULL, NULL);
}
