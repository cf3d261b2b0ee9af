// SPDX-License-Identifier: MIT
/*
 * The cases of vmap_cases.h. Each opens one private space, arranges it, and states what must hold.
 * Addresses are written in pages: page 0 is the start of the space, wherever that is.
 */
#include "tests/shared/vmap_cases.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "lib/rng.h"

#define BASE 0x40000000UL    /* where most spaces start: aligned to a GiB */
#define NOWHERE (-PAGE_SIZE) /* the highest end that a window can have */
#define SLOTS 48

static struct vmap_space space;
static void *space_state;
static bool space_is_open;
static char sentence[320];

static __printf(3, 4) const char *wrong(int line, const char *cond, const char *format, ...)
{
    size_t n = format_to(sentence, sizeof(sentence), "vmap_cases.c:%d: %s: ", line, cond);
    va_list args;

    va_start(args, format);
    vformat_to(sentence + n, sizeof(sentence) - n, format, args);
    va_end(args);
    return sentence;
}

/* Leave the case with a sentence unless cond holds. */
#define EXPECT(cond, ...)                                                                          \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return wrong(__LINE__, #cond, __VA_ARGS__);                                            \
    } while (0)

/* ... unless the space is sound. */
#define EXPECT_SOUND()                                                                             \
    do {                                                                                           \
        const char *broken = vmap_space_check(&space);                                             \
        if (broken)                                                                                \
            return wrong(__LINE__, "sound", "%s", broken);                                         \
    } while (0)

static void *node_alloc(void *ctx)
{
    (void)ctx;
    return vmap_case_world.alloc(sizeof(struct vmap_area));
}

static void node_free(void *ctx, void *node)
{
    (void)ctx;
    vmap_case_world.free(node);
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

static void close_space(void)
{
    if (!space_is_open)
        return;
    space_is_open = false;
    vmap_space_fini(&space);
    vmap_case_world.free(space_state);
}

static int open_space(const struct vmap_design *design, vaddr_t start, vaddr_t end)
{
    u8 *bytes = vmap_case_world.alloc(design->state_size);
    int error;

    if (!bytes)
        return -ENOMEM;
    for (u64 i = 0; i < design->state_size; i++)
        bytes[i] = 0;
    space_state = bytes;
    error = vmap_space_init(&space, "case", design, start, end, bytes, &node_ops, NULL);
    space_is_open = error == 0;
    if (error)
        vmap_case_world.free(bytes);
    return error;
}

#define OPEN(design, start, end)                                                                   \
    do {                                                                                           \
        int open_error = open_space(design, start, end);                                           \
        EXPECT(open_error == 0, "%s", errno_name(open_error));                                     \
    } while (0)

static const char *case_each(const struct vmap_design *const *table,
                             const char *(*run)(const struct vmap_design *design))
{
    static char text[sizeof(sentence) + 32];

    for (; *table; table++) {
        const char *answer = run(*table);

        fail_disarm(FAIL_NODE);
        close_space();
        if (answer) {
            format_to(text, sizeof(text), "%s: %s", (*table)->name, answer);
            return text;
        }
    }
    return NULL;
}

const char *vmap_case_every_design(const char *(*run)(const struct vmap_design *design))
{
    const char *answer = case_each(vmap_designs, run);

    return answer ? answer : case_each(vmap_variants, run);
}

static vaddr_t at_page(u64 page)
{
    return space.start + page * PAGE_SIZE;
}

/* Allocate anywhere: the error, and the area in *out. Sizes and alignments in pages. */
static int alloc_pages_anywhere(u64 pages, u64 align, struct vmap_area **out)
{
    return vmap_space_alloc(&space, pages * PAGE_SIZE, align * PAGE_SIZE, space.start, space.end, 0,
                            out);
}

/* Reserve exactly the pages [first, first + pages); NULL when that fails. */
static struct vmap_area *reserve(u64 first, u64 pages)
{
    struct vmap_area *area;
    int error = vmap_space_alloc(&space, pages * PAGE_SIZE, PAGE_SIZE, at_page(first),
                                 at_page(first + pages), 0, &area);

    return error ? NULL : area;
}

const char *vmap_case_refuses_bad_requests(const struct vmap_design *design)
{
    static const struct {
        u64 size, align;
        vaddr_t lo, hi;
    } bad[] = {
        {0, PAGE_SIZE, BASE, BASE + MIB},
        {1, PAGE_SIZE, BASE, BASE + MIB},
        {PAGE_SIZE + 1, PAGE_SIZE, BASE, BASE + MIB},
        {~0UL, PAGE_SIZE, BASE, BASE + MIB},
        {PAGE_SIZE, 0, BASE, BASE + MIB},
        {PAGE_SIZE, 1, BASE, BASE + MIB},
        {PAGE_SIZE, PAGE_SIZE / 2, BASE, BASE + MIB},
        {PAGE_SIZE, 3 * PAGE_SIZE, BASE, BASE + MIB},
        {PAGE_SIZE, ~0UL, BASE, BASE + MIB},
        {PAGE_SIZE, PAGE_SIZE, BASE + 1, BASE + MIB},
        {PAGE_SIZE, PAGE_SIZE, BASE, BASE + MIB - 1},
        {PAGE_SIZE, PAGE_SIZE, BASE, ~0UL},
        {PAGE_SIZE, PAGE_SIZE, BASE, BASE},
        {PAGE_SIZE, PAGE_SIZE, BASE + MIB, BASE},
        {PAGE_SIZE, PAGE_SIZE, BASE, 0},
    };
    struct vmap_area *area;

    OPEN(design, BASE, BASE + MIB);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        int error =
            vmap_space_alloc(&space, bad[i].size, bad[i].align, bad[i].lo, bad[i].hi, 0, &area);
        EXPECT(error == -EINVAL && !area, "bad request %u: %s", i, errno_name(error));
    }
    EXPECT(space.stats.busy_areas == 0 && space.operations == 0, "a refusal is no operation");
    EXPECT_SOUND();
    return NULL;
}

