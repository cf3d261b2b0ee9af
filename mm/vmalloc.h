// SPDX-License-Identifier: MIT
/*
 * Virtually contiguous memory: the public API, with the names and meanings that Linux gives them.
 *
 *     vmalloc(3 pages)         1 reserve address space (mm/vmap/), one guard page more than asked
 *                              2 get pages in bulk (mm/buddy)
 *                              3 map them (mm/pgtable), RW and NX
 *     vfree()                  1 unlink, 2 clear the PTEs, 3 pages back to the buddy at once,
 *                              4 the address range waits for a TLB flush (mm/flush)
 *
 * Sizes are bytes, rounded up to pages. Bad arguments and lack of memory give NULL; misuse of a free
 * function is reported (what, which area, who allocated, who freed) and refused. "May sleep" = not
 * in interrupts, no spinlock held. Read next: mm/vmalloc_internal.h, mm/vmalloc.c.
 */
#ifndef MM_VMALLOC_H
#define MM_VMALLOC_H

#include "lib/types.h"
#include "mm/buddy.h"
#include "mm/page.h"
#include "mm/pgtable.h"

/* vm_struct.flags: Linux's values. */
#define VM_IOREMAP 0x001u
#define VM_ALLOC 0x002u
#define VM_MAP 0x004u
#define VM_USERMAP 0x008u
#define VM_UNINITIALIZED 0x020u
#define VM_NO_GUARD 0x040u
#define VM_MAP_PUT_PAGES 0x200u
#define VM_ALLOW_HUGE 0x400u
#define VM_DEFERRED 0x10000u /* ours: vfree_atomic() has it, a second free is a double free */

struct vmap_area;

/* What the address range is used for; the range itself is vm->area. */
struct vm_struct {
    vaddr_t addr;       /* first byte */
    u64 size;           /* bytes, guard page included */
    u64 requested_size; /* bytes, as asked for */
    u32 flags;
    u32 page_order;      /* 0, or 9 when mapped by 2 MiB leaves */
    u64 nr_pages;        /* 4 KiB pages mapped; 0 with VM_IOREMAP */
    struct page **pages; /* of nr_pages; owned with VM_ALLOC and VM_MAP_PUT_PAGES */
    paddr_t phys_addr;   /* VM_IOREMAP */
    vaddr_t caller;      /* return address of who allocated */
    u64 born_ns;
    struct vmap_area *area;
    struct vm_struct *next_deferred; /* VM_DEFERRED: on vmalloc->deferred, see vfree_atomic() */
    vaddr_t free_caller;             /* VM_DEFERRED: who asked for that */
};

/* Bytes usable: without the guard. */
static inline u64 get_vm_area_size(const struct vm_struct *vm)
{
    return vm->flags & VM_NO_GUARD ? vm->size : vm->size - PAGE_SIZE;
}

/* --- allocate and free; may sleep ------------------------------------------------------------ */

void *vmalloc(u64 size);                 /* content undefined (poison in debug) */
void *vzalloc(u64 size);                 /* zeroed before it is mapped */
void *vmalloc_user(u64 size);            /* zeroed, VM_USERMAP: may be mapped into a process */
void *vmalloc_huge(u64 size, gfp_t gfp); /* 2 MiB leaves where size permits, else like vmalloc */

/* The engine: any alignment (power of two, at least a page), window [start, end), protection, flags
 * VM_NO_GUARD / VM_USERMAP / VM_ALLOW_HUGE. */
void *__vmalloc_node_range(u64 size, u64 align, vaddr_t start, vaddr_t end, gfp_t gfp, u64 prot,
                           u32 flags, vaddr_t caller);

/*
 * Grow or shrink; content up to the smaller size kept, new bytes zeroed with __GFP_ZERO. In place
 * where possible. vrealloc(NULL, n) allocates; vrealloc(p, 0) frees and returns NULL. On failure
 * NULL and the old area is untouched.
 */
void *vrealloc(const void *address, u64 size, gfp_t gfp);

/* NULL is allowed. In an interrupt the work is deferred. Misuse is reported and refused. */
void vfree(const void *address);
/* Always deferred; any context, NMI excepted. */
void vfree_atomic(const void *address);
/* Finish deferred frees now; returns how many. May sleep. */
u64 vfree_deferred_run(void);

/* kmalloc when small enough and lucky, otherwise vmalloc; at most 2 GiB - 1. */
void *kvmalloc(u64 size, gfp_t gfp);
void kvfree(const void *address);

/* --- map what exists already; may sleep ------------------------------------------------------- */

/* Map count pages side by side. VM_MAP_PUT_PAGES: vfree() of the result frees the pages (array must
 * then be from kmalloc or vmalloc, and is freed too). NULL: no memory, count 0, NULL in the array. */
void *vmap(struct page **pages, u64 count, u32 flags, u64 prot);
void vunmap(const void *address); /* the pages stay */

/* Short-lived maps from per-CPU blocks (<= 64 pages) or areas of their own; not in vmallocinfo's
 * vm_struct view, and without guard pages. vm_unmap_ram() needs the same count. */
void *vm_map_ram(struct page **pages, u64 count);
void vm_unmap_ram(const void *address, u64 count);

/* Flush every lazily freed range and dirty block now: afterwards no stale alias exists (P3). */
void vm_unmap_aliases(void);

/* Device memory, any physical address (unaligned is fine); uncached / write-combining where PAT
 * allows, else uncached / cached (firmware tables). NULL for size 0, wrap, beyond the CPU's physical
 * bits, or RAM owned by the buddy. */
void *ioremap(paddr_t physical, u64 size);
void *ioremap_wc(paddr_t physical, u64 size);
void *ioremap_cache(paddr_t physical, u64 size);
void iounmap(const void *address); /* the very pointer that ioremap returned */

/* Reserve address space only. Guard page added. free_vm_area() gives it back. */
struct vm_struct *get_vm_area(u64 size, u32 flags);
void free_vm_area(struct vm_struct *vm);

/* --- ask; any context but NMI ----------------------------------------------------------------- */

bool is_vmalloc_addr(const void *address); /* pure range test */
/* NULL where nothing is mapped. The page may be one of a block: see buddy_unblock(); each page of
 * vmalloc_user() and vmalloc_huge() stands alone. */
struct page *vmalloc_to_page(const void *address);
pfn_t vmalloc_to_pfn(const void *address);           /* 0 likewise */
struct vm_struct *find_vm_area(const void *address); /* interior allowed */

/* Copy from any vmalloc range, also while it is being freed; holes, guards and device memory read as
 * zero. Returns bytes that came from live memory. */
u64 vread(void *to, const void *from, u64 count);

/* One sentence about the area at an address ("3-page vmalloc region starting at ... allocated at
 * ..."); never blocks: false when the lock is taken or nothing is there. */
bool vmalloc_dump_obj(const void *address, char *buf, u64 size);

/* O(1) counters. */
u64 vmalloc_nr_pages(void);   /* pages owned by areas now */
u64 vmalloc_used_bytes(void); /* address space in use, guards included */

/* Is something in trouble? All checks of all floors for the kernel's own instances: NULL or a sentence. */
const char *vmalloc_check(void);

#endif
