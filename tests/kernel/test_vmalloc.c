// SPDX-License-Identifier: MIT
/*
 * vmalloc's public API, call by call, on the kernel's own instance: what each promises, every misuse
 * that must be refused, and the bug catalogue's lines on lazy freeing, readers and resizing. Failure
 * injection is in test_vmalloc_oom.c, faults in test_fault.c. The runner compares page, area, table
 * and slab counts after each test, so a leak anywhere here fails the test that leaked.
 */
#include "kernel/ktest.h"
#include "kernel/time.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/rng.h"
#include "lib/string.h"
#include "mm/start.h"
#include "mm/vmalloc_internal.h"

#define MAX_AREAS 256

static void *vmalloc_aligned(u64 size, u64 align, vaddr_t lo, vaddr_t hi)
{
    return __vmalloc_node_range(size, align, lo, hi, GFP_KERNEL | __GFP_NOWARN, PROT_KERNEL_RW, 0,
                                CALLER());
}

/* Write a different number to every page, then read each back through the direct map. */
static const char *check_every_page(void *area, u64 pages, u64 tag)
{
    for (u64 i = 0; i < pages; i++)
        *(volatile u64 *)((u8 *)area + i * PAGE_SIZE) = tag + i;
    for (u64 i = 0; i < pages; i++) {
        struct page *page = vmalloc_to_page((u8 *)area + i * PAGE_SIZE);
        KEXPECT(page, "page %lu of %p has no frame", i, area);
        KEXPECT(*(u64 *)page_address(page) == tag + i, "page %lu of %p shares its frame", i, area);
    }
    return NULL;
}

KTEST(vmalloc, one_to_seventeen_pages)
{
    for (u64 pages = 1; pages <= 17; pages++) {
        u64 size = pages * PAGE_SIZE - 100;
        u8 *area = vmalloc(size);
        KEXPECT(area, "vmalloc(%lu) failed", size);
        KEXPECT(is_vmalloc_addr(area) && is_aligned((vaddr_t)area, PAGE_SIZE), "%p", (void *)area);
        const char *wrong = check_every_page(area, pages, pages << 32);
        if (wrong)
            return wrong;
        struct vm_struct *vm = find_vm_area(area + size - 1);
        KEXPECT(vm && vm->addr == (vaddr_t)area, "find_vm_area misses the last byte");
        KEXPECT(vm->nr_pages == pages && vm->requested_size == size, "%lu pages, %lu bytes",
                vm->nr_pages, vm->requested_size);
        KEXPECT(!vmalloc_to_page(area + pages * PAGE_SIZE), "the guard page is mapped");
        vfree(area);
        KEXPECT(!find_vm_area(area), "still found after vfree");
        KEXPECT(!vmalloc_to_page(area), "still mapped after vfree");
    }
    return vmalloc_check();
}

KTEST(vmalloc, mapping_is_rw_nx_global)
{
    struct pt_walk walk;
    void *area = vmalloc(PAGE_SIZE);
    KEXPECT(area && pt_walk(&kernel_pagetable, (vaddr_t)area, &walk), "no mapping");
    KEXPECT(walk.writable && !walk.executable && !walk.user, "w %d x %d u %d", walk.writable,
            walk.executable, walk.user);
    vfree(area);
    return NULL;
}

KTEST(vmalloc, sizes_that_cannot_be)
{
    const u64 sizes[] = {
        0,         UINT64_MAX,   UINT64_MAX - 4094, 1UL << 63,
        1UL << 47, VMALLOC_SIZE, VMALLOC_SIZE + 1,  boot_memmap.usable_bytes + PAGE_SIZE};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        void *area = vmalloc_aligned(sizes[i], PAGE_SIZE, VMALLOC_BASE, VMALLOC_END);
        KEXPECT(!area, "size %#lx gave %p", sizes[i], area);
    }
    KEXPECT(!vmalloc(0) && !vzalloc(0) && !vmalloc_user(0), "size 0 gave memory");
    return NULL;
}