const char *vmap_case_refuses_bad_spaces(const struct vmap_design *design)
{
    static const vaddr_t bad[][2] = {
        {BASE, BASE}, {BASE + MIB, BASE}, {BASE + 1, BASE + MIB}, {BASE, BASE + 100}, {BASE, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        int error = open_space(design, bad[i][0], bad[i][1]);
        EXPECT(error == -EINVAL, "bad space %u: %s", i, errno_name(error));
    }
    EXPECT(!vmap_design_find("") && !vmap_design_find("freetreex"),
           "an unknown name has no design");
    EXPECT(vmap_design_find(design->name) == design, "found by its name");
    return NULL;
}

/* Bug 1: searching for size + align - 1 bytes, a window of exactly the size asked for was refused. */
const char *vmap_case_exact_window_large_alignment(const struct vmap_design *design)
{
    struct vmap_area *area;
    vaddr_t lo = BASE + 2 * MIB;
    int error;

    if (design->caps & VMAP_CAP_GIVES_UP)
        return NULL;
    OPEN(design, BASE, BASE + 16 * MIB);
    error = vmap_space_alloc(&space, 2 * MIB, 2 * MIB, lo, lo + 2 * MIB, 0, &area);
    EXPECT(error == 0, "%s", errno_name(error));
    EXPECT(area->va_start == lo && area->va_end == lo + 2 * MIB, "at %#lx", area->va_start);
    error = vmap_space_alloc(&space, 2 * MIB, 2 * MIB, lo, lo + 2 * MIB, 0, &area);
    EXPECT(error == -ENOSPC, "the same window again: %s", errno_name(error));
    EXPECT_SOUND();
    close_space();
    OPEN(design, BASE, BASE + 2 * MIB); /* a space of exactly that size */
    EXPECT(alloc_pages_anywhere(512, 512, &area) == 0, "all of the space");
    EXPECT_SOUND();
    return NULL;
}

/* Bug 1 again: larger holes come first, but only one hole holds an aligned start. */
const char *vmap_case_one_aligned_hole(const struct vmap_design *design)
{
    struct vmap_area *area;
    int error;

    if (design->caps & VMAP_CAP_GIVES_UP)
        return NULL;
    OPEN(design, BASE, BASE + 256 * PAGE_SIZE);
    /* Free: [1,16) [17,32) ... each 15 pages and none with an aligned 16; and exactly [128,144). */
    for (u64 page = 0; page < 256; page += 16)
        if (page != 128)
            EXPECT(reserve(page, 1), "page %lu", page);
    EXPECT(reserve(127, 1), "the page before the hole");
    EXPECT_SOUND();
    error = alloc_pages_anywhere(16, 16, &area);
    EXPECT(error == 0, "%s", errno_name(error));
    EXPECT(area->va_start == at_page(128), "at %#lx", area->va_start);
    error = alloc_pages_anywhere(16, 16, &area);
    EXPECT(error == -ENOSPC, "there was only one: %s", errno_name(error));
    EXPECT(alloc_pages_anywhere(15, 1, &area) == 0, "one of 15");
    EXPECT(area->va_start == at_page(1) || !(design->caps & VMAP_CAP_LOWEST_FIT), "first of 15");
    EXPECT(alloc_pages_anywhere(8, 8, &area) == 0, "one of 8");
    EXPECT(area->va_start == at_page(24) || !(design->caps & VMAP_CAP_LOWEST_FIT), "first of 8");
    EXPECT_SOUND();
    return NULL;
}

/* Bug 2: address + size wraps at the end of the address space. */
const char *vmap_case_last_page_of_the_address_space(const struct vmap_design *design)
{
    struct vmap_area *area;
    int error;

    OPEN(design, -64 * PAGE_SIZE, NOWHERE);
    for (u64 i = 0; i < 63; i++) {
        error = alloc_pages_anywhere(1, 1, &area);
        EXPECT(error == 0 && area->va_start == at_page(i), "page %lu: %s", i, errno_name(error));
    }
    EXPECT(area->va_end == NOWHERE, "the last page ends at %#lx", area->va_end);
    EXPECT(vmap_space_find(&space, NOWHERE - 1) == area, "find in the last page");
    EXPECT(!vmap_space_find(&space, NOWHERE) && !vmap_space_find(&space, ~0UL), "and behind it");
    EXPECT(alloc_pages_anywhere(1, 1, &area) == -ENOSPC, "full");
    EXPECT_SOUND();
    vmap_space_free(&space, vmap_space_find(&space, NOWHERE - 1));
    error = vmap_space_alloc(&space, PAGE_SIZE, 2 * PAGE_SIZE, space.start, NOWHERE, 0, &area);
    EXPECT(error == 0 && area->va_start == at_page(62), "even page: %s", errno_name(error));
    vmap_space_free(&space, area);
    for (u64 align = 64 * PAGE_SIZE; align; align <<= 1) {
        /* page 0 is taken and the next aligned address would be 2^64 */
        error =
            vmap_space_alloc(&space, PAGE_SIZE, align, space.start + PAGE_SIZE, NOWHERE, 0, &area);
        EXPECT(error == -ENOSPC, "align %#lx: %s", align, errno_name(error));
    }
    EXPECT_SOUND();
    return NULL;
}

/* Bug 2: sizes near 2^64. */
const char *vmap_case_sizes_near_the_top_do_not_wrap(const struct vmap_design *design)
{
    static const u64 sizes[] = {-PAGE_SIZE,       -2 * PAGE_SIZE, -(1UL << 30), -(1UL << 47),
                                1UL << 63,        1UL << 47,      1UL << 46,    257 * PAGE_SIZE,
                                -256 * PAGE_SIZE, 1UL << 62,      TIB,          -BASE};
    struct vmap_area *area;

    OPEN(design, BASE, BASE + 256 * PAGE_SIZE);
    EXPECT(reserve(3, 2), "something to walk past");
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (u64 align = PAGE_SIZE; align; align <<= 1) {
            int error = vmap_space_alloc(&space, sizes[i], align, 0, NOWHERE, 0, &area);
            EXPECT(error == -ENOSPC && !area, "size %#lx align %#lx: %s", sizes[i], align,
                   errno_name(error));
        }
    }
    EXPECT(space.stats.busy_areas == 1 && space.stats.free_extents == 2, "nothing changed");
    EXPECT_SOUND();
    return NULL;
}

