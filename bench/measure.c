// SPDX-License-Identifier: MIT
/*
 * How one figure comes about:
 *   1 a private space is made, where the workload wants one   2 its setup
 *   3 warm-up: doubling loop counts until it is known what an operation costs; slow ones get fewer
 *   4 L operations are timed, then L + operations, both from the same random seed; the figure is the
 *     difference   5 a few single operations, to see how many nodes a search visits   6 all undone
 *
 * Interrupts and locks stay as shipped. Owns one private space at a time; no lock of its own.
 * Read next: bench/command.c.
 */
#include "bench/measure.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/errno.h"

#define SEED 0x5eed
#define TICKS_PER_FIGURE 60000000UL /* what the timed loops of one figure may cost, roughly */
#define WARM_UP_PART 64             /* of TICKS_PER_FIGURE */
#define FEWEST_LOOPS 8u
#define SAMPLES 64u
#define ASK_EVERY 256u /* bench_go_on() calls per look at the clock */

const char bench_interrupted[] = "interrupted", bench_too_slow[] = "too slow";

static struct {
    struct vmap_space space;
    struct kmem_cache cache;
    void *state;
} private;

bool bench_fail(struct bench *b, const char *reason)
{
    b->reason = reason;
    return false;
}

bool bench_go_on(struct bench *b)
{
    static u32 calls;

    if (++calls % ASK_EVERY)
        return true;
    if (console_interrupted())
        return bench_fail(b, bench_interrupted);
    return rdtsc() < b->deadline || bench_fail(b, bench_too_slow);
}

bool bench_keep_room(struct bench *b, u64 count)
{
    u64 chunk = sizeof(void *) << BENCH_CHUNK_SHIFT;

    if (count > BENCH_KEPT_MAX)
        return bench_fail(b, "too many areas");
    for (u64 i = 0; i << BENCH_CHUNK_SHIFT < count; i++)
        if (!(b->chunks[i] = kmalloc(chunk, GFP_KERNEL | __GFP_NOWARN)))
            return bench_fail(b, "no memory");
    return true;
}

void bench_keep_end(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_CHUNKS; i++) {
        kfree(b->chunks[i]);
        b->chunks[i] = NULL;
    }
    b->kept = 0;
}

bool bench_ticks_are_instructions(void)
{
    for (int round = 0; round < 5; round++) {
        u64 start = rdtsc();
        __asm__ volatile("mov $1000, %%ecx\n1: dec %%ecx\njnz 1b" : : : "ecx", "cc");
        u64 ticks = rdtsc() - start;
        if (ticks < 2000 || ticks > 2020)
            return false;
    }
    return true;
}

/* A private space ---------------------------------------------------------------------------------- */

static void *private_node(void *cache)
{
    return kmem_cache_alloc(cache, GFP_ATOMIC | __GFP_NOWARN);
}

static void private_node_free(void *cache, void *node)
{
    kmem_cache_free(cache, node);
}

static const struct vmap_node_ops private_ops = {private_node, private_node_free};

static bool private_begin(struct bench *b, const struct vmap_design *design, u64 window)
{
    vaddr_t end = window ? VMALLOC_BASE + window : VMALLOC_END;

    private.state = kzalloc(design->state_size, GFP_KERNEL);
    if (!private.state)
        return bench_fail(b, "no memory");
    kmem_cache_init(&private.cache, "bench_area", sizeof(struct vmap_area), 0, &kernel_buddy);
    int err = vmap_space_init(&private.space, "bench", design, VMALLOC_BASE, end, private.state,
                              &private_ops, &private.cache);
    if (err) {
        kmem_cache_destroy(&private.cache);
        kfree(private.state);
        return bench_fail(b, errno_name(err));
    }
    private.space.spare_max = kernel_vmalloc.space.spare_max;
    b->space = &private.space;
    return true;
}

static void private_end(void)
{
    vmap_space_fini(&private.space);
    kmem_cache_shrink(&private.cache);
    kmem_cache_destroy(&private.cache);
    kfree(private.state);
}

/* Timing -------------------------------------------------------------------------------------------- */

