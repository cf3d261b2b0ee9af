// SPDX-License-Identifier: MIT
/*
 * AVL trees. Owns no lock: the structure that embeds the tree says which one guards it. Keeps V2: at
 * every node the two sides differ in height by one at most, and its lean says which is higher.
 *
 * As in lib/rbtree.c each case is written once, for a `side` and its opposite, instead of twice in mirror
 * image. A change of height climbs from where it happened towards the root; at each level one of three
 * things is true: the level evens it out (done), the level leans a little more (go on, or done), or it
 * would lean by two, and rebalance() turns it. Read next: mm/vmap/avlhash.c.
 */
#include "lib/avl.h"
#include "lib/assert.h"

enum side { LEFT, RIGHT };

static inline enum side opposite(enum side side)
{
    return side == LEFT ? RIGHT : LEFT;
}

static inline struct avl_node **link_of(struct avl_node *node, enum side side)
{
    return side == LEFT ? &node->left : &node->right;
}

static inline struct avl_node *child_of(const struct avl_node *node, enum side side)
{
    return side == LEFT ? node->left : node->right;
}

static inline enum side side_of(const struct avl_node *parent, const struct avl_node *node)
{
    return parent->left == node ? LEFT : RIGHT;
}

/* The lean of a node whose `side` is the higher one. */
static inline enum avl_lean towards(enum side side)
{
    return side == LEFT ? AVL_LEFT_HIGHER : AVL_RIGHT_HIGHER;
}

static inline void set_lean(struct avl_node *node, enum avl_lean lean)
{
    node->parent_lean = (node->parent_lean & ~3UL) | lean;
}

static inline void set_parent(struct avl_node *node, const struct avl_node *parent)
{
    node->parent_lean = (u64)parent | avl_node_lean(node);
}

/* Whoever pointed down to `old`, its parent or the root, now points to `new` (which may be NULL). */
static inline void replace_child(struct avl_root *root, struct avl_node *parent,
                                 struct avl_node *old, struct avl_node *new)
{
    struct avl_node **link = parent ? link_of(parent, side_of(parent, old)) : &root->node;

    ASSERT(*link == old, "%p is not a child of %p: erased twice, or from the wrong tree?",
           (void *)old, (void *)parent);
    *link = new;
}

/*
 * Turn `top` down to `side`; its child `up` on the other side takes its place. Leans are the caller's.
 *
 *        top               up            (drawn for side == LEFT)
 *       /   \             /  \
 *      a     up   --->  top    c
 *           /  \       /   \
 *          b    c     a     b
 */
static void rotate(struct avl_root *root, struct avl_node *top, enum side side)
{
    struct avl_node *up = child_of(top, opposite(side));
    struct avl_node *middle = child_of(up, side);

    AVL_TELL_ROTATE(top, up, side);
    replace_child(root, avl_parent(top), top, up);
    set_parent(up, avl_parent(top));
    *link_of(up, side) = top;
    set_parent(top, up);
    *link_of(top, opposite(side)) = middle;
    if (middle)
        set_parent(middle, top);
}

/*
 * `top` is higher by two on `side`. True if the subtree has become lower by one than it was in that state.
 *   Case 1  the child there leans the other way: its inner child goes up by two rotations, and the two
 *           nodes below it share what it had below.
 *   Case 2  the child leans the same way: one rotation, and both are even.
 *   Case 3  the child is even (only after an erase): one rotation, and the height has not changed.
 */
static bool rebalance(struct avl_root *root, struct avl_node *top, enum side side)
{
    enum side other = opposite(side);
    struct avl_node *child = child_of(top, side), *inner = child_of(child, other);

    if (avl_node_lean(child) == towards(other)) { /* case 1 */
        enum avl_lean lean = avl_node_lean(inner);

        rotate(root, child, side);
        rotate(root, top, other);
        set_lean(top, lean == towards(side) ? towards(other) : AVL_EVEN);
        set_lean(child, lean == towards(other) ? towards(side) : AVL_EVEN);
        set_lean(inner, AVL_EVEN);
        return true;
    }
    rotate(root, top, other);
    if (avl_node_lean(child) == AVL_EVEN) { /* case 3 */
        set_lean(top, towards(side));
        set_lean(child, towards(other));
        return false;
    }
    set_lean(top, AVL_EVEN); /* case 2 */
    set_lean(child, AVL_EVEN);
    return true;
}

void avl_link(struct avl_node *node, struct avl_node *parent, struct avl_node **link)
{
    node->parent_lean = (u64)parent | AVL_EVEN;
    node->left = NULL;
    node->right = NULL;
    *link = node;
}

/* The subtree at `node` has become higher by one: climb until a level makes up for it. */
void avl_insert_fixup(struct avl_root *root, struct avl_node *node)
{
    struct avl_node *parent;

    for (; (parent = avl_parent(node)); node = parent) {
        enum side side = side_of(parent, node);

        if (avl_node_lean(parent) == towards(side)) {
            rebalance(root, parent, side);
            return;
        }
        if (avl_node_lean(parent) != AVL_EVEN) {
            set_lean(parent, AVL_EVEN);
            return;
        }
        set_lean(parent, towards(side));
    }
}

/* `side` of `parent` has become lower by one: climb until a level does not. */
static void restore_height(struct avl_root *root, struct avl_node *parent, enum side side)
{
    while (parent) {
        struct avl_node *node = parent;

        if (avl_node_lean(parent) == AVL_EVEN) {
            set_lean(parent, towards(opposite(side)));
            return;
        }
        if (avl_node_lean(parent) == towards(side)) {
            set_lean(parent, AVL_EVEN);
        } else {
            if (!rebalance(root, parent, opposite(side)))
                return;
            node = avl_parent(parent); /* who went up in its place */
        }
        parent = avl_parent(node);
        if (parent)
            side = side_of(parent, node);
    }
}

