// SPDX-License-Identifier: MIT
/*
 * The state of the nodes design, in a header so that GDB and the tests that rebuild every reachable
 * state, and those that damage one, can see it. The space's lock guards it. Read next: nodes.c.
 */
#ifndef MM_VMAP_NODES_H
#define MM_VMAP_NODES_H

#include "mm/vmap/freetree.h"

/* Linux: as many nodes as CPUs, 1 to 128, and no pools with one. Here four, to have something to see. */
#define NODES 4u
/* Addresses are dealt out to the nodes in turn, 16 pages at a time. */
#define NODE_ZONE_SHIFT (PAGE_SHIFT + 4)
/* There is a pool for 1, 2, ... 256 pages, guard included. */
#define NODE_POOLS 256u

struct vmap_node {
    struct area_set busy;  /* whose address belongs to this node; plain */
    struct list_head lazy; /* which came from this node and wait for their flush; area->list */
};

/* CACHED ranges of one size, the one that was flushed last in front; area->list. */
struct vmap_pool {
    struct list_head areas;
    u64 length;
};

struct nodes {
    struct freetree global; /* .free: what nobody holds, as in freetree; .busy is not used */
    struct vmap_node node[NODES];
    struct vmap_pool pool[NODE_POOLS][NODES]; /* [pages - 1] */
};

static inline unsigned node_of_address(vaddr_t addr)
{
    return (addr >> NODE_ZONE_SHIFT) % NODES;
}

/* V1, V2, V3, V5, and what the pools promise (V4): NULL or a sentence. In nodes_check.c. */
const char *nodes_check(struct vmap_space *space);

#endif