/* Ticks for so many operations, the flush of what they left included. 0: the loop failed. */
static u64 run_loop(struct bench *b, struct bench_result *result, u64 loops)
{
    bool layer = result->workload->world == BENCH_LAYER;

    if (layer)
        vm_unmap_aliases();
    rng_seed(&b->rng, SEED);
    b->failures = 0;
    result->executed += loops;
    u64 start = rdtsc();
    if (!result->workload->loop(b, loops))
        return 0;
    result->peak_bytes = max_u64(result->peak_bytes, b->space->stats.busy_bytes);
    if (layer)
        vm_unmap_aliases();
    return rdtsc() - start;
}

/* What an operation costs, about, after a warm-up that also fills every cache. 0: it failed. */
static u64 warm_up(struct bench *b, struct bench_result *result, u64 loops)
{
    u64 done = 1, ticks = run_loop(b, result, 1);

    while (ticks && ticks < TICKS_PER_FIGURE / WARM_UP_PART && done * 2 <= loops) {
        done *= 2;
        ticks = run_loop(b, result, done);
    }
    return ticks / done + (ticks != 0);
}

static bool keep_end(void *end, const struct vmap_area *area)
{
    *(u64 *)end = area->va_end;
    return true;
}

static u64 highest_end(struct vmap_space *space)
{
    u64 end = space->start;

    vmap_space_for_each(space, VMAP_BUSY, keep_end, &end);
    return end;
}

/* The address space after the loops: how much of it is used, how far it reaches. */
static void look_at_space(struct bench *b, struct bench_result *result)
{
    result->metadata_bytes = vmap_space_stats(b->space).metadata_bytes;
    result->span_bytes = highest_end(b->space) - b->space->start;
}

static bool sample_visits(struct bench *b, struct bench_result *result)
{
    u64 samples = result->operations < SAMPLES ? FEWEST_LOOPS : SAMPLES, sum = 0;

    for (u64 i = 0; i < samples; i++) {
        if (!result->workload->loop(b, 1))
            return false;
        sum += b->space->stats.visited;
    }
    result->executed += samples;
    result->visited_tenths = sum * 10 / samples;
    return true;
}

/* Steps 3 to 5. false: see b->reason. */
static bool take_figure(struct bench *b, struct bench_result *result, u64 loops)
{
    u64 wanted = loops ? loops : result->workload->loops;
    u64 cost = warm_up(b, result, wanted / 8);
    if (!cost)
        return false;
    result->scale = 1;
    while (!loops && wanted / result->scale * cost > TICKS_PER_FIGURE &&
           wanted / result->scale > FEWEST_LOOPS)
        result->scale *= 2;
    result->operations = wanted / result->scale;
    u64 less = result->operations / 4 + 1, more = less + result->operations;
    result->live_bytes = b->space->stats.busy_bytes;
    if (result->workload->world == BENCH_LAYER)
        kernel_vmalloc.flush.peak_pages = 0;
    u64 ticks_less = run_loop(b, result, less);
    if (console_interrupted())
        return bench_fail(b, bench_interrupted);
    u64 ticks_more = ticks_less ? run_loop(b, result, more) : 0;
    if (!ticks_more)
        return false;
    result->ticks = ticks_more - ticks_less;
    result->failures = b->failures;
    result->failures_of = more;
    if (result->workload->world == BENCH_LAYER)
        result->peak_bytes = result->live_bytes + (kernel_vmalloc.flush.peak_pages << PAGE_SHIFT);
    look_at_space(b, result);
    return sample_visits(b, result);
}

void bench_measure(const struct bench_workload *workload, const struct vmap_design *design,
                   u64 live, u64 loops, struct bench_result *result)
{
    static struct bench bench;
    struct bench *b = &bench;
    bool layer = workload->world == BENCH_LAYER;

    *b = (struct bench){
        .live = live, .deadline = rdtsc() + BENCH_SETUP_TICKS, .reason = "no memory"};
    *result = (struct bench_result){
        .workload = workload,
        .design = layer ? kernel_vmalloc.space.design : design,
        .flush = layer ? flush_policy_name(kernel_vmalloc.flush.policy) : "none",
        .live = live,
    };
    b->space = &kernel_vmalloc.space;
    rng_seed(&b->rng, SEED);
    if (!layer && !private_begin(b, design, workload->window)) {
        result->problem = b->reason;
        return;
    }
    if ((workload->setup && !workload->setup(b)) || !take_figure(b, result, loops))
        result->problem = b->reason;
    if (workload->teardown)
        workload->teardown(b);
    if (layer)
        mm_quiesce();
    else
        private_end();
}
