// SPDX-License-Identifier: MIT
/*
 * Mapping what exists already: page arrays (vmap) and device memory (ioremap). Both reserve an area
 * as vmalloc does and leave the frames alone, unless VM_MAP_PUT_PAGES hands them over. Locks and
 * invariants as in mm/vmalloc.c. Memory types: the PAT is programmed by mm/start.c so that PWT alone
 * selects write-combining and PCD|PWT uncached (SDM 3A, 11.12).
 */
#include "lib/bits.h"
#include "mm/vmalloc_internal.h"

paddr_t ioremap_limit = 1UL << 52;

#define IOREMAP_MAX_SHIFT 30

static void *map_array(struct vmalloc *v, struct page **pages, u64 count, u32 flags, u64 prot,
                       vaddr_t caller)
{
    if (!pages || count == 0 || count > v->space.end >> PAGE_SHIFT)
        return NULL;
    for (u64 i = 0; i < count; i++)
        if (!pages[i])
            return NULL;
    struct vm_struct *vm =
        vm_reserve(v, count << PAGE_SHIFT, PAGE_SIZE, v->space.start, v->space.end,
                   (flags & VM_MAP_PUT_PAGES) | VM_MAP, GFP_KERNEL, caller);
    if (!vm)
        return NULL;
    if (pt_map_pages(v->pt, vm->addr, pages, count, prot) != 0) {
        vm_discard(v, vm, caller); /* vm->pages is not set yet: the pages stay the caller's */
        return NULL;
    }
    vm->pages = flags & VM_MAP_PUT_PAGES ? pages : NULL;
    vm->nr_pages = count;
    return (void *)vm->addr;
}

__fused void *vmap(struct page **pages, u64 count, u32 flags, u64 prot)
{
    EVENT_BEGIN(VMAP, count << PAGE_SHIFT, PAGE_SIZE, CALLER());
    void *address = map_array(&kernel_vmalloc, pages, count, flags, prot, CALLER());
    EVENT_END(VMAP, address);
    return address;
}

__fused void vunmap(const void *address)
{
    struct vmalloc *v = &kernel_vmalloc;
    if (!address)
        return;
    EVENT_BEGIN(VUNMAP, address, 0, CALLER());
    struct vm_struct *vm = vm_claim(v, address, VM_MAP, "vunmap", CALLER());
    if (vm) {
        vm->flags &= ~VM_MAP_PUT_PAGES; /* vunmap() never frees pages; vfree() does */
        vm_release(v, vm, CALLER());
    }
    EVENT_END(VUNMAP, 0);
}

/* Does the physical range touch a frame that the buddy owns? Mapping such a frame with another
 * memory type would give it two, which x86 leaves undefined (SDM 3A, 11.12.4). */
static bool touches_managed_ram(const struct memmap *ram, paddr_t start, paddr_t end)
{
    for (unsigned i = 0; ram && i < ram->count; i++) {
        paddr_t from = max_u64(start, ram->ranges[i].start);
        paddr_t to = min_u64(end, ram->ranges[i].end);
        for (paddr_t at = from; at < to; at += PAGE_SIZE)
            if (pfn_to_page(at >> PAGE_SHIFT)->state != PAGE_UNMANAGED)
                return true;
    }
    return false;
}

/*
 *   1 check the range: size, wrap, the CPU's physical bits, RAM in use
 *   2 reserve, aligned by the order of the size so that large leaves fit
 *   3 map with the largest leaves; the offset in the page is added to the result
 */
static void *map_device(struct vmalloc *v, paddr_t physical, u64 size, u64 prot, vaddr_t caller)
{
    u64 end;
    if (size == 0 || !add_checked(physical, size, &end) || end > ioremap_limit)
        return NULL;
    paddr_t first = align_down(physical, PAGE_SIZE);
    u64 bytes = align_up(end, PAGE_SIZE) - first;
    if (touches_managed_ram(v->ram, first, first + bytes)) {
        port_warn("ioremap(%#lx, %lu): this is RAM that the page allocator owns; called from %pS",
                  physical, size, (void *)caller);
        return NULL;
    }
    u64 align = 1UL << min_u64(max_u64(fls(bytes - 1), PAGE_SHIFT), IOREMAP_MAX_SHIFT);
    struct vm_struct *vm =
        vm_reserve(v, bytes, align, v->space.start, v->space.end, VM_IOREMAP, GFP_KERNEL, caller);
    if (!vm)
        return NULL;
    vm->phys_addr = first;
    if (pt_map(v->pt, vm->addr, first, bytes, prot, IOREMAP_MAX_SHIFT) != 0) {
        vm_discard(v, vm, caller);
        return NULL;
    }
    return (void *)(vm->addr + (physical - first));
}

static void *ioremap_prot(paddr_t physical, u64 size, u64 prot, vaddr_t caller)
{
    EVENT_BEGIN(IOREMAP, physical, size, caller);
    void *address = map_device(&kernel_vmalloc, physical, size, prot, caller);
    EVENT_END(IOREMAP, address);
    return address;
}

void *ioremap(paddr_t physical, u64 size)
{
    return ioremap_prot(physical, size, PROT_DEVICE, CALLER());
}

void *ioremap_wc(paddr_t physical, u64 size)
{
    return ioremap_prot(physical, size, PROT_KERNEL_RW | PTE_PWT, CALLER());
}

void *ioremap_cache(paddr_t physical, u64 size)
{
    return ioremap_prot(physical, size, PROT_KERNEL_RW, CALLER());
}

void iounmap(const void *address)
{
    struct vmalloc *v = &kernel_vmalloc;
    if (!address)
        return;
    const void *page = (const void *)align_down((vaddr_t)address, PAGE_SIZE);
    EVENT_BEGIN(IOUNMAP, page, 0, CALLER());
    struct vm_struct *vm = vm_claim(v, page, VM_IOREMAP, "iounmap", CALLER());
    if (vm)
        vm_release(v, vm, CALLER());
    EVENT_END(IOUNMAP, 0);
}
