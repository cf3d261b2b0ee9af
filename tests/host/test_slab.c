// SPDX-License-Identifier: MIT
/*
 * Slab and kmalloc: random life in which every object carries its own pattern (two owners of one byte
 * would notice), geometry for every size, misuse, poison, the k-th failure. The checker's own test is
 * test_slab_check.c.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "mm/slab.h"

#define MEMORY (16 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)

static struct buddy buddy;
static struct kmem_cache cache;

static void make_buddy(void)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 1, FRAMES);
    buddy.poison = true;
    slab_init(&buddy);
}

static void make_cache(u32 size, u32 align)
{
    make_buddy();
    assert_int_equal(kmem_cache_init(&cache, "things", size, align, &buddy), 0);
}

static void check(void)
{
    const char *broken = kmem_cache_check(&cache);
    if (!broken)
        broken = buddy_check(&buddy);
    if (broken)
        fail_msg("%s", broken);
}

static void drop_cache(void)
{
    check();
    assert_int_equal(kmem_cache_destroy(&cache), 0);
    assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
    assert_int_equal(buddy_use_pages(&buddy, PAGE_USE_SLAB), 0);
}

/* ---- every size ---------------------------------------------------------------------------------------- */

static void test_every_size_and_alignment(void **state)
{
    (void)state;
    make_buddy();
    for (u32 size = 1; size <= 8192; size += size < 300 ? 1 : 97) {
        for (u32 align = 0; align <= PAGE_SIZE; align = align ? align * 8 : 1) {
            void *objects[3];
            assert_int_equal(kmem_cache_init(&cache, "things", size, align, &buddy), 0);
            assert_true(cache.stride >= size && cache.per_slab >= 1 && cache.order <= 3);
            assert_true((u64)cache.per_slab * cache.stride <= PAGE_SIZE << cache.order);
            for (unsigned i = 0; i < 3; i++) {
                objects[i] = kmem_cache_alloc(&cache, __GFP_ZERO);
                assert_true(is_aligned((u64)virt_to_phys(objects[i]), align > 8 ? align : 8));
                for (u32 k = 0; k < size; k++)
                    assert_int_equal(((u8 *)objects[i])[k], 0);
                memset(objects[i], 0xff, size);
            }
            for (unsigned i = 0; i < 3; i++)
                kmem_cache_free(&cache, objects[i]);
            drop_cache();
        }
    }
}

static void test_bad_geometry(void **state)
{
    (void)state;
    make_buddy();
    assert_int_equal(kmem_cache_init(&cache, "x", 0, 0, &buddy), -EINVAL);
    assert_int_equal(kmem_cache_init(&cache, "x", 8193, 0, &buddy), -EINVAL);
    assert_int_equal(kmem_cache_init(&cache, "x", ~0u, 0, &buddy), -EINVAL);
    assert_int_equal(kmem_cache_init(&cache, "x", 8, 3, &buddy), -EINVAL);
    assert_int_equal(kmem_cache_init(&cache, "x", 8, 8192, &buddy), -EINVAL);
}

/* ---- random life ------------------------------------------------------------------------------------------ */

#define LIVE 600u

struct owned {
    u8 *at;
    u64 size;
    u8 tag;
};

static void fill(struct owned *o, u8 tag)
{
    o->tag = tag;
    memset(o->at, tag, o->size);
}

static void verify(const struct owned *o)
{
    for (u64 i = 0; i < o->size; i++)
        if (o->at[i] != o->tag)
            fail_msg("object %p: byte %lu is %#x, its owner wrote %#x", (void *)o->at, i, o->at[i],
                     o->tag);
}

static void cache_life(u64 seed, u32 size, bool poison)
{
    struct owned live[LIVE];
    unsigned count = 0;
    struct rng rng;

    rng_seed(&rng, seed);
    make_buddy();
    buddy.poison = poison;
    assert_int_equal(kmem_cache_init(&cache, "things", size, 0, &buddy), 0);
    for (unsigned op = 0; op < 3000; op++) {
        bool grow = rng_below(&rng, 1000) < (op / 500 % 2 ? 300u : 700u);
        if (grow && count < LIVE) {
            live[count] = (struct owned){kmem_cache_alloc(&cache, 0), size, 0};
            assert_non_null(live[count].at);
            fill(&live[count++], (u8)rng_next(&rng));
        } else if (count) {
            unsigned i = (unsigned)rng_below(&rng, count);
            verify(&live[i]);
            kmem_cache_free(&cache, live[i].at);
            live[i] = live[--count];
        }
        if (op % 64 == 0)
            check();
        assert_true(cache.empty_slabs <= SLAB_KEEP_EMPTY);
        assert_int_equal(kmem_cache_in_use(&cache), count);
    }
    if (count)
        assert_int_equal(kmem_cache_destroy(&cache), -EBUSY);
    while (count--) {
        verify(&live[count]);
        kmem_cache_free(&cache, live[count].at);
    }
    drop_cache();
}

