// SPDX-License-Identifier: MIT
/*
 * Four levels of page tables. One walk serves mapping, unmapping, protection, the dumper, `pt`, the
 * W^X test (P2) and vmalloc. Each struct pagetable is an instance; the kernel's is kernel_pagetable.
 *
 *   63 62..52 51................12 11..9 8 7  6 5 4   3   2 1 0
 *   NX  avail  physical frame       avail G PS D A PCD PWT U W P      (SDM 3A, 4.5, table 4-15..4-20)
 *
 * Level numbers: 3 = PGD (512 GiB per entry), 2 = PUD (1 GiB), 1 = PMD (2 MiB), 0 = PTE (4 KiB).
 * Lock: pt->lock (irqsave) while tables are added or freed; leaf entries belong to the owner of the
 * address range. No function flushes the TLB unless it says so: the caller knows when it must.
 */
#ifndef MM_PGTABLE_H
#define MM_PGTABLE_H

#include "lib/types.h"
#include "mm/page.h"
#include "mm/port.h"

#define PTE_P (1UL << 0)
#define PTE_W (1UL << 1)
#define PTE_U (1UL << 2)
#define PTE_PWT (1UL << 3)
#define PTE_PCD (1UL << 4)
#define PTE_A (1UL << 5)
#define PTE_D (1UL << 6)
#define PTE_PS (1UL << 7)     /* levels 1 and 2: a leaf */
#define PTE_PAT_4K (1UL << 7) /* level 0 */
#define PTE_G (1UL << 8)
#define PTE_PAT_HUGE (1UL << 12)
#define PTE_NX (1UL << 63)
#define PTE_FRAME 0x000ffffffffff000UL

/* What pt_map() takes: leaf bits without frame and PS. Accessed and dirty are set in advance. */
#define PROT_KERNEL_RW (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PROT_KERNEL_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define PROT_KERNEL_RX (PTE_P | PTE_A | PTE_G)
#define PROT_DEVICE (PROT_KERNEL_RW | PTE_PCD | PTE_PWT) /* uncached */

#define PT_LEVELS 4
#define PT_ENTRIES 512
static inline unsigned pt_level_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * level;
}
static inline unsigned pt_index(vaddr_t address, unsigned level)
{
    return (address >> pt_level_shift(level)) & (PT_ENTRIES - 1);
}

/* Where table pages come from and go to: memblock early, the buddy later, a counter in tests. */
struct pt_ops {
    paddr_t (*alloc_table)(void *ctx); /* one zeroed page, 0 = none left */
    void (*free_table)(void *ctx, paddr_t table);
};

struct pagetable {
    paddr_t root;
    const struct pt_ops *ops;
    void *ctx;
    struct spinlock lock;
    u64 tables; /* table pages below and including the root */
    /* The leaf table in which pages were mapped last: PT_HOT(), in one word, so that it can be read
     * without the lock by whoever owns a mapping in that table, which keeps the table alive. */
    u64 hot;
};
/* Bits 63..36: bits 48..21 of the addresses that the table maps; below: the table's frame number. */
#define PT_HOT(va, table) (((va) << 15 & ~PT_HOT_FRAME) | (table) >> PAGE_SHIFT)
#define PT_HOT_FRAME ((1UL << 36) - 1)
#define PT_NOT_HOT (1UL << 63) /* bit 48 set and bit 47 clear: no canonical address */
extern struct pagetable kernel_pagetable;

/* A new, empty root. 0 or -ENOMEM. */
int pt_init(struct pagetable *pt, const struct pt_ops *ops, void *ctx);

/* Give back every table, the root included, whatever they map. No CPU may have the root loaded. */
void pt_fini(struct pagetable *pt);

/* Change where tables come from (memblock -> buddy). */
void pt_set_ops(struct pagetable *pt, const struct pt_ops *ops, void *ctx);

