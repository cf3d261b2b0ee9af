// SPDX-License-Identifier: MIT
/*
 * vmalloc, the way in: reserve an address range, get pages in bulk, map them, remember who asked.
 * The way back is in mm/vfree.c. Owns struct vmalloc; vmalloc->lock guards the vm_struct side, each
 * floor below has its own lock. Upholds P1 (each page mapped to a frame of its own, no PTE in the
 * guard page). A failed call gives back everything it took, in reverse order of taking.
 */
#include "mm/vmalloc.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/vmalloc_internal.h"

struct vmalloc kernel_vmalloc;

#define SPARE_AREAS 256 /* 50 KiB: about what a purge of areas with holes between them sets free */
#define HUGE_SHIFT 21
#define HUGE_SIZE (1UL << HUGE_SHIFT)
#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)

static void *area_node_alloc(void *ctx)
{
    return kmem_cache_alloc(ctx, GFP_ATOMIC);
}

static void area_node_free(void *ctx, void *node)
{
    kmem_cache_free(ctx, node);
}

static const struct vmap_node_ops slab_node_ops = {area_node_alloc, area_node_free};

int vmalloc_init(struct vmalloc *v, const struct vmap_design *design, vaddr_t start, vaddr_t end,
                 void *state, struct pagetable *pt, struct buddy *buddy)
{
    v->pt = pt;
    v->buddy = buddy;
    spin_init(&v->lock, "vmalloc");
    list_init(&v->block_list);
    kmem_cache_init(&v->area_cache, "vmap_area", sizeof(struct vm_object), 0, buddy);
    int err = vmap_space_init(&v->space, "vmalloc", design, start, end, state, &slab_node_ops,
                              &v->area_cache);
    if (err)
        return err;
    /* Poisoned objects would tell of a write after the free: then none may skip the slab. */
    v->space.spare_max = v->area_cache.poison ? 0 : SPARE_AREAS;
    flush_queue_init(&v->flush, &v->space, FLUSH_LAZY);
    v->ready = true;
    return 0;
}

struct vmap_area *alloc_vmap_area(struct vmalloc *v, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                                  gfp_t gfp, vaddr_t caller)
{
    struct vmap_area *area;
    int err = vmap_space_alloc(&v->space, size, align, lo, hi, caller, &area);
    if (err == -ENOSPC) {
        u64 pages = vmap_blocks_purge(v); /* first: it feeds the queue that is flushed next */
        pages += flush_purge(&v->flush);
        /* What waited for its TLB flush is free now: search again from `lo`, not from where the
         * first search gave up (Linux had that bug in 2008). */
        if (pages)
            err = vmap_space_alloc(&v->space, size, align, lo, hi, caller, &area);
    }
    if (err == 0)
        return area;
    if (!(gfp & __GFP_NOWARN))
        port_warn("vmap allocation for size %lu align %#lx failed: %s", size, align,
                  err == -ENOSPC ? "no room in the address space" : errno_name(err));
    return NULL;
}

struct vm_struct *vm_reserve(struct vmalloc *v, u64 size, u64 align, vaddr_t start, vaddr_t end,
                             u32 flags, gfp_t gfp, vaddr_t caller)
{
    /* 1. The size in pages, plus the guard; a request that wraps is no request. */
    u64 bytes = bytes_to_pages(size) << PAGE_SHIFT;
    if (bytes == 0)
        return NULL;
    if (!(flags & VM_NO_GUARD) && !add_checked(bytes, PAGE_SIZE, &bytes))
        return NULL;
    /* 2. The range, and with it the object that describes it. */
    struct vmap_area *area =
        alloc_vmap_area(v, bytes, max_u64(align, PAGE_SIZE), start, end, gfp, caller);
    if (!area)
        return NULL;
    struct vm_struct *vm = &((struct vm_object *)area)->vm;
    *vm = (struct vm_struct){
        .addr = area->va_start,
        .size = bytes,
        .requested_size = size,
        .flags = flags,
        .caller = caller,
        .born_ns = port_clock_ns(),
        .area = area,
    };
    /* 3. Publish: from here on find_vm_area() sees it. */
    __atomic_store_n(&area->vm, vm, __ATOMIC_RELEASE);
    return vm;
}

struct page **vm_array_alloc(struct vmalloc *v, struct vm_struct *vm, u64 count, gfp_t gfp,
                             vaddr_t caller)
{
    if (count <= VM_FEW_PAGES)
        return vm_object_of(vm)->few;
    u64 bytes = count * sizeof(struct page *);
    gfp_t array_gfp = gfp & ~__GFP_ZERO;
    struct page **array = kmalloc(bytes, array_gfp | __GFP_NOWARN);
    if (array || bytes <= PAGE_SIZE)
        return array;
    /* Too large for one block: each level of this recursion is 512 times smaller. */
    return vmalloc_range(v, bytes, PAGE_SIZE, v->space.start, v->space.end, array_gfp,
                         PROT_KERNEL_RW, 0, caller, true);
}

