// SPDX-License-Identifier: MIT
/*
 * The life of table pages. Processors cache not only translations but also the way to a table
 * (paging-structure caches, SDM 3A 4.10.3), so a table is freed in three steps: unlink it, flush, give
 * the page back. Between the first and the last step the tables wait on a chain that runs through
 * their own first entry: a page-aligned address has the present bit clear, so a processor that still
 * finds the table sees nothing in it. pt->lock (irqsave) guards everything here.
 */
#include "mm/pgtable_table.h"

#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/pgtable_internal.h"

paddr_t pt_table_alloc(struct pagetable *pt)
{
    if (should_fail(FAIL_TABLE))
        return 0;
    paddr_t table = pt->ops->alloc_table(pt->ctx);
    if (table)
        pt->tables++;
    return table;
}

void pt_table_free(struct pagetable *pt, paddr_t table)
{
    EVENT(pt, TABLE_FREE, table);
    pt->hot = PT_NOT_HOT;
    pt->tables--;
    pt->ops->free_table(pt->ctx, table);
}

void pt_cool(struct pagetable *pt)
{
    u64 flags = spin_lock_irqsave(&pt->lock);

    pt->hot = PT_NOT_HOT;
    spin_unlock_irqrestore(&pt->lock, flags);
}

int pt_init(struct pagetable *pt, const struct pt_ops *ops, void *ctx)
{
    *pt = (struct pagetable){.ops = ops, .ctx = ctx, .hot = PT_NOT_HOT};
    spin_init(&pt->lock, "page table");
    pt->root = pt_table_alloc(pt);
    return pt->root ? 0 : -ENOMEM;
}

void pt_set_ops(struct pagetable *pt, const struct pt_ops *ops, void *ctx)
{
    u64 flags = spin_lock_irqsave(&pt->lock);
    pt->ops = ops;
    pt->ctx = ctx;
    spin_unlock_irqrestore(&pt->lock, flags);
}

/* ---- unlink, flush, free --------------------------------------------------------------------- */

/* Take the table below `entry` out of the tree and onto the chain. */
static void unlink_table(pte_t *entry, paddr_t *chain)
{
    paddr_t table = pte_load(entry) & PTE_FRAME;

    pte_store(entry, 0);
    pte_store(phys_to_virt(table), *chain);
    *chain = table;
}

/* Returns how many tables were on the chain. */
static u64 flush_and_free(struct pagetable *pt, paddr_t chain)
{
    u64 freed = 0;

    if (chain)
        port_tlb_flush_all();
    while (chain) {
        pte_t *table = phys_to_virt(chain);
        paddr_t next = pte_load(table);
        pte_store(table, 0);
        pt_table_free(pt, chain);
        chain = next;
        freed++;
    }
    return freed;
}

/* ---- over all tables of a range -------------------------------------------------------------- */

struct table_visit {
    void (*each)(struct table_visit *visit, pte_t *entry, unsigned level);
    paddr_t chain; /* of unlinked tables */
};

/* Call each() for every entry of [start, last] that leads to a table, lower levels first. */
static void for_each_table(struct table_visit *visit, pte_t *table, unsigned level, vaddr_t start,
                           vaddr_t last)
{
    for (vaddr_t at = start;;) {
        pte_t *entry = &table[pt_index(at, level)];
        vaddr_t entry_last = at | (pt_level_size(level) - 1);
        vaddr_t stop = entry_last < last ? entry_last : last;
        pte_t value = pte_load(entry);
        if (entry_is_table(value, level)) {
            if (level > 1)
                for_each_table(visit, entry_table(value), level - 1, at, stop);
            visit->each(visit, entry, level);
        }
        if (stop == last)
            return;
        at = stop + 1;
    }
}

static u64 visit_tables(struct pagetable *pt, vaddr_t start, vaddr_t last,
                        void (*each)(struct table_visit *, pte_t *, unsigned))
{
    struct table_visit visit = {each, 0};
    for_each_table(&visit, pt_root(pt), TOP_LEVEL, start, last);
    return flush_and_free(pt, visit.chain);
}

static bool table_is_empty(pte_t value)
{
    const pte_t *table = entry_table(value);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (pte_load(&table[i]))
            return false;
    return true;
}

static void unlink_if_empty(struct table_visit *visit, pte_t *entry, unsigned level)
{
    pte_t value = pte_load(entry);
    /* The kernel half's top-level entries are shared by every address space: they stay for ever. */
    bool shared = level == TOP_LEVEL && !(value & PTE_U);
    if (!shared && table_is_empty(value))
        unlink_table(entry, &visit->chain);
}

static void unlink_if_new(struct table_visit *visit, pte_t *entry, unsigned level __unused)
{
    if (pte_load(entry) & PTE_NEW_TABLE)
        unlink_table(entry, &visit->chain);
}

static void keep_if_new(struct table_visit *visit __unused, pte_t *entry, unsigned level __unused)
{
    pte_t value = pte_load(entry);
    if (value & PTE_NEW_TABLE)
        pte_store(entry, value & ~PTE_NEW_TABLE);
}

static void unlink_any(struct table_visit *visit, pte_t *entry, unsigned level __unused)
{
    unlink_table(entry, &visit->chain);
}

void pt_keep_new_tables(struct pagetable *pt, vaddr_t start, vaddr_t last)
{
    visit_tables(pt, start, last, keep_if_new);
}

