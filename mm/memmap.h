// SPDX-License-Identifier: MIT
/*
 * The boot loader's memory map, made trustworthy: sorted, merged, page-aligned ranges of usable RAM.
 * Hostile maps are normal input: overlaps (anything but type 1 wins), zero lengths, ends that wrap
 * past 2^64, unaligned edges, unsorted, more entries than fit. No lock: boot CPU, once.
 * Read next: mm/memblock.h.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include "lib/types.h"

#define MEMMAP_USABLE                                                                              \
    1 /* multiboot2 and E820 agree on this number; all others are not RAM for us */
#define MEMMAP_MAX_RAW 1024
#define MEMMAP_MAX_RANGES 512

/* As the boot loader gives it. */
struct memmap_entry {
    u64 base;   /* bytes */
    u64 length; /* bytes */
    u32 type;
};

/* Usable RAM [start, end), bytes, page-aligned; never touches its neighbour in the table. */
struct memmap_range {
    paddr_t start, end;
};

struct memmap {
    struct memmap_range ranges[MEMMAP_MAX_RANGES]; /* ascending */
    unsigned count;
    unsigned dropped; /* raw entries or ranges that did not fit: reported, never silently used */
    u64 usable_bytes;
};

/*
 * Build the map from raw entries. Where a usable and any other entry overlap, the bytes are not
 * usable; edges are rounded inward to pages. 0; -EINVAL no entry at all; -ENOMEM nothing usable at
 * or above 1 MiB. Frame 0 is never usable (NULL must not be RAM).
 */
int memmap_build(struct memmap *map, const struct memmap_entry *raw, size_t count);

/* Highest usable byte + 1. */
paddr_t memmap_end(const struct memmap *map);

/* Is the frame usable RAM? O(log n). */
bool memmap_contains(const struct memmap *map, pfn_t pfn);

/* NULL, or a sentence about the first range that breaks order, alignment or separation. */
const char *memmap_check(const struct memmap *map);

/* "usable", "reserved", "ACPI reclaimable", "ACPI NVS", "bad RAM", "EFI runtime", "type N". */
const char *memmap_type_name(u32 type);

#endif
