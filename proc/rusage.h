// SPDX-License-Identifier: MIT
/* struct rusage for wait4() and getrusage(). */
#ifndef PROC_RUSAGE_H
#define PROC_RUSAGE_H

#include "proc/task.h"

/* What a process has used. 0 or -EFAULT. */
int rusage_to_user(vaddr_t to, const struct process *process);
/* Nanoseconds of all its threads, ended or not. */
u64 process_user_ns(const struct process *process);
u64 process_system_ns(const struct process *process);

/* Since the boot, for /proc/stat: what processes that have ended had used. */
struct rusage_total {
    u64 user_ns, system_ns;
};
void rusage_ended(const struct process *process); /* it is about to be forgotten */
struct rusage_total rusage_of_ended(void);

#endif
