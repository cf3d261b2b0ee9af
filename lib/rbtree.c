// SPDX-License-Identifier: MIT
/*
 * Red-black trees: the plain one, walks in order, and the proof that a tree is sound. Owns no lock: the
 * structure that embeds the tree says which one guards it. The algorithms themselves are in
 * lib/rbtree_augmented.h, because an augmented tree compiles them anew. Read them next.
 */
#include "lib/rbtree_augmented.h"

void rb_insert_fixup_plain(struct rb_root *root, struct rb_node *node)
{
    rb_insert_fixup_with(root, node, NULL);
}

void rb_erase_plain(struct rb_root *root, struct rb_node *node)
{
    rb_erase_with(root, node, NULL);
}

struct rb_node *rb_first(const struct rb_root *root)
{
    return root->node ? rb_outermost(root->node, RB_LEFT) : NULL;
}

struct rb_node *rb_last(const struct rb_root *root)
{
    return root->node ? rb_outermost(root->node, RB_RIGHT) : NULL;
}

/* The neighbour on `side`: outermost below that child, or the first ancestor seen from over
 * there. */
static inline struct rb_node *neighbour(const struct rb_node *node, enum rb_side side)
{
    struct rb_node *parent;

    if (rb_child_of(node, side))
        return rb_outermost(rb_child_of(node, side), rb_opposite(side));
    while ((parent = rb_parent(node)) && node == rb_child_of(parent, side))
        node = parent;
    return parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
    return neighbour(node, RB_RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
    return neighbour(node, RB_LEFT);
}

/* Everything that can be seen wrong from one node, given that its own parent link is right. */
static enum rb_problem check_node(const struct rb_node *node, const struct rb_augment *aug,
                                  const struct rb_node **where)
{
    const struct rb_node *children[] = {node->left, node->right};

    for (unsigned i = 0; i < ARRAY_SIZE(children); i++) {
        *where = children[i];
        if (children[i] && rb_parent(children[i]) != node)
            return RB_PARENT_LINK;
        if (rb_is_red(node) && rb_is_red(children[i]))
            return RB_RED_RED;
    }
    *where = node;
    return aug && aug->compute(node) != aug->get(node) ? RB_VALUE : RB_OK;
}

/*
 * Walk down and up along the links, as with a hand on the wall. `from` is where we come from, so it
 * says what is still to do at `node`. A link is followed down only after check_node() has seen the
 * child point back, hence the way up always exists; only the number of nodes needs a bound.
 * `blacks` counts the black nodes from the root to `node`; each missing child must see the same.
 */
static enum rb_problem check_walk(const struct rb_node *node, const struct rb_augment *aug,
                                  u64 max_nodes, const struct rb_node **where)
{
    const struct rb_node *from = NULL, *next;
    u64 visited = 0, blacks = 0, black_height = 0;

    for (; node; from = node, node = next) {
        next = rb_parent(node);
        if (from == rb_parent(node)) {
            enum rb_problem problem = check_node(node, aug, where);
            if (problem)
                return problem;
            if (visited++ == max_nodes)
                return RB_CYCLE;
            blacks += rb_node_color(node);
            if (!node->left || !node->right) {
                if (black_height && blacks != black_height)
                    return RB_BLACK_HEIGHT;
                black_height = blacks;
            }
            if (node->left || node->right)
                next = node->left ? node->left : node->right;
        } else if (from == node->left && node->right) {
            next = node->right;
        }
        if (next == rb_parent(node))
            blacks -= rb_node_color(node);
    }
    return RB_OK;
}

enum rb_problem rb_check(const struct rb_root *root, const struct rb_augment *aug, u64 max_nodes,
                         const struct rb_node **where)
{
    enum rb_problem problem;

    *where = root->node;
    if (!root->node)
        return RB_OK;
    if (rb_parent(root->node))
        return RB_PARENT_LINK;
    if (rb_is_red(root->node))
        return RB_RED_ROOT;
    problem = check_walk(root->node, aug, max_nodes, where);
    if (problem == RB_OK)
        *where = NULL;
    return problem;
}

const char *rb_problem_name(enum rb_problem problem)
{
    switch (problem) {
    case RB_OK:
        return "no problem";
    case RB_RED_ROOT:
        return "the root is red";
    case RB_RED_RED:
        return "two reds in a row";
    case RB_BLACK_HEIGHT:
        return "paths with different numbers of black nodes";
    case RB_PARENT_LINK:
        return "a child does not point back to its parent";
    case RB_VALUE:
        return "a stored value is not what its node and children give";
    case RB_CYCLE:
        return "more nodes than there can be: a cycle";
    }
    return "unknown problem";
}
