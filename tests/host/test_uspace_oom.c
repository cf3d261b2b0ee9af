// SPDX-License-Identifier: MIT
/*
 * User spaces that run out of memory at every point of every call: the k-th page, object or table fails, for
 * k = 1, 2, 3 ... until the call does not need that many; once alone, and once with all that follow. A call that
 * says -ENOMEM has left every count, every page and every invariant as they were.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/uspace_internal.h"
#include "tests/host/uspace_world.h"

#define MAX_K 400
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
/* What prepare() makes: small pages, a huge page, a file mapped privately, a heap. */
#define SMALL 0x10000000UL
#define SMALL_PAGES 12
#define HUGE (1 * GIB - 2 * HUGE_SIZE)
#define FILE_AT 0x30000000UL
#define HEAP 0x50000000UL
#define ELSEWHERE (600 * GIB - HUGE_SIZE) /* needs tables of all levels, and ends at a border */

static struct uspace *space, *result;
static struct pagestore *store;

static void prepare(void)
{
    space = uspace_create();
    store = pagestore_create();
    result = NULL;
    assert_non_null(space);
    assert_int_equal(pagestore_resize(store, 300 * PAGE_SIZE), 0);
    assert_non_null(pagestore_page(store, 280, true)); /* a hole that is filled stays filled */
    uspace_mmap(space, SMALL, SMALL_PAGES << PAGE_SHIFT, RW, ANON, NULL, 0, NULL);
    uspace_mmap(space, HUGE, 2 * HUGE_SIZE, RW, ANON, NULL, 0, NULL);
    uspace_mmap(space, FILE_AT, 300 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, store, 0, "file");
    uspace_set_brk(space, HEAP);
    assert_int_equal(uspace_brk(space, HEAP + 10 * PAGE_SIZE), HEAP + 10 * PAGE_SIZE);
    for (u64 i = 0; i < SMALL_PAGES; i += 2)
        assert_int_equal(user_write(space, SMALL + (i << PAGE_SHIFT), 100 + i), 0);
    assert_int_equal(user_write(space, HUGE + HUGE_SIZE, 7), 0);
    assert_int_equal(space->stats.huge_pages, 1);
    uspace_activate(NULL);
}

static void finish(void)
{
    uspace_activate(NULL);
    uspace_put(result);
    uspace_put(space);
    pagestore_put(store);
}

/* ---- the calls ------------------------------------------------------------------------------------- */

static s64 or_no_memory(struct uspace *made)
{
    result = made;
    return made ? 0 : -ENOMEM;
}

static s64 create_space(void)
{
    return or_no_memory(uspace_create());
}

static s64 fork_space(void)
{
    return or_no_memory(uspace_fork(space));
}

static s64 map_over_the_middle(void)
{
    return uspace_mmap(space, SMALL + 3 * PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ, ANON, NULL, 0, NULL);
}

static s64 map_into_a_huge_page(void)
{
    return uspace_mmap(space, HUGE + HUGE_SIZE + 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ, ANON, NULL, 0,
                       NULL);
}

static s64 map_shared_anonymous(void)
{
    return uspace_mmap(space, 0, 5 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0, NULL);
}

static s64 unmap_the_middle(void)
{
    return uspace_munmap(space, SMALL + PAGE_SIZE, 3 * PAGE_SIZE);
}

static s64 unmap_part_of_a_huge_page(void)
{
    return uspace_munmap(space, HUGE + HUGE_SIZE + PAGE_SIZE, 9 * PAGE_SIZE);
}

static s64 protect_the_middle(void)
{
    return uspace_mprotect(space, SMALL + PAGE_SIZE, 3 * PAGE_SIZE, PROT_NONE);
}

static s64 protect_part_of_a_huge_page(void)
{
    return uspace_mprotect(space, HUGE + HUGE_SIZE + PAGE_SIZE, 9 * PAGE_SIZE, PROT_READ);
}

static s64 forget_part_of_a_huge_page(void)
{
    return uspace_madvise(space, HUGE + HUGE_SIZE + PAGE_SIZE, 9 * PAGE_SIZE, MADV_DONTNEED);
}

static s64 move_small_pages(void)
{
    return uspace_mremap(space, SMALL, SMALL_PAGES << PAGE_SHIFT, 20 * PAGE_SIZE,
                         MREMAP_MAYMOVE | MREMAP_FIXED, ELSEWHERE + HUGE_SIZE - 3 * PAGE_SIZE);
}

static s64 move_part_of_a_huge_page(void)
{
    return uspace_mremap(space, HUGE + HUGE_SIZE + 4 * PAGE_SIZE, 30 * PAGE_SIZE, 30 * PAGE_SIZE,
                         MREMAP_MAYMOVE | MREMAP_FIXED, ELSEWHERE);
}

static s64 grow_the_heap(void)
{
    return uspace_brk(space, HEAP + 30 * PAGE_SIZE) == HEAP + 30 * PAGE_SIZE ? 0 : -ENOMEM;
}

static s64 shrink_the_heap(void)
{
    return uspace_brk(space, HEAP + 3 * PAGE_SIZE) == HEAP + 3 * PAGE_SIZE ? 0 : -ENOMEM;
}

static s64 touch_for_reading(void)
{
    return uspace_fault(space, HEAP, 0);
}

