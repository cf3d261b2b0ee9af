// SPDX-License-Identifier: MIT
/*
 * The red-black algorithms, to be compiled for one augmentation (or none): lib/rbtree.c makes the
 * plain tree of them, RB_DEFINE_AUGMENT() an augmented one whose three callbacks are inlined. Through
 * function pointers an augmented insertion and erasure at 1,000 nodes cost twice as much. Keeps V2 (a
 * red node has no red child; every path from the root down to a missing child passes the same number of
 * black nodes; the root is black) and V3 (augmented values exact).
 *
 * Each case is written once, for a `side` and its opposite, and compiled twice, in mirror image. The
 * cases carry the numbers of Cormen et al., Introduction to Algorithms, sections 13.3 and 13.4. In every
 * case the colours that a rotation leaves behind are known beforehand, so none of them is read.
 * Read next: mm/vmap/freetree.c, the main user.
 */
#ifndef LIB_RBTREE_AUGMENTED_H
#define LIB_RBTREE_AUGMENTED_H

#include "lib/assert.h"
#include "lib/rbtree.h"

/* Inlined with constants: for each side, and for plain and augmented. */
#define __each static inline __attribute__((always_inline))

enum rb_side { RB_LEFT, RB_RIGHT };

__each enum rb_side rb_opposite(enum rb_side side)
{
    return side == RB_LEFT ? RB_RIGHT : RB_LEFT;
}

__each struct rb_node **rb_link_of(struct rb_node *node, enum rb_side side)
{
    return side == RB_LEFT ? &node->left : &node->right;
}

__each struct rb_node *rb_child_of(const struct rb_node *node, enum rb_side side)
{
    return side == RB_LEFT ? node->left : node->right;
}

__each struct rb_node *rb_outermost(struct rb_node *node, enum rb_side side)
{
    while (rb_child_of(node, side))
        node = rb_child_of(node, side);
    return node;
}

/* A missing child counts as black. */
__each bool rb_is_red(const struct rb_node *node)
{
    return node && rb_node_color(node) == RB_RED;
}

/* The parent of a red node: with colour bit 0, the word is the address. */
__each struct rb_node *rb_red_parent(const struct rb_node *red)
{
    return (struct rb_node *)red->parent_color;
}

__each void rb_set_parent_color(struct rb_node *node, struct rb_node *parent, enum rb_color color)
{
    RB_TELL_COLOR(node, color);
    node->parent_color = (u64)parent | color;
}

__each void rb_set_black(struct rb_node *node)
{
    RB_TELL_COLOR(node, RB_BLACK);
    node->parent_color |= RB_BLACK;
}

/* The pointer that points down to `node`: in its parent, or the root. */
__each struct rb_node **rb_link_to(struct rb_root *root, struct rb_node *parent,
                                   const struct rb_node *node)
{
    if (!parent)
        return &root->node;
    return parent->left == node ? &parent->left : &parent->right;
}

/*
 * Turn `top`, which *link points down to, to `side`; its child `up` on the other side takes its place
 * and its colour, and top becomes `color`. `middle` changes parents; it is a leaf that is missing, or
 * black in all cases but one, where the caller says that it may be red.
 *
 *        top               up            (drawn for side == RB_LEFT)
 *       /   \             /  \
 *      a     up   --->  top    c
 *           /  \       /   \
 *          b    c     a     b            b is the middle
 *
 * The subtree holds the same nodes as before, so its value (V3) moves from top to up as it is.
 */
__each void rb_rotate(struct rb_node **link, struct rb_node *top, enum rb_side side,
                      enum rb_color color, bool middle_may_be_red, const struct rb_augment *aug)
{
    struct rb_node *up = rb_child_of(top, rb_opposite(side));
    struct rb_node *middle = rb_child_of(up, side);

    RB_TELL_ROTATE(top, up, side);
    *link = up;
    RB_TELL_COLOR(up, rb_node_color(top));
    up->parent_color = top->parent_color;
    *rb_link_of(up, side) = top;
    rb_set_parent_color(top, up, color);
    *rb_link_of(top, rb_opposite(side)) = middle;
    if (middle)
        rb_set_parent_color(middle, top, middle_may_be_red ? rb_node_color(middle) : RB_BLACK);
    if (aug) {
        RB_TELL_VALUE(up, aug->get(up), aug->get(top));
        aug->set(up, aug->get(top));
        RB_TELL_VALUE(top, aug->get(top), aug->compute(top));
        aug->set(top, aug->compute(top));
    }
}

