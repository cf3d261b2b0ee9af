// SPDX-License-Identifier: MIT
/*
 * An MMU in software: translates addresses through page tables in the fake physical memory, the way
 * the processor's manual says (SDM 3A, 4.5 to 4.10), and remembers every translation in a TLB that
 * forgets nothing unless it is told to. Written from the manual without mm/pgtable.h, because it is
 * the oracle for it: a forgotten flush becomes a stale answer here, at once and each time.
 */
#ifndef TESTS_HOST_SOFT_MMU_H
#define TESTS_HOST_SOFT_MMU_H

#include "lib/types.h"

/* What kind of access; or-ed. */
enum { MMU_READ = 0, MMU_WRITE = 1, MMU_EXECUTE = 2, MMU_USER = 4 };

/* The page-fault error code, SDM 3A figure 4-12; and one value of ours. */
#define MMU_ERROR_PRESENT 1u
#define MMU_ERROR_WRITE 2u
#define MMU_ERROR_USER 4u
#define MMU_ERROR_RESERVED 8u
#define MMU_ERROR_EXECUTE 16u
#define MMU_ERROR_NON_CANONICAL 0x80000000u /* a general-protection fault in reality */

struct mmu_translation {
    u32 error;        /* valid when mmu_access() is false */
    paddr_t physical; /* of the byte asked for */
    u64 page_size;    /* 4 KiB, 2 MiB, 1 GiB */
    bool writable, executable, user;
};

/* One access by the CPU that is running, with the tables at `root` (CR3). True when it succeeds. A
 * cached translation is used before the tables are read; sets accessed and dirty bits. WP and NXE
 * are on, SMEP and SMAP off. */
bool mmu_access(paddr_t root, vaddr_t address, unsigned access, struct mmu_translation *out);

/* Like mmu_access() for reading, but neither looks into nor fills the TLB, and sets no bits. */
bool mmu_walk(paddr_t root, vaddr_t address, struct mmu_translation *out);

/* Forget all / whatever overlaps [start, end) on every CPU. port_tlb_flush_*() call these. */
void mmu_flush_all(void);
void mmu_flush_range(vaddr_t start, vaddr_t end);

/* How many cached translations overlap the range (P3) / lead into the frames [start, end) / were
 * read through the table page at `table` (paging-structure caches). */
u64 mmu_cached_range(vaddr_t start, vaddr_t end);
u64 mmu_cached_frames(paddr_t start, paddr_t end);
u64 mmu_cached_table(paddr_t table);

/* How many cached translations the tables no longer agree with: another frame, or none. */
u64 mmu_cached_stale(void);

#endif