static s64 touch_for_writing(void)
{
    return uspace_fault(space, HEAP, USER_WRITE);
}

static s64 touch_a_huge_page(void)
{
    return uspace_fault(space, HUGE, USER_WRITE);
}

static s64 read_the_file(void)
{
    return uspace_fault(space, FILE_AT + 280 * PAGE_SIZE, 0);
}

static s64 write_to_the_file(void)
{
    return uspace_fault(space, FILE_AT + 280 * PAGE_SIZE, USER_WRITE);
}

static s64 copy_a_page(void)
{
    if (!result && or_no_memory(uspace_fork(space)))
        return -ENOMEM;
    return uspace_fault(space, SMALL, USER_WRITE);
}

static s64 copy_from_a_huge_page(void)
{
    if (!result && or_no_memory(uspace_fork(space)))
        return -ENOMEM;
    return uspace_fault(space, HUGE + HUGE_SIZE + 6 * PAGE_SIZE, USER_WRITE);
}

static s64 write_a_file(void)
{
    s64 done = pagestore_write(store, 1000 * PAGE_SIZE, "glass", 5);
    return done < 0 ? done : 0;
}

static const struct oom_case {
    const char *name;
    s64 (*attempt)(void);
    bool after_fork; /* a first fork, which is not made to fail, belongs to the preparation */
} cases[] = {
    {"create", create_space, false},
    {"fork", fork_space, false},
    {"mmap over the middle", map_over_the_middle, false},
    {"mmap into a huge page", map_into_a_huge_page, false},
    {"mmap shared", map_shared_anonymous, false},
    {"munmap the middle", unmap_the_middle, false},
    {"munmap part of a huge page", unmap_part_of_a_huge_page, false},
    {"mprotect the middle", protect_the_middle, false},
    {"mprotect part of a huge page", protect_part_of_a_huge_page, false},
    {"madvise part of a huge page", forget_part_of_a_huge_page, false},
    {"mremap", move_small_pages, false},
    {"mremap part of a huge page", move_part_of_a_huge_page, false},
    {"brk up", grow_the_heap, false},
    {"brk down", shrink_the_heap, false},
    {"fault, read", touch_for_reading, false},
    {"fault, write", touch_for_writing, false},
    {"fault, huge", touch_a_huge_page, false},
    {"fault, file read", read_the_file, false},
    {"fault, file write", write_to_the_file, false},
    {"fault, copy", copy_a_page, true},
    {"fault, copy from a huge page", copy_from_a_huge_page, true},
    {"write to a file", write_a_file, false},
};

/* ---- the loop ---------------------------------------------------------------------------------------- */

static void check_content(const char *name)
{
    u64 value;

    for (u64 i = 0; i < SMALL_PAGES; i += 2) {
        assert_int_equal(user_read(space, SMALL + (i << PAGE_SHIFT), &value), 0);
        if (value != 100 + i)
            port_panic("%s: page %lu has %lu", name, i, value);
    }
    assert_int_equal(user_read(space, HUGE + HUGE_SIZE, &value), 0);
    assert_int_equal(value, 7);
}

/* One attempt with the k-th failure: false, when it was not needed. */
static bool attempt_failing(const struct oom_case *c, enum fail_site site, u64 k, bool forever)
{
    prepare();
    if (c->after_fork)
        assert_int_equal(or_no_memory(uspace_fork(space)), 0);
    struct uspace_counts before = uspace_counts();
    fail_arm(site, k, forever);
    s64 got = c->attempt();
    bool failed = fail_count(site) > 0;
    fail_disarm(site);
    if (got < 0 && (got != -ENOMEM || !failed))
        port_panic("%s: %ld at failure %lu of %s", c->name, got, k, fail_site_name(site));
    assert_uspace_sound(c->name);
    if (got == -ENOMEM) {
        assert_same_counts(&before, c->name);
        check_content(c->name);
    }
    finish();
    return failed;
}

static void every_call_at_every_point(void **state)
{
    static const enum fail_site sites[] = {FAIL_PAGE, FAIL_SLAB, FAIL_TABLE};

    uspace_world_open(8 * 1024);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        for (unsigned s = 0; s < 2 * ARRAY_SIZE(sites); s++) {
            u64 k = 1;
            while (attempt_failing(&cases[i], sites[s / 2], k, s % 2))
                assert_true(++k < MAX_K);
        }
    uspace_world_close();
}

/* Real exhaustion: a program that touches until nothing is left, dies, and all is as before. */
static void a_bomb_leaves_nothing(void **state)
{
    uspace_world_open(2 * 1024);
    struct uspace_counts before = uspace_counts();
    struct uspace *bomb = uspace_create();
    s64 at = uspace_mmap(bomb, 0, GIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, NULL);
    int err = 0;
    u64 pages = 0;

    assert_true(at > 0);
    for (; !err; pages++)
        err = uspace_fault(bomb, (vaddr_t)at + (pages << PAGE_SHIFT), USER_WRITE);
    assert_int_equal(err, -ENOMEM);
    assert_true(pages > 1000);
    assert_uspace_sound("full");
    assert_null(uspace_fork(bomb));
    uspace_put(bomb);
    assert_same_counts(&before, "after the bomb");
    uspace_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(every_call_at_every_point),
        uspace_test(a_bomb_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
