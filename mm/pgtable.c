// SPDX-License-Identifier: MIT
/*
 * Changing page tables: map, unmap, protect. One descent (entry_create) and one cursor serve all
 * levels. pt->lock (irqsave) is held while entries change, so that no table disappears under a loop.
 * Every call either does all of its work or puts tables and entries back as they were; tables made by
 * the call in progress are marked PTE_NEW_TABLE in the entry above until it is certain that they stay.
 * Upholds P2 only as far as callers ask for sane bits. Read next: mm/pgtable_table.c, pgtable_visit.c.
 */
#include "mm/pgtable.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pgtable_internal.h"
#include "mm/pgtable_table.h"

struct pagetable kernel_pagetable;

/* Bits that pt_protect() may change. */
#define PERMISSION_BITS (PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_A | PTE_D | PTE_G | PTE_NX)

/* Page-aligned, not empty, no wrap, both ends in the same canonical half. */
static inline bool range_is_sane(vaddr_t va, u64 size)
{
    vaddr_t last;
    return size != 0 && is_aligned(va | size, PAGE_SIZE) && add_checked(va, size - 1, &last) &&
           address_is_canonical(va) && address_is_canonical(last) &&
           (va >= NON_CANONICAL_HIGH) == (last >= NON_CANONICAL_HIGH);
}

/* ---- map ------------------------------------------------------------------------------------- */

/* What to map: either `size` contiguous bytes from `pa` on, or one page after the other. */
struct mapping {
    vaddr_t va;
    u64 size;
    u64 prot;
    unsigned max_level;
    paddr_t pa;
    struct page *const *pages; /* NULL: contiguous */
};

/* The largest level whose leaf fits at offset `done`: both addresses aligned, enough left. */
static unsigned leaf_level(const struct mapping *m, u64 done)
{
    unsigned level = m->max_level;
    while (level > 0 && (!is_aligned((m->va + done) | (m->pa + done), pt_level_size(level)) ||
                         m->size - done < pt_level_size(level)))
        level--;
    return level;
}

/* prot is written for 4 KiB leaves: in a huge one, PAT is bit 12 and bit 7 says "leaf". */
static pte_t leaf_bits(u64 prot, unsigned level)
{
    if (level == 0)
        return prot;
    u64 pat = (prot & PTE_PAT_4K) ? PTE_PAT_HUGE : 0;
    return (prot & ~PTE_PAT_4K) | pat | PTE_PS;
}

/* ---- many entries of one table ----------------------------------------------------------------- */

/* Each step of these loops is one to four instructions: as many again would count to n. n is often 1,
 * and then the counting is all there is: 50 instructions less for a vmalloc() and vfree() of a page. */
#define BY_FOURS(n, step)                                                                          \
    do {                                                                                           \
        u64 at_ = 0;                                                                               \
        if (likely((n) == 1)) {                                                                    \
            step(0);                                                                               \
            break;                                                                                 \
        }                                                                                          \
        for (; at_ + 4 <= (n); at_ += 4) {                                                         \
            step(at_);                                                                             \
            step(at_ + 1);                                                                         \
            step(at_ + 2);                                                                         \
            step(at_ + 3);                                                                         \
        }                                                                                          \
        for (; at_ < (n); at_++)                                                                   \
            step(at_);                                                                             \
    } while (0)

static inline __attribute__((always_inline)) bool all_absent(const pte_t *entry, u64 n)
{
    pte_t any = 0;
#define LOOK(at) any |= pte_load(&entry[at])
    BY_FOURS(n, LOOK);
#undef LOOK
    return !(any & PTE_P);
}

static inline bool all_present(const pte_t *entry, u64 n)
{
    pte_t all = PTE_P;
#define LOOK(at) all &= pte_load(&entry[at])
    BY_FOURS(n, LOOK);
#undef LOOK
    return all;
}

static inline void clear_entries(pte_t *entry, u64 n)
{
#define CLEAR(at) pte_store(&entry[at], 0)
    BY_FOURS(n, CLEAR);
#undef CLEAR
}

/*
 * The heart of vmalloc: an entry per page. False, and all is as it was, if one of them is no page:
 * what is not in the array of pages (NULL, for one) has a frame number that no processor can have.
 */