/* Bug 3: after a purge the search went on from where it had failed, not from the bottom. */
const char *vmap_case_lowest_again_after_a_lazy_free(const struct vmap_design *design)
{
    struct vmap_area *lowest, *area;
    vaddr_t start;

    OPEN(design, BASE, BASE + 16 * PAGE_SIZE);
    EXPECT(alloc_pages_anywhere(2, 1, &lowest) == 0, "the lowest");
    start = lowest->va_start;
    while (alloc_pages_anywhere(2, 1, &area) == 0)
        ;
    vmap_space_retire(&space, lowest);
    EXPECT(alloc_pages_anywhere(2, 1, &area) == -ENOSPC, "P3: retired is not reusable");
    vmap_space_free(&space, lowest);
    EXPECT(alloc_pages_anywhere(2, 1, &area) == 0, "after the flush");
    EXPECT(area->va_start == start, "at %#lx, not at %#lx", area->va_start, start);
    EXPECT_SOUND();
    return NULL;
}

/* Bug 4: a hint kept from a large alignment hid the lower hole from a small one. */
const char *vmap_case_small_after_large_alignment(const struct vmap_design *design)
{
    struct vmap_area *area;

    if (!(design->caps & VMAP_CAP_LOWEST_FIT))
        return NULL;
    OPEN(design, BASE, BASE + 64 * PAGE_SIZE);
    EXPECT(reserve(0, 1), "so that aligned requests leave holes behind");
    EXPECT(alloc_pages_anywhere(1, 16, &area) == 0 && area->va_start == at_page(16), "16");
    EXPECT(alloc_pages_anywhere(1, 8, &area) == 0 && area->va_start == at_page(8), "8");
    EXPECT(alloc_pages_anywhere(7, 1, &area) == 0 && area->va_start == at_page(1), "[1,8)");
    EXPECT(alloc_pages_anywhere(8, 1, &area) == 0 && area->va_start == at_page(17), "[17,25)");
    EXPECT(alloc_pages_anywhere(1, 1, &area) == 0 && area->va_start == at_page(9), "[9,10)");
    EXPECT(vmap_space_alloc(&space, PAGE_SIZE, PAGE_SIZE, at_page(30), space.end, 0, &area) == 0 &&
               area->va_start == at_page(30),
           "from 30 on");
    EXPECT(alloc_pages_anywhere(2, 2, &area) == 0 && area->va_start == at_page(10), "[10,12)");
    EXPECT_SOUND();
    return NULL;
}

static bool counts_are(u64 full, u64 left, u64 right, u64 inner)
{
    const struct vmap_stats *stats = &space.stats;

    return stats->fit_full == full && stats->fit_left == left && stats->fit_right == right &&
           stats->fit_inner == inner;
}

