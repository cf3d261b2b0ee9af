// SPDX-License-Identifier: MIT
/*
 * From the boot loader's module to a root file system, once. States: none, waiting (its frames are reserved and
 * managed by nobody), unpacked (they are the buddy's). See the header for why so late.
 */
#include "proc/rootfs.h"

#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/layout.h"
#include "proc/file.h"

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

/* A frame that is RAM and that nobody was given: what only the archive can have kept out of the buddy. */
static bool is_left_over(pfn_t pfn)
{
    return buddy_covers(&kernel_buddy, pfn) && kernel_buddy.pages[pfn].state == PAGE_UNMANAGED;
}

/* The frames to the buddy: whole pages only, since others may have put something beside it. */
static u64 give_frames_back(void)
{
    pfn_t pfn = (archive_start + PAGE_SIZE - 1) >> PAGE_SHIFT;
    pfn_t end = archive_end >> PAGE_SHIFT;
    u64 given = 0;

    while (pfn < end) {
        pfn_t first = pfn;
        while (pfn < end && is_left_over(pfn))
            pfn++;
        buddy_add_range(&kernel_buddy, first, pfn);
        given += pfn - first;
        if (pfn == first)
            pfn++;
    }
    return given;
}

int rootfs_mount(void)
{
    if (archive_end == 0)
        return -ENOENT;
    if (unpacked)
        return 0;
    u64 size = archive_end - archive_start;
    int err = ramfs_unpack(phys_to_virt(archive_start), size);
    unpacked =
        true; /* also when it was damaged: what came before the damage is there, and a second try no better */
    log_info("rootfs: %lu KiB unpacked, %lu pages given back", size / KIB, give_frames_back());
    return err;
}
