// SPDX-License-Identifier: MIT
/*
 * vmalloc, the way back: claim the area (exactly one caller can), clear its PTEs, pages to the buddy
 * at once, the address range to the flush queue (P3). Every misuse is refused with a report that says
 * what the address really is. Also here: frees deferred from interrupts, and the memory of the dead:
 * the last VM_HISTORY freed areas, for "use after free" explanations. Lock: the space's, in which areas
 * are found, claimed and remembered in one step.
 */
#include "lib/bits.h"
#include "mm/vmalloc_internal.h"

/* Before the first access to a dying area can fault. Under the space's lock. */
static inline void history_add(struct vmalloc *v, const struct vm_struct *vm, vaddr_t caller)
{
    v->history[v->history_next++ % VM_HISTORY] = (struct vm_history){
        .start = vm->addr,
        .end = vm->addr + vm->size,
        .requested_size = vm->requested_size,
        .flags = vm->flags,
        .alloc_caller = vm->caller,
        .free_caller = caller,
        .born_ns = vm->born_ns,
        .died_ns = port_clock_ns(),
    };
}

/* Without the lock, because it is asked inside faults: an entry that is being overwritten at this very
 * moment may be half of one area and half of another. */
bool vm_history_find(const struct vmalloc *v, vaddr_t address, struct vm_history *out)
{
    u64 next = v->history_next;
    u64 oldest = next > VM_HISTORY ? next - VM_HISTORY : 0;
    for (u64 i = next; i-- > oldest;) {
        *out = v->history[i % VM_HISTORY];
        if (address >= out->start && address < out->end)
            return true;
    }
    return false;
}

/* find_vm_area() no longer sees the area: whoever does this is the only one who takes it apart. */
static inline void hide(struct vm_struct *vm)
{
    __atomic_store_n(&vm->area->vm, NULL, __ATOMIC_RELEASE);
}

void vm_free_pages(struct vmalloc *v, struct vm_struct *vm, u64 keep, vaddr_t caller)
{
    u64 count = vm->nr_pages - keep;
    if (keep && count) /* the cut may go through a block */
        buddy_unblock(v->buddy, vm->pages[keep]);
    buddy_free_bulk(v->buddy, vm->pages + keep, count, caller);
    if (vm->flags & VM_ALLOC)
        __atomic_sub_fetch(&v->nr_pages, count, __ATOMIC_RELAXED);
    vm->nr_pages = keep;
}

void free_unmap_vmap_area(struct vmalloc *v, struct vmap_area *area)
{
    flush_defer(&v->flush, area);
}

/*
 *   1 clear its PTEs: nobody reaches the memory through the page tables any more; a TLB still may (P3)
 *   2 pages at once: only a caller that uses freed memory could tell the difference
 *   3 the addresses later, when no TLB can hold a translation; with them goes the object
 */
void vm_release(struct vmalloc *v, struct vm_struct *vm, vaddr_t caller)
{
    pt_unmap(v->pt, vm->addr, get_vm_area_size(vm));
    if (unlikely(v->debug))
        port_tlb_flush_range(vm->addr, vm->addr + get_vm_area_size(vm));
    if (vm->pages && vm->flags & (VM_ALLOC | VM_MAP_PUT_PAGES)) {
        vm_free_pages(v, vm, 0, caller);
        vm_array_free(v, vm, vm->pages, caller);
    }
    free_unmap_vmap_area(v, vm->area);
}

__noinline void vm_discard(struct vmalloc *v, struct vm_struct *vm, vaddr_t caller)
{
    hide(vm);
    vm_release(v, vm, caller);
}

