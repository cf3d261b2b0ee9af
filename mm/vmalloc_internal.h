// SPDX-License-Identifier: MIT
/*
 * What stands behind mm/vmalloc.h: one struct vmalloc ties the floors below together (space, page
 * tables, buddy, flush queue, caches). The kernel has kernel_vmalloc; host tests make their own.
 * For mm/ (vmalloc*.c, vmap_ram.c, fault.c, commands/) and tests only.
 *
 * Locks, outermost first: purge, vmalloc->lock (blocks of vm_map_ram), space (areas, their vm_structs,
 * history, deferred frees), slab, buddy. None is held while page tables change or pages are freed.
 */
#ifndef MM_VMALLOC_INTERNAL_H
#define MM_VMALLOC_INTERNAL_H

#include "mm/flush.h"
#include "mm/memmap.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "mm/vmap/vmap.h"

/* A freed area, remembered for "use after free" explanations. */
struct vm_history {
    vaddr_t start, end; /* guard included */
    u64 requested_size;
    u32 flags;
    vaddr_t alloc_caller, free_caller;
    u64 born_ns, died_ns;
};
#define VM_HISTORY 256

/*
 * A used range and what it is used for are one object with one life: allocated and freed in one step,
 * and found from each other without a search. The designs know of its first part only. The pages of a
 * small area are listed right here. (One object instead of three: -760 instructions per vmalloc pair.)
 */
#define VM_FEW_PAGES 10u /* 48 bytes more than for 4, 180 instructions less for 5 to 10 pages */
struct vm_object {
    struct vmap_area area; /* first: what the designs allocate and free */
    struct vm_struct vm;   /* meaningful while area.vm points here */
    struct page *few[VM_FEW_PAGES];
};

static inline struct vm_object *vm_object_of(const struct vm_struct *vm)
{
    return (struct vm_object *)((u64)vm - offsetof(struct vm_object, vm));
}

#define VMAP_BLOCK_PAGES 1024u /* 4 MiB of address space per vm_map_ram block */
#define VMAP_RAM_MAX 64u       /* larger requests get an area of their own */

/*
 * Address space for short-lived maps: a block from which one CPU bump-allocates, or, for a mapping
 * that is too large for that, an area of its own (`whole`: it lives and dies with its one mapping).
 */
struct vmap_block {
    struct vmap_area *area;
    struct list_head link; /* in vmalloc->block_list */
    u32 cpu;
    bool whole;
    u32 free, dirty;                      /* pages never given out / given back or given up */
    u64 used_map[VMAP_BLOCK_PAGES / 64];  /* pages that belong to a mapping now */
    u64 first_map[VMAP_BLOCK_PAGES / 64]; /* ... and are the first one of it */
};

struct vmalloc_counters {
    u64 allocs, frees, failures, deferred;
};

struct vmalloc {
    struct vmap_space space;
    struct flush_queue flush;
    struct pagetable *pt;
    struct buddy *buddy;
    const struct memmap *ram;     /* what ioremap() must keep away from; NULL: anything goes */
    struct kmem_cache area_cache; /* struct vm_object */
    struct spinlock lock;
    u64 nr_pages; /* owned by areas */
    struct vm_history history[VM_HISTORY];
    u64 history_next;            /* total ever; slot = next % VM_HISTORY */
    struct list_head block_list; /* every vmap_block, under lock */
    struct vmap_block *current_block[MAX_CPUS];
    struct vm_struct *deferred; /* frees that wait for a context that may sleep, under space.lock */
    struct vmalloc_counters counters;
    bool debug; /* flush at every unmap, so that a use after free faults at once (vmalloc.debug=) */
    bool ready;
};

extern struct vmalloc kernel_vmalloc;

/*
 * Start an instance over [start, end). The kernel: once, after slab_init(). design: from `vmap=`.
 * state: the design's zeroed memory (design->state_size). 0 or a negative error.
 */
