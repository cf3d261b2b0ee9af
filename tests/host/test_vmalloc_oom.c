// SPDX-License-Identifier: MIT
/*
 * Running out of memory at every point of every call, in SQLite's manner: let the k-th page, object,
 * table or descriptor fail, for k = 1, 2, 3 ... until the call succeeds with the fault unused; once
 * alone, and once with all that follow. After each attempt, undone where it succeeded, every count is
 * what it was. Also: frees under total failure (they must never need memory), and real exhaustion of
 * pages and of address space.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/vmalloc_world.h"

#define MAX_K 3000
#define SHARED_PAGES 80
#define DEVICE 0xfd000000UL
#define EXHAUST_MAX 4096

static struct page *shared[SHARED_PAGES];

/* An address range across the borders of 2 MiB, 1 GiB and 512 GiB: tables of all levels are needed. */
#define ACROSS (WORLD_BORDER - 4 * PAGE_SIZE)

struct oom_case {
    const char *name;
    void *(*attempt)(void); /* NULL: it failed, and left nothing */
    void (*undo)(void *result);
    bool only_forever; /* recovering from a single failure needs more than a host program has */
};

/* ---- the calls ------------------------------------------------------------------------------- */

static void *in_window(u64 size, u64 align, vaddr_t lo, gfp_t gfp, u32 flags)
{
    return __vmalloc_node_range(size, align, lo, kernel_vmalloc.space.end, gfp | __GFP_NOWARN,
                                PROT_KERNEL_RW, flags, CALLER());
}

static void *vmalloc_across_borders(void)
{
    return in_window(9 * PAGE_SIZE, PAGE_SIZE, ACROSS, GFP_KERNEL, 0);
}

static void *vzalloc_pages(void)
{
    return in_window(40 * PAGE_SIZE, PAGE_SIZE, ACROSS, __GFP_ZERO, 0);
}

/* Inside a free range: one descriptor more than usual. */
static void *vmalloc_inner_fit(void)
{
    return in_window(PAGE_SIZE, 64 * KIB, WORLD_BORDER + PAGE_SIZE, GFP_KERNEL, 0);
}

/* The most whose array of page pointers never comes from vmalloc, where a host program cannot reach
 * it: tests/kernel/ has the larger ones. */
static void *vmalloc_512_pages(void)
{
    return in_window(512 * PAGE_SIZE, PAGE_SIZE, ACROSS, GFP_KERNEL, 0);
}

static void *vmalloc_without_guard(void)
{
    return in_window(5 * PAGE_SIZE, PAGE_SIZE, ACROSS, GFP_KERNEL, VM_NO_GUARD);
}

/* Falls back to small pages when there is no large block; sees to it that the frames are its own. */
static void *vmalloc_of_2_mib_leaves(void)
{
    u8 *area = in_window(2 * MIB, PAGE_SIZE, WORLD_BORDER + PAGE_SIZE, GFP_KERNEL, VM_ALLOW_HUGE);

    for (u64 i = 0; area && i < 512; i++) /* bug 21: order-0 pages under a 2 MiB leaf */
        *(u64 *)page_address(vmalloc_to_page(area + i * PAGE_SIZE)) = i;
    for (u64 i = 0; area && i < 512; i++) {
        struct mmu_translation seen;

        assert_true(mmu_walk(kernel_pagetable.root, (vaddr_t)area + i * PAGE_SIZE, &seen));
        assert_int_equal(*(u64 *)phys_to_virt(seen.physical), i);
    }
    return area;
}

static void *kvmalloc_large(void)
{
    return kvmalloc(2 * MIB, __GFP_NOWARN);
}

static void *vmap_pages(void)
{
    return vmap(shared, 8, 0, PROT_KERNEL_RW);
}

static void *vmap_put_pages(void)
{
    struct page **array = kmalloc(3 * sizeof(*array), GFP_KERNEL);
    u64 got = array ? buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, 3, array, 0) : 0;
    void *area = got == 3 ? vmap(array, 3, VM_MAP_PUT_PAGES, PROT_KERNEL_RW) : NULL;

    if (!area) { /* the pages are still ours */
        if (array)
            buddy_free_bulk(&kernel_buddy, array, got, 0);
        kfree(array);
    }
    return area;
}

static void *map_ram_small(void)
{
    return vm_map_ram(shared, 8);
}

static void *map_ram_large(void)
{
    return vm_map_ram(shared, SHARED_PAGES);
}

/* The second one needs no block, the third a block that replaces the first. */
static void *map_ram_next_block(void)
{
    void *maps[17];
    unsigned done = 0;

    while (done < 17 && (maps[done] = vm_map_ram(shared, 64)) != NULL)
        done++;
    for (unsigned i = 0; i < done && (done < 17 || i < 16); i++)
        vm_unmap_ram(maps[i], 64);
    return done == 17 ? maps[16] : NULL;
}

static void *ioremap_one_page(void)
{
    return ioremap(DEVICE + 0x30, 4);
}

