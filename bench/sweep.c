// SPDX-License-Identifier: MIT
/*
 * How does the cost grow? One allocation and its free while N areas are alive (live_sweep), random
 * churn among N areas (frag), and a window that is nearly full (exhaust). N goes up to a million.
 *
 *   dense    |##|##|##|##|........    N areas of 1 page and a guard, side by side
 *   holes1   |####|####|.|####|####|.|......   areas of 65 pages and a guard; after every second one
 *            a hole of 1 page: too small for 1 page with its guard, so the search must pass N/2 holes
 *   holes2   |##|..|##|..|##|..|......   a hole of 2 pages after each: too small for 4 pages
 *
 * The shapes are those of the Linux baseline. In the layer the N areas are reservations without pages.
 * Read next: bench/measure.c.
 */
#include "bench/workloads.h"
#include "lib/errno.h"

#define HOLES1_PAGES 65u /* of each area that is kept, and its guard */
#define FRAG_PAGES 16u   /* frag: sizes 1 .. this, guard included */
#define EXHAUST_WINDOW (4096 * PAGE_SIZE)
#define EXHAUST_PAGES 64u  /* exhaust: sizes 1 .. this, guard included */
#define EXHAUST_PERCENT 90 /* how full the window is kept */

struct shape {
    u32 pages; /* of each area, without its guard */
    u32 hole;  /* pages of a hole */
    u32 every; /* a hole follows every n-th area */
};
static const struct shape dense = {1, 0, 1}, holes1 = {HOLES1_PAGES, 1, 2}, holes2 = {1, 2, 1};

/* A private space ----------------------------------------------------------------------------------- */

static struct vmap_area *reserve(struct bench *b, u64 pages, vaddr_t lo, vaddr_t hi)
{
    struct vmap_area *area;

    vmap_space_alloc(b->space, pages << PAGE_SHIFT, PAGE_SIZE, lo, hi, (vaddr_t)bench_sweeps,
                     &area);
    return area;
}

static struct vmap_area *reserve_anywhere(struct bench *b, u64 pages)
{
    return reserve(b, pages, b->space->start, b->space->end);
}

/*
 * N areas at their exact places, the highest first: then a design that searches from below finds each
 * place at once, also if it has nothing but a list.
 */
static bool space_fill(struct bench *b, const struct shape *shape)
{
    u64 step = shape->pages + 1;

    for (u64 i = b->live; i-- > 0;) {
        u64 page = i * step + i / shape->every * shape->hole;
        vaddr_t at = b->space->start + (page << PAGE_SHIFT);
        if (!reserve(b, step, at, at + (step << PAGE_SHIFT)))
            return bench_fail(b, "no memory");
        if (!bench_go_on(b))
            return false;
    }
    return true;
}

static bool space_fill_dense(struct bench *b)
{
    return space_fill(b, &dense);
}

static bool space_fill_holes1(struct bench *b)
{
    return space_fill(b, &holes1);
}

static bool space_fill_holes2(struct bench *b)
{
    return space_fill(b, &holes2);
}

static inline __attribute__((always_inline)) bool space_pairs(struct bench *b, u64 loops, u64 pages)
{
    while (loops--) {
        struct vmap_area *area = reserve_anywhere(b, pages + 1);
        if (unlikely(!area))
            return bench_fail(b, "no memory");
        vmap_space_free(b->space, area);
    }
    return true;
}

static bool space_pairs_1(struct bench *b, u64 loops)
{
    return space_pairs(b, loops, 1);
}

static bool space_pairs_4(struct bench *b, u64 loops)
{
    return space_pairs(b, loops, 4);
}

/* Churn ----------------------------------------------------------------------------------------------- */

static u64 random_pages(struct bench *b, u64 most)
{
    return 1 + rng_below(&b->rng, most);
}

/* One step of churn: a random area goes, one of random size comes. */
static bool replace_one(struct bench *b)
{
    void **victim = bench_kept(b, rng_below(&b->rng, b->kept));

    vmap_space_free(b->space, *victim);
    *victim = reserve_anywhere(b, random_pages(b, FRAG_PAGES));
    if (likely(*victim))
        return true;
    *victim = *bench_kept(b, --b->kept);
    return bench_fail(b, "no memory");
}

/*
 * A space with a history: 1.5 N areas of random sizes side by side, the highest first; a random third
 * of them goes; then as many steps of churn as there are areas, so that the low holes that the start
 * left are used up and the pattern is one that churn itself makes.
 */
static bool frag_setup(struct bench *b)
{
    u64 filled = b->live + b->live / 2;
    vaddr_t top = b->space->start + ((filled * FRAG_PAGES) << PAGE_SHIFT);

    if (!bench_keep_room(b, filled))
        return false;
    for (u64 i = 0; i < filled; i++) {
        u64 pages = random_pages(b, FRAG_PAGES);
        vaddr_t at = top - (pages << PAGE_SHIFT);
        struct vmap_area *area = reserve(b, pages, at, top);
        if (!area)
            return bench_fail(b, "no memory");
        *bench_kept(b, b->kept++) = area;
        top = at;
        if (!bench_go_on(b))
            return false;
    }
    while (b->kept > b->live) {
        void **victim = bench_kept(b, rng_below(&b->rng, b->kept));
        vmap_space_free(b->space, *victim);
        *victim = *bench_kept(b, --b->kept);
    }
    for (u64 i = 0; i < b->live; i++)
        if (!replace_one(b) || !bench_go_on(b))
            return false;
    return true;
}

static bool frag_loop(struct bench *b, u64 loops)
{
    while (loops--)
        if (unlikely(!replace_one(b)))
            return false;
    return true;
}

