// SPDX-License-Identifier: MIT
/*
 * The workloads of Linux's lib/test_vmalloc.c, by its names and with its counts. Each loop is written
 * once and compiled for both worlds: `struct world` says how to get and to give back a range, and
 * because the loops are always inlined with a constant one, no indirect call is left in them.
 *
 * What an operation is stands in the table at the end. No locks, no invariants of its own.
 * Read next: bench/parts.c, bench/measure.c.
 */
#include "bench/workloads.h"
#include "lib/bits.h"
#include "lib/errno.h"

#define __loop static inline __attribute__((always_inline))

#define LONG_BUSY 15000u        /* areas alive in long_busy_list */
#define LONG_BUSY_PAGES 100u    /* its large request */
#define WORN_HOLE_PAGES 10u     /* worn: the hole below them, as it is between older areas */
#define RANDOM_PAGES 100u       /* random_size: 1 .. this */
#define FIX_ALIGN (32 * KIB)    /* 2 x THREAD_ALIGN of x86-64 */
#define FIX_ALIGN_PAGES 5u      /* fix_align's size */
#define RANDOM_ALIGN_SHIFTS 23u /* random_size_align: 1 byte .. 4 MiB */
#define RANDOM_ALIGN_PAGES 10u  /* ... and 1 .. this */
#define ALIGN_SHIFTS 64u        /* align_shift: every power of two */

struct world {
    void *(*get)(struct bench *b, u64 pages);                    /* content undefined */
    void *(*get_aligned)(struct bench *b, u64 pages, u64 align); /* zeroed where there are pages */
    void (*put)(struct bench *b, void *what);
    void (*touch)(void *what);
};

/* The layer ---------------------------------------------------------------------------------------- */

static inline void *layer_get(struct bench *b __unused, u64 pages)
{
    return vmalloc(pages << PAGE_SHIFT);
}

static inline void *layer_get_aligned(struct bench *b, u64 pages, u64 align)
{
    return __vmalloc_node_range(pages << PAGE_SHIFT, align, b->space->start, b->space->end,
                                GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, PROT_KERNEL_RW, 0,
                                (vaddr_t)bench_suite);
}

static inline void layer_put(struct bench *b __unused, void *what)
{
    vfree(what);
}

static inline void layer_touch(void *what)
{
    *(volatile u8 *)what = 0;
}

static const struct world layer = {layer_get, layer_get_aligned, layer_put, layer_touch};

/* A private space: the same request, guard page included -------------------------------------------- */

static inline void *space_get_aligned(struct bench *b, u64 pages, u64 align)
{
    struct vmap_area *area;

    vmap_space_alloc(b->space, (pages + 1) << PAGE_SHIFT, max_u64(align, PAGE_SIZE),
                     b->space->start, b->space->end, (vaddr_t)bench_suite, &area);
    return area;
}

static inline void *space_get(struct bench *b, u64 pages)
{
    return space_get_aligned(b, pages, PAGE_SIZE);
}

static inline void space_put(struct bench *b, void *what)
{
    vmap_space_free(b->space, what);
}

static inline void space_touch(void *what __unused)
{
}

static const struct world space = {space_get, space_get_aligned, space_put, space_touch};

/* The loops ------------------------------------------------------------------------------------------ */

__loop bool fixed(struct bench *b, u64 loops, const struct world *w, u64 pages)
{
    while (loops--) {
        void *what = w->get(b, pages);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        w->touch(what);
        w->put(b, what);
    }
    return true;
}

__loop bool long_busy(struct bench *b, u64 loops, const struct world *w)
{
    while (loops--) {
        void *large = w->get(b, LONG_BUSY_PAGES), *one = w->get(b, 1);
        if (unlikely(!large || !one))
            return bench_fail(b, "no memory");
        w->touch(large);
        w->touch(one);
        w->put(b, large);
        w->put(b, one);
    }
    return true;
}

