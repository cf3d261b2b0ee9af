// SPDX-License-Identifier: MIT
/*
 * Cases of the vmalloc layer that random life meets too rarely to rely on: bugs that this layer or its
 * ancestors had, each with what it must do instead, and the checker of P1 against planted damage. A
 * number of a bug is that of the catalogue in docs/history.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/vmalloc_world.h"

static struct page *pages[128];

static void open_world(const struct vmalloc_world *config)
{
    world_open(config);
    assert_int_equal(buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, 128, pages, 0), 128);
}

static void close_world(void)
{
    buddy_free_bulk(&kernel_buddy, pages, 128, 0);
    world_close();
}

static const struct vmalloc_world ordinary = {.memory_pages = 4096};

static void *in_window(u64 size, u64 align, vaddr_t lo, vaddr_t hi, u32 flags)
{
    return __vmalloc_node_range(size, align, lo, hi, __GFP_NOWARN, PROT_KERNEL_RW, flags, 0);
}

/* ---- address space ----------------------------------------------------------------------------- */

/* Bug 1: a 2 MiB-aligned request in a window of exactly its size, guard included, must fit. */
static void window_of_exactly_the_size(void **state)
{
    vaddr_t lo = WORLD_BORDER + 4 * MIB, hi = lo + 2 * MIB + PAGE_SIZE;

    open_world(&ordinary);
    void *area = in_window(2 * MIB, 2 * MIB, lo, hi, 0);
    assert_int_equal((vaddr_t)area, lo);
    assert_null(in_window(PAGE_SIZE, PAGE_SIZE, lo, hi, 0)); /* full */
    assert_null(in_window(PAGE_SIZE, PAGE_SIZE, hi, lo, 0));
    assert_null(in_window(PAGE_SIZE, PAGE_SIZE, lo, lo, 0));
    assert_null(in_window(PAGE_SIZE, PAGE_SIZE, 0, 16 * PAGE_SIZE, 0));
    vfree(area);
    close_world();
}

/* Bug 3: after a purge the search starts over at the lowest address. */
static void lowest_again_after_the_purge(void **state)
{
    static void *areas[4096];
    u64 n = 0;

    open_world(&(struct vmalloc_world){.memory_pages = 4096, .window_pages = 2048});
    while ((areas[n] = vmalloc(PAGE_SIZE)) != NULL)
        n++;
    assert_int_equal(n, 1024);
    vfree(areas[0]);
    assert_true(kernel_vmalloc.flush.lazy_pages == 2);
    assert_ptr_equal(vmalloc(PAGE_SIZE), areas[0]);
    for (u64 i = 0; i < n; i++)
        vfree(areas[i]);
    close_world();
}

/* All address space lies in a block of vm_map_ram without a live mapping: shortage must get it back,
 * in one go: first the block into the flush queue, then the queue into the space. */
static void idle_blocks_come_back(bool eager)
{
    open_world(&(struct vmalloc_world){.memory_pages = 4096, .window_pages = 1024, .eager = eager});
    for (unsigned round = 0; round < 3; round++) {
        void *map = vm_map_ram(pages, 3);

        assert_non_null(map);
        assert_null(vmalloc(PAGE_SIZE)); /* a live mapping: nothing to be had */
        vm_unmap_ram(map, 3);
        void *area = vmalloc(512 * PAGE_SIZE);
        assert_non_null(area);
        assert_null(vm_map_ram(pages, 3));
        vfree(area);
    }
    close_world();
}

static void shortage_gets_idle_blocks_back(void **state)
{
    idle_blocks_come_back(false);
    idle_blocks_come_back(true);
}

/* ---- vm_map_ram -------------------------------------------------------------------------------- */

static u64 blocks(void)
{
    const struct list_head *head = &kernel_vmalloc.block_list;
    u64 n = 0;

    for (const struct list_head *link = head->next; link != head; link = link->next)
        n++;
    return n;
}

/* Bug 17: each block ends with a rest that is too small for the next request. It must die all the
 * same, with its last mapping, or address space runs away. */
static void replaced_blocks_die_with_their_last_mapping(void **state)
{
    open_world(&ordinary);
    for (unsigned round = 0; round < 40; round++) {
        void *maps[15];

        for (unsigned i = 0; i < 15; i++) {
            maps[i] = vm_map_ram(pages, i == 7 ? 63 : 64);
            assert_non_null(maps[i]);
        }
        for (unsigned i = 0; i < 15; i++)
            vm_unmap_ram(maps[i], i == 7 ? 63 : 64);
        void *last = vm_map_ram(pages, 64), *odd = vm_map_ram(pages, 33);
        vm_unmap_ram(last, 64);
        vm_unmap_ram(odd, 33);
        assert_true(blocks() <= 2);
    }
    vm_unmap_aliases();
    assert_int_equal(blocks(), 0);
    close_world();
}