void vm_array_free(struct vmalloc *v, struct vm_struct *vm, struct page **array, vaddr_t caller)
{
    if (likely(array == vm_object_of(vm)->few))
        return;
    if (is_vmalloc_addr(array))
        vfree_from(v, array, caller);
    else
        kfree(array);
}

/* Fill vm->pages with blocks of 2 MiB, split so that each page stands alone. All or nothing. */
static bool get_huge_pages(struct vmalloc *v, struct vm_struct *vm, gfp_t gfp, vaddr_t caller)
{
    u64 count = get_vm_area_size(vm) >> PAGE_SHIFT;
    while (vm->nr_pages < count) {
        struct page *block = buddy_alloc(v->buddy, gfp | __GFP_NOWARN, HUGE_ORDER, caller);
        if (!block)
            return false;
        buddy_split_allocated(v->buddy, block, HUGE_ORDER);
        for (u64 i = 0; i < 1UL << HUGE_ORDER; i++) {
            page_set_use(v->buddy, block + i, PAGE_USE_VMALLOC);
            vm->pages[vm->nr_pages++] = block + i;
        }
    }
    return true;
}

static bool get_pages(struct vmalloc *v, struct vm_struct *vm, gfp_t gfp, vaddr_t caller)
{
    u64 count = get_vm_area_size(vm) >> PAGE_SHIFT;
    vm->pages = vm_array_alloc(v, vm, count, gfp, caller);
    if (!vm->pages)
        return false;
    bool complete;
    if (vm->page_order) {
        complete = get_huge_pages(v, vm, gfp, caller);
    } else {
        vm->nr_pages = buddy_alloc_bulk(v->buddy, gfp | __GFP_VMALLOC, count, vm->pages, caller);
        complete = vm->nr_pages == count;
        /* A process will hold its pages one by one. */
        for (u64 i = 0; unlikely(vm->flags & VM_USERMAP) && i < vm->nr_pages; i++)
            buddy_unblock(v->buddy, vm->pages[i]);
    }
    __atomic_add_fetch(&v->nr_pages, vm->nr_pages, __ATOMIC_RELAXED);
    return complete;
}

static int map_pages(struct vmalloc *v, struct vm_struct *vm, u64 prot)
{
    if (!vm->page_order)
        return pt_map_pages(v->pt, vm->addr, vm->pages, vm->nr_pages, prot);
    u64 step = 1UL << vm->page_order;
    for (u64 i = 0; i < vm->nr_pages; i += step) {
        int err = pt_map(v->pt, vm->addr + (i << PAGE_SHIFT), page_to_phys(vm->pages[i]), HUGE_SIZE,
                         prot, HUGE_SHIFT);
        if (err)
            return err;
    }
    return 0;
}

/*
 * One attempt with one page order.
 *   1 reserve the range   2 get the pages   3 map them   4 count
 */
static void *try_vmalloc(struct vmalloc *v, u64 size, u64 align, vaddr_t start, vaddr_t end,
                         gfp_t gfp, u64 prot, u32 flags, u32 order, vaddr_t caller)
{
    u64 asked = size;
    if (order) {
        if (!align_up_checked(size, HUGE_SIZE, &size))
            return NULL;
        align = max_u64(align, HUGE_SIZE);
    }
    struct vm_struct *vm =
        vm_reserve(v, size, align, start, end, flags | VM_ALLOC | VM_UNINITIALIZED, gfp, caller);
    if (!vm)
        return NULL;
    vm->page_order = order;
    vm->requested_size = asked;
    if (!get_pages(v, vm, gfp, caller) || map_pages(v, vm, prot) != 0) {
        vm_discard(v, vm, caller);
        return NULL;
    }
    __atomic_add_fetch(&v->counters.allocs, 1, __ATOMIC_RELAXED);
    __atomic_and_fetch(&vm->flags, ~VM_UNINITIALIZED, __ATOMIC_RELEASE);
    return (void *)vm->addr;
}

static const char *why_impossible(const struct vmalloc *v, u64 size, u64 align)
{
    u64 pages = bytes_to_pages(size); /* 0 also when it wraps */
    if (size == 0)
        return "nothing to allocate";
    if (pages == 0 || pages > v->buddy->managed)
        return "more than all RAM";
    return is_power_of_two(align) ? NULL : "the alignment is not a power of two";
}

