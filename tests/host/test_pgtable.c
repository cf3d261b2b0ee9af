// SPDX-License-Identifier: MIT
/*
 * Page tables against two independent witnesses: the software MMU (soft_mmu.c, written from the
 * manual) says what the tables mean, and a model with one slot for each 4 KiB page says what they
 * should mean. The windows lie across the borders of 2 MiB, 1 GiB and 512 GiB. Table pages come from a
 * counted pool, so that one too few freed, or one too many, is noticed at once.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "mm/pgtable.h"
#include "tests/host/soft_mmu.h"

#define MEMORY (8 * MIB)
#define POOL_PAGES (MEMORY / PAGE_SIZE)

static struct pagetable pt;

/* ---- a pool of table pages ------------------------------------------------------------------------ */

static bool pool_used[POOL_PAGES];
static u64 pool_count;

static paddr_t pool_alloc(void *ctx __unused)
{
    for (u64 i = 1; i < POOL_PAGES; i++) {
        if (pool_used[i])
            continue;
        pool_used[i] = true;
        pool_count++;
        memset(phys_to_virt(i << PAGE_SHIFT), 0, PAGE_SIZE);
        return i << PAGE_SHIFT;
    }
    return 0;
}

/* Nobody may still find a freed table: not the tables, not a processor's caches. */
static void pool_free(void *ctx __unused, paddr_t table)
{
    assert_true(pool_used[table >> PAGE_SHIFT]);
    assert_int_equal(mmu_cached_table(table), 0);
    pool_used[table >> PAGE_SHIFT] = false;
    pool_count--;
    memset(phys_to_virt(table), 0xcc, PAGE_SIZE);
}

static const struct pt_ops pool_ops = {pool_alloc, pool_free};

static void make_tables(void)
{
    host_memory_init(MEMORY);
    memset(pool_used, 0, sizeof(pool_used));
    pool_count = 0;
    assert_int_equal(pt_init(&pt, &pool_ops, NULL), 0);
}

static void drop_tables(void)
{
    mmu_flush_all();
    pt_fini(&pt);
    assert_int_equal(pool_count, 0);
}

/* ---- the model --------------------------------------------------------------------------------------- */

#define WINDOW_PAGES 2048u /* 8 MiB: four times 2 MiB */
#define FAR_FRAME                                                                                  \
    (64 * GIB) /* physical memory that need not exist: nobody reads the mapped pages */

static struct slot {
    paddr_t frame; /* 0: not mapped */
    u64 prot;
} model[WINDOW_PAGES];

static vaddr_t window; /* of model[0] */

static void model_set(vaddr_t va, paddr_t frame, u64 size, u64 prot)
{
    for (u64 done = 0; done < size; done += PAGE_SIZE)
        model[(va - window + done) >> PAGE_SHIFT] =
            (struct slot){frame ? frame + done : 0, frame ? prot : 0};
}

static u64 model_mapped(vaddr_t va, u64 size)
{
    u64 pages = 0;
    for (u64 i = (va - window) >> PAGE_SHIFT; i < (va - window + size) >> PAGE_SHIFT; i++)
        pages += model[i].frame != 0;
    return pages;
}

static void compare_page(unsigned page)
{
    vaddr_t va = window + (u64)page * PAGE_SIZE + 123;
    const struct slot *slot = &model[page];
    struct mmu_translation seen;
    struct pt_walk walk;
    bool mapped = mmu_walk(pt.root, va, &seen);

    if (mapped != (slot->frame != 0) || pt_walk(&pt, va, &walk) != mapped)
        fail_msg("%#lx: mapped %d, walk says %d, model %#lx", va, mapped, walk.present,
                 slot->frame);
    if (!mapped)
        return;
    bool same = seen.physical == slot->frame + 123 && walk.physical == seen.physical &&
                seen.writable == !!(slot->prot & PTE_W) && walk.writable == seen.writable &&
                seen.executable == !(slot->prot & PTE_NX) && walk.executable == seen.executable &&
                seen.user == !!(slot->prot & PTE_U) && walk.user == seen.user &&
                seen.page_size == 1UL << walk.leaf_shift;
    if (!same)
        fail_msg("%#lx: physical %#lx, %#lx by pt_walk, %#lx by the model; prot %#lx", va,
                 seen.physical, walk.physical, slot->frame + 123, slot->prot);
}

static void compare(void)
{
    for (unsigned page = 0; page < WINDOW_PAGES; page++)
        compare_page(page);
    assert_int_equal(pt.tables, pool_count);
}

