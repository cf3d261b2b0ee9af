// SPDX-License-Identifier: MIT
/*
 * `vmallocinfo`: Linux's /proc/vmallocinfo to the column, so that what reads one reads the other.
 * One line per busy area in address order, then one per range that waits for its flush:
 *   0xSTART-0xEND SIZE CALLER pages=N phys=0xP ioremap vmalloc vmap user vpages N0=N
 * Sizes are bytes with the guard page; fields that do not apply are absent. From a snapshot.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/commands/snapshot.h"
#include "mm/commands/view.h"

static struct snapshot snapshot;

static void print_busy(const struct range *range)
{
    char line[320];
    size_t at = format_to(line, sizeof(line), "0x%016lx-0x%016lx %7lu", range->start, range->end,
                          range_size(range));

    if (!range->has_vm) {
        print("%s vm_map_ram\n", line);
        return;
    }
    if (range->flags & VM_UNINITIALIZED)
        return;
    bool pages = range->has_pages && range->nr_pages;
    if (range->caller)
        at += format_to(line + at, sizeof(line) - at, " %pS", (void *)range->caller);
    if (pages)
        at += format_to(line + at, sizeof(line) - at, " pages=%lu", range->nr_pages);
    if (range->phys)
        at += format_to(line + at, sizeof(line) - at, " phys=0x%016lx", range->phys);
    at += format_to(
        line + at, sizeof(line) - at, "%s%s%s%s%s", range->flags & VM_IOREMAP ? " ioremap" : "",
        range->flags & VM_ALLOC ? " vmalloc" : "", range->flags & VM_MAP ? " vmap" : "",
        range->flags & VM_USERMAP ? " user" : "", range->array_is_vmalloc ? " vpages" : "");
    /* One node of memory: all pages are on it. */
    if (pages)
        format_to(line + at, sizeof(line) - at, " N0=%lu", range->nr_pages);
    print("%s\n", line);
}

static void print_all(const struct snapshot *s, enum vmap_kind kind)
{
    struct snapshot_cursor cursor;
    const struct range *range;

    snapshot_begin(s, &cursor);
    while ((range = snapshot_next(&cursor)) != NULL && !view_stopped()) {
        if (range->kind != kind)
            continue;
        if (kind == VMAP_BUSY)
            print_busy(range);
        else
            print("0x%016lx-0x%016lx %7lu unpurged vm_area\n", range->start, range->end,
                  range_size(range));
    }
}

static int vmallocinfo_run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    if (!kernel_vmalloc.ready) {
        print("the vmap space is not initialised yet\n");
        return -EAGAIN;
    }
    snapshot_take(&snapshot, &kernel_vmalloc);
    print_all(&snapshot, VMAP_BUSY);
    print_all(&snapshot, VMAP_LAZY);
    u64 lost = snapshot.lost;
    snapshot_release(&snapshot);
    if (!lost)
        return 0;
    log_warn("vmallocinfo: no memory for a complete copy, %lu ranges are missing", lost);
    return -ENOMEM;
}
COMMAND(vmallocinfo, "vmallocinfo", vmallocinfo_run, NULL, "vmallocinfo",
        "every vmalloc area, in the format of Linux's /proc/vmallocinfo");
