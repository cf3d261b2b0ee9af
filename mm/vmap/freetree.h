// SPDX-License-Identifier: MIT
/*
 * The state of the freetree design, in a header so that pictures, GDB and the tests that rebuild
 * every reachable state can see it. The space's lock guards it. Read next: mm/vmap/freetree.c.
 */
#ifndef MM_VMAP_FREETREE_H
#define MM_VMAP_FREETREE_H

#include "mm/vmap/vmap.h"

/* The same areas twice: a tree by address to find one, a list by address to reach neighbours (V1). */
struct area_set {
    struct rb_root root;
    struct list_head list;
};

struct freetree {
    struct area_set free; /* augmented with subtree_max_size (V3) */
    struct area_set busy; /* BUSY and LAZY areas; plain */
};

static inline struct vmap_area *to_va(const struct rb_node *node)
{
    return rb_entry(node, struct vmap_area, rb_node);
}

/* V1, V2, V3, V5: NULL or a sentence. In freetree_check.c. */
const char *freetree_check(struct vmap_space *space);

/* How subtree_max_size is computed, read and stored: for whoever works on the free tree. */
extern const struct rb_augment freetree_augment;

#endif
