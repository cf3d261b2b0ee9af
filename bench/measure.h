// SPDX-License-Identifier: MIT
/*
 * The clock of the benchmarks. A figure is the difference of two loop counts over the difference of
 * the counts, so that what happens once is out of it; each timed loop ends with the lazy flush, so
 * that nobody leaves a debt behind. Under `-icount shift=0` the time stamp counter counts instructions.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench/workloads.h"

/* A setup that needs more is given up: bench_too_slow. */
#define BENCH_SETUP_TICKS 6000000000UL

struct bench_result {
    const struct bench_workload *workload;
    const struct vmap_design *design;
    const char *flush;   /* "lazy", "eager"; "none" in a private space */
    const char *problem; /* why there are no figures, or NULL */
    u64 live;            /* N of a sweep */
    u64 operations;      /* what was timed: the difference of the two loop counts ... */
    u64 ticks;           /* ... and of the two times */
    u64 executed;        /* operations in all, warm-up and sampling included (for profiles) */
    u64 scale;           /* 1, or by what the loop count was divided because the design is slow */
    u64 visited_tenths;  /* nodes that the last search of an operation looked at, on average */
    u64 failures;        /* refused requests in the longer of the two loops */
    u64 failures_of;     /* ... among so many operations */
    u64 live_bytes;      /* address space in use before the loop */
    u64 peak_bytes;      /* most in use, ranges that wait for a flush included */
    u64 span_bytes;      /* from the start of the space to the end of its highest used range */
    u64 metadata_bytes;  /* descriptors and the design's state */
};

/*
 * Run one workload, with N = `live` areas alive, on a design (in the layer: the one that serves the
 * kernel). loops 0: the workload's own count, reduced where the design is slow. May sleep; Ctrl-C
 * ends it with result->problem "interrupted".
 */
void bench_measure(const struct bench_workload *workload, const struct vmap_design *design,
                   u64 live, u64 loops, struct bench_result *result);

/* Does the time stamp counter count instructions (QEMU's -icount shift=0)? */
bool bench_ticks_are_instructions(void);

extern const char bench_interrupted[], bench_too_slow[];

#endif
