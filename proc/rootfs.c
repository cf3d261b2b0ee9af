// SPDX-License-Identifier: MIT
/*
 * From the boot loader's module to a root file system, once. States: none, waiting (its frames are reserved and
 * managed by nobody), unpacked (they are the buddy's). See the header for why so late.
 */
#include "proc/rootfs.h"

#include "kernel/param.h"
#include "kernel/printk.h"

#define PART_OF_MEMORY                                                                             \
    5 /* unpacked while packed still there: twice the size, and programs want some, too */

static bool wanted = true;
static bool unpacked;
static paddr_t archive_start, archive_end;

static int set_rootfs(const char *value)
{
    return param_bool(value, &wanted);
}
PARAM(rootfs, "rootfs", set_rootfs,
      "on/off: use the root file system that the boot loader brought");

bool rootfs_keep(paddr_t start, paddr_t end, u64 usable)
{
    u64 size = end - start;

    if (!wanted || size == 0 || archive_end != 0)
        return false;
    if (size > usable / PART_OF_MEMORY) {
        log_info("rootfs: %lu KiB are too much for %lu MiB of memory; no programs", size / KIB,
                 usable / MIB);
        return false;
    }
    archive_start = start;
    archive_end = end;
    return true;
}

u64 rootfs_waiting(void)
{
    return unpacked ? 0 : archive_end - archive_start;
}
