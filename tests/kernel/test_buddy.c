// SPDX-License-Identifier: MIT
/*
 * The buddy inside the running kernel: the kernel's own instance, and a private one over a megabyte
 * that is borrowed from it, with a page array of its own, where anything may be tried. What has no
 * bound in time is tried here only on machines with little memory.
 */
#include "kernel/ktest.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "lib/string.h"
#include "mm/buddy.h"

#define LENT_ORDER 8u
#define LENT (1u << LENT_ORDER) /* pages */
#define ARRAY_ORDER 1u          /* 256 struct pages of 32 bytes */
#define EXHAUST_LIMIT (64 * MIB / PAGE_SIZE)

static struct buddy lab; /* the private instance */
static struct page *taken[LENT + 1];

/* Run a test body on a fresh private buddy; whatever happens, the memory goes back. */
static const char *in_the_lab(const char *(*body)(void))
{
    const char *result = ktest_skip("no block of order %u", LENT_ORDER);
    struct page *lent = alloc_pages(__GFP_NOWARN, LENT_ORDER);
    struct page *array = alloc_pages(__GFP_NOWARN | __GFP_ZERO, ARRAY_ORDER);

    if (lent && array) {
        pfn_t start = page_to_pfn(lent);
        buddy_init(&lab, "lab", (struct page *)page_address(array) - start, start, start + LENT);
        buddy_add_range(&lab, start, start + LENT);
        result = body();
        if (!result)
            result = buddy_check(&lab);
    }
    free_pages(array, ARRAY_ORDER);
    free_pages(lent, LENT_ORDER);
    return result;
}

/* ---- the kernel's own --------------------------------------------------------------------------- */

KTEST(buddy, kernel_buddy_is_sound)
{
    KEXPECT(kernel_buddy.managed > 0, "%lu pages managed", kernel_buddy.managed);
    return buddy_check(&kernel_buddy);
}

KTEST(buddy, every_order)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        struct page *page = alloc_pages(__GFP_NOWARN | __GFP_ZERO, order);
        if (!page)
            return order < MAX_ORDER - 2 ? ktest_skip("no block of order %u", order) : NULL;
        KEXPECT((page_to_pfn(page) & ((1UL << order) - 1)) == 0, "pfn %#lx order %u",
                page_to_pfn(page), order);
        const u8 *dirt = memory_not_equal(page_address(page), 0, PAGE_SIZE << order);
        KEXPECT(!dirt, "order %u not zeroed at %p", order, (const void *)dirt);
        free_pages(page, order);
    }
    KEXPECT(!alloc_pages(0, MAX_ORDER + 1), "order %u exists", MAX_ORDER + 1);
    KEXPECT(!alloc_pages(0, (unsigned)-1), "order %d exists", -1);
    return buddy_check(&kernel_buddy);
}

KTEST(buddy, callers_are_remembered)
{
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    KEXPECT(page, "no page");
    vaddr_t caller = caller_unpack(page->alloc_caller);
    vaddr_t here = (vaddr_t)ktest_buddy_callers_are_remembered;
    free_pages(page, 0);
    KEXPECT(caller > here && caller - here < 0x200, "allocated by %pS", (void *)caller);
    return NULL;
}

KTEST(buddy, bad_frees_are_refused)
{
    struct page *page = alloc_pages(GFP_KERNEL, 2);
    KEXPECT(page, "no block");
    u64 before = buddy_free_pages(&kernel_buddy);
    ktest_expect_reports(5);
    free_pages(page, 1);
    free_pages(page + 1, 0);
    free_pages((struct page *)&before, 0);
    free_pages(pfn_to_page(0), 0);
    KEXPECT(buddy_free_pages(&kernel_buddy) == before, "%lu pages free, %lu before",
            buddy_free_pages(&kernel_buddy), before);
    free_pages(page, 2);
    free_pages(page, 2);
    free_pages(NULL, 0);
    KEXPECT(buddy_free_pages(&kernel_buddy) == before + 4, "%lu pages free, %lu before",
            buddy_free_pages(&kernel_buddy), before);
    return buddy_check(&kernel_buddy);
}

/* Every page that can be had, chained through its own content; then all of them back. */
KTEST(buddy, exhaustion_leaves_no_trace)
{
    if (kernel_buddy.managed > EXHAUST_LIMIT)
        return ktest_skip("more than %lu MiB: this would take long",
                          EXHAUST_LIMIT * PAGE_SIZE / MIB);
    buddy_drain(&kernel_buddy);
    u64 before = buddy_free_pages(&kernel_buddy);
    for (unsigned round = 0; round < 2; round++) {
        void **last = NULL, **page;
        u64 n = 0;
        for (; (page = get_free_page(GFP_ATOMIC | __GFP_NOWARN)) != NULL; n++) {
            *page = last;
            last = page;
        }
        while ((page = last) != NULL) {
            last = *page;
            free_page(page);
        }
        buddy_drain(&kernel_buddy);
        KEXPECT(n == before, "%lu pages of %lu could be had", n, before);
        KEXPECT(buddy_free_pages(&kernel_buddy) == before, "%lu pages free, %lu before",
                buddy_free_pages(&kernel_buddy), before);
    }
    return buddy_check(&kernel_buddy);
}

/* ---- in the lab ------------------------------------------------------------------------------------ */

