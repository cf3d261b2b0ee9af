// SPDX-License-Identifier: MIT
/*
 * The state of the two busytree designs, in a header so that the tests that rebuild every reachable
 * state, and those that damage one, can see it. The space's lock guards it. Read next: busytree.c.
 */
#ifndef MM_VMAP_BUSYTREE_H
#define MM_VMAP_BUSYTREE_H

#include "mm/vmap/area_set.h"

struct busytree {
    struct area_set busy; /* BUSY and LAZY areas */

    /*
     * The hint of 2.6.39, a promise about the past: from cached_vstart up to the end of `cache`, no gap
     * has more than cached_hole_size bytes behind an address aligned to cached_align. busytree28 leaves
     * `cache` NULL, which promises nothing.
     */
    struct vmap_area *cache; /* free_vmap_cache */
    vaddr_t cached_vstart;
    u64 cached_align;
    u64 cached_hole_size;
};

/* V1, V2, V7 (the promise of the hint): NULL or a sentence. In busytree_check.c. */
const char *busytree_check(struct vmap_space *space);

#endif
