// SPDX-License-Identifier: MIT
/*
 * Red-black trees, the inductive step in full: every valid tree of up to 14 nodes x every place to
 * insert x every node to erase, plain and augmented. Rebalancing never looks at keys, so this is
 * every case there is up to that size. After each operation an independent recursive checker, which
 * shares no line with rb_check(), looks at order, links, colours, heights and values.
 * test_rbtree_shapes.c shows that these are all trees, test_rbtree_check.c tests rb_check() itself.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/rbtree_augmented.h"
#include "lib/rng.h"
#include "tests/host/rbtree_shapes.h"

#define NODES (SHAPE_NODES_MAX + 1)

struct item {
    struct rb_node rb;
    u64 weight; /* what the node itself contributes */
    u64 value;  /* of the subtree: what the augmentation keeps */
};

static u64 operations;

static struct item *item_of(const struct rb_node *node)
{
    return rb_entry(node, struct item, rb);
}

static u64 stored(const struct rb_node *node)
{
    return node ? item_of(node)->value : 0;
}

static u64 get_value(const struct rb_node *node)
{
    return item_of(node)->value;
}

static void set_value(struct rb_node *node, u64 value)
{
    item_of(node)->value = value;
}

/* The set of nodes of the subtree: any node that is missed, or counted too often, shows. */
static u64 compute_sum(const struct rb_node *node)
{
    return item_of(node)->weight + stored(node->left) + stored(node->right);
}

/* As subtree_max_size: often does not change on the way up, so that early stops are exercised. */
static u64 compute_max(const struct rb_node *node)
{
    return max_u64(item_of(node)->weight, max_u64(stored(node->left), stored(node->right)));
}

RB_DEFINE_AUGMENT(sum_augment, compute_sum, get_value, set_value);
RB_DEFINE_AUGMENT(max_augment, compute_max, get_value, set_value);

/* ---- the independent checker ---------------------------------------------------------------- */

/* Black height of a correct subtree; fails the test otherwise. *next is the node that must come
 * next in order; it moves on through `expected`. */
static int check_subtree(const struct rb_node *node, const struct rb_node *parent,
                         const struct rb_augment *aug, struct item *const **next)
{
    int left, right;

    if (!node)
        return 0;
    assert_ptr_equal(rb_parent(node), parent);
    if (rb_node_color(node) == RB_RED) {
        assert_true(!node->left || rb_node_color(node->left) == RB_BLACK);
        assert_true(!node->right || rb_node_color(node->right) == RB_BLACK);
    }
    left = check_subtree(node->left, node, aug, next);
    assert_ptr_equal(node, &(*(*next)++)->rb);
    right = check_subtree(node->right, node, aug, next);
    assert_int_equal(left, right);
    if (aug)
        assert_int_equal(item_of(node)->value, aug->compute(node));
    return left + (rb_node_color(node) == RB_BLACK);
}

/* The tree holds exactly expected[0..n), in this order, and the iterators agree. */
static void check_tree(const struct rb_root *root, const struct rb_augment *aug,
                       struct item *const *expected, unsigned n)
{
    struct item *const *next = expected;
    const struct rb_node *where;
    const struct rb_node *node = rb_first(root);

    assert_true(!root->node || rb_node_color(root->node) == RB_BLACK);
    check_subtree(root->node, NULL, aug, &next);
    assert_int_equal(next - expected, n);
    for (unsigned i = 0; i < n; i++, node = rb_next(node))
        assert_ptr_equal(node, &expected[i]->rb);
    assert_null(node);
    node = rb_last(root);
    for (unsigned i = n; i-- > 0; node = rb_prev(node))
        assert_ptr_equal(node, &expected[i]->rb);
    assert_null(node);
    assert_int_equal(rb_check(root, aug, n, &where), RB_OK);
    operations++;
}

/* ---- every tree, every operation ------------------------------------------------------------ */

/* Weights by position; the numbers matter to compute_max() only. */
enum pattern { SAME, RISING, FALLING, MIXED, BITS, PATTERNS };

static u64 weight_of(enum pattern pattern, unsigned i)
{
    switch (pattern) {
    case SAME:
        return 5;
    case RISING:
        return i + 1;
    case FALLING:
        return NODES - i;
    case MIXED:
        return (i * 7 + 3) % 5 + 1;
    default:
        return 1UL << i;
    }
}

static u64 fill_values(struct rb_node *node, const struct rb_augment *aug)
{
    if (!node)
        return 0;
    fill_values(node->left, aug);
    fill_values(node->right, aug);
    return item_of(node)->value = aug->compute(node);
}

/* items[0..n) become the shape in order; the spare item's value is rubbish, as a new node's is. */
static struct rb_root make_tree(u32 shape, unsigned n, struct item *items,
                                const struct rb_augment *aug, enum pattern pattern)
{
    struct rb_root root = {shapes_build(shape, &items[0].rb, sizeof(items[0]))};

    for (unsigned i = 0; i <= n; i++)
        items[i].weight = weight_of(pattern, i);
    items[n].value = items[n].weight;
    if (aug)
        fill_values(root.node, aug);
    return root;
}

/* Insert the spare item so that it comes before the item at position `at`. */
static void insert_at(struct rb_root *root, struct item *items, unsigned n, unsigned at,
                      const struct rb_augment *aug)
{
    struct rb_node **link = &root->node, *parent = NULL;
    struct item *spare = &items[n];

    while (*link) {
        parent = *link;
        link = at <= (unsigned)(item_of(parent) - items) ? &parent->left : &parent->right;
    }
    rb_link(&spare->rb, parent, link);
    rb_insert_fixup(root, &spare->rb, aug);
}