/*
 * node is red. Only one thing can be wrong: its parent is red too. Then the grandparent exists (a
 * root is black) and is black. `side` is the parent's below the grandparent.
 *   Case 1  the uncle is red: parent and uncle turn black, the grandparent red; look again there.
 *   Case 2  node is an inner grandchild: rotate the parent, which makes it an outer one.
 *   Case 3  outer grandchild: rotate the grandparent away; it turns red, what takes its place black.
 * Returns the node to look at again, or NULL when all is well.
 */
__each struct rb_node *rb_repair_red(struct rb_root *root, struct rb_node *node,
                                     struct rb_node *parent, struct rb_node *grand,
                                     enum rb_side side, const struct rb_augment *aug)
{
    struct rb_node *uncle = rb_child_of(grand, rb_opposite(side)), *great = rb_parent(grand);

    if (rb_is_red(uncle)) {
        rb_set_parent_color(parent, grand, RB_BLACK); /* case 1 */
        rb_set_parent_color(uncle, grand, RB_BLACK);
        rb_set_parent_color(grand, great, RB_RED);
        return grand;
    }
    if (node == rb_child_of(parent, rb_opposite(side)))
        rb_rotate(rb_link_of(grand, side), parent, side, RB_RED, false, aug); /* case 2 */
    rb_rotate(rb_link_to(root, great, grand), grand, rb_opposite(side), RB_RED, false,
              aug); /* case 3 */
    return NULL;
}

__each void rb_insert_fixup_with(struct rb_root *root, struct rb_node *node,
                                 const struct rb_augment *aug)
{
    if (aug) {
        RB_TELL_VALUE(node, 0, aug->compute(node));
        aug->set(node, aug->compute(node));
        rb_propagate(rb_red_parent(node), aug);
    }
    while (node) {
        struct rb_node *parent = rb_red_parent(node), *grand;

        if (!parent) {
            rb_set_parent_color(node, NULL, RB_BLACK);
            return;
        }
        if (rb_node_color(parent) == RB_BLACK)
            return;
        grand = rb_red_parent(parent);
        node = parent == grand->left ? rb_repair_red(root, node, parent, grand, RB_LEFT, aug)
                                     : rb_repair_red(root, node, parent, grand, RB_RIGHT, aug);
    }
}

/*
 * A black leaf was taken from below `parent`: all paths through `node` (at first the hole it left,
 * NULL), on that `side`, are one black short. The sibling exists, because its side had that black too.
 *   Case 1  the sibling is red: rotate, so that node gets a black sibling; go on with 2, 3 or 4.
 *   Case 2  both nephews are black: the sibling turns red, now the whole subtree is one short. A
 *           red parent makes up for it by turning black; otherwise look again one level higher.
 *   Case 3  only the near nephew is red: rotate the sibling, which makes the far nephew red.
 *   Case 4  the far nephew is red: rotate the parent down to node's side as the missing black, and
 *           turn the far nephew black in place of the sibling that moved up.
 * True: look again one level higher.
 */
__each bool rb_repair_black(struct rb_root *root, struct rb_node *parent, enum rb_side side,
                            const struct rb_augment *aug)
{
    struct rb_node *sibling = rb_child_of(parent, rb_opposite(side));
    struct rb_node *far;

    if (rb_node_color(sibling) == RB_RED) {
        rb_rotate(rb_link_to(root, rb_parent(parent), parent), parent, side, RB_RED, false,
                  aug); /* case 1 */
        sibling = rb_child_of(parent, rb_opposite(side));
    }
    far = rb_child_of(sibling, rb_opposite(side));
    if (!rb_is_red(far)) {
        if (!rb_is_red(rb_child_of(sibling, side))) {
            rb_set_parent_color(sibling, parent, RB_RED); /* case 2 */
            if (rb_node_color(parent) == RB_BLACK)
                return true;
            rb_set_black(parent);
            return false;
        }
        rb_rotate(rb_link_of(parent, rb_opposite(side)), sibling, rb_opposite(side), RB_RED, false,
                  aug); /* case 3 */
        far = sibling;
        sibling = rb_child_of(parent, rb_opposite(side));
    }
    rb_rotate(rb_link_to(root, rb_parent(parent), parent), parent, side, RB_BLACK, true,
              aug); /* case 4 */
    rb_set_parent_color(far, sibling, RB_BLACK);
    return false;
}