/* ... also when nothing of the old block was mapped any more at the moment when it is replaced. */
static void an_idle_block_dies_when_it_is_replaced(void **state)
{
    open_world(&ordinary);
    for (unsigned i = 0; i < 15; i++)
        vm_unmap_ram(vm_map_ram(pages, 64), 64);
    vm_unmap_ram(vm_map_ram(pages, 60), 60);
    assert_int_equal(blocks(), 1);
    void *map = vm_map_ram(pages, 5); /* four are left */
    assert_int_equal(blocks(), 1);
    vm_unmap_ram(map, 5);
    close_world();
}

/* A block has room for 1024 pages, not for one less; a replaced one lives as long as its maps. */
static void blocks_are_used_to_the_last_page(void **state)
{
    void *maps[17];

    open_world(&ordinary);
    for (unsigned i = 0; i < 16; i++)
        maps[i] = vm_map_ram(pages, 64);
    assert_int_equal(blocks(), 1);
    maps[16] = vm_map_ram(pages, 20);
    assert_int_equal(blocks(), 2);
    for (unsigned i = 0; i < 16; i++)
        vm_unmap_ram(maps[i], 64);
    assert_int_equal(blocks(), 1);
    for (unsigned i = 0; i < 15; i++)
        vm_unmap_ram(vm_map_ram(pages, 64), 64);
    vm_unmap_ram(maps[16], 20);
    void *pin = vm_map_ram(pages, 2), *next = vm_map_ram(pages, 63); /* 42 are given up */
    assert_int_equal(blocks(), 2);
    vm_unmap_aliases();
    assert_int_equal(blocks(), 2);
    vm_unmap_ram(pin, 2);
    vm_unmap_ram(next, 63);
    close_world();
}

/* Bug 15: taken on one CPU, given back on another, purged on a third; each has its own block. */
static void blocks_and_processors(void **state)
{
    void *maps[4][20];

    open_world(&ordinary);
    host_set_cpu_count(4);
    for (unsigned i = 0; i < 20; i++)
        for (u32 cpu = 0; cpu < 4; cpu++) {
            host_set_cpu(cpu);
            maps[cpu][i] = vm_map_ram(pages, 60);
        }
    assert_int_equal(blocks(), 8); /* 17 pieces of 60 pages fit one block */
    for (u32 cpu = 0; cpu < 4; cpu++)
        for (unsigned i = 0; i < 20; i++) {
            host_set_cpu((cpu + i) % 4);
            vm_unmap_ram(maps[cpu][i], 60);
        }
    assert_int_equal(blocks(), 4); /* the first ones were used up */
    host_set_cpu(7);
    vm_unmap_aliases();
    assert_int_equal(blocks(), 0);
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        assert_null(kernel_vmalloc.current_block[cpu]);
    host_set_cpu(0);
    close_world();
}

/* Bug 14: given-back pieces of a block that lives on are not handed out again, and vm_unmap_aliases()
 * makes every CPU forget them. */
static void dirty_pieces_are_forgotten_on_request(void **state)
{
    struct mmu_translation seen;

    open_world(&ordinary);
    u8 *keeps_alive = vm_map_ram(pages, 1), *piece = vm_map_ram(pages, 4);
    for (u32 cpu = 0; cpu < 3; cpu++) {
        host_set_cpu(cpu);
        assert_true(mmu_access(kernel_pagetable.root, (vaddr_t)piece + PAGE_SIZE, MMU_READ, &seen));
    }
    vm_unmap_ram(piece, 4);
    assert_int_equal(mmu_cached_range((vaddr_t)piece, (vaddr_t)piece + 4 * PAGE_SIZE), 3);
    u8 *elsewhere = vm_map_ram(pages, 4); /* from a block of CPU 2 */
    host_set_cpu(0);
    u8 *next = vm_map_ram(pages, 4);
    assert_ptr_equal(next, piece + 4 * PAGE_SIZE);
    vm_unmap_aliases();
    assert_int_equal(mmu_cached_stale(), 0);
    vm_unmap_ram(next, 4);
    vm_unmap_ram(elsewhere, 4);
    vm_unmap_ram(keeps_alive, 1);
    close_world();
}

