// SPDX-License-Identifier: MIT
/*
 * AVL trees, the inductive step in full: every AVL tree of up to 16 nodes x every place to insert x every
 * node to erase. Rebalancing never looks at keys, so this is every case there is up to that size. After
 * each operation an independent recursive checker, which shares no line with avl_check(), looks at order,
 * links, heights and leans. Then avl_check() itself: against every tree that is slightly wrong. And the
 * hash chains of lib/hash.h, the other small structure of the same design.
 */
#include "tests/host/harness.h"

#include "lib/avl.h"
#include "lib/hash.h"
#include "lib/rng.h"

#define NODES_MAX 16
#define SHAPES_MAX 16000
#define EMPTY 0

/* ---- every shape: its height, and two smaller shapes whose heights differ by one at most --------- */

static struct shape {
    u8 nodes, height;
    u32 left, right;
} shapes[SHAPES_MAX];
static u32 first_of[NODES_MAX + 2]; /* shapes with n nodes: [first_of[n], first_of[n + 1]) */

/* Their number as the literature has it (sequence A006265 of the OEIS). */
static const u32 known_counts[NODES_MAX + 1] = {1,  1,  2,  1,   4,   6,   4,    17,  32,
                                                44, 60, 70, 184, 476, 872, 1553, 2720};

static void make_shapes(void)
{
    u32 total = 1; /* shapes[EMPTY] */

    first_of[1] = 1;
    for (unsigned n = 1; n <= NODES_MAX; n++) {
        for (unsigned l = 0; l < n; l++)
            for (u32 left = first_of[l]; left < first_of[l + 1]; left++)
                for (u32 right = first_of[n - 1 - l]; right < first_of[n - l]; right++) {
                    unsigned hl = shapes[left].height, hr = shapes[right].height;

                    if (hl > hr + 1 || hr > hl + 1)
                        continue;
                    assert_true(total < SHAPES_MAX);
                    shapes[total++] =
                        (struct shape){(u8)n, (u8)(1 + (hl > hr ? hl : hr)), left, right};
                }
        first_of[n + 1] = total;
    }
}

static void shapes_are_all(void **state)
{
    for (unsigned n = 0; n <= NODES_MAX; n++)
        assert_int_equal(first_of[n + 1] - first_of[n], known_counts[n]);
}

/* nodes[0], nodes[1] ... in in-order sequence; returns the root. */
static struct avl_node *build(u32 index, struct avl_node *parent, struct avl_node *nodes)
{
    const struct shape *shape = &shapes[index];
    unsigned left = shapes[shape->left].height, right = shapes[shape->right].height;
    struct avl_node *node;

    if (index == EMPTY)
        return NULL;
    node = nodes + shapes[shape->left].nodes;
    node->parent_lean = (u64)parent | (left > right   ? AVL_LEFT_HIGHER
                                       : left < right ? AVL_RIGHT_HIGHER
                                                      : AVL_EVEN);
    node->left = build(shape->left, node, nodes);
    node->right = build(shape->right, node, node + 1);
    return node;
}

/* ---- the independent checker ---------------------------------------------------------------------- */

static u64 operations;

static int check_subtree(const struct avl_node *node, const struct avl_node *parent,
                         struct avl_node *const **next)
{
    int left, right;

    if (!node)
        return 0;
    assert_ptr_equal(avl_parent(node), parent);
    left = check_subtree(node->left, node, next);
    assert_ptr_equal(node, *(*next)++);
    right = check_subtree(node->right, node, next);
    assert_in_range(left - right + 1, 0, 2);
    assert_int_equal(avl_node_lean(node), right - left + 1);
    return 1 + (left > right ? left : right);
}

/* The tree holds exactly expected[0..n), in this order, and the iterators agree. */
static void check_tree(const struct avl_root *root, struct avl_node *const *expected, unsigned n)
{
    struct avl_node *const *next = expected;
    const struct avl_node *node = avl_first(root), *where;

    check_subtree(root->node, NULL, &next);
    assert_int_equal(next - expected, n);
    for (unsigned i = 0; i < n; i++, node = avl_next(node))
        assert_ptr_equal(node, expected[i]);
    assert_null(node);
    node = avl_last(root);
    for (unsigned i = n; i-- > 0; node = avl_prev(node))
        assert_ptr_equal(node, expected[i]);
    assert_null(node);
    assert_int_equal(avl_check(root, n, &where), AVL_OK);
    assert_null(where);
    operations++;
}

/* ---- every tree, every operation ------------------------------------------------------------------ */

