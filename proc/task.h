// SPDX-License-Identifier: MIT
/*
 * Tasks: threads of execution with a kernel stack of their own (from vmalloc, with its guard page); those of a process
 * share one struct process. Task 0 is the kernel shell on the boot stack and has no process. One CPU, round robin;
 * kernel code is not preempted: a task gives way when it sleeps or on its way back to ring 3.
 */
#ifndef PROC_TASK_H
#define PROC_TASK_H

#include "kernel/trap.h"
#include "lib/list.h"
#include "lib/types.h"
#include "mm/uspace.h"
#include "proc/signal.h"
#include "proc/wait.h"

struct fd_table;
struct inode;

enum task_state { TASK_READY, TASK_RUNNING, TASK_SLEEPING, TASK_STOPPED, TASK_ZOMBIE };

struct process {
    s32 pid, pgid, sid;
    struct process *parent;
    struct list_head children, sibling; /* of parent */
    struct list_head tasks, all;
    struct uspace *space;
    struct fd_table *files; /* proc/fd.h */
    struct inode *cwd;
    u32 umask;
    char name[16];       /* last component of the program's path */
    vaddr_t args_start, args_end; /* the command line in its memory, for /proc/PID/cmdline */
    vaddr_t env_start, env_end, stack_top;
    struct signal_actions *actions;
    u64 pending;         /* signals to the process as a whole: bit n-1 for signal n */
    struct wait_queue child_exit;
    s32 exit_status;     /* as wait4() gives it */
    u64 start_ns, user_ns, system_ns, children_ns;
    bool zombie;
    /* ... proc/task.c may add */
};

struct task {
    s32 tid;
    struct process *process; /* NULL: the kernel shell */
    enum task_state state;
    struct list_head ready, member;
    vaddr_t stack_low, stack_high, stack_pointer;
    struct trap_frame *frame; /* registers of ring 3 at the top of its stack */
    u64 fs_base;
    u64 pending, blocked;     /* signals to this thread */
    vaddr_t clear_tid;        /* set_tid_address / CLONE_CHILD_CLEARTID */
    void *fpu;                /* FXSAVE or XSAVE area */
    u64 user_ns, system_ns;
    u64 waker_seq;
    const char *waits_for;    /* "pipe", "child" ...: for `ps` */
};

struct task *current_task(void);         /* never NULL */
struct process *current_process(void);   /* NULL in the kernel shell */
struct process *process_find(s32 pid);
/* Visit in order of pid; false stops. */
void process_for_each(bool (*visit)(void *ctx, struct process *process), void *ctx);
u32 process_count(void);

/* Signals (numbers as in Linux): to one process, to a group. 0 or -ESRCH. IRQ-safe. */
int signal_process(struct process *process, int signal);
int signal_group(s32 pgid, int signal);
bool signal_pending(void); /* one that current_task() must act upon */

void tasks_init(void);
void schedule(void);

/* Run a program of the root file system in the foreground of the console: what `run` and init= do. Words as argv.
 * Returns its wait status, or -errno when it could not be started. */
int process_run(int argc, char *const *argv);

#endif
