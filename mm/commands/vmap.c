// SPDX-License-Identifier: MIT
/*
 * `vmap` and its subcommands: the kernel's own address space, shown and checked. Each subcommand is
 * a small function here; the pictures are in vmap_bar.c, vmap_table.c, vmap_tree.c, vmap_check.c,
 * and all work on copies (snapshot.h). No lock of its own. Read next: mm/commands/alloc.c, which
 * acts.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/commands/vmap_views.h"
#include "mm/commands/whatis.h"

#define SHORT_TABLE 40 /* rows of plain `vmap`: the picture should stay on the screen */

static struct snapshot snapshot; /* 4 KiB: too much for a stack; only the shell takes snapshots */

static void print_summary(struct vmalloc *v)
{
    struct vmap_stats stats = vmap_space_stats(&v->space);
    char busy[VIEW_NUMBER], lazy[VIEW_NUMBER], extents[VIEW_NUMBER];
    u64 waiting = v->flush.lazy_pages << PAGE_SHIFT, threshold = v->flush.threshold << PAGE_SHIFT;
    u64 busy_bytes = stats.busy_bytes - min_u64(stats.busy_bytes, waiting);
    u64 live = stats.busy_areas - min_u64(stats.busy_areas, v->flush.count);

    print("%s area%s busy, %pM; %s lazy, %pM; %s free range%s, largest %pM\n",
          view_number(busy, live), view_plural(live), (void *)&busy_bytes,
          view_number(lazy, v->flush.count), (void *)&waiting,
          view_number(extents, stats.free_extents), view_plural(stats.free_extents),
          (void *)&stats.largest_free);
    print("design %s (%s), flush %s (at %pM), vmap.check=%u\n", v->space.design->name,
          v->space.design->since, flush_policy_name(v->flush.policy), (void *)&threshold,
          (unsigned)v->space.check_level);
}

static int show_overview(void)
{
    struct vmalloc *v = &kernel_vmalloc;
    u64 size = v->space.end - v->space.start;

    snapshot_take(&snapshot, v);
    print("%svmalloc region%s, %pM\n", color(COLOR_BOLD), color(COLOR_RESET), (void *)&size);
    vmap_bar(&snapshot);
    print("\n");
    vmap_table(&snapshot, SHORT_TABLE, true);
    snapshot_release(&snapshot);
    print_summary(v);
    return 0;
}

static int show_list(int argc, char **argv)
{
    bool all = argc == 3 && strcmp(argv[2], "all") == 0;

    if (argc > 3 || (argc == 3 && !all))
        return COMMAND_USAGE;
    snapshot_take(&snapshot, &kernel_vmalloc);
    vmap_table(&snapshot, 0, !all);
    snapshot_release(&snapshot);
    print_summary(&kernel_vmalloc);
    return 0;
}

/* One line per range, for programs: also what /proc/vmap says. The caller is last, so that it may be long. */
static int show_ranges(void)
{
    struct snapshot_cursor cursor;
    const struct range *range;

    snapshot_take(&snapshot, &kernel_vmalloc);
    snapshot_begin(&snapshot, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL && !view_stopped())
        vmap_range_line(range);
    u64 lost = snapshot.lost;
    snapshot_release(&snapshot);
    return lost ? -ENOMEM : 0;
}

/* vmap tree [busy] [ADDR] */
static int show_tree(int argc, char **argv)
{
    bool busy = argc > 2 && strcmp(argv[2], "busy") == 0;
    int next = busy ? 3 : 2;
    vaddr_t mark;

    if (argc > next + 1)
        return COMMAND_USAGE;
    if (argc == next + 1 && view_parse_address(argv[next], &mark))
        return -EINVAL;
    return vmap_tree(&kernel_vmalloc, busy, argc == next + 1 ? &mark : NULL);
}

static int set_level(const char *text)
{
    struct vmap_space *space = &kernel_vmalloc.space;
    static const char *const means[] = {"off", "after every 256th operation",
                                        "after every operation",
                                        "after every operation, and against a page-bitmap model"};
    u64 level;

    if (view_parse_number("level", text, VMAP_CHECK_OFF, VMAP_CHECK_MODEL, &level))
        return -EINVAL;
    int err = vmap_space_set_check(space, (enum vmap_check_level)level);
    if (err)
        print("vmap.check=%lu: %s, it stays at %u\n", level, errno_name(err),
              (unsigned)space->check_level);
    else
        print("vmap.check=%lu: %s\n", level, means[level]);
    return err;
}

static int run_check(int argc, char **argv)
{
    if (argc > 3)
        return COMMAND_USAGE;
    if (argc == 3)
        return set_level(argv[2]);
    unsigned broken = vmap_check_print(&kernel_vmalloc);
    print(broken ? "%u broken\n" : "all invariants hold\n", broken);
    return broken ? -EIO : 0;
}

static void show_design(const struct vmap_design *design)
{
    static const struct {
        u32 bit;
        const char *name;
    } caps[] = {{VMAP_CAP_LOWEST_FIT, "lowest-fit"},
                {VMAP_CAP_AUGMENTED, "augmented"},
                {VMAP_CAP_FREE_TREE, "free-tree"}};
    bool active = strcmp(design->name, kernel_vmalloc.space.design->name) == 0;
    print("%s%s %-11s%s %-26s", active ? color(COLOR_GREEN) : "", active ? "*" : " ", design->name,
          color(COLOR_RESET), design->since);
    for (unsigned c = 0; c < ARRAY_SIZE(caps); c++)
        print(" %s", design->caps & caps[c].bit ? caps[c].name : "-");
    print("\n              %s%s%s\n", color(COLOR_DIM), design->origin, color(COLOR_RESET));
}

