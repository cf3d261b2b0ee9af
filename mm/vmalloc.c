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
    kmem_cache_init(&v->area_cache, "vmap_area", sizeof(struct vmap_area), 0, buddy);
    kmem_cache_init(&v->vm_cache, "vm_struct", sizeof(struct vm_struct), 0, buddy);
    int err = vmap_space_init(&v->space, "vmalloc", design, start, end, state, &slab_node_ops,
                              &v->area_cache);
    if (err)
        return err;
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
    /* 2. The descriptor before the range: it is the easier one to give back. */
    struct vm_struct *vm = kmem_cache_alloc(&v->vm_cache, gfp | __GFP_ZERO);
    if (!vm)
        return NULL;
    struct vmap_area *area =
        alloc_vmap_area(v, bytes, max_u64(align, PAGE_SIZE), start, end, gfp, caller);
    if (!area) {
        kmem_cache_free(&v->vm_cache, vm);
        return NULL;
    }
    vm->addr = area->va_start;
    vm->size = bytes;
    vm->requested_size = size;
    vm->flags = flags;
    vm->caller = caller;
    vm->born_ns = port_clock_ns();
    vm->area = area;
    /* 3. Publish: from here on find_vm_area() sees it. */
    __atomic_store_n(&area->vm, vm, __ATOMIC_RELEASE);
    return vm;
}

struct page **vm_array_alloc(struct vmalloc *v, u64 count, gfp_t gfp, vaddr_t caller)
{
    u64 bytes = count * sizeof(struct page *);
    gfp_t array_gfp = gfp & ~__GFP_ZERO;
    struct page **array = kmalloc(bytes, array_gfp | __GFP_NOWARN);
    if (array || bytes <= PAGE_SIZE)
        return array;
    /* Too large for one block: each level of this recursion is 512 times smaller. */
    return vmalloc_range(v, bytes, PAGE_SIZE, v->space.start, v->space.end, array_gfp,
                         PROT_KERNEL_RW, 0, caller);
}

void vm_array_free(struct vmalloc *v, struct page **array, vaddr_t caller)
{
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
        for (u64 i = 0; i < 1UL << HUGE_ORDER; i++)
            vm->pages[vm->nr_pages++] = block + i;
    }
    return true;
}

static bool get_pages(struct vmalloc *v, struct vm_struct *vm, gfp_t gfp, vaddr_t caller)
{
    u64 count = get_vm_area_size(vm) >> PAGE_SHIFT;
    vm->pages = vm_array_alloc(v, count, gfp, caller);
    if (!vm->pages)
        return false;
    bool complete;
    if (vm->page_order) {
        complete = get_huge_pages(v, vm, gfp, caller);
    } else {
        vm->nr_pages = buddy_alloc_bulk(v->buddy, gfp, count, vm->pages, caller);
        complete = vm->nr_pages == count;
    }
    for (u64 i = 0; i < vm->nr_pages; i++)
        page_set_use(v->buddy, vm->pages[i], PAGE_USE_VMALLOC);
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
                    u64 prot, u32 flags, vaddr_t caller)
{
    if (in_interrupt() || spin_held(&v->space.lock)) {
        port_report("vmalloc(%lu) %s. Called from %pS", size,
                    in_interrupt() ? "in an interrupt: it may sleep"
                                   : "from inside its own lock: metadata must not come from here",
                    (void *)caller);
        return NULL;
    }
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
    return address;
}

void *__vmalloc_node_range(u64 size, u64 align, vaddr_t start, vaddr_t end, gfp_t gfp, u64 prot,
                           u32 flags, vaddr_t caller)
{
    return vmalloc_range(&kernel_vmalloc, size, align, start, end, gfp, prot, flags, caller);
}

static void *vmalloc_kernel(u64 size, gfp_t gfp, u32 flags, vaddr_t caller)
{
    return vmalloc_range(&kernel_vmalloc, size, PAGE_SIZE, kernel_vmalloc.space.start,
                         kernel_vmalloc.space.end, gfp, PROT_KERNEL_RW, flags, caller);
}

void *vmalloc(u64 size)
{
    return vmalloc_kernel(size, GFP_KERNEL, 0, CALLER());
}

void *vzalloc(u64 size)
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
    return vm_reserve(v, size, PAGE_SIZE, v->space.start, v->space.end, flags, GFP_KERNEL,
                      CALLER());
}