static inline struct avl_node *outermost(struct avl_node *node, enum side side)
{
    while (child_of(node, side))
        node = child_of(node, side);
    return node;
}

/* `new`, which is in no tree, takes the place, the children and the lean of `old`. */
static void substitute(struct avl_root *root, struct avl_node *old, struct avl_node *new)
{
    AVL_TELL_REPLACE(old, new);
    replace_child(root, avl_parent(old), old, new);
    *new = *old;
    if (new->left)
        set_parent(new->left, new);
    if (new->right)
        set_parent(new->right, new);
}

/*
 * 1. A node with two children cannot be cut out; its successor (which has no left child) can.
 * 2. Cut out: an only child takes the place.
 * 3. The successor then takes the place of the node.
 * 4. The side from which a node is gone is lower by one.
 */
void avl_erase(struct avl_root *root, struct avl_node *node)
{
    bool two_children = node->left && node->right;
    struct avl_node *cut = two_children ? outermost(node->right, LEFT) : node;
    struct avl_node *child = cut->left ? cut->left : cut->right;
    struct avl_node *parent = avl_parent(cut);
    enum side side = parent ? side_of(parent, cut) : LEFT;

    replace_child(root, parent, cut, child);
    if (child)
        set_parent(child, parent);
    if (two_children) {
        substitute(root, node, cut);
        if (parent == node)
            parent = cut;
    }
    restore_height(root, parent, side);
}

#ifndef AVL_TOLD /* what only looks around is compiled once */

struct avl_node *avl_first(const struct avl_root *root)
{
    return root->node ? outermost(root->node, LEFT) : NULL;
}

struct avl_node *avl_last(const struct avl_root *root)
{
    return root->node ? outermost(root->node, RIGHT) : NULL;
}

/* The neighbour on `side`: outermost below that child, or the first ancestor seen from over there. */
static inline struct avl_node *neighbour(const struct avl_node *node, enum side side)
{
    struct avl_node *parent;

    if (child_of(node, side))
        return outermost(child_of(node, side), opposite(side));
    while ((parent = avl_parent(node)) && node == child_of(parent, side))
        node = parent;
    return parent;
}

struct avl_node *avl_next(const struct avl_node *node)
{
    return neighbour(node, RIGHT);
}

struct avl_node *avl_prev(const struct avl_node *node)
{
    return neighbour(node, LEFT);
}

/* Both sides of a node have been measured. */
static enum avl_problem check_lean(const struct avl_node *node, unsigned left, unsigned right)
{
    enum avl_lean lean = left > right   ? AVL_LEFT_HIGHER
                         : left < right ? AVL_RIGHT_HIGHER
                                        : AVL_EVEN;

    if (left > right + 1 || right > left + 1)
        return AVL_UNBALANCED;
    return avl_node_lean(node) == lean ? AVL_OK : AVL_WRONG_LEAN;
}

static bool points_back(const struct avl_node *child, const struct avl_node *parent)
{
    return !child || avl_parent(child) == parent;
}

/*
 * Walk down and up along the links, as with a hand on the wall; `from` is where we come from. A link is
 * followed down only after the child was seen to point back, hence the way up always exists. The height of
 * a left side is kept, a byte a level, while the right side is measured.
 */
static enum avl_problem check_walk(const struct avl_node *node, u64 max_nodes,
                                   const struct avl_node **where)
{
    u8 left_height[AVL_HEIGHT_MAX] = {0};
    const struct avl_node *from = NULL, *next;
    unsigned depth = 0, height = 0; /* of `node`; of the subtree that was left last */
    u64 visited = 0;

    for (; node; from = node, node = next) {
        enum avl_problem problem;
        bool coming_down = from == avl_parent(node);
        bool left_is_done = !coming_down && from == node->left;

        *where = node;
        next = NULL;
        if (coming_down) {
            if (visited++ == max_nodes || depth == AVL_HEIGHT_MAX)
                return AVL_CYCLE;
            if (!points_back(node->left, node) || !points_back(node->right, node))
                return AVL_PARENT_LINK;
            left_height[depth] = 0;
            height = 0;
            next = node->left ? node->left : node->right;
        } else if (left_is_done) {
            left_height[depth] = (u8)height;
            height = 0;
            next = node->right;
        }
        if (next) {
            depth++;
            continue;
        }
        problem = check_lean(node, left_height[depth], height);
        if (problem)
            return problem;
        height = 1U + (left_height[depth] > height ? left_height[depth] : height);
        depth--;
        next = avl_parent(node);
    }
    return AVL_OK;
}

enum avl_problem avl_check(const struct avl_root *root, u64 max_nodes,
                           const struct avl_node **where)
{
    enum avl_problem problem;

    *where = root->node;
    if (!root->node)
        return AVL_OK;
    if (avl_parent(root->node))
        return AVL_PARENT_LINK;
    problem = check_walk(root->node, max_nodes, where);
    if (problem == AVL_OK)
        *where = NULL;
    return problem;
}

const char *avl_problem_name(enum avl_problem problem)
{
    switch (problem) {
    case AVL_OK:
        return "no problem";
    case AVL_PARENT_LINK:
        return "a child does not point back to its parent";
    case AVL_UNBALANCED:
        return "one side is higher by two or more";
    case AVL_WRONG_LEAN:
        return "its lean is not what the heights of its sides are";
    case AVL_CYCLE:
        return "more nodes or levels than there can be: a cycle";
    }
    return "unknown problem";
}

#endif