/* Large leaves in the middle, small ones at both ends. */
static void *ioremap_large(void)
{
    return ioremap(DEVICE - PAGE_SIZE, 4 * MIB + 2 * PAGE_SIZE);
}

static void *reserve(void)
{
    return get_vm_area(7 * PAGE_SIZE, VM_MAP);
}

/* In place, then undone; with `for ever` a failure can only end in NULL and the old area. */
static void *grow_in_place(void)
{
    void *area = in_window(2 * PAGE_SIZE, PAGE_SIZE, ACROSS, GFP_KERNEL, 0);
    void *grown = area ? vrealloc(area, 9 * PAGE_SIZE, __GFP_NOWARN) : NULL;

    if (area && !grown) {
        assert_int_equal(find_vm_area(area)->nr_pages, 2);
        assert_null(vmalloc_check());
        vfree(area);
    }
    if (grown)
        assert_int_equal(find_vm_area(grown)->nr_pages, 9);
    return grown;
}

static void *shrink_in_place(void)
{
    void *area = in_window(9 * PAGE_SIZE, PAGE_SIZE, ACROSS, GFP_KERNEL, 0);

    if (!area)
        return NULL;
    assert_ptr_equal(vrealloc(area, PAGE_SIZE, GFP_KERNEL), area); /* shrinking cannot fail */
    assert_int_equal(kernel_vmalloc.nr_pages, 1);
    return area;
}

/* ---- undoing --------------------------------------------------------------------------------- */

static void by_vfree(void *area)
{
    vfree(area);
}

static void by_vunmap(void *area)
{
    vunmap(area);
}

static void by_iounmap(void *area)
{
    iounmap(area);
}

static void by_free_vm_area(void *area)
{
    free_vm_area(area);
}

static void by_unmap_ram(void *area)
{
    struct vmap_block *block = vmap_block_find(&kernel_vmalloc, (vaddr_t)area);

    vm_unmap_ram(area, block->whole ? SHARED_PAGES : block->first_map[0] & 1 ? 8 : 64);
}

static void by_kvfree(void *area)
{
    kvfree(area);
}

static void by_unmap_ram_64(void *area)
{
    vm_unmap_ram(area, 64);
}

static const struct oom_case cases[] = {
    {"vmalloc across borders", vmalloc_across_borders, by_vfree, false},
    {"vzalloc", vzalloc_pages, by_vfree, false},
    {"vmalloc, inner fit", vmalloc_inner_fit, by_vfree, false},
    {"vmalloc of 512 pages", vmalloc_512_pages, by_vfree, false},
    {"vmalloc without guard", vmalloc_without_guard, by_vfree, false},
    {"vmalloc of 2 MiB leaves", vmalloc_of_2_mib_leaves, by_vfree, false},
    {"kvmalloc", kvmalloc_large, by_kvfree, false},
    {"vmap", vmap_pages, by_vunmap, false},
    {"vmap, put pages", vmap_put_pages, by_vfree, false},
    {"vm_map_ram, small", map_ram_small, by_unmap_ram, false},
    {"vm_map_ram, large", map_ram_large, by_unmap_ram, false},
    {"vm_map_ram, second block", map_ram_next_block, by_unmap_ram_64, false},
    {"ioremap", ioremap_one_page, by_iounmap, false},
    {"ioremap, large leaves", ioremap_large, by_iounmap, false},
    {"get_vm_area", reserve, by_free_vm_area, false},
    {"vrealloc, grow", grow_in_place, by_vfree, true},
    {"vrealloc, shrink", shrink_in_place, by_vfree, false},
};

/* ---- the loop -------------------------------------------------------------------------------- */

static void open_world(bool debug)
{
    world_open(&(struct vmalloc_world){.debug = debug});
    assert_int_equal(buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, SHARED_PAGES, shared, 0),
                     SHARED_PAGES);
}

static void close_world(void)
{
    buddy_free_bulk(&kernel_buddy, shared, SHARED_PAGES, 0);
    world_close();
}

/* One k. True when the call succeeded and the fault has not been used. */
static bool attempt(const struct oom_case *c, enum fail_site site, u64 k, bool forever)
{
    struct world_counts before = world_quiet_counts(), after;

    fail_arm(site, k, forever);
    void *result = c->attempt();
    u64 failed = fail_count(site);
    fail_disarm(site);
    if (result)
        c->undo(result);
    after = world_quiet_counts();
    const char *difference = world_difference(&before, &after);
    const char *broken = difference ? difference : world_check();
    if (broken)
        fail_msg("%s, %s %lu%s, %s: %s", c->name, fail_site_name(site), k,
                 forever ? " and all later ones" : "", result ? "succeeded" : "failed", broken);
    return result && !failed;
}

static u64 every_k(const struct oom_case *c, enum fail_site site, bool forever)
{
    for (u64 k = 1; k <= MAX_K; k++)
        if (attempt(c, site, k, forever))
            return k - 1;
    fail_msg("%s: %s %u still fails", c->name, fail_site_name(site), MAX_K);
    return 0;
}