static void try_all_inserts(u32 shape, unsigned n)
{
    struct avl_node nodes[NODES_MAX + 1], *expected[NODES_MAX + 1];

    for (unsigned at = 0; at <= n; at++) {
        struct avl_root root = {build(shape, NULL, nodes)};
        struct avl_node **link = &root.node, *parent = NULL;

        while (*link) {
            parent = *link;
            link = at <= (unsigned)(parent - nodes) ? &parent->left : &parent->right;
        }
        avl_link(&nodes[n], parent, link);
        avl_insert_fixup(&root, &nodes[n]);
        for (unsigned i = 0; i <= n; i++)
            expected[i] = &nodes[i < at ? i : i == at ? n : i - 1];
        check_tree(&root, expected, n + 1);
    }
}

static void try_all_erasures(u32 shape, unsigned n)
{
    struct avl_node nodes[NODES_MAX], *expected[NODES_MAX];

    for (unsigned at = 0; at < n; at++) {
        struct avl_root root = {build(shape, NULL, nodes)};

        avl_erase(&root, &nodes[at]);
        for (unsigned i = 0; i + 1 < n; i++)
            expected[i] = &nodes[i < at ? i : i + 1];
        check_tree(&root, expected, n - 1);
    }
}

static void every_tree(void **state)
{
    u64 wanted = 0;

    operations = 0;
    for (unsigned n = 0; n <= NODES_MAX; n++) {
        wanted += (u64)known_counts[n] * (2 * n + 1);
        for (u32 shape = first_of[n]; shape < first_of[n + 1]; shape++) {
            try_all_inserts(shape, n);
            try_all_erasures(shape, n);
        }
    }
    assert_int_equal(operations, wanted);
    print_message("all AVL trees of 0..%u nodes, %lu operations\n", NODES_MAX, operations);
}

#define BIG 700

static void big_insert(struct avl_root *root, struct avl_node *node)
{
    struct avl_node **link = &root->node, *parent = NULL;

    while (*link) {
        parent = *link;
        link = node < parent ? &parent->left : &parent->right;
    }
    avl_link(node, parent, link);
    avl_insert_fixup(root, node);
}

/* Grows to BIG nodes and shrinks to none, again and again. */
static void big_random_trees(void **state)
{
    static struct avl_node nodes[BIG], *expected[BIG];
    static bool inside[BIG];
    struct avl_root root = AVL_ROOT_INIT;
    struct rng rng;

    rng_seed(&rng, 1);
    for (unsigned step = 0; step < 24 * BIG; step++) {
        unsigned i = (unsigned)rng_below(&rng, BIG), n = 0;
        bool growing = step / (3 * BIG) % 2 == 0;

        if (inside[i] == growing)
            continue;
        if (inside[i])
            avl_erase(&root, &nodes[i]);
        else
            big_insert(&root, &nodes[i]);
        inside[i] = !inside[i];
        for (unsigned k = 0; k < BIG; k++)
            if (inside[k])
                expected[n++] = &nodes[k];
        check_tree(&root, expected, n);
    }
}

static void ascending_is_not_a_list(void **state)
{
    static struct avl_node nodes[1023];
    struct avl_root root = AVL_ROOT_INIT;
    unsigned depth = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
        big_insert(&root, &nodes[i]);
    for (const struct avl_node *node = root.node; node; node = node->left)
        depth++;
    assert_int_equal(depth, 10); /* 2^10 - 1 nodes: the tree is full */
}

static void erase_twice(void *root)
{
    static struct avl_node stranger;

    stranger.parent_lean = (u64)((struct avl_root *)root)->node;
    avl_erase(root, &stranger);
}

static void erasing_a_stranger_stops(void **state)
{
    struct avl_node nodes[3];
    struct avl_root root = {build(first_of[3], NULL, nodes)};

    expect_panic(erase_twice, &root, "is not a child of");
}

/* ---- avl_check() on trees that are wrong ---------------------------------------------------------- */

static enum avl_problem verdict(const struct avl_root *root, unsigned max_nodes)
{
    const struct avl_node *where = NULL;
    enum avl_problem problem = avl_check(root, max_nodes, &where);

    assert_true((problem == AVL_OK) == (where == NULL));
    assert_non_null(avl_problem_name(problem));
    operations++;
    return problem;
}