static void test_random_life(void **state)
{
    (void)state;
    static const u32 sizes[] = {1, 8, 24, 100, 512, 2048, 3000, 8192};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        cache_life(i + 1, sizes[i], true);
        cache_life(i + 100, sizes[i], false);
    }
}

static void test_kmalloc_life(void **state)
{
    (void)state;
    struct owned live[LIVE] = {{0}};
    struct rng rng;

    rng_seed(&rng, 42);
    make_buddy();
    for (unsigned op = 0; op < 4000; op++) {
        struct owned *o = &live[rng_below(&rng, LIVE)];
        if (o->at) {
            verify(o);
            kfree(o->at);
            o->at = NULL;
            continue;
        }
        o->size = 1 + rng_below(&rng, rng_below(&rng, 10) ? 300 : 20000);
        o->at = kmalloc(o->size, 0);
        assert_non_null(o->at);
        assert_true(ksize(o->at) >= o->size && ksize(o->at) < 2 * max_u64(o->size, 8));
        o->size = ksize(o->at);
        fill(o, (u8)rng_next(&rng));
    }
    for (unsigned i = 0; i < LIVE; i++)
        kfree(live[i].at);
    slab_shrink_all();
    assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
    assert_null(buddy_check(&buddy));
}

static void test_kmalloc_sizes(void **state)
{
    (void)state;
    make_buddy();
    assert_null(kmalloc(0, 0));
    assert_null(kmalloc(4 * MIB + 1, 0));
    assert_null(kmalloc(~0UL, 0));
    assert_null(kmalloc(1UL << 63, 0));
    kfree(NULL);
    assert_int_equal(ksize(NULL), 0);
    static const u64 sizes[][2] = {{1, 8},       {8, 8},       {9, 16},      {2047, 2048},
                                   {2048, 2048}, {2049, 4096}, {4097, 8192}, {4 * MIB, 4 * MIB}};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        u8 *at = kzalloc(sizes[i][0], 0);
        assert_non_null(at);
        assert_int_equal(ksize(at), sizes[i][1]);
        for (u64 k = 0; k < sizes[i][0]; k++)
            assert_int_equal(at[k], 0);
        kfree(at);
    }
    slab_shrink_all();
    assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
}

/* ---- misuse ------------------------------------------------------------------------------------------------ */

static void test_frees_that_are_refused(void **state)
{
    (void)state;
    make_cache(100, 0);
    u8 *a = kmem_cache_alloc(&cache, 0), *b = kmem_cache_alloc(&cache, 0);
    u8 *page = phys_to_virt(page_to_phys(buddy_alloc(&buddy, 0, 0, 0)));
    static u8 on_the_host;

    kmem_cache_free(&cache, a + 1);
    expect_report("not the start of an object");
    kmem_cache_free(&cache, a + 50);
    expect_report("+50 into object");
    kmem_cache_free(&cache, page);
    expect_report("not one of its objects");
    kmem_cache_free(&cache, &on_the_host);
    expect_report("not one of its objects");
    kmem_cache_free(&cache, (u8 *)phys_to_virt(virt_to_phys(a) & PAGE_MASK) + PAGE_SIZE - 8);
    expect_report("not the start of an object"); /* the waste at the end of the slab */
    kmem_cache_free(&cache, a);
    kmem_cache_free(&cache, a);
    expect_report("double free");
    kmem_cache_free(&cache, b);
    kmem_cache_free(&cache, a);
    expect_report("double free");
    kmem_cache_free(&cache, NULL);
    check();
    buddy_free(&buddy, virt_to_page(page), 0, 0);
    drop_cache();
}

/* An object whose live data looks exactly like the seal of a free one is freed all the same. */
static void test_live_data_that_looks_free(void **state)
{
    (void)state;
    make_cache(64, 0);
    u64 *a = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, a);
    u64 seal = *a;
    u64 *again = kmem_cache_alloc(&cache, 0);
    assert_ptr_equal(a, again);
    *again = seal;
    kmem_cache_free(&cache, again);
    drop_cache();
}

static void test_kfree_that_is_refused(void **state)
{
    (void)state;
    make_buddy();
    static u8 on_the_host;
    u8 *small = kmalloc(50, 0), *large = kmalloc(10000, 0);
    struct page *page = buddy_alloc(&buddy, 0, 0, 0), *table = buddy_alloc(&buddy, 0, 0, 0);
    page_set_use(&buddy, table, PAGE_USE_TABLE);

    kfree(&on_the_host);
    expect_report("did not give this");
    kfree((void *)0x1234);
    expect_report("did not give this");
    kfree(page_address(page));
    expect_report("did not give this");
    kfree(page_address(table));
    expect_report("did not give this");
    kfree(large + PAGE_SIZE);
    expect_report("not the start");
    kfree(large + 16);
    expect_report("not the start");
    kfree(small + 8);
    expect_report("not the start of an object");
    assert_int_equal(ksize(page_address(page)), 0);
    assert_int_equal(ksize(large + PAGE_SIZE), 0);
    kfree(small);
    kfree(small);
    expect_report("double free");
    kfree(large);
    kfree(large);
    expect_report("double free of page");
    buddy_free(&buddy, page, 0, 0);
    buddy_free(&buddy, table, 0, 0);
    slab_shrink_all();
    assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
}

