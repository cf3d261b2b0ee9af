// SPDX-License-Identifier: MIT
/*
 * Page tables of the user half: making the way down to an entry, giving pages and tables back, splitting
 * 2 MiB leaves. Page references: one for each entry that has the page, one more for the store of a file.
 * No lock, see uspace.h. Keeps U5 (counts) and U6 (no table that no area needs). Read next: uspace_fault.c.
 */
#include "lib/bits.h"
#include "mm/uspace_internal.h"

pte_t user_leaf_bits(const struct vma *vma, bool writable)
{
    return PTE_U | PTE_A | (vma->prot == PROT_NONE ? 0 : PTE_P) | (writable ? PTE_W | PTE_D : 0) |
           (vma->prot & PROT_EXEC ? 0 : PTE_NX);
}

void user_flush(struct uspace *space, vaddr_t start, vaddr_t end)
{
    if (space == uspace_current())
        port_tlb_flush_user(start, end);
}

/* ---- the way down ------------------------------------------------------------------------------ */

/* All the tables first, then the links: nothing has to be taken back. */
__noinline pte_t *user_make_tables(struct uspace *space, vaddr_t va, pte_t *entry, unsigned from,
                                   unsigned level)
{
    paddr_t table[PT_LEVELS];

    ASSERT(pte_load(entry) == 0, "%#lx: a table is wanted where %#lx is, level %u", va,
           pte_load(entry), from);
    for (unsigned at = from; at > level; at--) {
        table[at] = pt_table_alloc(&space->pt);
        if (table[at])
            continue;
        while (++at <= from)
            pt_table_free(&space->pt, table[at]);
        return NULL;
    }
    for (unsigned at = from; at > level; at--) {
        EVENT(&space->pt, TABLE_NEW, va, table[at], at);
        pte_store(entry, table[at] | PTE_P | PTE_W | PTE_U | PTE_A);
        entry = (pte_t *)phys_to_virt(table[at]) + pt_index(va, at - 1);
    }
    return entry;
}

pte_t *user_entry_create(struct uspace *space, vaddr_t va, unsigned level)
{
    unsigned at;
    pte_t *entry = pt_leaf_entry(&space->pt, va, &at);

    return user_entry_below(space, va, entry, at, level);
}

/* ---- references -------------------------------------------------------------------------------- */

static inline void put_page(struct page *page)
{
    if (page->refcount > 1)
        page->refcount--;
    else
        buddy_free_from(&kernel_buddy, page, PAGE_USE_USER, CALLER());
}

void user_put_page(struct uspace *space, pte_t entry)
{
    struct page *page = user_entry_page(entry);

    if (page == user_zero_page)
        return;
    if (page->use == PAGE_USE_USER)
        space->stats.anon_pages--;
    else
        space->stats.file_pages--;
    put_page(page);
}

/* A block that fell apart while others mapped it as a whole is 512 pages with references of their own. */
void user_put_huge(struct uspace *space, pte_t entry)
{
    struct page *page = user_entry_page(entry & ~(HUGE_SIZE - 1));

    space->stats.anon_pages -= HUGE_PAGES;
    space->stats.huge_pages--;
    if (page->order != HUGE_ORDER) {
        for (u64 i = 0; i < HUGE_PAGES; i++)
            put_page(page + i);
    } else if (page->refcount > 1) {
        page->refcount--;
    } else {
        free_pages(page, HUGE_ORDER);
    }
}

/* ---- huge leaves -------------------------------------------------------------------------------- */

pte_t *user_huge_across(struct uspace *space, vaddr_t at)
{
    unsigned level;

    if (is_aligned(at, HUGE_SIZE))
        return NULL;
    pte_t *entry = pt_leaf_entry(&space->pt, at, &level);
    return level == 1 && pte_load(entry) ? entry : NULL;
}

void user_split_block(struct page *page)
{
    u32 users = page->refcount;

    if (page->order != HUGE_ORDER)
        return;
    buddy_split_allocated(&kernel_buddy, page, HUGE_ORDER);
    for (u64 i = 0; i < HUGE_PAGES; i++)
        page[i].refcount = users;
}

