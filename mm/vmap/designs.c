// SPDX-License-Identifier: MIT
/*
 * The table of designs. To add one:
 *   1. Write mm/vmap/NAME.c: a struct of its own that lives in space->state, and the operations of
 *      struct vmap_design (the contract is above each in mm/vmap/vmap.h). vmlist.c is the shortest
 *      example. Descriptors come from vmap_node_alloc(), sentences from vmap_broken(); no locks.
 *   2. Keep stats.free_extents, .visited, .merges and the fit counts; the wrapper keeps the others.
 *   3. Declare it beside the others in vmap.h and enter it below. `vmap=NAME` now boots with it, and
 *      every test, in the kernel and on the host, runs against it: they all loop over this table.
 */
#include "lib/string.h"
#include "mm/vmap/vmap.h"

const struct vmap_design *const vmap_designs[] = {
    &vmap_freetree,   /* 2019: the default */
    &vmap_freelist,   /* 2018 */
    &vmap_busytree,   /* 2011 */
    &vmap_busytree28, /* 2008 */
    &vmap_avlhash,    /* 2001 */
    &vmap_vmlist,     /* 1990s */
    NULL,
};

const struct vmap_design *vmap_design_find(const char *name)
{
    for (unsigned i = 0; vmap_designs[i]; i++)
        if (strcmp(vmap_designs[i]->name, name) == 0)
            return vmap_designs[i];
    return NULL;
}
