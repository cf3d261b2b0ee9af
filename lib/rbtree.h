// SPDX-License-Identifier: MIT
/*
 * Red-black tree, intrusive, with optional augmentation: each node may carry a value computed from
 * itself and its two children (a maximum, a count), which the tree keeps exact through rotations.
 * The caller owns ordering and locking: it descends by itself, then calls rb_link() and
 * rb_insert_*(). Invariant V2 is checked by rb_check(); V3 (augmentation) by rb_check() with the
 * callbacks. Reference: Cormen et al., Introduction to Algorithms, chapter 13.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include "lib/types.h"

enum rb_color { RB_RED = 0, RB_BLACK = 1 };

struct rb_node {
    u64 parent_color; /* address of the parent | colour in bit 0 */
    struct rb_node *left;
    struct rb_node *right;
};

struct rb_root {
    struct rb_node *node;
};

/*
 * Who wants to see the algorithms at work defines these before including this header, and compiles them
 * once more (mm/vmap/traced.h). Each is told before it happens: top goes down to `side` and up takes its
 * place; a node's colour; a node's value; `next` takes the place, children and colour of `node`.
 */
#ifndef RB_TELL_ROTATE
#define RB_TELL_ROTATE(top, up, side) ((void)0)
#define RB_TELL_COLOR(node, color) ((void)0)
#define RB_TELL_VALUE(node, old, value) ((void)0)
#define RB_TELL_REPLACE(node, next) ((void)0)
#endif

#define RB_ROOT_INIT ((struct rb_root){NULL})
#define rb_entry(ptr, type, member) container_of(ptr, type, member)

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
    return (struct rb_node *)(n->parent_color & ~1UL);
}

static inline enum rb_color rb_node_color(const struct rb_node *n)
{
    return (enum rb_color)(n->parent_color & 1);
}

/*
 * How a tree keeps a per-node value. compute() returns what the node's value should be, from the
 * node itself and the *stored* values of its children; get() and set() read and store it.
 * insert_fixup() and erase() are the algorithms of this header with those three compiled into them:
 * RB_DEFINE_AUGMENT() (lib/rbtree_augmented.h) makes all of it. A plain tree passes NULL where a
 * pointer to this is asked for.
 */
struct rb_augment {
    u64 (*compute)(const struct rb_node *node);
    u64 (*get)(const struct rb_node *node);
    void (*set)(struct rb_node *node, u64 value);
    void (*insert_fixup)(struct rb_root *root, struct rb_node *node);
    void (*erase)(struct rb_root *root, struct rb_node *node);
};

/* Hang `node` as a red leaf at *link below `parent` (NULL for an empty tree). No rebalancing yet. */
static inline void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
    node->parent_color = (u64)parent | RB_RED;
    node->left = NULL;
    node->right = NULL;
    *link = node;
}

void rb_insert_fixup_plain(struct rb_root *root, struct rb_node *node);
void rb_erase_plain(struct rb_root *root, struct rb_node *node);

/* Restore V2 (and V3 when `aug`) after rb_link(). O(log n), at most two rotations. */
static inline void rb_insert_fixup(struct rb_root *root, struct rb_node *node,
                                   const struct rb_augment *aug)
{
    if (aug)
        aug->insert_fixup(root, node);
    else
        rb_insert_fixup_plain(root, node);
}

/* Unlink `node`; V2 (and V3) hold again on return. O(log n), at most three rotations. */
static inline void rb_erase(struct rb_root *root, struct rb_node *node,
                            const struct rb_augment *aug)
{
    if (aug)
        aug->erase(root, node);
    else
        rb_erase_plain(root, node);
}

/*
 * `node` or one of its children changed: recompute its value and those of its ancestors, up to the
 * first that stays as it is, because everything above was computed from that.
 */
static __fused_in void rb_propagate(struct rb_node *node, const struct rb_augment *aug)
{
    for (; node; node = rb_parent(node)) {
        u64 value = aug->compute(node);

        if (value == aug->get(node))
            return;
        RB_TELL_VALUE(node, aug->get(node), value);
        aug->set(node, value);
    }
}

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

enum rb_problem {
    RB_OK,
    RB_RED_ROOT,
    RB_RED_RED,
    RB_BLACK_HEIGHT,
    RB_PARENT_LINK,
    RB_VALUE,
    RB_CYCLE
};

/*
 * Verify parent links, colours, black heights and, when `aug` is given, every stored value.
 * Iterative (no recursion, no memory), bounded by `max_nodes` so that a cycle is an answer and not
 * a hang. On a problem *where is the offending node. Any context; the caller holds its own lock.
 */
enum rb_problem rb_check(const struct rb_root *root, const struct rb_augment *aug, u64 max_nodes,
                         const struct rb_node **where);

/* "two reds in a row" etc. */
const char *rb_problem_name(enum rb_problem problem);

#endif
