// SPDX-License-Identifier: MIT
/*
 * Red-black trees, plain and augmented. Owns no lock: the structure that embeds the tree says which
 * one guards it. Keeps V2 (a red node has no red child; every path from the root down to a missing
 * child passes the same number of black nodes; the root is black) and V3 (augmented values exact).
 *
 * Two ideas keep it short. A rotation here exchanges the colours of the two nodes it turns, which
 * is what every case of both fix-ups needs. And each case is written once, for a `side` and its
 * opposite, instead of twice in mirror image. The cases carry the numbers of Cormen et al.,
 * Introduction to Algorithms, sections 13.3 and 13.4. Read next: mm/vmap/freetree.c, the main user.
 */
#include "lib/rbtree.h"
#include "lib/assert.h"

enum side { LEFT, RIGHT };

static inline enum side opposite(enum side side)
{
    return side == LEFT ? RIGHT : LEFT;
}

static inline struct rb_node **link_of(struct rb_node *node, enum side side)
{
    return side == LEFT ? &node->left : &node->right;
}

static inline struct rb_node *child_of(const struct rb_node *node, enum side side)
{
    return side == LEFT ? node->left : node->right;
}

/* A missing child counts as black. */
static inline bool is_red(const struct rb_node *node)
{
    return node && rb_node_color(node) == RB_RED;
}

static inline void set_red(struct rb_node *node)
{
    node->parent_color &= ~1UL;
}

static inline void set_black(struct rb_node *node)
{
    node->parent_color |= 1UL;
}

static inline void set_parent(struct rb_node *node, struct rb_node *parent)
{
    node->parent_color = (u64)parent | rb_node_color(node);
}

/* Whoever pointed down to `old`, its parent or the root, now points to `new` (which may be
 * NULL). */
static inline void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
                                 struct rb_node *new)
{
    struct rb_node **link = !parent               ? &root->node
                            : parent->left == old ? &parent->left
                                                  : &parent->right;

    ASSERT(*link == old, "%p is not a child of %p: erased twice, or from the wrong tree?",
           (void *)old, (void *)parent);
    *link = new;
}

/*
 * Turn `top` down to `side`; its child `up` on the other side takes its place and its colour:
 *
 *        top               up            (drawn for side == LEFT)
 *       /   \             /  \
 *      a     up   --->  top    c         top gets up's colour
 *           /  \       /   \
 *          b    c     a     b
 *
 * The subtree holds the same nodes as before, so its value (V3) moves from top to up as it is.
 */
static void rotate(struct rb_root *root, struct rb_node *top, enum side side,
                   const struct rb_augment *aug)
{
    struct rb_node *up = child_of(top, opposite(side));
    struct rb_node *middle = child_of(up, side);
    enum rb_color color = rb_node_color(up);

    replace_child(root, rb_parent(top), top, up);
    up->parent_color = top->parent_color;
    *link_of(up, side) = top;
    top->parent_color = (u64)up | color;
    *link_of(top, opposite(side)) = middle;
    if (middle)
        set_parent(middle, top);
    if (aug) {
        aug->set(up, aug->get(top));
        aug->set(top, aug->compute(top));
    }
}

void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
    node->parent_color = (u64)parent | RB_RED;
    node->left = NULL;
    node->right = NULL;
    *link = node;
}

/*
 * node is red. Only one thing can be wrong: its parent is red too. Then the grandparent exists (a
 * root is black) and is black.
 *   Case 1  the uncle is red: parent and uncle turn black, the grandparent red; look again there.
 *   Case 2  node is an inner grandchild: rotate the parent, which makes it an outer one.
 *   Case 3  outer grandchild: rotate the grandparent away; the rotation moves red to the right
 * place.
 */
void rb_insert_fixup(struct rb_root *root, struct rb_node *node, const struct rb_augment *aug)
{
    struct rb_node *parent;

    if (aug)
        rb_propagate(node, aug);
    while ((parent = rb_parent(node)) && is_red(parent)) {
        struct rb_node *grand = rb_parent(parent);
        enum side side = parent == grand->left ? LEFT : RIGHT;
        struct rb_node *uncle = child_of(grand, opposite(side));

        if (is_red(uncle)) {
            set_black(parent); /* case 1 */
            set_black(uncle);
            set_red(grand);
            node = grand;
            continue;
        }
        if (node == child_of(parent, opposite(side)))
            rotate(root, parent, side, aug);      /* case 2 */
        rotate(root, grand, opposite(side), aug); /* case 3 */
        return;
    }
    if (!parent)
        set_black(node);
}

