// SPDX-License-Identifier: MIT
/*
 * One random trace through every design at once, in both worlds (included like vmap_cases.c). All
 * lowest-fit designs must give identical addresses (V7), every design must keep V1 to V6 after every
 * operation, and a failed request must change nothing.
 */
#ifndef TESTS_SHARED_VMAP_DIFFERENTIAL_H
#define TESTS_SHARED_VMAP_DIFFERENTIAL_H

#include "tests/shared/vmap_cases.h"

/* NULL, or what differs, with the seed and the number of the operation. A broken invariant is a panic
 * that cites the operation. Not reentrant. */
const char *vmap_differential(u64 seed, u64 ops);

#endif
