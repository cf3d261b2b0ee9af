// SPDX-License-Identifier: MIT
/*
 * Every wrong use of vmalloc's functions: reported in the right words where it is a mistake of the
 * caller, and without any effect at all. "Without effect" is taken literally: physical memory (which
 * holds the page tables and all descriptors), the array of struct page and the instances are the same,
 * bit for bit, before and after.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/string.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/vmalloc_world.h"

#define MEMORY_PAGES 2048u
#define DEVICE 0xfd000000UL

/* ---- everything, bit for bit ------------------------------------------------------------------ */

static u8 memory_copy[MEMORY_PAGES * PAGE_SIZE];
static struct page pages_copy[MEMORY_PAGES];
static struct vmalloc vmalloc_copy;
static struct buddy buddy_copy;
static struct pagetable pagetable_copy;
static u64 objects_copy, translations_copy;

static void add_objects(struct kmem_cache *cache, void *sum)
{
    *(u64 *)sum =
        *(u64 *)sum * 31 + kmem_cache_in_use(cache) + cache->slabs + cache->allocs + cache->frees;
}

static u64 slab_objects(void)
{
    u64 sum = 0;

    kmem_cache_for_each(add_objects, &sum);
    return sum;
}

static void remember_everything(void)
{
    memcpy(memory_copy, phys_to_virt(0), host_memory_size());
    memcpy(pages_copy, pfn_to_page(0), sizeof(pages_copy));
    vmalloc_copy = kernel_vmalloc;
    buddy_copy = kernel_buddy;
    pagetable_copy = kernel_pagetable;
    objects_copy = slab_objects();
    translations_copy = mmu_cached_range(0, ~0UL);
}

static void expect_nothing_changed(const char *what)
{
    const char *changed = memcmp(memory_copy, phys_to_virt(0), host_memory_size()) ? "memory"
                          : memcmp(pages_copy, pfn_to_page(0), sizeof(pages_copy)) ? "page array"
                          : memcmp(&vmalloc_copy, &kernel_vmalloc, sizeof(vmalloc_copy)) ? "vmalloc"
                          : memcmp(&buddy_copy, &kernel_buddy, sizeof(buddy_copy))       ? "buddy"
                          : memcmp(&pagetable_copy, &kernel_pagetable, sizeof(pagetable_copy))
                              ? "page tables"
                          : objects_copy != slab_objects()                 ? "slab caches"
                          : translations_copy != mmu_cached_range(0, ~0UL) ? "TLBs"
                                                                           : NULL;

    if (changed)
        fail_msg("%s: has changed: %s", what, changed);
}

/* ---- the victims ------------------------------------------------------------------------------ */

static struct page *shared[80];
static u8 *area, *huge, *mapped, *put, *device, *small_map, *next_map, *large_map;
static u8 *waiting, *dead, *dead_map;
static struct vm_struct *reserved;
static bool alive;

static void make_victims(bool debug)
{
    struct page **array;

    world_open(&(struct vmalloc_world){.memory_pages = MEMORY_PAGES, .debug = debug});
    assert_int_equal(buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, 80, shared, 0), 80);
    array = kmalloc(3 * sizeof(*array), GFP_KERNEL);
    assert_int_equal(buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, 3, array, 0), 3);
    area = vmalloc(4 * PAGE_SIZE - 100);
    huge = vmalloc_huge(2 * MIB, GFP_KERNEL);
    mapped = vmap(shared, 5, 0, PROT_KERNEL_RW);
    put = vmap(array, 3, VM_MAP_PUT_PAGES, PROT_KERNEL_RW);
    device = ioremap(DEVICE + 0x30, 2 * PAGE_SIZE);
    small_map = vm_map_ram(shared, 4);
    next_map = vm_map_ram(shared, 4); /* its neighbour in the block */
    large_map = vm_map_ram(shared, 80);
    reserved = get_vm_area(6 * PAGE_SIZE, 0);
    waiting = vmalloc(PAGE_SIZE);
    vfree_atomic(waiting);
    dead = vmalloc(123);
    dead_map = vm_map_ram(shared, 70);
    alive = true;
    vfree(NULL); /* finishes nothing: NULL is silent */
    assert_true(kernel_vmalloc.deferred);
}