void user_split_huge(struct uspace *space, vaddr_t va, pte_t *entry, paddr_t table)
{
    pte_t huge = pte_load(entry), *leaf = phys_to_virt(table);

    user_split_block(user_entry_page(huge & ~(HUGE_SIZE - 1)));
    for (u64 i = 0; i < HUGE_PAGES; i++)
        pte_store(&leaf[i], (huge & ~PTE_PS) + (i << PAGE_SHIFT));
    EVENT(&space->pt, TABLE_NEW, va, table, 1);
    pte_store(entry, table | PTE_P | PTE_W | PTE_U | PTE_A);
    space->stats.huge_pages--;
    va = align_down(va, HUGE_SIZE);
    user_flush(space, va, va + HUGE_SIZE);
}

/* ---- giving back --------------------------------------------------------------------------------- */

struct zap {
    struct uspace *space;
    vaddr_t floor, ceiling;
    paddr_t chain; /* unlinked tables, through their first entries, as in pgtable_table.c */
    bool dropped;  /* something that the TLB may hold */
};

static void zap_leaves(struct zap *zap, vaddr_t start, pte_t *first, u64 n)
{
    for (pte_t *entry = first, *end = first + n; entry < end; entry++) {
        pte_t value = pte_load(entry);
        if (!value)
            continue;
        EVENT(NULL, PTE_CLEAR, start + ((u64)(entry - first) << PAGE_SHIFT), value, 0);
        pte_store(entry, 0);
        user_put_page(zap->space, value);
        zap->dropped = true;
    }
}

/* What an entry of `level` > 0 leads to, for the part [start, last] of its range. */
static void zap_below(struct zap *zap, pte_t *entry, unsigned level, vaddr_t start, vaddr_t last);

static void zap_table(struct zap *zap, pte_t *table, unsigned level, vaddr_t start, vaddr_t last)
{
    if (level == 0) {
        zap_leaves(zap, start, &table[pt_index(start, 0)], ((last - start) >> PAGE_SHIFT) + 1);
        return;
    }
    for (vaddr_t at = start;;) {
        vaddr_t stop = min_u64(at | (pt_level_size(level) - 1), last);
        zap_below(zap, &table[pt_index(at, level)], level, at, stop);
        if (stop == last)
            return;
        at = stop + 1;
    }
}

static void zap_below(struct zap *zap, pte_t *entry, unsigned level, vaddr_t start, vaddr_t last)
{
    pte_t value = pte_load(entry);
    vaddr_t from = align_down(start, pt_level_size(level));

    if (!value)
        return;
    if (level == 1 && value & PTE_PS) {
        ASSERT(last - start == HUGE_SIZE - 1, "[%#lx, %#lx] ends inside a huge leaf", start, last);
        EVENT(NULL, PTE_CLEAR, start, value, 1);
        pte_store(entry, 0);
        user_put_huge(zap->space, value);
        zap->dropped = true;
        return;
    }
    zap_table(zap, entry_table(value), level - 1, start, last);
    if (from < zap->floor || from + pt_level_size(level) > zap->ceiling)
        return;
    pte_store(entry, 0);
    pte_store(entry_table(value), zap->chain);
    zap->chain = value & PTE_FRAME;
}

static void free_chain(struct uspace *space, paddr_t chain)
{
    while (chain) {
        pte_t *table = phys_to_virt(chain);
        paddr_t next = pte_load(table);
        pte_store(table, 0);
        pt_table_free(&space->pt, chain);
        chain = next;
    }
}

void user_zap(struct uspace *space, vaddr_t start, vaddr_t end, vaddr_t floor, vaddr_t ceiling)
{
    struct zap zap = {.space = space, .floor = floor, .ceiling = ceiling};

    zap_table(&zap, pt_root(&space->pt), TOP_LEVEL, start, end - 1);
    if (zap.chain) /* empty tables too: a processor remembers the way to them */
        user_flush(space, USER_START, USER_END);
    else if (zap.dropped)
        user_flush(space, start, end);
    free_chain(space, zap.chain);
}