/* Bug 6: the three-way branch of the split. All four cases, in one space of 12 pages. */
const char *vmap_case_every_fit_type(const struct vmap_design *design)
{
    if (!(design->caps & VMAP_CAP_LOWEST_FIT))
        return NULL;
    OPEN(design, BASE, BASE + 12 * PAGE_SIZE); /* ............ */
    EXPECT(reserve(4, 2) && counts_are(0, 0, 0, 1), "NE: ....##......");
    EXPECT(space.stats.free_extents == 2, "two parts remain");
    EXPECT(reserve(0, 1) && counts_are(0, 1, 0, 1), "LE: #...##......");
    EXPECT(reserve(10, 2) && counts_are(0, 1, 1, 1), "RE: #...##....##");
    EXPECT(reserve(1, 3) && counts_are(1, 1, 1, 1), "FL: ######....##");
    EXPECT(space.stats.free_extents == 1 && space.stats.free_bytes == 4 * PAGE_SIZE, "[6,10)");
    EXPECT_SOUND();
    return NULL;
}

/* Bug 7: alignments up to 2^63; too large ones are refused by the right error, none crashes. */
const char *vmap_case_every_alignment_shift(const struct vmap_design *design)
{
    OPEN(design, BASE, BASE + GIB); /* BASE is aligned to a GiB and not to more */
    for (unsigned shift = 0; shift < 64; shift++) {
        struct vmap_area *area;
        int expected = shift < PAGE_SHIFT ? -EINVAL : shift <= 30 ? 0 : -ENOSPC;
        int error = vmap_space_alloc(&space, PAGE_SIZE, 1UL << shift, 0, NOWHERE, 0, &area);
        EXPECT(error == expected, "1 << %u: %s", shift, errno_name(error));
        if (!error) {
            EXPECT(is_aligned(area->va_start, 1UL << shift), "1 << %u: %#lx", shift,
                   area->va_start);
            vmap_space_free(&space, area);
        }
    }
    EXPECT_SOUND();
    return NULL;
}

const char *vmap_case_merges_left_right_both_none(const struct vmap_design *design)
{
    struct vmap_area *areas[9];
    static const struct {
        u64 page, merges, extents;
    } steps[] = {
        {2, 0, 1}, /* ##.###### joins nobody */
        {3, 1, 1}, /* ##..##### joins the left */
        {1, 2, 1}, /* #...##### joins the right */
        {5, 2, 2}, /* #...#.### */
        {4, 4, 1}, /* #.....### joins both */
        {8, 4, 2}, /* #.....##. */
        {7, 5, 2}, /* #.....#.. */
        {0, 6, 2}, /* ......#.. */
        {6, 8, 1}, /* ......... */
    };

    OPEN(design, BASE, BASE + 9 * PAGE_SIZE);
    for (u64 page = 0; page < 9; page++)
        EXPECT((areas[page] = reserve(page, 1)) != NULL, "page %lu", page);
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        vmap_space_free(&space, areas[steps[i].page]);
        EXPECT(space.stats.merges == steps[i].merges, "step %u: %lu", i, space.stats.merges);
        EXPECT(space.stats.free_extents == steps[i].extents, "step %u: %lu extents", i,
               space.stats.free_extents);
        EXPECT_SOUND();
    }
    EXPECT(vmap_space_stats(&space).largest_free == 9 * PAGE_SIZE, "one free range is left");
    return NULL;
}

/* What a failed call must leave as it was. */
static bool same_state(const struct vmap_stats *before)
{
    const struct vmap_stats *now = &space.stats;

    return now->busy_areas == before->busy_areas && now->free_extents == before->free_extents &&
           now->busy_bytes == before->busy_bytes && now->free_bytes == before->free_bytes &&
           now->nodes == before->nodes && now->merges == before->merges &&
           counts_are(before->fit_full, before->fit_left, before->fit_right, before->fit_inner);
}

/* Bug 10: the k-th descriptor fails, for every k until the call needs no more; once and for ever. */
const char *vmap_case_descriptor_failure_changes_nothing(const struct vmap_design *design)
{
    OPEN(design, BASE, BASE + 64 * PAGE_SIZE);
    EXPECT(reserve(0, 4), "[0,4)");
    for (unsigned forever = 0; forever <= 1; forever++) {
        u64 page = forever ? 40 : 20, failed = 0;
        struct vmap_area *area = NULL;

        for (u64 k = 1; !area; k++) { /* in the middle of free space: NE, the most that is needed */
            struct vmap_stats before = space.stats;
            int error;

            fail_arm(FAIL_NODE, k, forever);
            error = vmap_space_alloc(&space, 4 * PAGE_SIZE, PAGE_SIZE, at_page(page),
                                     at_page(page + 4), 0, &area);
            fail_disarm(FAIL_NODE);
            EXPECT(error == (area ? 0 : -ENOMEM), "k = %lu: %s", k, errno_name(error));
            EXPECT(area || same_state(&before), "k = %lu changed something", k);
            EXPECT_SOUND();
            failed += !area;
            EXPECT(k < 20, "k = %lu, and it still fails", k);
        }
        EXPECT(failed >= 1, "no failure was seen");
    }
    return NULL;
}

