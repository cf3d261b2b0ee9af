// SPDX-License-Identifier: MIT
/*
 * User spaces against a model that knows for each page of a window, in each space: mapped or not, protection,
 * where its content comes from and what it is. Random mmap, munmap, mprotect, mremap, madvise, fork, exit,
 * truncation and accesses of several programs; a software MMU whose TLB forgets nothing unless told; after
 * each step the return value and the pages around, now and then everything: invariants, references of every
 * page. At the end the counts of the beginning. USPACE_MODEL_OPS and USPACE_MODEL_SEED set length and seed.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "tests/host/uspace_world.h"

#define DEFAULT_OPS 60000UL
#define SPACES 4
#define STORES 3
#define STORE_PAGES 96
#define WINDOW_PAGES 1600u /* three 2 MiB pages fit, across a border of 1 GiB */
#define WINDOW (7 * GIB - 700 * PAGE_SIZE)
#define CHECK_EVERY 32

typedef signed char s8;

/* One page of a space, as the program sees it. */
struct cell {
    bool mapped, own; /* own: its content is `value`, whatever the store has */
    bool small;       /* after MADV_NOHUGEPAGE: an area of another kind */
    u8 prot;
    s8 store; /* -1: anonymous and private; else an index into stores[] */
    bool shared;
    u32 offset; /* page in the store */
    u64 value;
};

struct program {
    struct uspace *space;
    struct cell cell[WINDOW_PAGES];
};

struct file {
    struct pagestore *store;
    u64 pages; /* its size */
    u64 value[STORE_PAGES];
};

static struct program programs[SPACES];
static struct file files[STORES];
static struct rng rng;
static u64 next_value;

static u64 pick(u64 n)
{
    return rng_below(&rng, n);
}

static vaddr_t address_of(u64 page)
{
    return WINDOW + (page << PAGE_SHIFT);
}

/* ---- what an access must say ------------------------------------------------------------------------ */

static int expected_error(const struct cell *cell, u8 need)
{
    if (!cell->mapped)
        return -EFAULT;
    if (need == PROT_READ ? !cell->prot : !(cell->prot & need))
        return -EACCES;
    if (cell->store >= 0 && cell->offset >= files[cell->store].pages && !cell->own)
        return -EIO;
    return 0;
}

static u64 *content_of(struct cell *cell, bool write)
{
    if (cell->store >= 0 && !cell->own && (cell->shared || !write))
        return &files[cell->store].value[cell->offset];
    cell->own = cell->own || cell->store < 0 || write;
    return &cell->value;
}

static void check_read(struct program *p, u64 page)
{
    u64 value = 0;
    struct cell *cell = &p->cell[page];
    int err = user_read(p->space, address_of(page), &value),
        expected = expected_error(cell, PROT_READ);

    if (err != expected)
        port_panic("read of page %lu: %d instead of %d", page, err, expected);
    if (!err && value != *content_of(cell, false))
        port_panic("page %lu has %#lx instead of %#lx", page, value, *content_of(cell, false));
}

static void do_write(struct program *p, u64 page)
{
    struct cell *cell = &p->cell[page];
    int expected = expected_error(cell, PROT_WRITE);
    int err = user_write(p->space, address_of(page), ++next_value);

    if (err != expected)
        port_panic("write to page %lu: %d instead of %d", page, err, expected);
    if (!err)
        *content_of(cell, true) = next_value;
}

static void check_execute(struct program *p, u64 page)
{
    int err = user_execute(p->space, address_of(page));
    int expected = expected_error(&p->cell[page], PROT_EXEC);

    if (err != expected)
        port_panic("jump to page %lu: %d instead of %d", page, err, expected);
}

/* ---- the calls --------------------------------------------------------------------------------------- */

struct span {
    u64 first, pages;
};