/* ---- content ------------------------------------------------------------------------------------------------- */

static void test_use_after_free_is_noticed(void **state)
{
    (void)state;
    make_cache(100, 0);
    u8 *a = kmem_cache_alloc(&cache, 0), *keep = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, a);
    assert_int_equal(a[99], SLAB_POISON);
    a[99] = 1;
    assert_ptr_equal(kmem_cache_alloc(&cache, 0), a);
    expect_report("modified at +99 (0x01)");
    kmem_cache_free(&cache, a);
    kmem_cache_free(&cache, keep);
    drop_cache();
}

/* A destroyed link: the free objects behind it are given up, everything else goes on. */
static void test_destroyed_link_costs_the_chain_only(void **state)
{
    (void)state;
    make_cache(100, 0);
    u8 *keep = kmem_cache_alloc(&cache, 0), *a = kmem_cache_alloc(&cache, 0);
    kmem_cache_free(&cache, a);
    memset(a, 0x41, 8);
    u8 *other = kmem_cache_alloc(&cache, 0);
    expect_report("modified at +0 (0x41)");
    assert_non_null(other);
    assert_true(virt_to_page(other) != virt_to_page(a));
    check();
    kmem_cache_free(&cache, keep);
    check();
    assert_ptr_equal(kmem_cache_alloc(&cache, 0), other - 0 == keep ? other : keep);
    check();
    assert_int_equal(kmem_cache_destroy(&cache), -EBUSY);
    list_del(&cache.link);
}

/* Freed objects wait on this CPU's magazine first: a write after the free, to either word, is noticed. */
static void test_magazine_notices_damage(void **state)
{
    (void)state;
    static const struct {
        u64 offset;
        const char *report;
    } damages[] = {{0, "modified at +0 (0x41)"}, {8, "modified at +8 (0x41)"}};

    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        make_cache(64, 0);
        cache.poison = false;
        u8 *a = kmem_cache_alloc(&cache, 0), *b = kmem_cache_alloc(&cache, 0);
        kmem_cache_free(&cache, b);
        kmem_cache_free(&cache, a);
        assert_int_equal(kmem_cache_in_use(&cache), 0);
        assert_ptr_equal(kmem_cache_alloc(&cache, 0), a);
        assert_ptr_equal(kmem_cache_alloc(&cache, 0), b);
        kmem_cache_free(&cache, a);
        kmem_cache_free(&cache, b);
        memset(b + damages[i].offset, 0x41, 8);
        u8 *other = kmem_cache_alloc(&cache, 0);
        expect_report(damages[i].report);
        assert_true(other && other != a && other != b);
        check();
        kmem_cache_free(&cache, other);
        list_del(&cache.link);
    }
}

/* ---- too little memory -------------------------------------------------------------------------------------- */

static void fail_every(enum fail_site site, bool forever)
{
    void *objects[100];
    make_cache(300, 0);
    for (u64 k = 1;; k++) {
        unsigned n = 0;
        fail_arm(site, k, forever);
        while (n < 100 && (objects[n] = kmem_cache_alloc(&cache, __GFP_NOWARN)) != NULL)
            n++;
        bool hit = fail_count(site) != 0;
        fail_disarm(site);
        assert_int_equal(n < 100, hit);
        check();
        while (n--)
            kmem_cache_free(&cache, objects[n]);
        kmem_cache_shrink(&cache);
        assert_int_equal(buddy_free_pages(&buddy), FRAMES - 1);
        if (!hit)
            break;
    }
    drop_cache();
}

static void test_every_failure(void **state)
{
    (void)state;
    for (unsigned forever = 0; forever < 2; forever++) {
        fail_every(FAIL_PAGE, forever);
        fail_every(FAIL_SLAB, forever);
    }
}

static void test_exhaustion(void **state)
{
    (void)state;
    make_cache(4096, 0);
    void **last = NULL, **object;
    u64 n = 0;
    while ((object = kmem_cache_alloc(&cache, __GFP_NOWARN)) != NULL) {
        *object = last;
        last = object;
        n++;
    }
    assert_true(n >= FRAMES - 2);
    check();
    while (last) {
        object = last;
        last = *object;
        kmem_cache_free(&cache, object);
    }
    drop_cache();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_size_and_alignment),
        host_test(test_bad_geometry),
        host_test(test_random_life),
        host_test(test_kmalloc_life),
        host_test(test_kmalloc_sizes),
        host_test(test_frees_that_are_refused),
        host_test(test_live_data_that_looks_free),
        host_test(test_kfree_that_is_refused),
        host_test(test_use_after_free_is_noticed),
        host_test(test_destroyed_link_costs_the_chain_only),
        host_test(test_magazine_notices_damage),
        host_test(test_every_failure),
        host_test(test_exhaustion),
    };

    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
