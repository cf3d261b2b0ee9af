// SPDX-License-Identifier: MIT
/*
 * `whatis ADDR`: one address through the whole house: region, area (or the one that was here), page
 * of it, page-table entry, frame, owner of the frame. Reads without changing anything; the area is
 * described from a copy made under vmalloc->lock and space->lock. Read next: mm/fault.c.
 */
#include "mm/commands/whatis.h"
#include "kernel/command.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/commands/place.h"
#include "mm/commands/view.h"
#include "mm/fault.h"
#include "mm/start.h"
#include "mm/vmap/lazy.h"

/* Copies of the area that covers the address and of its vm_struct. */
struct found {
    struct vmap_area area;
    struct vm_struct vm;
    bool exists, has_vm;
};

struct covering {
    vaddr_t address;
    struct found *found;
};

static bool visit_covering(void *ctx, const struct vmap_area *area)
{
    struct covering *c = ctx;

    if (c->address < area->va_start)
        return false;
    if (c->address >= area->va_end)
        return true;
    c->found->area = *area;
    c->found->exists = true;
    if (area->kind == VMAP_BUSY && area->vm) {
        c->found->vm = *area->vm;
        c->found->has_vm = true;
    }
    return false;
}

/* Every kind is looked through: find() would not tell of lazy and free ranges. */
static struct found find_covering(struct vmalloc *v, vaddr_t address)
{
    struct found found = {.exists = false};
    struct covering c = {address, &found};
    static const enum vmap_kind kinds[] = {VMAP_BUSY, VMAP_FREE, VMAP_CACHED};

    u64 flags = spin_lock_irqsave(&v->space.lock);
    for (unsigned k = 0; k < ARRAY_SIZE(kinds) && !found.exists; k++)
        vmap_for_each_locked(&v->space, kinds[k], visit_covering, &c);
    spin_unlock_irqrestore(&v->space.lock, flags);
    return found;
}

static void print_position(const struct found *found, vaddr_t address)
{
    const struct vm_struct *vm = &found->vm;
    u64 offset = address - found->area.va_start;
    u64 usable = found->has_vm ? get_vm_area_size(vm) : vmap_area_size(&found->area);

    if (offset >= usable)
        print("position guard page of this area, %lu bytes behind its last one\n",
              offset - usable + 1);
    else
        print("position page %lu of %lu, byte %#lx of the area%s\n", offset >> PAGE_SHIFT,
              usable >> PAGE_SHIFT, offset,
              found->has_vm && offset >= vm->requested_size ? " (beyond the size asked for)" : "");
}

static void print_busy_area(const struct found *found, vaddr_t address)
{
    const struct vm_struct *vm = &found->vm;
    const struct vmap_area *area = &found->area;
    vaddr_t caller = found->has_vm ? vm->caller : caller_unpack(area->caller);
    u64 size = vmap_area_size(area);

    print("area     [%#lx, %#lx) busy, %s, %pM with its guard page\n", area->va_start, area->va_end,
          view_use(found->has_vm, found->has_vm ? vm->flags : 0), (const void *)&size);
    if (found->has_vm)
        print("asked    %lu bytes, %lu pages%s\n", vm->requested_size, vm->nr_pages,
              vm->page_order ? " in 2 MiB leaves" : "");
    print("owner    allocated by %pS", (void *)caller);
    if (found->has_vm)
        print(" at %lu.%06lu s", vm->born_ns / 1000000000, vm->born_ns / 1000 % 1000000);
    print("\n");
    if (found->has_vm && vm->flags & VM_IOREMAP)
        print("device   physical %#lx\n", vm->phys_addr);
    print_position(found, address);
}

static void print_history(vaddr_t address)
{
    struct vm_history old;

    if (!vm_history_find(&kernel_vmalloc, address, &old))
        return;
    print("before   [%#lx, %#lx), %lu bytes: allocated by %pS,\n"
          "         freed by %pS at %lu.%06lu s\n",
          old.start, old.end, old.requested_size, (void *)old.alloc_caller, (void *)old.free_caller,
          old.died_ns / 1000000000, old.died_ns / 1000 % 1000000);
}

void whatis_vmalloc(vaddr_t address)
{
    struct found found = {.exists = false};

    if (kernel_vmalloc.ready)
        found = find_covering(&kernel_vmalloc, address);
    if (!found.exists) {
        print("area     none: the vmap space does not cover it\n");
        return;
    }
    u64 size = vmap_area_size(&found.area);
    switch (found.area.kind) {
    case VMAP_BUSY:
        print_busy_area(&found, address);
        return;
    case VMAP_LAZY:
        print("area     [%#lx, %#lx) freed, waits for a TLB flush before it can be used again\n",
              found.area.va_start, found.area.va_end);
        break;
    default:
        print("area     none: in the free range [%#lx, %#lx), %pM\n", found.area.va_start,
              found.area.va_end, (void *)&size);
    }
    print_history(address);
}

