// SPDX-License-Identifier: MIT
/*
 * Differential test: one random trace through every lowest-fit design and the page-bitmap oracle at once,
 * and the same trace through each other design with an oracle of its own, because areas at other addresses
 * leave other holes. After each operation: the same error from all, the same address from all lowest-fit
 * designs and the oracle, every invariant holds, and a failed call has changed nothing. A trace that fails
 * is shrunk and printed as commands. VMAP_RANDOM_OPS sets the number of operations, VMAP_RANDOM_SEED the
 * seed.
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "lib/rng.h"
#include "mm/vmap/oracle.h"
#include "mm/vmap/vmap.h"

#define DEFAULT_OPS 1000000UL
#define DESIGNS_MAX 16
#define SLOTS_MAX 160
#define TRACE_MAX 2000
#define BASE 0x7ff5000UL /* page 5 below a boundary of 64 KiB: alignment matters */

/*
 * An operation names slots and pages, never results, so that any part of a trace is a trace. What it
 * does depends on the slot: an empty one is filled, whatever the step says.
 */
struct step {
    enum { ALLOC, FREE, RETIRE, RESIZE } what, done;
    u32 slot;
    u32 fail_node; /* 0: no; k: the k-th descriptor fails */
    u64 size, align;
    u64 lo, hi; /* pages from the start of the space */
};

struct shape {
    u64 pages, slots, sizes; /* of the space; of the slots; largest usual request, 0: see toggled */
    u64 check_every;
};

static struct step trace[TRACE_MAX];
static u64 trace_length;
static const struct shape *shape;
static bool shrinking; /* check after every step, so that few are needed */

/* ---- the designs under test ------------------------------------------------------------------ */

static struct subject {
    struct vmap_space space;
    void *state;
    struct vmap_area *slots[SLOTS_MAX];
} subjects[DESIGNS_MAX];
static unsigned subject_count;
static const struct vmap_design *alone; /* not a lowest-fit design; NULL: all that are */
static struct vmap_oracle *oracle;
static char sentence[400];
static const char *verdict;

/* All descriptors and pages alive, to drop them after a run that a panic has ended. */
struct memory {
    struct memory *next, *prev;
};
static struct memory all_memory = {&all_memory, &all_memory};

static void *memory_get(u64 size)
{
    struct memory *block = calloc(1, sizeof(*block) + size);

    block->next = all_memory.next;
    block->prev = &all_memory;
    block->next->prev = block->prev->next = block;
    return block + 1;
}

static void memory_put(void *memory)
{
    struct memory *block = (struct memory *)memory - 1;

    block->next->prev = block->prev;
    block->prev->next = block->next;
    free(block);
}

static void *node_alloc(void *ctx)
{
    return memory_get(sizeof(struct vmap_area));
}

static void *page_alloc(void *ctx)
{
    return memory_get(PAGE_SIZE);
}

static void give_back(void *ctx, void *memory)
{
    memory_put(memory);
}

static const struct vmap_node_ops node_ops = {node_alloc, give_back};
static const struct vmap_oracle_ops oracle_ops = {page_alloc, give_back};

/* ---- one run --------------------------------------------------------------------------------- */

static __printf(1, 2) bool differs(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vformat_to(sentence, sizeof(sentence), format, args);
    va_end(args);
    verdict = sentence;
    return false;
}

static const char *result(int error)
{
    return error ? errno_name(error) : "success";
}

/* What a failed operation must leave as it was. */
struct outline {
    u64 busy_areas, busy_bytes, free_extents, free_bytes, nodes;
};

static struct outline outline(const struct vmap_space *space)
{
    const struct vmap_stats *s = &space->stats;

    return (struct outline){s->busy_areas, s->busy_bytes, s->free_extents, s->free_bytes, s->nodes};
}

