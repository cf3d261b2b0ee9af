// SPDX-License-Identifier: MIT
/*
 * Starting and stopping the event log of the kernel's own memory: rings from the buddy, the design's
 * second compilation into the space, and, for a reader at the other end of the channel, how things
 * stand. For boot/main.c and the `trace` command. Read next: mm/event.h.
 */
#ifndef MM_COMMANDS_TRACE_H
#define MM_COMMANDS_TRACE_H

#include "mm/event.h"

#define TRACE_RECORDS 4096 /* of each CPU, where memory permits */

/* Record kinds in `mask`. 0; -ENOMEM no memory for a ring; -ENOSYS compiled out. */
int trace_start(u64 mask);
void trace_stop(void);

/* The design that the space had when the event was recorded. */
const char *trace_design_name(const struct event *event);

/* Forget what was recorded; while the log is off also give the rings back. */
void trace_clear(void);

/* Boot, after the devices: start at once when `trace=` says so, or when somebody listens. */
void trace_boot(void);

/* What the log keeps of one operation: `first` .. `last` are numbers of records of `cpu`. */
struct trace_found {
    u32 cpu, operation;
    u64 first, last;
    bool cut; /* its beginning has been overwritten */
};

/* The operation of that number, or with 0 the one that ended last. False: not in the rings. */
bool trace_find(u32 operation, struct trace_found *out);

#endif
