// SPDX-License-Identifier: MIT
/*
 * What is measured: the workloads of Linux's lib/test_vmalloc.c with the same definitions, and a few
 * of our own. Each runs in one of two worlds:
 *
 *   layer   vmalloc() and vfree() as everybody calls them, on the design that serves the kernel
 *   space   a private space of any design, address ranges only: no pages, page tables or flushing
 *
 * Only command.c and measure.c use this. No locks: one benchmark runs at a time, from the shell.
 * Read next: bench/suite.c (Linux's workloads), bench/sweep.c (ours), bench/measure.c (the clock).
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "lib/rng.h"
#include "mm/vmalloc_internal.h"

enum bench_world { BENCH_LAYER, BENCH_SPACE };

/* Pointers to what is alive, in blocks that kmalloc can give, so that the measured kernel space holds
 * nothing of the benchmark's own. */
#define BENCH_CHUNK_SHIFT 16
#define BENCH_CHUNKS 64
#define BENCH_KEPT_MAX ((u64)BENCH_CHUNKS << BENCH_CHUNK_SHIFT)

struct bench {
    struct vmap_space *space; /* where the addresses come from */
    struct rng rng;           /* seeded anew before every loop */
    u64 live;                 /* how many areas a sweep wants alive */
    u64 failures;             /* requests of the present loop that were refused */
    struct page *page;        /* what vmap and vm_map_ram map */
    void **chunks[BENCH_CHUNKS];
    u64 kept;           /* entries in use */
    u64 deadline;       /* time stamp after which a setup gives up */
    const char *reason; /* why a setup or a loop answered false */
};

struct bench_workload {
    const char *name; /* "long_busy_list"; in the space world "va_only long_busy_list" */
    const char *what; /* one operation, in words */
    enum bench_world world;
    u64 loops;              /* operations that are timed; fewer where a design is slow */
    u64 live_from, live_to; /* a sweep: N = 0 or live_from, then times 10; both 0: no sweep */
    bool churns;            /* the setup does N operations, so its cost can be foreseen */
    u64 window;             /* bytes of a private space; 0: as large as the kernel's */
    bool (*setup)(struct bench *);           /* NULL: nothing to prepare */
    bool (*loop)(struct bench *, u64 loops); /* false: no memory, see ->reason */
    void (*teardown)(struct bench *); /* also after a setup that failed half-way; may be NULL.
                                              * A private space goes as a whole: nothing to undo. */
};

extern const struct bench_workload bench_suite[], bench_parts[], bench_sweeps[];
extern const unsigned bench_suite_count, bench_part_count, bench_sweep_count;

/* Room for `count` entries. false, with a reason, when there is no memory. */
bool bench_keep_room(struct bench *b, u64 count);
void bench_keep_end(struct bench *b);

static inline void **bench_kept(struct bench *b, u64 i)
{
    return &b->chunks[i >> BENCH_CHUNK_SHIFT][i & ((1UL << BENCH_CHUNK_SHIFT) - 1)];
}

/* Ask this now and then in a setup: false, with a reason, after Ctrl-C or the deadline. */
bool bench_go_on(struct bench *b);

/* false, with a reason: for `return bench_fail(b, "no memory")`. */
bool bench_fail(struct bench *b, const char *reason);

#endif