KTEST(vmalloc, alignments)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        u64 align = 1UL << shift;
        void *area = vmalloc_aligned(PAGE_SIZE, align, VMALLOC_BASE, VMALLOC_END);
        KEXPECT(!area || is_aligned((vaddr_t)area, align), "%p not aligned to %#lx", area, align);
        KEXPECT(area || shift > 40, "align %#lx refused", align);
        vfree(area);
    }
    const u64 bad[] = {0, 3, 4097, 12288, UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        KEXPECT(!vmalloc_aligned(PAGE_SIZE, bad[i], VMALLOC_BASE, VMALLOC_END), "align %#lx taken",
                bad[i]);
    return NULL;
}

/* Bug 1: a 2 MiB-aligned request in a window of exactly its size (guard included) must fit. */
KTEST(vmalloc, window_of_exactly_the_size)
{
    vaddr_t lo = VMALLOC_BASE + 64 * GIB;
    u64 size = 2 * MIB;
    void *area = vmalloc_aligned(size, 2 * MIB, lo, lo + size + PAGE_SIZE);
    KEXPECT((vaddr_t)area == lo, "%p instead of %#lx", area, lo);
    KEXPECT(!vmalloc_aligned(PAGE_SIZE, PAGE_SIZE, lo, lo + size + PAGE_SIZE), "window is full");
    vfree(area);
    KEXPECT(!vmalloc_aligned(PAGE_SIZE, PAGE_SIZE, lo + size, lo), "lo > hi taken");
    KEXPECT(!vmalloc_aligned(PAGE_SIZE, PAGE_SIZE, lo, lo), "empty window taken");
    KEXPECT(!vmalloc_aligned(PAGE_SIZE, PAGE_SIZE, 0, PAGE_SIZE * 16), "window outside taken");
    return NULL;
}

KTEST(vmalloc, zeroed)
{
    u8 *dirty = vmalloc(32 * PAGE_SIZE);
    KEXPECT(dirty, "no memory");
    memset(dirty, 0xa5, 32 * PAGE_SIZE);
    vfree(dirty);
    u8 *clean = vzalloc(32 * PAGE_SIZE);
    KEXPECT(clean, "no memory");
    const u8 *odd = memory_not_equal(clean, 0, 32 * PAGE_SIZE);
    KEXPECT(!odd, "byte %#x at +%lu", *odd, (u64)(odd - clean));
    vfree(clean);
    u8 *user = vmalloc_user(PAGE_SIZE);
    KEXPECT(user && find_vm_area(user)->flags & VM_USERMAP, "vmalloc_user without VM_USERMAP");
    KEXPECT(!memory_not_equal(user, 0, PAGE_SIZE), "vmalloc_user not zeroed");
    vfree(user);
    return NULL;
}

KTEST(vmalloc, huge_pages)
{
    u64 size = 4 * MIB + 5;
    if (buddy_free_pages(&kernel_buddy) < 4 * size / PAGE_SIZE)
        return ktest_skip("needs %lu MiB free", 4 * size / MIB);
    u8 *area = vmalloc_huge(size, GFP_KERNEL);
    KEXPECT(area, "no memory");
    struct pt_walk walk;
    pt_walk(&kernel_pagetable, (vaddr_t)area, &walk);
    KEXPECT(walk.leaf_shift == 21 || find_vm_area(area)->page_order == 0, "leaf shift %u",
            walk.leaf_shift);
    const char *wrong = check_every_page(area, size / PAGE_SIZE + 1, 77);
    /* Bug 22: sub-pages of a 2 MiB block are independent pages, not one compound one. */
    for (u64 i = 0; i < size / PAGE_SIZE; i++)
        if (vmalloc_to_page(area + i * PAGE_SIZE)->order != 0)
            wrong = "a sub-page is not a page of its own";
    vfree(area);
    if (wrong)
        return wrong;
    u8 *small = vmalloc_huge(PAGE_SIZE, GFP_KERNEL);
    KEXPECT(small && find_vm_area(small)->page_order == 0, "one page as a 2 MiB leaf");
    vfree(small);
    return NULL;
}

