// SPDX-License-Identifier: MIT
/*
 * Corners of a user space that no random run meets by itself: a move that ends inside a 2 MiB page, the last
 * user of a store that unmaps it, more areas than are allowed.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"
#include "tests/host/uspace_world.h"

#define WORLD_PAGES 8192
#define FROM (1 * GIB)
#define RW (PROT_READ | PROT_WRITE)

static struct uspace *open_space(void)
{
    uspace_world_open(WORLD_PAGES);
    struct uspace *space = uspace_create();
    assert_non_null(space);
    return space;
}

static void close_space(struct uspace *space)
{
    assert_uspace_sound("at the end");
    uspace_put(space);
    uspace_world_close();
}

static s64 map(struct uspace *space, vaddr_t at, u64 size, u32 flags)
{
    return uspace_mmap(space, at, size, RW, flags | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, NULL);
}

/* One page of a huge one goes to the last entry of a leaf table: what does not move must not be stored behind it. */
static void shrinking_move_out_of_a_huge_page(void **state)
{
    vaddr_t to = 2 * GIB + HUGE_SIZE - PAGE_SIZE;
    struct uspace *space = open_space();
    u64 value = 0;

    assert_int_equal(map(space, FROM, HUGE_SIZE, MAP_PRIVATE), FROM);
    assert_int_equal(user_write(space, FROM, 7), 0);
    assert_int_equal(
        uspace_mremap(space, FROM, HUGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    assert_uspace_sound("after the move");
    assert_int_equal(user_read(space, to, &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(user_read(space, to + PAGE_SIZE, &value), -EFAULT);
    assert_int_equal(user_read(space, FROM, &value), -EFAULT);
    assert_int_equal(user_read(space, FROM + PAGE_SIZE, &value), -EFAULT);
    close_space(space);
}

/* The pages are still mapped when the area, the last user of their store, goes. */
static void last_user_unmaps_a_store(void **state)
{
    struct uspace *space = open_space();

    assert_int_equal(map(space, FROM, 3 * PAGE_SIZE, MAP_SHARED), FROM);
    assert_int_equal(user_write(space, FROM + PAGE_SIZE, 7), 0);
    assert_int_equal(uspace_munmap(space, FROM, 3 * PAGE_SIZE), 0);
    close_space(space);
}

/* Areas come into being by cuts, too: a program with too many of them cannot make more with mprotect() or munmap(). */
static void cuts_have_a_limit(void **state)
{
    struct uspace *space = open_space();

    assert_int_equal(map(space, FROM, 16 * PAGE_SIZE, MAP_PRIVATE), FROM);
    space->stats.areas += USER_AREAS_MAX;
    assert_int_equal(uspace_mprotect(space, FROM + PAGE_SIZE, PAGE_SIZE, PROT_READ), -ENOMEM);
    assert_int_equal(uspace_munmap(space, FROM + PAGE_SIZE, PAGE_SIZE), -ENOMEM);
    assert_int_equal(uspace_mprotect(space, FROM, 16 * PAGE_SIZE, PROT_READ), 0);
    assert_int_equal(uspace_munmap(space, FROM, 16 * PAGE_SIZE), 0);
    space->stats.areas -= USER_AREAS_MAX;
    close_space(space);
}

/* What nobody could have is not begun: the tables for a terabyte of zero pages would take all memory, and a long time. */
static void populate_knows_an_end(void **state)
{
    struct uspace *space = open_space();

    assert_int_equal(uspace_mmap(space, 0, 1024 * GIB, PROT_READ,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, NULL, 0, NULL) < 0,
                     false);
    assert_true(space->stats.zero_page_maps <= WORLD_PAGES);
    assert_true(uspace_counts().table_pages < WORLD_PAGES / 64);
    close_space(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(shrinking_move_out_of_a_huge_page),
        uspace_test(last_user_unmaps_a_store),
        uspace_test(cuts_have_a_limit),
        uspace_test(populate_knows_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
