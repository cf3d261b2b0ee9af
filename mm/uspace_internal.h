// SPDX-License-Identifier: MIT
/*
 * What the files of a user space share: uspace.c (life), uspace_map.c (mmap), uspace_protect.c, uspace_remap.c, vma.c (the areas),
 * uspace_pages.c (page tables of the user half), uspace_fault.c, uspace_fork.c. Not for anybody else.
 *
 * An entry of a user page table is 0, or it has a page. P is clear in one that has a page of an area with
 * PROT_NONE: nobody may touch it, but it is kept. PS tells a 2 MiB leaf at level 1, present or not.
 *
 * One CPU runs user code, and not while the kernel does. So a page may go back to the buddy before the
 * translation is flushed, as long as the flush comes before the call returns; tables may not.
 */
#ifndef MM_USPACE_INTERNAL_H
#define MM_USPACE_INTERNAL_H

#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/pgtable_internal.h"
#include "mm/pgtable_table.h"
#include "mm/slab.h"
#include "mm/uspace.h"

#define HUGE_SHIFT 21
#define HUGE_SIZE (1UL << HUGE_SHIFT)
#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)
#define HUGE_PAGES (1UL << HUGE_ORDER)

/* Page-fault error code (SDM 3A, 4.7): PF_WRITE, PF_RESERVED, PF_FETCH of kernel/trap.h, which the host does not have. */
#define USER_WRITE (1UL << 1)
#define USER_RESERVED (1UL << 3)
#define USER_FETCH (1UL << 4)

struct uspace {
    struct pagetable pt;   /* user half: its own; kernel half: the entries that every root has */
    struct rb_root areas;  /* by start, augmented with subtree_max_gap */
    struct list_head list; /* the same, in order */
    struct vma *hint;      /* found last; NULL: look for it */
    struct list_head link; /* in the list of all spaces */
    u32 refs;
    vaddr_t brk_start, brk; /* the heap is [brk_start, brk), rounded up to pages */
    u64 visited;            /* areas looked at by the last search for a gap */
    struct uspace_stats stats;
};

/* A page full of zeros that every untouched page of anonymous memory shows. Its refcount stays 1. */
extern struct page *user_zero_page;

/* ---- vma.c: areas as ranges, no pages ---------------------------------------------------------- */

int vma_init(void);
void vma_fini(void);
struct vma *vma_alloc(void); /* NULL: no memory */
void vma_free(struct vma *vma);
/* Into tree and list. It must not overlap. / Out of them. Both keep gaps and counts exact. */
void vma_link(struct uspace *space, struct vma *vma);
void vma_unlink(struct uspace *space, struct vma *vma);
/* Move the edges, without passing a neighbour. */
void vma_set_bounds(struct uspace *space, struct vma *vma, vaddr_t start, vaddr_t end);
struct vma *vma_prev(struct uspace *space, struct vma *vma);
struct vma *vma_last(struct uspace *space);
/* The first area that ends above the address: it contains it, or lies above it; NULL. */
struct vma *vma_above(struct uspace *space, vaddr_t address);
/* Is [start, end) unmapped, and not in the guard gap of a stack? */
bool vma_range_free(struct uspace *space, vaddr_t start, vaddr_t end);
/* Cut off what lies from `at` on; it becomes `upper`, with all that the area has. */
void vma_split(struct uspace *space, struct vma *vma, vaddr_t at, struct vma *upper);
/* Join the area with neighbours that continue it (U3); returns the area that covers it now. */
struct vma *vma_merge(struct uspace *space, struct vma *vma);
bool vma_joins(const struct vma *lower, const struct vma *upper);
/* The topmost / lowest `size` free bytes within [lo, hi). False: no room. O(log n). */
bool vma_topmost_gap(struct uspace *space, u64 size, vaddr_t lo, vaddr_t hi, vaddr_t *start);
bool vma_lowest_gap(struct uspace *space, u64 size, vaddr_t lo, vaddr_t hi, vaddr_t *start);
/* Tree and list alone: U1..U3. NULL or a sentence in buf. */
const char *vma_check(struct uspace *space, char *buf, u64 size);
extern const struct rb_augment vma_augment;

/* ---- uspace_pages.c: the page tables of the user half ------------------------------------------- */

/* The entry for va at `level` (0 or 1) with the tables that lead to it; NULL: no memory, nothing made. */
pte_t *user_entry_create(struct uspace *space, vaddr_t va, unsigned level);
pte_t *user_make_tables(struct uspace *space, vaddr_t va, pte_t *entry, unsigned from,
                        unsigned level);
/* The same for who knows the entry at level `at` already, which decides about va. */
static inline pte_t *user_entry_below(struct uspace *space, vaddr_t va, pte_t *entry, unsigned at,
                                      unsigned level)
{
    ASSERT(at >= level, "%#lx: a table hangs where a leaf of level %u is wanted", va, level);
    return likely(at == level) ? entry : user_make_tables(space, va, entry, at, level);
}
/* Give back the pages of [start, end), and the tables that no other area can need: those whose whole range
 * lies between the neighbours [floor, ceiling) of what was unmapped. Huge leaves lie inside or outside. */
void user_zap(struct uspace *space, vaddr_t start, vaddr_t end, vaddr_t floor, vaddr_t ceiling);
/* A 2 MiB leaf becomes 512 entries in `table`. The block of pages falls apart too, for all who map it. */
void user_split_huge(struct uspace *space, vaddr_t va, pte_t *entry, paddr_t table);
/* The block of a huge leaf becomes single pages, each with as many users as the block had. */
void user_split_block(struct page *page);
/* The huge leaf that contains `at` and begins below it, or NULL. */
pte_t *user_huge_across(struct uspace *space, vaddr_t at);
/* One reference fewer to the page or 2 MiB block that the entry holds, as counted in space->stats. */
void user_put_page(struct uspace *space, pte_t entry);
void user_put_huge(struct uspace *space, pte_t entry);
/* Leaf bits for a page of the area. */
pte_t user_leaf_bits(const struct vma *vma, bool writable);
/* Forget translations, if this space is loaded. */
void user_flush(struct uspace *space, vaddr_t start, vaddr_t end);

static inline struct page *user_entry_page(pte_t entry)
{
    return pfn_to_page((entry & PTE_FRAME) >> PAGE_SHIFT);
}

static inline struct vma *vma_of(const struct rb_node *node)
{
    return node ? rb_entry(node, struct vma, node) : NULL;
}

/* ---- uspace_map.c ------------------------------------------------------------------------------ */

/* Whole pages inside the user half, not none? *end is set, size rounded up. */
bool user_range_of(vaddr_t address, u64 size, vaddr_t *end);

/* What cutting areas and huge leaves at two addresses needs: had in advance, so that the rest cannot fail. */
struct user_cuts {
    vaddr_t at[2];
    struct vma *vma[2];
    paddr_t table[2];
};
int user_cuts_prepare(struct uspace *space, vaddr_t start, vaddr_t end, bool areas,
                      struct user_cuts *cuts);
void user_cuts_drop(struct uspace *space, struct user_cuts *cuts);
void user_cuts_apply(struct uspace *space, struct user_cuts *cuts);

#endif