/* (What was cached may have been drained in the attempt: then there are other free ranges.) */
static bool unchanged(struct subject *subject, const struct outline *before)
{
    struct outline now = outline(&subject->space);

    if (subject->space.design->cached) {
        now.free_extents = before->free_extents;
        now.nodes = before->nodes;
    }
    if (memcmp(&now, before, sizeof(now)) == 0)
        return true;
    return differs("%s: a failed call has changed something", subject->space.design->name);
}

static bool do_alloc(const struct step *step)
{
    vaddr_t lo = BASE + step->lo * PAGE_SIZE, hi = BASE + step->hi * PAGE_SIZE, lowest = 0;
    u64 size = step->size * PAGE_SIZE, align = step->align * PAGE_SIZE;
    bool room = vmap_oracle_lowest(oracle, size, align, lo, hi, &lowest);

    for (unsigned i = 0; i < subject_count; i++) {
        struct subject *subject = &subjects[i];
        const char *name = subject->space.design->name;
        struct outline before = outline(&subject->space);
        struct vmap_area **slot = &subject->slots[step->slot];
        bool injected;
        int error;

        if (step->fail_node)
            fail_arm(FAIL_NODE, step->fail_node, false);
        error = vmap_space_alloc(&subject->space, size, align, lo, hi, 0, slot);
        injected = step->fail_node && fail_count(FAIL_NODE);
        fail_disarm(FAIL_NODE);
        if (error == -ENOSPC && room && !injected &&
            subject->space.design->caps & VMAP_CAP_GIVES_UP)
            return unchanged(subject, &before);
        if (error != (injected ? -ENOMEM : room ? 0 : -ENOSPC))
            return differs("%s: answers %s, the oracle finds %s%#lx", name, result(error),
                           room ? "room at " : "no room, ", lowest);
        if (error && !unchanged(subject, &before))
            return false;
        if (!error && !alone && (*slot)->va_start != lowest)
            return differs("%s: V7: answers %#lx, the oracle %#lx", name, (*slot)->va_start,
                           lowest);
        if (!error && alone)
            lowest = (*slot)->va_start; /* what it took instead: vmap_oracle_take() will see */
        if (!error && (lowest < lo || lowest + size > hi || !is_aligned(lowest, align)))
            return differs("%s: answers %#lx", name, lowest);
        if (!error && step->fail_node) /* not every design needs that many: all must agree again */
            vmap_space_free(&subject->space, *slot), *slot = NULL;
    }
    if (room && !step->fail_node && vmap_oracle_take(oracle, lowest, lowest + size))
        return differs("V4: %#lx is handed out, and was in use", lowest);
    return true;
}

static bool do_free(const struct step *step)
{
    const struct vmap_area *area = subjects[0].slots[step->slot];

    if (vmap_oracle_give(oracle, area->va_start, area->va_end))
        return differs("V4: what is freed was not in use");
    for (unsigned i = 0; i < subject_count; i++) {
        vmap_space_free(&subjects[i].space, subjects[i].slots[step->slot]);
        subjects[i].slots[step->slot] = NULL;
    }
    return true;
}

static bool do_resize(const struct step *step)
{
    vaddr_t start = subjects[0].slots[step->slot]->va_start;
    vaddr_t end = subjects[0].slots[step->slot]->va_end, new_end = start + step->size * PAGE_SIZE;
    bool inside = new_end <= subjects[0].space.end;
    int expected = inside ? 0 : -EINVAL;

    if (inside && new_end > end && !vmap_oracle_is_free(oracle, end, new_end))
        expected = -ENOSPC;
    for (unsigned i = 0; i < subject_count; i++) {
        struct subject *subject = &subjects[i];
        struct outline before = outline(&subject->space);
        int error = vmap_space_resize(&subject->space, subject->slots[step->slot], new_end);

        if (error != expected)
            return differs("%s: resize answers %s, not %s", subject->space.design->name,
                           result(error), result(expected));
        if (error && !unchanged(subject, &before))
            return false;
    }
    if (!expected && new_end > end)
        vmap_oracle_take(oracle, end, new_end);
    if (!expected && new_end < end)
        vmap_oracle_give(oracle, new_end, end);
    return true;
}

