// SPDX-License-Identifier: MIT
/*
 * The state of the freetree design, in a header so that pictures, GDB and the tests that rebuild
 * every reachable state can see it. The space's lock guards it. Read next: mm/vmap/freetree.c.
 */
#ifndef MM_VMAP_FREETREE_H
#define MM_VMAP_FREETREE_H

#include "mm/vmap/area_set.h"

struct freetree {
    struct area_set free; /* augmented with subtree_max_size (V3) */
    struct area_set busy; /* BUSY and LAZY areas; plain */
};

/* How subtree_max_size is computed, read and stored: for whoever works on the free tree. */
extern const struct rb_augment freetree_augment;

#endif