const char *vmap_case_windows(const struct vmap_design *design)
{
    static const struct {
        s64 lo, hi, size, expected; /* pages; expected -1: no room */
    } cases[] = {
        {0, 32, 4, 0},   {5, 32, 3, 5},     {5, 32, 4, 16},    {8, 12, 4, -1},  {8, 16, 4, -1},
        {9, 21, 5, 16},  {9, 20, 5, -1},    {12, 20, 4, 16},   {28, 32, 4, 28}, {29, 32, 4, -1},
        {-64, 4, 4, 0},  {-64, 3, 4, -1},   {-64, 0, 1, -1},   {32, 64, 1, -1}, {30, 64, 2, 30},
        {31, 64, 2, -1}, {-64, 96, 16, 16}, {-64, 96, 17, -1}, {1, 8, 7, 1},    {1, 8, 8, -1},
        {7, 16, 1, 7},
    };

    OPEN(design, BASE, BASE + 32 * PAGE_SIZE);
    EXPECT(reserve(8, 8), "........########................");
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vmap_area *area;
        int error =
            vmap_space_alloc(&space, (u64)cases[i].size * PAGE_SIZE, PAGE_SIZE,
                             at_page((u64)cases[i].lo), at_page((u64)cases[i].hi), 0, &area);
        EXPECT(error == (cases[i].expected < 0 ? -ENOSPC : 0), "window %u: %s", i,
               errno_name(error));
        if (!error) {
            EXPECT(!(design->caps & VMAP_CAP_LOWEST_FIT) ||
                       area->va_start == at_page((u64)cases[i].expected),
                   "window %u: at %#lx", i, area->va_start);
            vmap_space_free(&space, area);
        }
        EXPECT_SOUND();
    }
    return NULL;
}

const char *vmap_case_find_at_every_edge(const struct vmap_design *design)
{
    struct vmap_area *first, *second;

    OPEN(design, BASE, BASE + 16 * PAGE_SIZE);
    EXPECT(!vmap_space_find(&space, at_page(3)), "nothing there yet");
    EXPECT((first = reserve(3, 2)) && (second = reserve(5, 1)), "[3,5) and [5,6)");
    EXPECT(!vmap_space_find(&space, at_page(3) - 1), "the byte before");
    EXPECT(vmap_space_find(&space, at_page(3)) == first, "the first byte");
    EXPECT(vmap_space_find(&space, at_page(4) + 123) == first, "in the middle");
    EXPECT(vmap_space_find(&space, at_page(5) - 1) == first, "the last byte");
    EXPECT(vmap_space_find(&space, at_page(5)) == second, "the neighbour's first byte");
    EXPECT(vmap_space_find(&space, at_page(6) - 1) == second, "the neighbour's last byte");
    EXPECT(!vmap_space_find(&space, at_page(6)), "the byte behind");
    EXPECT(!vmap_space_find(&space, 0) && !vmap_space_find(&space, ~0UL), "far away");
    EXPECT(!vmap_space_find(&space, space.start - 1) && !vmap_space_find(&space, space.end), "out");
    return NULL;
}

const char *vmap_case_retired_is_hidden_and_kept(const struct vmap_design *design)
{
    struct vmap_area *area, *other;

    OPEN(design, BASE, BASE + 8 * PAGE_SIZE);
    EXPECT((area = reserve(2, 2)) && area->kind == VMAP_BUSY, "[2,4)");
    vmap_space_retire(&space, area);
    EXPECT(area->kind == VMAP_LAZY && area->va_start == at_page(2), "still described");
    EXPECT(!vmap_space_find(&space, at_page(2)), "no longer found");
    EXPECT(!reserve(2, 1) && !reserve(3, 1), "not reusable");
    EXPECT(space.stats.busy_areas == 1, "still counted");
    EXPECT_SOUND();
    vmap_space_free(&space, area);
    EXPECT((other = reserve(2, 2)) != NULL, "reusable after the flush");
    vmap_space_free(&space, other);
    EXPECT(space.stats.busy_areas == 0 && space.stats.free_extents == 1, "all is free");
    EXPECT_SOUND();
    return NULL;
}

struct order {
    vaddr_t last_end;
    u64 count, stop_after;
    u32 kind;
    bool ascending;
};

static bool note_order(void *ctx, const struct vmap_area *area)
{
    struct order *order = ctx;

    order->ascending &= area->va_start >= order->last_end && area->kind == order->kind;
    order->last_end = area->va_end;
    return ++order->count != order->stop_after;
}