/* ---- ioremap ------------------------------------------------------------------------------------ */

/* Map, look at where it lies and at the bits of the first leaf, unmap. */
static void expect_ioremap(void *(*map)(paddr_t, u64), paddr_t physical, u64 size, u64 bits,
                           unsigned leaf_shift, u64 align)
{
    struct pt_walk walk;
    u8 *device = map(physical, size);

    assert_non_null(device);
    assert_true(pt_walk(&kernel_pagetable, (vaddr_t)device, &walk));
    assert_int_equal(walk.physical, physical);
    assert_int_equal(walk.value[walk.stopped_at] & (PTE_PCD | PTE_PWT), bits);
    assert_int_equal(walk.leaf_shift, leaf_shift);
    assert_true(walk.writable && !walk.executable);
    assert_true(is_aligned((vaddr_t)device & PAGE_MASK, align));
    assert_true(pt_walk(&kernel_pagetable, (vaddr_t)device + size - 1, &walk));
    assert_int_equal(walk.physical, physical + size - 1);
    const struct vm_struct *vm = find_vm_area(device);
    assert_int_equal(vm->phys_addr, physical & PAGE_MASK);
    assert_false(pt_walk(&kernel_pagetable, vm->addr + get_vm_area_size(vm), &walk));
    iounmap(device);
    assert_false(pt_walk(&kernel_pagetable, (vaddr_t)device, &walk));
}

static void device_memory(void **state)
{
    paddr_t end_of_ram = 4096 * PAGE_SIZE, kept = WORLD_KEPT_PFN * PAGE_SIZE;

    open_world(&ordinary);
    expect_ioremap(ioremap, 0xfee00030, 4, PTE_PCD | PTE_PWT, 12, PAGE_SIZE);
    expect_ioremap(ioremap_wc, 0xfd000000, 2 * MIB, PTE_PWT, 21, 2 * MIB);
    expect_ioremap(ioremap_cache, 0xfd000fff, 2, 0, 12, 2 * PAGE_SIZE);
    expect_ioremap(ioremap, 0xfd1ff000, 2 * MIB + PAGE_SIZE, PTE_PCD | PTE_PWT, 12, 4 * MIB);
    expect_ioremap(ioremap, 5 * TIB, 4 * MIB, PTE_PCD | PTE_PWT, 21, 4 * MIB);
    expect_ioremap(ioremap, ioremap_limit - PAGE_SIZE, PAGE_SIZE, PTE_PCD | PTE_PWT, 12, PAGE_SIZE);
    assert_null(ioremap(ioremap_limit - PAGE_SIZE, PAGE_SIZE + 1));
    /* RAM that the buddy does not own may be mapped, whatever lies beside it may not. */
    expect_ioremap(ioremap_cache, kept, 8 * PAGE_SIZE, 0, 12, 8 * PAGE_SIZE);
    assert_null(ioremap_cache(kept, 8 * PAGE_SIZE + 1));
    assert_null(ioremap_cache(kept + 7 * PAGE_SIZE, 2 * PAGE_SIZE));
    assert_null(ioremap(end_of_ram - 1, 2));
    expect_ioremap(ioremap, end_of_ram, 1, PTE_PCD | PTE_PWT, 12, PAGE_SIZE);
    vm_unmap_aliases();
    /* One page is aligned to a page, not to more: it takes the very first hole. */
    void *first = vmalloc(PAGE_SIZE), *second = ioremap(0xfee00000, PAGE_SIZE);
    assert_ptr_equal(second, (u8 *)first + 2 * PAGE_SIZE);
    void *third = ioremap(0xfee00000, PAGE_SIZE + 1), *hole = ioremap(0xfee00000, PAGE_SIZE);
    assert_ptr_equal(third, (u8 *)first + 4 * PAGE_SIZE);
    assert_ptr_equal(hole, (u8 *)first + 7 * PAGE_SIZE);
    iounmap(second);
    iounmap(third);
    iounmap(hole);
    vfree(first);
    close_world();
}

/* ---- who allocated, who freed ------------------------------------------------------------------- */

