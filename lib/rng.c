// SPDX-License-Identifier: MIT
/*
 * xorshift64* by Sebastiano Vigna: three shifts and a multiplication, period 2^64 - 1, good enough
 * for tests and benchmarks and never for secrets. The caller owns the state and its locking.
 */
#include "lib/rng.h"
#include "lib/assert.h"

/*
 * Neighbouring seeds (1, 2, 3 ...) must not start similar sequences, so the seed is stirred first
 * (the finaliser of splitmix64, a bijection). Its one preimage of 0 gets another state: 0 stays 0.
 */
void rng_seed(struct rng *rng, u64 seed)
{
    u64 x = seed + 0x9e3779b97f4a7c15UL;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
    x ^= x >> 31;
    rng->state = x ? x : 1;
}

u64 rng_next(struct rng *rng)
{
    u64 x = rng->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return x * 0x2545f4914f6cdd1dUL;
}

/* 2^64 mod n values at the bottom would make some remainders more likely than others: draw
 * again. */
u64 rng_below(struct rng *rng, u64 n)
{
    u64 surplus, value;

    ASSERT(n != 0, "a number below %lu does not exist", n);
    surplus = -n % n;
    do
        value = rng_next(rng);
    while (value < surplus);
    return value % n;
}
