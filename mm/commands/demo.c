// SPDX-License-Identifier: MIT
/*
 * `vmap-demo`: the life of address space in seven steps, on the kernel's real vmap space. Each step
 * says what it does and why, does it, and shows the bar; which fit was taken is read from the
 * counters, not assumed. Everything is given back at the end, also after Ctrl-C.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "mm/commands/view.h"
#include "mm/commands/vmap_views.h"

#define DEMO_AREAS 6
#define DEMO_ALIGN (64 * KIB)

static struct {
    void *areas[DEMO_AREAS];
    struct snapshot snapshot;
    struct vmap_stats before;
    vaddr_t lo; /* the story plays in [lo, end of the region): behind everything that lives there */
} demo;

static struct vmap_stats stats_now(void)
{
    return vmap_space_stats(&kernel_vmalloc.space);
}

static void print_fits(void)
{
    struct vmap_stats now = stats_now();
    u64 full = now.fit_full - demo.before.fit_full, left = now.fit_left - demo.before.fit_left;
    u64 right = now.fit_right - demo.before.fit_right,
        inner = now.fit_inner - demo.before.fit_inner;
    u64 merges = now.merges - demo.before.merges;

    if (full + left + right + inner + merges == 0)
        return;
    print("  counted:");
    if (full)
        print(" FL %lu (a whole free range)", full);
    if (left)
        print(" LE %lu (its left edge)", left);
    if (right)
        print(" RE %lu (its right edge)", right);
    if (inner)
        print(" NE %lu (its inside: it splits in two)", inner);
    if (merges)
        print(" %lu merge%s", merges, view_plural(merges));
    print("\n");
}

static void announce(unsigned step, const char *what, const char *why)
{
    demo.before = stats_now();
    print("\n%s%u. %s%s\n  %s\n", color(COLOR_BOLD), step, what, color(COLOR_RESET), why);
}

static void show(void)
{
    print_fits();
    snapshot_take(&demo.snapshot, &kernel_vmalloc);
    snapshot_clip(&demo.snapshot, demo.lo);
    vmap_bar(&demo.snapshot);
    snapshot_release(&demo.snapshot);
}

static __noinline bool take(unsigned slot, u64 pages, u64 align)
{
    demo.areas[slot] = __vmalloc_node_range(pages << PAGE_SHIFT, align, demo.lo, VMALLOC_END,
                                            GFP_KERNEL, PROT_KERNEL_RW, 0, CALLER());
    if (demo.areas[slot])
        print("  %lu page%s: %016lx\n", pages, view_plural(pages), (vaddr_t)demo.areas[slot]);
    else
        print("  out of memory: the story ends here\n");
    return demo.areas[slot] != NULL;
}

static void give(unsigned slot)
{
    vfree(demo.areas[slot]);
    demo.areas[slot] = NULL;
}

static bool step_allocate(void)
{
    announce(1, "Three areas: 3, 3 and 7 pages",
             "The lowest free range that is large enough is taken, from its left edge. Each\n"
             "  area gets one page more than asked for: the guard, which is never mapped.");
    bool ok = take(0, 3, PAGE_SIZE) && take(1, 3, PAGE_SIZE) && take(2, 7, PAGE_SIZE);
    show();
    return ok;
}

static bool step_free(void)
{
    announce(2, "vfree the second",
             "Its pages go back to the buddy at once. The address range does not: some CPU\n"
             "  may still hold a translation. It is lazy and waits for a TLB flush (P3).");
    give(1);
    show();
    return true;
}

static bool step_purge(void)
{
    announce(3, "Flush the TLB now (`vmap purge`)",
             "After the flush nobody reaches the old frames through the range: it is free.");
    vm_unmap_aliases();
    show();
    return true;
}

static bool step_refill(void)
{
    announce(4, "One page",
             "With its guard it takes two of the hole's four pages: lowest fit, left edge.");
    bool ok = take(3, 1, PAGE_SIZE);
    show();
    return ok;
}

static bool step_exact(void)
{
    announce(5, "One page more",
             "The rest of the hole is exactly two pages. A full fit: the free range is\n"
             "  gone, and with it its node in the tree.");
    bool ok = take(4, 1, PAGE_SIZE);
    show();
    return ok;
}

static bool step_align(void)
{
    announce(6, "One page, aligned to 64 KiB",
             "Unless the free range happens to begin aligned, the area lands inside of it\n"
             "  and leaves a rest on both sides: the one fit that needs a second descriptor.");
    bool ok = take(5, 1, DEMO_ALIGN);
    show();
    return ok;
}

static bool step_end(void)
{
    announce(7, "Free everything and flush",
             "Each range merges with its free neighbours as it comes back, so no two free\n"
             "  ranges ever touch (V5), and the space looks as it did before.");
    for (unsigned i = 0; i < DEMO_AREAS; i++)
        give(i);
    vm_unmap_aliases();
    show();
    return true;
}

/* The last free range, once nothing is lazy: a clean stage. */
static void find_stage(void)
{
    struct snapshot_cursor cursor;
    const struct range *range;

    vm_unmap_aliases();
    demo.lo = VMALLOC_BASE;
    snapshot_take(&demo.snapshot, &kernel_vmalloc);
    snapshot_begin(&demo.snapshot, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL)
        demo.lo = range->kind == VMAP_FREE ? range->start : demo.lo;
    snapshot_release(&demo.snapshot);
}

static int demo_run(int argc, char **argv)
{
    static bool (*const steps[])(void) = {step_allocate, step_free,  step_purge,
                                          step_refill,   step_exact, step_align};
    bool ok = true;

    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    find_stage();
    print("design %s (%s), the part of the region from %016lx on. Ctrl-C ends the story.\n",
          kernel_vmalloc.space.design->name, kernel_vmalloc.space.design->since, demo.lo);
    for (unsigned i = 0; ok && i < ARRAY_SIZE(steps); i++)
        ok = steps[i]() && !view_stopped();
    step_end();
    return ok ? 0 : -ENOMEM;
}
COMMAND(vmap_demo, "vmap-demo", demo_run, NULL, "vmap-demo",
        "a guided story: allocate, free, flush, refill, split and merge, with a picture each");