/* A failed allocation at the address of a dead area must not pass for its last owner. */
static void failures_leave_no_history(void **state)
{
    open_world(&ordinary);
    void *area = vmalloc(100);
    vfree(area);
    vm_unmap_aliases();
    for (unsigned site = 0; site < FAIL_SITES; site++) {
        pt_trim(&kernel_pagetable, kernel_vmalloc.space.start, kernel_vmalloc.space.end);
        fail_arm((enum fail_site)site, 1, true);
        assert_null(in_window(7 * PAGE_SIZE, PAGE_SIZE, kernel_vmalloc.space.start,
                              kernel_vmalloc.space.end, 0));
        fail_disarm((enum fail_site)site);
        vm_unmap_aliases();
    }
    fail_arm(FAIL_TABLE, 1, true);
    pt_trim(&kernel_pagetable, kernel_vmalloc.space.start, kernel_vmalloc.space.end);
    assert_null(vmap(pages, 9, 0, PROT_KERNEL_RW));
    fail_disarm(FAIL_TABLE);
    vm_unmap_aliases();
    vfree(area);
    expect_report("of 100 bytes was allocated by");
    assert_int_equal(kernel_vmalloc.history_next, 1);
    close_world();
}

/* The one who called vfree() in the interrupt freed it, not the one who finished the work. */
static void a_deferred_free_knows_who_asked(void **state)
{
    struct vm_history dead;

    open_world(&ordinary);
    void *area = vmalloc(100);
    host_set_interrupt(true);
    vfree_from(&kernel_vmalloc, area, 0x1234);
    host_set_interrupt(false);
    assert_non_null(find_vm_area(area)); /* mapped and known until then */
    assert_int_equal(vfree_deferred_run(), 1);
    assert_true(vm_history_find(&kernel_vmalloc, (vaddr_t)area + 99, &dead));
    assert_int_equal(dead.free_caller, 0x1234);
    assert_int_equal(kernel_vmalloc.counters.deferred, 1);
    close_world();
}

static void history_forgets_the_oldest(void **state)
{
    struct vm_history dead;
    vaddr_t first = 0, second = 0;

    open_world(&(struct vmalloc_world){.memory_pages = 4096});
    for (unsigned i = 0; i <= VM_HISTORY; i++) { /* lazily freed: each at an address of its own */
        void *area = vmalloc(PAGE_SIZE);

        vfree(area);
        first = i == 0 ? (vaddr_t)area : first;
        second = i == 1 ? (vaddr_t)area : second;
    }
    assert_false(vm_history_find(&kernel_vmalloc, first, &dead));
    assert_true(vm_history_find(&kernel_vmalloc, second + 2 * PAGE_SIZE - 1, &dead)); /* guard */
    assert_int_equal(dead.start, second);
    close_world();
}

/* ---- vrealloc ----------------------------------------------------------------------------------- */

/* Growing fails after the range has grown, and no descriptor is there to shrink it back. */
static void growth_that_cannot_be_undone_is_the_new_size(void **state)
{
    open_world(&ordinary);
    void *area = vmalloc(2 * PAGE_SIZE);
    void *hole = vmalloc(9 * PAGE_SIZE), *behind = vmalloc(PAGE_SIZE);

    vfree(hole);
    vm_unmap_aliases(); /* ten free pages, then somebody else */
    fail_arm(FAIL_PAGE, 1, true);
    fail_arm(FAIL_NODE, 1, true);
    assert_null(vrealloc(area, 12 * PAGE_SIZE, __GFP_NOWARN));
    fail_disarm(FAIL_PAGE);
    fail_disarm(FAIL_NODE);
    assert_null(world_check());
    struct vm_struct *vm = find_vm_area(area);
    assert_int_equal(vm->nr_pages, 2);
    assert_int_equal(vm->requested_size, 2 * PAGE_SIZE);
    vfree(area);
    vfree(behind);
    close_world();
}

/* Growing fails at its last step, the page table: range and pages go back. */
static void growth_that_fails_is_undone(void **state)
{
    open_world(&ordinary);
    vaddr_t lo = WORLD_BORDER - 2 * PAGE_SIZE;
    void *area = in_window(PAGE_SIZE, PAGE_SIZE, lo, kernel_vmalloc.space.end, 0);
    struct world_counts before = world_quiet_counts(), after;

    fail_arm(FAIL_TABLE, 1, true); /* behind the border, and for a move */
    assert_null(vrealloc(area, 4 * PAGE_SIZE, __GFP_NOWARN));
    fail_disarm(FAIL_TABLE);
    after = world_quiet_counts();
    assert_null(world_difference(&before, &after));
    assert_int_equal(find_vm_area(area)->size, 2 * PAGE_SIZE);
    assert_ptr_equal(vrealloc(area, 4 * PAGE_SIZE, 0), area);
    assert_int_equal(find_vm_area(area)->size, 5 * PAGE_SIZE);
    vfree(area);
    close_world();
}

