// SPDX-License-Identifier: MIT
/*
 * Counters in the formats of Linux's /proc: buddyinfo, meminfo, slabinfo (version 2.1). Each line's
 * columns are Linux's, so scripts for one read the other. Counts that change while they are read
 * are a snapshot without a lock, as they are in Linux. Read next: mm/buddy.h, mm/slab.h.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "mm/buddy.h"
#include "mm/commands/view.h"
#include "mm/slab.h"
#include "mm/uspace.h"
#include "mm/vmalloc_internal.h"

static int buddyinfo_run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    print("Node %d, zone %8s ", 0, "Normal");
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        print("%6lu ", kernel_buddy.areas[order].count);
    print("\n");
    return 0;
}
COMMAND(buddyinfo, "buddyinfo", buddyinfo_run, NULL, "buddyinfo",
        "free blocks of each order 0..10, in the format of Linux's /proc/buddyinfo");

static void print_kb(const char *name, u64 pages)
{
    print("%-16s%8lu kB\n", name, pages << (PAGE_SHIFT - 10));
}

/* Bytes of the direct map by leaf size: [0] 4 KiB, [1] 2 MiB, [2] 1 GiB. */
static bool count_leaf(void *ctx, const struct pt_run *run)
{
    u64 *bytes = ctx;
    if (run->present && run->level <= 2)
        bytes[run->level] += run->size;
    return true;
}

static void print_direct_map(void)
{
    u64 bytes[3] = {0};

    pt_visit(&kernel_pagetable, DIRECT_MAP_BASE, DIRECT_MAP_BASE + DIRECT_MAP_SIZE, count_leaf,
             bytes);
    print_kb("DirectMap4k:", bytes[0] >> PAGE_SHIFT);
    print_kb("DirectMap2M:", bytes[1] >> PAGE_SHIFT);
    print_kb("DirectMap1G:", bytes[2] >> PAGE_SHIFT);
}

static bool add_tables(void *sum, struct uspace *space)
{
    struct uspace_stats stats;

    uspace_read_stats(space, &stats);
    *(u64 *)sum += stats.tables;
    return true;
}

static u64 user_tables(void)
{
    u64 tables = 0;

    uspace_for_each(add_tables, &tables);
    return tables;
}

static int meminfo_run(int argc, char **argv)
{
    struct vmap_stats stats;

    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    stats = vmap_space_stats(&kernel_vmalloc.space);
    print_kb("MemTotal:", kernel_buddy.managed);
    print_kb("MemFree:", buddy_free_pages(&kernel_buddy));
    print_kb("AnonPages:", buddy_use_pages(&kernel_buddy, PAGE_USE_USER));
    print_kb("Slab:", kernel_buddy.use_pages[PAGE_USE_SLAB]);
    print_kb("PageTables:", kernel_pagetable.tables + user_tables());
    print_kb("VmallocTotal:", VMALLOC_SIZE >> PAGE_SHIFT);
    print_kb("VmallocUsed:", vmalloc_nr_pages());
    print_kb("VmallocChunk:", stats.largest_free >> PAGE_SHIFT);
    print_direct_map();
    return 0;
}
COMMAND(meminfo, "meminfo", meminfo_run, NULL, "meminfo",
        "how much memory serves what, in the format of Linux's /proc/meminfo\n"
        "  VmallocUsed counts pages owned by areas; VmallocChunk is the largest free range (Linux\n"
        "  has printed 0 there since 4.4)");

static void print_cache(struct kmem_cache *cache, void *ctx)
{
    (void)ctx;
    print("%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu %6lu\n",
          cache->name, kmem_cache_in_use(cache), cache->slabs * cache->per_slab, cache->stride,
          cache->per_slab, 1U << cache->order, 0U, 0U, 0U, cache->slabs - cache->empty_slabs,
          cache->slabs, 0UL);
}

static int slabinfo_run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    print("slabinfo - version: 2.1\n");
    print("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : "
          "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
          "<sharedavail>\n");
    kmem_cache_for_each(print_cache, NULL);
    return 0;
}
COMMAND(slabinfo, "slabinfo", slabinfo_run, NULL, "slabinfo",
        "every object cache, in the format of Linux's /proc/slabinfo (version 2.1)");
