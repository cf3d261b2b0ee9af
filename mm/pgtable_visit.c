// SPDX-License-Identifier: MIT
/*
 * Reading page tables: one address (pt_walk), a range (the cursor and pt_visit on top of it), and the
 * W^X rule P2 over the whole kernel half. Nothing here writes or locks: a reader sees each entry
 * whole, and tables of a range are freed only when nobody uses the range. Read next: mm/pgtable.c.
 */
#include "lib/format.h"
#include "mm/pgtable_internal.h"

#define ALL_GRANTED (PTE_W | PTE_U)

/* ---- one address ----------------------------------------------------------------------------- */

bool pt_walk(const struct pagetable *pt, vaddr_t address, struct pt_walk *walk)
{
    pte_t granted = ALL_GRANTED, denied = 0;
    pte_t *table = pt_root(pt);

    *walk = (struct pt_walk){.stopped_at = TOP_LEVEL};
    if (!address_is_canonical(address))
        return false;
    for (unsigned level = TOP_LEVEL;; level--) {
        pte_t *entry = &table[pt_index(address, level)];
        pte_t value = pte_load(entry);
        walk->entry[level] = entry;
        walk->value[level] = value;
        walk->stopped_at = level;
        if (!(value & PTE_P))
            return false;
        granted &= value;
        denied |= value;
        if (entry_is_leaf(value, level))
            break;
        table = entry_table(value);
    }
    unsigned level = walk->stopped_at;
    walk->present = true;
    walk->leaf_shift = pt_level_shift(level);
    walk->physical = leaf_frame(walk->value[level], level) | (address & (pt_level_size(level) - 1));
    walk->writable = granted & PTE_W;
    walk->user = granted & PTE_U;
    walk->executable = !(denied & PTE_NX);
    return true;
}

bool pt_translate(const struct pagetable *pt, vaddr_t address, paddr_t *physical)
{
    unsigned level;
    if (!address_is_canonical(address))
        return false;
    pte_t value = pte_load(pt_leaf_entry(pt, address, &level));
    *physical = leaf_frame(value, level) | (address & (pt_level_size(level) - 1));
    return value & PTE_P;
}

/* ---- a range --------------------------------------------------------------------------------- */

/* From the root down to the entry that decides about cursor->va. */
void pt_cursor_reload(struct pt_cursor *cursor)
{
    pte_t *table = pt_root(cursor->pt);

    cursor->granted = ALL_GRANTED;
    cursor->denied = 0;
    for (unsigned level = TOP_LEVEL;; level--) {
        cursor->level = level;
        cursor->entry = &table[pt_index(cursor->va, level)];
        cursor->value = pte_load(cursor->entry);
        if (!entry_is_table(cursor->value, level))
            return;
        cursor->granted &= cursor->value;
        cursor->denied |= cursor->value & PTE_NX;
        table = entry_table(cursor->value);
    }
}

void pt_cursor_begin(struct pt_cursor *cursor, const struct pagetable *pt, vaddr_t start,
                     vaddr_t last)
{
    cursor->pt = pt;
    cursor->va = start;
    cursor->last = last;
    cursor->done = start > last;
    if (!cursor->done)
        pt_cursor_reload(cursor);
}

/* Behind the entry; the range may end there (also by wrapping to 0), or the lower canonical half. */
void pt_cursor_next_slow(struct pt_cursor *cursor)
{
    vaddr_t next = pt_cursor_last(cursor) + 1;

    if (next == NON_CANONICAL_LOW)
        next = NON_CANONICAL_HIGH;
    cursor->done = next == 0 || next > cursor->last;
    if (cursor->done)
        return;
    cursor->va = next;
    pt_cursor_reload(cursor);
}

/* The entry under the cursor, clipped to [start, cursor->last]. */
static struct pt_run run_at(const struct pt_cursor *cursor, vaddr_t start)
{
    vaddr_t from = pt_cursor_start(cursor), to = pt_cursor_last(cursor);
    pte_t value = cursor->value;
    bool present = value & PTE_P;

    if (from < start)
        from = start;
    if (to > cursor->last)
        to = cursor->last;
    return (struct pt_run){
        .start = from,
        .size = to - from + 1,
        .level = cursor->level,
        .entry = present ? value : 0,
        .present = present,
        .writable = present && (value & cursor->granted & PTE_W),
        .user = present && (value & cursor->granted & PTE_U),
        .executable = present && !((value | cursor->denied) & PTE_NX),
    };
}

void pt_visit(const struct pagetable *pt, vaddr_t start, vaddr_t end,
              bool (*visit)(void *ctx, const struct pt_run *run), void *ctx)
{
    struct pt_cursor cursor;
    vaddr_t last = end - 1; /* end 0 means 2^64 */

    if (start >= NON_CANONICAL_LOW && start < NON_CANONICAL_HIGH)
        start = NON_CANONICAL_HIGH;
    if (last >= NON_CANONICAL_LOW && last < NON_CANONICAL_HIGH)
        last = NON_CANONICAL_LOW - 1;
    for (pt_cursor_begin(&cursor, pt, start, last); !cursor.done; pt_cursor_next(&cursor)) {
        struct pt_run run = run_at(&cursor, start);
        if (!visit(ctx, &run))
            return;
    }
}

/* ---- P2 -------------------------------------------------------------------------------------- */

struct wx_search {
    vaddr_t text_start, text_end;
    char *answer;
    size_t size;
};

static bool find_wx(void *ctx, const struct pt_run *run)
{
    struct wx_search *search = ctx;
    const char *problem;

    if (!run->executable)
        return true;
    if (run->writable)
        problem = "is writable and executable";
    else if (run->start < search->text_start || run->start + run->size > search->text_end)
        problem = "is executable but not kernel text";
    else
        return true;
    format_to(search->answer, search->size, "P2: [%#lx, %#lx) %s (level %u entry %#lx)", run->start,
              run->start + run->size, problem, run->level, run->entry);
    return false;
}

const char *pt_check_wx(const struct pagetable *pt, vaddr_t text_start, vaddr_t text_end)
{
    static char answer[160];
    struct wx_search search = {text_start, text_end, answer, sizeof(answer)};

    answer[0] = '\0';
    pt_visit(pt, NON_CANONICAL_HIGH, 0, find_wx, &search);
    return answer[0] ? answer : NULL;
}
