// SPDX-License-Identifier: MIT
/*
 * The archive that becomes the root file system: where the boot loader left it, whether there is room for it, and the
 * moment when it is unpacked: at the first look for a program, not at boot, so that who never leaves ring 0 does not
 * pay for it. After that its frames belong to the buddy. No lock: boot, then the first user alone.
 */
#ifndef PROC_ROOTFS_H
#define PROC_ROOTFS_H

#include "lib/types.h"

/*
 * Boot, before anything is reserved: shall the module at [start, end) stay in memory? No with rootfs=off, or when it
 * takes more than a fifth of `usable` bytes of RAM (one line in the log says so). Remembers the first that may.
 */
bool rootfs_keep(paddr_t start, paddr_t end, u64 usable);

/* Unpack it, once. 0; -ENOENT there is none; what ramfs_unpack() says. May sleep. */
int rootfs_mount(void);

/* Bytes of the archive that waits to be unpacked: 0 when there is none or it has been. */
u64 rootfs_waiting(void);

#endif
