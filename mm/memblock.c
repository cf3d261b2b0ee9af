// SPDX-License-Identifier: MIT
/*
 * The boot-time allocator: the memory map minus one sorted table of reservations. An allocation is
 * the highest gap that fits, entered into the same table. Boot CPU only, no lock. Nothing is ever
 * given back: what the boot takes, it keeps. Read next: mm/buddy.c, which gets the rest.
 */
#include "mm/memblock.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "mm/port.h"

void memblock_init(struct memblock *mb, const struct memmap *map, paddr_t limit)
{
    memset(mb, 0, sizeof(*mb));
    mb->map = map;
    mb->limit = align_down(limit, PAGE_SIZE);
}

/* Index of the first reservation that ends above `at`; mb->count when there is none. */
static unsigned first_ending_above(const struct memblock *mb, paddr_t at)
{
    unsigned i = 0;
    while (i < mb->count && mb->reserved[i].end <= at)
        i++;
    return i;
}

/*
 * The first part of [*at, end) that is not reserved, as [*start, *stop); *at moves behind it. False
 * when all the rest is reserved.
 */
static bool next_gap(const struct memblock *mb, paddr_t *at, paddr_t end, paddr_t *start,
                     paddr_t *stop)
{
    unsigned i = first_ending_above(mb, *at);

    while (i < mb->count && mb->reserved[i].start <= *at)
        *at = mb->reserved[i++].end;
    if (*at >= end)
        return false;
    *start = *at;
    *stop = i < mb->count ? min_u64(end, mb->reserved[i].start) : end;
    *at = *stop;
    return true;
}

static bool same_kind(const struct memblock_reservation *r, const char *what)
{
    return strcmp(r->what, what) == 0;
}

/* May [start, end), which is free, simply extend reservation i - 1 upward or i downward? */
static bool extends_previous(const struct memblock *mb, unsigned i, paddr_t start, const char *what)
{
    return i > 0 && mb->reserved[i - 1].end == start && same_kind(&mb->reserved[i - 1], what);
}

static bool extends_next(const struct memblock *mb, unsigned i, paddr_t end, const char *what)
{
    return i < mb->count && mb->reserved[i].start == end && same_kind(&mb->reserved[i], what);
}

static void close_row(struct memblock *mb, unsigned i)
{
    mb->count--;
    memmove(&mb->reserved[i], &mb->reserved[i + 1], (mb->count - i) * sizeof(mb->reserved[0]));
}

/* Enter a free piece; false when it needs a row and the table is full. */
static bool insert_piece(struct memblock *mb, paddr_t start, paddr_t end, const char *what)
{
    unsigned i = first_ending_above(mb, start);

    if (extends_previous(mb, i, start, what)) {
        mb->reserved[i - 1].end = end;
        if (extends_next(mb, i, end, what)) {
            mb->reserved[i - 1].end = mb->reserved[i].end;
            close_row(mb, i);
        }
        return true;
    }
    if (extends_next(mb, i, end, what)) {
        mb->reserved[i].start = start;
        return true;
    }
    if (mb->count == MEMBLOCK_MAX_RESERVED)
        return false;
    memmove(&mb->reserved[i + 1], &mb->reserved[i], (mb->count - i) * sizeof(mb->reserved[0]));
    mb->reserved[i] = (struct memblock_reservation){start, end, what};
    mb->count++;
    return true;
}

/* How many rows the free parts of [start, end) will need: known before anything is changed. */
static unsigned rows_needed(const struct memblock *mb, paddr_t start, paddr_t end, const char *what)
{
    unsigned rows = 0;
    paddr_t from, to;

    for (paddr_t at = start; next_gap(mb, &at, end, &from, &to);) {
        unsigned i = first_ending_above(mb, from);
        rows += !extends_previous(mb, i, from, what) && !extends_next(mb, i, to, what);
    }
    return rows;
}