KTEST(vmalloc, vmap_and_vunmap)
{
    struct page *pages[5];
    KEXPECT(alloc_pages_bulk(GFP_KERNEL, 5, pages) == 5, "no memory");
    u8 *area = vmap(pages, 5, 0, PROT_KERNEL_RW);
    KEXPECT(area, "vmap failed");
    for (int i = 0; i < 5; i++)
        KEXPECT(vmalloc_to_page(area + i * PAGE_SIZE) == pages[i], "page %d is another one", i);
    vunmap(area);
    KEXPECT(pages[0]->state == PAGE_USED, "vunmap freed the pages");
    KEXPECT(!vmap(NULL, 5, 0, PROT_KERNEL_RW) && !vmap(pages, 0, 0, PROT_KERNEL_RW), "bad vmap");
    struct page *hole[2] = {pages[0], NULL};
    KEXPECT(!vmap(hole, 2, 0, PROT_KERNEL_RW), "NULL in the array taken");
    struct page *twice[2] = {pages[0], pages[0]};
    volatile u64 *alias = vmap(twice, 2, 0, PROT_KERNEL_RW);
    KEXPECT(alias, "one frame twice is allowed");
    alias[0] = 42;
    KEXPECT(alias[PAGE_SIZE / sizeof(u64)] == 42, "the alias does not show the write");
    vunmap((void *)alias);
    for (int i = 0; i < 5; i++)
        free_pages(pages[i], 0);
    return NULL;
}

KTEST(vmalloc, vmap_put_pages)
{
    struct page **pages = kmalloc(3 * sizeof(*pages), GFP_KERNEL);
    KEXPECT(pages && alloc_pages_bulk(GFP_KERNEL, 3, pages) == 3, "no memory");
    void *area = vmap(pages, 3, VM_MAP_PUT_PAGES, PROT_KERNEL_RW);
    KEXPECT(area, "vmap failed");
    vfree(area); /* frees pages and array; the runner counts */
    return NULL;
}

KTEST(vmalloc, vm_map_ram_small_and_large)
{
    struct page *pages[80];
    KEXPECT(alloc_pages_bulk(GFP_KERNEL, 80, pages) == 80, "no memory");
    for (u64 count = 1; count <= 80; count += 13) {
        u8 *map = vm_map_ram(pages, count);
        KEXPECT(map, "vm_map_ram(%lu)", count);
        for (u64 i = 0; i < count; i++)
            KEXPECT(vmalloc_to_page(map + i * PAGE_SIZE) == pages[i], "page %lu of %lu", i, count);
        KEXPECT(!find_vm_area(map), "vm_map_ram shows as a vm_struct");
        vm_unmap_ram(map, count);
        KEXPECT(!vmalloc_to_page(map), "still mapped");
    }
    for (int i = 0; i < 80; i++)
        free_pages(pages[i], 0);
    return vmalloc_check();
}

/* Bugs 14, 17: blocks used up by short maps must come back although a long-lived one pins some. */
KTEST(vmalloc, vm_map_ram_blocks_come_back)
{
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    KEXPECT(page, "no memory");
    void *pinned = vm_map_ram(&page, 1);
    u64 before = vmalloc_used_bytes();
    for (int i = 0; i < 5 * (int)VMAP_BLOCK_PAGES; i++) {
        void *map = vm_map_ram(&page, 1);
        KEXPECT(map, "round %d", i);
        vm_unmap_ram(map, 1);
    }
    vm_unmap_aliases();
    KEXPECT(vmalloc_used_bytes() <= before, "%lu bytes of address space, before %lu",
            vmalloc_used_bytes(), before);
    vm_unmap_ram(pinned, 1);
    free_pages(page, 0);
    return NULL;
}