__loop bool random_size(struct bench *b, u64 loops, const struct world *w)
{
    while (loops--) {
        void *what = w->get(b, 1 + rng_below(&b->rng, RANDOM_PAGES));
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        w->touch(what);
        w->put(b, what);
    }
    return true;
}

__loop bool fix_align(struct bench *b, u64 loops, const struct world *w)
{
    while (loops--) {
        void *what = w->get_aligned(b, FIX_ALIGN_PAGES, FIX_ALIGN);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        w->put(b, what);
    }
    return true;
}

/* Size and alignment come from the same random byte, as in the original: they are correlated. */
__loop bool random_size_align(struct bench *b, u64 loops, const struct world *w)
{
    while (loops--) {
        u8 r = (u8)rng_next(&b->rng);
        void *what = w->get_aligned(b, r % RANDOM_ALIGN_PAGES + 1, 1UL << r % RANDOM_ALIGN_SHIFTS);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        w->put(b, what);
    }
    return true;
}

/* Large alignments have no room: the refusals are part of the workload, and counted. */
__loop bool align_shift(struct bench *b, u64 loops, const struct world *w)
{
    while (loops--) {
        for (unsigned shift = 0; shift < ALIGN_SHIFTS; shift++) {
            void *what = w->get_aligned(b, 1, 1UL << shift);
            if (what)
                w->put(b, what);
            else
                b->failures++;
        }
    }
    return true;
}

/* Setups --------------------------------------------------------------------------------------------- */

__loop bool keep_ones(struct bench *b, u64 count, const struct world *w)
{
    while (b->kept < count) {
        void *what = w->get(b, 1);
        if (!what)
            return bench_fail(b, "no memory");
        *bench_kept(b, b->kept++) = what;
        if (!bench_go_on(b))
            return false;
    }
    return true;
}

__loop bool long_busy_setup(struct bench *b, const struct world *w)
{
    return bench_keep_room(b, LONG_BUSY) && keep_ones(b, LONG_BUSY, w);
}

/*
 * Ours: in a kernel that has been up for a while there are holes. One is enough to show what they do: too
 * small for the large request, large enough for the small one, so each loses the other's place.
 */
__loop bool worn_setup(struct bench *b, const struct world *w)
{
    void *hole = w->get(b, WORN_HOLE_PAGES - 1);

    if (!hole)
        return bench_fail(b, "no memory");
    bool ok = long_busy_setup(b, w);
    w->put(b, hole);
    return ok;
}

/* As many exact holes of one area each as fit into the lazy flush's threshold: every second area of
 * twice as many goes. */
__loop bool full_fit_setup(struct bench *b, const struct world *w)
{
    u64 pairs = lazy_max_pages();

    if (!bench_keep_room(b, 2 * pairs) || !keep_ones(b, 2 * pairs, w))
        return false;
    for (u64 i = 1; i < 2 * pairs; i += 2) {
        w->put(b, *bench_kept(b, i));
        *bench_kept(b, i) = NULL;
        if (!bench_go_on(b))
            return false;
    }
    return true;
}

static void layer_teardown(struct bench *b)
{
    for (u64 i = 0; i < b->kept; i++)
        vfree(*bench_kept(b, i));
    bench_keep_end(b);
}

static void space_teardown(struct bench *b)
{
    bench_keep_end(b);
}

/* Each shared loop, once for each world. */
#define BOTH_WORLDS(name, ...)                                                                     \
    static bool layer_##name(struct bench *b, u64 loops)                                           \
    {                                                                                              \
        const struct world *w = &layer;                                                            \
        return __VA_ARGS__;                                                                        \
    }                                                                                              \
    static bool space_##name(struct bench *b, u64 loops)                                           \
    {                                                                                              \
        const struct world *w = &space;                                                            \
        return __VA_ARGS__;                                                                        \
    }
BOTH_WORLDS(fix_1, fixed(b, loops, w, 1))
BOTH_WORLDS(fix_10, fixed(b, loops, w, 10))
BOTH_WORLDS(long_busy, long_busy(b, loops, w))
BOTH_WORLDS(random, random_size(b, loops, w))
BOTH_WORLDS(fix_align, fix_align(b, loops, w))
BOTH_WORLDS(random_align, random_size_align(b, loops, w))
BOTH_WORLDS(align_shift, align_shift(b, loops, w))

