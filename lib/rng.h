// SPDX-License-Identifier: MIT
/*
 * Deterministic random numbers (xorshift64* by Vigna), for tests and benchmarks: the same seed
 * gives the same sequence in the kernel and on the host, so a failing seed can be replayed in
 * either.
 */
#ifndef LIB_RNG_H
#define LIB_RNG_H

#include "lib/types.h"

struct rng {
    u64 state;
};

/* Any seed is good, 0 included. */
void rng_seed(struct rng *rng, u64 seed);
u64 rng_next(struct rng *rng);

/* Uniform in [0, n); n must not be 0. */
u64 rng_below(struct rng *rng, u64 n);

#endif
