// SPDX-License-Identifier: MIT
/*
 * The shared vmap cases on the host, where ASan watches every descriptor; and what can be shown here
 * only: misuse that ends in a panic, the oracle by itself, a model that runs out of memory.
 */
#include "tests/host/harness.h"

#include "mm/vmap/oracle.h"
#include "tests/shared/vmap_cases.c"
#include "tests/shared/vmap_differential.c"

static void *host_alloc(u64 size)
{
    void *memory = malloc(size);

    return memory ? memset(memory, 0xa5, size) : NULL;
}

const struct vmap_case_world vmap_case_world = {host_alloc, free};

static u64 oracle_pages, oracle_budget;

static void *oracle_alloc(void *ctx)
{
    if (oracle_pages == oracle_budget)
        return NULL;
    oracle_pages++;
    return calloc(1, PAGE_SIZE);
}

static void oracle_free(void *ctx, void *page)
{
    oracle_pages--;
    free(page);
}

static const struct vmap_oracle_ops oracle_ops = {oracle_alloc, oracle_free};

static int group_setup(void **state)
{
    vmap_oracle_default_ops = &oracle_ops;
    oracle_budget = ~0UL;
    return 0;
}

#define HOST_CASE(name)                                                                            \
    static void name(void **state)                                                                 \
    {                                                                                              \
        const char *answer = vmap_case_every_design(vmap_case_##name);                             \
        if (answer)                                                                                \
            fail_msg("%s", answer);                                                                \
    }
VMAP_CASES(HOST_CASE)

static const char *random_runs(const struct vmap_design *design)
{
    const char *answer = NULL;

    for (u64 seed = 1; seed <= 10 && !answer; seed++)
        answer = vmap_case_random(design, seed, 2000);
    return answer;
}

static void all_designs_agree(void **state)
{
    for (u64 seed = 1; seed <= 4; seed++) {
        const char *answer = vmap_differential(seed, 5000);
        if (answer)
            fail_msg("%s", answer);
    }
}

static void random_against_the_oracle(void **state)
{
    const char *answer = vmap_case_every_design(random_runs);

    if (answer)
        fail_msg("%s", answer);
    assert_int_equal(oracle_pages, 0);
}

/* ---- misuse, and what the automatic checks make of corruption ------------------------------- */

static void free_it(void *area)
{
    vmap_space_free(&space, area);
}

static void retire_it(void *area)
{
    vmap_space_retire(&space, area);
}

static void resize_it(void *area)
{
    vmap_space_resize(&space, area, space.end);
}

static void close_it(void *unused)
{
    vmap_space_fini(&space);
}

/* A descriptor of a kind that cannot be freed: what a double free looks like. */
static void free_of_a_free_area(void **state)
{
    struct vmap_area area = {.va_start = BASE, .va_end = BASE + PAGE_SIZE, .kind = VMAP_FREE};

    for (unsigned i = 0; vmap_designs[i]; i++) {
        assert_int_equal(open_space(vmap_designs[i], BASE, BASE + MIB), 0);
        expect_panic(free_it, &area, "freed twice?");
        expect_panic(retire_it, &area, "is of kind 0");
        expect_panic(resize_it, &area, "is of kind 0");
        close_space();
    }
}

static void retire_twice(void **state)
{
    assert_int_equal(open_space(&vmap_freetree, BASE, BASE + MIB), 0);
    struct vmap_area *area = reserve(3, 1);
    vmap_space_retire(&space, area);
    expect_panic(retire_it, area, "is of kind 2");
    vmap_space_free(&space, area);
    close_space();
}

static void lost_descriptor(void **state)
{
    assert_int_equal(open_space(&vmap_vmlist, BASE, BASE + MIB), 0);
    space.stats.nodes++;
    expect_panic(close_it, NULL, "1 descriptors lost");
    space.stats.nodes--;
    close_space();
}

/* Bug 8: the overlap test must be reachable, and refuse. */
static void overlapping_free(void **state)
{
    assert_int_equal(open_space(&vmap_freetree, BASE, BASE + 16 * PAGE_SIZE), 0);
    struct vmap_area *area = reserve(4, 4);
    area->va_start -= PAGE_SIZE; /* reaches into the free range in front of it */
    expect_panic(free_it, area, "V4: ");
    free(area); /* the panic came when it was in no structure */
    space.stats.nodes--;
    close_space();
}

/* An operation that meets corruption at level 2 stops, and names invariant, operation and request. */
static void cited_operation(void **state)
{
    assert_int_equal(open_space(&vmap_freetree, BASE, BASE + 16 * PAGE_SIZE), 0);
    struct vmap_area *first = reserve(0, 2), *second = reserve(8, 2);
    assert_int_equal(vmap_space_set_check(&space, VMAP_CHECK_ALWAYS), 0);
    first->va_end -= PAGE_SIZE;
    expect_panic(free_it, second, "operation 3: free [0x40008000, 0x4000a000)");
    first->va_end += PAGE_SIZE;
    assert_null(vmap_space_check(&space));
    close_space();
}

/* What the contract of struct vmap_design promises to alloc(), whatever the caller of the space says. */
static int strict_alloc(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                        struct vmap_area **out)
{
    assert_true(size > 0 && is_aligned(size, PAGE_SIZE) && size <= hi - lo);
    assert_true(is_power_of_two(align) && align >= PAGE_SIZE);
    assert_true(lo >= s->start && lo < hi && hi <= s->end);
    return vmap_vmlist.alloc(s, size, align, lo, hi, out);
}

static void designs_see_clean_requests(void **state)
{
    static const u64 values[] = {
        0,    1,        PAGE_SIZE,        3 * PAGE_SIZE, BASE - PAGE_SIZE,
        BASE, BASE + 1, BASE + PAGE_SIZE, BASE + MIB,    BASE + MIB + PAGE_SIZE,
        MIB,  2 * MIB,  NOWHERE,          1UL << 63,     ~0UL};
    enum { N = ARRAY_SIZE(values) };
    struct vmap_design strict = vmap_vmlist;
    struct vmap_area *area;
    u64 fits = 0;

    strict.alloc = strict_alloc;
    assert_int_equal(open_space(&strict, BASE, BASE + MIB), 0);
    for (unsigned i = 0; i < N * N * N * N; i++) {
        u64 size = values[i % N], align = values[i / N % N];
        vaddr_t lo = values[i / N / N % N], hi = values[i / N / N / N];

        if (vmap_space_alloc(&space, size, align, lo, hi, 0, &area))
            continue;
        fits++;
        vmap_space_free(&space, area);
    }
    assert_true(fits > 10);
    close_space();
}

/* ---- the oracle by itself ------------------------------------------------------------------- */

#define VAST (32 * TIB)
static const vaddr_t vmalloc_base = 0xffffc90000000000UL;

/* Against a byte per page and the plainest loops. */
static void oracle_against_bytes(void **state)
{
    enum { PAGES = 40 };
    vaddr_t start = BASE + 3 * PAGE_SIZE;
    struct vmap_oracle *oracle =
        vmap_oracle_new(start, start + PAGES * PAGE_SIZE, &oracle_ops, NULL);
    bool used[PAGES] = {false};
    struct rng rng;

    rng_seed(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        u64 first = rng_below(&rng, PAGES), n = 1 + rng_below(&rng, PAGES - first), count = 0;
        bool give = rng_below(&rng, 2);
        vaddr_t lo = start + first * PAGE_SIZE, hi = lo + n * PAGE_SIZE, found = 0;

        for (u64 p = first; p < first + n; p++)
            count += used[p];
        assert_int_equal(vmap_oracle_is_free(oracle, lo, hi), count == 0);
        if (give)
            assert_int_equal(vmap_oracle_give(oracle, lo, hi), count == n ? 0 : -ENOENT);
        else
            assert_int_equal(vmap_oracle_take(oracle, lo, hi), count == 0 ? 0 : -EEXIST);
        for (u64 p = first; count == (give ? n : 0) && p < first + n; p++)
            used[p] = !give;

        u64 size = 1 + rng_below(&rng, 8), align = 1UL << rng_below(&rng, 4);
        vaddr_t expected = 0;
        for (u64 p = first; p + size <= first + n && !expected; p++) {
            bool fits = is_aligned(start + p * PAGE_SIZE, align * PAGE_SIZE);
            for (u64 q = p; q < p + size; q++)
                fits &= !used[q];
            expected = fits ? start + p * PAGE_SIZE : 0;
        }
        bool room = vmap_oracle_lowest(oracle, size * PAGE_SIZE, align * PAGE_SIZE, lo, hi, &found);
        assert_int_equal(room, expected != 0);
        assert_int_equal(room ? found : 0, expected);
    }
    vmap_oracle_delete(oracle);
    assert_int_equal(oracle_pages, 0);
}

static void oracle_of_32_tib(void **state)
{
    struct vmap_oracle *oracle =
        vmap_oracle_new(vmalloc_base, vmalloc_base + VAST, &oracle_ops, NULL);
    vaddr_t at = 0, middle = vmalloc_base + 17 * TIB + 5 * PAGE_SIZE;

    assert_non_null(oracle);
    assert_null(vmap_oracle_new(vmalloc_base, vmalloc_base + VAST + PAGE_SIZE, &oracle_ops, NULL));
    assert_int_equal(vmap_oracle_take(oracle, vmalloc_base, middle), 0); /* mostly shared leaves */
    assert_true(oracle_pages < 400);
    assert_int_equal(vmap_oracle_used_pages(oracle), (middle - vmalloc_base) >> PAGE_SHIFT);
    assert_true(vmap_oracle_lowest(oracle, TIB, PAGE_SIZE, vmalloc_base, vmalloc_base + VAST, &at));
    assert_int_equal(at, middle);
    assert_true(vmap_oracle_lowest(oracle, TIB, TIB, vmalloc_base, vmalloc_base + VAST, &at));
    assert_int_equal(at, align_up(middle, TIB));
    assert_int_equal(vmap_oracle_take(oracle, middle - PAGE_SIZE, middle + PAGE_SIZE), -EEXIST);
    assert_int_equal(vmap_oracle_give(oracle, middle - PAGE_SIZE, middle + PAGE_SIZE), -ENOENT);
    assert_int_equal(vmap_oracle_take(oracle, vmalloc_base - PAGE_SIZE, vmalloc_base), -EINVAL);
    assert_int_equal(vmap_oracle_take(oracle, vmalloc_base, vmalloc_base), -EINVAL);
    assert_int_equal(vmap_oracle_give(oracle, vmalloc_base + PAGE_SIZE, middle), 0);
    assert_true(vmap_oracle_lowest(oracle, TIB, PAGE_SIZE, vmalloc_base, vmalloc_base + VAST, &at));
    assert_int_equal(at, vmalloc_base + PAGE_SIZE);
    assert_int_equal(vmap_oracle_used_pages(oracle), 1);
    assert_int_equal(oracle_pages, 3 + 2);
    assert_int_equal(vmap_oracle_give(oracle, vmalloc_base, vmalloc_base + PAGE_SIZE), 0);
    assert_int_equal(oracle_pages, 3); /* empty again, and as small as a new one */
    vmap_oracle_delete(oracle);
    assert_int_equal(oracle_pages, 0);
}

/* Every page of the oracle may be the one that is missing: then nothing has changed. */
static void oracle_without_memory(void **state)
{
    vaddr_t end = vmalloc_base + 200 * GIB;

    for (oracle_budget = 0; oracle_budget < 3; oracle_budget++)
        assert_null(vmap_oracle_new(vmalloc_base, end, &oracle_ops, NULL));
    struct vmap_oracle *oracle = vmap_oracle_new(vmalloc_base, end, &oracle_ops, NULL);
    assert_non_null(oracle);
    vaddr_t first = vmalloc_base + 100 * PAGE_SIZE, last = vmalloc_base + 130 * GIB + PAGE_SIZE;
    for (; vmap_oracle_take(oracle, first, last) == -ENOMEM; oracle_budget++) {
        assert_int_equal(vmap_oracle_used_pages(oracle), 0);
        assert_true(vmap_oracle_is_free(oracle, first, last));
        assert_int_equal(oracle_pages, 3);
    }
    assert_int_equal(oracle_budget, 3 + 5); /* three directories and the two leaves at the edges */
    for (; vmap_oracle_give(oracle, vmalloc_base + 3 * GIB + PAGE_SIZE,
                            vmalloc_base + 4 * GIB + PAGE_SIZE) == -ENOMEM;
         oracle_budget++)
        assert_false(vmap_oracle_is_free(oracle, vmalloc_base + 3 * GIB + PAGE_SIZE,
                                         vmalloc_base + 3 * GIB + 2 * PAGE_SIZE));
    assert_int_equal(oracle_budget, 3 + 5 + 2);
    vmap_oracle_delete(oracle);
    assert_int_equal(oracle_pages, 0);
    oracle_budget = ~0UL;
}

/* Level 3 without pages: not entered; and left for level 2, with a warning, when they run out later. */
static void level_3_without_memory(void **state)
{
    struct vmap_area *area;

    assert_int_equal(open_space(&vmap_freetree, vmalloc_base, vmalloc_base + VAST), 0);
    oracle_budget = 2;
    assert_int_equal(vmap_space_set_check(&space, VMAP_CHECK_MODEL), -ENOMEM);
    assert_int_equal(space.check_level, VMAP_CHECK_OFF);
    assert_int_equal(oracle_pages, 0);
    oracle_budget = 3;
    assert_int_equal(vmap_space_set_check(&space, VMAP_CHECK_MODEL), 0);
    u64 warnings = host_warnings();
    assert_int_equal(alloc_pages_anywhere(1, 1, &area), 0);
    assert_int_equal(space.check_level, VMAP_CHECK_ALWAYS);
    assert_null(space.oracle);
    assert_int_equal(host_warnings(), warnings + 1);
    assert_int_equal(oracle_pages, 0);
    vmap_oracle_default_ops = NULL;
    assert_int_equal(vmap_space_set_check(&space, VMAP_CHECK_MODEL), -ENOMEM);
    vmap_oracle_default_ops = &oracle_ops;
    oracle_budget = ~0UL;
    close_space();
}

/* Every byte of an enormous space is used, then given back. */
static void whole_canonical_half(void **state)
{
    for (unsigned i = 0; vmap_designs[i]; i++) {
        struct vmap_area *area, *none;
        vaddr_t start = 0xffff800000000000UL;

        assert_int_equal(open_space(vmap_designs[i], start, NOWHERE), 0);
        assert_int_equal(vmap_space_alloc(&space, NOWHERE - start, PAGE_SIZE, 0, NOWHERE, 0, &area),
                         0);
        assert_int_equal(vmap_space_alloc(&space, PAGE_SIZE, PAGE_SIZE, 0, NOWHERE, 0, &none),
                         -ENOSPC);
        assert_null(vmap_space_check(&space));
        vmap_space_free(&space, area);
        assert_null(vmap_space_check(&space));
        close_space();
    }
}

int main(void)
{
#define HOST_TEST(name) host_test(name),
    const struct CMUnitTest tests[] = {
        VMAP_CASES(HOST_TEST) host_test(random_against_the_oracle),
        host_test(all_designs_agree),
        host_test(free_of_a_free_area),
        host_test(retire_twice),
        host_test(lost_descriptor),
        host_test(overlapping_free),
        host_test(cited_operation),
        host_test(designs_see_clean_requests),
        host_test(oracle_against_bytes),
        host_test(oracle_of_32_tib),
        host_test(oracle_without_memory),
        host_test(level_3_without_memory),
        host_test(whole_canonical_half),
    };

    return cmocka_run_group_tests_name("vmap_basic", tests, group_setup, NULL);
}