/* ---- random life ------------------------------------------------------------------------------------- */

static const u64 prots[] = {PROT_KERNEL_RW, PROT_KERNEL_RO, PROT_KERNEL_RX, PROT_DEVICE};

struct op {
    vaddr_t va;
    u64 size;
};

/* Small ranges and large ones, often at 2 MiB borders. */
static struct op random_range(struct rng *rng)
{
    u64 start = rng_below(rng, WINDOW_PAGES), pages;
    if (rng_below(rng, 2))
        start = align_down(start, 512);
    pages = 1 + rng_below(rng, rng_below(rng, 2) ? 20 : WINDOW_PAGES);
    return (struct op){window + start * PAGE_SIZE,
                       min_u64(pages, WINDOW_PAGES - start) * PAGE_SIZE};
}

static void random_map(struct rng *rng, u64 user)
{
    struct op op = random_range(rng);
    u64 prot = prots[rng_below(rng, ARRAY_SIZE(prots))] | user;
    unsigned shift = 12 + 9 * (unsigned)rng_below(rng, 3);
    /* The same offset to 2 MiB on both sides half of the time, so that huge leaves are possible. */
    paddr_t pa =
        FAR_FRAME + (rng_below(rng, 2) ? op.va % (2 * MIB) : rng_below(rng, 512) * PAGE_SIZE);
    u64 tables = pt.tables;
    int expected = model_mapped(op.va, op.size) ? -EEXIST : 0;

    assert_int_equal(pt_map(&pt, op.va, pa, op.size, prot, shift), expected);
    if (expected == 0)
        model_set(op.va, pa, op.size, prot);
    else
        assert_true(pt.tables <=
                    tables); /* less: empty tables gave way to a huge leaf that failed */
}

static void random_unmap(struct rng *rng)
{
    struct op op = random_range(rng);
    u64 expected = model_mapped(op.va, op.size);
    assert_int_equal(pt_unmap(&pt, op.va, op.size), expected);
    model_set(op.va, 0, op.size, 0);
}

static void random_protect(struct rng *rng)
{
    struct op op = random_range(rng);
    u64 set = rng_below(rng, 2) ? PTE_W : PTE_NX, clear = rng_below(rng, 2) ? PTE_NX : PTE_W;
    bool whole = model_mapped(op.va, op.size) == op.size >> PAGE_SHIFT;
    u64 tables = pt.tables;

    assert_int_equal(pt_protect(&pt, op.va, op.size, set, clear), whole ? 0 : -ENOENT);
    if (!whole)
        assert_int_equal(pt.tables, tables);
    for (u64 i = (op.va - window) >> PAGE_SHIFT;
         whole && i < (op.va - window + op.size) >> PAGE_SHIFT; i++)
        model[i].prot = (model[i].prot & ~clear) | set;
}

static void random_life(u64 seed, vaddr_t base, u64 user)
{
    struct rng rng;

    rng_seed(&rng, seed);
    make_tables();
    window = base;
    memset(model, 0, sizeof(model));
    for (unsigned op = 0; op < 120; op++) {
        switch (rng_below(&rng, 5)) {
        case 0:
        case 1:
            random_map(&rng, user);
            break;
        case 2:
            random_protect(&rng);
            break;
        case 3:
            random_unmap(&rng);
            break;
        default:
            pt_trim(&pt, window, window + WINDOW_PAGES * PAGE_SIZE);
        }
        compare();
    }
    assert_int_equal(pt_unmap(&pt, window, WINDOW_PAGES * PAGE_SIZE),
                     model_mapped(window, WINDOW_PAGES * PAGE_SIZE));
    pt_trim(&pt, window, window + WINDOW_PAGES * PAGE_SIZE);
    /* Only what is never removed: the root, and below it one table for each top-level entry. */
    assert_true(pt.tables <= (user ? 1 : 3));
    drop_tables();
}

static void test_random_life(void **state)
{
    (void)state;
    for (u64 seed = 1; seed <= 6; seed++) {
        random_life(seed, VMALLOC_BASE + GIB - 4 * MIB, 0); /* across a border of 1 GiB */
        random_life(seed + 100, VMALLOC_BASE + 512 * GIB - 4 * MIB, 0); /* of 512 GiB */
        random_life(seed + 200, 16 * GIB - 4 * MIB, PTE_U);
        random_life(seed + 300, 0UL - WINDOW_PAGES * PAGE_SIZE, 0); /* up to 2^64 */
    }
}

/* ---- leaves ------------------------------------------------------------------------------------------ */