static int show_designs(void)
{
    for (unsigned i = 0; vmap_designs[i]; i++)
        show_design(vmap_designs[i]);
    print("variants of freetree\n");
    for (unsigned i = 0; vmap_variants[i]; i++)
        show_design(vmap_variants[i]);
    print("* serves the kernel; `vmap=NAME` on the command line chooses another one\n");
    return 0;
}

static int show_layout(void)
{
    for (unsigned i = 0; i < layout_region_count; i++) {
        const struct layout_region *region = &layout_regions[i];
        u64 size = region->end - region->base;
        print("%016lx-%016lx %8pM  %-12s %s%s%s\n", region->base, region->end - 1, (void *)&size,
              region->name, color(COLOR_DIM), region->note ? region->note : "", color(COLOR_RESET));
    }
    return 0;
}

static void print_flush_stats(const struct flush_queue *queue)
{
    print("flush    policy %s, %lu purges of %lu areas (%lu pages), peak %lu pages waiting\n",
          flush_policy_name(queue->policy), queue->purges, queue->purged_areas, queue->purged_pages,
          queue->peak_pages);
    struct tlb_stats tlb = port_tlb_stats();
    print("TLB      %lu range flushes of %lu pages, %lu full flushes\n", tlb.range_flushes,
          tlb.pages_flushed, tlb.full_flushes);
}

static int show_stats(void)
{
    struct vmalloc *v = &kernel_vmalloc;
    struct vmap_stats s = vmap_space_stats(&v->space);

    print("design   %s, %lu operations, last search visited %lu node%s\n", v->space.design->name,
          v->space.operations, s.visited, view_plural(s.visited));
    print("now      %lu area%s busy or lazy (%pM), %lu free range%s, largest %pM\n", s.busy_areas,
          view_plural(s.busy_areas), (void *)&s.busy_bytes, s.free_extents,
          view_plural(s.free_extents), (void *)&s.largest_free);
    print("metadata %lu descriptors, %pM\n", s.nodes, (void *)&s.metadata_bytes);
    print("ranges   %lu reserved, %lu given back, %lu failed, %lu merges\n", s.allocs, s.frees,
          s.failures, s.merges);
    print(
        "fits     FL %lu (whole range)  LE %lu (left edge)  RE %lu (right edge)  NE %lu (inside)\n",
        s.fit_full, s.fit_left, s.fit_right, s.fit_inner);
    print_flush_stats(&v->flush);
    print("vmalloc  %lu calls, %lu frees, %lu failures, %lu deferred; %lu pages owned now\n",
          v->counters.allocs, v->counters.frees, v->counters.failures, v->counters.deferred,
          vmalloc_nr_pages());
    return 0;
}

static int show_at(int argc, char **argv)
{
    vaddr_t address;

    if (argc != 3)
        return COMMAND_USAGE;
    if (view_parse_address(argv[2], &address))
        return -EINVAL;
    if (!is_vmalloc_addr((void *)address)) {
        print("%#lx is not in the vmalloc region; `whatis` knows all regions\n", address);
        return -ENOENT;
    }
    whatis_vmalloc(address);
    return 0;
}

static int run_purge(void)
{
    struct vmalloc *v = &kernel_vmalloc;
    u64 areas = v->flush.count, pages = v->flush.lazy_pages, merges = v->space.stats.merges;

    vm_unmap_aliases();
    print("%lu lazy area%s (%lu page%s) flushed and given back, %lu merges with free neighbours\n",
          areas, view_plural(areas), pages, view_plural(pages), v->space.stats.merges - merges);
    return 0;
}

static const char *const subcommands[] = {"at",    "check",  "designs", "layout", "list",
                                          "purge", "ranges", "stats",   "tree",   NULL};

static const char *vmap_complete(int index, unsigned n)
{
    return index == 1 ? view_complete(subcommands, n) : NULL;
}

static int vmap_run(int argc, char **argv)
{
    const char *sub = argc > 1 ? argv[1] : "";

    if (strcmp(sub, "layout") == 0 && argc == 2)
        return show_layout();
    if (strcmp(sub, "designs") == 0 && argc == 2)
        return show_designs();
    if (!kernel_vmalloc.ready) {
        print("the vmap space is not initialised yet\n");
        return -EAGAIN;
    }
    if (argc == 1)
        return show_overview();
    if (strcmp(sub, "list") == 0)
        return show_list(argc, argv);
    if (strcmp(sub, "ranges") == 0 && argc == 2)
        return show_ranges();
    if (strcmp(sub, "tree") == 0)
        return show_tree(argc, argv);
    if (strcmp(sub, "check") == 0)
        return run_check(argc, argv);
    if (strcmp(sub, "at") == 0)
        return show_at(argc, argv);
    if (strcmp(sub, "stats") == 0 && argc == 2)
        return show_stats();
    if (strcmp(sub, "purge") == 0 && argc == 2)
        return run_purge();
    return COMMAND_USAGE;
}
COMMAND(
    vmap, "vmap", vmap_run, vmap_complete,
    "vmap [list [all] | ranges | tree [busy] [ADDR] | check [0..3] | at ADDR | designs | layout | stats | "
    "purge]",
    "the kernel's address space for vmalloc: a picture and a table of every range\n"
    "  list [all]        the table alone; all: runs of equal areas unmerged\n"
    "  ranges            one line per range, to be read by programs (/proc/vmap)\n"
    "  tree [busy] ADDR  the red-black tree of free (busy) areas, with the search path to ADDR\n"
    "  check [LEVEL]     verify every invariant now; or set how often the kernel does, 0 to 3\n"
    "  at ADDR           the area at an address, or the one that was there\n"
    "  designs           the allocators that can be chosen with vmap= at boot\n"
    "  layout            all regions of the address space\n"
    "  stats, purge      counters; flush the TLB now and free what waited for it");
