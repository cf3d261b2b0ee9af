// SPDX-License-Identifier: MIT
/*
 * Random bytes: xorshift over the time stamp counter and RDRAND. Each call stirs anew, so nothing is kept and
 * nothing needs a lock. Under a deterministic machine (icount) the bytes are the same in each run, by design.
 */
#include "proc/random.h"
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/rng.h"
#include "lib/string.h"

static u64 hardware_random(void)
{
    u64 value = 0;
    if (cpu_features.rdrand)
        __asm__ volatile("rdrand %0" : "+r"(value) : : "cc");
    return value;
}

void random_fill(void *to, u64 size)
{
    u8 *at = to;
    struct rng rng;
    rng_seed(&rng, rdtsc() ^ (u64)to);
    while (size) {
        u64 word = rng_next(&rng) ^ hardware_random(), part = min_u64(size, sizeof(word));
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
}