static inline __attribute__((always_inline)) bool
fill_entries(pte_t *entry, struct page *const *pages, u64 n, pte_t bits)
{
    pte_t frames = 0;
#define FILL(at)                                                                                   \
    do {                                                                                           \
        paddr_t frame = page_to_phys(pages[at]);                                                   \
        frames |= frame;                                                                           \
        pte_store(&entry[at], frame | bits);                                                       \
    } while (0)
    BY_FOURS(n, FILL);
#undef FILL
    if (likely(!(frames & ~PTE_FRAME)))
        return true;
    clear_entries(entry, n);
    return false;
}

/*
 * Fill entries of one table from offset *done on: as many leaves of this level as are left and as the
 * table has room for (a larger leaf can become possible only where the next table begins). *done counts
 * what has been mapped, also when it ends with an error. A table in the way is left to the next
 * descent, which knows whether it is empty.
 */
static int fill_table(const struct mapping *m, u64 *done, pte_t *entry, unsigned level)
{
    u64 room = PT_ENTRIES - pt_index(m->va + *done, level);
    u64 left = (m->size - *done) >> pt_level_shift(level);
    pte_t bits = leaf_bits(m->prot, level);

    if (m->pages) {
        u64 n = min_u64(room, left);
        if (!all_absent(entry, n))
            return -EEXIST;
        if (!fill_entries(entry, m->pages + (*done >> PAGE_SHIFT), n, bits))
            return -EINVAL;
        *done += n << PAGE_SHIFT;
        return 0;
    }
    for (u64 n = min_u64(room, left); n > 0; n--, entry++) {
        pte_t value = pte_load(entry);
        if (value & PTE_P)
            return entry_is_table(value, level) ? 0 : -EEXIST;
        pte_store(entry, (m->pa + *done) | bits);
        *done += pt_level_size(level);
    }
    return 0;
}

/* n entries from `entry` on, as the event log has them: one record each. */
static void tell_entries(const struct pagetable *pt, enum event_kind kind, vaddr_t va,
                         const pte_t *entry, u64 level, u64 n)
{
    for (u64 i = 0; i < n; i++)
        if (pte_load(&entry[i]))
            event_record(pt, kind, va + (i << pt_level_shift((unsigned)level)), pte_load(&entry[i]),
                         level, 0);
}

static void clear_leaves(struct pagetable *pt, vaddr_t va, u64 size)
{
    struct pt_cursor cursor;
    for (pt_cursor_begin(&cursor, pt, va, va + size - 1); !cursor.done; pt_cursor_next(&cursor)) {
        EVENT(pt, PTE_CLEAR, pt_cursor_start(&cursor), cursor.value, cursor.level);
        pte_store(cursor.entry, 0);
    }
}

/*
 * 1. Descend to the table that holds the next leaf, making tables on the way.
 * 2. Fill it as far as it goes; repeat.
 * 3. Done: the new tables stay. Failed: clear our leaves, free the new tables, flush: a processor may
 *    have cached either, even though nobody has used the range yet.
 */
static __noinline int map_all(struct pagetable *pt, const struct mapping *m)
{
    u64 done = 0;
    int err = 0;
    u64 flags = spin_lock_irqsave(&pt->lock);
    u64 tables_before = pt->tables;

    while (done < m->size && err == 0) {
        unsigned level = leaf_level(m, done);
        pte_t *entry;
        err = pt_entry_create(pt, m->va + done, level, m->va >= NON_CANONICAL_HIGH ? 0 : PTE_U,
                              &entry);
        if (err == 0 && level == 0) {
            paddr_t table = virt_to_phys(entry - pt_index(m->va + done, 0));
            __atomic_store_n(&pt->hot, PT_HOT(m->va + done, table), __ATOMIC_RELAXED);
        }
        u64 before = done;
        if (err == 0)
            err = fill_table(m, &done, entry, level);
        if (event_on()) {
            pt->hot = PT_NOT_HOT; /* the hot ways tell nothing */
            if (done > before)
                EVENT_CALL(tell_entries, pt, EVENT_PTE_SET, m->va + before, entry, level,
                           (done - before) >> pt_level_shift(level));
        }
    }
    if (err && done)
        clear_leaves(pt, m->va, done);
    if (err && pt_drop_new_tables(pt, m->va, m->va + m->size - 1) == 0 && done)
        port_tlb_flush_all();
    if (!err && pt->tables != tables_before)
        pt_keep_new_tables(pt, m->va, m->va + m->size - 1);
    spin_unlock_irqrestore(&pt->lock, flags);
    return err;
}