/* Mostly short, often whole 2 MiB pages; edges, of tables too, are likely to be met again. */
static struct span pick_span(void)
{
    static const u64 edges[] = {0, 187, 188, 699, 700, 1211, 1212, 1536};
    u64 first = pick(2) ? pick(WINDOW_PAGES) : edges[pick(ARRAY_SIZE(edges))];
    u64 pages = pick(3) ? 1 + pick(12) : pick(2) ? 1 + pick(1100) : 512 * (1 + pick(2));

    return (struct span){first, min_u64(pages, WINDOW_PAGES - first)};
}

/*
 * Some pages of a range before and after a call on it: what they were is in the TLB then, and must not be
 * seen any more.
 */
#define PROBES 4
static u64 probes[PROBES];

static void probe(struct program *p)
{
    for (unsigned i = 0; i < PROBES; i++) {
        check_read(p, probes[i]);
        do_write(p, probes[i]);
        check_execute(p, probes[i]);
    }
}

static void probe_before(struct program *p, struct span s)
{
    for (unsigned i = 0; i < PROBES; i++)
        probes[i] = s.first + pick(s.pages);
    probe(p);
}

static bool all_free(const struct program *p, struct span s)
{
    for (u64 i = 0; i < s.pages; i++)
        if (p->cell[s.first + i].mapped)
            return false;
    return true;
}

static bool all_mapped(const struct program *p, struct span s)
{
    for (u64 i = 0; i < s.pages; i++)
        if (!p->cell[s.first + i].mapped)
            return false;
    return true;
}

static void expect_result(const char *what, struct span s, s64 got, s64 expected)
{
    if (got != expected)
        port_panic("%s [%lu, +%lu): %ld instead of %ld", what, s.first, s.pages, got, expected);
}

static void do_mmap(struct program *p)
{
    struct span s = pick_span();
    s8 store = pick(3) ? -1 : (s8)pick(STORES);
    bool shared = store >= 0 && pick(2), replace = pick(2);
    u8 prot = pick(8) ? PROT_READ | PROT_WRITE : (u8)pick(8);
    u32 flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE);
    u32 offset = (u32)pick(8);

    if (store >= 0)
        s.pages = min_u64(s.pages, STORE_PAGES - offset);
    else if (!pick(6)) { /* room for huge pages, and the same for all */
        s = (struct span){0, WINDOW_PAGES};
        prot = PROT_READ | PROT_WRITE;
    }
    probe_before(p, s);
    bool expected = replace || all_free(p, s);
    s64 got = uspace_mmap(p->space, address_of(s.first), s.pages << PAGE_SHIFT, prot,
                          flags | (store < 0 ? MAP_ANONYMOUS : 0),
                          store < 0 ? NULL : files[store].store, offset, NULL);
    expect_result("mmap", s, got, expected ? (s64)address_of(s.first) : -EEXIST);
    for (u64 i = 0; expected && i < s.pages; i++)
        p->cell[s.first + i] = (struct cell){.mapped = true,
                                             .prot = prot,
                                             .store = store,
                                             .shared = shared,
                                             .offset = offset + (u32)i};
}

static void do_munmap(struct program *p)
{
    struct span s = pick_span();
    probe_before(p, s);
    s64 got = uspace_munmap(p->space, address_of(s.first), s.pages << PAGE_SHIFT);

    expect_result("munmap", s, got, 0);
    memset(&p->cell[s.first], 0, s.pages * sizeof(p->cell[0]));
}

static void do_mprotect(struct program *p)
{
    struct span s = pick_span();
    u8 prot = (u8)pick(8);
    bool expected = all_mapped(p, s);
    probe_before(p, s);
    s64 got = uspace_mprotect(p->space, address_of(s.first), s.pages << PAGE_SHIFT, prot);

    expect_result("mprotect", s, got, expected ? 0 : -ENOMEM);
    for (u64 i = 0; expected && i < s.pages; i++)
        p->cell[s.first + i].prot = prot;
}