/* The dead die, and with them the one whose free was waiting. */
static void kill(void)
{
    alive = false;
    vfree(dead);
    vm_unmap_ram(dead_map, 70);
}

static void free_victims(void)
{
    if (alive)
        kill();
    assert_int_equal(vfree_deferred_run(), 0);
    vfree(area);
    vfree(huge);
    vunmap(mapped);
    vfree(put);
    iounmap(device);
    vm_unmap_ram(small_map, 4);
    vm_unmap_ram(next_map, 4);
    vm_unmap_ram(large_map, 80);
    free_vm_area(reserved);
    buddy_free_bulk(&kernel_buddy, shared, 80, 0);
    world_close();
}

/* ---- frees that are refused -------------------------------------------------------------------- */

static const struct misuse {
    const char *words; /* of the report */
    void (*free)(const void *);
    u8 **victim;
    u64 offset;
} frees[] = {
    {"unaligned", vfree, &area, 1},
    {"unaligned", vfree, &area, 8},
    {"not the start of an area; it lies 4096 bytes inside", vfree, &area, PAGE_SIZE},
    {"not the start", vfree, &area, 3 * PAGE_SIZE},
    {"not the start", vfree, &area, 4 * PAGE_SIZE}, /* its guard page */
    {"not the start", vfree, &huge, MIB},
    {"use vfree", vunmap, &area, 0},
    {"use vfree", iounmap, &area, 0},
    {"use vfree", vunmap, &huge, 0},
    {"use vunmap", vfree, &mapped, 0},
    {"use vunmap", vfree_atomic, &mapped, 0},
    {"use vunmap", iounmap, &mapped, 0},
    {"use vunmap", iounmap, &put, 0},
    {"not the start", vunmap, &mapped, PAGE_SIZE},
    {"use iounmap", vfree, &device, -0x30UL},
    {"use iounmap", vunmap, &device, -0x30UL},
    {"unaligned", vunmap, &device, 0},
    {"not the start", iounmap, &device, PAGE_SIZE},
    {"use vm_unmap_ram", vfree, &small_map, 0},
    {"use vm_unmap_ram", vunmap, &large_map, 0},
    {"use vm_unmap_ram", vfree, &large_map, PAGE_SIZE},
    {"double free", vfree_atomic, &waiting, 0},
    {"its free by", vfree_atomic, &waiting, 0},
    {"double free", vunmap, &waiting, 0},
};

static void refused_frees(bool debug)
{
    make_victims(debug);
    for (unsigned i = 0; i < ARRAY_SIZE(frees); i++) {
        const struct misuse *m = &frees[i];

        /* In an interrupt as well: vfree() otherwise finishes the deferred free first. */
        host_set_interrupt(m->free == vfree);
        remember_everything();
        m->free((void *)((vaddr_t)*m->victim + m->offset));
        host_set_interrupt(false);
        expect_report(m->words);
        expect_nothing_changed(m->words);
    }
    free_victims();
}

static void wrong_frees_change_nothing(void **state)
{
    refused_frees(false);
}

static void wrong_frees_change_nothing_with_debug_flushes(void **state)
{
    refused_frees(true);
}

static void nothing_is_nothing(void **state)
{
    make_victims(false);
    remember_everything();
    vfree(NULL);
    vfree_atomic(NULL);
    vunmap(NULL);
    iounmap(NULL);
    kvfree(NULL);
    free_vm_area(NULL);
    expect_nothing_changed("freeing NULL");
    free_victims();
}

static void double_frees_name_both_sides(void **state)
{
    make_victims(false);
    kill(); /* and finishes the deferred free */
    for (unsigned again = 0; again < 3; again++) {
        remember_everything();
        vfree(dead);
        expect_report("double free. Area [");
        assert_non_null(strstr(host_last_report(), "of 123 bytes was allocated by"));
        vfree(waiting);
        expect_report("of 4096 bytes was allocated by");
        vm_unmap_ram(dead_map, 70);
        expect_report("no such mapping is live");
        expect_nothing_changed("a double free");
    }
    vm_unmap_aliases(); /* flushed and free again: the history still knows */
    remember_everything();
    vfree(dead);
    expect_report("double free");
    expect_nothing_changed("a double free after the flush");
    free_victims();
}

