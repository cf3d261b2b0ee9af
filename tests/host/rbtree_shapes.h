// SPDX-License-Identifier: MIT
/*
 * Every valid red-black tree of up to SHAPE_NODES_MAX nodes, each exactly once: shape and colours,
 * no keys, because rebalancing never looks at keys. A shape is a root colour and two smaller
 * shapes. Used by the exhaustive tests; counted independently in test_rbtree_shapes.c.
 */
#ifndef TESTS_HOST_RBTREE_SHAPES_H
#define TESTS_HOST_RBTREE_SHAPES_H

#include "lib/rbtree.h"
#include "lib/types.h"

#define SHAPE_NODES_MAX 14
#define SHAPE_HEIGHT_MAX 4 /* black height; 2^4 - 1 = 15 nodes are more than we build */

/* Fills the table; idempotent. */
void shapes_init(void);

/* Valid trees of n nodes with a black root: how many, and the i-th one (an opaque number). */
u32 shapes_count(unsigned n);
u32 shapes_get(unsigned n, u32 i);

/*
 * Build the shape from nodes[0], nodes[1] ... in in-order sequence; returns the root. `stride` is
 * the distance in bytes from one rb_node to the next, as they are embedded in something larger.
 */
struct rb_node *shapes_build(u32 shape, struct rb_node *nodes, size_t stride);

#endif