static void do_madvise(struct program *p)
{
    struct span s = pick_span();

    probe_before(p, s);
    if (!pick(3)) {
        bool small = pick(2);
        s64 got = uspace_madvise(p->space, address_of(s.first), s.pages << PAGE_SHIFT,
                                 small ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
        expect_result("madvise huge", s, got, all_mapped(p, s) ? 0 : -ENOMEM);
        for (u64 i = 0; i < s.pages; i++)
            p->cell[s.first + i].small = small;
        return;
    }
    s64 got = uspace_madvise(p->space, address_of(s.first), s.pages << PAGE_SHIFT, MADV_DONTNEED);

    expect_result("madvise", s, got, all_mapped(p, s) ? 0 : -ENOMEM);
    for (u64 i = 0; i < s.pages; i++) {
        p->cell[s.first + i].own = false;
        p->cell[s.first + i].value = 0;
    }
}

/* Is [first, +pages) one area: mapped alike, and from one place? */
static bool one_area(const struct program *p, struct span s)
{
    const struct cell *a = &p->cell[s.first];

    for (u64 i = 0; i < s.pages; i++) {
        const struct cell *b = a + i;
        if (!b->mapped || b->prot != a->prot || b->store != a->store || b->shared != a->shared ||
            b->small != a->small || (a->store >= 0 && b->offset != a->offset + i))
            return false;
    }
    return true;
}

static void move_cells(struct program *p, struct span from, u64 to, u64 pages)
{
    static struct cell moved[WINDOW_PAGES];
    u64 kept = min_u64(from.pages, pages);
    struct cell last = p->cell[from.first];

    memcpy(moved, &p->cell[from.first], kept * sizeof(moved[0]));
    for (u64 i = kept; i < pages; i++)
        moved[i] = (struct cell){.mapped = true,
                                 .prot = last.prot,
                                 .store = last.store,
                                 .shared = last.shared,
                                 .small = last.small,
                                 .offset = last.offset + (u32)i};
    memset(&p->cell[from.first], 0, from.pages * sizeof(moved[0]));
    memcpy(&p->cell[to], moved, pages * sizeof(moved[0]));
}

/* To a fixed place, or shrinking, or growing where nothing is in the way. */
static void do_mremap(struct program *p)
{
    struct span s = pick_span(), t = pick_span();
    u64 size = s.pages << PAGE_SHIFT, new_size = t.pages << PAGE_SHIFT;

    if (!pick(3)) { /* one huge page to where none fits */
        s = (struct span){188 + 512 * pick(2), 512};
        t = (struct span){s.first == 188 ? 720 + pick(300) : pick(150), 512};
        size = new_size = 512 << PAGE_SHIFT;
    }
    bool overlap = t.first < s.first + s.pages && s.first < t.first + t.pages;

    if (!one_area(p, s) ||
        (p->cell[s.first].store >= 0 && p->cell[s.first].offset + t.pages > STORE_PAGES))
        return;
    probe_before(p, s);
    if (pick(2)) {
        s64 got = uspace_mremap(p->space, address_of(s.first), size, new_size,
                                MREMAP_MAYMOVE | MREMAP_FIXED, address_of(t.first));
        expect_result("mremap", s, got, overlap ? -EINVAL : (s64)address_of(t.first));
        if (!overlap)
            move_cells(p, s, t.first, t.pages);
        return;
    }
    t.first = s.first + s.pages;
    if (t.pages > s.pages) {
        t.pages -= s.pages;
        if (t.first + t.pages > WINDOW_PAGES)
            return;
    }
    bool possible = new_size <= size || all_free(p, t);
    s64 got = uspace_mremap(p->space, address_of(s.first), size, new_size, 0, 0);
    expect_result("mremap in place", s, got, possible ? (s64)address_of(s.first) : -ENOMEM);
    if (possible)
        move_cells(p, s, s.first, new_size >> PAGE_SHIFT);
}

static void do_exit(struct program *p)
{
    uspace_put(p->space);
    *p = (struct program){.space = NULL};
}

static void do_fork(struct program *parent)
{
    struct program *child = &programs[pick(SPACES)];

    if (child == parent)
        return;
    probe_before(parent, (struct span){0, WINDOW_PAGES});
    if (child->space)
        do_exit(child);
    *child = *parent;
    child->space = uspace_fork(parent->space);
    assert_non_null(child->space);
    probe(parent); /* from the TLB that was filled before the fork */
    for (unsigned i = 0; i < PROBES; i++)
        check_read(child, probes[i]);
}

static void do_truncate(void)
{
    u64 which = pick(STORES), pages = pick(STORE_PAGES);
    struct file *f = &files[which];

    assert_int_equal(pagestore_resize(f->store, pages << PAGE_SHIFT), 0);
    for (u64 i = pages; i < f->pages; i++)
        f->value[i] = 0;
    for (unsigned n = 0; n < SPACES; n++)
        for (u64 i = 0; i < WINDOW_PAGES && pages < f->pages; i++) {
            struct cell *cell = &programs[n].cell[i];
            if (cell->mapped && cell->store == (s8)which && cell->offset >= pages)
                cell->own = false;
        }
    f->pages = pages;
}

static void do_access(struct program *p)
{
    u64 page = pick(WINDOW_PAGES), n = 1 + pick(6);

    for (u64 i = 0; i < n && page + i < WINDOW_PAGES; i++) {
        if (pick(2))
            do_write(p, page + i);
        check_read(p, page + i);
        if (!pick(8))
            check_execute(p, page + i);
    }
}

/* One program runs for a while, as in life. */
static struct program *pick_program(void)
{
    static struct program *last = programs;

    if (!pick(6))
        last = &programs[pick(SPACES)];
    if (!last->space) {
        last->space = uspace_create();
        assert_non_null(last->space);
    }
    return last;
}

static void change_areas(struct program *p, u64 what)
{
    switch (what) {
    case 0 ... 2:
        do_mmap(p);
        break;
    case 3:
    case 4:
        do_munmap(p);
        break;
    case 5:
    case 6:
        do_mprotect(p);
        break;
    case 7:
        do_madvise(p);
        break;
    default:
        do_mremap(p);
    }
    probe(p);
}

static void step(void)
{
    struct program *p = pick_program();

    switch (pick(24)) {
    case 0 ... 9:
        change_areas(p, pick(10));
        break;
    case 10:
        do_fork(p);
        break;
    case 11:
        if (!pick(8))
            do_exit(p);
        break;
    case 12:
        if (!pick(4))
            do_truncate();
        break;
    default:
        do_access(p);
    }
}

static void check_everything(void)
{
    assert_uspace_sound("model");
    for (unsigned n = 0; n < SPACES; n++)
        for (u64 i = 0; i < WINDOW_PAGES && programs[n].space; i++)
            if (i < 4 || !pick(16))
                check_read(&programs[n], i);
}

static u64 environment(const char *name, u64 usual)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 0) : usual;
}