/* What comes from anywhere, waited for its flush and came back may be kept ready, until a drain. */
const char *vmap_case_cached_is_free_and_drained(const struct vmap_design *design)
{
    struct order cached = {.kind = VMAP_CACHED, .ascending = true};
    struct vmap_area *areas[8], *area;
    u64 held = design->cached ? 8 : 0;

    OPEN(design, BASE, BASE + 64 * PAGE_SIZE);
    EXPECT(vmap_space_set_check(&space, VMAP_CHECK_MODEL) == 0, "level 3");
    for (unsigned i = 0; i < 8; i++)
        EXPECT(alloc_pages_anywhere(1 + i % 3, 1, &areas[i]) == 0, "area %u", i);
    for (unsigned i = 0; i < 8; i++)
        vmap_space_retire(&space, areas[i * 3 % 8]);
    for (unsigned i = 0; i < 8; i++)
        vmap_space_free(&space, areas[i * 5 % 8]);
    vmap_space_for_each(&space, VMAP_CACHED, note_order, &cached);
    EXPECT(cached.count == held && cached.ascending, "%lu cached ranges", cached.count);
    EXPECT(space.stats.cached_areas == held, "%lu counted", space.stats.cached_areas);
    EXPECT(space.stats.free_bytes == 64 * PAGE_SIZE, "all is free");
    EXPECT(alloc_pages_anywhere(64, 1, &area) == 0, "and can be had in one piece");
    EXPECT(space.stats.cached_areas == 0, "%lu are left", space.stats.cached_areas);
    vmap_space_retire(&space, area);
    vmap_space_free(&space, area);
    vmap_space_drain(&space);
    EXPECT(space.stats.cached_areas == 0 && space.stats.free_extents == 1, "drained");
    EXPECT_SOUND();
    return NULL;
}

/* Descriptors at hand: never more than allowed, never in the way of an armed failure, and they go back. */
const char *vmap_case_spare_descriptors(const struct vmap_design *design)
{
    struct vmap_area *areas[8], *area;

    OPEN(design, BASE, BASE + 64 * PAGE_SIZE);
    space.spare_max = 3;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 8; i++)
            EXPECT(alloc_pages_anywhere(1, 1, &areas[i]) == 0, "area %u", i);
        for (unsigned i = 0; i < 8; i++)
            vmap_space_free(&space, areas[i * 3 % 8]);
        EXPECT(space.spares == 3, "%u spare ones", space.spares);
        EXPECT_SOUND();
    }
    if (!design->prepare) { /* such a design has a reserve of its own */
        fail_arm(FAIL_NODE, 1, false);
        EXPECT(alloc_pages_anywhere(1, 1, &area) == -ENOMEM && !area, "the failure that was armed");
        fail_disarm(FAIL_NODE);
        EXPECT(space.spares == 3, "%u spare ones", space.spares);
    }
    vmap_space_drain(&space);
    EXPECT(space.spares == 0 && !space.spare, "%u spare ones left", space.spares);
    EXPECT_SOUND();
    return NULL;
}

const char *vmap_case_visits_in_ascending_order(const struct vmap_design *design)
{
    struct order busy = {.kind = VMAP_BUSY, .ascending = true};
    struct order free = {.kind = VMAP_FREE, .ascending = true};
    struct order two = {.kind = VMAP_BUSY, .ascending = true, .stop_after = 2};
    struct order cached = {.kind = VMAP_CACHED, .ascending = true};

    OPEN(design, BASE, BASE + 32 * PAGE_SIZE);
    for (u64 i = 0; i < 8; i++)
        EXPECT(reserve((i * 5 % 8) * 4 + 1, 2), "[%lu, +2)", (i * 5 % 8) * 4 + 1);
    vmap_space_for_each(&space, VMAP_BUSY, note_order, &busy);
    EXPECT(busy.count == 8 && busy.ascending, "%lu busy areas", busy.count);
    vmap_space_for_each(&space, VMAP_FREE, note_order, &free);
    EXPECT(free.count == 9 && free.ascending, "%lu free ranges", free.count);
    vmap_space_for_each(&space, VMAP_BUSY, note_order, &two);
    EXPECT(two.count == 2, "the visitor said stop, after %lu", two.count);
    vmap_space_for_each(&space, VMAP_CACHED, note_order, &cached);
    EXPECT(cached.count == 0, "%lu cached ranges", cached.count);
    return NULL;
}

