// SPDX-License-Identifier: MIT
/*
 * Are the trees of rbtree_shapes.c really all valid red-black trees, and each only once? Counted
 * against a recurrence on sizes alone, and up to 8 nodes against brute force: every bracket word,
 * every colouring, tried against the definition.
 */
#include "tests/host/harness.h"

#include "lib/rbtree.h"
#include "tests/host/rbtree_shapes.h"

struct item {
    struct rb_node rb;
};

static const struct item *item_of(const struct rb_node *node)
{
    return rb_entry(node, struct item, rb);
}

/*
 * The number of trees of n nodes, from sizes alone: with r and b the counts for a red and a black
 * root at one black height, r[n] = sum of b*b and the next b[n] = sum of (r+b)*(r+b). Here the loop
 * runs over heights outside and sizes inside, on plain numbers; the table holds no formula at all.
 */
static u64 trees_by_recurrence(unsigned n)
{
    u64 black[SHAPE_NODES_MAX + 1] = {1}, total = n == 0;

    for (unsigned height = 0; height <= SHAPE_HEIGHT_MAX; height++) {
        u64 any[SHAPE_NODES_MAX + 1] = {0}, next[SHAPE_NODES_MAX + 1] = {0};

        for (unsigned size = 0; size <= n; size++) {
            any[size] = black[size];
            for (unsigned left = 0; left < size; left++)
                any[size] += black[left] * black[size - 1 - left];
        }
        for (unsigned size = 1; size <= n; size++)
            for (unsigned left = 0; left < size; left++)
                next[size] += any[left] * any[size - 1 - left];
        memcpy(black, next, sizeof(black));
        total += black[n];
    }
    return total;
}

/* Colourings (bit set = red) of a fixed shape, tried one by one against the definition. */
static int height_if_valid(const struct rb_node *node, const struct item *items, unsigned red)
{
    unsigned bit, child_bits = 0;
    int left, right;

    if (!node)
        return 0;
    bit = 1U << (item_of(node) - items);
    child_bits |= node->left ? 1U << (item_of(node->left) - items) : 0;
    child_bits |= node->right ? 1U << (item_of(node->right) - items) : 0;
    left = height_if_valid(node->left, items, red);
    right = height_if_valid(node->right, items, red);
    if (left < 0 || left != right || ((red & bit) && (red & child_bits)))
        return -1;
    return left + !(red & bit);
}

/*
 * A word of brackets (bit set = opening) is a tree: "(" left ")" right. Fills items in pre-order
 * and moves *at on; *at ends at `bits` exactly when the whole word was one well-formed tree.
 */
static struct rb_node *parse_brackets(u32 word, unsigned bits, unsigned *at, struct item **item)
{
    struct rb_node *node;

    if (*at >= bits || !(word >> *at & 1))
        return NULL;
    node = &(*item)++->rb;
    ++*at;
    node->left = parse_brackets(word, bits, at, item);
    ++*at;
    node->right = parse_brackets(word, bits, at, item);
    return node;
}

/* All words of n pairs of brackets, all colourings with a black root (items[0]). */
static u64 trees_by_force(unsigned n)
{
    struct item items[2 * 8];
    u64 found = 0;

    for (u32 word = 0; word < 1U << 2 * n; word++) {
        struct item *item = items;
        unsigned at = 0;
        struct rb_node *root = parse_brackets(word, 2 * n, &at, &item);

        for (unsigned red = 0; at == 2 * n && red < 1U << n; red += 2)
            found += height_if_valid(root, items, red) >= 0;
    }
    return found;
}

static void test_the_trees_are_all_trees(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= SHAPE_NODES_MAX; n++) {
        print_message("# valid red-black trees of %2u nodes: %u\n", n, shapes_count(n));
        assert_int_equal(shapes_count(n), trees_by_recurrence(n));
        if (n && n <= 8)
            assert_int_equal(shapes_count(n), trees_by_force(n));
    }
}

/* Shape and colours as a word: equal words are equal trees. */
static u64 spell(const struct rb_node *node, u64 word)
{
    if (!node)
        return word << 1;
    word = word << 2 | 2 | rb_node_color(node);
    return spell(node->right, spell(node->left, word));
}

static int compare_u64(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;

    return x < y ? -1 : x > y;
}

static void test_the_trees_are_valid_and_distinct(void **state)
{
    struct item items[SHAPE_NODES_MAX];
    u64 *words = calloc(shapes_count(SHAPE_NODES_MAX), sizeof(*words));

    (void)state;
    for (unsigned n = 1; n <= SHAPE_NODES_MAX; n++) {
        u32 count = shapes_count(n);

        for (u32 i = 0; i < count; i++) {
            struct rb_node *root = shapes_build(shapes_get(n, i), &items[0].rb, sizeof(items[0]));
            unsigned red = 0;

            for (unsigned k = 0; k < n; k++)
                red |= (rb_node_color(&items[k].rb) == RB_RED) << k;
            assert_int_equal(rb_node_color(root), RB_BLACK);
            assert_true(height_if_valid(root, items, red) > 0);
            words[i] = spell(root, 1);
        }
        qsort(words, count, sizeof(*words), compare_u64);
        for (u32 i = 1; i < count; i++)
            assert_true(words[i - 1] < words[i]);
    }
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_the_trees_are_all_trees),
        host_test(test_the_trees_are_valid_and_distinct),
    };

    shapes_init();
    return cmocka_run_group_tests_name("rbtree_shapes", tests, NULL, NULL);
}
