// SPDX-License-Identifier: MIT
/*
 * The bar of `vmap`: terabytes of nothing with kilobytes of something in them, on one line.
 *   1 free ranges larger than twice everything in use become breaks (//), not drawn to scale
 *   2 what is left is drawn in proportion: whole columns per page, or whole pages per column
 *   3 a column shows the most important thing in it: busy, then lazy, guard, cached, free
 * Works on a snapshot; the cells are static, because only the shell draws.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/commands/vmap_views.h"

#define BREAK_COLUMNS 6
#define MAX_BREAKS 4
#define EDGES 4 /* two blanks, and the frame left and right */
#define MIN_BREAK (256 * KIB)
#define ADDRESS_DIGITS 16

/* In ascending importance: a column that holds several things shows the last of these. */
enum cell_kind {
    CELL_NOTHING,
    CELL_FREE,
    CELL_CACHED,
    CELL_GUARD,
    CELL_LAZY,
    CELL_BUSY,
    CELL_SEVERAL,
    CELL_BREAK
};

struct cell {
    enum cell_kind kind;
    u64 area;   /* CELL_BUSY: which busy area; CELL_BREAK: 1 in its middle */
    bool first; /* ... and this is its first column: the letter goes here */
};

struct axis {
    u64 break_above;      /* free ranges larger than this (bytes) are breaks */
    u64 linear, segments; /* pages drawn in proportion; runs of them between breaks */
    u64 breaks;
    u64 pages_per_column, columns_per_page; /* one of them is 1 */
    unsigned width;                         /* columns in all */
};

static struct cell cells[VIEW_COLUMNS_MAX];
static char
    labels[VIEW_COLUMNS_MAX]; /* addresses above the bar, each above the column it begins at */

/* Write an address above a column, if it touches no other one there. */
static void put_label(unsigned column, vaddr_t address)
{
    char text[ADDRESS_DIGITS + 1];

    if (column + ADDRESS_DIGITS >= sizeof(labels))
        return;
    for (unsigned i = column ? column - 1 : 0; i <= column + ADDRESS_DIGITS; i++)
        if (labels[i] != ' ')
            return;
    format_to(text, sizeof(text), "%016lx", address);
    memcpy(labels + column, text, ADDRESS_DIGITS);
}

char area_letter(u64 n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return n < sizeof(letters) - 1 ? letters[n] : '+';
}

enum color area_color(u64 n)
{
    static const enum color palette[] = {COLOR_GREEN, COLOR_CYAN, COLOR_MAGENTA, COLOR_BLUE};
    return palette[n % ARRAY_SIZE(palette)];
}

static bool is_break(const struct axis *axis, const struct range *range)
{
    return range->kind == VMAP_FREE && range_size(range) > axis->break_above;
}

/* Step 1. Count what is linear and what is broken with the present threshold. */
static void count(struct axis *axis, const struct snapshot *s)
{
    struct snapshot_cursor cursor;
    const struct range *range;
    bool in_segment = false;

    axis->linear = axis->segments = axis->breaks = 0;
    snapshot_begin(s, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL) {
        bool broken = is_break(axis, range);
        axis->breaks += broken;
        axis->segments += !broken && !in_segment;
        axis->linear += broken ? 0 : range_size(range) >> PAGE_SHIFT;
        in_segment = !broken;
    }
}

/* Steps 1 and 2: the threshold, then the scale that makes it fit. */
static void scale(struct axis *axis, const struct snapshot *s)
{
    struct snapshot_cursor cursor;
    const struct range *range;
    u64 used = 0;

    snapshot_begin(s, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL)
        used += range->kind == VMAP_FREE ? 0 : range_size(range);
    axis->width = view_columns() - EDGES;
    axis->break_above = max_u64(2 * used, MIN_BREAK);
    count(axis, s);
    /* Areas far apart make many breaks: then only the largest gaps are broken. */
    for (unsigned i = 0; axis->breaks > MAX_BREAKS && i < 40; i++) {
        axis->break_above *= 2;
        count(axis, s);
    }
    u64 room = axis->width - BREAK_COLUMNS * axis->breaks;
    axis->columns_per_page = axis->pages_per_column = 1;
    if (axis->linear && axis->linear * 2 <= room)
        axis->columns_per_page = min_u64(room / axis->linear, 4);
    /* Each segment starts on a column of its own and may leave its last one half full. */
    while (axis->linear / axis->pages_per_column + axis->segments > room)
        axis->pages_per_column *= 2;
}

/* Step 3. One column learns that something is in it. */
static void mark(unsigned column, enum cell_kind kind, u64 area, bool first)
{
    struct cell *cell = &cells[column];

    if (kind == CELL_BUSY && cell->kind >= CELL_BUSY)
        kind = CELL_SEVERAL;
    if (kind > cell->kind)
        *cell = (struct cell){kind, area, first};
}

/* Mark the columns of pages [from, to) of the segment that starts at column `base`. */
static void mark_pages(const struct axis *axis, unsigned base, u64 from, u64 to,
                       enum cell_kind kind, u64 area)
{
    u64 first = from * axis->columns_per_page / axis->pages_per_column;
    u64 last = (to * axis->columns_per_page - 1) / axis->pages_per_column;

    for (u64 c = first; c <= last && base + c < axis->width; c++)
        mark(base + (unsigned)c, kind, area, c == first);
}