static unsigned leaf_shift_at(vaddr_t va)
{
    struct pt_walk walk;
    return pt_walk(&pt, va, &walk) ? walk.leaf_shift : 0;
}

static void test_the_largest_leaves_that_fit(void **state)
{
    (void)state;
    make_tables();
    vaddr_t va = VMALLOC_BASE + GIB - 2 * MIB - PAGE_SIZE;
    assert_int_equal(pt_map(&pt, va, 3 * GIB - 2 * MIB - PAGE_SIZE, 2 * GIB, PROT_KERNEL_RW, 30),
                     0);
    assert_int_equal(leaf_shift_at(va), 12);
    assert_int_equal(leaf_shift_at(va + PAGE_SIZE), 21);
    assert_int_equal(leaf_shift_at(VMALLOC_BASE + GIB), 30);
    assert_int_equal(leaf_shift_at(VMALLOC_BASE + 2 * GIB), 21);
    assert_int_equal(leaf_shift_at(va + 2 * GIB - PAGE_SIZE), 12);
    assert_int_equal(leaf_shift_at(va + 2 * GIB), 0);
    assert_int_equal(pt_map(&pt, va + 4 * GIB, 3 * GIB, 2 * MIB, PROT_KERNEL_RW, 21), 0);
    assert_int_equal(leaf_shift_at(va + 4 * GIB), 12); /* not aligned */
    assert_int_equal(pt_map(&pt, VMALLOC_BASE + 8 * GIB, 0, GIB, PROT_KERNEL_RW, 21), 0);
    assert_int_equal(leaf_shift_at(VMALLOC_BASE + 8 * GIB), 21); /* max_shift */
    drop_tables();
}

/* PAT is bit 7 in a small leaf and bit 12 in a large one, where bit 7 says that it is large. */
static void test_split_keeps_every_bit(void **state)
{
    (void)state;
    u64 prot = PROT_KERNEL_RW | PTE_PAT_4K | PTE_PWT;
    struct pt_walk walk;

    make_tables();
    assert_int_equal(pt_map(&pt, VMALLOC_BASE, 4 * GIB, GIB, prot, 30), 0);
    pt_walk(&pt, VMALLOC_BASE, &walk);
    assert_int_equal(walk.value[2], 4 * GIB | PROT_KERNEL_RW | PTE_PWT | PTE_PS | PTE_PAT_HUGE);
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE + 6 * MIB + PAGE_SIZE, PAGE_SIZE), 1);
    assert_int_equal(pt.tables, 4);
    pt_walk(&pt, VMALLOC_BASE + 2 * MIB, &walk);
    assert_int_equal(walk.value[1],
                     (4 * GIB + 2 * MIB) | PROT_KERNEL_RW | PTE_PWT | PTE_PS | PTE_PAT_HUGE);
    pt_walk(&pt, VMALLOC_BASE + 6 * MIB, &walk);
    assert_int_equal(walk.value[0], (4 * GIB + 6 * MIB) | prot);
    assert_false(pt_walk(&pt, VMALLOC_BASE + 6 * MIB + PAGE_SIZE, &walk));
    pt_walk(&pt, VMALLOC_BASE + GIB - 1, &walk);
    assert_int_equal(walk.physical, 5 * GIB - 1);
    drop_tables();
}

/* A table that is left empty gives way to a huge leaf; one that is in use does not. */
static void test_huge_leaf_over_an_empty_table(void **state)
{
    (void)state;
    make_tables();
    assert_int_equal(pt_map(&pt, VMALLOC_BASE + 5 * PAGE_SIZE, GIB, PAGE_SIZE, PROT_KERNEL_RW, 12),
                     0);
    assert_int_equal(pt_map(&pt, VMALLOC_BASE, GIB, GIB, PROT_KERNEL_RW, 30), -EEXIST);
    assert_int_equal(pt.tables, 4);
    assert_int_equal(leaf_shift_at(VMALLOC_BASE), 0);
    struct mmu_translation seen;
    assert_true(mmu_access(pt.root, VMALLOC_BASE + 5 * PAGE_SIZE, MMU_READ, &seen));
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE + 5 * PAGE_SIZE, PAGE_SIZE), 1);
    assert_int_equal(pt_map(&pt, VMALLOC_BASE, GIB, GIB, PROT_KERNEL_RW, 30), 0);
    assert_int_equal(pt.tables, 2);
    assert_int_equal(leaf_shift_at(VMALLOC_BASE), 30);
    drop_tables();
}

