// SPDX-License-Identifier: MIT
/* /proc: made when it is looked at. See proc/procfs.c. */
#ifndef PROC_PROCFS_H
#define PROC_PROCFS_H

#include "proc/inode.h"

struct inode *procfs_root(void); /* borrowed; lives for ever */

#endif
