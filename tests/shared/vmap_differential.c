// SPDX-License-Identifier: MIT
/*
 * The trace is random numbers, drawn once per operation; what they mean depends on the slot that they
 * name, which every design has for itself: an empty one is filled, a busy one is resized, retired or
 * freed, a lazy one is freed. So a design that cannot serve a request (VMAP_CAP_GIVES_UP, or other
 * addresses and so other holes) goes its own way until its slot is empty again, and no longer.
 */
#include "tests/shared/vmap_differential.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"

#define DIFF_DESIGNS 16u
#define DIFF_SLOTS 14u
#define DIFF_PAGES 72u /* crowded: most requests are decided by neighbours */

static struct diff_subject {
    struct vmap_space space;
    void *state;
    struct vmap_area *slots[DIFF_SLOTS];
} * diff_subjects[DIFF_DESIGNS];

/* What one operation is made of, for whoever finds its slot in whatever state. */
struct diff_draw {
    u32 slot, fail_node, dice;
    u64 size, align, new_size;
    vaddr_t lo, hi;
};

static struct diff_draw draw(struct rng *rng)
{
    struct diff_draw d = {
        .slot = (u32)rng_below(rng, DIFF_SLOTS),
        .fail_node = rng_below(rng, 12) ? 0 : 1 + (u32)rng_below(rng, 2),
        .dice = (u32)rng_below(rng, 12),
        .size = (1 + rng_below(rng, rng_below(rng, 8) ? 6 : 40)) * PAGE_SIZE,
        .align = PAGE_SIZE << (rng_below(rng, 4) ? 0 : rng_below(rng, 7)),
        .new_size = (1 + rng_below(rng, 12)) * PAGE_SIZE,
        .lo = BASE,
        .hi = BASE + DIFF_PAGES * PAGE_SIZE,
    };

    if (rng_below(rng, 4) == 0) {
        d.lo += rng_below(rng, DIFF_PAGES) * PAGE_SIZE;
        d.hi = d.lo + (1 + rng_below(rng, DIFF_PAGES)) * PAGE_SIZE;
    }
    return d;
}

/* Do it to one design. The result; *where is the address after it, 0 when the slot is empty. */
static int diff_step(struct diff_subject *subject, const struct diff_draw *d, vaddr_t *where)
{
    struct vmap_area **slot = &subject->slots[d->slot];
    int error = 0;

    if (!*slot) {
        if (d->fail_node)
            fail_arm(FAIL_NODE, d->fail_node, false);
        error = vmap_space_alloc(&subject->space, d->size, d->align, d->lo, d->hi, 0, slot);
        fail_disarm(FAIL_NODE);
    } else if ((*slot)->kind == VMAP_BUSY && d->dice < 2) {
        error = vmap_space_resize(&subject->space, *slot, (*slot)->va_start + d->new_size);
    } else if ((*slot)->kind == VMAP_BUSY && d->dice < 5) {
        vmap_space_retire(&subject->space, *slot);
    } else {
        vmap_space_free(&subject->space, *slot);
        *slot = NULL;
    }
    *where = *slot ? (*slot)->va_start : 0;
    return error;
}

/* The first lowest-fit design sets the measure; the descriptors that fail may differ by design. */
static const char *diff_all(const struct diff_draw *d, u64 seed, u64 number)
{
    const struct diff_subject *first = NULL;
    vaddr_t first_where = 0, where;
    int first_error = 0;

    for (unsigned i = 0; diff_subjects[i]; i++) {
        struct diff_subject *subject = diff_subjects[i];
        bool was_empty = !subject->slots[d->slot];
        u64 busy = subject->space.stats.busy_bytes, nodes = subject->space.stats.nodes;
        int error = diff_step(subject, d, &where);

        EXPECT(!error || (subject->space.stats.busy_bytes == busy &&
                          (error == -ENOSPC || subject->space.design->cached ||
                           subject->space.stats.nodes == nodes)),
               "%s, seed %#lx, operation %lu: %s, but something changed",
               subject->space.design->name, seed, number, errno_name(error));
        EXPECT(!was_empty || error || is_aligned(where, d->align), "%s, seed %#lx, operation %lu",
               subject->space.design->name, seed, number);
        if (!(subject->space.design->caps & VMAP_CAP_LOWEST_FIT) || d->fail_node)
            continue;
        if (!first) {
            first = subject;
            first_where = where;
            first_error = error;
        }
        EXPECT(error == first_error && where == first_where,
               "V7: seed %#lx, operation %lu: %s answers %s and %#lx, %s %s and %#lx", seed, number,
               first->space.design->name, errno_name(first_error), first_where,
               subject->space.design->name, errno_name(error), where);
    }
    return NULL;
}

/* A descriptor that failed for one design only: give the slot up everywhere, so that all agree again. */
static void diff_level(const struct diff_draw *d)
{
    for (unsigned i = 0; diff_subjects[i] && d->fail_node; i++) {
        struct vmap_area **slot = &diff_subjects[i]->slots[d->slot];
        if (*slot)
            vmap_space_free(&diff_subjects[i]->space, *slot);
        *slot = NULL;
    }
}

static const struct vmap_design *diff_design(unsigned i)
{
    unsigned designs = 0;

    while (vmap_designs[designs])
        designs++;
    return i < designs ? vmap_designs[i] : vmap_variants[i - designs];
}

static const char *diff_open(void)
{
    for (unsigned i = 0; i < DIFF_DESIGNS - 1 && diff_design(i); i++) {
        const struct vmap_design *design = diff_design(i);
        struct diff_subject *subject = vmap_case_world.alloc(sizeof(*subject));
        u8 *state = subject ? vmap_case_world.alloc(design->state_size) : NULL;

        EXPECT(state, "no memory for %s", design->name);
        for (u64 byte = 0; byte < design->state_size; byte++)
            state[byte] = 0;
        *subject = (struct diff_subject){.state = state};
        EXPECT(vmap_space_init(&subject->space, design->name, design, BASE,
                               BASE + DIFF_PAGES * PAGE_SIZE, state, &node_ops, NULL) == 0,
               "%s does not start", design->name);
        vmap_space_set_check(&subject->space, VMAP_CHECK_ALWAYS);
        diff_subjects[i] = subject;
        diff_subjects[i + 1] = NULL;
    }
    return NULL;
}

static const char *diff_close(void)
{
    for (unsigned i = 0; diff_subjects[i]; i++) {
        struct diff_subject *subject = diff_subjects[i];

        for (unsigned slot = 0; slot < DIFF_SLOTS; slot++)
            if (subject->slots[slot])
                vmap_space_free(&subject->space, subject->slots[slot]);
        EXPECT(subject->space.stats.busy_bytes == 0, "%s lost something",
               subject->space.design->name);
        vmap_space_fini(&subject->space);
        vmap_case_world.free(subject->state);
        vmap_case_world.free(subject);
        diff_subjects[i] = NULL;
    }
    return NULL;
}

const char *vmap_differential(u64 seed, u64 ops)
{
    struct rng rng;
    const char *broken = diff_open();

    rng_seed(&rng, seed);
    for (u64 i = 0; i < ops && !broken; i++) {
        struct diff_draw d = draw(&rng);
        broken = diff_all(&d, seed, i);
        diff_level(&d);
    }
    return broken ? broken : diff_close();
}
