// SPDX-License-Identifier: MIT
/*
 * The memory map as rows, for everyone who prints it, checks it or has to name an address. Constant,
 * so no lock. The rows are Vitrine's own addresses on the host too.
 */
#include "mm/layout.h"

const struct layout_region layout_regions[] = {
    {"kernel image", KERNEL_BASE, KERNEL_BASE + KERNEL_SIZE,
     "text R-X, rodata R--, data RW-, stacks"},
    {"vmemmap", LAYOUT_VMEMMAP_BASE, LAYOUT_VMEMMAP_BASE + VMEMMAP_SIZE,
     "struct page for each frame, backed where there is RAM"},
    {"vmalloc", VMALLOC_BASE, VMALLOC_END, "vmalloc, vmap, vm_map_ram, ioremap: a guard page each"},
    {"direct map", LAYOUT_DIRECT_MAP_BASE, LAYOUT_DIRECT_MAP_BASE + DIRECT_MAP_SIZE,
     "all of RAM at a fixed offset, RW-"},
    {"user", USER_BASE, USER_HALF_END, "one process each; page 0 is never mapped"},
};
const unsigned layout_region_count = ARRAY_SIZE(layout_regions);

const struct layout_region *layout_find(vaddr_t address)
{
    for (unsigned i = 0; i < layout_region_count; i++) {
        const struct layout_region *region = &layout_regions[i];
        if (address >= region->base && address - region->base < region->end - region->base)
            return region;
    }
    return NULL;
}
