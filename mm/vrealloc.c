// SPDX-License-Identifier: MIT
/*
 * vrealloc: change the size of an area, in place where possible. Shrinking frees the tail pages and
 * gives their addresses back after a flush; growing takes the room behind the area when it is free;
 * otherwise a new area, a copy, and the old one freed. On failure the old area is untouched. Locks
 * and invariants as in mm/vmalloc.c.
 */
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/vmalloc_internal.h"

/* Where the range ends when the area has `pages` pages. */
static vaddr_t end_for(const struct vm_struct *vm, u64 pages)
{
    return vm->addr + ((pages + !(vm->flags & VM_NO_GUARD)) << PAGE_SHIFT);
}

/* Change the range; its new size is vm->size also if that is not what was wanted. */
static int resize(struct vmalloc *v, struct vm_struct *vm, vaddr_t new_end)
{
    int err = vmap_space_resize(&v->space, vm->area, new_end);
    vm->size = vmap_area_size(vm->area);
    return err;
}

/*
 * Free the pages behind `keep`.
 *   1 clear their PTEs   2 flush, since the addresses are reusable at once   3 free the pages
 *   4 shrink the range; a design that cannot keeps it, and the guard is merely wider
 */
static void shrink_in_place(struct vmalloc *v, struct vm_struct *vm, u64 keep, vaddr_t caller)
{
    u64 drop = vm->nr_pages - keep;
    vaddr_t tail = vm->addr + (keep << PAGE_SHIFT);
    pt_unmap(v->pt, tail, drop << PAGE_SHIFT);
    port_tlb_flush_range(tail, tail + (drop << PAGE_SHIFT));
    vm_free_pages(v, vm, keep, caller);
    resize(v, vm, end_for(vm, keep));
}

/*
 * Add pages behind the last one; false when the neighbourhood or memory does not permit.
 *   1 array   2 range   3 pages   4 map; undone in reverse order
 */
static bool grow_in_place(struct vmalloc *v, struct vm_struct *vm, u64 count, gfp_t gfp,
                          vaddr_t caller)
{
    u64 old = vm->nr_pages;
    vaddr_t old_end = vm->area->va_end;
    struct page **old_array = vm->pages;
    struct page **array = vm_array_alloc(v, vm, count, gfp | __GFP_NOWARN, caller);
    if (!array)
        return false;
    if (resize(v, vm, end_for(vm, count)) != 0)
        goto free_array;
    u64 got = buddy_alloc_bulk(v->buddy, gfp | __GFP_NOWARN | __GFP_VMALLOC, count - old,
                               array + old, caller);
    if (got < count - old)
        goto free_pages;
    if (pt_map_pages(v->pt, vm->addr + (old << PAGE_SHIFT), array + old, got, PROT_KERNEL_RW) != 0)
        goto free_pages;
    if (array != old_array) /* a few pages stay in the object */
        memcpy(array, old_array, old * sizeof(array[0]));
    __atomic_add_fetch(&v->nr_pages, got, __ATOMIC_RELAXED);
    vm->pages = array;
    vm->nr_pages = count;
    if (array != old_array)
        vm_array_free(v, vm, old_array, caller);
    return true;

free_pages:
    buddy_free_bulk(v->buddy, array + old, got, caller);
    resize(v, vm, old_end); /* without memory for a descriptor the guard stays wider */
free_array:
    if (array != old_array)
        vm_array_free(v, vm, array, caller);
    return false;
}

static void *move(struct vmalloc *v, const struct vm_struct *vm, const void *address, u64 size,
                  gfp_t gfp, vaddr_t caller)
{
    void *fresh =
        vmalloc_range(v, size, PAGE_SIZE, v->space.start, v->space.end, gfp, PROT_KERNEL_RW,
                      vm->flags & (VM_USERMAP | VM_ALLOW_HUGE), caller, true);
    if (!fresh)
        return NULL;
    memcpy(fresh, address, min_u64(vm->requested_size, size));
    vfree_from(v, address, caller);
    return fresh;
}

/* Of these exactly VM_ALLOC must be set: not in the making, not waiting for its deferred free. */
#define VREALLOC_FLAGS (VM_ALLOC | VM_UNINITIALIZED | VM_DEFERRED)

static void *change_size(struct vmalloc *v, const void *address, u64 size, gfp_t gfp,
                         vaddr_t caller)
{
    if (!address)
        return vmalloc_range(v, size, PAGE_SIZE, v->space.start, v->space.end, gfp, PROT_KERNEL_RW,
                             0, caller, true);
    if (size == 0) {
        vfree_from(v, address, caller);
        return NULL;
    }
    struct vm_struct *vm = vm_find(v, (vaddr_t)address);
    if (!vm || vm->addr != (vaddr_t)address || (vm->flags & VREALLOC_FLAGS) != VM_ALLOC) {
        port_report("vrealloc(%p, %lu): not the start of a vmalloc area; called from %pS",
                    (void *)(vaddr_t)address, size, (void *)caller);
        return NULL;
    }
    u64 count = bytes_to_pages(size);
    if (count == 0 || count > v->buddy->managed)
        return NULL;
    bool small_pages = vm->page_order == 0; /* a 2 MiB leaf is not cut: its tail stays */
    if (count < vm->nr_pages && small_pages)
        shrink_in_place(v, vm, count, caller);
    else if (count > vm->nr_pages && (!small_pages || !grow_in_place(v, vm, count, gfp, caller)))
        return move(v, vm, address, size, gfp, caller);
    /* What lies between the old and the new end may hold old content: __GFP_ZERO promises zeros. */
    if (gfp & __GFP_ZERO && size > vm->requested_size)
        memset((u8 *)vm->addr + vm->requested_size, 0, size - vm->requested_size);
    vm->requested_size = size;
    return (void *)vm->addr;
}

void *vrealloc(const void *address, u64 size, gfp_t gfp)
{
    EVENT_BEGIN(VREALLOC, address, size, CALLER());
    void *now = change_size(&kernel_vmalloc, address, size, gfp, CALLER());
    EVENT_END(VREALLOC, now);
    return now;
}
