// SPDX-License-Identifier: MIT
/* The devices of /dev, registered under their numbers. */
#ifndef PROC_DEVICES_H
#define PROC_DEVICES_H

void devices_init(void); /* boot, once */

extern const struct file_ops vmstat_file_ops; /* proc/dev_vmstat.c */

#endif
