// SPDX-License-Identifier: MIT
/*
 * An area so large that the array of its page pointers does not come from kmalloc() but from vmalloc
 * itself. Only in the kernel: the host's tests cannot reach memory through vmalloc addresses.
 */
#include "kernel/ktest.h"
#include "lib/failpoint.h"
#include "mm/vmalloc_internal.h"

#define PAGES 600u /* pointers for more than one page */

/* kmalloc() of the array fails once; what comes after that works. */
static u8 *area_with_vmalloc_array(void)
{
    fail_arm(FAIL_PAGE, 1, false);
    u8 *area = __vmalloc_node_range(PAGES * PAGE_SIZE, PAGE_SIZE, VMALLOC_BASE, VMALLOC_END,
                                    GFP_KERNEL | __GFP_NOWARN, PROT_KERNEL_RW, 0, CALLER());
    fail_disarm(FAIL_PAGE);
    return area;
}

static const char *check_tags(const u8 *area, u64 pages)
{
    for (u64 i = 0; i < pages; i++)
        KEXPECT(*(const u64 *)(area + i * PAGE_SIZE) == i + 1, "page %lu was overwritten", i);
    return NULL;
}

KTEST(vmalloc, array_of_pages_from_vmalloc)
{
    if (buddy_free_pages(&kernel_buddy) < 4 * PAGES)
        return ktest_skip("needs %u pages free", 4 * PAGES);
    u64 owned = vmalloc_nr_pages();
    u8 *area = area_with_vmalloc_array();
    KEXPECT(area && is_vmalloc_addr(find_vm_area(area)->pages), "the array is not from vmalloc");
    KEXPECT(vmalloc_nr_pages() == owned + PAGES + 2, "%lu pages more", vmalloc_nr_pages() - owned);
    for (u64 i = 0; i < PAGES; i++)
        *(u64 *)(area + i * PAGE_SIZE) = i + 1;
    const char *wrong = check_tags(area, PAGES);
    /* Growing needs a second such array, copied from the first; shrinking keeps what it has. */
    fail_arm(FAIL_PAGE, 1, false);
    u8 *grown = wrong ? NULL : vrealloc(area, (PAGES + 50) * PAGE_SIZE, GFP_KERNEL);
    fail_disarm(FAIL_PAGE);
    if (!wrong && grown)
        wrong = check_tags(grown, PAGES);
    if (!wrong && grown && vrealloc(grown, 10 * PAGE_SIZE, GFP_KERNEL) != grown)
        wrong = "shrinking moved the area";
    if (!wrong && grown)
        wrong = check_tags(grown, 10);
    vfree(grown ? grown : area);
    KEXPECT(wrong || grown, "growing failed");
    return wrong ? wrong : vmalloc_check();
}

KTEST(oom, array_of_pages_from_vmalloc)
{
    if (buddy_free_pages(&kernel_buddy) < 4 * PAGES)
        return ktest_skip("needs %u pages free", 4 * PAGES);
    static const enum fail_site sites[] = {FAIL_TABLE, FAIL_NODE, FAIL_SLAB};
    for (unsigned i = 0; i < ARRAY_SIZE(sites); i++) {
        u8 *area = NULL;
        for (u64 k = 1; !area; k++) {
            pt_trim(&kernel_pagetable, VMALLOC_BASE, VMALLOC_END);
            fail_arm(sites[i], k, false);
            area = area_with_vmalloc_array();
            u64 failed = fail_count(sites[i]);
            fail_disarm(sites[i]);
            KEXPECT(area || failed, "%s %lu: failed without a reason", fail_site_name(sites[i]), k);
            if (area && failed) { /* recovered: go on with the next step */
                vfree(area);
                area = NULL;
            }
            KEXPECT(k < 100, "%s: no end", fail_site_name(sites[i]));
        }
        vfree(area);
    }
    return vmalloc_check();
}
