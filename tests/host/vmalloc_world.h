// SPDX-License-Identifier: MIT
/*
 * A whole memory subsystem for tests: kernel_buddy, kernel_pagetable, the slab caches and
 * kernel_vmalloc over fake physical memory and a small window of the vmalloc region, so that the
 * public functions work as in the kernel. Its VA design is the chosen one with an ear: a range that
 * is handed out while any CPU's TLB still translates an address in it is a panic that says P3.
 */
#ifndef TESTS_HOST_VMALLOC_WORLD_H
#define TESTS_HOST_VMALLOC_WORLD_H

#include "mm/vmalloc_internal.h"

struct vmalloc_world {
    const struct vmap_design *design; /* NULL: the default one */
    u64 memory_pages, window_pages;   /* 0: 24 MiB, 48 MiB */
    u64 threshold;                    /* of the flush queue, pages; 0: the default */
    bool eager, debug, poison;        /* eager: FLUSH_EAGER */
};

/* The window: from 1/3 below a border of 512 GiB on, so that page tables of all levels come and go. */
#define WORLD_BORDER (VMALLOC_BASE + 512 * GIB)
#define WORLD_FIRST_PFN 16
#define WORLD_KEPT_PFN 8 /* RAM from here on, but kept from the buddy: firmware tables, say */

/* Bring it up / down. Closing needs everything freed and says what is not. */
void world_open(const struct vmalloc_world *config);
void world_close(void);

/* Forget a world that a panic has left in any state. */
void world_drop(void);

/* A cmocka test that may open a world: a failed one leaves nothing to the next. */
#define world_test(function) cmocka_unit_test_setup_teardown(function, host_setup, world_teardown)
int world_teardown(void **state);

/* What must be the same before and after a call that failed, or that was undone. */
struct world_counts {
    u64 used_pages, tables, vmalloc_pages; /* used_pages: without those of slabs */
    u64 areas, nodes, free_extents, lazy_pages, busy_bytes;
    u64 slab_objects, blocks;
};

/* Bring everything lazy or cached home, as mm_quiesce() does in the kernel, then count. */
struct world_counts world_quiet_counts(void);

/* The first difference as a sentence, or NULL. */
const char *world_difference(const struct world_counts *before, const struct world_counts *after);

/* Every check of every floor; NULL or the first sentence. */
const char *world_check(void);

#endif