static void run_model(u64 ops, u64 seed)
{
    uspace_world_open(24 * 1024);
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < STORES; i++) {
        files[i] = (struct file){.store = pagestore_create(), .pages = STORE_PAGES / 2};
        assert_int_equal(pagestore_resize(files[i].store, files[i].pages << PAGE_SHIFT), 0);
    }
    for (u64 i = 0; i < ops; i++) {
        step();
        if (i % CHECK_EVERY == 0)
            check_everything();
    }
    for (unsigned i = 0; i < SPACES; i++)
        if (programs[i].space)
            do_exit(&programs[i]);
    for (unsigned i = 0; i < STORES; i++)
        pagestore_put(files[i].store);
    uspace_world_close();
}

static void random_programs(void **state)
{
    u64 seed = environment("USPACE_MODEL_SEED", 1);

    uspace_huge = true;
    run_model(environment("USPACE_MODEL_OPS", DEFAULT_OPS), seed);
}

static void random_programs_without_huge_pages(void **state)
{
    uspace_huge = false;
    run_model(environment("USPACE_MODEL_OPS", DEFAULT_OPS) / 4,
              environment("USPACE_MODEL_SEED", 1) + 1);
    uspace_huge = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        uspace_test(random_programs),
        uspace_test(random_programs_without_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
