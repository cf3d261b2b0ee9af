// SPDX-License-Identifier: MIT
/*
 * The avlhash designs beyond what every design is tested for: each combination of the policies that stand
 * for the open questions of the RFC, and what each policy decides, in small worked examples. The shared cases and the random run are those of tests/shared/vmap_cases.c.
 */
#include "tests/host/harness.h"

#include "mm/vmap/avlhash.h"
#include "mm/vmap/oracle.h"
#include "tests/shared/vmap_cases.c"

static void *host_alloc(u64 size)
{
    void *memory = malloc(size);

    return memory ? memset(memory, 0xa5, size) : NULL;
}

const struct vmap_case_world vmap_case_world = {host_alloc, free};

static void *oracle_page(void *ctx)
{
    return calloc(1, PAGE_SIZE);
}

static void oracle_page_free(void *ctx, void *page)
{
    free(page);
}

static const struct vmap_oracle_ops oracle_ops = {oracle_page, oracle_page_free};

static struct avlhash *state_of_space(void)
{
    return space.state;
}

static const struct avlhash_counts *counts(void)
{
    return &state_of_space()->counts;
}

/* ---- every combination of policies ------------------------------------------------------------------ */

static struct avlhash_policy policy;
static struct vmap_design combination;

static int init_combination(struct vmap_space *s)
{
    int error = vmap_avlhash.init(s);

    return error ? error : avlhash_set_policy(s, &policy);
}

/* Calls `run` with policy and combination set; which policies: all, or those that never give up. */
static void for_each_policy(bool giving_up, void (*run)(void))
{
    static const u32 probes[] = {0, 1, 32};

    for (unsigned bits = 0; bits < 16; bits++)
        for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
            policy = (struct avlhash_policy){.hit = bits & 1,
                                             .align = bits >> 1 & 1,
                                             .frontier = bits >> 2 & 1,
                                             .exhausted = bits >> 3,
                                             .probes = probes[i]};
            if (!giving_up && policy.exhausted == AVLHASH_EXHAUSTED_FAIL)
                continue;
            combination = vmap_avlhash;
            combination.init = init_combination;
            if (policy.exhausted == AVLHASH_EXHAUSTED_FAIL)
                combination.caps |= VMAP_CAP_GIVES_UP;
            run();
        }
}

static void must_pass(const char *answer)
{
    fail_disarm(FAIL_NODE);
    close_space();
    if (answer)
        fail_msg("hit %d, align %d, frontier %d, exhausted %d, probes %u: %s", policy.hit,
                 policy.align, policy.frontier, policy.exhausted, policy.probes, answer);
}

/* Two do not apply: the names of designs in the table; and, with a frontier that stays, a descriptor that
 * remains when all is free. */
static bool applies(const char *(*run)(const struct vmap_design *design))
{
    return run != vmap_case_refuses_bad_spaces &&
           (run != vmap_case_full_space_and_back || policy.frontier == AVLHASH_FRONTIER_LOWERED);
}