int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, u64 size, u64 prot, unsigned max_shift)
{
    paddr_t pa_end;

    if (!range_is_sane(va, size) || !is_aligned(pa, PAGE_SIZE) || !(prot & PTE_P) ||
        (prot & (PTE_FRAME | PTE_NEW_TABLE)) || !add_checked(pa, size, &pa_end) ||
        pa_end > PTE_FRAME + PAGE_SIZE)
        return -EINVAL;
    if (max_shift != pt_level_shift(0) && max_shift != pt_level_shift(1) &&
        max_shift != pt_level_shift(2))
        return -EINVAL;
    struct mapping m = {va, size, prot, (max_shift - PAGE_SHIFT) / 9, pa, NULL};
    return map_all(pt, &m);
}

/*
 * All of it in the table where pages were mapped last: no descent, and no table can be missing. False,
 * with nothing changed, when it is elsewhere or something is in the way: map_all() finds out what.
 * The lock keeps the table: pt_trim() may be about to free it, empty as it can be.
 */
static inline bool map_pages_hot(struct pagetable *pt, vaddr_t va, struct page *const *pages, u64 n,
                                 u64 prot)
{
    u64 flags = spin_lock_irqsave(&pt->lock);
    pte_t *entry = pt_hot_entry(pt, va);
    bool done = entry && n <= PT_ENTRIES - pt_index(va, 0) && all_absent(entry, n) &&
                fill_entries(entry, pages, n, prot);

    spin_unlock_irqrestore(&pt->lock, flags);
    return done;
}

int pt_map_pages(struct pagetable *pt, vaddr_t va, struct page *const *pages, u64 n, u64 prot)
{
    u64 size = n << PAGE_SHIFT;

    if (likely(pages && n && is_aligned(va, PAGE_SIZE) && address_is_canonical(va) &&
               (prot & (PTE_P | PTE_FRAME | PTE_NEW_TABLE)) == PTE_P) &&
        map_pages_hot(pt, va, pages, n, prot))
        return 0;

    if (!pages || size >> PAGE_SHIFT != n || !range_is_sane(va, size) || !(prot & PTE_P) ||
        (prot & (PTE_FRAME | PTE_NEW_TABLE)))
        return -EINVAL;
    struct mapping m = {va, size, prot, 0, 0, pages};
    return map_all(pt, &m);
}

/* ---- huge leaves in pieces ------------------------------------------------------------------- */

/* Does the leaf under the cursor reach out of [start, last]? */
static inline bool leaf_sticks_out(const struct pt_cursor *cursor, vaddr_t start)
{
    if (likely(cursor->level == 0)) /* a page: ranges are whole pages */
        return false;
    return pt_cursor_start(cursor) < start || pt_cursor_last(cursor) > cursor->last;
}

/* A split that can be taken back: nothing but the entry and the table has changed. */
struct split_log {
    struct {
        pte_t *entry;
        pte_t value;
    } step[4]; /* 1 GiB -> 2 MiB -> 4 KiB at either end of the range */
    unsigned count;
};

static void undo_splits(struct pagetable *pt, const struct split_log *log)
{
    for (unsigned i = log->count; i-- > 0;)
        pt_unsplit(pt, log->step[i].entry, log->step[i].value);
}

/* Split whatever leaf contains `va` and sticks out of [start, last], until none does. */
static int split_at(struct pagetable *pt, vaddr_t va, vaddr_t start, vaddr_t last,
                    struct split_log *log)
{
    struct pt_cursor cursor;

    pt_cursor_begin(&cursor, pt, va, last);
    while (entry_is_leaf(cursor.value, cursor.level) && leaf_sticks_out(&cursor, start)) {
        pte_t old = cursor.value;
        int err = pt_split(pt, cursor.entry, cursor.level);
        if (err)
            return err;
        ASSERT(log->count < ARRAY_SIZE(log->step), "%u splits for one range", log->count);
        log->step[log->count].entry = cursor.entry;
        log->step[log->count++].value = old;
        pt_cursor_reload(&cursor);
    }
    return 0;
}

/* ---- unmap ----------------------------------------------------------------------------------- */

/* The huge leaf under the cursor is wanted in part only. False when it must stay as it is. */
static bool split_under(struct pagetable *pt, struct pt_cursor *cursor)
{
    if (pt_split(pt, cursor->entry, cursor->level) == 0) {
        pt_cursor_reload(cursor);
        return true;
    }
    port_report(
        "unmap [.., %#lx]: the %lu KiB leaf at %#lx stays mapped, no page for the table that "
        "would split it",
        cursor->last, pt_level_size(cursor->level) / KIB, pt_cursor_start(cursor));
    return false;
}