/* A run of huge leaves that meets an empty table on its way. */
static void test_huge_run_over_an_empty_table(void **state)
{
    (void)state;
    make_tables();
    assert_int_equal(pt_map(&pt, VMALLOC_BASE + 4 * MIB, GIB, PAGE_SIZE, PROT_KERNEL_RW, 12), 0);
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE + 4 * MIB, PAGE_SIZE), 1);
    assert_int_equal(pt_map(&pt, VMALLOC_BASE, GIB, 8 * MIB, PROT_KERNEL_RW, 21), 0);
    assert_int_equal(pt.tables, 3);
    for (u64 at = 0; at < 8 * MIB; at += 2 * MIB)
        assert_int_equal(leaf_shift_at(VMALLOC_BASE + at), 21);
    drop_tables();
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

static void test_arguments_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        vaddr_t va;
        paddr_t pa;
        u64 size, prot;
        unsigned shift;
    } bad[] = {
        {VMALLOC_BASE + 1, 0, PAGE_SIZE, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 1, PAGE_SIZE, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 0, 1, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 0, 0, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 0, 0UL - PAGE_SIZE, PROT_KERNEL_RW, 12},
        {0UL - PAGE_SIZE, 0, 2 * PAGE_SIZE, PROT_KERNEL_RW, 12},
        {NON_CANONICAL_LOW, 0, PAGE_SIZE, PROT_KERNEL_RW, 12},
        {NON_CANONICAL_LOW - PAGE_SIZE, 0, 2 * PAGE_SIZE, PROT_KERNEL_RW, 12},
        {NON_CANONICAL_LOW - PAGE_SIZE, 0, NON_CANONICAL_HIGH - NON_CANONICAL_LOW + 2 * PAGE_SIZE,
         PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 1UL << 52, PAGE_SIZE, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, (1UL << 52) - PAGE_SIZE, 2 * PAGE_SIZE, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 0UL - PAGE_SIZE, 2 * PAGE_SIZE, PROT_KERNEL_RW, 12},
        {VMALLOC_BASE, 0, PAGE_SIZE, PROT_KERNEL_RW & ~PTE_P, 12},
        {VMALLOC_BASE, 0, PAGE_SIZE, PROT_KERNEL_RW | PAGE_SIZE, 12},
        {VMALLOC_BASE, 0, PAGE_SIZE, PROT_KERNEL_RW, 13},
        {VMALLOC_BASE, 0, PAGE_SIZE, PROT_KERNEL_RW, 39},
    };
    struct page *none[2] = {NULL, NULL};

    make_tables();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (pt_map(&pt, bad[i].va, bad[i].pa, bad[i].size, bad[i].prot, bad[i].shift) != -EINVAL)
            fail_msg("case %zu is not refused", i);
    assert_int_equal(pt_map_pages(&pt, VMALLOC_BASE, NULL, 1, PROT_KERNEL_RW), -EINVAL);
    assert_int_equal(pt_map_pages(&pt, VMALLOC_BASE, none, 0, PROT_KERNEL_RW), -EINVAL);
    assert_int_equal(pt_map_pages(&pt, VMALLOC_BASE, none, 2, PROT_KERNEL_RW), -EINVAL);
    assert_int_equal(pt_map_pages(&pt, VMALLOC_BASE, none, 1UL << 52, PROT_KERNEL_RW), -EINVAL);
    assert_int_equal(pt_protect(&pt, VMALLOC_BASE, 0, 0, PTE_W), -EINVAL);
    assert_int_equal(pt_protect(&pt, VMALLOC_BASE, PAGE_SIZE, 0, PTE_P), -EINVAL);
    assert_int_equal(pt_protect(&pt, VMALLOC_BASE, PAGE_SIZE, PAGE_SIZE, 0), -EINVAL);
    assert_int_equal(pt_protect(&pt, VMALLOC_BASE, PAGE_SIZE, 0, PTE_W), -ENOENT);
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE, 0), 0);
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE, PAGE_SIZE), 0);
    assert_int_equal(pt_unmap(&pt, VMALLOC_BASE + 1, PAGE_SIZE), 0);
    expect_report("whole pages");
    assert_int_equal(pt.tables, 1);
    drop_tables();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_random_life),
        host_test(test_the_largest_leaves_that_fit),
        host_test(test_split_keeps_every_bit),
        host_test(test_huge_leaf_over_an_empty_table),
        host_test(test_huge_run_over_an_empty_table),
        host_test(test_arguments_that_are_refused),
    };

    return cmocka_run_group_tests_name("pgtable", tests, NULL, NULL);
}
