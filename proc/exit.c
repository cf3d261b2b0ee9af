// SPDX-License-Identifier: MIT
/*
 * The end of threads and processes. A thread ends alone; with the last one its process gives back memory, files
 * and children, and stays as a zombie until the parent has asked for the status. Orphans belong to the
 * kernel, which asks for nothing: they vanish at once. Read next: proc/wait_calls.c.
 */
#include "kernel/cpu.h"
#include "lib/assert.h"
#include "mm/usercopy.h"
#include "proc/file.h"
#include "proc/futex.h"
#include "proc/process.h"
#include "proc/rusage.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

void process_vfork_over(struct process *process)
{
    u64 flags = irq_save();
    if (process->vfork_over) {
        *process->vfork_over = true;
        process->vfork_over = NULL;
        wake_all(&process->parent->child_exit);
    }
    irq_restore(flags);
}

/* Another thread may wait in pthread_join() for this word to become 0. */
static void clear_tid(struct task *task)
{
    s32 zero = 0;
    if (!task->clear_tid || task->process->live == 1)
        return;
    if (copy_to_user(task->clear_tid, &zero, sizeof(zero)) == 0)
        futex_wake_address(task->clear_tid);
}

void process_reap(struct process *process)
{
    ASSERT(process->zombie, "process %d is reaped alive", process->pid);
    if (process->parent)
        process->parent->children_ns +=
            process->user_ns + process->system_ns + process->children_ns;
    rusage_ended(process);
    process_free(process);
}

/* The kernel adopts: the dead are buried, the living will be when they die. */
static void orphan_children(struct process *process)
{
    struct process *child, *next;
    list_for_each_entry_safe(child, next, &process->children, sibling) {
        u64 flags = irq_save();
        list_del(&child->sibling);
        child->parent = NULL;
        irq_restore(flags);
        if (child->zombie)
            process_reap(child);
    }
}

static bool parent_does_not_care(const struct process *parent)
{
    const struct signal_action *action = &parent->actions->action[SIGCHLD - 1];
    return action->handler == SIG_IGN || action->flags & SA_NOCLDWAIT;
}

/* Last words; the process may be gone when this returns. */
static void tell_parent(struct process *process)
{
    struct process *parent = process->parent;
    s32 status = process->exit_status;
    struct signal_cause cause = {.code = status & 0x7f ? CLD_KILLED : CLD_EXITED,
                                 .pid = process->pid,
                                 .status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff};
    bool unwanted = parent ? parent_does_not_care(parent) : !process->awaited;
    process->zombie = true;
    wake_all(&process->child_exit); /* the kernel shell waits here */
    if (unwanted)
        process_reap(process);
    if (!parent)
        return;
    signal_send(parent, SIGCHLD, &cause);
    wake_all(&parent->child_exit);
}

/* With the terminal's owner its session ends. */
static bool hang_up(void *leader, struct process *process)
{
    struct process *dead = leader;
    if (process != dead && process->sid == dead->pid) {
        signal_process(process, SIGHUP);
        signal_process(process, SIGCONT);
    }
    return true;
}

static void end_process(struct process *process)
{
    struct uspace *space = process->space;
    if (strace_enabled)
        strace_end(process->exit_status);
    fd_table_put(process->files);
    process->files = NULL;
    if (process->cwd)
        inode_put(process->cwd);
    process->cwd = NULL;
    uspace_activate(NULL);
    process->space = NULL;
    uspace_put(space);
    process_vfork_over(process);
    orphan_children(process);
    if (process->sid == process->pid)
        process_for_each(hang_up, process);
    tell_parent(process);
}

/* Off the process, but still running on its stack: current_process() is NULL from here on. */
static u32 leave_process(struct task *task)
{
    struct process *process = task->process;
    u64 flags = irq_save();
    list_del(&task->member);
    process->user_ns += task->user_ns;
    process->system_ns += task->system_ns;
    task->process = NULL;
    u32 left = --process->live;
    irq_restore(flags);
    return left;
}

__noreturn void task_exit(void)
{
    struct task *task = current_task();
    struct process *process = task->process;
    clear_tid(task);
    irq_disable();
    if (leave_process(task) == 0) {
        irq_enable();
        end_process(process);
    } else {
        uspace_activate(NULL);
        wake_all(&process->child_exit); /* execve() counts */
    }
    sched_exit();
}

void process_kill_threads(struct process *process)
{
    struct task *task;
    u64 flags = irq_save();
    list_for_each_entry(task, &process->tasks, member) {
        if (task == current_task())
            continue;
        task->work |= TASK_WORK_SIGNAL;
        task_wake(task);
    }
    irq_restore(flags);
}

__noreturn void process_exit(s32 status)
{
    struct process *process = current_process();
    if (!process->exiting) {
        process->exiting = true;
        process->exit_status = status;
        process_kill_threads(process);
    }
    task_exit();
}

static s64 sys_exit(u64 status, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                    u64 f __unused)
{
    if (!current_process()->exiting)
        current_process()->exit_status = (s32)(status & 0xff) << 8;
    task_exit();
}
SYSCALL_FLAGS(exit, 60, SYSCALL_WHOLE_FRAME, "d");

static s64 sys_exit_group(u64 status, u64 b __unused, u64 c __unused, u64 d __unused,
                          u64 e __unused, u64 f __unused)
{
    process_exit((s32)(status & 0xff) << 8);
}
SYSCALL_FLAGS(exit_group, 231, SYSCALL_WHOLE_FRAME, "d");