static enum cell_kind cell_of(const struct range *range)
{
    switch (range->kind) {
    case VMAP_BUSY:
        return CELL_BUSY;
    case VMAP_LAZY:
        return CELL_LAZY;
    case VMAP_CACHED:
        return CELL_CACHED;
    default:
        return CELL_FREE;
    }
}

/* A break from column base on, six wide, or to the end of the bar when nothing follows it. Returns
 * the column behind it. */
static unsigned fill_break(const struct axis *axis, unsigned base, bool last, vaddr_t start)
{
    unsigned columns = last ? axis->width - base : BREAK_COLUMNS;

    put_label(base, start);
    for (unsigned i = 0; i < columns && base < axis->width; i++)
        cells[base++] = (struct cell){CELL_BREAK, i == columns / 2 - 1 || i == columns / 2, false};
    return base;
}

/* Fill the cells; returns how many columns are in use. */
static unsigned fill(const struct axis *axis, const struct snapshot *s)
{
    struct snapshot_cursor cursor;
    const struct range *range;
    unsigned base = 0;
    u64 page = 0, busy = 0; /* page: of the segment that starts at column base */

    memset(cells, 0, sizeof(cells));
    memset(labels, ' ', sizeof(labels));
    put_label(axis->width - ADDRESS_DIGITS, s->end);
    snapshot_begin(s, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL) {
        u64 pages = range_size(range) >> PAGE_SHIFT, guard = range_guard(range) >> PAGE_SHIFT;
        if (is_break(axis, range)) {
            if (page)
                base +=
                    (unsigned)((page * axis->columns_per_page - 1) / axis->pages_per_column) + 1;
            base = fill_break(axis, base, range->end == s->end, range->start);
            page = 0;
            continue;
        }
        if (page == 0)
            put_label(base, range->start);
        mark_pages(axis, base, page, page + pages - guard, cell_of(range), busy);
        if (guard)
            mark_pages(axis, base, page + pages - guard, page + pages, CELL_GUARD, busy);
        busy += range->kind == VMAP_BUSY;
        page += pages;
    }
    if (page)
        base += (unsigned)((page * axis->columns_per_page - 1) / axis->pages_per_column) + 1;
    return base < axis->width ? base : axis->width;
}

struct glyph {
    enum color color;
    const char *text;
};

static struct glyph glyph_of(const struct cell *cell)
{
    static char letter[2];

    switch (cell->kind) {
    case CELL_BUSY:
        letter[0] = area_letter(cell->area);
        return (struct glyph){area_color(cell->area), cell->first ? letter : "█"};
    case CELL_SEVERAL:
        return (struct glyph){COLOR_WHITE, "#"};
    case CELL_LAZY:
        return (struct glyph){COLOR_YELLOW, "▒"};
    case CELL_CACHED:
        return (struct glyph){COLOR_YELLOW, "o"};
    case CELL_GUARD:
        return (struct glyph){COLOR_RED, "░"};
    case CELL_BREAK:
        return (struct glyph){COLOR_BOLD, cell->area ? "/" : "·"};
    default:
        return (struct glyph){COLOR_DIM, "·"};
    }
}

/* The bar as one text, a colour code only where the colour changes. */
static void print_cells(unsigned width)
{
    static char line[VIEW_COLUMNS_MAX * 16];
    const enum color none = COLOR_RESET;
    enum color now = none;
    size_t at = 0;

    line[0] = '\0';
    for (unsigned i = 0; i < width; i++) {
        struct glyph glyph = glyph_of(&cells[i]);
        bool change = i == 0 || glyph.color != now;
        at += format_to(line + at, sizeof(line) - at, "%s%s%s", change ? color(none) : "",
                        change ? color(glyph.color) : "", glyph.text);
        now = glyph.color;
    }
    print("  │%s%s│\n", line, color(none));
}

static void print_frame(unsigned width, const char *left, const char *right)
{
    static char line[VIEW_COLUMNS_MAX * 3 + 1];
    size_t at = 0;

    for (unsigned i = 0; i < width; i++)
        at += format_to(line + at, sizeof(line) - at, "─");
    print("  %s%s%s\n", left, line, right);
}

static void print_legend(const struct axis *axis)
{
    u64 bytes = axis->pages_per_column << PAGE_SHIFT;
    char text[64];

    if (axis->columns_per_page > 1)
        format_to(text, sizeof(text), "%lu columns = one 4 KiB page", axis->columns_per_page);
    else
        format_to(text, sizeof(text), "one column = %pM", (void *)&bytes);
    print("  %sA█%s busy  %s░%s guard  %s▒%s lazy  %s·%s free  # several areas  "
          "%s//%s gap not drawn to scale\n",
          color(COLOR_GREEN), color(COLOR_RESET), color(COLOR_RED), color(COLOR_RESET),
          color(COLOR_YELLOW), color(COLOR_RESET), color(COLOR_DIM), color(COLOR_RESET),
          color(COLOR_BOLD), color(COLOR_RESET));
    print("  %s\n", text);
}

void vmap_bar(const struct snapshot *s)
{
    struct axis axis;

    scale(&axis, s);
    unsigned width = fill(&axis, s);
    print("   %.*s\n", (int)axis.width, labels);
    print_frame(width, "┌", "┐");
    print_cells(width);
    print_frame(width, "└", "┘");
    print_legend(&axis);
    if (s->lost)
        print("  the bar ends at %016lx: no memory for a copy of the rest\n", s->complete_to);
}