static const char *split_and_merge(void)
{
    for (unsigned order = 0; order <= LENT_ORDER; order++) {
        unsigned n = 0;
        while ((taken[n] = buddy_alloc(&lab, __GFP_NOWARN, order, CALLER())) != NULL)
            n++;
        KEXPECT(n == LENT >> order, "%u blocks of order %u", n, order);
        KEXPECT(!buddy_check(&lab), "%s", buddy_check(&lab));
        /* Every second one first: nothing can merge until the others come. */
        for (unsigned i = 0; i < n; i += 2)
            buddy_free(&lab, taken[i], order, CALLER());
        for (unsigned i = 1; i < n; i += 2)
            buddy_free(&lab, taken[i], order, CALLER());
        KEXPECT(lab.areas[LENT_ORDER].count == 1, "order %u does not merge completely", order);
    }
    return NULL;
}

KTEST(buddy, split_and_merge)
{
    return in_the_lab(split_and_merge);
}

static const char *random_life(void)
{
    struct rng rng;
    u64 seed = ktest_seed();
    unsigned live = 0;

    rng_seed(&rng, seed);
    lab.use_pcp = true;
    lab.poison = true;
    for (unsigned op = 0; op < 2000; op++) {
        if (rng_below(&rng, 2) && live < LENT) {
            struct page *page = buddy_alloc(&lab, __GFP_NOWARN, (unsigned)rng_below(&rng, 4), 0);
            if (page)
                taken[live++] = page;
        } else if (live) {
            unsigned i = (unsigned)rng_below(&rng, live);
            buddy_free(&lab, taken[i], taken[i]->order, 0);
            taken[i] = taken[--live];
        }
        if (op % 50 == 0)
            KEXPECT(!buddy_check(&lab), "seed %#lx, operation %u: %s", seed, op, buddy_check(&lab));
    }
    while (live--)
        buddy_free(&lab, taken[live], taken[live]->order, 0);
    buddy_drain(&lab);
    KEXPECT(lab.areas[LENT_ORDER].count == 1, "seed %#lx: not merged completely", seed);
    return NULL;
}

KTEST(buddy, random_life)
{
    return in_the_lab(random_life);
}

static const char *use_after_free(void)
{
    lab.poison = true;
    struct page *page = buddy_alloc(&lab, 0, 0, CALLER());
    u8 *content = phys_to_virt((pfn_t)(page - lab.pages) << PAGE_SHIFT);
    buddy_free(&lab, page, 0, CALLER());
    KEXPECT(!memory_not_equal(content, PAGE_POISON, PAGE_SIZE), "freed page %p is not poisoned",
            (void *)content);
    content[100] = 0;
    ktest_expect_reports(1);
    page = buddy_alloc(&lab, 0, LENT_ORDER, CALLER());
    KEXPECT(page, "the damaged page is %s", "lost");
    buddy_free(&lab, page, LENT_ORDER, CALLER());
    return NULL;
}

KTEST(buddy, use_after_free_is_noticed)
{
    return in_the_lab(use_after_free);
}

static const char *fail_every_page(bool forever)
{
    for (u64 k = 1;; k++) {
        fail_arm(FAIL_PAGE, k, forever);
        u64 got = buddy_alloc_bulk(&lab, __GFP_NOWARN, 50, taken, CALLER());
        bool hit = fail_count(FAIL_PAGE) != 0;
        fail_disarm(FAIL_PAGE);
        buddy_free_bulk(&lab, taken, got, CALLER());
        KEXPECT(got == (hit ? k - 1 : 50), "%lu pages when page %lu fails", got, k);
        KEXPECT(buddy_free_pages(&lab) == LENT, "%lu pages free", buddy_free_pages(&lab));
        if (!hit)
            return NULL;
    }
}

static const char *bulk(void)
{
    lab.use_pcp = true;
    const char *result = fail_every_page(false);
    if (!result)
        result = fail_every_page(true);
    if (result)
        return result;
    KEXPECT(buddy_alloc_bulk(&lab, __GFP_NOWARN, LENT + 1, taken, 0) == LENT, "not all of %u",
            LENT);
    KEXPECT(buddy_alloc_bulk(&lab, __GFP_NOWARN, 1, taken + LENT, 0) == 0, "more than %u", LENT);
    ktest_expect_reports(1);
    taken[LENT] = taken[7];
    buddy_free_bulk(&lab, taken, LENT + 1, 0);
    KEXPECT(buddy_free_pages(&lab) == LENT, "%lu pages free", buddy_free_pages(&lab));
    return NULL;
}

KTEST(buddy, bulk_and_the_kth_page)
{
    return in_the_lab(bulk);
}

static const char *damage(void)
{
    struct page *page = buddy_alloc(&lab, 0, 0, 0);
    struct page *buddy_of_it = lab.pages + ((pfn_t)(page - lab.pages) ^ 1);

    buddy_of_it->order = 3;
    const char *broken = buddy_check(&lab);
    KEXPECT(broken && strstr(broken, "B1"), "wrong order: %s", broken ? broken : "not noticed");
    buddy_of_it->order = 0;
    lab.managed++;
    broken = buddy_check(&lab);
    KEXPECT(broken && strstr(broken, "B3"), "wrong total: %s", broken ? broken : "not noticed");
    lab.managed--;
    struct list_head *next = buddy_of_it->link.next;
    buddy_of_it->link.next = &buddy_of_it->link;
    broken = buddy_check(&lab);
    KEXPECT(broken && strstr(broken, "cycle"), "cycle: %s", broken ? broken : "not noticed");
    buddy_of_it->link.next = next;
    buddy_free(&lab, page, 0, 0);
    return NULL;
}

KTEST(buddy, check_names_the_damage)
{
    return in_the_lab(damage);
}
