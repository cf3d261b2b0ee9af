// SPDX-License-Identifier: MIT
/* Fault injection itself, the random numbers, and the names of the error codes. */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"

#define CALLS 40

/* Exactly the nth call fails, or all from the nth on; the other sites stay out of it. */
static void test_nth_call_fails(void **state)
{
    (void)state;
    for (unsigned site = 0; site < FAIL_SITES; site++)
        for (u64 nth = 1; nth <= CALLS; nth++)
            for (unsigned forever = 0; forever < 2; forever++) {
                fail_arm(site, nth, forever);
                for (u64 call = 1; call <= CALLS; call++) {
                    bool expected = forever ? call >= nth : call == nth;

                    assert_int_equal(should_fail(site), expected);
                    for (unsigned other = 0; other < FAIL_SITES; other++)
                        assert_true(other == site || !should_fail(other));
                }
                assert_int_equal(fail_count(site), forever ? CALLS - nth + 1 : 1);
                assert_int_equal(fail_armed, forever ? 1U << site : 0);
                fail_disarm(site);
                assert_int_equal(fail_armed, 0);
                assert_false(should_fail(site));
            }
}

/* An allocation with three steps, as the loops of the other tests use it. */
static bool three_steps(void)
{
    return !should_fail(FAIL_PAGE) && !should_fail(FAIL_PAGE) && !should_fail(FAIL_PAGE);
}

static void test_until_success_loop(void **state)
{
    u64 failed = 0;

    (void)state;
    for (u64 k = 1;; k++) {
        bool success;

        fail_arm(FAIL_PAGE, k, false);
        success = three_steps();
        fail_disarm(FAIL_PAGE);
        assert_int_equal(success, fail_count(FAIL_PAGE) == 0);
        if (success)
            break;
        failed++;
    }
    assert_int_equal(failed, 3);
}

static void test_arming_again_starts_anew(void **state)
{
    (void)state;
    fail_arm(FAIL_SLAB, 1, true);
    assert_true(should_fail(FAIL_SLAB));
    fail_arm(FAIL_SLAB, 2, false);
    assert_int_equal(fail_count(FAIL_SLAB), 0);
    assert_false(should_fail(FAIL_SLAB));
    assert_true(should_fail(FAIL_SLAB));
    assert_false(should_fail(FAIL_SLAB));
    assert_int_equal(fail_count(FAIL_SLAB), 1);
}

static void test_two_sites_at_once(void **state)
{
    (void)state;
    fail_arm(FAIL_PAGE, 1, false);
    fail_arm(FAIL_NODE, 2, false);
    assert_false(should_fail(FAIL_NODE));
    assert_true(should_fail(FAIL_PAGE));
    assert_true(should_fail(FAIL_NODE));
    assert_int_equal(fail_armed, 0);
}

static void arm_zeroth(void *site)
{
    fail_arm(*(enum fail_site *)site, 0, false);
}

static void arm_unknown(void *site)
{
    (void)site;
    fail_arm(FAIL_SITES, 1, false);
}

static void count_unknown(void *unused)
{
    (void)unused;
    fail_count(FAIL_SITES);
}

static void test_bad_arguments(void **state)
{
    enum fail_site site = FAIL_NODE;

    (void)state;
    expect_panic(arm_zeroth, &site, "number 1, not 0");
    expect_panic(arm_unknown, NULL, "fail site");
    expect_panic(count_unknown, NULL, "fail site");
    assert_int_equal(fail_armed, 0);
    for (unsigned i = 0; i < FAIL_SITES; i++)
        assert_string_not_equal(fail_site_name(i), "?");
    assert_string_equal(fail_site_name(FAIL_SITES), "?");
}

/* The sequence is part of the contract: a seed printed by the kernel is replayed on the host. */
static void test_random_numbers_repeat(void **state)
{
    struct rng a, b;

    (void)state;
    /* Computed apart, in Python; the first state is splitmix64's first output for seed 0. */
    rng_seed(&a, 0);
    assert_int_equal(a.state, 0xe220a8397b1dcdafUL);
    assert_int_equal(rng_next(&a), 0x7bbcb40d550682d0UL);
    assert_int_equal(rng_next(&a), 0xde7fe413d00cc9fdUL);
    rng_seed(&a, 42);
    assert_int_equal(rng_next(&a), 0x31b0ece7c4f697a2UL);
    assert_int_equal(rng_next(&a), 0x9008a3b1cb686f03UL);
    for (u64 seed = 0; seed < 1000; seed++) {
        rng_seed(&a, seed);
        rng_seed(&b, seed);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(rng_next(&a), rng_next(&b));
        rng_seed(&b, seed + 1);
        assert_int_not_equal(rng_next(&a), rng_next(&b));
    }
    /* The one seed that stirs to 0 (splitmix64's constant, negated) must not stay at 0 for ever. */
    rng_seed(&a, -0x9e3779b97f4a7c15UL);
    assert_int_not_equal(rng_next(&a), 0);
}

static void draw_below_zero(void *rng)
{
    rng_below(rng, 0);
}

/* Each value near its share: six standard deviations of a binomial around the mean. */
static void test_random_numbers_are_uniform(void **state)
{
    u32 count[12] = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (unsigned i = 0; i < 120000; i++) {
        u64 value = rng_below(&rng, 12);

        assert_true(value < 12);
        count[value]++;
    }
    for (unsigned i = 0; i < 12; i++)
        assert_in_range(count[i], 10000 - 6 * 96, 10000 + 6 * 96);
    /* With a plain remainder the lowest third of [0, 3 * 2^62) would get half of the draws. */
    count[0] = 0;
    for (unsigned i = 0; i < 6000; i++) {
        assert_int_equal(rng_below(&rng, 1), 0);
        count[0] += rng_below(&rng, 3UL << 62) < 1UL << 62;
    }
    assert_in_range(count[0], 2000 - 6 * 37, 2000 + 6 * 37);
    expect_panic(draw_below_zero, &rng, "does not exist");
}

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(errno_name(-ENOMEM), "ENOMEM");
    assert_string_equal(errno_name(ENOMEM), "ENOMEM");
    assert_string_equal(errno_name(-EOVERFLOW), "EOVERFLOW");
    assert_string_equal(errno_name(EPERM), "EPERM");
    assert_string_equal(errno_name(0), "E?");
    assert_string_equal(errno_name(4095), "E?");
    assert_string_equal(errno_name(INT32_MIN), "E?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_nth_call_fails),
        host_test(test_until_success_loop),
        host_test(test_arming_again_starts_anew),
        host_test(test_two_sites_at_once),
        host_test(test_bad_arguments),
        host_test(test_random_numbers_repeat),
        host_test(test_random_numbers_are_uniform),
        host_test(test_error_names),
    };

    return cmocka_run_group_tests_name("failpoint", tests, NULL, NULL);
}
