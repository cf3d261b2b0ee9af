// SPDX-License-Identifier: MIT
/*
 * Page stores against a plain array of bytes: reads, writes, sizes, holes, and the pages that are there; far
 * indexes; and that every page comes back.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "mm/pagestore.h"
#include "mm/vmalloc.h"
#include "tests/host/uspace_world.h"

#define BYTES (80 * PAGE_SIZE)
#define OPS 20000

static u8 model[BYTES], buffer[BYTES];

static void random_reads_and_writes(void **state)
{
    struct rng rng;
    u64 size = 0;

    rng_seed(&rng, 3);
    uspace_world_open(2 * 1024);
    struct pagestore *store = pagestore_create();
    memset(model, 0, sizeof(model));
    for (u64 i = 0; i < OPS; i++) {
        u64 offset = rng_below(&rng, BYTES), n = rng_below(&rng, 3 * PAGE_SIZE);
        n = min_u64(n, BYTES - offset);
        switch (rng_below(&rng, 4)) {
        case 0:
            memset(buffer, (int)i, n);
            memset(model + offset, (int)i, n);
            assert_int_equal(pagestore_write(store, offset, buffer, n), n);
            size = n ? max_u64(size, offset + n) : size;
            break;
        case 1:
            if (rng_below(&rng, 8))
                break;
            assert_int_equal(pagestore_resize(store, offset), 0);
            memset(model + offset, 0, BYTES - offset);
            size = offset;
            break;
        default:
            n = offset < size ? min_u64(n, size - offset) : 0;
            assert_int_equal(pagestore_read(store, offset, buffer, n), n);
            assert_memory_equal(buffer, model + offset, n);
        }
        assert_int_equal(pagestore_size(store), size);
        assert_true(pagestore_pages(store) <= bytes_to_pages(size));
        assert_int_equal(buddy_use_pages(&kernel_buddy, PAGE_USE_FILE), pagestore_pages(store));
    }
    pagestore_put(store);
    uspace_world_close();
}

static void far_apart(void **state)
{
    static const u64 at[] = {0, 63, 64, 4095, 4096, 1UL << 30, (1UL << 50) - 1};

    uspace_world_open(1024);
    struct uspace_counts before = uspace_counts();
    struct pagestore *store = pagestore_create();
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
        assert_int_equal(pagestore_write(store, at[i] << PAGE_SHIFT, &at[i], sizeof(at[i])), 8);
    assert_int_equal(pagestore_pages(store), ARRAY_SIZE(at));
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        assert_int_equal(*(u64 *)page_address(pagestore_page(store, at[i], false)), at[i]);
        assert_null(pagestore_page(store, at[i] + 2, false));
    }
    assert_null(pagestore_page(store, 1UL << 50, true));
    assert_int_equal(pagestore_write(store, ~0UL - 3, "glass", 5), -ENOMEM);
    assert_int_equal(pagestore_resize(store, 1UL << 63), -ENOMEM);
    assert_int_equal(pagestore_resize(store, 64 * PAGE_SIZE), 0);
    assert_int_equal(pagestore_pages(store), 2);
    pagestore_put(store);
    assert_same_counts(&before, "far apart");
    uspace_world_close();
}

static void lent_by_vmalloc(void **state)
{
    u64 word = 0;

    uspace_world_open(1024);
    void *area = vmalloc_user(3 * PAGE_SIZE), *plain = vmalloc(PAGE_SIZE);
    struct pagestore *store = pagestore_of_vmalloc(area);
    assert_non_null(store);
    assert_null(
        pagestore_of_vmalloc(plain)); /* not meant for programs: its content is not zeroed */
    assert_null(pagestore_of_vmalloc((u8 *)area + PAGE_SIZE));
    assert_int_equal(pagestore_size(store), 3 * PAGE_SIZE);
    assert_ptr_equal(pagestore_page(store, 2, true), vmalloc_to_page((u8 *)area + 2 * PAGE_SIZE));
    assert_null(pagestore_page(store, 3, true));
    *(u64 *)page_address(vmalloc_to_page(area)) = 5;
    assert_int_equal(pagestore_read(store, 0, &word, sizeof(word)), sizeof(word));
    assert_int_equal(word, 5);
    assert_int_equal(pagestore_write(store, 0, &word, sizeof(word)), -ENOMEM);
    pagestore_put(store);
    vfree(area);
    vfree(plain);
    uspace_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(random_reads_and_writes),
        uspace_test(far_apart),
        uspace_test(lent_by_vmalloc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