const char *vmap_case_shrink_and_grow(const struct vmap_design *design)
{
    struct vmap_area *area, *wall;

    if (!design->shrink || !design->grow)
        return NULL;
    OPEN(design, BASE, BASE + 16 * PAGE_SIZE);
    EXPECT((area = reserve(0, 8)) && (wall = reserve(10, 2)), "########..##....");
    EXPECT(vmap_space_resize(&space, area, area->va_end) == 0, "the same size");
    EXPECT(vmap_space_resize(&space, area, at_page(0)) == -EINVAL, "nothing would be left");
    EXPECT(vmap_space_resize(&space, area, at_page(4) + 1) == -EINVAL, "unaligned");
    EXPECT(vmap_space_resize(&space, area, at_page(17)) == -EINVAL, "beyond the space");
    EXPECT(vmap_space_resize(&space, area, at_page(4)) == 0, "####......##....");
    EXPECT(area->va_end == at_page(4) && space.stats.free_extents == 2, "the tail merged");
    EXPECT_SOUND();
    EXPECT(vmap_space_resize(&space, area, at_page(11)) == -ENOSPC, "into the wall");
    EXPECT(vmap_space_resize(&space, area, at_page(6)) == 0, "######....##....");
    EXPECT_SOUND();
    EXPECT(vmap_space_resize(&space, area, at_page(10)) == 0, "############....");
    EXPECT(space.stats.free_extents == 1, "the gap is closed");
    EXPECT_SOUND();
    EXPECT(vmap_space_resize(&space, area, at_page(11)) == -ENOSPC, "not a byte more");
    EXPECT(vmap_space_resize(&space, area, at_page(9)) == 0, "#########.##....");
    EXPECT(space.stats.free_extents == 2 && space.stats.busy_bytes == 11 * PAGE_SIZE, "11 pages");
    EXPECT_SOUND();
    EXPECT(vmap_space_resize(&space, wall, space.end) == 0, "up to the end of the space");
    EXPECT(!vmap_space_find(&space, at_page(9)), "[9,10) is free");
    EXPECT(vmap_space_find(&space, at_page(15)) == wall, "the grown part is found");
    EXPECT_SOUND();
    return NULL;
}

const char *vmap_case_one_page_space(const struct vmap_design *design)
{
    struct vmap_area *area, *none;

    OPEN(design, BASE, BASE + PAGE_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(alloc_pages_anywhere(2, 1, &none) == -ENOSPC, "two pages");
        EXPECT(alloc_pages_anywhere(1, 1, &area) == 0 && area->va_start == BASE, "the page");
        EXPECT(alloc_pages_anywhere(1, 1, &none) == -ENOSPC, "it is taken");
        EXPECT_SOUND();
        vmap_space_free(&space, area);
        EXPECT_SOUND();
    }
    return NULL;
}

/* Fill page by page, free in an order that makes many holes, and look whether one range is left. */
const char *vmap_case_full_space_and_back(const struct vmap_design *design)
{
    enum { PAGES = 97 }; /* a prime, so that every stride visits all */
    static struct vmap_area *areas[PAGES];

    OPEN(design, BASE, BASE + PAGES * PAGE_SIZE);
    for (u64 stride = 1; stride < PAGES; stride += 19) {
        struct vmap_area *none;
        u64 nodes = space.stats.nodes;

        for (u64 i = 0; i < PAGES; i++)
            EXPECT(alloc_pages_anywhere(1, 1, &areas[i]) == 0, "page %lu", i);
        EXPECT(alloc_pages_anywhere(1, 1, &none) == -ENOSPC, "full");
        EXPECT(space.stats.free_bytes == 0 && space.stats.free_extents == 0, "no free range");
        EXPECT_SOUND();
        for (u64 i = 0; i < PAGES; i++) {
            vmap_space_free(&space, areas[i * stride % PAGES]);
            EXPECT_SOUND();
        }
        EXPECT(space.stats.free_extents == 1 && space.stats.nodes == nodes, "as it was before");
    }
    return NULL;
}

const char *vmap_case_statistics(const struct vmap_design *design)
{
    struct vmap_area *area;
    struct vmap_stats stats;

    OPEN(design, BASE, BASE + 32 * PAGE_SIZE);
    EXPECT((area = reserve(0, 2)) && reserve(8, 4), "##......####....................");
    EXPECT(alloc_pages_anywhere(64, 1, &area) == -ENOSPC, "more than there is");
    vmap_space_free(&space, vmap_space_find(&space, at_page(0)));
    stats = vmap_space_stats(&space);
    EXPECT(stats.allocs == 2 && stats.frees == 1 && stats.failures == 1, "%lu, %lu, %lu",
           stats.allocs, stats.frees, stats.failures);
    EXPECT(stats.busy_areas == 1 && stats.busy_bytes == 4 * PAGE_SIZE, "%lu", stats.busy_areas);
    EXPECT(stats.free_extents == 2 && stats.free_bytes == 28 * PAGE_SIZE, "%lu", stats.free_bytes);
    EXPECT(stats.largest_free == 20 * PAGE_SIZE, "%#lx", stats.largest_free);
    EXPECT(stats.nodes >= 1 && stats.metadata_bytes >= stats.nodes * sizeof(struct vmap_area),
           "%lu nodes, %lu bytes", stats.nodes, stats.metadata_bytes);
    EXPECT(space.operations == 4, "%lu operations", space.operations);
    EXPECT(alloc_pages_anywhere(1, 1, &area) == 0, "one more");
    EXPECT(space.stats.visited >= 1, "a search looks at something");
    return NULL;
}

const char *vmap_case_caller_is_kept(const struct vmap_design *design)
{
    struct vmap_area *area;
    vaddr_t caller = 0xffffffff80123456UL;

    OPEN(design, BASE, BASE + MIB);
    EXPECT(vmap_space_alloc(&space, PAGE_SIZE, PAGE_SIZE, 0, NOWHERE, caller, &area) == 0, "alloc");
    EXPECT(area->caller == 0x123456 && !area->vm, "%#x", area->caller);
    EXPECT(vmap_space_alloc(&space, PAGE_SIZE, PAGE_SIZE, 0, NOWHERE, 0x400000, &area) == 0,
           "user");
    EXPECT(area->caller == 0, "not kernel text: %#x", area->caller);
    return NULL;
}

