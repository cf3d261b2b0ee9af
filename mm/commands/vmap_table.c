// SPDX-License-Identifier: MIT
/*
 * The table of `vmap`: every range in address order. A guard page is a row of its own, because it
 * is what stands between two areas. Runs of equal areas are merged on request. A hole between two
 * rows would be a broken V4 and is drawn as such, in red. Works on a snapshot.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/commands/vmap_views.h"

#define MERGE_FROM 4     /* a run of fewer equal areas is shown in full */
#define FIXED_COLUMNS 57 /* everything before flags and caller */

struct table {
    struct snapshot_cursor cursor;
    u64 rows, limit; /* printed; 0 = no limit */
    u64 busy;        /* ordinal of the next busy area: its letter */
    vaddr_t expected;
    bool merge;
};

/* "vmalloc huge": what the area is for. */
static void describe(char *buf, size_t size, const struct range *range)
{
    format_to(buf, size, "%s%s%s%s", view_use(range->has_vm, range->flags),
              range->huge ? " huge" : "", range->flags & VM_NO_GUARD ? " no-guard" : "",
              range->flags & VM_UNINITIALIZED ? " (starting)" : "");
}

static void print_row(char letter, enum color hue, vaddr_t start, vaddr_t end, const char *kind,
                      const char *rest)
{
    u64 size = end - start;
    print("%s%c%s %016lx-%016lx %8pM %s%s%s%s\n", color(hue), letter, color(COLOR_RESET), start,
          end, (void *)&size, color(hue), kind, color(COLOR_RESET), rest);
}

static void print_busy(const struct range *range, u64 ordinal)
{
    char use[40], caller[80], rest[160];
    size_t guard = range_guard(range);

    describe(use, sizeof(use), range);
    size_t taken = FIXED_COLUMNS + max_u64(strlen(use), 7) + 1;
    view_caller(caller, sizeof(caller), range->caller,
                view_columns() > taken ? view_columns() - taken : 0);
    format_to(rest, sizeof(rest), "  %5lu %-7s %s", range->nr_pages, use, caller);
    print_row(area_letter(ordinal), area_color(ordinal), range->start, range->end - guard, "busy",
              rest);
    if (guard)
        print_row(' ', COLOR_RED, range->end - guard, range->end, "guard", "");
}

static void print_range(const struct range *range, u64 ordinal)
{
    switch (range->kind) {
    case VMAP_BUSY:
        print_busy(range, ordinal);
        break;
    case VMAP_LAZY:
        print_row(' ', COLOR_YELLOW, range->start, range->end, "lazy",
                  "        waits for its TLB flush");
        break;
    case VMAP_CACHED:
        print_row(' ', COLOR_YELLOW, range->start, range->end, "cache", "");
        break;
    default:
        print_row(' ', COLOR_DIM, range->start, range->end, "free", "");
    }
}

static bool alike(const struct range *a, const struct range *b)
{
    return a->end == b->start && a->kind == b->kind && a->kind != VMAP_FREE &&
           range_size(a) == range_size(b) && a->flags == b->flags && a->caller == b->caller &&
           a->has_vm == b->has_vm && a->huge == b->huge;
}

void vmap_range_line(const struct range *range)
{
    static const char *const kinds[] = {
        [VMAP_BUSY] = "busy", [VMAP_LAZY] = "lazy", [VMAP_CACHED] = "cached", [VMAP_FREE] = "free"};
    bool busy = range->kind == VMAP_BUSY;

    print("%016lx-%016lx %-6s %12lu guard=%lu", range->start, range->end, kinds[range->kind],
          range_size(range), busy ? range_guard(range) : 0);
    if (busy)
        print(" pages=%lu %s", range->nr_pages, view_use(range->has_vm, range->flags));
    if (busy && range->caller)
        print(" %pS", (void *)range->caller);
    print("\n");
}

/* How many ranges from the cursor on continue the run that `first` begins; *last is the end of it.
 */
static u64 run_length(const struct table *t, const struct range *first, const struct range **last)
{
    struct snapshot_cursor ahead = t->cursor;
    const struct range *range;
    u64 length = 1;

    *last = first;
    while ((range = snapshot_next(&ahead)) != NULL && alike(*last, range)) {
        *last = range;
        length++;
    }
    return length;
}

/* First and last of a run, and how many in between. The cursor stands behind the first. */
static void print_run(struct table *t, const struct range *first, const struct range *last,
                      u64 length)
{
    char number[VIEW_NUMBER];
    u64 pages = (range_size(first) - range_guard(first)) >> PAGE_SHIFT;

    print_range(first, t->busy);
    print("  %s… %s more %s areas of %lu page%s%s%s\n", color(COLOR_DIM),
          view_number(number, length - 2), first->kind == VMAP_LAZY ? "lazy" : "equal", pages,
          view_plural(pages), range_guard(first) ? " and a guard each" : "", color(COLOR_RESET));
    print_range(last, t->busy + (first->kind == VMAP_BUSY ? length - 1 : 0));
    for (u64 i = 1; i < length; i++)
        snapshot_next(&t->cursor);
}

/* V4: ranges tile the space. What this prints should never be seen. */
static void print_hole(vaddr_t from, vaddr_t to)
{
    print("%s! %016lx-%016lx %s: V4 is broken%s\n", color(COLOR_RED), from, to,
          from < to ? "belongs to no range" : "is covered twice", color(COLOR_RESET));
}

static void print_next(struct table *t, const struct range *range)
{
    const struct range *last = range;
    u64 length = t->merge ? run_length(t, range, &last) : 1;

    if (range->start != t->expected)
        print_hole(t->expected, range->start);
    if (length >= MERGE_FROM) {
        print_run(t, range, last, length);
    } else {
        length = 1;
        last = range;
        print_range(range, t->busy);
    }
    t->busy += range->kind == VMAP_BUSY ? length : 0;
    t->expected = last->end;
    t->rows++;
}

void vmap_table(const struct snapshot *s, u64 limit, bool merge)
{
    struct table t = {.limit = limit, .expected = s->start, .merge = merge};
    const struct range *range;
    char number[VIEW_NUMBER];

    snapshot_begin(s, &t.cursor);
    print("%s  start            end                  size kind  pages flags   caller%s\n",
          color(COLOR_BOLD), color(COLOR_RESET));
    while ((range = snapshot_next(&t.cursor)) != NULL) {
        if (t.limit && t.rows == t.limit) {
            u64 left = 1;
            while (snapshot_next(&t.cursor))
                left++;
            print("  … %s more ranges: `vmap list` shows them all\n", view_number(number, left));
            return;
        }
        if (view_stopped())
            return;
        print_next(&t, range);
    }
    if (s->lost)
        print("  … %s ranges from %016lx on did not fit into the copy that this table is made of\n",
              view_number(number, s->lost), s->complete_to);
    else if (t.expected != s->end)
        print_hole(t.expected, s->end);
}