static bool layer_long_busy_setup(struct bench *b)
{
    return long_busy_setup(b, &layer);
}

static bool layer_worn_setup(struct bench *b)
{
    return worn_setup(b, &layer);
}

static bool layer_full_fit_setup(struct bench *b)
{
    return full_fit_setup(b, &layer);
}

static bool space_long_busy_setup(struct bench *b)
{
    return long_busy_setup(b, &space);
}

static bool space_worn_setup(struct bench *b)
{
    return worn_setup(b, &space);
}

static bool space_full_fit_setup(struct bench *b)
{
    return full_fit_setup(b, &space);
}

#define LAYER(workload_name, count, text, loop_fn, ...)                                            \
    {                                                                                              \
        .name = (workload_name), .what = (text), .world = BENCH_LAYER, .loops = (count),           \
        .loop = (loop_fn), __VA_ARGS__                                                             \
    }
#define SPACE(workload_name, count, text, loop_fn, ...)                                            \
    {                                                                                              \
        .name = (workload_name), .what = (text), .world = BENCH_SPACE, .loops = (count),           \
        .loop = (loop_fn), __VA_ARGS__                                                             \
    }
#define PREPARED(setup_fn, teardown_fn) .setup = (setup_fn), .teardown = (teardown_fn)

const struct bench_workload bench_suite[] = {
    LAYER("fix_size", 40000, "vmalloc 1 page, write a byte, vfree", layer_fix_1),
    LAYER("fix_size 10p", 20000, "the same with 10 pages", layer_fix_10),
    LAYER("full_fit", 40000, "1 page, where 8192 holes of exactly that size wait", layer_fix_1,
          PREPARED(layer_full_fit_setup, layer_teardown)),
    LAYER("long_busy_list", 5000, "100 pages and 1 page, with 15000 areas alive", layer_long_busy,
          PREPARED(layer_long_busy_setup, layer_teardown)),
    LAYER("long_busy_list worn", 5000, "the same above a hole of 10 pages", layer_long_busy,
          PREPARED(layer_worn_setup, layer_teardown)),
    LAYER("random_size", 10000, "1 to 100 pages", layer_random),
    LAYER("fix_align", 20000, "5 zeroed pages aligned to 32 KiB", layer_fix_align),
    LAYER("random_size_align", 20000, "1 to 10 zeroed pages aligned to 1 byte .. 4 MiB",
          layer_random_align),
    LAYER("align_shift", 500, "1 zeroed page with each of the 64 alignments", layer_align_shift),
    SPACE("va_only fix_size", 40000, "reserve 1 page and its guard, free", space_fix_1),
    SPACE("va_only fix_size 10p", 40000, "the same with 10 pages", space_fix_10),
    SPACE("va_only full_fit", 40000, "1 page, where 8192 exact holes wait", space_fix_1,
          PREPARED(space_full_fit_setup, space_teardown)),
    SPACE("va_only long_busy_list", 20000, "100 pages and 1 page, with 15000 areas alive",
          space_long_busy, PREPARED(space_long_busy_setup, space_teardown)),
    SPACE("va_only long_busy_list worn", 20000, "the same above a hole of 10 pages",
          space_long_busy, PREPARED(space_worn_setup, space_teardown)),
    SPACE("va_only random_size", 40000, "1 to 100 pages", space_random),
    SPACE("va_only fix_align", 40000, "5 pages aligned to 32 KiB", space_fix_align),
    SPACE("va_only random_size_align", 40000, "1 to 10 pages aligned to 1 byte .. 4 MiB",
          space_random_align),
    SPACE("va_only align_shift", 500, "1 page with each of the 64 alignments", space_align_shift),
};
const unsigned bench_suite_count = ARRAY_SIZE(bench_suite);