int vmalloc_init(struct vmalloc *v, const struct vmap_design *design, vaddr_t start, vaddr_t end,
                 void *state, struct pagetable *pt, struct buddy *buddy);

/*
 * The shared way to an address range: the function to break on. Reserves size (bytes, page-aligned,
 * guard included) in [lo, hi); purges lazily freed ranges and retries once when there is no room.
 * NULL on failure. Caller recorded in the area.
 */
struct vmap_area *alloc_vmap_area(struct vmalloc *v, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                                  gfp_t gfp, vaddr_t caller);

/* The way back: PTEs of the area are clear; the range goes to the flush queue. */
void free_unmap_vmap_area(struct vmalloc *v, struct vmap_area *area);

/* Instance forms of the public functions. `told`: the event log hears that it begins and ends. */
void *vmalloc_range(struct vmalloc *v, u64 size, u64 align, vaddr_t start, vaddr_t end, gfp_t gfp,
                    u64 prot, u32 flags, vaddr_t caller, bool told);
void vfree_from(struct vmalloc *v, const void *address, vaddr_t caller);
/* Whose area contains the address, or NULL. It stays alive while the caller owns the area; to anybody
 * else it is a hint. */
struct vm_struct *vm_find(struct vmalloc *v, vaddr_t address);
/* Reserve a range with a vm_struct. align: bytes, a power of two. NULL when none. */
struct vm_struct *vm_reserve(struct vmalloc *v, u64 size, u64 align, vaddr_t start, vaddr_t end,
                             u32 flags, gfp_t gfp, vaddr_t caller);
/* Unpublish the area that starts at `address` so that exactly one caller gets to free it: its vm, or
 * NULL after a report that says why not. `kinds`: at least one of these flags must be set. */
struct vm_struct *vm_claim(struct vmalloc *v, const void *address, u32 kinds, const char *function,
                           vaddr_t caller);
/* Take a claimed area apart: PTEs cleared, owned pages back to the buddy, range to the flush queue,
 * descriptor freed. */
void vm_release(struct vmalloc *v, struct vm_struct *vm, vaddr_t caller);
/* The same for an area that could not be completed: nobody ever had its address, so it is neither
 * claimed nor remembered in the history. */
void vm_discard(struct vmalloc *v, struct vm_struct *vm, vaddr_t caller);
/* Free the pages that an area owns behind its first `keep`; they must be unmapped. */
void vm_free_pages(struct vmalloc *v, struct vm_struct *vm, u64 keep, vaddr_t caller);
/* An array of page pointers for an area: in its object for a few, else kmalloc, or vmalloc when that is
 * too large. */
struct page **vm_array_alloc(struct vmalloc *v, struct vm_struct *vm, u64 count, gfp_t gfp,
                             vaddr_t caller);
void vm_array_free(struct vmalloc *v, struct vm_struct *vm, struct page **array, vaddr_t caller);

/* Physical addresses at or above this cannot be mapped: 1 << the CPU's physical bits. */
extern paddr_t ioremap_limit;

/* The most recently freed area that covered the address; false when none is remembered. */
bool vm_history_find(const struct vmalloc *v, vaddr_t address, struct vm_history *out);

/* vm_map_ram's side: send blocks without a live mapping to the flush queue, also if they have pages
 * left to give out (called by vm_unmap_aliases and on shortage). Returns their pages. */
u64 vmap_blocks_purge(struct vmalloc *v);
/* The block that contains the address, or NULL; it may die as soon as no mapping of it is live. */
struct vmap_block *vmap_block_find(struct vmalloc *v, vaddr_t address);

/* Bring everything cached or lazy home (deferred frees, lazy ranges, blocks, empty tables, slabs,
 * per-CPU pages), so that counts can be compared. May sleep. */
void mm_quiesce(void);

/* V1..V6, P1 and the sums: each page of a live area is mapped to its own frame, each guard has no PTE.
 * NULL or a sentence. Exact while no other CPU is in the middle of a vmalloc() or vfree(). */
const char *vmalloc_check_instance(struct vmalloc *v);

#endif
