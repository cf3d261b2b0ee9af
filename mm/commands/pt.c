// SPDX-License-Identifier: MIT
/*
 * `pt ADDR`, `pt PID:ADDR`: one translation as the processor makes it, level by level: where each entry lies, its
 * value, what its bits mean, where the walk stopped and why, and what all levels together permit.
 * Reads only. Read next: mm/pgtable.h for the bits, mm/commands/ptdump.c for the whole tree.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "mm/commands/place.h"
#include "mm/commands/view.h"
#include "mm/commands/whatis.h"
#include "mm/fault.h"
#include "mm/layout.h"
#include "mm/pgtable.h"

static const char *const level_names[PT_LEVELS] = {"PTE", "PMD", "PUD", "PGD"};

static void print_levels(vaddr_t address, const struct pt_walk *walk)
{
    char meaning[160];

    print("%slevel  index  entry at          value             meaning%s\n", color(COLOR_BOLD),
          color(COLOR_RESET));
    for (unsigned level = PT_LEVELS; level-- > walk->stopped_at;) {
        bool missing = level == walk->stopped_at && !walk->present;
        pte_describe(walk->value[level], level, meaning, sizeof(meaning));
        print("%s    %5u  %016lx  %016lx  %s%s%s\n", level_names[level], pt_index(address, level),
              (u64)walk->entry[level], walk->value[level], missing ? color(COLOR_RED) : "", meaning,
              missing ? color(COLOR_RESET) : "");
    }
}

static void print_result(const struct pt_walk *walk)
{
    u64 leaf = 1UL << walk->leaf_shift;

    if (!walk->present) {
        u64 span = 1UL << pt_level_shift(walk->stopped_at);
        print("stopped  at the %s: its present bit is 0, so nothing of these %pM is mapped\n",
              level_names[walk->stopped_at], (void *)&span);
        return;
    }
    print("result   physical %#lx, in a page of %pM\n", walk->physical, (void *)&leaf);
    print("allowed  read%s%s, %s (all levels combined)\n",
          walk->writable ? ", write" : ", no write",
          walk->executable ? ", execute" : ", no execute",
          walk->user ? "user and kernel" : "kernel only");
}

static int pt_run_command(int argc, char **argv)
{
    struct place_named place;
    struct pt_walk walk;

    if (argc != 2)
        return COMMAND_USAGE;
    if (place_parse(argv[1], &place))
        return -EINVAL;
    vaddr_t address = place.address;
    if (!address_is_canonical(address)) {
        print("%#lx is not canonical: bits 63..47 differ, the page tables are never asked\n",
              address);
        return -EINVAL;
    }
    const struct layout_region *region = layout_find(address);
    print("address  %#lx, %s; root table (CR3) at physical %#lx\n", address,
          region ? region->name : "outside of every region", place.tables->root);
    pt_walk(place.tables, address, &walk);
    print_levels(address, &walk);
    print_result(&walk);
    return 0;
}
COMMAND(pt, "pt", pt_run_command, NULL, "pt [PID:]ADDR|SYMBOL",
        "walk the page tables for one address, the kernel's or a process', every level decoded");
