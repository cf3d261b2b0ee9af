// SPDX-License-Identifier: MIT
/*
 * Page tables inside the running kernel. Private tables, which no CPU ever loads, for everything that
 * can be read back by walking; a corner of the vmalloc region that no area reaches, for what the real
 * MMU has to say. The exhaustive part, against a software MMU, is tests/host/test_pgtable*.c.
 */
#include "kernel/ktest.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/buddy.h"
#include "mm/pgtable_source.h"

#define CORNER (VMALLOC_END - 512 * GIB) /* the last top-level entry of the region */
#define BASE (VMALLOC_BASE + 512 * GIB)  /* a border of all levels */

static struct pagetable lab;
static struct page *pages[8];

static u64 tables_in_use(void)
{
    return buddy_use_pages(&kernel_buddy, PAGE_USE_TABLE);
}

/* A test body on fresh private tables; afterwards every table page is back. */
static const char *in_the_lab(const char *(*body)(void))
{
    u64 before = tables_in_use();
    if (pt_init(&lab, &pt_buddy_ops, &kernel_buddy) != 0)
        return ktest_skip("no page for a root table");
    const char *result = body();
    pt_fini(&lab);
    if (result)
        return result;
    KEXPECT(tables_in_use() == before, "%lu tables in use, %lu before", tables_in_use(), before);
    return NULL;
}

static const char *expect_leaf(vaddr_t va, paddr_t physical, unsigned shift, bool writable)
{
    struct pt_walk walk;
    KEXPECT(pt_walk(&lab, va, &walk), "%#lx is not mapped, stopped at level %u", va,
            walk.stopped_at);
    KEXPECT(walk.physical == physical, "%#lx -> %#lx, not %#lx", va, walk.physical, physical);
    KEXPECT(walk.leaf_shift == shift, "%#lx: leaf of 2^%u bytes, not 2^%u", va, walk.leaf_shift,
            shift);
    KEXPECT(walk.writable == writable && !walk.executable && !walk.user, "%#lx: W%d X%d U%d", va,
            walk.writable, walk.executable, walk.user);
    return NULL;
}

static const char *leaves(void)
{
    const char *result;
    u64 size = GIB + 2 * MIB + PAGE_SIZE;

    KEXPECT(pt_map(&lab, BASE, 8 * GIB, size, PROT_KERNEL_RW, 30) == 0, "cannot map %#lx", size);
    if ((result = expect_leaf(BASE + 5, 8 * GIB + 5, 30, true)) ||
        (result = expect_leaf(BASE + GIB + MIB, 9 * GIB + MIB, 21, true)) ||
        (result = expect_leaf(BASE + size - 1, 8 * GIB + size - 1, 12, true)))
        return result;
    KEXPECT(pt_map(&lab, BASE + GIB, 0, PAGE_SIZE, PROT_KERNEL_RW, 12) == -EEXIST, "mapped %s",
            "over a huge leaf");
    KEXPECT(pt_protect(&lab, BASE + MIB, PAGE_SIZE, 0, PTE_W) == 0, "cannot protect %s", "a page");
    if ((result = expect_leaf(BASE + MIB, 8 * GIB + MIB, 12, false)) ||
        (result = expect_leaf(BASE + MIB + PAGE_SIZE, 8 * GIB + MIB + PAGE_SIZE, 12, true)) ||
        (result = expect_leaf(BASE + 2 * MIB, 8 * GIB + 2 * MIB, 21, true)))
        return result;
    u64 count = pt_unmap(&lab, BASE, 512 * GIB);
    KEXPECT(count == size >> PAGE_SHIFT, "%lu pages unmapped, %lu were mapped", count,
            size >> PAGE_SHIFT);
    pt_trim(&lab, BASE, BASE + 512 * GIB);
    KEXPECT(lab.tables == 2, "%lu tables left", lab.tables);
    return NULL;
}

KTEST(pgtable, leaves_of_all_sizes)
{
    return in_the_lab(leaves);
}

/* ---- the k-th table fails ------------------------------------------------------------------------ */

static int map_ragged(void)
{
    return pt_map(&lab, BASE - 3 * PAGE_SIZE, 0, 2 * MIB + 9 * PAGE_SIZE, PROT_KERNEL_RW, 12);
}

static int map_pages(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        pages[i] = pfn_to_page(i + 1);
    return pt_map_pages(&lab, BASE - 3 * PAGE_SIZE, pages, ARRAY_SIZE(pages), PROT_KERNEL_RW);
}

static int populate(void)
{
    return pt_populate_top(&lab, VMALLOC_BASE, VMALLOC_END);
}

static int protect(void)
{
    return pt_protect(&lab, BASE + 8 * GIB + 5 * PAGE_SIZE, GIB, 0, PTE_W);
}

static const char *fail_every(enum fail_site site, int (*call)(void), bool forever)
{
    u64 before = lab.tables;
    for (u64 k = 1; k < 200; k++) {
        fail_arm(site, k, forever);
        int err = call();
        bool hit = fail_count(site) != 0;
        fail_disarm(site);
        if (!hit) {
            KEXPECT(err == 0, "%s", errno_name(err));
            return NULL;
        }
        KEXPECT(err == -ENOMEM, "%s %lu fails: %s", fail_site_name(site), k, errno_name(err));
        KEXPECT(lab.tables == before, "%s %lu fails: %lu tables, %lu before", fail_site_name(site),
                k, lab.tables, before);
    }
    return "200 failures and still no success";
}

static int (*const calls[])(void) = {map_ragged, map_pages, populate, protect};
static int (*call_now)(void);
static enum fail_site site_now;
static bool forever_now;

