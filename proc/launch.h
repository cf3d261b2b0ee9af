// SPDX-License-Identifier: MIT
/* Starting processes from the kernel: tests and boot. The caller is the kernel shell's task. */
#ifndef PROC_LAUNCH_H
#define PROC_LAUNCH_H

#include "proc/task.h"

struct pagestore;

/* Start the ELF program in a store; NULL: it cannot be. Its status must be awaited. */
struct process *process_launch_store(struct pagestore *store, const char *name);

/* Until it has ended; its wait status. The process is gone then. */
s32 process_await(struct process *process);

/* What init= asks for, if anything. Boot, last. */
void init_run(void);

#endif