KTEST(vmalloc, vm_unmap_ram_misuse)
{
    struct page *pages[4];
    KEXPECT(alloc_pages_bulk(GFP_KERNEL, 4, pages) == 4, "no memory");
    u8 *map = vm_map_ram(pages, 4);
    KEXPECT(map, "no map");
    ktest_expect_reports(5);
    vm_unmap_ram(map + 1, 4);
    vm_unmap_ram(map, 64);
    vm_unmap_ram(map, 0);
    vm_unmap_ram((void *)pages, 4);
    KEXPECT(vmalloc_to_page(map), "a refused unmap unmapped");
    vm_unmap_ram(map, 4);
    vm_unmap_ram(map, 4);
    for (int i = 0; i < 4; i++)
        free_pages(pages[i], 0);
    return NULL;
}

KTEST(vmalloc, ioremap_device_memory)
{
    const paddr_t lapic = 0xfee00000;
    struct pt_walk walk;
    u8 *registers = ioremap(lapic + 0x30, 4);
    KEXPECT(registers, "ioremap failed");
    KEXPECT(((vaddr_t)registers & (PAGE_SIZE - 1)) == 0x30, "offset lost: %p", (void *)registers);
    KEXPECT(pt_walk(&kernel_pagetable, (vaddr_t)registers, &walk) && walk.physical == lapic + 0x30,
            "maps %#lx", walk.physical);
    KEXPECT(walk.value[0] & PTE_PCD && !walk.executable, "cached or executable");
    iounmap(registers);
    KEXPECT(!pt_walk(&kernel_pagetable, (vaddr_t)registers, &walk), "still mapped");
    KEXPECT(!ioremap(lapic, 0) && !ioremap(UINT64_MAX - 10, 100) && !ioremap(1UL << 60, 4096),
            "impossible range taken");
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    KEXPECT(page && !ioremap(page_to_phys(page), 16), "RAM of the buddy taken");
    free_pages(page, 0);
    return NULL;
}

