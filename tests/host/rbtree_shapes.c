// SPDX-License-Identifier: MIT
/*
 * The table of shapes, built bottom-up: a red root takes two black-rooted (or empty) subtrees of
 * one black height h and makes a tree of height h; a black root takes any two and makes height h +
 * 1. That is the definition of a red-black tree and nothing else. No lock, one thread.
 */
#include "tests/host/harness.h"

#include "lib/assert.h"
#include "tests/host/rbtree_shapes.h"

#define SHAPES_MAX 40000
#define EMPTY 0

static struct shape {
    u8 nodes;
    enum rb_color color;
    u32 left, right;
} shapes[SHAPES_MAX];
static u32 shape_total;

/* Shapes with n nodes, black height h and this root colour are shapes[first .. first + count). The
 * empty tree is black, of height 0. */
static struct bucket {
    u32 first, count;
} buckets[SHAPE_NODES_MAX + 1][SHAPE_HEIGHT_MAX + 1][2];

static void add_pairs(unsigned n, enum rb_color color, const struct bucket *left,
                      const struct bucket *right)
{
    for (u32 l = 0; l < left->count; l++)
        for (u32 r = 0; r < right->count; r++) {
            ASSERT(shape_total < SHAPES_MAX, "%u shapes", shape_total);
            shapes[shape_total++] = (struct shape){
                .nodes = (u8)n, .color = color, .left = left->first + l, .right = right->first + r};
        }
}

static void fill_bucket(unsigned n, unsigned height, enum rb_color color)
{
    struct bucket *bucket = &buckets[n][height][color];
    unsigned below = color == RB_BLACK ? height - 1 : height;

    bucket->first = shape_total;
    if (color == RB_RED || height > 0)
        for (unsigned left = 0; left < n; left++)
            for (unsigned kinds = 0; kinds < 4; kinds++) {
                enum rb_color left_color = kinds & 1, right_color = kinds >> 1;

                if (color == RB_RED && kinds != 3)
                    continue; /* a red node has black children only */
                add_pairs(n, color, &buckets[left][below][left_color],
                          &buckets[n - 1 - left][below][right_color]);
            }
    bucket->count = shape_total - bucket->first;
}

void shapes_init(void)
{
    if (shape_total)
        return;
    shape_total = 1; /* shapes[EMPTY] */
    buckets[0][0][RB_BLACK] = (struct bucket){.first = EMPTY, .count = 1};
    for (unsigned n = 1; n <= SHAPE_NODES_MAX; n++)
        for (unsigned height = 0; height <= SHAPE_HEIGHT_MAX; height++) {
            fill_bucket(n, height, RB_RED);
            fill_bucket(n, height, RB_BLACK);
        }
}

u32 shapes_count(unsigned n)
{
    u32 count = 0;

    for (unsigned height = 0; height <= SHAPE_HEIGHT_MAX; height++)
        count += buckets[n][height][RB_BLACK].count;
    return count;
}

u32 shapes_get(unsigned n, u32 i)
{
    unsigned height = 0;

    for (; i >= buckets[n][height][RB_BLACK].count; height++)
        i -= buckets[n][height][RB_BLACK].count;
    return buckets[n][height][RB_BLACK].first + i;
}

static struct rb_node *build(u32 index, struct rb_node *parent, u8 *nodes, size_t stride)
{
    const struct shape *shape = &shapes[index];
    struct rb_node *node;

    if (index == EMPTY)
        return NULL;
    node = (struct rb_node *)(nodes + shapes[shape->left].nodes * stride);
    node->parent_color = (u64)parent | shape->color;
    node->left = build(shape->left, node, nodes, stride);
    node->right = build(shape->right, node, (u8 *)node + stride, stride);
    return node;
}

struct rb_node *shapes_build(u32 shape, struct rb_node *nodes, size_t stride)
{
    return build(shape, NULL, (u8 *)nodes, stride);
}