/* A design that cannot resize: the tail is unmapped and freed, its addresses stay reserved. */
static void shrinking_without_the_design(void **state)
{
    struct vmap_design rigid = *vmap_designs[0];

    rigid.shrink = NULL;
    rigid.grow = NULL;
    open_world(&(struct vmalloc_world){.memory_pages = 4096, .design = &rigid});
    u8 *area = vmalloc(5 * PAGE_SIZE);
    struct mmu_translation seen;

    assert_true(mmu_access(kernel_pagetable.root, (vaddr_t)area + 4 * PAGE_SIZE, MMU_READ, &seen));
    assert_ptr_equal(vrealloc(area, PAGE_SIZE + 1, 0), area);
    assert_int_equal(mmu_cached_stale(), 0);
    assert_int_equal(find_vm_area(area)->nr_pages, 2);
    assert_int_equal(find_vm_area(area)->size, 6 * PAGE_SIZE);
    assert_null(vmalloc_to_page(area + 2 * PAGE_SIZE));
    assert_null(world_check());
    assert_ptr_equal(vrealloc(area, 2 * PAGE_SIZE, 0), area); /* same pages, other size */
    assert_int_equal(find_vm_area(area)->requested_size, 2 * PAGE_SIZE);
    assert_null(vrealloc(area, 0, 0)); /* a free */
    assert_null(find_vm_area(area));
    close_world();
}

static void areas_without_a_guard(void **state)
{
    open_world(&ordinary);
    u8 *area =
        in_window(4 * PAGE_SIZE, PAGE_SIZE, WORLD_BORDER, kernel_vmalloc.space.end, VM_NO_GUARD);
    u8 *next = in_window(PAGE_SIZE, PAGE_SIZE, WORLD_BORDER, kernel_vmalloc.space.end, VM_NO_GUARD);

    assert_ptr_equal(next, area + 4 * PAGE_SIZE);
    assert_ptr_equal(vrealloc(area, 2 * PAGE_SIZE, 0), area);
    assert_int_equal(find_vm_area(area)->size, 2 * PAGE_SIZE);
    assert_int_equal(get_vm_area_size(find_vm_area(area)), 2 * PAGE_SIZE);
    assert_ptr_equal(vrealloc(area, 4 * PAGE_SIZE, 0), area); /* up to its neighbour */
    assert_int_equal(get_vm_area_size(find_vm_area(area)), 4 * PAGE_SIZE);
    assert_null(world_check());
    vfree(next);
    vfree(area);
    close_world();
}

