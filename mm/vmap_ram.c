// SPDX-License-Identifier: MIT
/*
 * vm_map_ram: short-lived maps without a tree search (Linux 2.6.28, Nick Piggin). Each CPU owns a
 * block of 4 MiB of address space and bump-allocates from it; given-back pieces are dirty and not
 * used again until the whole block is, so that one TLB flush serves hundreds of maps.
 *
 *     block  | mapped | dirty | mapped | dirty dirty |  free ........ |
 *              ^ used_map says which                 ^ VMAP_BLOCK_PAGES - free
 *
 * A block dies when no page of it is mapped and none is free, or (purge) when none is mapped.
 * Lock: vmalloc->lock guards block_list, current_block and every block.
 */
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/vmalloc_internal.h"

static bool bit_get(const u64 *map, u64 i)
{
    return map[i / 64] >> (i % 64) & 1;
}

static void bits_put(u64 *map, u64 from, u64 count, bool value)
{
    for (u64 i = from; i < from + count; i++) {
        if (value)
            map[i / 64] |= 1UL << (i % 64);
        else
            map[i / 64] &= ~(1UL << (i % 64));
    }
}

static bool block_has_live_maps(const struct vmap_block *block)
{
    return block->free + block->dirty < VMAP_BLOCK_PAGES;
}

struct vmap_block *vmap_block_find(struct vmalloc *v, vaddr_t address)
{
    struct vmap_block *block;
    struct vmap_block *found = NULL;
    u64 flags = spin_lock_irqsave(&v->lock);
    list_for_each_entry(block, &v->block_list, link)
        if (address >= block->area->va_start && address < block->area->va_end) {
            found = block;
            break;
        }
    spin_unlock_irqrestore(&v->lock, flags);
    return found;
}

static struct vmap_block *block_new(struct vmalloc *v, vaddr_t caller)
{
    struct vmap_block *block = kzalloc(sizeof(*block), GFP_KERNEL);
    if (!block)
        return NULL;
    u64 size = VMAP_BLOCK_PAGES << PAGE_SHIFT;
    block->area = alloc_vmap_area(v, size, size, v->space.start, v->space.end, GFP_KERNEL, caller);
    if (!block->area) {
        kfree(block);
        return NULL;
    }
    block->free = VMAP_BLOCK_PAGES;
    block->cpu = cpu_id();
    /* Complete before it is visible: others find blocks through the list. */
    u64 flags = spin_lock_irqsave(&v->lock);
    list_add_tail(&block->link, &v->block_list);
    v->current_block[block->cpu] = block;
    spin_unlock_irqrestore(&v->lock, flags);
    return block;
}

/* Under the lock: out of the list, nobody's current block. The caller hands the area on. */
static void block_unlink(struct vmalloc *v, struct vmap_block *block)
{
    list_del(&block->link);
    if (v->current_block[block->cpu] == block)
        v->current_block[block->cpu] = NULL;
}

static void block_delete(struct vmalloc *v, struct vmap_block *block)
{
    free_unmap_vmap_area(v, block->area);
    kfree(block);
}

/* `take` pages from this CPU's block; 0 when it has none or too little room. */
static vaddr_t block_take(struct vmalloc *v, u64 take)
{
    vaddr_t address = 0;
    u64 flags = spin_lock_irqsave(&v->lock);
    struct vmap_block *block = v->current_block[cpu_id()];
    if (block && block->free >= take) {
        u64 first = VMAP_BLOCK_PAGES - block->free;
        block->free -= take;
        bits_put(block->used_map, first, take, true);
        address = block->area->va_start + (first << PAGE_SHIFT);
    }
    spin_unlock_irqrestore(&v->lock, flags);
    return address;
}

/* Mark pages dirty; the block dies with its last one. PTEs are clear by now. */
static void block_give(struct vmalloc *v, struct vmap_block *block, vaddr_t address, u64 pages)
{
    u64 first = (address - block->area->va_start) >> PAGE_SHIFT;
    u64 flags = spin_lock_irqsave(&v->lock);
    bits_put(block->used_map, first, pages, false);
    block->dirty += pages;
    bool dead = block->dirty == VMAP_BLOCK_PAGES;
    if (dead)
        block_unlink(v, block);
    spin_unlock_irqrestore(&v->lock, flags);
    if (dead)
        block_delete(v, block);
}