__each void rb_restore_black(struct rb_root *root, struct rb_node *parent,
                             const struct rb_augment *aug)
{
    struct rb_node *node = NULL;

    while (parent) {
        bool go_on = node == parent->left ? rb_repair_black(root, parent, RB_LEFT, aug)
                                          : rb_repair_black(root, parent, RB_RIGHT, aug);
        if (!go_on)
            return;
        node = parent;
        parent = rb_parent(node);
    }
}

/*
 * Cut out a node with at most one child. An only child is a red leaf (else black heights would
 * differ) below a black node: it takes over place and colour. Returns the parent of a black leaf that
 * is missing now, or NULL: all is well.
 */
__each struct rb_node *rb_cut_out(struct rb_root *root, struct rb_node *node,
                                  const struct rb_augment *aug)
{
    struct rb_node *child = node->left ? node->left : node->right;
    struct rb_node *parent = rb_parent(node), **link = rb_link_to(root, parent, node);

    ASSERT(*link == node, "%p is not a child of %p: erased twice, or from the wrong tree?",
           (void *)node, (void *)parent);
    *link = child;
    if (child) {
        RB_TELL_COLOR(child, RB_BLACK);
        child->parent_color = node->parent_color;
    }
    if (aug)
        rb_propagate(parent, aug);
    return !child && rb_node_color(node) == RB_BLACK ? parent : NULL;
}

/*
 * A node with two children cannot be cut out; its successor (which has no left child) can.
 *   1. Cut the successor out; the child that it may have is a red leaf, which turns black.
 *   2. The successor takes the place, the children and the colour of the node.
 *   3. Values: the successor stands for the node's old one; then upward from the cut, and again from
 *      the successor, because the first climb may stop below it.
 * Returns what rb_cut_out() does.
 */
__each struct rb_node *rb_replace_by_next(struct rb_root *root, struct rb_node *node,
                                          const struct rb_augment *aug)
{
    struct rb_node *old_parent = rb_parent(node), **place = rb_link_to(root, old_parent, node);
    struct rb_node *left = node->left, *right = node->right, *next = right;
    struct rb_node **link = &node->right, *parent, *child;
    bool black_missing;

    ASSERT(*place == node, "%p is not a child of %p: erased twice, or from the wrong tree?",
           (void *)node, (void *)old_parent);
    while (next->left) {
        link = &next->left;
        next = *link;
    }
    parent = rb_parent(next);
    if (parent == node)
        parent = next;
    child = next->right;
    black_missing = !child && rb_node_color(next) == RB_BLACK;
    *link = child; /* step 1 */
    if (child)
        rb_set_parent_color(child, parent, RB_BLACK);

    RB_TELL_REPLACE(node, next);
    *place = next; /* step 2 */
    *next = *node;
    rb_set_parent_color(left, next, rb_node_color(left));
    if (parent != next)
        rb_set_parent_color(right, next, rb_node_color(right));

    if (aug) { /* step 3 */
        RB_TELL_VALUE(next, aug->get(next), aug->get(node));
        aug->set(next, aug->get(node));
        if (parent != next)
            rb_propagate(parent, aug);
        rb_propagate(next, aug);
    }
    return black_missing ? parent : NULL;
}

__each void rb_erase_with(struct rb_root *root, struct rb_node *node, const struct rb_augment *aug)
{
    struct rb_node *short_of_black = node->left && node->right ? rb_replace_by_next(root, node, aug)
                                                               : rb_cut_out(root, node, aug);

    if (short_of_black)
        rb_restore_black(root, short_of_black, aug);
}

/* Defines the struct rb_augment called `name`, and the algorithms compiled for it. */
#define RB_DEFINE_AUGMENT(name, compute_fn, get_fn, set_fn)                                        \
    extern const struct rb_augment name;                                                           \
    static void name##_insert_fixup(struct rb_root *rb_root, struct rb_node *rb_node)              \
    {                                                                                              \
        rb_insert_fixup_with(rb_root, rb_node, &(name));                                           \
    }                                                                                              \
    static void name##_erase(struct rb_root *rb_root, struct rb_node *rb_node)                     \
    {                                                                                              \
        rb_erase_with(rb_root, rb_node, &(name));                                                  \
    }                                                                                              \
    const struct rb_augment name = {.compute = (compute_fn),                                       \
                                    .get = (get_fn),                                               \
                                    .set = (set_fn),                                               \
                                    .insert_fixup = name##_insert_fixup,                           \
                                    .erase = name##_erase}

#endif