static const char *one_case(void)
{
    if (pt_map(&lab, BASE + 8 * GIB, 64 * GIB, 2 * GIB, PROT_KERNEL_RW, 30) != 0)
        return "cannot prepare";
    return fail_every(site_now, call_now, forever_now);
}

KTEST(pgtable, every_table_fails)
{
    for (unsigned i = 0; i < 4 * ARRAY_SIZE(calls); i++) {
        call_now = calls[i / 4];
        site_now = i & 1 ? FAIL_PAGE : FAIL_TABLE;
        forever_now = i & 2;
        const char *result = in_the_lab(one_case);
        if (result)
            return result;
    }
    return NULL;
}

/* ---- what the real MMU says ------------------------------------------------------------------------- */

static void write_it(void *address)
{
    *(volatile u8 *)address = 1;
}

static void read_it(void *address)
{
    (void)*(volatile u8 *)address;
}

static const char *two_views(volatile u64 *direct)
{
    volatile u64 *first = (u64 *)CORNER, *second = (u64 *)(CORNER + GIB);

    *direct = 0x1122334455667788;
    KEXPECT(*first == *direct && *second == *direct, "%#lx and %#lx instead of %#lx", *first,
            *second, *direct);
    *second = 42;
    KEXPECT(*first == 42 && *direct == 42, "%lu and %lu instead of 42", *first, *direct);
    KEXPECT(pt_protect(&kernel_pagetable, CORNER, PAGE_SIZE, 0, PTE_W) == 0, "cannot protect %#lx",
            CORNER);
    port_tlb_flush_range(CORNER, CORNER + PAGE_SIZE);
    struct fault_info fault = expect_fault(write_it, (void *)CORNER);
    KEXPECT(fault.happened && fault.error_code == 3, "write to %#lx: fault %d, error %#lx", CORNER,
            fault.happened, fault.error_code);
    KEXPECT(*first == 42, "%lu instead of 42", *first);
    KEXPECT(pt_unmap(&kernel_pagetable, CORNER, PAGE_SIZE) == 1, "%#lx was not mapped", CORNER);
    port_tlb_flush_range(CORNER, CORNER + PAGE_SIZE);
    fault = expect_fault(read_it, (void *)CORNER);
    KEXPECT(fault.happened && fault.error_code == 0, "read of %#lx: fault %d, error %#lx", CORNER,
            fault.happened, fault.error_code);
    return NULL;
}

KTEST(pgtable, one_page_at_two_addresses)
{
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    KEXPECT(page, "no page");
    const char *result = "cannot map";
    if (pt_map_pages(&kernel_pagetable, CORNER, &page, 1, PROT_KERNEL_RW) == 0 &&
        pt_map(&kernel_pagetable, CORNER + GIB, page_to_phys(page), PAGE_SIZE, PROT_KERNEL_RW,
               12) == 0)
        result = two_views(page_address(page));
    pt_unmap(&kernel_pagetable, CORNER, 2 * GIB);
    port_tlb_flush_all();
    pt_trim(&kernel_pagetable, CORNER, CORNER + 2 * GIB);
    free_pages(page, 0);
    return result;
}

/* ---- the kernel's own -------------------------------------------------------------------------------- */

static bool count_user(void *ctx, const struct pt_run *run)
{
    *(u64 *)ctx += run->present && run->user;
    return true;
}

KTEST(pgtable, kernel_tables_are_sound)
{
    u64 user = 0;
    pt_visit(&kernel_pagetable, NON_CANONICAL_HIGH, 0, count_user, &user);
    KEXPECT(user == 0, "%lu entries of the kernel half are open to user mode", user);
    return pt_check_wx(&kernel_pagetable, (vaddr_t)__text_start, (vaddr_t)__text_end);
}

/* P1 for the direct map: each frame of RAM that the buddy has is where phys_to_virt() says. */
KTEST(pgtable, direct_map_reaches_the_last_frame)
{
    struct pt_walk walk;
    for (u32 i = 0; i < kernel_buddy.span_count; i++) {
        pfn_t last = kernel_buddy.spans[i].end;
        while (kernel_buddy.pages[--last].state == PAGE_UNMANAGED &&
               last > kernel_buddy.spans[i].start)
            ;
        if (kernel_buddy.pages[last].state == PAGE_UNMANAGED)
            continue; /* known, but nobody's: firmware has all of it */
        vaddr_t va = (vaddr_t)phys_to_virt(last << PAGE_SHIFT);
        KEXPECT(pt_walk(&kernel_pagetable, va, &walk) && walk.physical == last << PAGE_SHIFT,
                "frame %#lx: %#lx -> %#lx", last, va, walk.physical);
    }
    return NULL;
}

KTEST(pgtable, flush_counters)
{
    struct tlb_stats before = port_tlb_stats();
    port_tlb_flush_range(CORNER, CORNER + 3 * PAGE_SIZE);
    port_tlb_flush_range(CORNER, CORNER + (TLB_SINGLE_PAGE_CEILING + 1) * PAGE_SIZE);
    struct tlb_stats after = port_tlb_stats();
    KEXPECT(after.range_flushes == before.range_flushes + 1, "%lu range flushes",
            after.range_flushes - before.range_flushes);
    KEXPECT(after.pages_flushed == before.pages_flushed + 3, "%lu pages",
            after.pages_flushed - before.pages_flushed);
    KEXPECT(after.full_flushes == before.full_flushes + 1, "%lu full flushes",
            after.full_flushes - before.full_flushes);
    return NULL;
}
