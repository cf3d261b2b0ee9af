// SPDX-License-Identifier: MIT
/*
 * Birth and end of tasks and processes, for the system calls that cause them. Everything here runs in a
 * task or in the kernel shell, never in an interrupt.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include "proc/task.h"

struct program;

#define TASKS_MAX 1024 /* processes and threads: a fork bomb ends here */

/*
 * A process without tasks, child of `parent` (NULL: of the kernel), with a number and signal actions of its
 * own; space, files and cwd are the caller's to set. NULL: no memory or too many.
 */
struct process *process_create(struct process *parent);
/* Take it off all lists and free it. No task is left; space, files and cwd have been put. */
void process_free(struct process *process);

/* A task with a kernel stack, an FPU area and an empty frame, not started. NULL likewise. The first one of a
 * process has its number. */
struct task *task_create(struct process *process);
void task_free(struct task *task);
/* "task 5 (sh)" after the number or the program has changed. */
void task_set_label(struct task *task);

struct task *task_find(s32 tid);
u32 task_count(void);

/* The current task ends; with the last one of a process the process ends. */
__noreturn void task_exit(void);
/* All threads of the current process end with this status (as wait4() gives it). */
__noreturn void process_exit(s32 status);
/* The same, on the way: the others notice in user_leave(). */
void process_kill_threads(struct process *process);

/* End of a process whose status nobody will ask for. */
void process_reap(struct process *process);

/* A process that is about to run `program` for the first time gets its memory and registers. */
void process_commit(struct process *process, struct task *task, struct program *program);

/* The parent may go on after vfork(). */
void process_vfork_over(struct process *process);

/* `ps`, `maps`, and PID:ADDR for `pt` and `whatis`. Boot, once. */
void process_commands_init(void);

#endif
