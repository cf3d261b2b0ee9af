// SPDX-License-Identifier: MIT
/*
 * The kernel's side of vmtop: the statistics of all floors, written into memory that a program can map. One ring for
 * everybody, made when first wanted and freed when nobody has it any more. No lock of its own: processes only, and
 * kernel code is not preempted. Read next: mm/vmstat_wire.h, user/vmtop.c.
 */
#ifndef MM_VMSTAT_H
#define MM_VMSTAT_H

#include "lib/types.h"

struct pagestore;

/* A reference to the pages of the ring, for pagestore_put() or for a mapping to keep. NULL: no memory. May sleep. */
struct pagestore *vmstat_get(void);

/* Take a sample now; its number. The caller has a reference. May sleep. */
u64 vmstat_sample(void);

#endif