/* Every node of every tree: each wrong lean, each wrong parent, a child cut off, a link back to the top. */
static void every_damage_is_found(void **state)
{
    struct avl_node nodes[NODES_MAX];

    operations = 0;
    for (unsigned n = 1; n <= 12; n++)
        for (u32 shape = first_of[n]; shape < first_of[n + 1]; shape++)
            for (unsigned i = 0; i < n; i++) {
                struct avl_root root = {build(shape, NULL, nodes)};
                struct avl_node saved = nodes[i];
                bool leaf = !saved.left && !saved.right;

                for (u64 lean = 0; lean <= 3; lean++) {
                    nodes[i].parent_lean = (saved.parent_lean & ~3UL) | lean;
                    assert_int_equal(verdict(&root, n),
                                     lean == (saved.parent_lean & 3) ? AVL_OK : AVL_WRONG_LEAN);
                }
                nodes[i].parent_lean = (u64)&nodes[i] | (saved.parent_lean & 3);
                assert_int_equal(verdict(&root, n), AVL_PARENT_LINK);
                nodes[i] = saved;
                if (!leaf && avl_parent(&saved)) { /* a root cut off is a sound tree of one */
                    nodes[i].left = nodes[i].right = NULL;
                    assert_true(verdict(&root, n) >= AVL_UNBALANCED);
                } else if (leaf && n > 1) {
                    nodes[i].left = root.node;
                    assert_int_equal(verdict(&root, n), AVL_PARENT_LINK);
                    root.node->parent_lean |= (u64)&nodes[i];
                    assert_int_equal(verdict(&root, n), AVL_PARENT_LINK);
                }
                root.node = build(shape, NULL, nodes);
                assert_int_equal(verdict(&root, n - 1), AVL_CYCLE); /* more than there can be */
            }
    print_message("%lu damaged trees judged\n", operations);
}

static void two_too_high(void **state)
{
    struct avl_node nodes[3];
    struct avl_root root = {build(first_of[3], NULL, nodes)};

    /* 0 - 1 - 2 as a chain, leans as they would have to be */
    root.node = &nodes[0];
    nodes[0] = (struct avl_node){AVL_RIGHT_HIGHER, NULL, &nodes[1]};
    nodes[1] = (struct avl_node){(u64)&nodes[0] | AVL_RIGHT_HIGHER, NULL, &nodes[2]};
    nodes[2] = (struct avl_node){(u64)&nodes[1] | AVL_EVEN, NULL, NULL};
    assert_int_equal(verdict(&root, 3), AVL_UNBALANCED);
    nodes[1].left = nodes[1].right; /* one child on both sides */
    assert_int_equal(verdict(&root, 3), AVL_CYCLE);
}

/* A chain deeper than any AVL tree ends the check, too. */
static void too_deep(void **state)
{
    static struct avl_node nodes[2 * AVL_HEIGHT_MAX];
    struct avl_root root = {&nodes[0]};

    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
        nodes[i] = (struct avl_node){(u64)(i ? &nodes[i - 1] : NULL) | AVL_LEFT_HIGHER,
                                     i + 1 < ARRAY_SIZE(nodes) ? &nodes[i + 1] : NULL, NULL};
    assert_int_equal(verdict(&root, ARRAY_SIZE(nodes)), AVL_CYCLE);
}

/* ---- hash chains ------------------------------------------------------------------------------------ */

static void delete_again(void *node)
{
    hash_del(node);
}

static void chains(void **state)
{
    struct hash_bucket bucket = {NULL};
    struct hash_node nodes[3];

    for (unsigned i = 0; i < 3; i++)
        hash_add(&nodes[i], &bucket);
    assert_ptr_equal(bucket.first, &nodes[2]); /* the newest */
    hash_del(&nodes[1]);
    assert_ptr_equal(nodes[2].next, &nodes[0]);
    expect_panic(delete_again, &nodes[1], "removed before");
    hash_del(&nodes[2]);
    assert_ptr_equal(bucket.first, &nodes[0]);
    nodes[0].link = &nodes[2].next;
    expect_panic(delete_again, &nodes[0], "corrupted");
    nodes[0].link = &bucket.first;
    hash_del(&nodes[0]);
    assert_null(bucket.first);
}

static void hash_spreads(void **state)
{
    unsigned used[64] = {0};

    for (u64 key = 1; key <= 256; key++) {
        assert_true(hash_u64(key, 6) < 64);
        used[hash_u64(key, 6)]++;
    }
    for (unsigned i = 0; i < 64; i++)
        assert_in_range(used[i], 1, 8);
    assert_int_equal(hash_u64(1, 64), 0x9e3779b97f4a7c15UL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(shapes_are_all),
        host_test(every_tree),
        host_test(big_random_trees),
        host_test(ascending_is_not_a_list),
        host_test(erasing_a_stranger_stops),
        host_test(every_damage_is_found),
        host_test(two_too_high),
        host_test(too_deep),
        host_test(chains),
        host_test(hash_spreads),
    };

    make_shapes();
    return cmocka_run_group_tests_name("avl", tests, NULL, NULL);
}
