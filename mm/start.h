// SPDX-License-Identifier: MIT
/*
 * Bringing the memory floors up, bottom first, each by one call from boot/main.c. After the last one
 * the early page tables are gone, the boot allocator is sealed and every frame of RAM is accounted.
 * Boot CPU, interrupts off, no locks.
 */
#ifndef MM_START_H
#define MM_START_H

#include "lib/types.h"
#include "mm/memblock.h"
#include "mm/memmap.h"

extern struct memmap boot_memmap;
extern struct memblock boot_memblock;

/* 1. The boot loader's map -> boot_memmap; reserves low memory and the kernel image. Stops with a
 * clear message when there is no usable map or too little memory. */
void mm_start_memmap(const struct memmap_entry *raw, size_t count);

/* 2. Keep what the boot loader put into RAM (info block, modules) until it has been read. */
void mm_start_reserve(paddr_t start, paddr_t end, const char *what);

/* 3. The kernel's own page tables: image by section permission, direct map of all RAM, vmemmap;
 * top-level entries of every kernel region allocated for ever; guard pages of stacks unmapped; CR3
 * switched. */
void mm_start_pagetable(void);

/* 4. struct page for every frame of RAM; everything free goes to the buddy; memblock sealed. */
void mm_start_buddy(void);

/* 5. Slab, 6. vmalloc with the design that `vmap=` names, 7. the fault handler, 8. test hooks. */
void mm_start_slab(void);
void mm_start_vmalloc(void);
void mm_start_fault(void);

/* 9. User spaces: the zero page and the caches. */
void mm_start_uspace(void);

/* Pages of the kernel image, for meminfo. */
u64 mm_kernel_image_pages(void);

#endif