void *vmalloc_range(struct vmalloc *v, u64 size, u64 align, vaddr_t start, vaddr_t end, gfp_t gfp,
                    u64 prot, u32 flags, vaddr_t caller, bool told)
{
    if (in_interrupt() || spin_held(&v->space.lock)) {
        port_report("vmalloc(%lu) %s. Called from %pS", size,
                    in_interrupt() ? "in an interrupt: it may sleep"
                                   : "from inside its own lock: metadata must not come from here",
                    (void *)caller);
        return NULL;
    }
    if (told)
        EVENT_BEGIN(VMALLOC, size, align, caller);
    const char *impossible = why_impossible(v, size, align);
    if (impossible && !(gfp & __GFP_NOWARN))
        port_warn("vmalloc: size %lu align %#lx: %s (%pS)", size, align, impossible,
                  (void *)caller);
    void *address = NULL;
    if (!impossible && flags & VM_ALLOW_HUGE && size >= HUGE_SIZE)
        address = try_vmalloc(v, size, align, start, end, gfp | __GFP_NOWARN, prot, flags,
                              HUGE_ORDER, caller);
    if (!impossible && !address)
        address = try_vmalloc(v, size, align, start, end, gfp, prot, flags, 0, caller);
    if (!address)
        __atomic_add_fetch(&v->counters.failures, 1, __ATOMIC_RELAXED);
    if (told)
        EVENT_END(VMALLOC, address);
    return address;
}

/* Beside the fused way, which asks the event log once instead of twice: is it on? Then this one. */
static __noinline __unused void *range_told(u64 size, u64 align, vaddr_t start, vaddr_t end,
                                            gfp_t gfp, u64 prot, u32 flags, vaddr_t caller)
{
    return vmalloc_range(&kernel_vmalloc, size, align, start, end, gfp, prot, flags, caller, true);
}

__fused void *__vmalloc_node_range(u64 size, u64 align, vaddr_t start, vaddr_t end, gfp_t gfp,
                                   u64 prot, u32 flags, vaddr_t caller)
{
    if (IS_FUSED && event_on())
        return range_told(size, align, start, end, gfp, prot, flags, caller);
    return vmalloc_range(&kernel_vmalloc, size, align, start, end, gfp, prot, flags, caller,
                         !IS_FUSED);
}

static void *vmalloc_kernel(u64 size, gfp_t gfp, u32 flags, vaddr_t caller)
{
    vaddr_t start = kernel_vmalloc.space.start, end = kernel_vmalloc.space.end;

    if (IS_FUSED && event_on())
        return range_told(size, PAGE_SIZE, start, end, gfp, PROT_KERNEL_RW, flags, caller);
    return vmalloc_range(&kernel_vmalloc, size, PAGE_SIZE, start, end, gfp, PROT_KERNEL_RW, flags,
                         caller, !IS_FUSED);
}

__fused void *vmalloc(u64 size)
{
    return vmalloc_kernel(size, GFP_KERNEL, 0, CALLER());
}

__fused void *vzalloc(u64 size)
{
    return vmalloc_kernel(size, GFP_KERNEL | __GFP_ZERO, 0, CALLER());
}

void *vmalloc_user(u64 size)
{
    return vmalloc_kernel(size, GFP_KERNEL | __GFP_ZERO, VM_USERMAP, CALLER());
}

void *vmalloc_huge(u64 size, gfp_t gfp)
{
    return vmalloc_kernel(size, gfp, VM_ALLOW_HUGE, CALLER());
}

#define KVMALLOC_MAX 0x7fffffffUL /* Linux's INT_MAX cap: a larger request is a bug of the caller */

void *kvmalloc(u64 size, gfp_t gfp)
{
    if (size == 0 || size > KVMALLOC_MAX)
        return NULL;
    void *address = kmalloc(size, gfp | __GFP_NOWARN);
    return address ? address : vmalloc_kernel(size, gfp, VM_ALLOW_HUGE, CALLER());
}

void kvfree(const void *address)
{
    if (is_vmalloc_addr(address))
        vfree_from(&kernel_vmalloc, address, CALLER());
    else
        kfree(address);
}

struct vm_struct *get_vm_area(u64 size, u32 flags)
{
    struct vmalloc *v = &kernel_vmalloc;
    EVENT_BEGIN(GET_VM_AREA, size, PAGE_SIZE, CALLER());
    struct vm_struct *vm =
        vm_reserve(v, size, PAGE_SIZE, v->space.start, v->space.end, flags, GFP_KERNEL, CALLER());
    EVENT_END(GET_VM_AREA, vm ? vm->addr : 0);
    return vm;
}
