// SPDX-License-Identifier: MIT
/*
 * The kernel's own page tables, built once from memblock and then loaded over the early ones of
 * boot/entry.asm. Upholds P2 from the first instruction on: text R-X, rodata R--, all else NX; the
 * direct-map alias of text and rodata is read-only too. Guard pages under the stacks are simply not
 * mapped. Every top-level entry that a kernel region will ever need exists before the switch.
 */
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pgtable.h"
#include "mm/pgtable_source.h"
#include "mm/start.h"

#define LARGE_SHIFT 21
#define LARGE_SIZE (1UL << LARGE_SHIFT)
#define HUGE_SHIFT 30
#define LEGACY_VIDEO 0xa0000UL
#define LEGACY_VIDEO_SIZE 0x20000UL

/* Memory types by PTE bits PAT:PCD:PWT (SDM 3A, 11.12.2): PWT alone becomes write-combining. */
#define PAT_VALUE 0x0007040600070106UL

static void map_or_stop(vaddr_t va, paddr_t pa, u64 size, u64 prot, unsigned shift,
                        const char *what)
{
    int err = size ? pt_map(&kernel_pagetable, va, pa, size, prot, shift) : 0;
    if (err)
        panic_at(NULL, "give the machine more memory (QEMU: -m 32M)",
                 "cannot map %s at %#lx (%lu KiB): %s", what, va, size / KIB, errno_name(err));
}

static void map_image(const u8 *start, const u8 *end, u64 prot, const char *what)
{
    vaddr_t from = (vaddr_t)start;
    map_or_stop(from, from - KERNEL_BASE, (vaddr_t)end - from, prot, PAGE_SHIFT, what);
}

/* One output section, one permission. Of the stacks only what lies above each guard page. */
static void map_kernel_image(void)
{
    map_image(__text_start, __text_end, PROT_KERNEL_RX, "kernel text");
    map_image(__rodata_start, __rodata_end, PROT_KERNEL_RO, "kernel rodata");
    map_image(__data_start, __data_end, PROT_KERNEL_RW, "kernel data");
    map_image(__bss_start, __bss_end, PROT_KERNEL_RW, "kernel bss");
    for (u32 i = 0; i < kernel_stack_count; i++)
        map_image((u8 *)kernel_stacks[i].low, (u8 *)kernel_stacks[i].high, PROT_KERNEL_RW, "stack");
}

static void map_direct(paddr_t start, paddr_t end, u64 prot)
{
    if (start < end)
        map_or_stop(DIRECT_MAP_BASE + start, start, end - start, prot,
                    cpu_features.gib_pages ? HUGE_SHIFT : LARGE_SHIFT, "the direct map");
}

/* All of RAM, with the kernel's text and rodata read-only in this view as well. */
static void map_direct_map(void)
{
    paddr_t ro_start = (vaddr_t)__text_start - KERNEL_BASE;
    paddr_t ro_end = (vaddr_t)__rodata_end - KERNEL_BASE;
    for (unsigned i = 0; i < boot_memmap.count; i++) {
        paddr_t start = boot_memmap.ranges[i].start;
        paddr_t end = boot_memmap.ranges[i].end;
        map_direct(start, min_u64(end, max_u64(start, ro_start)), PROT_KERNEL_RW);
        map_direct(max_u64(start, ro_start), min_u64(end, ro_end), PROT_KERNEL_RO);
        map_direct(max_u64(start, ro_end), end, PROT_KERNEL_RW);
    }
}

/* The legacy video window is not RAM, but the first console lives there before ioremap() does. */
static void map_legacy_video(void)
{
    if (!memmap_contains(&boot_memmap, LEGACY_VIDEO >> PAGE_SHIFT))
        map_or_stop(DIRECT_MAP_BASE + LEGACY_VIDEO, LEGACY_VIDEO, LEGACY_VIDEO_SIZE, PROT_DEVICE,
                    PAGE_SHIFT, "the video window");
}

/* Back [from, to) of the page array; large pages where whole ones fit. Both page-aligned. */
static void back_vmemmap(vaddr_t from, vaddr_t to)
{
    while (from < to) {
        bool large = is_aligned(from, LARGE_SIZE) && to - from >= LARGE_SIZE;
        u64 size = large ? LARGE_SIZE : PAGE_SIZE;
        paddr_t frame = memblock_alloc(&boot_memblock, size, size, "page array");
        if (!frame)
            panic_at(NULL, "give the machine more memory",
                     "no memory for the array of struct page");
        map_or_stop(from, frame, size, PROT_KERNEL_RW, LARGE_SHIFT, "the page array");
        from += size;
    }
}

/* struct page for RAM only: a hole of a terabyte costs nothing. */
static void map_vmemmap(void)
{
    vaddr_t done = VMEMMAP_BASE;
    for (unsigned i = 0; i < boot_memmap.count; i++) {
        const struct memmap_range *range = &boot_memmap.ranges[i];
        vaddr_t first = (vaddr_t)pfn_to_page(range->start >> PAGE_SHIFT);
        vaddr_t last = (vaddr_t)pfn_to_page(range->end >> PAGE_SHIFT);
        vaddr_t from = max_u64(done, align_down(first, PAGE_SIZE));
        done = max_u64(done, align_up(last, PAGE_SIZE));
        back_vmemmap(from, done);
    }
}

void mm_start_pagetable(void)
{
    if (pt_init(&kernel_pagetable, &pt_memblock_ops, &boot_memblock) != 0)
        panic("no memory for the first page table");
    map_kernel_image();
    map_direct_map();
    map_legacy_video();
    map_vmemmap();
    if (pt_populate_top(&kernel_pagetable, VMALLOC_BASE, VMALLOC_END) != 0)
        panic("no memory for the top-level entries of the vmalloc region");
    wrmsr(MSR_PAT, PAT_VALUE);
    write_cr3(kernel_pagetable.root);
    cpu_protections_enable();
    log_info("page tables: %lu tables, NX%s%s%s%s%s", kernel_pagetable.tables,
             cpu_features.smep ? " SMEP" : "", cpu_features.smap ? " SMAP" : "",
             cpu_features.umip ? " UMIP" : "", cpu_features.pge ? " global" : "",
             cpu_features.pcid ? " PCID" : "");
}
