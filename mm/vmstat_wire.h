// SPDX-License-Identifier: MIT
/*
 * What the kernel and vmtop share: a ring of samples in memory that both see, pages of vmalloc_user() mapped into the
 * program as well. The kernel writes (vmstat_sample() in mm/vmstat.c), programs read; nothing is copied. Sample n lies in
 * slot n % VMSTAT_SAMPLES and carries n + 1, written last and cleared first: who reads the same number before and after
 * has a whole sample. Plain C types only, since ring 3 includes this, too.
 */
#ifndef MM_VMSTAT_WIRE_H
#define MM_VMSTAT_WIRE_H

#include <stdint.h>

#define VMSTAT_MAGIC 0x74617473656e6972UL /* "rinestat" */
#define VMSTAT_SAMPLES 16
#define VMSTAT_ORDERS 11
#define VMSTAT_RANGES 48
#define VMSTAT_CACHES 24

enum vmstat_kind { VMSTAT_FREE, VMSTAT_BUSY, VMSTAT_LAZY, VMSTAT_CACHED };

struct vmstat_range {
    uint64_t start, end; /* [start, end), guard included */
    uint32_t kind;       /* enum vmstat_kind */
    uint32_t pages;      /* owned by it */
};

struct vmstat_cache {
    char name[24];
    uint32_t size, objects, slabs, pages;
};

struct vmstat_sample {
    uint64_t number; /* n + 1; 0 while it is written */
    uint64_t ns;     /* since boot */
    uint64_t managed, free, tables, slab, vmalloc, user, file, other; /* pages */
    uint64_t blocks[VMSTAT_ORDERS];                                   /* free ones of each order */
    uint64_t splits, merges;                                          /* since boot */
    uint64_t areas, lazy_pages, free_extents, largest_free, allocs, frees;
    uint32_t ranges, ranges_dropped, caches, pad;
    struct vmstat_range range[VMSTAT_RANGES]; /* busy ones, then lazy ones, each ascending */
    struct vmstat_cache cache[VMSTAT_CACHES];
};

struct vmstat_ring {
    uint64_t magic;
    uint32_t samples, sample_size;
    uint64_t space_start, space_end; /* of vmalloc addresses */
    uint64_t next;                   /* number of samples so far */
    struct vmstat_sample sample[VMSTAT_SAMPLES];
};

#endif