/* There is no area with a vm_struct at the address. Always "BUG:", never fatal. */
static __noinline void report_no_area(struct vmalloc *v, vaddr_t address, const char *function,
                                      vaddr_t caller)
{
    struct vm_history dead;
    const struct layout_region *region = layout_find(address);
    if (!is_vmalloc_addr((void *)address))
        port_report("%s(%#lx): foreign address, %s%s; called from %pS", function, address,
                    region ? "it lies in the region " : "it lies in no region",
                    region ? region->name : "", (void *)caller);
    else if (!is_aligned(address, PAGE_SIZE))
        port_report("%s(%#lx): bad address (unaligned): areas start on a page; called from %pS",
                    function, address, (void *)caller);
    else if (vmap_block_find(v, address))
        port_report("%s(%#lx): wrong kind of area: vm_map_ram() made it, use vm_unmap_ram; "
                    "called from %pS",
                    function, address, (void *)caller);
    else if (vm_history_find(v, address, &dead))
        port_report("%s(%#lx): double free. Area [%#lx, %#lx) of %lu bytes was allocated by %pS "
                    "and freed by %pS; freed again by %pS",
                    function, address, dead.start, dead.end, dead.requested_size,
                    (void *)dead.alloc_caller, (void *)dead.free_caller, (void *)caller);
    else
        port_report("%s(%#lx): nonexistent vm area: nothing was ever allocated here, or too long "
                    "ago to remember; called from %pS",
                    function, address, (void *)caller);
}

static __noinline void report_wrong_area(const struct vm_struct *vm, vaddr_t address, u32 kinds,
                                         const char *function, vaddr_t caller)
{
    if (address != vm->addr)
        port_report("%s(%#lx): not the start of an area; it lies %lu bytes inside [%#lx, %#lx), "
                    "allocated by %pS; called from %pS",
                    function, address, address - vm->addr, vm->addr, vm->addr + vm->size,
                    (void *)vm->caller, (void *)caller);
    else if (vm->flags & VM_DEFERRED)
        port_report("%s(%#lx): double free. The area was allocated by %pS and its free by %pS "
                    "is waiting to be finished; freed again by %pS",
                    function, address, (void *)vm->caller, (void *)vm->free_caller, (void *)caller);
    else
        port_report("%s(%#lx): wrong kind of area (flags %#x, this call needs one of %#x): use %s; "
                    "called from %pS",
                    function, address, vm->flags, kinds,
                    vm->flags & VM_IOREMAP ? "iounmap"
                    : vm->flags & VM_MAP   ? "vunmap"
                    : vm->flags & VM_ALLOC ? "vfree"
                                           : "free_vm_area",
                    (void *)caller);
}

/*
 * The area that starts at the address, if it may be freed with a function that frees `kinds`, or
 * NULL; *seen is then a copy of what is there (only addr, 0, when there is nothing), for the report.
 * Under the space's lock: areas are hidden under it before they die, so what is found here stays
 * alive until the lock is released.
 */
static inline struct vm_struct *find_to_free(struct vmalloc *v, vaddr_t address, u32 kinds,
                                             struct vm_struct *seen)
{
    struct vmap_area *area = v->ready ? VMAP_CALL(&v->space, find, &v->space, address) : NULL;
    struct vm_struct *vm = area && area->kind == VMAP_BUSY ? area->vm : NULL;
    if (likely(vm && address == vm->addr && (vm->flags & kinds || !kinds) &&
               !(vm->flags & (VM_UNINITIALIZED | VM_DEFERRED))))
        return vm;
    bool nobodys = !vm || !is_aligned(address, PAGE_SIZE) || vm->flags & VM_UNINITIALIZED;
    if (nobodys)
        seen->addr = 0;
    else
        *seen = *vm;
    return NULL;
}

static __noinline void report_bad_free(struct vmalloc *v, vaddr_t address, u32 kinds,
                                       const char *function, vaddr_t caller,
                                       const struct vm_struct *seen)
{
    if (seen->addr)
        report_wrong_area(seen, address, kinds, function, caller);
    else
        report_no_area(v, address, function, caller);
}

struct vm_struct *vm_claim(struct vmalloc *v, const void *pointer, u32 kinds, const char *function,
                           vaddr_t caller)
{
    struct vm_struct seen;
    u64 flags = spin_lock_irqsave(&v->space.lock);
    struct vm_struct *vm = find_to_free(v, (vaddr_t)pointer, kinds, &seen);
    if (likely(vm)) {
        hide(vm);
        history_add(v, vm, caller);
    }
    spin_unlock_irqrestore(&v->space.lock, flags);
    if (unlikely(!vm))
        report_bad_free(v, (vaddr_t)pointer, kinds, function, caller, &seen);
    return vm;
}