/* Bug 32: shrink, dirty, grow with the zero flag; content survives; pages go back. */
KTEST(vmalloc, vrealloc_in_place_and_moved)
{
    u8 *area = vrealloc(NULL, 4 * PAGE_SIZE, GFP_KERNEL);
    KEXPECT(area, "no memory");
    memset(area, 'a', 4 * PAGE_SIZE);
    u64 owned = vmalloc_nr_pages();
    KEXPECT(vrealloc(area, 100, GFP_KERNEL) == area, "shrinking moved");
    KEXPECT(vmalloc_nr_pages() == owned - 3, "%lu pages, before %lu", vmalloc_nr_pages(), owned);
    KEXPECT(!vmalloc_to_page(area + PAGE_SIZE), "tail still mapped");
    u8 *grown = vrealloc(area, 3 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
    KEXPECT(grown, "growing failed");
    KEXPECT(!memory_not_equal(grown, 'a', 100), "content lost");
    const u8 *odd = memory_not_equal(grown + 100, 0, 3 * PAGE_SIZE - 100);
    KEXPECT(!odd, "byte %#x at +%lu is not zero", *odd, (u64)(odd - grown));
    void *neighbour = vmalloc(PAGE_SIZE);
    u8 *moved = vrealloc(grown, 64 * PAGE_SIZE, GFP_KERNEL);
    KEXPECT(moved && !memory_not_equal(moved, 'a', 100), "content lost in the move");
    KEXPECT(!vrealloc(moved, UINT64_MAX, GFP_KERNEL), "impossible size taken");
    KEXPECT(moved[0] == 'a', "a failed vrealloc touched the area");
    KEXPECT(!vrealloc(moved, 0, GFP_KERNEL), "size 0 is a free");
    vfree(neighbour);
    return vmalloc_check();
}

/* Bug 28: reading any sub-range gives what memcpy gives; holes and guards read as zero. */
KTEST(vmalloc, vread_every_subrange)
{
    static u8 out[6 * PAGE_SIZE];
    u8 *area = vmalloc(3 * PAGE_SIZE);
    KEXPECT(area, "no memory");
    for (u64 i = 0; i < 3 * PAGE_SIZE; i++)
        area[i] = (u8)(i * 7 + i / PAGE_SIZE);
    for (u64 from = 0; from < 3 * PAGE_SIZE; from += 509)
        for (u64 length = 1; from + length <= 3 * PAGE_SIZE; length += 1021) {
            KEXPECT(vread(out, area + from, length) == length, "short at %lu+%lu", from, length);
            KEXPECT(memcmp(out, area + from, length) == 0, "differs at %lu+%lu", from, length);
        }
    memset(out, 0xff, sizeof(out));
    KEXPECT(vread(out, area + 2 * PAGE_SIZE, 2 * PAGE_SIZE) >= PAGE_SIZE, "page before the guard");
    KEXPECT(!memory_not_equal(out + PAGE_SIZE, 0, PAGE_SIZE), "the guard page does not read as 0");
    vfree(area);
    return NULL;
}

/* Bug 31: the dump only tries the lock; inside it the answer is "no", never a deadlock. */
KTEST(vmalloc, dump_object_never_blocks)
{
    char text[160];
    void *area = vmalloc(3 * PAGE_SIZE);
    KEXPECT(vmalloc_dump_obj(area, text, sizeof(text)) && strstr(text, "3-page vmalloc region"),
            "no sentence");
    u64 flags = spin_lock_irqsave(&kernel_vmalloc.space.lock);
    bool answered = vmalloc_dump_obj(area, text, sizeof(text));
    spin_unlock_irqrestore(&kernel_vmalloc.space.lock, flags);
    KEXPECT(!answered, "took a lock that was held");
    vfree(area);
    KEXPECT(!vmalloc_dump_obj(area, text, sizeof(text)), "describes a freed area");
    return NULL;
}

KTEST(vmalloc, kvmalloc_both_ways)
{
    void *small = kvmalloc(100, GFP_KERNEL);
    KEXPECT(small && !is_vmalloc_addr(small), "100 bytes came from vmalloc");
    kvfree(small);
    void *large = kvmalloc(5 * MIB, GFP_KERNEL);
    KEXPECT(!large || is_vmalloc_addr(large), "5 MiB did not come from vmalloc");
    kvfree(large);
    KEXPECT(!kvmalloc(0, GFP_KERNEL) && !kvmalloc(1UL << 31, GFP_KERNEL), "cap");
    kvfree(NULL);
    return NULL;
}

KTEST(vmalloc, misuse_of_vfree_is_refused)
{
    u8 *area = vmalloc(4 * PAGE_SIZE);
    u64 on_stack;
    KEXPECT(area, "no memory");
    struct vmap_stats before = vmap_space_stats(&kernel_vmalloc.space);
    ktest_expect_reports(9);
    vfree(NULL); /* silent */
    vfree(area + 1);
    vfree(area + PAGE_SIZE);
    vfree(area + 4 * PAGE_SIZE); /* its guard page */
    vfree(&on_stack);
    vfree((void *)0x1000);
    vfree((void *)(VMALLOC_END - PAGE_SIZE));
    vfree((void *)0x0000900000000000); /* non-canonical */
    vunmap(area);
    struct vmap_stats after = vmap_space_stats(&kernel_vmalloc.space);
    KEXPECT(before.busy_bytes == after.busy_bytes && find_vm_area(area), "a refused free freed");
    vfree(area);
    vfree(area);
    return vmalloc_check();
}

/* Bug 3 and P3: freed addresses are not reused before a flush, and are the lowest again after it. */
KTEST(vmalloc, lazy_ranges_wait_for_the_flush)
{
    struct flush_queue *queue = &kernel_vmalloc.flush;
    if (queue->policy != FLUSH_LAZY)
        return ktest_skip("vmap.flush=eager");
    u8 *first = vmalloc(PAGE_SIZE);
    vfree(first);
    KEXPECT(queue->lazy_pages >= 2, "%lu lazy pages", queue->lazy_pages);
    u8 *second = vmalloc(PAGE_SIZE);
    KEXPECT(second != first, "reused before the flush");
    vfree(second);
    struct tlb_stats before = port_tlb_stats();
    vm_unmap_aliases();
    struct tlb_stats after = port_tlb_stats();
    KEXPECT(queue->lazy_pages == 0, "%lu lazy pages after the purge", queue->lazy_pages);
    KEXPECT(after.range_flushes + after.full_flushes > before.range_flushes + before.full_flushes,
            "no flush");
    u8 *third = vmalloc(PAGE_SIZE);
    KEXPECT(third == first || !(kernel_vmalloc.space.design->caps & VMAP_CAP_LOWEST_FIT),
            "%p is not the lowest", (void *)third);
    vfree(third);
    return NULL;
}

/* Bug 13: a producer at full speed never lets more than about one threshold wait. */
KTEST(vmalloc, lazy_pages_stay_bounded)
{
    struct flush_queue *queue = &kernel_vmalloc.flush;
    u64 threshold = queue->threshold;
    queue->threshold = 64;
    u64 peak = 0;
    for (int i = 0; i < 500; i++) {
        vfree(vmalloc(3 * PAGE_SIZE));
        peak = max_u64(peak, queue->lazy_pages);
    }
    queue->threshold = threshold;
    KEXPECT(peak <= 64 + 4, "%lu lazy pages with a threshold of 64", peak);
    return NULL;
}

struct interrupt_free {
    void *area;
    volatile bool done;
};

static void free_in_interrupt(void *arg)
{
    struct interrupt_free *work = arg;
    vfree(work->area);
    work->done = true;
}

/* Bug 27: vfree in an interrupt is deferred, and a second free of the same area is reported. */
KTEST(vmalloc, vfree_in_an_interrupt_is_deferred)
{
    struct interrupt_free work = {.area = vmalloc(2 * PAGE_SIZE)};
    int err = timer_once(100000, free_in_interrupt, &work);
    if (err) {
        vfree(work.area);
        return ktest_skip("no timer");
    }
    for (int i = 0; i < 1000 && !work.done; i++)
        delay_us(1000);
    KEXPECT(work.done, "the timer never fired");
    KEXPECT(find_vm_area(work.area), "freed inside the interrupt");
    ktest_expect_reports(1);
    vfree_atomic(work.area);
    KEXPECT(vfree_deferred_run() == 1, "not deferred");
    KEXPECT(!find_vm_area(work.area), "still there");
    return NULL;
}

KTEST(vmalloc, reserve_without_pages)
{
    struct vm_struct *vm = get_vm_area(7 * PAGE_SIZE, VM_MAP);
    KEXPECT(vm && get_vm_area_size(vm) == 7 * PAGE_SIZE, "no reservation");
    KEXPECT(!vmalloc_to_page((void *)vm->addr), "something is mapped");
    free_vm_area(vm);
    return NULL;
}

/* Bug 11: whoever holds the address-space lock (or runs inside it) must not call vmalloc. */
KTEST(vmalloc, no_recursion_from_inside_the_lock)
{
    ktest_expect_reports(1);
    u64 flags = spin_lock_irqsave(&kernel_vmalloc.space.lock);
    void *area = vmalloc(PAGE_SIZE);
    spin_unlock_irqrestore(&kernel_vmalloc.space.lock, flags);
    KEXPECT(!area, "vmalloc worked inside its own lock");
    return NULL;
}

/* Bug 12: asked before it is up, the layer knows of no area. */
KTEST(vmalloc, find_before_init)
{
    struct vmalloc *unborn = kzalloc(sizeof(*unborn), GFP_KERNEL);
    KEXPECT(unborn, "no memory");
    KEXPECT(!vm_find(unborn, VMALLOC_BASE), "an area in a layer that is not up");
    kfree(unborn);
    return NULL;
}

/* Bug 24: every top-level entry exists since boot, so no address space ever needs a copy of a new one. */
KTEST(vmalloc, top_level_entries_never_change)
{
    const pte_t *root = phys_to_virt(kernel_pagetable.root);
    static pte_t before[PT_ENTRIES / 2];
    memcpy(before, root + PT_ENTRIES / 2, sizeof(before));
    for (u64 at = 0; at < VMALLOC_SIZE; at += 512 * GIB) {
        vaddr_t lo = VMALLOC_BASE + at;
        void *area = vmalloc_aligned(PAGE_SIZE, PAGE_SIZE, lo, lo + 512 * GIB);
        KEXPECT(area, "no area in the slot at %#lx", lo);
        vfree(area);
    }
    for (unsigned i = 0; i < PT_ENTRIES / 2; i++)
        KEXPECT((before[i] | PTE_A) == (root[PT_ENTRIES / 2 + i] | PTE_A), "PGD[%u] changed",
                PT_ENTRIES / 2 + i);
    return NULL;
}

static bool sum_area(void *ctx, const struct vmap_area *area)
{
    *(u64 *)ctx += vmap_area_size(area);
    return true;
}

/* Bugs 29, 30: the sizes of all areas add up to the counter, lazy ones and those without a vm too. */
KTEST(vmalloc, sizes_add_up)
{
    void *areas[20];
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(areas); i++)
        areas[i] = vmalloc((i + 1) * PAGE_SIZE);
    void *map = vm_map_ram(&page, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(areas); i += 2)
        vfree(areas[i]);
    u64 sum = 0;
    vmap_space_for_each(&kernel_vmalloc.space, VMAP_BUSY, sum_area, &sum);
    u64 used = vmalloc_used_bytes();
    for (unsigned i = 1; i < ARRAY_SIZE(areas); i += 2)
        vfree(areas[i]);
    vm_unmap_ram(map, 1);
    free_pages(page, 0);
    KEXPECT(sum == used, "areas add up to %lu bytes, the counter says %lu", sum, used);
    return NULL;
}

