// SPDX-License-Identifier: MIT
/*
 * The entire memory map, highest address first: the one table that the page tables are built from,
 * that the README shows, that `vmap layout` prints and that a boot test asserts. The same regions as
 * Linux's x86-64 layout document (Documentation/arch/x86/x86_64/mm.rst), 4-level paging.
 *
 *   KERNEL_BASE     kernel image: text R-X, rodata R--, data RW-, stacks with guard pages
 *   VMEMMAP_BASE    array of struct page, one for each page frame, only present RAM is backed
 *   VMALLOC_BASE    vmalloc, vmap, vm_map_ram, ioremap: 4 KiB pages, a guard page after each area
 *   DIRECT_MAP_BASE all of RAM at a fixed offset, RW-, 1 GiB / 2 MiB pages
 *   USER_BASE       one process each; page 0 is never mapped
 */
#ifndef MM_LAYOUT_H
#define MM_LAYOUT_H

#include "lib/types.h"

#define KERNEL_BASE 0xffffffff80000000UL
#define KERNEL_SIZE (1 * GIB)
#define VMALLOC_SIZE (32 * TIB)
#define DIRECT_MAP_SIZE (64 * TIB)
#define VMEMMAP_SIZE (1 * TIB)
#define USER_BASE 0x0000000000001000UL
#define USER_HALF_END 0x0000800000000000UL /* what is mapped ends lower: mm/uspace.h */
#define NON_CANONICAL_LOW 0x0000800000000000UL
#define NON_CANONICAL_HIGH 0xffff800000000000UL

#define LAYOUT_DIRECT_MAP_BASE 0xffff888000000000UL
#define LAYOUT_VMEMMAP_BASE 0xffffea0000000000UL
#ifdef VITRINE_HOST
/* On the host "physical memory" is one anonymous mapping; the test harness says where. */
extern vaddr_t host_direct_map_base, host_vmemmap_base;
#define DIRECT_MAP_BASE host_direct_map_base
#define VMEMMAP_BASE host_vmemmap_base
#else
#define DIRECT_MAP_BASE LAYOUT_DIRECT_MAP_BASE
#define VMEMMAP_BASE LAYOUT_VMEMMAP_BASE
#endif
#define VMALLOC_BASE 0xffffc90000000000UL
#define VMALLOC_END (VMALLOC_BASE + VMALLOC_SIZE)

/* Early page tables (boot/entry.asm) map only this much of the direct map. */
#define EARLY_DIRECT_MAP_SIZE (4 * GIB)

/* Physical to virtual through the direct map and back. Any context; RAM (or, early, below 4 GiB). */
static inline void *phys_to_virt(paddr_t physical)
{
    return (void *)(DIRECT_MAP_BASE + physical);
}

static inline paddr_t virt_to_phys(const void *direct_mapped)
{
    return (paddr_t)direct_mapped - DIRECT_MAP_BASE;
}

/* One row of the table, for everyone who prints or checks it. */
struct layout_region {
    const char *name;
    vaddr_t base, end; /* [base, end); end == 0 means 2^64 */
    const char *note;
};
extern const struct layout_region layout_regions[];
extern const unsigned layout_region_count;

/* The region that contains the address: "vmalloc", "direct map", ... or NULL. Any context. */
const struct layout_region *layout_find(vaddr_t address);

static inline bool address_is_canonical(vaddr_t address)
{
    return address < NON_CANONICAL_LOW || address >= NON_CANONICAL_HIGH;
}

#endif
