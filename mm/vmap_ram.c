// SPDX-License-Identifier: MIT
/*
 * vm_map_ram: short-lived maps without a tree search (Linux 2.6.28, Nick Piggin). Each CPU owns a
 * block of 4 MiB of address space and bump-allocates from it; given-back pieces are dirty and not
 * used again until the whole block is, so that one TLB flush serves hundreds of maps (P3).
 *
 *     block  | mapped | dirty | mapped | dirty dirty |  free ........ |
 *              ^ used_map says which                 ^ VMAP_BLOCK_PAGES - free
 *
 * A block dies when all of it is dirty, or (purge) when none of it is mapped. Lock: vmalloc->lock
 * guards block_list, current_block and every block.
 */
#include "lib/bits.h"
#include "lib/list.h"
#include "mm/vmalloc_internal.h"

static bool bit_get(const u64 *map, u64 i)
{
    return map[i / 64] >> (i % 64) & 1;
}

static void bit_put(u64 *map, u64 i, bool value)
{
    u64 mask = 1UL << (i % 64);
    map[i / 64] = value ? map[i / 64] | mask : map[i / 64] & ~mask;
}

static void mark_piece(struct vmap_block *block, u64 first, u64 pages, bool live)
{
    bit_put(block->first_map, first, live);
    for (u64 i = first; i < first + pages; i++)
        bit_put(block->used_map, i, live);
}

/* Is [first, first + pages) exactly one mapping: not a part of one, not two that lie side by side? */
static bool is_piece(const struct vmap_block *block, u64 first, u64 pages)
{
    if (first + pages > VMAP_BLOCK_PAGES || !bit_get(block->first_map, first))
        return false;
    for (u64 i = first + 1; i < first + pages; i++)
        if (!bit_get(block->used_map, i) || bit_get(block->first_map, i))
            return false;
    u64 next = first + pages;
    return next == VMAP_BLOCK_PAGES || !bit_get(block->used_map, next) ||
           bit_get(block->first_map, next);
}

static bool block_has_live_maps(const struct vmap_block *block)
{
    return block->whole || block->free + block->dirty < VMAP_BLOCK_PAGES;
}

/* Under the lock. */
static struct vmap_block *block_at(struct vmalloc *v, vaddr_t address)
{
    struct vmap_block *block;
    list_for_each_entry(block, &v->block_list, link)
        if (address >= block->area->va_start && address < block->area->va_end)
            return block;
    return NULL;
}