static void every_call(bool debug)
{
    u64 survived = 0;

    open_world(debug);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        for (unsigned site = 0; site < FAIL_SITES; site++) {
            if (!cases[i].only_forever)
                survived += every_k(&cases[i], (enum fail_site)site, false);
            survived += every_k(&cases[i], (enum fail_site)site, true);
        }
    close_world();
    print_message("%lu failures survived, nothing lost\n", survived);
    assert_true(survived > 1000);
}

static void every_call_at_every_step(void **state)
{
    every_call(false);
}

static void every_call_with_debug_flushes(void **state)
{
    every_call(true);
}

/* ---- frees never need memory (B7) ------------------------------------------------------------- */

static void arm_everything(bool arm)
{
    for (unsigned site = 0; site < FAIL_SITES; site++) {
        if (arm)
            fail_arm((enum fail_site)site, 1, true);
        else
            fail_disarm((enum fail_site)site);
    }
}

static void frees_never_need_memory(void **state)
{
    open_world(false);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world_counts before = world_quiet_counts(), after;
        void *result = cases[i].attempt();
        u64 failed = 0;

        assert_non_null(result);
        arm_everything(true);
        cases[i].undo(result);
        vm_unmap_aliases();
        for (unsigned site = 0; site < FAIL_SITES; site++)
            failed += fail_count((enum fail_site)site);
        arm_everything(false);
        after = world_quiet_counts();
        if (world_difference(&before, &after) || failed)
            fail_msg("%s: its free asked for memory %lu times; %s", cases[i].name, failed,
                     world_difference(&before, &after));
    }
    close_world();
}

static void deferred_frees_never_need_memory(void **state)
{
    open_world(false);
    struct world_counts before = world_quiet_counts(), after;
    void *areas[5];

    for (unsigned i = 0; i < ARRAY_SIZE(areas); i++)
        areas[i] = vmalloc((i + 1) * PAGE_SIZE);
    arm_everything(true);
    for (unsigned i = 0; i < ARRAY_SIZE(areas); i++)
        vfree_atomic(areas[i]);
    assert_int_equal(vfree_deferred_run(), ARRAY_SIZE(areas));
    arm_everything(false);
    after = world_quiet_counts();
    assert_null(world_difference(&before, &after));
    close_world();
}

/* ---- real exhaustion --------------------------------------------------------------------------- */

/* Allocate until NULL; how many. */
static u64 exhaust(void **areas, u64 size)
{
    u64 n = 0;

    while (n < EXHAUST_MAX &&
           (areas[n] = in_window(size, PAGE_SIZE, kernel_vmalloc.space.start, GFP_KERNEL, 0)))
        n++;
    assert_true(n < EXHAUST_MAX);
    return n;
}

static void free_every_other_first(void **areas, u64 n)
{
    for (u64 i = 0; i < n; i += 2)
        vfree(areas[i]);
    for (u64 i = 1; i < n; i += 2)
        vfree(areas[i]);
}

/* B6: the same number of areas and the same totals each time. */
static void pages_run_out_and_come_back(void **state)
{
    static void *areas[EXHAUST_MAX];

    world_open(&(struct vmalloc_world){.memory_pages = 2048, .window_pages = 12 * 1024});
    struct world_counts before = world_quiet_counts();
    u64 first = exhaust(areas, 4 * PAGE_SIZE);

    free_every_other_first(areas, first);
    for (unsigned round = 0; round < 20; round++) {
        struct world_counts after = world_quiet_counts();
        u64 n;

        assert_null(world_difference(&before, &after));
        assert_null(world_check());
        n = exhaust(areas, 4 * PAGE_SIZE);
        assert_int_equal(n, first);
        assert_null(world_check());
        free_every_other_first(areas, n);
    }
    world_close();
}

/* B5: address space runs out while there is memory: NULL, and pages come to no harm. */
static void address_space_runs_out_and_comes_back(void **state)
{
    static void *areas[EXHAUST_MAX];

    world_open(&(struct vmalloc_world){.window_pages = 2048});
    struct world_counts before = world_quiet_counts(), after;

    for (unsigned round = 0; round < 10; round++) {
        u64 n = exhaust(areas, 3 * PAGE_SIZE);

        assert_int_equal(n, 2048 / 4);
        assert_true(buddy_free_pages(&kernel_buddy) > 1000);
        assert_false(vm_map_ram(shared, 1)); /* not even room for a block */
        free_every_other_first(areas, n);    /* lazily: the next round has to purge */
    }
    after = world_quiet_counts();
    assert_null(world_difference(&before, &after));
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(every_call_at_every_step),    world_test(every_call_with_debug_flushes),
        world_test(frees_never_need_memory),     world_test(deferred_frees_never_need_memory),
        world_test(pages_run_out_and_come_back), world_test(address_space_runs_out_and_comes_back),
    };

    return cmocka_run_group_tests_name("vmalloc_oom", tests, NULL, NULL);
}
