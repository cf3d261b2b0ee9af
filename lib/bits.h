// SPDX-License-Identifier: MIT
/*
 * Arithmetic that address-space code gets wrong when it writes it inline: alignment, ranges that
 * end at 2^64, logarithms, page counts. Every function here is total: it states what happens on
 * wrap.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include "lib/types.h"

static inline bool is_power_of_two(u64 n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Round down / up to `align` (a power of two). align_up() wraps to 0 past the top: see below. */
static inline u64 align_down(u64 n, u64 align)
{
    return n & ~(align - 1);
}

static inline u64 align_up(u64 n, u64 align)
{
    return (n + align - 1) & ~(align - 1);
}

static inline bool is_aligned(u64 n, u64 align)
{
    return (n & (align - 1)) == 0;
}

/* Round up to `align`; false when the result does not fit in 64 bits. */
static inline bool align_up_checked(u64 n, u64 align, u64 *out)
{
    u64 sum;
    if (__builtin_add_overflow(n, align - 1, &sum))
        return false;
    *out = sum & ~(align - 1);
    return true;
}

/* Add; false when the sum does not fit in 64 bits. */
static inline bool add_checked(u64 a, u64 b, u64 *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Index of the highest set bit; n must not be 0. */
static inline unsigned ilog2(u64 n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

/* 1 + index of the highest set bit; 0 for 0 ("find last set"). */
static inline unsigned fls(u64 n)
{
    return n ? ilog2(n) + 1 : 0;
}

/* Smallest power of two >= n; 1 for 0. */
static inline u64 roundup_pow2(u64 n)
{
    return n <= 1 ? 1 : 1UL << fls(n - 1);
}

/* Smallest order such that 2^order pages hold `pages` pages; 0 for 0 or 1. */
static inline unsigned order_for_pages(u64 pages)
{
    return pages <= 1 ? 0 : fls(pages - 1);
}

/* Bytes to pages, rounded up; 0 when bytes is 0 or when rounding up wraps. */
static inline u64 bytes_to_pages(u64 bytes)
{
    u64 up;
    return align_up_checked(bytes, PAGE_SIZE, &up) ? up >> PAGE_SHIFT : 0;
}

static inline u64 min_u64(u64 a, u64 b)
{
    return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
    return a > b ? a : b;
}

#endif
