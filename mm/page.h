// SPDX-License-Identifier: MIT
/*
 * struct page: 32 bytes for every page frame of RAM, in one array (the vmemmap) indexed by PFN. Who
 * may write a field depends on the state: FREE and PCP pages belong to the buddy under its lock,
 * USED pages to whoever allocated them. Invariant B3 counts these states.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/layout.h"

enum page_state {
    PAGE_UNMANAGED =
        0,          /* hole, firmware, kernel image: never given out (zeroed memory says this) */
    PAGE_FREE,      /* head of a free block of `order`, on the buddy's list of that order */
    PAGE_FREE_TAIL, /* inside a free block, not its head */
    PAGE_PCP,       /* on a CPU's list of cached order-0 pages */
    PAGE_USED,      /* head of an allocated block of `order` */
    PAGE_USED_TAIL, /* inside an allocated block, not its head */
};

/* What a used page serves: the `pages`, `meminfo` and `whatis` views. */
enum page_use {
    PAGE_USE_OTHER,
    PAGE_USE_TABLE,
    PAGE_USE_SLAB,
    PAGE_USE_VMALLOC,
    PAGE_USE_USER, /* anonymous memory of programs: refcount = who maps it */
    PAGE_USE_FILE, /* of a pagestore: refcount = who maps it, and the store */
    PAGE_USES
};

struct page {
    union {
        struct {
            u8 state; /* enum page_state */
            u8 order; /* of the block; meaningful for heads */
            u8 use;   /* enum page_use; meaningful while used */
            u8 flags; /* PAGE_FLAG_* */
            union {
                u32 refcount; /* users of an allocated block; 0 while free */
                struct {
                    u16 slab_inuse; /* PAGE_USE_SLAB: objects handed out */
                    u16 slab_free;  /* PAGE_USE_SLAB: index of the first free object */
                };
            };
        };
        u64 header; /* the same eight bytes, compared and written at once on the fast paths */
    };
    struct list_head link; /* buddy free list, per-CPU list, or the slab's list */
    union {
        void *owner; /* PAGE_USE_SLAB: struct kmem_cache */
        struct {
            u32 alloc_caller; /* return address - KERNEL_BASE of who allocated (0: unknown) */
            u32 free_caller;  /* ... of who freed it last */
        };
    };
};
_Static_assert(sizeof(struct page) == 32, "struct page must stay 32 bytes: 0.8 % of RAM");

/* The header of a single page that serves nothing in particular. */
#define PAGE_HEADER(state, flags, refcount)                                                        \
    ((u64)(state) | (u64)(flags) << 24 | (u64)(refcount) << 32)

#define PAGE_FLAG_POISONED 1u /* content is PAGE_POISON and must still be so when handed out */
#define PAGE_FLAG_KMALLOC 2u  /* head of a block that kmalloc() gave as a whole */

/* The kernel's one page array; private buddies (tests) have their own. */
static inline struct page *pfn_to_page(pfn_t pfn)
{
    return (struct page *)VMEMMAP_BASE + pfn;
}

static inline pfn_t page_to_pfn(const struct page *page)
{
    return (pfn_t)(page - (const struct page *)VMEMMAP_BASE);
}

static inline paddr_t page_to_phys(const struct page *page)
{
    return page_to_pfn(page) << PAGE_SHIFT;
}

/* Content of a page through the direct map. */
static inline void *page_address(const struct page *page)
{
    return phys_to_virt(page_to_phys(page));
}

static inline struct page *virt_to_page(const void *direct_mapped)
{
    return pfn_to_page(virt_to_phys(direct_mapped) >> PAGE_SHIFT);
}

/* A caller's address in 32 bits and back: kernel text lives in the top 2 GiB. 0 stays 0. */
static inline u32 caller_pack(vaddr_t caller)
{
    return caller > KERNEL_BASE ? (u32)(caller - KERNEL_BASE) : 0;
}

static inline vaddr_t caller_unpack(u32 packed)
{
    return packed ? KERNEL_BASE + packed : 0;
}

#endif
