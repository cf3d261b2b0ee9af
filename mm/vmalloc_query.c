// SPDX-License-Identifier: MIT
/*
 * Questions to vmalloc that change nothing: what is at an address, which frame, copy without risk,
 * counters, and the check of P1. Lock: the space's, for finding; the dump only tries it, since it runs
 * inside crashes.
 */
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/vmalloc_internal.h"

bool is_vmalloc_addr(const void *address)
{
    return (vaddr_t)address >= VMALLOC_BASE && (vaddr_t)address < VMALLOC_END;
}

/* Under the space's lock: outside of it the area may be gone before its vm has been read. */
static struct vm_struct *vm_find_locked(struct vmalloc *v, vaddr_t address)
{
    struct vmap_area *area = v->space.design->find(&v->space, address);
    return area && area->kind == VMAP_BUSY ? __atomic_load_n(&area->vm, __ATOMIC_ACQUIRE) : NULL;
}

struct vm_struct *vm_find(struct vmalloc *v, vaddr_t address)
{
    if (!v->ready)
        return NULL;
    u64 flags = spin_lock_irqsave(&v->space.lock);
    struct vm_struct *vm = vm_find_locked(v, address);
    spin_unlock_irqrestore(&v->space.lock, flags);
    return vm;
}

struct vm_struct *find_vm_area(const void *address)
{
    return is_vmalloc_addr(address) ? vm_find(&kernel_vmalloc, (vaddr_t)address) : NULL;
}

__fused struct page *vmalloc_to_page(const void *address)
{
    paddr_t physical;
    if (!is_vmalloc_addr(address) || !pt_translate(kernel_vmalloc.pt, (vaddr_t)address, &physical))
        return NULL;
    return pfn_to_page(physical >> PAGE_SHIFT);
}

pfn_t vmalloc_to_pfn(const void *address)
{
    struct page *page = vmalloc_to_page(address);
    return page ? page_to_pfn(page) : 0;
}

/*
 * The content at an address where ordinary memory is mapped, or NULL for a hole, a guard page or
 * device memory. Through the direct map: that view stays when the area is freed at this moment.
 */
static const void *memory_behind(const struct vmalloc *v, vaddr_t address)
{
    paddr_t physical;
    if (!is_vmalloc_addr((const void *)address) || !pt_translate(v->pt, address, &physical))
        return NULL;
    bool is_ram = !v->ram || memmap_contains(v->ram, physical >> PAGE_SHIFT);
    return is_ram ? phys_to_virt(physical) : NULL;
}

u64 vread(void *to, const void *from, u64 count)
{
    u8 *out = to;
    vaddr_t at = (vaddr_t)from;
    u64 live = 0;
    while (count) {
        u64 chunk = min_u64(count, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
        const void *memory = memory_behind(&kernel_vmalloc, at);
        if (memory) {
            memcpy(out, memory, chunk);
            live += chunk;
        } else {
            memset(out, 0, chunk);
        }
        out += chunk;
        at += chunk;
        count -= chunk;
    }
    return live;
}

bool vmalloc_dump_obj(const void *address, char *buf, u64 size)
{
    struct vmalloc *v = &kernel_vmalloc;
    struct vm_struct *vm = NULL;
    if (!v->ready || !is_vmalloc_addr(address))
        return false;
    u64 flags = irq_save(); /* an interrupt that wants the lock must not find it taken here */
    if (spin_trylock(&v->space.lock)) {
        vm = vm_find_locked(v, (vaddr_t)address);
        if (vm)
            format_to(buf, size, "%lu-page vmalloc region starting at %#lx, allocated at %pS",
                      vm->nr_pages, vm->addr, (void *)vm->caller);
        spin_unlock(&v->space.lock);
    }
    irq_restore(flags);
    return vm != NULL;
}

u64 vmalloc_nr_pages(void)
{
    return __atomic_load_n(&kernel_vmalloc.nr_pages, __ATOMIC_RELAXED);
}

u64 vmalloc_used_bytes(void)
{
    return kernel_vmalloc.space.stats.busy_bytes;
}

struct p1_check {
    struct vmalloc *v;
    u64 pages;
    const char *broken;
};

static const char *check_pages_of(struct vmalloc *v, const struct vm_struct *vm)
{
    struct pt_walk walk;
    for (u64 i = 0; i < vm->nr_pages; i++) {
        vaddr_t at = vm->addr + (i << PAGE_SHIFT);
        if (!pt_walk(v->pt, at, &walk))
            return vmap_broken("P1: page %lu of area %#lx has no translation", i, vm->addr);
        if (!vm->pages)
            continue; /* vmap(): the frames are the caller's */
        if (walk.physical != page_to_phys(vm->pages[i]))
            return vmap_broken("P1: %#lx maps frame %#lx, the area says %#lx", at, walk.physical,
                               page_to_phys(vm->pages[i]));
        if (!buddy_block_head(v->buddy, vm->pages[i]))
            return vmap_broken("P1: %#lx maps frame %#lx, which is %s", at, walk.physical,
                               page_state_name(vm->pages[i]->state));
    }
    if (!(vm->flags & VM_NO_GUARD) && pt_walk(v->pt, vm->addr + get_vm_area_size(vm), &walk))
        return vmap_broken("P1: the guard page of area %#lx is mapped to %#lx", vm->addr,
                           walk.physical);
    return NULL;
}

static bool check_area(void *ctx, const struct vmap_area *area)
{
    struct p1_check *check = ctx;
    const struct vm_struct *vm = area->vm;
    if (area->kind != VMAP_BUSY || !vm || vm->flags & VM_UNINITIALIZED)
        return true;
    if (vm->addr != area->va_start || vm->size != vmap_area_size(area)) {
        check->broken = vmap_broken("P1: area [%#lx, %#lx) belongs to a vm_struct of [%#lx, %#lx)",
                                    area->va_start, area->va_end, vm->addr, vm->addr + vm->size);
        return false;
    }
    if (vm->flags & VM_ALLOC)
        check->pages += vm->nr_pages;
    check->broken = check_pages_of(check->v, vm);
    return check->broken == NULL;
}

const char *vmalloc_check_instance(struct vmalloc *v)
{
    const char *broken = vmap_space_check(&v->space);
    if (broken)
        return broken;
    struct p1_check check = {.v = v};
    vmap_space_for_each(&v->space, VMAP_BUSY, check_area, &check);
    if (!check.broken && check.pages != v->nr_pages)
        return vmap_broken("P1: areas own %lu pages, the counter says %lu", check.pages,
                           v->nr_pages);
    return check.broken;
}

const char *vmalloc_check(void)
{
    const char *broken = vmalloc_check_instance(&kernel_vmalloc);
    return broken ? broken : buddy_check(&kernel_buddy);
}