/*
 * A black leaf was taken from below `parent`: all paths through `node` (at first the hole it left,
 * NULL) are one black short. The sibling exists, because its side had that black too.
 *   Case 1  the sibling is red: rotate, so that node gets a black sibling; go on with 2, 3 or 4.
 *   Case 2  both nephews are black: the sibling turns red, now the whole subtree is one short. A
 *           red parent makes up for it by turning black; otherwise look again one level higher.
 *   Case 3  only the near nephew is red: rotate the sibling, which makes the far nephew red.
 *   Case 4  the far nephew is red: rotate the parent down to node's side as the missing black, and
 *           turn the far nephew black in place of the sibling that moved up.
 */
static void restore_black(struct rb_root *root, struct rb_node *parent,
                          const struct rb_augment *aug)
{
    struct rb_node *node = NULL;

    while (parent) {
        enum side side = node == parent->left ? LEFT : RIGHT;
        struct rb_node *sibling = child_of(parent, opposite(side));
        struct rb_node *far;

        if (is_red(sibling)) {
            rotate(root, parent, side, aug); /* case 1 */
            sibling = child_of(parent, opposite(side));
        }
        far = child_of(sibling, opposite(side));
        if (!is_red(far)) {
            if (!is_red(child_of(sibling, side))) {
                set_red(sibling); /* case 2 */
                if (is_red(parent)) {
                    set_black(parent);
                    return;
                }
                node = parent;
                parent = rb_parent(node);
                continue;
            }
            rotate(root, sibling, opposite(side), aug); /* case 3 */
            far = sibling;
        }
        rotate(root, parent, side, aug); /* case 4 */
        set_black(far);
        return;
    }
}

static inline struct rb_node *outermost(struct rb_node *node, enum side side)
{
    while (child_of(node, side))
        node = child_of(node, side);
    return node;
}

/*
 * Cut out a node with at most one child. An only child is a red leaf (else black heights would
 * differ) below a black node: it takes over place and colour. True when a black leaf is gone.
 */
static bool cut_out(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *child = node->left ? node->left : node->right;

    replace_child(root, rb_parent(node), node, child);
    if (child) {
        child->parent_color = node->parent_color;
        return false;
    }
    return rb_node_color(node) == RB_BLACK;
}

/* `new`, which is in no tree, takes the place, the children and the colour of `old`. */
static void substitute(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
    replace_child(root, rb_parent(old), old, new);
    *new = *old;
    set_parent(new->left, new);
    if (new->right)
        set_parent(new->right, new);
}

/*
 * 1. A node with two children cannot be cut out; its successor (which has no left child) can.
 * 2. The successor then takes the place of the node.
 * 3. Values: upward from the cut, and again from the successor's new place, because the first climb
 *    may stop below it and it still carries the value of its old one.
 * 4. Colours: if a black node was cut out without a replacement, its side is one black short.
 */
void rb_erase(struct rb_root *root, struct rb_node *node, const struct rb_augment *aug)
{
    bool two_children = node->left && node->right;
    struct rb_node *cut = two_children ? outermost(node->right, LEFT) : node;
    struct rb_node *parent = rb_parent(cut);
    bool black_missing = cut_out(root, cut);

    if (two_children) {
        substitute(root, node, cut);
        if (parent == node)
            parent = cut;
    }
    if (aug && parent) {
        rb_propagate(parent, aug);
        if (two_children)
            rb_propagate(cut, aug);
    }
    if (black_missing)
        restore_black(root, parent, aug);
}

/* The first node is stored in any case: a new one does not hold a value to compare with yet. */
void rb_propagate(struct rb_node *node, const struct rb_augment *aug)
{
    aug->set(node, aug->compute(node));
    while ((node = rb_parent(node))) {
        u64 value = aug->compute(node);

        if (value == aug->get(node))
            return;
        aug->set(node, value);
    }
}

struct rb_node *rb_first(const struct rb_root *root)
{
    return root->node ? outermost(root->node, LEFT) : NULL;
}

struct rb_node *rb_last(const struct rb_root *root)
{
    return root->node ? outermost(root->node, RIGHT) : NULL;
}

/* The neighbour on `side`: outermost below that child, or the first ancestor seen from over
 * there. */
static inline struct rb_node *neighbour(const struct rb_node *node, enum side side)
{
    struct rb_node *parent;

    if (child_of(node, side))
        return outermost(child_of(node, side), opposite(side));
    while ((parent = rb_parent(node)) && node == child_of(parent, side))
        node = parent;
    return parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
    return neighbour(node, RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
    return neighbour(node, LEFT);
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
        if (is_red(node) && is_red(children[i]))
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
    if (is_red(root->node))
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