u64 pt_drop_new_tables(struct pagetable *pt, vaddr_t start, vaddr_t last)
{
    return visit_tables(pt, start, last, unlink_if_new);
}

u64 pt_trim(struct pagetable *pt, vaddr_t start, vaddr_t end)
{
    vaddr_t last = end - 1; /* end 0 means 2^64 */

    if (start > last)
        return 0;
    ASSERT(last < NON_CANONICAL_LOW || start >= NON_CANONICAL_HIGH,
           "trim of [%#lx, %#lx): not inside one half of the address space", start, end);
    u64 flags = spin_lock_irqsave(&pt->lock);
    u64 freed = visit_tables(pt, start, last, unlink_if_empty);
    spin_unlock_irqrestore(&pt->lock, flags);
    return freed;
}

void pt_fini(struct pagetable *pt)
{
    visit_tables(pt, 0, NON_CANONICAL_LOW - 1, unlink_any);
    visit_tables(pt, NON_CANONICAL_HIGH, ~0UL, unlink_any);
    pt_table_free(pt, pt->root);
    ASSERT(pt->tables == 0, "%lu tables left", pt->tables);
    pt->root = 0;
}

/* ---- the way down ---------------------------------------------------------------------------- */

/* The most permissive entry: what a leaf allows is said in the leaf. */
static pte_t table_entry(paddr_t table, pte_t user)
{
    return table | PTE_P | PTE_W | PTE_A | user;
}

/* A huge leaf is wanted where a table hangs: fine if nothing is left below it. */
static int remove_empty_table(struct pagetable *pt, pte_t *entry, unsigned level, vaddr_t va)
{
    struct table_visit visit = {unlink_if_empty, 0};

    if (level > 1)
        for_each_table(&visit, entry_table(pte_load(entry)), level - 1, va,
                       va + pt_level_size(level) - 1);
    unlink_if_empty(&visit, entry, level);
    flush_and_free(pt, visit.chain);
    return pte_load(entry) ? -EEXIST : 0;
}

int pt_entry_create(struct pagetable *pt, vaddr_t va, unsigned level, pte_t user, pte_t **out)
{
    pte_t *table = pt_root(pt);

    for (unsigned at = TOP_LEVEL; at > level; at--) {
        pte_t *entry = &table[pt_index(va, at)];
        pte_t value = pte_load(entry);
        if (entry_is_leaf(value, at))
            return -EEXIST;
        if (!(value & PTE_P)) {
            paddr_t fresh = pt_table_alloc(pt);
            if (!fresh)
                return -ENOMEM;
            EVENT(pt, TABLE_NEW, va, fresh, at);
            value = table_entry(fresh, user) | PTE_NEW_TABLE;
            pte_store(entry, value);
        }
        table = entry_table(value);
    }
    *out = &table[pt_index(va, level)];
    return entry_is_table(pte_load(*out), level) ? remove_empty_table(pt, *out, level, va) : 0;
}

int pt_populate_top(struct pagetable *pt, vaddr_t start, vaddr_t end)
{
    int err = 0;
    vaddr_t last = end - 1;
    u64 flags = spin_lock_irqsave(&pt->lock);

    for (vaddr_t at = start; err == 0;) {
        pte_t *entry;
        err = pt_entry_create(pt, at, TOP_LEVEL - 1, at >= NON_CANONICAL_HIGH ? 0 : PTE_U, &entry);
        vaddr_t entry_last = at | (pt_level_size(TOP_LEVEL) - 1);
        if (entry_last >= last)
            break;
        at = entry_last + 1;
    }
    if (err)
        pt_drop_new_tables(pt, start, last);
    else
        pt_keep_new_tables(pt, start, last);
    spin_unlock_irqrestore(&pt->lock, flags);
    return err;
}

/* ---- huge leaves ----------------------------------------------------------------------------- */

/*
 * The smaller leaf that means the same as a huge one. The page attribute bit sits at bit 12 of a huge
 * leaf but at bit 7 of a 4 KiB leaf, where the huge one says "leaf" (PS).
 */
static pte_t smaller_leaf(pte_t huge, unsigned level)
{
    pte_t bits = huge & ~PTE_FRAME;

    if (level - 1 > 0)
        return bits | (huge & PTE_PAT_HUGE);
    return (bits & ~PTE_PS) | ((huge & PTE_PAT_HUGE) ? PTE_PAT_4K : 0);
}

int pt_split(struct pagetable *pt, pte_t *entry, unsigned level)
{
    pte_t huge = pte_load(entry);
    ASSERT(level > 0 && entry_is_leaf(huge, level), "no huge leaf: %#lx at level %u", huge, level);
    paddr_t table = pt_table_alloc(pt);

    if (!table)
        return -ENOMEM;
    EVENT(pt, TABLE_NEW, 0, table, level);
    pte_t *below = phys_to_virt(table);
    pte_t leaf = smaller_leaf(huge, level) | leaf_frame(huge, level);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        pte_store(&below[i], leaf + i * pt_level_size(level - 1));
    pte_store(entry, table_entry(table, huge & PTE_U));
    return 0;
}

void pt_unsplit(struct pagetable *pt, pte_t *entry, pte_t leaf)
{
    paddr_t table = pte_load(entry) & PTE_FRAME;

    pte_store(entry, leaf);
    port_tlb_flush_all();
    pt_table_free(pt, table);
}