/*
 * Map [va, va+size) to [pa, pa+size) with the largest leaves that alignment and `max_shift` (12, 21
 * or 30) permit. All page-aligned, size > 0. 0; -EINVAL unaligned, wraps, non-canonical; -EEXIST
 * something is mapped there; -ENOMEM no table page (or FAIL_TABLE). After an error nothing of the
 * range is mapped by this call, the tables that it made are gone, and the TLB has been flushed.
 */
int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, u64 size, u64 prot, unsigned max_shift);

/* Map n order-0 pages at va, 4 KiB each; one descent per table. Errors as pt_map(). */
int pt_map_pages(struct pagetable *pt, vaddr_t va, struct page *const *pages, u64 n, u64 prot);

/*
 * Clear the leaves of [va, va+size); holes are skipped. Returns how many 4 KiB pages were mapped.
 * A huge leaf that sticks out of the range is split first (if no table page can be had: report, it
 * stays). Tables stay (as in Linux) until pt_trim(). The TLB is the caller's business.
 */
u64 pt_unmap(struct pagetable *pt, vaddr_t va, u64 size);

/* Change leaf permission bits over a fully mapped range: entry = (entry & ~clear) | set. -ENOENT on a
 * hole, -ENOMEM when a huge leaf cannot be split, -EINVAL unaligned or bits that are no permissions;
 * then nothing has changed. No flush. */
int pt_protect(struct pagetable *pt, vaddr_t va, u64 size, u64 set, u64 clear);

/* Free table pages of [start, end) that have no entry; flushes the TLB (paging-structure caches)
 * before freeing. Top-level entries of the kernel half are never removed. The range lies in one
 * half; end 0 means 2^64. Returns how many were freed. */
u64 pt_trim(struct pagetable *pt, vaddr_t start, vaddr_t end);

/* Allocate the tables behind the top-level entries of [start, end), so that they never change again. */
int pt_populate_top(struct pagetable *pt, vaddr_t start, vaddr_t end);

/* The event log has gone on: no table is hot any more, nor will be while it is on, because the hot ways
 * tell nothing. So the log costs them nothing, not even an instruction, while it is off. */
void pt_cool(struct pagetable *pt);

/* One translation, level by level. */
struct pt_walk {
    pte_t *entry[PT_LEVELS]; /* by level; NULL below where the walk stopped */
    pte_t value[PT_LEVELS];
    unsigned stopped_at; /* level of the leaf, or of the entry that is not present */
    bool present;
    unsigned leaf_shift;             /* 12, 21, 30 */
    paddr_t physical;                /* of the very byte asked for */
    bool writable, executable, user; /* effective: all levels combined */
};
/* Any context (reads only; also inside a page fault). Returns walk->present. */
bool pt_walk(const struct pagetable *pt, vaddr_t address, struct pt_walk *walk);

/* The frame's address that `address` translates to, page offset included; false when nothing is mapped.
 * What pt_walk() would say about it, without the way there. Any context. */
bool pt_translate(const struct pagetable *pt, vaddr_t address, paddr_t *physical);

/* A run of identical leaves or of nothing. */
struct pt_run {
    vaddr_t start;
    u64 size;
    unsigned level; /* of the entries (leaf level, or the level where nothing is present) */
    pte_t entry;    /* the first entry's value; 0 when not present */
    bool present, writable, executable, user; /* effective */
};
/* Visit every entry (leaf or absent) of [start, end) in address order, unmerged, huge leaves and
 * absent subtrees as one, clipped to the range; end 0 means 2^64; the non-canonical hole is skipped.
 * `visit` returns false to stop. Read-only. */
void pt_visit(const struct pagetable *pt, vaddr_t start, vaddr_t end,
              bool (*visit)(void *ctx, const struct pt_run *run), void *ctx);

/* P2 over the whole kernel half: NULL, or a sentence naming the first W+X range or the first
 * executable page outside [text_start, text_end). */
const char *pt_check_wx(const struct pagetable *pt, vaddr_t text_start, vaddr_t text_end);

#endif