void whatis_frame(pfn_t pfn)
{
    if (!memmap_contains(&boot_memmap, pfn)) {
        print("frame    %#lx is not RAM: a device, or firmware\n", pfn);
        return;
    }
    const struct page *page = pfn_to_page(pfn);
    print("frame    %#lx: %s", pfn, page_state_name(page->state));
    if (page->state == PAGE_FREE || page->state == PAGE_USED)
        print(", block of order %u", page->order);
    const struct page *head = buddy_block_head(&kernel_buddy, pfn_to_page(pfn));
    if (head && head != page)
        print(" at %#lx", page_to_pfn(head));
    if (head)
        print(", serves %s", page_use_name(head->use));
    if (head && (head->use == PAGE_USE_USER || head->use == PAGE_USE_FILE))
        print(", %u users", head->refcount);
    print(", struct page at %p\n", (const void *)page);
    if (head) /* the block's first page remembers for all of them */
        page = head;
    if (page->state == PAGE_USED && page->use == PAGE_USE_SLAB) {
        const struct kmem_cache *cache = page->owner;
        print("slab     cache %s, %u of %u objects of %u bytes handed out\n", cache->name,
              page->slab_inuse, cache->per_slab, cache->size);
    } else if (page->state != PAGE_UNMANAGED) {
        if (page->alloc_caller)
            print("         last allocated by %pS\n", (void *)caller_unpack(page->alloc_caller));
        if (page->free_caller)
            print("         last freed by %pS\n", (void *)caller_unpack(page->free_caller));
    }
}

void whatis_mapping(const struct pagetable *tables, vaddr_t address)
{
    static const char *const levels[PT_LEVELS] = {"PTE", "PMD", "PUD", "PGD"};
    struct pt_walk walk;

    if (!pt_walk(tables, address, &walk)) {
        print("mapping  none: the %s is not present\n", levels[walk.stopped_at]);
        return;
    }
    u64 leaf = 1UL << walk.leaf_shift;
    print("mapping  physical %#lx, %s %s%s, %pM page\n", walk.physical, walk.writable ? "RW" : "RO",
          walk.executable ? "X" : "NX", walk.user ? " USER" : "", (void *)&leaf);
    whatis_frame(walk.physical >> PAGE_SHIFT);
}

static void print_symbol_or_stack(vaddr_t address)
{
    struct symbol symbol;
    struct stack_info stack;

    if (stack_find(address, &stack))
        print("stack    %s, %s\n", stack.name,
              stack.is_guard ? "its guard page: an overflow ends here" : "in use or free for use");
    else if (symbol_lookup(address, &symbol))
        print("symbol   %s + %#lx (size %#lx)\n", symbol.name, symbol.offset, symbol.size);
}

static void print_user_area(struct uspace *space, vaddr_t address)
{
    const struct vma *vma = uspace_find(space, address);

    if (!vma) {
        print("area     none: nothing of this process is mapped there\n");
        return;
    }
    u64 size = vma->end - vma->start;
    print("area     [%#lx, %#lx) %c%c%c%c, %pM, %s%s%s\n", vma->start, vma->end,
          vma->prot & PROT_READ ? 'r' : '-', vma->prot & PROT_WRITE ? 'w' : '-',
          vma->prot & PROT_EXEC ? 'x' : '-', vma->flags & MAP_SHARED ? 's' : 'p', (void *)&size,
          vma->store ? "of a file" : "anonymous", vma->name ? ", " : "",
          vma->name ? vma->name : "");
    print("position page %lu of %lu", (address - vma->start) >> PAGE_SHIFT, size >> PAGE_SHIFT);
    if (vma->store)
        print(", page %lu of the file", vma->pgoff + ((address - vma->start) >> PAGE_SHIFT));
    print("\n");
}

static int whatis_run(int argc, char **argv)
{
    struct place_named place;

    if (argc != 2)
        return COMMAND_USAGE;
    if (place_parse(argv[1], &place))
        return -EINVAL;
    vaddr_t address = place.address;
    if (!address_is_canonical(address)) {
        print("%#lx is not canonical: bits 63..47 differ, so any access is a general protection "
              "fault\n",
              address);
        return 0;
    }
    const struct layout_region *region = layout_find(address);
    print("address  %#lx\nregion   %s\n", address,
          region ? region->name : "none: a hole of the layout");
    print_symbol_or_stack(address);
    if (is_vmalloc_addr((void *)address))
        whatis_vmalloc(address);
    else if (region && region->base == VMEMMAP_BASE)
        print("page     struct page of frame %#lx\n",
              (address - VMEMMAP_BASE) / sizeof(struct page));
    if (place.space)
        print_user_area(place.space, address);
    whatis_mapping(place.tables, address);
    return 0;
}
COMMAND(
    whatis, "whatis", whatis_run, NULL, "whatis [PID:]ADDR|SYMBOL",
    "what is at an address, the kernel's or a process': region, area, page, entry, frame, owner");
