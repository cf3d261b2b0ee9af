// SPDX-License-Identifier: MIT
/*
 * The words everything is written in: fixed-width integers, the four address-like types that tell a
 * prototype's reader which world a number belongs to, page geometry, and a handful of compiler
 * attributes. Read next: lib/bits.h for the overflow-safe arithmetic on these types.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 paddr_t; /* physical address, bytes */
typedef u64 vaddr_t; /* virtual address, bytes */
typedef u64 pfn_t;   /* page frame number: paddr >> PAGE_SHIFT */
typedef u64 pte_t;   /* page-table entry of any level, as the hardware reads it */

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define KIB (1UL << 10)
#define MIB (1UL << 20)
#define GIB (1UL << 30)
#define TIB (1UL << 40)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define __printf(fmt, first) __attribute__((format(printf, fmt, first)))
#define __noreturn __attribute__((noreturn))
#ifdef __clang__
#define __noinline __attribute__((noinline))
#else /* two such functions of the same code stay two: backtraces tell them apart */
#define __noinline __attribute__((noinline, no_icf))
#endif
/*
 * A way into the memory manager that has to be fast. The optimised kernel compiles mm/ as one program
 * (FUSED, see the Makefile); there, all that such a function calls becomes part of it, except what is
 * __noinline or behind a pointer. The source keeps its floors, and nobody pays for the stairs: a pair of
 * vmalloc() and vfree() went through forty calls (1,680 -> 1,176 instructions).
 */
#ifdef FUSED
#define IS_FUSED 1
#define __fused __attribute__((flatten))
#define __fused_in                                                                                 \
    inline __attribute__((always_inline)) /* with its constants; elsewhere a function */
#else
#define IS_FUSED 0
#define __fused
#define __fused_in inline
#endif
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __unused __attribute__((unused))
#define __section(name) __attribute__((section(name)))

/* The address the current function will return to: recorded as "who asked" by every allocator. */
#define CALLER() ((vaddr_t)__builtin_return_address(0))

#endif
