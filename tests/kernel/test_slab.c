// SPDX-License-Identifier: MIT
/*
 * Slab and kmalloc inside the running kernel, on caches of their own: objects that carry their owner's
 * pattern, misuse, use after free, the k-th failure. What must hold for all caches is asked of all.
 */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "lib/string.h"
#include "mm/slab.h"

#define OBJECTS 256u

static struct kmem_cache lab;
static u8 *objects[OBJECTS];

/* A test body on a fresh cache; afterwards it must be possible to destroy it. */
static const char *in_the_lab(u32 size, const char *(*body)(void))
{
    int err = kmem_cache_init(&lab, "lab", size, 0, &kernel_buddy);
    KEXPECT(err == 0, "%s", errno_name(err));
    lab.poison = true;
    const char *result = body();
    if (!result)
        result = kmem_cache_check(&lab);
    err = kmem_cache_destroy(&lab);
    if (result)
        return result;
    KEXPECT(err == 0, "%lu objects of %u bytes left", kmem_cache_in_use(&lab), size);
    return NULL;
}

static void check_one(struct kmem_cache *cache, void *ctx)
{
    const char **first = ctx;
    if (!*first)
        *first = kmem_cache_check(cache);
}

KTEST(slab, all_caches_are_sound)
{
    const char *first = NULL;
    kmem_cache_for_each(check_one, &first);
    return first;
}

static const char *random_life(void)
{
    struct rng rng;
    u64 seed = ktest_seed();

    rng_seed(&rng, seed);
    memset(objects, 0, sizeof(objects));
    for (unsigned op = 0; op < 4000 + OBJECTS; op++) {
        /* The last round gives everything back. */
        unsigned i = op < 4000 ? (unsigned)rng_below(&rng, OBJECTS) : op - 4000;
        if (objects[i]) {
            const u8 *bad = memory_not_equal(objects[i], (u8)i, lab.size);
            KEXPECT(!bad, "seed %#lx, operation %u: %p is %#x, its owner wrote %#x", seed, op,
                    (const void *)bad, *bad, i);
            kmem_cache_free(&lab, objects[i]);
            objects[i] = NULL;
        } else if (op < 4000) {
            objects[i] = kmem_cache_alloc(&lab, 0);
            KEXPECT(objects[i], "operation %u: no memory", op);
            memset(objects[i], (int)i, lab.size);
        }
        if (op % 200 == 0)
            KEXPECT(!kmem_cache_check(&lab), "seed %#lx, operation %u: %s", seed, op,
                    kmem_cache_check(&lab));
    }
    KEXPECT(kmem_cache_in_use(&lab) == 0 && lab.empty_slabs <= SLAB_KEEP_EMPTY,
            "%lu in use, %u empty slabs", kmem_cache_in_use(&lab), lab.empty_slabs);
    return NULL;
}

KTEST(slab, random_life)
{
    static const u32 sizes[] = {8, 40, 100, 700, 2048, 5000};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        const char *result = in_the_lab(sizes[i], random_life);
        if (result)
            return result;
    }
    return NULL;
}

static const char *misuse(void)
{
    u8 *a = kmem_cache_alloc(&lab, 0), *b = kmem_cache_alloc(&lab, 0);
    KEXPECT(a && b, "no memory");
    ktest_expect_reports(4);
    kmem_cache_free(&lab, a + 8);
    kmem_cache_free(&lab, &lab);
    kmem_cache_free(&lab, a);
    kmem_cache_free(&lab, a);
    kmem_cache_free(&lab, b);
    kmem_cache_free(&lab, a);
    kmem_cache_free(&lab, NULL);
    KEXPECT(kmem_cache_in_use(&lab) == 0, "%lu objects in use", kmem_cache_in_use(&lab));
    return NULL;
}

KTEST(slab, bad_frees_are_refused)
{
    return in_the_lab(64, misuse);
}

static const char *use_after_free(void)
{
    u8 *a = kmem_cache_alloc(&lab, 0);
    KEXPECT(a, "no memory");
    kmem_cache_free(&lab, a);
    KEXPECT(a[20] == SLAB_POISON, "freed object is not poisoned: %#x", a[20]);
    a[20] = 0;
    const char *broken = kmem_cache_check(&lab);
    KEXPECT(broken && strstr(broken, "S3"), "not noticed by the check: %s", broken ? broken : "-");
    ktest_expect_reports(1);
    u8 *again = kmem_cache_alloc(&lab, 0);
    KEXPECT(again == a, "%p handed out instead of %p", (void *)again, (void *)a);
    kmem_cache_free(&lab, again);
    return NULL;
}

KTEST(slab, use_after_free_is_noticed)
{
    return in_the_lab(64, use_after_free);
}

static enum fail_site site_now;
static bool forever_now;

static const char *every_failure(void)
{
    for (u64 k = 1; k < 2 * OBJECTS; k++) {
        unsigned n = 0;
        fail_arm(site_now, k, forever_now);
        while (n < 100 && (objects[n] = kmem_cache_alloc(&lab, __GFP_NOWARN)) != NULL)
            n++;
        bool hit = fail_count(site_now) != 0;
        fail_disarm(site_now);
        KEXPECT(hit == (n < 100), "%s %lu: %u objects", fail_site_name(site_now), k, n);
        while (n--)
            kmem_cache_free(&lab, objects[n]);
        kmem_cache_shrink(&lab);
        KEXPECT(lab.slabs == 0 && kmem_cache_in_use(&lab) == 0,
                "%s %lu: %lu slabs, %lu objects left", fail_site_name(site_now), k, lab.slabs,
                kmem_cache_in_use(&lab));
        if (!hit)
            return NULL;
    }
    return "no end of failures";
}

KTEST(slab, every_failure)
{
    for (unsigned i = 0; i < 4; i++) {
        site_now = i & 1 ? FAIL_PAGE : FAIL_SLAB;
        forever_now = i & 2;
        const char *result = in_the_lab(500, every_failure);
        if (result)
            return result;
    }
    return NULL;
}

KTEST(slab, kmalloc_sizes)
{
    for (u64 size = 1; size <= 40000; size += 1 + size / 3) {
        u8 *at = kzalloc(size, 0);
        KEXPECT(at, "no %lu bytes", size);
        const u8 *dirt = memory_not_equal(at, 0, size);
        u64 usable = ksize(at);
        memset(at, 0xee, usable);
        kfree(at);
        KEXPECT(!dirt, "kzalloc(%lu): not zero at %p", size, (const void *)dirt);
        KEXPECT(usable >= size && (usable < 2 * size || usable == 8), "kmalloc(%lu) gave %lu", size,
                usable);
    }
    KEXPECT(!kmalloc(0, 0) && !kmalloc(~0UL, 0) && !kmalloc(4 * MIB + 1, 0), "absurd %s", "sizes");
    return NULL;
}

KTEST(slab, kfree_refuses_what_is_not_its_own)
{
    u8 *large = kmalloc(9000, 0), *small = kmalloc(100, 0);
    void *page = get_free_page(0);
    KEXPECT(large && small && page, "no memory");
    ktest_expect_reports(7);
    kfree(large + PAGE_SIZE);
    kfree(small + 8);
    kfree(page);
    kfree((void *)ktest_slab_kmalloc_sizes);
    kfree((void *)8);
    kfree(small);
    kfree(small);
    kfree(large);
    kfree(large);
    kfree(NULL);
    free_page(page);
    return NULL;
}