static void try_all_inserts(u32 shape, unsigned n, const struct rb_augment *aug,
                            enum pattern pattern)
{
    struct item items[NODES], *expected[NODES];

    for (unsigned at = 0; at <= n; at++) {
        struct rb_root root = make_tree(shape, n, items, aug, pattern);

        insert_at(&root, items, n, at, aug);
        for (unsigned i = 0; i <= n; i++)
            expected[i] = &items[i < at ? i : i == at ? n : i - 1];
        check_tree(&root, aug, expected, n + 1);
    }
}

static void try_all_erasures(u32 shape, unsigned n, const struct rb_augment *aug,
                             enum pattern pattern)
{
    struct item items[NODES], *expected[NODES];

    for (unsigned at = 0; at < n; at++) {
        struct rb_root root = make_tree(shape, n, items, aug, pattern);

        rb_erase(&root, &items[at].rb, aug);
        for (unsigned i = 0; i + 1 < n; i++)
            expected[i] = &items[i < at ? i : i + 1];
        check_tree(&root, aug, expected, n - 1);
    }
}

/* Every tree of up to `max` nodes; returns how many operations were tried and checked. */
static u64 try_all_trees(const struct rb_augment *aug, enum pattern pattern, unsigned max)
{
    u64 before = operations;

    for (unsigned n = 0; n <= max; n++)
        for (u32 i = 0; i < shapes_count(n); i++) {
            try_all_inserts(shapes_get(n, i), n, aug, pattern);
            try_all_erasures(shapes_get(n, i), n, aug, pattern);
        }
    return operations - before;
}

/* What try_all_trees() must have done: n + 1 places to insert and n nodes to erase in each tree. */
static u64 operations_expected(unsigned max)
{
    u64 sum = 0;

    for (unsigned n = 0; n <= max; n++)
        sum += (u64)shapes_count(n) * (2 * n + 1);
    return sum;
}

static void test_every_tree_plain(void **state)
{
    (void)state;
    assert_int_equal(try_all_trees(NULL, BITS, SHAPE_NODES_MAX),
                     operations_expected(SHAPE_NODES_MAX));
    print_message("# R1: all valid red-black trees of 0..%u nodes, %lu operations\n",
                  SHAPE_NODES_MAX, operations_expected(SHAPE_NODES_MAX));
}

static void test_every_tree_augmented_by_sum(void **state)
{
    (void)state;
    assert_int_equal(try_all_trees(&sum_augment, BITS, SHAPE_NODES_MAX),
                     operations_expected(SHAPE_NODES_MAX));
}

static void test_every_tree_augmented_by_max(void **state)
{
    (void)state;
    for (enum pattern pattern = SAME; pattern < BITS; pattern++)
        assert_int_equal(try_all_trees(&max_augment, pattern, SHAPE_NODES_MAX - 2),
                         operations_expected(SHAPE_NODES_MAX - 2));
}

/* ---- propagation, and trees larger than the exhaustive bound --------------------------------- */

static void test_propagate_exact(void **state)
{
    struct item items[NODES], *expected[NODES];

    (void)state;
    for (unsigned i = 0; i < NODES; i++)
        expected[i] = &items[i];
    for (unsigned n = 1; n <= 10; n++)
        for (u32 i = 0; i < shapes_count(n); i++)
            for (unsigned at = 0; at < 4 * n; at++) {
                struct rb_root root = make_tree(shapes_get(n, i), n, items, &max_augment, MIXED);
                struct item *item = &items[at / 4];

                item->weight = (const u64[]){0, 2, 4, 100}[at % 4];
                rb_propagate(&item->rb, &max_augment);
                check_tree(&root, &max_augment, expected, n);
            }
}

#define BIG 400

static void big_insert(struct rb_root *root, struct item *item, const struct rb_augment *aug)
{
    struct rb_node **link = &root->node, *parent = NULL;

    while (*link) {
        parent = *link;
        link = &item->rb < parent ? &parent->left : &parent->right;
    }
    rb_link(&item->rb, parent, link);
    rb_insert_fixup(root, &item->rb, aug);
}

/* Address order is the order of the tree; grows to BIG nodes and shrinks to none, again and
 * again. */
static void big_random_run(const struct rb_augment *aug, u64 seed)
{
    static struct item items[BIG];
    static bool inside[BIG];
    struct rb_root root = {NULL};
    struct item *expected[BIG];
    struct rng rng;

    memset(inside, 0, sizeof(inside));
    rng_seed(&rng, seed);
    for (unsigned step = 0; step < 12 * BIG; step++) {
        unsigned i = (unsigned)rng_below(&rng, BIG), n = 0;
        bool growing = step / (3 * BIG) % 2 == 0;

        if (inside[i] == growing)
            continue;
        items[i].weight = rng_below(&rng, 1000);
        if (inside[i])
            rb_erase(&root, &items[i].rb, aug);
        else
            big_insert(&root, &items[i], aug);
        inside[i] = !inside[i];
        for (unsigned k = 0; k < BIG; k++)
            if (inside[k])
                expected[n++] = &items[k];
        check_tree(&root, aug, expected, n);
    }
}

static void test_big_random_trees(void **state)
{
    (void)state;
    for (u64 seed = 1; seed <= 3; seed++) {
        big_random_run(NULL, seed);
        big_random_run(&sum_augment, seed);
        big_random_run(&max_augment, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_tree_plain),
        host_test(test_every_tree_augmented_by_sum),
        host_test(test_every_tree_augmented_by_max),
        host_test(test_propagate_exact),
        host_test(test_big_random_trees),
    };

    shapes_init();
    return cmocka_run_group_tests_name("rbtree", tests, NULL, NULL);
}