static void foreign_addresses(void **state)
{
    static const struct {
        vaddr_t address;
        const char *words;
    } foreign[] = {
        {0x1000, "foreign address, it lies in the region user"},
        {0x900000000000, "foreign address, it lies in no region"}, /* not canonical */
        {LAYOUT_DIRECT_MAP_BASE + 16 * PAGE_SIZE, "the region direct map"},
        {LAYOUT_VMEMMAP_BASE, "the region vmemmap"},
        {KERNEL_BASE + MIB, "the region kernel image"},
        {VMALLOC_END, "foreign address"},
        {VMALLOC_BASE - PAGE_SIZE, "foreign address"},
        {~0UL, "foreign address"},
        {VMALLOC_END - PAGE_SIZE, "nonexistent vm area"},
        {VMALLOC_BASE, "nonexistent vm area"},
        {WORLD_BORDER + 20 * MIB, "nonexistent vm area"},
    };
    u64 on_stack = 0;

    make_victims(false);
    kill(); /* so that no deferred free is finished on the way */
    remember_everything();
    for (unsigned i = 0; i < ARRAY_SIZE(foreign); i++) {
        const void *address = (const void *)foreign[i].address;

        vfree(address);
        expect_report(foreign[i].words);
        vunmap(address);
        expect_report(foreign[i].words);
        if (foreign[i].address != ~0UL) /* rounded down it is the last page: foreign as well */
            iounmap(address);
        else
            vfree(address);
        expect_report(foreign[i].words);
        vm_unmap_ram(address, 1);
        expect_report("no such mapping");
    }
    vfree(&on_stack);
    expect_report("foreign address");
    expect_nothing_changed("foreign addresses");
    free_victims();
}

static void vm_unmap_ram_wants_exactly_what_was_mapped(void **state)
{
    static const u64 wrong_counts[] = {0, 1, 3, 5, 8, 64, 65, 1024, 1UL << 52, (1UL << 52) + 4};

    make_victims(false);
    remember_everything();
    for (unsigned i = 0; i < ARRAY_SIZE(wrong_counts); i++) {
        vm_unmap_ram(small_map, wrong_counts[i]);
        expect_report("no such mapping");
        vm_unmap_ram(large_map, wrong_counts[i]);
        expect_report("no such mapping");
        vm_unmap_ram(area, wrong_counts[i]);
        expect_report("no such mapping");
    }
    vm_unmap_ram(small_map + PAGE_SIZE, 3);
    expect_report("no such mapping");
    vm_unmap_ram(small_map + 1, 4);
    expect_report("no such mapping");
    vm_unmap_ram(large_map + PAGE_SIZE, 79);
    expect_report("no such mapping");
    vm_unmap_ram(large_map, (1UL << 52) + 80); /* the same number of bytes, modulo 2^64 */
    expect_report("no such mapping");
    vm_unmap_ram(next_map + 4 * PAGE_SIZE, 1); /* never given out */
    expect_report("no such mapping");
    expect_nothing_changed("wrong counts");
    free_victims();
}

/* ---- calls that cannot work -------------------------------------------------------------------- */

static void *ranged(u64 size, u64 align, vaddr_t lo, vaddr_t hi, u32 flags)
{
    return __vmalloc_node_range(size, align, lo, hi, __GFP_NOWARN, PROT_KERNEL_RW, flags, 0);
}

static void expect_refused(void *result, const char *what, u64 value)
{
    if (result)
        fail_msg("%s %#lx gives %p", what, value, result);
    kernel_vmalloc.counters.failures = vmalloc_copy.counters.failures;
    expect_nothing_changed(what);
}