struct live_area {
    u8 *at;
    u64 pages, tag;
};

static bool area_is_intact(const struct live_area *area)
{
    for (u64 i = 0; i < area->pages; i++)
        if (*(u64 *)(area->at + i * PAGE_SIZE) != area->tag + i)
            return false;
    return true;
}

/* Random life: every page tagged by its owner; nobody else may ever write it. Check level 3. */
KTEST(vmalloc, random_life_with_owner_tags)
{
    static struct live_area live[MAX_AREAS];
    struct rng rng;
    u64 seed = ktest_seed();
    rng_seed(&rng, seed);
    ktest_note("seed %lu", seed);
    enum vmap_check_level level = kernel_vmalloc.space.check_level;
    KEXPECT(vmap_space_set_check(&kernel_vmalloc.space, VMAP_CHECK_MODEL) == 0, "no oracle");
    u64 budget = buddy_free_pages(&kernel_buddy) / 4;
    const char *wrong = NULL;
    for (u64 step = 0; step < 1500 && !wrong; step++) {
        struct live_area *area = &live[rng_below(&rng, MAX_AREAS)];
        if (area->at) {
            if (!area_is_intact(area))
                wrong = "an area was overwritten";
            vfree(area->at);
            budget += area->pages;
            area->at = NULL;
            continue;
        }
        area->pages = 1 + rng_below(&rng, 8);
        if (area->pages > budget)
            continue;
        u64 align = PAGE_SIZE << rng_below(&rng, 6);
        area->at = vmalloc_aligned(area->pages * PAGE_SIZE, align, VMALLOC_BASE, VMALLOC_END);
        KEXPECT(area->at, "step %lu: no memory", step);
        budget -= area->pages;
        area->tag = step << 16;
        for (u64 i = 0; i < area->pages; i++)
            *(u64 *)(area->at + i * PAGE_SIZE) = area->tag + i;
    }
    for (unsigned i = 0; i < MAX_AREAS; i++) {
        if (live[i].at && !area_is_intact(&live[i]))
            wrong = "an area was overwritten";
        vfree(live[i].at);
        live[i].at = NULL;
    }
    vmap_space_set_check(&kernel_vmalloc.space, level);
    return wrong ? wrong : vmalloc_check();
}