#define RUN_CASE(name)                                                                             \
    if (applies(vmap_case_##name))                                                                 \
        must_pass(vmap_case_##name(&combination));

static void run_shared_cases(void)
{
    VMAP_CASES(RUN_CASE)
}

static void shared_cases(void **unused)
{
    for_each_policy(false, run_shared_cases);
}

static void run_random(void)
{
    for (u64 seed = 1; seed <= 4; seed++) {
        const char *answer = vmap_case_random(&combination, seed, 3000);

        /* who gives up, or never looks twice, does not see every kind of fit */
        must_pass(answer && strstr(answer, "not everything happened") ? NULL : answer);
    }
}

static void random_against_the_oracle(void **unused)
{
    for_each_policy(true, run_random);
}

/* ---- what the policies decide ------------------------------------------------------------------------ */

static void must_open(const struct vmap_design *design, u64 pages)
{
    assert_int_equal(open_space(design, BASE, BASE + pages * PAGE_SIZE), 0);
}

static void must_close(void)
{
    assert_null(vmap_space_check(&space));
    close_space();
}

/* Where an alloc of so many pages ends up; -1: no room. */
static int page_of_alloc(u64 pages, u64 align)
{
    struct vmap_area *area;

    if (alloc_pages_anywhere(pages, align, &area))
        return -1;
    assert_null(vmap_space_check(&space));
    return (int)((area->va_start - BASE) >> PAGE_SHIFT);
}

static void free_page_range(u64 first)
{
    vmap_space_free(&space, vmap_space_find(&space, at_page(first)));
    assert_null(vmap_space_check(&space));
}

/* The drawing in mm/vmap/avlhash.c: ##---###-##..... */
static void open_example(const struct vmap_design *design)
{
    static const u64 sizes[] = {2, 3, 3, 1, 2};

    must_open(design, 16);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        assert_true(page_of_alloc(sizes[i], 1) >= 0);
    free_page_range(2);
    free_page_range(8);
    assert_int_equal(counts()->frontiers, 5);
    assert_int_equal(state_of_space()->frontier, at_page(11));
}

static void worked_example(void **unused)
{
    open_example(&vmap_avlhash);
    assert_int_equal(page_of_alloc(3, 1), 2); /* exactly this size: from the hash */
    assert_int_equal(counts()->hits, 1);
    assert_int_equal(space.stats.visited, 2);
    free_page_range(2);
    assert_int_equal(page_of_alloc(2, 1), 11); /* another size: new space, though [2,5) has room */
    free_page_range(11);
    assert_int_equal(counts()->lowered, 1);
    free_page_range(5); /* merges with both: [2,9) */
    assert_int_equal(page_of_alloc(7, 1), 2);
    must_close();
}

static void exact_or_larger(void **unused)
{
    open_example(&vmap_avlhash_split);
    assert_int_equal(page_of_alloc(2, 1), 2); /* of [2,5), which is found in the same bucket */
    assert_int_equal(counts()->splits, 1);
    assert_int_equal(page_of_alloc(1, 1), 4); /* what was left, the newest of its size */
    assert_int_equal(page_of_alloc(1, 1), 8);
    assert_int_equal(page_of_alloc(1, 1), 11);
    must_close();

    open_example(&vmap_avlhash_split);
    free_page_range(5); /* [2,9), 7 pages: another bucket than that of 2 and 3 */
    assert_int_equal(page_of_alloc(2, 1), 2);
    must_close();
}

/* Two sizes may share a bucket; a hit is exact all the same. */
static void a_collision_is_no_hit(void **unused)
{
    u64 size = 2;

    must_open(&vmap_avlhash, 1024);
    while (avlhash_bucket(state_of_space(), size * PAGE_SIZE) !=
           avlhash_bucket(state_of_space(), PAGE_SIZE))
        size++;
    assert_int_equal(page_of_alloc(size, 1), 0);
    assert_int_equal(page_of_alloc(1, 1), size);
    free_page_range(0);
    assert_int_equal(page_of_alloc(1, 1), size + 1);
    assert_int_equal(space.stats.visited, 2); /* it was looked at */
    assert_int_equal(page_of_alloc(size, 1), 0);
    must_close();
}

static void the_frontier_comes_down_or_stays(void **unused)
{
    const struct avlhash_policy stays = {.frontier = AVLHASH_FRONTIER_STAYS};

    must_open(&vmap_avlhash, 16);
    page_of_alloc(4, 1);
    free_page_range(0);
    assert_int_equal(page_of_alloc(5, 1), 0);
    must_close();

    must_open(&vmap_avlhash, 16);
    assert_int_equal(avlhash_set_policy(&space, &stays), 0);
    page_of_alloc(4, 1);
    free_page_range(0);
    assert_int_equal(space.stats.free_extents, 1); /* one range for who asks from outside */
    assert_int_equal(page_of_alloc(5, 1), 4);
    free_page_range(4);
    assert_int_equal(page_of_alloc(10, 1), 0); /* fits into neither part, only into both */
    assert_int_equal(state_of_space()->frontier, at_page(10));
    must_close();
}

static void exhausted(void **unused)
{
    struct vmap_area *area;

    for (unsigned pure = 0; pure <= 1; pure++) {
        open_example(pure ? &vmap_avlhash_pure : &vmap_avlhash);
        assert_int_equal(page_of_alloc(5, 1), 11);
        assert_int_equal(page_of_alloc(2, 1), pure ? -1 : 2); /* nothing of 2 pages, nothing new */
        assert_int_equal(counts()->walks, pure ? 0 : 1);
        assert_int_equal(counts()->walked, pure ? 0 : 2); /* [0,2) and [2,5) */
        assert_int_equal(alloc_pages_anywhere(4, 1, &area), -ENOSPC);
        must_close();
    }
}

/* "It never reuses a hole of another size": sizes that change use up any space while little is live. */
static void changing_sizes_leak(void **unused)
{
    static const struct {
        const struct vmap_design *design;
        bool survives;
    } runs[] = {{&vmap_avlhash_pure, false}, {&vmap_avlhash, true}, {&vmap_avlhash_split, true}};

    for (unsigned i = 0; i < ARRAY_SIZE(runs); i++) {
        struct vmap_area *last = NULL, *next, *wall;
        int error = 0;

        must_open(runs[i].design, 512);
        for (u64 size = 40; size >= 1 && !error; size--) {
            error = alloc_pages_anywhere(size, 1, &next);
            if (error)
                break;
            error = alloc_pages_anywhere(1, 1, &wall); /* so that holes do not merge */
            if (last)
                vmap_space_free(&space, last);
            last = next;
        }
        assert_int_equal(error, runs[i].survives ? 0 : -ENOSPC);
        if (error)
            assert_true(space.stats.free_bytes > 400 * PAGE_SIZE);
        must_close();
    }
}

static void aligned_requests(void **unused)
{
    const struct avlhash_policy frontier = {.align = AVLHASH_ALIGN_FRONTIER};

    for (unsigned i = 0; i <= 1; i++) {
        must_open(&vmap_avlhash, 64);
        if (i)
            assert_int_equal(avlhash_set_policy(&space, &frontier), 0);
        page_of_alloc(1, 1);
        assert_int_equal(page_of_alloc(4, 16), 16);
        assert_int_equal(counts()->skips, 1); /* [1,16) is unused, and found by its size */
        assert_int_equal(page_of_alloc(1, 1), 20);
        free_page_range(16);
        assert_int_equal(page_of_alloc(19, 1), 1); /* [16,20) has merged with [1,16) */
        must_close();
    }
    for (unsigned i = 0; i <= 1; i++) {
        must_open(&vmap_avlhash, 64);
        if (i)
            assert_int_equal(avlhash_set_policy(&space, &frontier), 0);
        assert_int_equal(page_of_alloc(4, 16), 0);
        page_of_alloc(1, 1);
        free_page_range(0);
        assert_int_equal(page_of_alloc(4, 16), i ? 16 : 0);
        must_close();
    }
}

static void probes(void **unused)
{
    struct avlhash_policy few = {.probes = 2};

    must_open(&vmap_avlhash, 64);
    assert_int_equal(avlhash_set_policy(&space, &few), 0);
    for (unsigned i = 0; i < 8; i++) {
        page_of_alloc(1, 1);
        page_of_alloc(1, 1);
    }
    for (unsigned i = 0; i < 8; i++)
        free_page_range(2 * i);                 /* the newest first: 14, 12, 10 ... 0 */
    assert_int_equal(page_of_alloc(1, 16), 16); /* 0 is aligned, but six steps further down */
    assert_int_equal(space.stats.visited, 3);
    must_close();
}

static void set_policy_refuses(void **unused)
{
    const struct avlhash_policy fail = {.exhausted = AVLHASH_EXHAUSTED_FAIL}, other = {.probes = 1};

    must_open(&vmap_avlhash, 16);
    assert_int_equal(avlhash_set_policy(&space, &fail), -EINVAL);
    assert_int_equal(avlhash_set_policy(&space, &other), 0);
    assert_int_equal(state_of_space()->policy.probes, 1);
    page_of_alloc(1, 1);
    assert_int_equal(avlhash_set_policy(&space, &other), -EBUSY);
    must_close();
    must_open(&vmap_avlhash_pure, 16);
    assert_int_equal(avlhash_set_policy(&space, &fail), 0);
    must_close();
}

static int group_setup(void **unused)
{
    vmap_oracle_default_ops = &oracle_ops;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(shared_cases),
        host_test(random_against_the_oracle),
        host_test(worked_example),
        host_test(exact_or_larger),
        host_test(a_collision_is_no_hit),
        host_test(the_frontier_comes_down_or_stays),
        host_test(exhausted),
        host_test(changing_sizes_leak),
        host_test(aligned_requests),
        host_test(probes),
        host_test(set_policy_refuses),
    };

    return cmocka_run_group_tests_name("vmap_avlhash", tests, group_setup, NULL);
}