/* A 2 MiB leaf is not cut: its pages stay until the area goes. */
static void shrinking_a_huge_area(void **state)
{
    open_world(&ordinary);
    u8 *area = vmalloc_huge(2 * MIB, 0);
    struct mmu_translation seen;

    assert_true(mmu_walk(kernel_pagetable.root, (vaddr_t)area + MIB, &seen));
    assert_int_equal(seen.page_size, 2 * MIB);
    assert_ptr_equal(vrealloc(area, 100, 0), area);
    assert_int_equal(kernel_vmalloc.nr_pages, 512);
    assert_int_equal(find_vm_area(area)->requested_size, 100);
    /* Bug 22: the frames under the leaf are pages of their own. */
    for (u64 i = 0; i < 512; i++)
        assert_int_equal(vmalloc_to_page(area + i * PAGE_SIZE)->order, 0);
    vfree(area);
    close_world();
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Bug 28: every sub-range reads as memcpy() would, through the border of mappings, holes as zero. */
static void vread_every_subrange(void **state)
{
    static u8 expected[12 * PAGE_SIZE], got[12 * PAGE_SIZE];

    open_world(&ordinary);
    u8 *area = vmalloc(3 * PAGE_SIZE); /* and a guard */
    u8 *device = ioremap(0xfd000000, PAGE_SIZE);
    u8 *block = vm_map_ram(pages, 2), *next = vm_map_ram(pages + 2, 1);

    assert_ptr_equal(next, block + 2 * PAGE_SIZE);
    for (u64 at = 0; at < sizeof(expected); at++) {
        const struct page *page = at < 8 * PAGE_SIZE ? vmalloc_to_page(area + at) : NULL;

        expected[at] = 0;
        if (!page || page_to_pfn(page) >= 4096)
            continue;
        expected[at] = (u8)(1 + at % 251);
        ((u8 *)page_address(page))[at % PAGE_SIZE] = expected[at];
    }
    for (u64 from = 0; from < 7 * PAGE_SIZE; from += 509)
        for (u64 count = 0; from + count < 8 * PAGE_SIZE; count += 1021) {
            u64 live = 0;

            for (u64 i = 0; i < count; i++)
                live += expected[from + i] != 0;
            memset(got, 0xee, sizeof(got));
            assert_int_equal(vread(got, area + from, count), live);
            assert_memory_equal(got, expected + from, count);
            assert_int_equal(got[count], 0xee);
        }
    memset(got, 0xee, sizeof(got));
    assert_int_equal(vread(got, device, PAGE_SIZE), 0); /* reading a device can have effects */
    assert_int_equal(vread(got, block + PAGE_SIZE, 2 * PAGE_SIZE), 2 * PAGE_SIZE);
    assert_int_equal(vread(got, (void *)(VMALLOC_END - 10), 20), 0);
    assert_int_equal(vread(got, (void *)-10UL, 20), 0);
    vfree(area);
    iounmap(device);
    vm_unmap_ram(block, 2);
    vm_unmap_ram(next, 1);
    close_world();
}

static void small_questions(void **state)
{
    open_world(&ordinary);
    u8 *area = vzalloc(2 * PAGE_SIZE), *user = vmalloc_user(PAGE_SIZE);

    assert_int_equal(vmalloc_nr_pages(), 3);
    assert_int_equal(vmalloc_used_bytes(), 5 * PAGE_SIZE);
    assert_int_equal(vmalloc_to_pfn(area + PAGE_SIZE), page_to_pfn(find_vm_area(area)->pages[1]));
    assert_int_equal(vmalloc_to_pfn(area + 2 * PAGE_SIZE), 0); /* the guard */
    assert_null(vmalloc_to_page(pages));
    assert_true(find_vm_area(user)->flags & VM_USERMAP);
    vfree(area);
    kvfree(user);
    close_world();
}

/* What an area remembers of its making, and what the layer counts. */
static void areas_remember_who_made_them(void **state)
{
    open_world(&ordinary);
    vaddr_t lo = kernel_vmalloc.space.start, hi = kernel_vmalloc.space.end;
    void *area = __vmalloc_node_range(5000, PAGE_SIZE, lo, hi, 0, PROT_KERNEL_RW, 0, 0x5678);
    void *large = __vmalloc_node_range(3 * MIB + 5, PAGE_SIZE, lo, hi, 0, PROT_KERNEL_RW,
                                       VM_ALLOW_HUGE, 0x9abc);
    const struct vm_struct *vm = find_vm_area(area), *large_vm = find_vm_area(large);

    assert_int_equal(vm->caller, 0x5678);
    assert_int_equal(vm->requested_size, 5000);
    assert_true(vm->born_ns > 0 && large_vm->born_ns > vm->born_ns);
    assert_int_equal(large_vm->caller, 0x9abc);
    assert_int_equal(large_vm->requested_size, 3 * MIB + 5);
    assert_int_equal(large_vm->page_order, 9);
    assert_int_equal(large_vm->nr_pages, 1024);
    for (u64 i = 0; i < 1024; i++) {
        struct mmu_translation seen;

        assert_true(mmu_walk(kernel_pagetable.root, large_vm->addr + i * PAGE_SIZE, &seen));
        assert_int_equal(seen.physical, page_to_phys(large_vm->pages[i]));
        assert_int_equal(seen.page_size, 2 * MIB);
    }
    vfree(area);
    vfree(large);
    assert_int_equal(kernel_vmalloc.counters.allocs, 2);
    assert_int_equal(kernel_vmalloc.counters.frees, 2);
    assert_int_equal(kernel_vmalloc.counters.failures, 0);
    close_world();
}

/* A failure is said and counted once; __GFP_NOWARN is quiet, and so is the way over 2 MiB pages. */
static void failures_are_said_and_counted(void **state)
{
    open_world(&ordinary);
    u64 warned = host_warnings();

    assert_null(vmalloc(0));
    assert_null(vmalloc(64 * MIB));
    assert_int_equal(host_warnings(), warned + 2);
    assert_null(in_window(0, PAGE_SIZE, 0, ~0UL, 0));
    assert_null(in_window(64 * MIB, PAGE_SIZE, 0, ~0UL, 0));
    assert_int_equal(host_warnings(), warned + 2);
    assert_int_equal(kernel_vmalloc.counters.failures, 4);
    fail_arm(FAIL_NODE, 1, true);
    assert_null(vmalloc(PAGE_SIZE));
    assert_int_equal(host_warnings(), warned + 3);
    assert_null(in_window(PAGE_SIZE, PAGE_SIZE, 0, ~0UL, 0));
    assert_int_equal(host_warnings(), warned + 3);
    fail_disarm(FAIL_NODE);
    fail_arm(FAIL_PAGE, 2, false); /* no block of 2 MiB; the small pages do */
    void *area = vmalloc_huge(2 * MIB, 0);
    fail_disarm(FAIL_PAGE);
    assert_non_null(area);
    assert_int_equal(host_warnings(), warned + 3);
    assert_int_equal(kernel_vmalloc.counters.failures, 6);
    vfree(area);
    close_world();
}

/* ---- two processors at once ---------------------------------------------------------------------- */

/* What the other CPU does while this one is in the middle of a free: between the claim and the moment
 * when the addresses are retired, which with debug on is when it flushes. */
static void (*other_does)(const void *);
static const void *victim;
static u64 interventions;

static bool intervene(vaddr_t start, vaddr_t end)
{
    u32 cpu = cpu_id();

    if (!other_does || (start && start != (vaddr_t)victim))
        return true;
    host_set_cpu(cpu + 1);
    interventions++;
    other_does(victim);
    host_set_cpu(cpu);
    return true;
}

/* free_it(), with the other CPU doing `deed` meanwhile: refused, in these words. */
static void race(void (*free_it)(const void *), const void *address, void (*deed)(const void *),
                 const char *words)
{
    victim = address;
    other_does = deed;
    interventions = 0;
    host_flush_hook(intervene);
    free_it(address);
    host_flush_hook(NULL);
    assert_int_equal(interventions, 1);
    expect_report(words);
    assert_null(world_check());
}

static void resize_it(const void *address)
{
    assert_null(vrealloc(address, 3 * PAGE_SIZE, 0));
}

static void unmap_seven(const void *address)
{
    vm_unmap_ram(address, 7);
}

static void unmap_seventy(const void *address)
{
    vm_unmap_ram(address, 70);
}

static void exactly_one_cpu_frees(void **state)
{
    open_world(&(struct vmalloc_world){.memory_pages = 4096, .debug = true});
    race(vfree, vmalloc(2 * PAGE_SIZE), vfree, "double free");
    race(vfree, vmalloc(2 * PAGE_SIZE), vfree_atomic, "double free");
    race(vfree, vmalloc(2 * PAGE_SIZE), resize_it, "not the start");
    race(vunmap, vmap(pages, 5, 0, PROT_KERNEL_RW), vunmap, "double free");
    race(iounmap, ioremap(0xfd000000, PAGE_SIZE), iounmap, "double free");
    race(unmap_seven, vm_map_ram(pages, 7), unmap_seven, "no such mapping");
    race(unmap_seventy, vm_map_ram(pages, 70), unmap_seventy, "no such mapping");
    race(unmap_seven, vm_map_ram(pages, 7), vfree, "use vm_unmap_ram");
    assert_int_equal(vfree_deferred_run(), 0);
    close_world();
}

static void finish_deferred(const void *address)
{
    vfree_deferred_run();
}

static void a_deferred_area_is_freed_once(void **state)
{
    open_world(&(struct vmalloc_world){.memory_pages = 4096, .debug = true});
    void *area = vmalloc(2 * PAGE_SIZE);

    vfree_atomic(area);
    race(finish_deferred, area, vfree, "double free");
    area = vmalloc(2 * PAGE_SIZE);
    vfree_atomic(area);
    race(finish_deferred, area, vfree_atomic, "double free");
    close_world();
}

static void purge_blocks(const void *address)
{
    vmap_blocks_purge(&kernel_vmalloc);
    port_report("purged");
}

/* The last mapping of a block is being unmapped: the block must not be purged under its hands. */
static void a_claimed_piece_keeps_its_block(void **state)
{
    open_world(&(struct vmalloc_world){.memory_pages = 4096, .debug = true});
    race(unmap_seven, vm_map_ram(pages, 7), purge_blocks, "purged");
    assert_int_equal(blocks(), 1);
    close_world();
}

/* An allocation that fails in its last step has an address for a while, but nobody's. */
static void an_unfinished_area_cannot_be_freed(void **state)
{
    open_world(&ordinary);
    fail_arm(FAIL_TABLE, 1, true);
    victim = (void *)(WORLD_BORDER - PAGE_SIZE); /* the second page finds no table */
    other_does = vfree;
    interventions = 0;
    void *warm = in_window(PAGE_SIZE, PAGE_SIZE, WORLD_BORDER - 2 * MIB, WORLD_BORDER, 0);
    assert_null(warm); /* no table at all */
    fail_disarm(FAIL_TABLE);
    warm = in_window(PAGE_SIZE, PAGE_SIZE, WORLD_BORDER - 2 * MIB, WORLD_BORDER, 0);
    assert_non_null(warm);
    vm_unmap_aliases();
    fail_arm(FAIL_TABLE, 1, true);
    host_flush_hook(intervene);
    assert_null(in_window(2 * PAGE_SIZE, PAGE_SIZE, (vaddr_t)victim, kernel_vmalloc.space.end, 0));
    host_flush_hook(NULL);
    fail_disarm(FAIL_TABLE);
    assert_int_equal(interventions, 1);
    expect_report("nonexistent vm area");
    assert_null(world_check());
    vfree(warm);
    close_world();
}

/* ---- the checker is checked --------------------------------------------------------------------- */

static void expect_broken(const char *words)
{
    const char *broken = vmalloc_check();

    if (!broken || !strstr(broken, words))
        fail_msg("wanted \"%s\", got \"%s\"", words, broken ? broken : "nothing");
}

static void planted_damage_is_named(void **state)
{
    struct pt_walk walk;

    open_world(&ordinary);
    u8 *area = vmalloc(3 * PAGE_SIZE), *other = vmalloc(PAGE_SIZE);
    struct vm_struct *vm = find_vm_area(area);
    assert_true(pt_walk(&kernel_pagetable, (vaddr_t)area + PAGE_SIZE, &walk));
    pte_t good = *walk.entry[0];

    *walk.entry[0] = 0;
    expect_broken("P1: page 1 of area");
    *walk.entry[0] = good + PAGE_SIZE; /* somebody else's frame */
    expect_broken("the area says");
    *walk.entry[0] = good;
    u8 page_state = vm->pages[1]->state;
    vm->pages[1]->state = PAGE_FREE_TAIL;
    expect_broken("which is inside a free block");
    vm->pages[1]->state = page_state;
    walk.entry[0][2] = good; /* the guard page */
    expect_broken("the guard page of area");
    walk.entry[0][2] = 0;
    vm->size += PAGE_SIZE;
    expect_broken("belongs to a vm_struct of");
    vm->size -= PAGE_SIZE;
    kernel_vmalloc.nr_pages++;
    expect_broken("the counter says");
    kernel_vmalloc.nr_pages--;
    struct page *mine = vm->pages[1];
    vm->pages[1] = find_vm_area(other)->pages[0];
    expect_broken("the area says");
    vm->pages[1] = mine;
    assert_null(world_check());
    vfree(area);
    vfree(other);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(window_of_exactly_the_size),
        world_test(lowest_again_after_the_purge),
        world_test(shortage_gets_idle_blocks_back),
        world_test(replaced_blocks_die_with_their_last_mapping),
        world_test(an_idle_block_dies_when_it_is_replaced),
        world_test(blocks_are_used_to_the_last_page),
        world_test(blocks_and_processors),
        world_test(dirty_pieces_are_forgotten_on_request),
        world_test(device_memory),
        world_test(failures_leave_no_history),
        world_test(a_deferred_free_knows_who_asked),
        world_test(history_forgets_the_oldest),
        world_test(growth_that_cannot_be_undone_is_the_new_size),
        world_test(growth_that_fails_is_undone),
        world_test(shrinking_without_the_design),
        world_test(areas_without_a_guard),
        world_test(shrinking_a_huge_area),
        world_test(vread_every_subrange),
        world_test(small_questions),
        world_test(areas_remember_who_made_them),
        world_test(failures_are_said_and_counted),
        world_test(exactly_one_cpu_frees),
        world_test(a_deferred_area_is_freed_once),
        world_test(a_claimed_piece_keeps_its_block),
        world_test(an_unfinished_area_cannot_be_freed),
        world_test(planted_damage_is_named),
    };

    return cmocka_run_group_tests_name("vmalloc_cases", tests, NULL, NULL);
}