int memblock_reserve(struct memblock *mb, paddr_t start, paddr_t end, const char *what)
{
    paddr_t from, to;

    if (start > end)
        return -EINVAL;
    if (start == end)
        return 0;
    start = align_down(start, PAGE_SIZE);
    if (!align_up_checked(end, PAGE_SIZE, &end))
        end = PAGE_MASK; /* the last page of the address space is never RAM */
    if (mb->count + rows_needed(mb, start, end, what) > MEMBLOCK_MAX_RESERVED)
        return -ENOSPC;
    for (paddr_t at = start; next_gap(mb, &at, end, &from, &to);)
        if (!insert_piece(mb, from, to, what))
            port_panic("memblock: no row for %s at [%#lx, %#lx)", what, from, to);
    return 0;
}

/* The reservation with the highest address that overlaps [start, end), or NULL. */
static const struct memblock_reservation *highest_overlap(const struct memblock *mb, paddr_t start,
                                                          paddr_t end)
{
    const struct memblock_reservation *found = NULL;
    for (unsigned i = first_ending_above(mb, start); i < mb->count; i++) {
        if (mb->reserved[i].start >= end)
            break;
        found = &mb->reserved[i];
    }
    return found;
}

/*
 * The highest aligned place for `size` bytes in one range of RAM, or 0. A candidate that overlaps a
 * reservation moves down to end where the reservation starts.
 */
static paddr_t place_in_range(const struct memblock *mb, const struct memmap_range *range, u64 size,
                              u64 align)
{
    paddr_t top = min_u64(range->end, mb->limit);

    while (top > range->start && top - range->start >= size) {
        paddr_t candidate = align_down(top - size, align);
        if (candidate < range->start)
            return 0;
        const struct memblock_reservation *taken = highest_overlap(mb, candidate, candidate + size);
        if (!taken)
            return candidate;
        top = taken->start;
    }
    return 0;
}

paddr_t memblock_alloc(struct memblock *mb, u64 size, u64 align, const char *what)
{
    paddr_t found = 0;

    if (mb->sealed)
        port_panic("memblock is sealed: %s (%lu bytes) must come from the buddy now", what, size);
    ASSERT(is_power_of_two(align) && align >= PAGE_SIZE, "alignment %lu for %s", align, what);
    if (!align_up_checked(size, PAGE_SIZE, &size) || size == 0)
        return 0;
    for (unsigned i = mb->map->count; i > 0 && !found; i--)
        found = place_in_range(mb, &mb->map->ranges[i - 1], size, align);
    if (!found || !insert_piece(mb, found, found + size, what))
        return 0;
    mb->allocated_bytes += size;
    memset(phys_to_virt(found), 0, size);
    return found;
}

void memblock_for_each_free(const struct memblock *mb,
                            void (*visit)(void *ctx, paddr_t start, paddr_t end), void *ctx)
{
    paddr_t from, to;

    for (unsigned i = 0; i < mb->map->count; i++)
        for (paddr_t at = mb->map->ranges[i].start;
             next_gap(mb, &at, mb->map->ranges[i].end, &from, &to);)
            visit(ctx, from, to);
}

void memblock_seal(struct memblock *mb)
{
    mb->sealed = true;
}

const char *memblock_check(const struct memblock *mb)
{
    static char text[160];
    paddr_t previous = 0;

    if (mb->count > MEMBLOCK_MAX_RESERVED) {
        format_to(text, sizeof(text), "memblock: %u reservations, more than %u", mb->count,
                  MEMBLOCK_MAX_RESERVED);
        return text;
    }
    for (unsigned i = 0; i < mb->count; i++) {
        const struct memblock_reservation *r = &mb->reserved[i];
        const char *problem = NULL;
        if (r->start >= r->end)
            problem = "is empty or backwards";
        else if (!is_aligned(r->start | r->end, PAGE_SIZE))
            problem = "is not page-aligned";
        else if (r->start < previous)
            problem = "overlaps or precedes the one before it";
        if (problem) {
            format_to(text, sizeof(text), "memblock: reservation %u [%#lx, %#lx) \"%s\" %s", i,
                      r->start, r->end, r->what, problem);
            return text;
        }
        previous = r->end;
    }
    return NULL;
}
