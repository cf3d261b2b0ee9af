// SPDX-License-Identifier: MIT
/*
 * Every way to run out of memory in the middle of something, in SQLite's manner: fail the k-th page,
 * table, descriptor or object, for k = 1, 2, 3 ... until the call succeeds, once alone and once from
 * then on. After each failure everything is as it was, to the page; after the last one it works.
 */
#include "kernel/ktest.h"
#include "lib/bits.h"
#include "lib/failpoint.h"
#include "mm/vmalloc_internal.h"

#define MAX_K 4000
#define EXHAUST_ROUNDS 3
#define EXHAUST_MAX 4096

struct counts {
    u64 used_pages, tables, nodes, areas, vmalloc_pages;
};

static struct counts counts_now(void)
{
    mm_quiesce();
    struct vmap_stats stats = vmap_space_stats(&kernel_vmalloc.space);
    u64 used = kernel_buddy.managed - buddy_free_pages(&kernel_buddy) -
               kernel_buddy.use_pages[PAGE_USE_SLAB];
    return (struct counts){used, kernel_pagetable.tables, stats.nodes, stats.busy_areas,
                           vmalloc_nr_pages()};
}

static const char *compare(const struct counts *a, const struct counts *b, enum fail_site site,
                           u64 k)
{
    KEXPECT(a->used_pages == b->used_pages, "%s %lu: used pages %lu -> %lu", fail_site_name(site),
            k, a->used_pages, b->used_pages);
    KEXPECT(a->tables == b->tables, "%s %lu: page tables %lu -> %lu", fail_site_name(site), k,
            a->tables, b->tables);
    KEXPECT(a->nodes == b->nodes && a->areas == b->areas,
            "%s %lu: nodes %lu -> %lu, areas %lu -> %lu", fail_site_name(site), k, a->nodes,
            b->nodes, a->areas, b->areas);
    KEXPECT(a->vmalloc_pages == b->vmalloc_pages, "%s %lu: vmalloc pages %lu -> %lu",
            fail_site_name(site), k, a->vmalloc_pages, b->vmalloc_pages);
    return NULL;
}

/* `attempt` returns what `undo` frees, or NULL when it failed. */
static const char *fail_each(void *(*attempt)(void), void (*undo)(void *), bool forever)
{
    for (int site = 0; site < FAIL_SITES; site++) {
        u64 k;
        for (k = 1; k <= MAX_K; k++) {
            struct counts before = counts_now();
            fail_arm((enum fail_site)site, k, forever);
            void *got = attempt();
            u64 failed = fail_count((enum fail_site)site);
            fail_disarm((enum fail_site)site);
            if (got)
                undo(got);
            struct counts after = counts_now();
            const char *leak = compare(&before, &after, (enum fail_site)site, k);
            if (leak)
                return leak;
            if (got && failed == 0)
                break;
        }
        KEXPECT(k <= MAX_K, "%s still fails at k = %d", fail_site_name((enum fail_site)site),
                MAX_K);
        ktest_note("%s, %s: %lu failures survived", fail_site_name((enum fail_site)site),
                   forever ? "fails for ever" : "fails once", k - 1);
    }
    return vmalloc_check();
}

static const char *fail_each_way(void *(*attempt)(void), void (*undo)(void *))
{
    const char *wrong = fail_each(attempt, undo, false);
    return wrong ? wrong : fail_each(attempt, undo, true);
}

static void undo_vfree(void *area)
{
    vfree(area);
}

static void *attempt_vmalloc(void)
{
    /* Its own 2 MiB-crossing window, so that page tables are needed as well. */
    vaddr_t lo = VMALLOC_BASE + 3 * GIB - 4 * PAGE_SIZE;
    return __vmalloc_node_range(9 * PAGE_SIZE, PAGE_SIZE, lo, lo + GIB, GFP_KERNEL | __GFP_NOWARN,
                                PROT_KERNEL_RW, 0, CALLER());
}

KTEST(oom, vmalloc_nine_pages)
{
    return fail_each_way(attempt_vmalloc, undo_vfree);
}

static void *attempt_aligned(void)
{
    vaddr_t lo = VMALLOC_BASE + 5 * GIB + PAGE_SIZE; /* NE fit: needs the extra descriptor */
    return __vmalloc_node_range(PAGE_SIZE, 64 * KIB, lo, lo + GIB, GFP_KERNEL | __GFP_NOWARN,
                                PROT_KERNEL_RW, 0, CALLER());
}

KTEST(oom, vmalloc_with_inner_fit)
{
    return fail_each_way(attempt_aligned, undo_vfree);
}

static void *attempt_huge(void)
{
    vaddr_t lo = VMALLOC_BASE + 7 * GIB;
    return __vmalloc_node_range(2 * MIB, PAGE_SIZE, lo, lo + GIB, GFP_KERNEL | __GFP_NOWARN,
                                PROT_KERNEL_RW, VM_ALLOW_HUGE, CALLER());
}

