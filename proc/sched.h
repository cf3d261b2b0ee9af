// SPDX-License-Identifier: MIT
/*
 * Which task runs. Round robin over one list; time slices of one tick (10 ms). The tick exists only
 * while there are processes, so that a kernel without programs sees no interrupt that it did not ask for.
 */
#ifndef PROC_SCHED_H
#define PROC_SCHED_H

#include "proc/task.h"

#define TICK_NS 10000000UL
#define USER_HZ 100

void sched_init(void);

/* How often another task has become the one that runs. */
u64 sched_switches(void);

/* Make a sleeping or stopped task ready; nothing for others. Any context. */
void task_wake(struct task *task);

/* A new task whose frame is complete becomes ready; it enters ring 3 when first chosen. */
void task_start(struct task *task);

/* As wait_on(), but no signal ends the wait: what is waited for must come by itself. */
void wait_until(struct wait_queue *queue, bool (*ready)(void *arg), void *arg);

/* The current task ends here: its stack is freed by the next one. */
__noreturn void sched_exit(void);

/* Call at every tick, in interrupt context (proc/alarm.c: timers of processes). Boot. */
void tick_hook_register(void (*hook)(u64 now_ns));

#endif