#define VFREE_KINDS (VM_ALLOC | VM_MAP_PUT_PAGES)

/* Leave the area for run_deferred(): it stays mapped and can be found until then. */
static __noinline void defer_free(struct vmalloc *v, const void *address, vaddr_t caller)
{
    struct vm_struct seen;
    u64 flags = spin_lock_irqsave(&v->space.lock);
    struct vm_struct *vm = find_to_free(v, (vaddr_t)address, VFREE_KINDS, &seen);
    if (vm) {
        vm->flags |= VM_DEFERRED;
        vm->free_caller = caller;
        vm->next_deferred = v->deferred;
        v->deferred = vm;
        v->counters.deferred++;
    }
    spin_unlock_irqrestore(&v->space.lock, flags);
    if (!vm)
        report_bad_free(v, (vaddr_t)address, VFREE_KINDS, "vfree", caller, &seen);
}

static __noinline u64 run_deferred(struct vmalloc *v)
{
    u64 flags = spin_lock_irqsave(&v->space.lock);
    struct vm_struct *vm = v->deferred;
    v->deferred = NULL;
    for (struct vm_struct *each = vm; each; each = each->next_deferred) {
        hide(each);
        history_add(v, each, each->free_caller);
    }
    spin_unlock_irqrestore(&v->space.lock, flags);

    u64 count = 0;
    while (vm) {
        struct vm_struct *next = vm->next_deferred;
        EVENT_BEGIN(VFREE, vm->addr, 0, vm->free_caller);
        vm_release(v, vm, vm->free_caller);
        EVENT_END(VFREE, 0);
        vm = next;
        count++;
    }
    __atomic_add_fetch(&v->counters.frees, count, __ATOMIC_RELAXED);
    return count;
}

/* Inlined into each of its two names: 13 instructions. `told`: the event log hears of it. */
static inline __attribute__((always_inline)) void free_area(struct vmalloc *v, const void *address,
                                                            vaddr_t caller, bool told)
{
    if (!address)
        return;
    if (in_interrupt()) {
        defer_free(v, address, caller);
        return;
    }
    if (unlikely(v->deferred))
        run_deferred(v);
    if (told)
        EVENT_BEGIN(VFREE, address, 0, caller);
    struct vm_struct *vm = vm_claim(v, address, VFREE_KINDS, "vfree", caller);
    if (likely(vm)) {
        vm_release(v, vm, caller);
        __atomic_add_fetch(&v->counters.frees, 1, __ATOMIC_RELAXED);
    }
    if (told)
        EVENT_END(VFREE, 0);
}

__noinline void vfree_from(struct vmalloc *v, const void *address, vaddr_t caller)
{
    free_area(v, address, caller, true);
}

__fused void vfree(const void *address)
{
    if (IS_FUSED && event_on()) /* asked once instead of twice */
        vfree_from(&kernel_vmalloc, address, CALLER());
    else
        free_area(&kernel_vmalloc, address, CALLER(), !IS_FUSED);
}

void vfree_atomic(const void *address)
{
    if (address)
        defer_free(&kernel_vmalloc, address, CALLER());
}

u64 vfree_deferred_run(void)
{
    return kernel_vmalloc.deferred ? run_deferred(&kernel_vmalloc) : 0;
}

void free_vm_area(struct vm_struct *vm)
{
    struct vmalloc *v = &kernel_vmalloc;
    EVENT_BEGIN(FREE_VM_AREA, vm ? vm->addr : 0, 0, CALLER());
    if (vm && vm_claim(v, (void *)vm->addr, 0, "free_vm_area", CALLER()) == vm)
        vm_release(v, vm, CALLER());
    EVENT_END(FREE_VM_AREA, 0);
}