struct vmap_block *vmap_block_find(struct vmalloc *v, vaddr_t address)
{
    u64 flags = spin_lock_irqsave(&v->lock);
    struct vmap_block *found = block_at(v, address);
    spin_unlock_irqrestore(&v->lock, flags);
    return found;
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

/* Under the lock: pages that will not be used again. True when they were the last; then the block is
 * unlinked and the caller deletes it. */
static bool block_add_dirty(struct vmalloc *v, struct vmap_block *block, u64 pages)
{
    block->dirty += pages;
    if (block->dirty < VMAP_BLOCK_PAGES)
        return false;
    block_unlink(v, block);
    return true;
}

/* Under the lock: the next `take` pages. */
static vaddr_t block_cut(struct vmap_block *block, u64 take)
{
    u64 first = VMAP_BLOCK_PAGES - block->free;
    block->free -= take;
    mark_piece(block, first, take, true);
    return block->area->va_start + (first << PAGE_SHIFT);
}

/* `take` pages from this CPU's block; 0 when it has none or too little room. */
static vaddr_t block_take(struct vmalloc *v, u64 take)
{
    vaddr_t address = 0;
    u64 flags = spin_lock_irqsave(&v->lock);
    struct vmap_block *block = v->current_block[cpu_id()];
    if (block && block->free >= take)
        address = block_cut(block, take);
    spin_unlock_irqrestore(&v->lock, flags);
    return address;
}

/*
 * The block becomes the one that this CPU takes from. What is left in its predecessor is given up, or
 * that one would never be used up; it is returned when it has to be deleted. Under the lock.
 */
static struct vmap_block *make_current(struct vmalloc *v, struct vmap_block *block)
{
    struct vmap_block *old = v->current_block[cpu_id()];
    block->cpu = cpu_id();
    v->current_block[block->cpu] = block;
    if (!old)
        return NULL;
    u64 left = old->free;
    old->free = 0;
    return block_add_dirty(v, old, left) ? old : NULL;
}

/*
 * The first `take` pages of a new block, or 0. With `whole` the block is exactly that large.
 *   1 descriptor and address range   2 the piece is cut before others can see the block: one without
 *   a live mapping could be purged at any time   3 publish
 */
static vaddr_t block_new(struct vmalloc *v, u64 take, bool whole, vaddr_t caller)
{
    struct vmap_block *block = kzalloc(sizeof(*block), GFP_KERNEL);
    if (!block)
        return 0;
    u64 size = (whole ? take : VMAP_BLOCK_PAGES) << PAGE_SHIFT;
    block->area = alloc_vmap_area(v, size, whole ? PAGE_SIZE : size, v->space.start, v->space.end,
                                  GFP_KERNEL, caller);
    if (!block->area) {
        kfree(block);
        return 0;
    }
    vaddr_t address = block->area->va_start;
    struct vmap_block *used_up = NULL;
    u64 flags = spin_lock_irqsave(&v->lock);
    block->whole = whole;
    if (!whole) {
        block->free = VMAP_BLOCK_PAGES;
        block_cut(block, take);
        used_up = make_current(v, block);
    }
    list_add_tail(&block->link, &v->block_list);
    spin_unlock_irqrestore(&v->lock, flags);
    if (used_up)
        block_delete(v, used_up);
    return address;
}

/*
 * Take the mapping [address, address + pages) out of its block, so that exactly one caller gets to
 * unmap it. Its pages count neither as free nor as dirty yet, which keeps the block alive. NULL when
 * there is no such mapping.
 */
static struct vmap_block *block_claim(struct vmalloc *v, vaddr_t address, u64 pages)
{
    u64 flags = spin_lock_irqsave(&v->lock);
    struct vmap_block *block = block_at(v, address);
    u64 first = block ? (address - block->area->va_start) >> PAGE_SHIFT : 0;
    if (block && block->whole) {
        if (first == 0 && pages == vmap_area_size(block->area) >> PAGE_SHIFT)
            block_unlink(v, block);
        else
            block = NULL;
    } else if (block) {
        if (pages <= VMAP_RAM_MAX && is_piece(block, first, pages))
            mark_piece(block, first, pages, false);
        else
            block = NULL;
    }
    spin_unlock_irqrestore(&v->lock, flags);
    return block;
}

/* The PTEs of a claimed mapping are clear: its pages are dirty now. */
static void block_give(struct vmalloc *v, struct vmap_block *block, u64 pages)
{
    bool dead = block->whole;
    if (!dead) {
        u64 flags = spin_lock_irqsave(&v->lock);
        dead = block_add_dirty(v, block, pages);
        spin_unlock_irqrestore(&v->lock, flags);
    }
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

__fused void *vm_map_ram(struct page **pages, u64 count)
{
    struct vmalloc *v = &kernel_vmalloc;
    if (!pages || count == 0 || count > v->space.end >> PAGE_SHIFT)
        return NULL;
    EVENT_BEGIN(VM_MAP_RAM, count << PAGE_SHIFT, PAGE_SIZE, CALLER());
    bool whole = count > VMAP_RAM_MAX;
    vaddr_t address = whole ? 0 : block_take(v, count);
    if (!address)
        address = block_new(v, count, whole, CALLER());
    if (address && pt_map_pages(v->pt, address, pages, count, PROT_KERNEL_RW) != 0) {
        block_give(v, block_claim(v, address, count), count);
        address = 0;
    }
    EVENT_END(VM_MAP_RAM, address);
    return (void *)address;
}

__fused void vm_unmap_ram(const void *pointer, u64 count)
{
    struct vmalloc *v = &kernel_vmalloc;
    vaddr_t address = (vaddr_t)pointer;
    struct vmap_block *block =
        count && is_aligned(address, PAGE_SIZE) ? block_claim(v, address, count) : NULL;
    if (!block) {
        port_report("vm_unmap_ram(%#lx, %lu): no such mapping is live; called from %pS", address,
                    count, (void *)CALLER());
        return;
    }
    EVENT_BEGIN(VM_UNMAP_RAM, address, count, CALLER());
    pt_unmap(v->pt, address, count << PAGE_SHIFT);
    if (v->debug)
        port_tlb_flush_range(address, address + (count << PAGE_SHIFT));
    block_give(v, block, count);
    EVENT_END(VM_UNMAP_RAM, 0);
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
