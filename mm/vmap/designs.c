// SPDX-License-Identifier: MIT
/*
 * The table of designs. To add one:
 *   1. Write mm/vmap/NAME.c: a struct of its own that lives in space->state, and the operations of
 *      struct vmap_design (the contract is above each in mm/vmap/vmap.h). vmlist.c is the shortest
 *      example. Descriptors come from vmap_node_alloc(), sentences from vmap_broken(); no locks.
 *   2. Keep stats.free_extents, .visited, .merges and the fit counts; the wrapper keeps the others.
 *   3. Declare it beside the others in vmap.h and enter it below; for the event log put STEP() lines at
 *      its steps, add NAME_traced.c (see vmlist_traced.c), and enter the pair in `twins`. `vmap=NAME` now boots with it, and
 *      every test, in the kernel and on the host, runs against it: they all loop over this table.
 */
#include "lib/string.h"
#include "mm/vmap/avlhash.h"

const struct vmap_design *const vmap_designs[] = {
    &vmap_freetree,   /* 2019: the default */
    &vmap_nodes,      /* 2024 */
    &vmap_freelist,   /* 2018 */
    &vmap_busytree,   /* 2011 */
    &vmap_busytree28, /* 2008 */
    &vmap_avlhash,    /* 2001 */
    &vmap_vmlist,     /* 1990s */
    NULL,
};

/* The same free tree at other times: freetree_history.c. */
const struct vmap_design *const vmap_variants[] = {
    &vmap_freetree52,
    &vmap_freetree53,
    &vmap_freetree517,
    NULL,
};

static const struct vmap_design *find_in(const struct vmap_design *const *table, const char *name)
{
    while (*table && strcmp((*table)->name, name) != 0)
        table++;
    return *table;
}

const struct vmap_design *vmap_design_find(const char *name)
{
    const struct vmap_design *design = find_in(vmap_designs, name);

    return design ? design : find_in(vmap_variants, name);
}

/* The same designs with their steps told: what a space runs while it is being logged. */
static const struct {
    const struct vmap_design *plain, *traced;
} twins[] = {
#if EVENTS
    {&vmap_freetree, &vmap_freetree_traced},
    {&vmap_nodes, &vmap_nodes_traced},
    {&vmap_freelist, &vmap_freelist_traced},
    {&vmap_busytree, &vmap_busytree_traced},
    {&vmap_busytree28, &vmap_busytree28_traced},
    {&vmap_avlhash, &vmap_avlhash_traced},
    {&vmap_vmlist, &vmap_vmlist_traced},
    {&vmap_freetree52, &vmap_freetree52_traced},
    {&vmap_freetree53, &vmap_freetree53_traced},
    {&vmap_freetree517, &vmap_freetree517_traced},
    {&vmap_avlhash_pure, &vmap_avlhash_pure_traced},
    {&vmap_avlhash_split, &vmap_avlhash_split_traced},
#endif
    {NULL, NULL},
};

void vmap_space_set_traced(struct vmap_space *space, bool on)
{
    u64 flags = spin_lock_irqsave(&space->lock);

    for (unsigned i = 0; twins[i].plain; i++)
        if (space->design == (on ? twins[i].plain : twins[i].traced)) {
            space->design = on ? twins[i].traced : twins[i].plain;
            break;
        }
    spin_unlock_irqrestore(&space->lock, flags);
}