static void impossible_requests_change_nothing(void **state)
{
    const u64 sizes[] = {0,
                         ~0UL,
                         ~0UL - 4094,
                         ~0UL - 4095,
                         1UL << 63,
                         1UL << 47,
                         VMALLOC_SIZE,
                         VMALLOC_SIZE + 1,
                         (MEMORY_PAGES + 1) * PAGE_SIZE};
    const u64 aligns[] = {0, 3, 4097, 12288, ~0UL, (1UL << 63) + 1};
    vaddr_t lo, hi;

    make_victims(false);
    lo = kernel_vmalloc.space.start;
    hi = kernel_vmalloc.space.end;
    remember_everything();
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        expect_refused(ranged(sizes[i], PAGE_SIZE, lo, hi, 0), "size", sizes[i]);
        expect_refused(ranged(sizes[i], PAGE_SIZE, lo, hi, VM_ALLOW_HUGE), "huge", sizes[i]);
        expect_refused(vmalloc(sizes[i]), "vmalloc", sizes[i]);
        expect_refused(vrealloc(NULL, sizes[i], __GFP_NOWARN), "vrealloc", sizes[i]);
        if (sizes[i])
            expect_refused(vrealloc(area, sizes[i], __GFP_NOWARN), "vrealloc", sizes[i]);
        if (sizes[i] == 0 || sizes[i] >> 52)
            expect_refused(ioremap(DEVICE, sizes[i]), "ioremap", sizes[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(aligns); i++) {
        expect_refused(ranged(PAGE_SIZE, aligns[i], lo, hi, 0), "align", aligns[i]);
        expect_refused(ranged(2 * MIB, aligns[i], lo, hi, VM_ALLOW_HUGE), "align", aligns[i]);
    }
    expect_refused(kvmalloc(0, 0), "kvmalloc", 0);
    expect_refused(kvmalloc(1UL << 31, 0), "kvmalloc", 1UL << 31);
    expect_refused(get_vm_area(0, 0), "get_vm_area", 0);
    expect_refused(get_vm_area(~0UL, 0), "get_vm_area", ~0UL);
    expect_refused(get_vm_area(-PAGE_SIZE, 0), "get_vm_area", -PAGE_SIZE); /* the guard wraps */
    free_victims();
}

static void impossible_maps_change_nothing(void **state)
{
    struct page *hole[3] = {NULL, NULL, NULL};

    make_victims(false);
    hole[0] = hole[2] = shared[0];
    remember_everything();
    expect_refused(vmap(NULL, 5, 0, PROT_KERNEL_RW), "vmap", 0);
    expect_refused(vmap(shared, 0, 0, PROT_KERNEL_RW), "vmap", 0);
    expect_refused(vmap(shared, ~0UL, 0, PROT_KERNEL_RW), "vmap", ~0UL);
    expect_refused(vmap(hole, 3, 0, PROT_KERNEL_RW), "vmap with a hole", 1);
    expect_refused(vm_map_ram(NULL, 5), "vm_map_ram", 0);
    expect_refused(vm_map_ram(shared, 0), "vm_map_ram", 0);
    expect_refused(vm_map_ram(shared, ~0UL), "vm_map_ram", ~0UL);
    expect_refused(ioremap(~0UL - 10, 100), "ioremap that wraps", 0);
    expect_refused(ioremap(1UL << 60, 4096), "ioremap beyond the CPU", 0);
    expect_refused(ioremap(page_to_phys(shared[0]), 16), "ioremap of RAM", 0);
    expect_refused(ioremap_cache(page_to_phys(shared[3]) - 1, 2), "ioremap of RAM", 0);
    expect_refused(ioremap_wc(0, 1UL << 40), "ioremap over all RAM", 0);
    free_victims();
}

/* vm_map_ram() finds the hole while it maps: everything is undone, but the piece is used up. */
static void vm_map_ram_with_a_hole(void **state)
{
    struct page *hole[80];
    struct world_counts before, after;

    make_victims(false);
    memcpy(hole, shared, sizeof(hole));
    hole[2] = NULL;
    kill();
    before = world_quiet_counts();
    assert_null(vm_map_ram(hole, 3));
    assert_null(vm_map_ram(hole, 80));
    after = world_quiet_counts();
    assert_null(world_difference(&before, &after));
    free_victims();
}

static void vrealloc_misuse(void **state)
{
    make_victims(false);
    remember_everything();
    assert_null(vrealloc(area + PAGE_SIZE, 100, 0));
    expect_report("not the start of a vmalloc area");
    assert_null(vrealloc(mapped, 100, 0));
    expect_report("not the start");
    assert_null(vrealloc(small_map, 100, 0));
    expect_report("not the start");
    assert_null(vrealloc(waiting, 100, 0)); /* its free has been asked for */
    expect_report("not the start");
    assert_null(vrealloc((void *)0x1000, 100, 0));
    expect_report("not the start");
    expect_nothing_changed("vrealloc");
    free_victims();
}

/* ---- calls from where they must not come ------------------------------------------------------- */

static void vmalloc_where_it_must_not_sleep(void **state)
{
    u64 flags;

    make_victims(false);
    remember_everything();
    host_set_interrupt(true);
    assert_null(vmalloc(PAGE_SIZE));
    host_set_interrupt(false);
    expect_report("in an interrupt: it may sleep");
    expect_nothing_changed("vmalloc in an interrupt");
    flags = spin_lock_irqsave(&kernel_vmalloc.space.lock); /* bug 11: metadata from vmalloc */
    assert_null(vmalloc(PAGE_SIZE));
    spin_unlock_irqrestore(&kernel_vmalloc.space.lock, flags);
    expect_report("from inside its own lock");
    expect_nothing_changed("vmalloc inside its own lock");
    free_victims();
}

/* Bug 31: the dump only tries the lock. */
static void dump_never_blocks(void **state)
{
    char text[120] = "untouched";
    u64 flags;

    make_victims(false);
    remember_everything();
    assert_true(vmalloc_dump_obj(area + 5000, text, sizeof(text)));
    assert_non_null(strstr(text, "4-page vmalloc region starting at 0xffffc9"));
    for (u32 cpu = 0; cpu < 2; cpu++) { /* held by this CPU, and by another one */
        host_set_cpu(cpu);
        flags = spin_lock_irqsave(&kernel_vmalloc.space.lock);
        host_set_cpu(0);
        assert_false(vmalloc_dump_obj(area, text, sizeof(text)));
        host_set_cpu(cpu);
        spin_unlock_irqrestore(&kernel_vmalloc.space.lock, flags);
        host_set_cpu(0);
    }
    assert_false(vmalloc_dump_obj(small_map, text, sizeof(text)));
    assert_false(vmalloc_dump_obj(&text, text, sizeof(text)));
    assert_false(vmalloc_dump_obj((void *)(WORLD_BORDER + 20 * MIB), text, sizeof(text)));
    expect_nothing_changed("a dump");
    free_victims();
}

/* Bug 12: asked before it is up, the layer knows of no area, and frees none. */
static void before_the_beginning(void **state)
{
    char text[80];

    assert_null(find_vm_area((void *)VMALLOC_BASE));
    assert_true(is_vmalloc_addr((void *)VMALLOC_BASE));
    assert_false(vmalloc_dump_obj((void *)VMALLOC_BASE, text, sizeof(text)));
    assert_int_equal(vfree_deferred_run(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(before_the_beginning),
        world_test(nothing_is_nothing),
        world_test(wrong_frees_change_nothing),
        world_test(wrong_frees_change_nothing_with_debug_flushes),
        world_test(double_frees_name_both_sides),
        world_test(foreign_addresses),
        world_test(vm_unmap_ram_wants_exactly_what_was_mapped),
        world_test(impossible_requests_change_nothing),
        world_test(impossible_maps_change_nothing),
        world_test(vm_map_ram_with_a_hole),
        world_test(vrealloc_misuse),
        world_test(vmalloc_where_it_must_not_sleep),
        world_test(dump_never_blocks),
    };

    return cmocka_run_group_tests_name("vmalloc_misuse", tests, NULL, NULL);
}
