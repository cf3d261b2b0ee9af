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

#endif
