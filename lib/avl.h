// SPDX-License-Identifier: MIT
/*
 * AVL tree, intrusive: the heights of the two sides of any node differ by at most one, so a tree of n
 * nodes is at most 1.44 log2(n) levels deep (a red-black tree: 2 log2(n)). The caller owns ordering and
 * locking: it descends by itself, then calls avl_link() and avl_insert_fixup(), as with lib/rbtree.h.
 * Invariant V2 is checked by avl_check(). Reference: Adelson-Velsky and Landis, 1962; Knuth, The Art of
 * Computer Programming, volume 3, section 6.2.3. Read next: lib/avl.c; mm/vmap/avlhash.c, its user.
 */
#ifndef LIB_AVL_H
#define LIB_AVL_H

#include "lib/types.h"

/* Which side of a node is higher, by one. Heights themselves are not stored. */
enum avl_lean { AVL_LEFT_HIGHER = 0, AVL_EVEN = 1, AVL_RIGHT_HIGHER = 2 };

struct avl_node {
    u64 parent_lean; /* address of the parent | enum avl_lean in bits 0 and 1 */
    struct avl_node *left;
    struct avl_node *right;
};

struct avl_root {
    struct avl_node *node;
};

/* Who wants to see the algorithms at work defines these before including this header and compiles avl.c
 * once more, as with lib/rbtree.h. Each is told before it happens. */
#ifndef AVL_TELL_ROTATE
#define AVL_TELL_ROTATE(top, up, side) ((void)0)
#define AVL_TELL_REPLACE(node, next) ((void)0)
#else
#define AVL_TOLD
#endif

#define AVL_ROOT_INIT ((struct avl_root){NULL})
#define avl_entry(ptr, type, member) container_of(ptr, type, member)

/* Deeper than any AVL tree of 2^64 nodes. */
#define AVL_HEIGHT_MAX 96

static inline struct avl_node *avl_parent(const struct avl_node *n)
{
    return (struct avl_node *)(n->parent_lean & ~3UL);
}

static inline enum avl_lean avl_node_lean(const struct avl_node *n)
{
    return (enum avl_lean)(n->parent_lean & 3);
}

/* Hang `node` as a leaf at *link below `parent` (NULL for an empty tree). No rebalancing yet. */
void avl_link(struct avl_node *node, struct avl_node *parent, struct avl_node **link);

/* Restore V2 after avl_link(). O(log n), at most two rotations. */
void avl_insert_fixup(struct avl_root *root, struct avl_node *node);

/* Unlink `node`; V2 holds again on return. O(log n), at most two rotations a level. */
void avl_erase(struct avl_root *root, struct avl_node *node);

struct avl_node *avl_first(const struct avl_root *root);
struct avl_node *avl_last(const struct avl_root *root);
struct avl_node *avl_next(const struct avl_node *node);
struct avl_node *avl_prev(const struct avl_node *node);

enum avl_problem { AVL_OK, AVL_PARENT_LINK, AVL_UNBALANCED, AVL_WRONG_LEAN, AVL_CYCLE };

/*
 * Verify parent links, the heights of both sides of every node, and that its lean says what they are.
 * Iterative (no recursion; a byte for each level), bounded by `max_nodes` and AVL_HEIGHT_MAX so that a
 * cycle is an answer and not a hang. On a problem *where is the offending node. Any context; the caller
 * holds its own lock.
 */
enum avl_problem avl_check(const struct avl_root *root, u64 max_nodes,
                           const struct avl_node **where);

/* "one side is higher by two or more" etc. */
const char *avl_problem_name(enum avl_problem problem);

#endif
