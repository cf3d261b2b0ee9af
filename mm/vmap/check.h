// SPDX-License-Identifier: MIT
/*
 * What the wrapper (space.c) calls after each operation when space->check_level asks for it; the
 * checks themselves are in check.c. The caller holds space->lock. Read next: mm/vmap/check.c.
 */
#ifndef MM_VMAP_CHECK_H
#define MM_VMAP_CHECK_H

#include "mm/vmap/vmap.h"

/* V1..V6, as vmap_space_check(), with the lock held by the caller. */
const char *vmap_check_locked(struct vmap_space *space);

/* One operation as the checks see it and as their panic cites it. Every address in bytes. */
struct vmap_operation {
    enum { VMAP_OP_ALLOC, VMAP_OP_FREE, VMAP_OP_RESIZE } what;
    int error;
    vaddr_t start,
        end;         /* the area: after an alloc, before a free or resize; unset after a failure */
    u64 size, align; /* alloc: the request */
    vaddr_t lo, hi;
    vaddr_t new_end; /* resize */
};

/* Check what the level asks for; port_panic() with the sentence and the operation if it is broken. */
void vmap_verify(struct vmap_space *space, const struct vmap_operation *op);

/* The oracle for the present state of the space: NULL without memory or with a window too large. */
struct vmap_oracle *vmap_model_new(struct vmap_space *space);

#endif
