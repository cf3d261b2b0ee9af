// SPDX-License-Identifier: MIT
/*
 * The boot-time allocator: hands out physical ranges before there is a buddy, remembers what is
 * reserved, gives everything left to the buddy and is then sealed. Boot CPU only, no lock.
 * Read next: mm/buddy.h.
 */
#ifndef MM_MEMBLOCK_H
#define MM_MEMBLOCK_H

#include "lib/types.h"
#include "mm/memmap.h"

#define MEMBLOCK_MAX_RESERVED 128

struct memblock_reservation {
    paddr_t start, end; /* [start, end), page-aligned outward */
    const char *what;   /* "kernel image", "page tables", ... */
};

struct memblock {
    const struct memmap *map;
    struct memblock_reservation reserved[MEMBLOCK_MAX_RESERVED]; /* ascending, disjoint */
    unsigned count;
    paddr_t limit; /* allocate below this: what the early direct map reaches */
    bool sealed;
    u64 allocated_bytes;
};

void memblock_init(struct memblock *mb, const struct memmap *map, paddr_t limit);

/*
 * Keep [start, end) out of every later allocation; rounded outward to pages; may overlap what is
 * reserved already and need not be RAM. 0; -EINVAL start > end; -ENOSPC table full.
 */
int memblock_reserve(struct memblock *mb, paddr_t start, paddr_t end, const char *what);

/*
 * `size` bytes (rounded up to pages) aligned to `align` (power of two >= PAGE_SIZE), zeroed, from
 * the top of the memory below the limit. Physical address, or 0 when there is no room (frame 0 is
 * never RAM here). Panics once sealed.
 */
paddr_t memblock_alloc(struct memblock *mb, u64 size, u64 align, const char *what);

/* Visit what is neither reserved nor allocated, ascending, page-aligned. */
void memblock_for_each_free(const struct memblock *mb,
                            void (*visit)(void *ctx, paddr_t start, paddr_t end), void *ctx);

/* No allocation from now on: the buddy owns the rest. */
void memblock_seal(struct memblock *mb);

/* NULL or a sentence. */
const char *memblock_check(const struct memblock *mb);

#endif
