// SPDX-License-Identifier: MIT
/*
 * Tasks: threads of execution with a kernel stack of their own (from vmalloc, with its guard page); those of a process
 * share one struct process. Task 0 is the kernel shell on the boot stack and has no process. One CPU, round robin;
 * kernel code is not preempted: a task gives way when it sleeps or on its way back to ring 3.
 */
#ifndef PROC_TASK_H
#define PROC_TASK_H

#include "kernel/percpu.h"
#include "kernel/trap.h"
#include "lib/list.h"
#include "lib/types.h"
#include "mm/uspace.h"
#include "proc/signal.h"
#include "proc/wait.h"

/*
 * Who calls whom: entry.asm -> syscall.c -> a SYSCALL(); trap_entry.asm -> trap_user.c. Both leave through
 * user_leave(), which reschedules (sched.c) and delivers signals (signal.c).
 */
struct fd_table;
struct inode;

/* NEW: not started. Nothing wakes it, or it would be in the list of ready tasks twice. */
enum task_state { TASK_NEW, TASK_READY, TASK_RUNNING, TASK_SLEEPING, TASK_STOPPED, TASK_ZOMBIE };

struct process {
    s32 pid, pgid, sid;
    struct process *parent;
    struct list_head children, sibling; /* of parent */
    struct list_head tasks, all;
    struct uspace *space;
    struct fd_table *files; /* proc/file.h */
    struct inode *cwd;
    u32 umask;
    char name[16];                /* last component of the program's path */
    vaddr_t args_start, args_end; /* the command line in its memory, for /proc/PID/cmdline */
    vaddr_t env_start, env_end, stack_top;
    struct signal_actions *actions; /* and who sent what; proc/signal_internal.h */
    u64 pending;                    /* signals to the process as a whole: bit n-1 for signal n */
    struct wait_queue child_exit;   /* a child has changed, a thread has ended, vfork() is over */
    s32 exit_status;                /* as wait4() gives it */
    u64 start_ns, user_ns, system_ns, children_ns; /* user_ns, system_ns: of threads that ended */
    u64 alarm_ns, alarm_interval_ns;               /* SIGALRM when clock_ns() gets there; 0: none */
    u32 live;                                      /* tasks that have not ended */
    bool zombie;                                   /* only the status is left */
    bool exiting;                  /* exit_group(): every thread ends on its way to ring 3 */
    bool awaited;                  /* the kernel shell collects the status */
    bool stopped;                  /* by SIGSTOP and its kin */
    bool tell_stop, tell_continue; /* wait4() has not been told yet */
    s32 stop_signal;
    struct task *exec_task; /* execve() runs here: all other threads end */
    bool *vfork_over;       /* on the stack of the parent that waits in vfork() */
};

#define TASK_WORK_RESCHEDULE 1u
#define TASK_WORK_SIGNAL 2u

struct signal_stack {
    vaddr_t base;
    u64 size;
};

struct task {
    u32 work; /* TASK_WORK_*: to do before ring 3 goes on. First: proc/entry.asm looks at it */
    s32 tid;
    struct process *process; /* NULL: the kernel shell */
    enum task_state state;
    struct list_head ready, member, all;
    vaddr_t stack_low, stack_high, stack_pointer;
    struct trap_frame *frame; /* registers of ring 3 at the top of its stack */
    u64 fs_base, gs_base;
    u64 pending, blocked; /* signals to this thread */
    u64 awaited;          /* rt_sigtimedwait() takes these, blocked or not */
    u64 saved_blocked;    /* sigsuspend(): what to return to */
    bool restore_blocked;
    bool resume_sleep; /* nanosleep() is repeated after a stop: until sleep_deadline_ns */
    u64 sleep_deadline_ns;
    struct signal_stack alternate;
    vaddr_t clear_tid; /* set_tid_address / CLONE_CHILD_CLEARTID */
    void *fpu;         /* FXSAVE or XSAVE area */
    u64 user_ns, system_ns;
    const char *waits_for; /* "pipe", "child" ...: for `ps` */
    char label[32];        /* "task 5 (sh)": the name of its stack in reports */
};

/* The task that runs; never NULL once tasks_init() has been. */
static inline struct task *current_task(void)
{
    return this_cpu()->task;
}

/* NULL in the kernel shell. */
static inline struct process *current_process(void)
{
    return current_task()->process;
}

struct process *process_find(s32 pid);
/* Visit in order of pid; false stops. */
void process_for_each(bool (*visit)(void *ctx, struct process *process), void *ctx);
u32 process_count(void);

/* Signals (numbers as in Linux): to one process, to a group. 0 or -ESRCH. IRQ-safe. */
int signal_process(struct process *process, int signal);
int signal_group(s32 pgid, int signal);
/* Is there no shell in its session that could send SIGCONT to the group (POSIX: orphaned process group)? */
bool signal_group_is_orphaned(s32 pgid);
bool signal_pending(void); /* one that current_task() must act upon */
/* Would it reach nobody in the current process (ignored, or blocked by the current task)? */
bool signal_is_ignored(int signal);
/* ppoll() and its kin: block these (a u64 in the program's memory; 0: leave it) until the call is over. 0, -EINVAL,
 * -EFAULT. */
int signal_mask_for_call(vaddr_t mask, u64 size);

void tasks_init(void);
void schedule(void);

/* Run a program of the root file system in the foreground of the console: what `run` and init= do. Words as argv.
 * Returns its wait status, or -errno when it could not be started. */
int process_run(int argc, char *const *argv);

#endif