u64 vmap_blocks_purge(struct vmalloc *v)
{
    struct vmap_block *block;
    struct vmap_block *next;
    struct list_head idle;
    u64 pages = 0;
    list_init(&idle);
    u64 flags = spin_lock_irqsave(&v->lock);
    list_for_each_entry_safe(block, next, &v->block_list, link) {
        if (block_has_live_maps(block))
            continue;
        block_unlink(v, block);
        list_add_tail(&block->link, &idle);
    }
    spin_unlock_irqrestore(&v->lock, flags);
    list_for_each_entry_safe(block, next, &idle, link) {
        block_delete(v, block);
        pages += VMAP_BLOCK_PAGES;
    }
    return pages;
}

static void *map_in_own_area(struct vmalloc *v, struct page **pages, u64 count, vaddr_t caller)
{
    struct vmap_area *area = alloc_vmap_area(v, count << PAGE_SHIFT, PAGE_SIZE, v->space.start,
                                             v->space.end, GFP_KERNEL, caller);
    if (!area)
        return NULL;
    if (pt_map_pages(v->pt, area->va_start, pages, count, PROT_KERNEL_RW) != 0) {
        free_unmap_vmap_area(v, area);
        return NULL;
    }
    return (void *)area->va_start;
}

void *vm_map_ram(struct page **pages, u64 count)
{
    struct vmalloc *v = &kernel_vmalloc;
    if (!pages || count == 0 || count > v->space.end >> PAGE_SHIFT)
        return NULL;
    if (count > VMAP_RAM_MAX)
        return map_in_own_area(v, pages, count, CALLER());
    /* Powers of two only: a given-back piece then says by its size what it was. */
    u64 take = roundup_pow2(count);
    vaddr_t address = block_take(v, take);
    if (!address) {
        if (!block_new(v, CALLER()))
            return NULL;
        address = block_take(v, take);
    }
    if (!address)
        return NULL;
    if (pt_map_pages(v->pt, address, pages, count, PROT_KERNEL_RW) != 0) {
        block_give(v, vmap_block_find(v, address), address, take);
        return NULL;
    }
    return (void *)address;
}

static bool block_piece_is_live(struct vmalloc *v, const struct vmap_block *block, vaddr_t address,
                                u64 pages)
{
    u64 first = (address - block->area->va_start) >> PAGE_SHIFT;
    bool live = first + pages <= VMAP_BLOCK_PAGES;
    u64 flags = spin_lock_irqsave(&v->lock);
    for (u64 i = 0; live && i < pages; i++)
        live = bit_get(block->used_map, first + i);
    spin_unlock_irqrestore(&v->lock, flags);
    return live;
}

void vm_unmap_ram(const void *pointer, u64 count)
{
    struct vmalloc *v = &kernel_vmalloc;
    vaddr_t address = (vaddr_t)pointer;
    struct vmap_area *area = is_vmalloc_addr(pointer) ? vmap_space_find(&v->space, address) : NULL;
    struct vmap_block *block = area ? vmap_block_find(v, address) : NULL;
    u64 pages = block ? roundup_pow2(count) : count;
    bool good = area && count && is_aligned(address, PAGE_SIZE) &&
                (block ? count <= VMAP_RAM_MAX && block_piece_is_live(v, block, address, pages)
                       : !area->vm && address == area->va_start &&
                             count << PAGE_SHIFT == vmap_area_size(area));
    if (!good) {
        port_report("vm_unmap_ram(%#lx, %lu): no such mapping is live; called from %pS", address,
                    count, (void *)CALLER());
        return;
    }
    pt_unmap(v->pt, address, count << PAGE_SHIFT);
    if (v->debug)
        port_tlb_flush_range(address, address + (count << PAGE_SHIFT));
    if (block)
        block_give(v, block, address, pages);
    else
        free_unmap_vmap_area(v, area);
}

void vm_unmap_aliases(void)
{
    struct vmalloc *v = &kernel_vmalloc;
    struct vmap_block *block;
    vmap_blocks_purge(v);
    flush_purge(&v->flush);
    /* Blocks that still have live maps keep their dirty pieces; only translations must go. */
    bool dirty = false;
    u64 flags = spin_lock_irqsave(&v->lock);
    list_for_each_entry(block, &v->block_list, link)
        dirty |= block->dirty != 0;
    spin_unlock_irqrestore(&v->lock, flags);
    if (dirty)
        port_tlb_flush_all();
}