static bool do_retire(const struct step *step)
{
    for (unsigned i = 0; i < subject_count; i++)
        vmap_space_retire(&subjects[i].space, subjects[i].slots[step->slot]);
    return true;
}

static bool do_step(struct step *step)
{
    const struct vmap_area *area = subjects[0].slots[step->slot];

    step->done = !area ? ALLOC : area->kind == VMAP_BUSY ? step->what : FREE;
    switch (step->done) {
    case ALLOC:
        return do_alloc(step);
    case RETIRE:
        return do_retire(step);
    case RESIZE:
        return do_resize(step);
    case FREE:
        break;
    }
    return do_free(step);
}

static bool sound(void)
{
    for (unsigned i = 0; i < subject_count; i++) {
        const char *broken = vmap_space_check(&subjects[i].space);

        if (broken)
            return differs("%s: %s", subjects[i].space.design->name, broken);
        if (subjects[i].space.stats.busy_bytes >> PAGE_SHIFT != vmap_oracle_used_pages(oracle))
            return differs("%s: not the pages that the oracle has", subjects[i].space.design->name);
    }
    return true;
}

static void close_subjects(void)
{
    for (unsigned i = 0; i < subject_count; i++) {
        vmap_space_fini(&subjects[i].space);
        memory_put(subjects[i].state);
    }
    vmap_oracle_delete(oracle);
}

/* Sets `verdict`: NULL when all is well. Ends in a panic in any case, for host_expect_panic(). */
static void run_trace(void *unused)
{
    subject_count = 0;
    for (unsigned i = 0; alone ? i == 0 : vmap_designs[i] != NULL; i++) {
        const struct vmap_design *design = alone ? alone : vmap_designs[i];
        struct subject *subject = &subjects[subject_count];

        if (!alone && !(design->caps & VMAP_CAP_LOWEST_FIT))
            continue;
        subject_count++;
        memset(subject, 0, sizeof(*subject));
        subject->state = memory_get(design->state_size);
        vmap_space_init(&subject->space, design->name, design, BASE,
                        BASE + shape->pages * PAGE_SIZE, subject->state, &node_ops, NULL);
    }
    oracle = vmap_oracle_new(BASE, BASE + shape->pages * PAGE_SIZE, &oracle_ops, NULL);
    verdict = "a panic";
    for (u64 i = 0; i < trace_length; i++)
        if (!do_step(&trace[i]) || ((shrinking || i % shape->check_every == 0) && !sound()))
            port_panic("end of run");
    close_subjects();
    verdict = NULL;
    port_panic("end of run");
}

static const char *run_group(const struct vmap_design *design)
{
    alone = design;
    expect_panic(run_trace, NULL, "");
    fail_disarm(FAIL_NODE);
    while (all_memory.next != &all_memory)
        memory_put(all_memory.next + 1);
    return verdict;
}

static const char *run(void)
{
    if (run_group(NULL))
        return verdict;
    for (unsigned i = 0; vmap_designs[i]; i++)
        if (!(vmap_designs[i]->caps & VMAP_CAP_LOWEST_FIT) && run_group(vmap_designs[i]))
            return verdict;
    for (unsigned i = 0; vmap_variants[i]; i++)
        if (run_group(vmap_variants[i]))
            return verdict;
    return NULL;
}

/* ---- making, shrinking and printing traces ---------------------------------------------------- */