const char *vmap_case_check_levels(const struct vmap_design *design)
{
    struct vmap_area *areas[4], *extra;
    int error;

    OPEN(design, BASE, BASE + 64 * PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++)
        EXPECT((areas[i] = reserve(i * 8 + 1, 3)) != NULL, "area %u", i);
    vmap_space_retire(&space, areas[3]);
    EXPECT(vmap_space_set_check(&space, 4) == -EINVAL, "there is no level 4");
    for (unsigned level = VMAP_CHECK_OFF; level <= VMAP_CHECK_MODEL; level++) {
        error = vmap_space_set_check(&space, level);
        EXPECT(error == 0 && space.check_level == level, "level %u: %s", level, errno_name(error));
        EXPECT((level == VMAP_CHECK_MODEL) == (space.oracle != NULL), "the model at level 3 only");
        for (unsigned i = 0; i < 2 * VMAP_CHECK_EVERY; i++) {
            EXPECT(alloc_pages_anywhere(2, 1, &extra) == 0, "round %u", i);
            vmap_space_free(&space, extra);
        }
        EXPECT(alloc_pages_anywhere(63, 1, &extra) == -ENOSPC, "no room");
    }
    EXPECT(vmap_space_resize(&space, areas[0], areas[0]->va_end - PAGE_SIZE) == 0, "shrink");
    EXPECT(vmap_space_resize(&space, areas[0], areas[0]->va_end + PAGE_SIZE) == 0, "grow");
    EXPECT(vmap_space_resize(&space, areas[0], areas[1]->va_end) == -ENOSPC, "over a neighbour");
    EXPECT(vmap_space_set_check(&space, VMAP_CHECK_MODEL) == 0, "level 3 again");
    EXPECT(vmap_space_set_check(&space, VMAP_CHECK_OFF) == 0 && !space.oracle, "and off");
    return NULL;
}

/* One step of the random run: what is in the slot decides whether it is filled, changed or freed. */
static int random_step(struct rng *rng, struct vmap_area **slot)
{
    u64 size = (1 + rng_below(rng, rng_below(rng, 8) ? 6 : 40)) * PAGE_SIZE;
    u64 align = PAGE_SIZE << (rng_below(rng, 4) ? 0 : rng_below(rng, 7));
    vaddr_t lo = space.start, hi = space.end;
    int error;

    if (*slot && (*slot)->kind == VMAP_BUSY && rng_below(rng, 6) == 0)
        return vmap_space_resize(&space, *slot, (*slot)->va_start + size);
    if (*slot && (*slot)->kind == VMAP_BUSY && rng_below(rng, 4) == 0) {
        vmap_space_retire(&space, *slot);
        return 0;
    }
    if (*slot) {
        vmap_space_free(&space, *slot);
        *slot = NULL;
        return 0;
    }
    if (rng_below(rng, 4) == 0) {
        lo += rng_below(rng, 200) * PAGE_SIZE;
        hi = lo + (1 + rng_below(rng, 64)) * PAGE_SIZE;
    }
    if (rng_below(rng, 8) == 0)
        fail_arm(FAIL_NODE, 1 + rng_below(rng, 2), false);
    error = vmap_space_alloc(&space, size, align, lo, hi, 0, slot);
    fail_disarm(FAIL_NODE);
    return error;
}

const char *vmap_case_random(const struct vmap_design *design, u64 seed, u64 ops)
{
    static struct vmap_area *slots[SLOTS];
    u64 no_room = 0, no_memory = 0;
    struct rng rng;
    int error;

    for (unsigned i = 0; i < SLOTS; i++)
        slots[i] = NULL;
    rng_seed(&rng, seed);
    OPEN(design, BASE, BASE + 192 * PAGE_SIZE);
    error = vmap_space_set_check(&space, VMAP_CHECK_MODEL);
    EXPECT(error == 0, "%s", errno_name(error));
    for (u64 i = 0; i < ops; i++) {
        error = random_step(&rng, &slots[rng_below(&rng, SLOTS)]);
        EXPECT(error == 0 || error == -ENOSPC || error == -ENOMEM || error == -EINVAL, "op %lu: %s",
               i, errno_name(error));
        no_room += error == -ENOSPC;
        no_memory += error == -ENOMEM;
    }
    EXPECT(space.check_level == VMAP_CHECK_MODEL, "the model ran out of memory");
    EXPECT(no_room && no_memory && space.stats.fit_full && space.stats.fit_left &&
               space.stats.fit_right && space.stats.fit_inner && space.stats.merges,
           "seed %#lx: not everything happened in %lu operations", seed, ops);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i])
            vmap_space_free(&space, slots[i]);
    vmap_space_drain(&space);
    EXPECT(space.stats.free_extents == 1 && space.stats.busy_bytes == 0, "all free again");
    close_space();
    return NULL;
}