KTEST(oom, vmalloc_huge_falls_back)
{
    if (buddy_free_pages(&kernel_buddy) < 16 * MIB / PAGE_SIZE)
        return ktest_skip("needs 16 MiB free");
    const char *wrong = fail_each(attempt_huge, undo_vfree, false);
    if (wrong)
        return wrong;
    /* Bug 21: after the fallback each page is its own, mapped by 4 KiB leaves. */
    fail_arm(FAIL_PAGE, 1, false);
    u8 *area = attempt_huge();
    fail_disarm(FAIL_PAGE);
    KEXPECT(area && find_vm_area(area)->page_order == 0, "no fallback to small pages");
    for (u64 i = 0; i < 512; i++)
        *(u64 *)(area + i * PAGE_SIZE) = i;
    for (u64 i = 0; i < 512; i++)
        KEXPECT(*(u64 *)page_address(vmalloc_to_page(area + i * PAGE_SIZE)) == i, "page %lu", i);
    vfree(area);
    return NULL;
}

static struct page *shared_pages[8];

static void *attempt_vmap(void)
{
    return vmap(shared_pages, 8, 0, PROT_KERNEL_RW);
}

static void undo_vunmap(void *area)
{
    vunmap(area);
}

static void *attempt_map_ram(void)
{
    return vm_map_ram(shared_pages, 8);
}

static void undo_map_ram(void *area)
{
    vm_unmap_ram(area, 8);
}

static void *attempt_ioremap(void)
{
    return ioremap(0xfee00000, PAGE_SIZE);
}

static void undo_iounmap(void *area)
{
    iounmap(area);
}

KTEST(oom, vmap_vm_map_ram_ioremap)
{
    KEXPECT(alloc_pages_bulk(GFP_KERNEL, 8, shared_pages) == 8, "no memory");
    const char *wrong = fail_each_way(attempt_vmap, undo_vunmap);
    if (!wrong)
        wrong = fail_each_way(attempt_map_ram, undo_map_ram);
    if (!wrong)
        wrong = fail_each_way(attempt_ioremap, undo_iounmap);
    for (int i = 0; i < 8; i++)
        free_pages(shared_pages[i], 0);
    return wrong;
}

static void *attempt_vrealloc(void)
{
    u8 *area = vmalloc(PAGE_SIZE);
    if (!area)
        return NULL;
    area[17] = 17;
    u8 *grown = vrealloc(area, 6 * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
    if (grown)
        return grown;
    ASSERT(area[17] == 17 && find_vm_area(area)->nr_pages == 1, "vrealloc damaged %p",
           (void *)area);
    vfree(area);
    return NULL;
}

KTEST(oom, vrealloc_grows_or_leaves_alone)
{
    return fail_each_way(attempt_vrealloc, undo_vfree);
}

/* Take nearly all RAM out of the way, so that exhaustion is quick on any machine. */
static void hide_memory(struct list_head *blocks, u64 leave)
{
    list_init(blocks);
    while (buddy_free_pages(&kernel_buddy) > leave + (1UL << MAX_ORDER)) {
        struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NOFAULT, MAX_ORDER);
        if (!page)
            break;
        list_add(&page->link, blocks);
    }
}

/* Without poisoning: 64 GiB of it would be 64 GiB that the host has to back. */
static void show_memory(struct list_head *blocks)
{
    bool poison = kernel_buddy.poison;
    kernel_buddy.poison = false;
    while (!list_empty(blocks)) {
        struct page *page = list_entry(blocks->next, struct page, link);
        list_del(&page->link);
        free_pages(page, MAX_ORDER);
    }
    kernel_buddy.poison = poison;
}

/* B6: allocate until NULL, free all, several times: the same number of areas and totals each time. */
KTEST(oom, real_exhaustion_and_back)
{
    static void *areas[EXHAUST_MAX];
    struct list_head hidden;
    hide_memory(&hidden, 8 * MIB / PAGE_SIZE);
    u64 first = 0;
    const char *wrong = NULL;
    for (int round = 0; round < EXHAUST_ROUNDS && !wrong; round++) {
        struct counts before = counts_now();
        u64 n = 0;
        while (n < EXHAUST_MAX && (areas[n] = __vmalloc_node_range(
                                       4 * PAGE_SIZE, PAGE_SIZE, VMALLOC_BASE, VMALLOC_END,
                                       GFP_KERNEL | __GFP_NOWARN, PROT_KERNEL_RW, 0, CALLER())))
            n++;
        for (u64 i = 0; i < n; i++)
            vfree(areas[i]);
        struct counts after = counts_now();
        wrong = compare(&before, &after, FAIL_PAGE, (u64)round);
        if (round == 0)
            first = n;
        else if (n != first)
            wrong = ktest_fail(__FILE__, __LINE__, "n == first", "round %d: %lu areas, first %lu",
                               round, n, first);
    }
    ktest_note("%lu areas of 4 pages until exhaustion", first);
    show_memory(&hidden);
    return wrong;
}
