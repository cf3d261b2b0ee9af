// SPDX-License-Identifier: MIT
/*
 * Every sequence of five steps on three pages, in a parent and a child: map, unmap, protect, forget, read, write,
 * fork, exit, against the few words that say what must be there. And family trees: forks of forks, each writes
 * its own name, and they go in every order.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "tests/host/uspace_world.h"

#define PAGES 3u
#define BASE (GIB - PAGE_SIZE) /* the second page is in another table of each level */
#define DEPTH 5
#define RW (PROT_READ | PROT_WRITE)

enum step { MAP_RW, MAP_R, UNMAP, FORBID, ALLOW, FORGET, WRITE, READ, FORK, SWITCH, EXIT, STEPS };

struct cell {
    bool mapped;
    u32 prot;
    u64 value;
};

struct program {
    struct uspace *space;
    struct cell cell[PAGES];
};

static struct program programs[2];
static unsigned current;
static u64 next_value;

static vaddr_t page_at(u64 page)
{
    return BASE + (page << PAGE_SHIFT);
}

static void map_pages(struct program *p, u64 first, u64 n, u32 prot)
{
    s64 got = uspace_mmap(p->space, page_at(first), n << PAGE_SHIFT, prot,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, NULL);

    assert_int_equal(got, page_at(first));
    for (u64 i = first; i < first + n; i++)
        p->cell[i] = (struct cell){true, prot, 0};
}

static void protect_pages(struct program *p, u64 first, u64 n, u32 prot)
{
    bool possible = true;

    for (u64 i = first; i < first + n; i++)
        possible = possible && p->cell[i].mapped;
    assert_int_equal(uspace_mprotect(p->space, page_at(first), n << PAGE_SHIFT, prot),
                     possible ? 0 : -ENOMEM);
    for (u64 i = first; i < first + n && possible; i++)
        p->cell[i].prot = prot;
}

static void read_page(struct program *p, u64 page)
{
    u64 value = 0;
    const struct cell *cell = &p->cell[page];
    int expected = !cell->mapped ? -EFAULT : !cell->prot ? -EACCES : 0;

    assert_int_equal(user_read(p->space, page_at(page), &value), expected);
    assert_int_equal(value, expected ? 0 : cell->value);
}

static void write_page(struct program *p, u64 page)
{
    struct cell *cell = &p->cell[page];
    int expected = !cell->mapped ? -EFAULT : !(cell->prot & PROT_WRITE) ? -EACCES : 0;

    assert_int_equal(user_write(p->space, page_at(page), ++next_value), expected);
    if (!expected)
        cell->value = next_value;
}

static void forget_page(struct program *p, u64 page)
{
    uspace_madvise(p->space, page_at(page), PAGE_SIZE, MADV_DONTNEED);
    p->cell[page].value = 0;
}

static void take(enum step step)
{
    struct program *p = &programs[current], *other = &programs[!current];

    switch (step) {
    case MAP_RW:
        map_pages(p, 0, 2, RW);
        break;
    case MAP_R:
        map_pages(p, 1, 2, PROT_READ);
        break;
    case UNMAP:
        assert_int_equal(uspace_munmap(p->space, page_at(1), PAGE_SIZE), 0);
        p->cell[1] = (struct cell){.mapped = false};
        break;
    case FORBID:
        protect_pages(p, 0, PAGES, PROT_NONE);
        break;
    case ALLOW:
        protect_pages(p, 0, 2, RW);
        break;
    case FORGET:
        forget_page(p, 1);
        break;
    case WRITE:
        write_page(p, 1);
        break;
    case READ:
        read_page(p, 0);
        break;
    case FORK:
        uspace_put(other->space);
        *other = *p;
        other->space = uspace_fork(p->space);
        break;
    case SWITCH:
        current = other->space ? !current : current;
        break;
    default:
        if (!other->space)
            break;
        uspace_put(p->space);
        *p = (struct program){.space = NULL};
        current = !current;
    }
}

static void run_sequence(u64 code)
{
    current = 0;
    programs[0] = (struct program){.space = uspace_create()};
    write_page(&programs[0], 1);
    for (unsigned i = 0; i < DEPTH; i++, code /= STEPS)
        take((enum step)(code % STEPS));
    for (unsigned n = 0; n < 2; n++) {
        for (u64 page = 0; page < PAGES && programs[n].space; page++)
            read_page(&programs[n], page);
        if (programs[n].space)
            assert_null(uspace_check(programs[n].space));
    }
    for (unsigned n = 0; n < 2; n++) {
        uspace_put(programs[n].space);
        programs[n].space = NULL;
    }
    assert_int_equal(buddy_use_pages(&kernel_buddy, PAGE_USE_USER), 0);
}

static void every_sequence(void **state)
{
    u64 sequences = 1;

    uspace_world_open(1024);
    for (unsigned i = 0; i < DEPTH; i++)
        sequences *= STEPS;
    for (u64 code = 0; code < sequences; code++)
        run_sequence(code);
    uspace_world_close();
}

/* ---- families ---------------------------------------------------------------------------------------- */

#define MEMBERS 24
#define FAMILY_PAGES 40

static struct uspace *member[MEMBERS];
static u64 content[MEMBERS][FAMILY_PAGES];

static void let_write(struct rng *rng, u64 n)
{
    for (unsigned i = 0; i < 8; i++) {
        u64 page = rng_below(rng, FAMILY_PAGES);
        content[n][page] = n * 1000 + i + 1;
        assert_int_equal(user_write(member[n], BASE + (page << PAGE_SHIFT), content[n][page]), 0);
    }
}

static void check_member(u64 n)
{
    for (u64 page = 0; page < FAMILY_PAGES; page++) {
        u64 value;
        assert_int_equal(user_read(member[n], BASE + (page << PAGE_SHIFT), &value), 0);
        assert_int_equal(value, content[n][page]);
    }
}

/* Each member is a child of some earlier one; they write, are looked at, and end in any order. */
static void grow_family(u64 seed)
{
    struct rng rng;
    u64 left = MEMBERS;

    rng_seed(&rng, seed);
    member[0] = uspace_create();
    memset(content, 0, sizeof(content));
    assert_true(uspace_mmap(member[0], BASE, FAMILY_PAGES << PAGE_SHIFT, RW,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0, NULL) > 0);
    let_write(&rng, 0);
    for (u64 n = 1; n < MEMBERS; n++) {
        u64 parent = rng_below(&rng, n);
        member[n] = uspace_fork(member[parent]);
        memcpy(content[n], content[parent], sizeof(content[n]));
        let_write(&rng, rng_below(&rng, 2) ? n : parent);
    }
    assert_uspace_sound("family");
    while (left > 0) {
        u64 n = rng_below(&rng, left);
        check_member(n);
        let_write(&rng, n);
        uspace_put(member[n]);
        left--;
        member[n] = member[left];
        memcpy(content[n], content[left], sizeof(content[n]));
    }
}

static void families(void **state)
{
    uspace_world_open(4 * 1024);
    struct uspace_counts before = uspace_counts();
    for (u64 seed = 1; seed <= 20; seed++) {
        grow_family(seed);
        assert_same_counts(&before, "a family has gone");
    }
    uspace_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(every_sequence),
        uspace_test(families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