static void make_trace(struct rng *rng, u64 length)
{
    trace_length = length;
    for (u64 i = 0; i < length; i++) {
        struct step *step = &trace[i];
        u64 dice = rng_below(rng, 100);

        *step = (struct step){.slot = (u32)rng_below(rng, shape->slots), .hi = shape->pages};
        if (shape->sizes == 0) {
            *step = (struct step){.what = FREE,
                                  .slot = step->slot,
                                  .size = 1,
                                  .align = 1,
                                  .lo = step->slot,
                                  .hi = step->slot + 1};
            continue;
        }
        step->what = dice < 75 ? FREE : dice < 88 ? RETIRE : RESIZE;
        step->size = 1 + rng_below(rng, rng_below(rng, 16) ? shape->sizes : shape->pages);
        step->align = 1UL << (rng_below(rng, 3) ? 0 : rng_below(rng, 6));
        step->fail_node = rng_below(rng, 12) ? 0 : 1 + (u32)rng_below(rng, 2);
        if (rng_below(rng, 4) == 0) {
            step->lo = rng_below(rng, shape->pages);
            step->hi = step->lo + 1 + rng_below(rng, shape->pages - step->lo);
        }
    }
}

/* Leave out parts, halves first, down to single steps, as long as the rest still fails. */
static void shrink_trace(void)
{
    static struct step kept[TRACE_MAX];

    for (u64 part = trace_length / 2; part > 0; part /= 2) {
        for (u64 at = 0; at + part <= trace_length;) {
            u64 length = trace_length;

            memcpy(kept, trace, sizeof(trace));
            memmove(&trace[at], &trace[at + part], (length - at - part) * sizeof(trace[0]));
            trace_length = length - part;
            if (!run()) {
                memcpy(trace, kept, sizeof(trace));
                trace_length = length;
                at += part;
            }
        }
    }
}

static void print_trace(void)
{
    print_error("space of %lu pages at %#lx\n", shape->pages, BASE);
    for (u64 i = 0; i < trace_length; i++) {
        const struct step *s = &trace[i];

        if (s->done == RESIZE)
            print_error("resize a%u %lup\n", s->slot, s->size);
        else if (s->done != ALLOC)
            print_error("%s a%u\n", s->done == FREE ? "free" : "retire", s->slot);
        else
            print_error("a%u = alloc %lup align=%lup in=%lup..%lup fail-node=%u\n", s->slot,
                        s->size, s->align, s->lo, s->hi, s->fail_node);
    }
}

static u64 from_environment(const char *name, u64 otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void random_traces(u64 seed, u64 ops)
{
    struct rng rng;

    for (u64 done = 0, round = 0; done < ops; done += trace_length, round++) {
        rng_seed(&rng, seed + round);
        make_trace(&rng, min_u64(ops - done, TRACE_MAX));
        if (!run())
            continue;
        shrinking = true;
        shrink_trace();
        print_error("seed %#lx, shrunk to %lu steps: %s\n", seed + round, trace_length, run());
        print_trace();
        run_trace(NULL); /* once more, so that the text of a panic is shown */
    }
    print_message("%lu operations on %lu pages, seed %#lx, no difference\n", ops, shape->pages,
                  seed);
}

/* `percent` of all operations, in one shape of space. */
static void run_shape(const struct shape *which, u64 default_seed, u64 percent)
{
    shape = which;
    random_traces(from_environment("VMAP_RANDOM_SEED", default_seed),
                  from_environment("VMAP_RANDOM_OPS", DEFAULT_OPS) * percent / 100);
}

/* Small spaces are crowded: most operations are decided by neighbours. Checked after each one. */
static void crowded_space(void **state)
{
    static const struct shape crowded = {40, 12, 5, 1};

    run_shape(&crowded, 1, 70);
}

/*
 * Each slot is one page, taken and given back in place: as many free ranges as there can be,
 * and merges of every kind in trees that are as deep as they get here.
 */
static void toggled_pages(void **state)
{
    static const struct shape toggled = {SLOTS_MAX, SLOTS_MAX, 0, 3};

    run_shape(&toggled, 2000000, 20);
}

static void roomy_space(void **state)
{
    static const struct shape roomy = {600, 64, 12, 16};

    run_shape(&roomy, 1000000, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(crowded_space),
        host_test(toggled_pages),
        host_test(roomy_space),
    };

    return cmocka_run_group_tests_name("vmap_random", tests, NULL, NULL);
}
