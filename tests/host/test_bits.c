// SPDX-License-Identifier: MIT
/* lib/bits.h against slow definitions, on small numbers, powers of two and their neighbours. */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/rng.h"

#define NUMBERS (3 * 64 + 200 + 500)

static u64 numbers[NUMBERS];

/* 0..199, each power of two with its neighbours, and random ones of every length. */
static void fill_numbers(void)
{
    struct rng rng;
    unsigned n = 0;

    rng_seed(&rng, 7);
    for (u64 i = 0; i < 200; i++)
        numbers[n++] = i;
    for (unsigned bit = 0; bit < 64; bit++)
        for (u64 around = 0; around < 3; around++)
            numbers[n++] = (1UL << bit) + around - 1;
    while (n < NUMBERS) {
        u64 number = rng_next(&rng);
        numbers[n++] = number >> rng_below(&rng, 64);
    }
}

static unsigned bits_set(u64 n)
{
    unsigned count = 0;

    for (unsigned bit = 0; bit < 64; bit++)
        count += n >> bit & 1;
    return count;
}

static void test_powers_and_logarithms(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        u64 n = numbers[i];
        unsigned top = 0;

        assert_int_equal(is_power_of_two(n), bits_set(n) == 1);
        for (unsigned bit = 0; bit < 64; bit++)
            if (n >> bit & 1)
                top = bit + 1;
        assert_int_equal(fls(n), top);
        if (n)
            assert_int_equal(ilog2(n), top - 1);
        if (n <= 1UL << 63) {
            u64 power = roundup_pow2(n);
            assert_int_equal(bits_set(power), 1);
            assert_true(power >= n && (power == 1 || power / 2 < n));
        }
    }
}

static void test_orders(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        u64 pages = numbers[i] >> 1;
        unsigned order = 0;

        while (1UL << order < pages)
            order++;
        assert_int_equal(order_for_pages(pages), order);
    }
}

static void test_alignment(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        for (unsigned i = 0; i < NUMBERS; i++) {
            u64 n = numbers[i], align = 1UL << bit, up = n;
            /* 128 bits know the true answer. */
            unsigned __int128 exact = ((unsigned __int128)n + align - 1) / align * align;
            bool fits = exact >> 64 == 0;

            assert_int_equal(align_down(n, align), n / align * align);
            assert_int_equal(is_aligned(n, align), n % align == 0);
            assert_int_equal(align_up(n, align), (u64)exact);
            assert_int_equal(align_up_checked(n, align, &up), fits);
            assert_int_equal(up, fits ? (u64)exact : n);
        }
}

static void test_sums_and_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NUMBERS; i++) {
        unsigned __int128 pages = ((unsigned __int128)numbers[i] + PAGE_SIZE - 1) / PAGE_SIZE;

        for (unsigned k = 0; k < NUMBERS; k++) {
            unsigned __int128 exact = (unsigned __int128)numbers[i] + numbers[k];
            u64 sum = 1;

            assert_int_equal(add_checked(numbers[i], numbers[k], &sum), exact >> 64 == 0);
            assert_true(exact >> 64 || sum == (u64)exact);
            assert_int_equal(min_u64(numbers[i], numbers[k]) <= numbers[k], 1);
            assert_int_equal(min_u64(numbers[i], numbers[k]) + max_u64(numbers[i], numbers[k]),
                             (u64)exact);
        }
        assert_int_equal(bytes_to_pages(numbers[i]), pages >> 52 ? 0 : (u64)pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_powers_and_logarithms),
        host_test(test_orders),
        host_test(test_alignment),
        host_test(test_sums_and_pages),
    };

    fill_numbers();
    return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
