// SPDX-License-Identifier: MIT
/*
 * From what the boot loader says to what can be relied on. Nothing is copied or sorted: a sweep over
 * the addresses asks the raw entries at every border what is there, so the ranges come out ascending
 * by construction, whatever the order and the overlaps of the entries. Quadratic in the number of
 * entries (500 take two milliseconds), linear in memory: none. No lock: boot CPU, once.
 */
#include "mm/memmap.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/layout.h"

/* What the direct map cannot reach is no use; it also keeps every sum below from wrapping. */
#define ADDRESS_LIMIT DIRECT_MAP_SIZE

struct raw_map {
    const struct memmap_entry *entries;
    size_t count;
};

/* Where an entry ends, cut off at the limit: a length that wraps past 2^64 means "to the top". */
static u64 entry_end(const struct memmap_entry *entry)
{
    u64 end;
    return add_checked(entry->base, entry->length, &end) ? min_u64(end, ADDRESS_LIMIT)
                                                         : ADDRESS_LIMIT;
}

/* Beyond the table's limit RAM is not taken, but what is reserved there still counts. */
static bool entry_counts(const struct raw_map *raw, size_t i)
{
    return i < MEMMAP_MAX_RAW || raw->entries[i].type != MEMMAP_USABLE;
}

/* Is the byte at `at` usable, and up to where (*until > at) is the answer the same? */
static bool usable_at(const struct raw_map *raw, u64 at, u64 *until)
{
    bool usable = false, reserved = false;

    *until = ADDRESS_LIMIT;
    for (size_t i = 0; i < raw->count; i++) {
        const struct memmap_entry *entry = &raw->entries[i];
        u64 end = entry_end(entry);
        if (!entry_counts(raw, i) || entry->base >= end || end <= at)
            continue;
        if (entry->base > at) {
            *until = min_u64(*until, entry->base);
            continue;
        }
        *until = min_u64(*until, end);
        if (entry->type == MEMMAP_USABLE)
            usable = true;
        else
            reserved = true;
    }
    return usable && !reserved;
}

static unsigned smallest_range(const struct memmap *map)
{
    unsigned smallest = 0;
    for (unsigned i = 1; i < map->count; i++)
        if (map->ranges[i].end - map->ranges[i].start <
            map->ranges[smallest].end - map->ranges[smallest].start)
            smallest = i;
    return smallest;
}

/* A full table keeps the large ranges: five hundred crumbs must not push out the real memory. */
static bool make_room(struct memmap *map, u64 size)
{
    if (map->count < MEMMAP_MAX_RANGES)
        return true;
    unsigned victim = smallest_range(map);
    map->dropped++;
    if (map->ranges[victim].end - map->ranges[victim].start >= size)
        return false;
    map->usable_bytes -= map->ranges[victim].end - map->ranges[victim].start;
    map->count--;
    for (unsigned i = victim; i < map->count; i++)
        map->ranges[i] = map->ranges[i + 1];
    return true;
}

/* [start, end) bytes are usable and their neighbours are not: keep the whole pages among them. */
static void add_range(struct memmap *map, u64 start, u64 end)
{
    start = max_u64(align_up(start, PAGE_SIZE), PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    if (start >= end || !make_room(map, end - start))
        return;
    map->ranges[map->count++] = (struct memmap_range){start, end};
    map->usable_bytes += end - start;
}

int memmap_build(struct memmap *map, const struct memmap_entry *entries, size_t count)
{
    struct raw_map raw = {entries, count};
    u64 start = 0; /* of the usable run that the sweep is in */
    bool inside = false;

    map->count = 0;
    map->dropped = 0;
    map->usable_bytes = 0;
    if (count == 0)
        return -EINVAL;
    for (size_t i = MEMMAP_MAX_RAW; i < count; i++)
        map->dropped += !entry_counts(&raw, i);

    for (u64 at = 0, until; at < ADDRESS_LIMIT; at = until) {
        bool usable = usable_at(&raw, at, &until);
        if (usable && !inside)
            start = at;
        else if (!usable && inside)
            add_range(map, start, at);
        inside = usable;
    }
    if (inside)
        add_range(map, start, ADDRESS_LIMIT);
    return memmap_end(map) > 1 * MIB ? 0 : -ENOMEM;
}

paddr_t memmap_end(const struct memmap *map)
{
    return map->count ? map->ranges[map->count - 1].end : 0;
}

bool memmap_contains(const struct memmap *map, pfn_t pfn)
{
    unsigned low = 0, high = map->count; /* the answer, if there is one, is in [low, high) */

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (pfn < map->ranges[middle].start >> PAGE_SHIFT)
            high = middle;
        else if (pfn >= map->ranges[middle].end >> PAGE_SHIFT)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

const char *memmap_check(const struct memmap *map)
{
    static char text[160];
    paddr_t previous = 0; /* below PAGE_SIZE nothing may start: frame 0 is never RAM */
    u64 bytes = 0;

    if (map->count > MEMMAP_MAX_RANGES) {
        format_to(text, sizeof(text), "memory map: %u ranges, more than %u", map->count,
                  MEMMAP_MAX_RANGES);
        return text;
    }
    for (unsigned i = 0; i < map->count; i++) {
        const struct memmap_range *range = &map->ranges[i];
        const char *problem = NULL;
        if (range->start >= range->end)
            problem = "is empty or backwards";
        else if (!is_aligned(range->start | range->end, PAGE_SIZE))
            problem = "is not page-aligned";
        else if (range->start <= previous)
            problem = "touches, overlaps or precedes what comes before it";
        if (problem) {
            format_to(text, sizeof(text), "memory map: range %u [%#lx, %#lx) %s", i, range->start,
                      range->end, problem);
            return text;
        }
        previous = range->end;
        bytes += range->end - range->start;
    }
    if (bytes == map->usable_bytes)
        return NULL;
    format_to(text, sizeof(text), "memory map: the ranges hold %lu bytes, usable_bytes says %lu",
              bytes, map->usable_bytes);
    return text;
}

const char *memmap_type_name(u32 type)
{
    static const char *const names[] = {
        [1] = "usable",   [2] = "reserved", [3] = "ACPI reclaimable",
        [4] = "ACPI NVS", [5] = "bad RAM",  [6] = "EFI runtime",
    };
    static char number[24];

    if (type < ARRAY_SIZE(names) && names[type])
        return names[type];
    format_to(number, sizeof(number), "type %u", type);
    return number;
}