static __noinline u64 unmap_slow(struct pagetable *pt, vaddr_t va, u64 size)
{
    struct pt_cursor cursor;
    u64 pages = 0;

    if (!range_is_sane(va, size)) {
        port_report("unmap of [%#lx, +%#lx): not a range of whole pages in one half", va, size);
        return 0;
    }
    u64 flags = spin_lock_irqsave(&pt->lock);
    for (pt_cursor_begin(&cursor, pt, va, va + size - 1); !cursor.done; pt_cursor_next(&cursor)) {
        bool whole = true;
        while (whole && entry_is_leaf(cursor.value, cursor.level) && leaf_sticks_out(&cursor, va))
            whole = split_under(pt, &cursor);
        if (!whole || !(cursor.value & PTE_P))
            continue;
        EVENT(pt, PTE_CLEAR, pt_cursor_start(&cursor), cursor.value, cursor.level);
        pte_store(cursor.entry, 0);
        pages += pt_level_size(cursor.level) >> PAGE_SHIFT;
    }
    spin_unlock_irqrestore(&pt->lock, flags);
    return pages;
}

/*
 * Within one leaf table, all mapped: clear entry after entry. Without pt->lock: the entries belong to
 * the owner of the range, who is unique, and pt_trim() frees no table that still has one of them; with
 * the last one cleared the table is not touched any more. False, and nothing changed, if it is not so.
 */
static inline __attribute__((always_inline)) bool unmap_leaves(struct pagetable *pt, vaddr_t va,
                                                               u64 n)
{
    unsigned level = 0;
    pte_t *entry = pt_hot_entry(pt, va);

    if (unlikely(!entry)) {
        entry = pt_leaf_entry(pt, va, &level);
        if (event_on() && level == 0 && all_present(entry, n))
            EVENT_CALL(tell_entries, pt, EVENT_PTE_CLEAR, va, entry, 0, n);
    }
    if (unlikely(level != 0 || !all_present(entry, n)))
        return false;
    clear_entries(entry, n);
    return true;
}

u64 pt_unmap(struct pagetable *pt, vaddr_t va, u64 size)
{
    u64 n = size >> PAGE_SHIFT, done = 0;

    if (size == 0)
        return 0;
    if (likely(is_aligned(va | size, PAGE_SIZE) && address_is_canonical(va) &&
               n <= PT_ENTRIES - pt_index(va, 0)) &&
        unmap_leaves(pt, va, n))
        return n;
    if (unlikely(!range_is_sane(va, size)))
        return unmap_slow(pt, va, size);
    while (done < n) {
        u64 chunk = min_u64(n - done, PT_ENTRIES - pt_index(va, 0));
        if (!unmap_leaves(pt, va, chunk))
            return done + unmap_slow(pt, va, (n - done) << PAGE_SHIFT);
        done += chunk;
        va += chunk << PAGE_SHIFT;
    }
    return done;
}

/* ---- protect --------------------------------------------------------------------------------- */

static int check_mapped(const struct pagetable *pt, vaddr_t va, vaddr_t last)
{
    struct pt_cursor cursor;
    for (pt_cursor_begin(&cursor, pt, va, last); !cursor.done; pt_cursor_next(&cursor))
        if (!(cursor.value & PTE_P))
            return -ENOENT;
    return 0;
}

/*
 * 1. Everything must be mapped.  2. Split the leaves that reach over either end; take that back when
 * a table is missing.  3. Nothing can fail any more: change each leaf.
 */
int pt_protect(struct pagetable *pt, vaddr_t va, u64 size, u64 set, u64 clear)
{
    struct split_log log = {.count = 0};
    struct pt_cursor cursor;

    if (!range_is_sane(va, size) || ((set | clear) & ~PERMISSION_BITS))
        return -EINVAL;
    vaddr_t last = va + size - 1;
    u64 flags = spin_lock_irqsave(&pt->lock);
    int err = check_mapped(pt, va, last);
    if (err == 0)
        err = split_at(pt, va, va, last, &log);
    if (err == 0)
        err = split_at(pt, last, va, last, &log);
    if (err)
        undo_splits(pt, &log);
    else
        for (pt_cursor_begin(&cursor, pt, va, last); !cursor.done; pt_cursor_next(&cursor)) {
            EVENT(pt, PTE_SET, pt_cursor_start(&cursor), (cursor.value & ~clear) | set,
                  cursor.level);
            pte_store(cursor.entry, (cursor.value & ~clear) | set);
        }
    spin_unlock_irqrestore(&pt->lock, flags);
    return err;
}