static bool exhaust_setup(struct bench *b)
{
    return bench_keep_room(b, EXHAUST_WINDOW >> PAGE_SHIFT);
}

/*
 * One step: a request of random size as long as the window would stay below the mark; otherwise, or
 * when that was refused, a random area goes. There was room enough in total: a refusal means that
 * it was in pieces.
 */
static bool exhaust_loop(struct bench *b, u64 loops)
{
    u64 mark = (b->space->end - b->space->start) / 100 * EXHAUST_PERCENT;

    while (loops--) {
        u64 pages = random_pages(b, EXHAUST_PAGES);
        if (b->space->stats.busy_bytes + (pages << PAGE_SHIFT) <= mark) {
            struct vmap_area *area = reserve_anywhere(b, pages);
            if (area) {
                *bench_kept(b, b->kept++) = area;
                continue;
            }
            b->failures++;
        }
        void **victim = bench_kept(b, rng_below(&b->rng, b->kept));
        vmap_space_free(b->space, *victim);
        *victim = *bench_kept(b, --b->kept);
    }
    return true;
}

static void forget_kept(struct bench *b)
{
    bench_keep_end(b);
}

/* The layer ---------------------------------------------------------------------------------------------- */

/*
 * Reservations and, where a hole is wanted, fillers without a guard, upwards; then the fillers go.
 * Their pointers share the array: areas below b->live, fillers above.
 */
static bool layer_fill(struct bench *b, const struct shape *shape)
{
    u64 fillers = shape->hole ? b->live / shape->every : 0, made = 0;

    if (!bench_keep_room(b, b->live + fillers))
        return false;
    for (u64 i = 0; i < b->live + fillers; i++)
        *bench_kept(b, i) = NULL;
    b->kept = b->live + fillers;
    for (u64 i = 0; i < b->live; i++) {
        void **area = bench_kept(b, i);
        if (!(*area = get_vm_area((u64)shape->pages << PAGE_SHIFT, VM_MAP)))
            return bench_fail(b, "no memory");
        if (fillers && (i + 1) % shape->every == 0 &&
            !(*bench_kept(b, b->live + made++) =
                  get_vm_area((u64)shape->hole << PAGE_SHIFT, VM_MAP | VM_NO_GUARD)))
            return bench_fail(b, "no memory");
        if (!bench_go_on(b))
            return false;
    }
    while (b->kept > b->live)
        free_vm_area(*bench_kept(b, --b->kept));
    return true;
}

static bool layer_fill_dense(struct bench *b)
{
    return layer_fill(b, &dense);
}

static bool layer_fill_holes1(struct bench *b)
{
    return layer_fill(b, &holes1);
}

static bool layer_fill_holes2(struct bench *b)
{
    return layer_fill(b, &holes2);
}

static void layer_empty(struct bench *b)
{
    for (u64 i = 0; i < b->kept; i++)
        free_vm_area(*bench_kept(b, i));
    bench_keep_end(b);
}

static inline __attribute__((always_inline)) bool layer_pairs(struct bench *b, u64 loops, u64 pages)
{
    while (loops--) {
        void *what = vmalloc(pages << PAGE_SHIFT);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        vfree(what);
    }
    return true;
}

static bool layer_pairs_1(struct bench *b, u64 loops)
{
    return layer_pairs(b, loops, 1);
}

static bool layer_pairs_4(struct bench *b, u64 loops)
{
    return layer_pairs(b, loops, 4);
}

#define LIVE_SWEEP(prefix, shape, pages, world_id, setup_fn, loop_fn, teardown_fn, most)           \
    {                                                                                              \
        .name = prefix "live_sweep " #shape, .what = pages " with N areas alive, " #shape,         \
        .world = (world_id), .loops = 20000, .live_from = 100, .live_to = (most),                  \
        .setup = (setup_fn), .loop = (loop_fn), .teardown = (teardown_fn)                          \
    }

const struct bench_workload bench_sweeps[] = {
    LIVE_SWEEP("", dense, "vmalloc and vfree 1 page", BENCH_LAYER, layer_fill_dense, layer_pairs_1,
               layer_empty, 1000000),
    LIVE_SWEEP("", holes1, "vmalloc and vfree 1 page", BENCH_LAYER, layer_fill_holes1,
               layer_pairs_1, layer_empty, 100000),
    LIVE_SWEEP("", holes2, "vmalloc and vfree 4 pages", BENCH_LAYER, layer_fill_holes2,
               layer_pairs_4, layer_empty, 100000),
    LIVE_SWEEP("va_only ", dense, "reserve and free 1 page", BENCH_SPACE, space_fill_dense,
               space_pairs_1, NULL, 1000000),
    LIVE_SWEEP("va_only ", holes1, "reserve and free 1 page", BENCH_SPACE, space_fill_holes1,
               space_pairs_1, NULL, 1000000),
    LIVE_SWEEP("va_only ", holes2, "reserve and free 4 pages", BENCH_SPACE, space_fill_holes2,
               space_pairs_4, NULL, 100000),
    {.name = "frag",
     .what = "free one of N areas at random, reserve 1 to 16 pages",
     .world = BENCH_SPACE,
     .loops = 40000,
     .live_from = 1000,
     .live_to = 1000000,
     .churns = true,
     .setup = frag_setup,
     .loop = frag_loop,
     .teardown = forget_kept},
    {.name = "exhaust",
     .what = "1 to 64 pages or a free in a window of 4096 pages, 90 % full",
     .world = BENCH_SPACE,
     .loops = 40000,
     .window = EXHAUST_WINDOW,
     .setup = exhaust_setup,
     .loop = exhaust_loop,
     .teardown = forget_kept},
};
const unsigned bench_sweep_count = ARRAY_SIZE(bench_sweeps);
