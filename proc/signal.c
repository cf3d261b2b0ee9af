// SPDX-License-Identifier: MIT
/*
 * Which signals are pending, for whom, and what happens to them. A signal is a bit: in the process
 * (anybody may take it) or in a task; the task that shall act has TASK_WORK_SIGNAL and is woken. Bits
 * change with interrupts off, because a key sends signals. Read next: proc/signal_frame.c (handlers),
 * proc/signal_calls.c (system calls).
 */
#include "kernel/cpu.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define STOPPING                                                                                   \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define IGNORED_BY_DEFAULT                                                                         \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) | SIGNAL_BIT(SIGCONT))

struct signal_actions *signal_actions_create(const struct signal_actions *from)
{
    struct signal_actions *actions = kzalloc(sizeof(*actions), GFP_KERNEL);
    if (actions && from)
        memcpy(actions->action, from->action, sizeof(actions->action));
    return actions;
}

void signal_actions_free(struct signal_actions *actions)
{
    kfree(actions);
}

void signal_actions_exec(struct signal_actions *actions)
{
    for (int i = 0; i < SIGNALS; i++) {
        vaddr_t handler = actions->action[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;
        actions->action[i] = (struct signal_action){.handler = handler};
    }
}

bool signal_stops(int signal)
{
    return STOPPING & SIGNAL_BIT(signal);
}

static bool is_ignored(const struct process *process, int signal)
{
    vaddr_t handler = process->actions->action[signal - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && IGNORED_BY_DEFAULT & SIGNAL_BIT(signal));
}

static u64 pending_of(const struct task *task)
{
    return (task->pending | task->process->pending) & ~task->blocked;
}

static bool must_end(const struct task *task)
{
    const struct process *process = task->process;
    return process->exiting || (process->exec_task && process->exec_task != task);
}

bool signal_pending(void)
{
    struct task *task = current_task();
    return task->process && (pending_of(task) || must_end(task));
}

bool signal_is_ignored(int signal)
{
    const struct task *task = current_task();
    return task->blocked & SIGNAL_BIT(signal) ||
           task->process->actions->action[signal - 1].handler == SIG_IGN;
}

static void alert(struct task *task)
{
    task->work |= TASK_WORK_SIGNAL;
    if (task->state == TASK_SLEEPING)
        task_wake(task);
}

/* Everybody must look: the process ends, stops or goes on. */
static void alert_all(struct process *process)
{
    struct task *task;
    list_for_each_entry(task, &process->tasks, member) {
        alert(task);
        if (!process->stopped || process->exiting || process->pending & SIGNAL_BIT(SIGKILL))
            task_wake(task);
    }
}

static bool takes(const struct task *task, int signal)
{
    return !(task->blocked & ~task->awaited & SIGNAL_BIT(signal));
}

/* The first thread that takes it; the others leave it alone. */
static struct task *taker(struct process *process, int signal)
{
    struct task *task;
    list_for_each_entry(task, &process->tasks, member) {
        if (takes(task, signal))
            return task;
    }
    return NULL;
}

static void resume(struct process *process)
{
    struct task *task;
    process->pending &= ~STOPPING;
    list_for_each_entry(task, &process->tasks, member) {
        task->pending &= ~STOPPING;
    }
    if (!process->stopped)
        return;
    process->stopped = false;
    process->tell_stop = false;
    process->tell_continue = true;
    alert_all(process);
    if (process->parent) {
        struct signal_cause cause = {.code = CLD_CONTINUED, .pid = process->pid, .status = SIGCONT};
        signal_send(process->parent, SIGCHLD, &cause);
        wake_all(&process->parent->child_exit);
    }
}

/* Effects that do not wait for delivery; false: nothing is left to deliver. */
static bool prepare(struct process *process, struct task *task, int signal,
                    const struct signal_cause *cause)
{
    if (signal == SIGCONT)
        resume(process);
    else if (signal_stops(signal))
        process->pending &= ~SIGNAL_BIT(SIGCONT);
    const struct task *to = task ? task : taker(process, signal);
    bool kept = !to || to->blocked & SIGNAL_BIT(signal);
    if (is_ignored(process, signal) && !kept)
        return false;
    process->actions->cause[signal - 1] = *cause;
    return true;
}

void signal_send(struct process *process, int signal, const struct signal_cause *cause)
{
    u64 flags = irq_save();
    if (!process->zombie && prepare(process, NULL, signal, cause)) {
        struct task *task = taker(process, signal);
        process->pending |= SIGNAL_BIT(signal);
        if (signal == SIGKILL)
            alert_all(process);
        else if (task)
            alert(task);
    }
    irq_restore(flags);
}

void signal_send_task(struct task *task, int signal, const struct signal_cause *cause)
{
    u64 flags = irq_save();
    if (prepare(task->process, task, signal, cause)) {
        if (signal == SIGKILL) { /* no thread dies of it alone */
            task->process->pending |= SIGNAL_BIT(signal);
            alert_all(task->process);
        } else {
            task->pending |= SIGNAL_BIT(signal);
            if (takes(task, signal))
                alert(task);
        }
    }
    irq_restore(flags);
}

void signal_force(int signal, const struct signal_cause *cause)
{
    struct task *task = current_task();
    struct signal_action *action = &task->process->actions->action[signal - 1];
    u64 flags = irq_save();
    if (task->blocked & SIGNAL_BIT(signal) || action->handler == SIG_IGN)
        action->handler = SIG_DFL;
    task->blocked &= ~SIGNAL_BIT(signal);
    task->process->actions->cause[signal - 1] = *cause;
    task->pending |= SIGNAL_BIT(signal);
    task->work |= TASK_WORK_SIGNAL;
    irq_restore(flags);
}

static const struct signal_cause *own_cause(struct signal_cause *cause)
{
    struct process *sender = in_interrupt() ? NULL : current_process();
    *cause = (struct signal_cause){.code = sender ? SI_USER : SI_KERNEL,
                                   .pid = sender ? sender->pid : 0};
    return cause;
}

int signal_process(struct process *process, int signal)
{
    struct signal_cause cause;
    if (process->zombie)
        return -ESRCH;
    if (signal)
        signal_send(process, signal, own_cause(&cause));
    return 0;
}

struct group_send {
    s32 pgid;
    int signal, found;
};

static bool send_to_member(void *ctx, struct process *process)
{
    struct group_send *send = ctx;
    if (process->pgid == send->pgid && !signal_process(process, send->signal))
        send->found++;
    return true;
}

int signal_group(s32 pgid, int signal)
{
    struct group_send send = {.pgid = pgid, .signal = signal};
    u64 flags = irq_save();
    process_for_each(send_to_member, &send);
    irq_restore(flags);
    return send.found ? 0 : -ESRCH;
}

/* Faults first: they belong to the instruction that is about to be run again. */
static int take_signal(struct task *task)
{
    static const u64 synchronous = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) |
                                   SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGKILL);
    u64 flags = irq_save();
    u64 pending = pending_of(task);
    u64 first = pending & synchronous ? pending & synchronous : pending;
    int signal = first ? __builtin_ctzl(first) + 1 : 0;
    if (signal && task->pending & SIGNAL_BIT(signal))
        task->pending &= ~SIGNAL_BIT(signal);
    else if (signal)
        task->process->pending &= ~SIGNAL_BIT(signal);
    irq_restore(flags);
    return signal;
}

static void tell_parent_of_stop(struct process *process)
{
    struct process *parent = process->parent;
    wake_all(&process->child_exit); /* the kernel shell waits here */
    if (!parent)
        return;
    struct signal_cause cause = {
        .code = CLD_STOPPED, .pid = process->pid, .status = process->stop_signal};
    if (!(parent->actions->action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
        signal_send(parent, SIGCHLD, &cause);
    wake_all(&parent->child_exit);
}

static void stop_process(struct process *process, int signal)
{
    u64 flags = irq_save();
    process->stopped = true;
    process->stop_signal = signal;
    process->tell_stop = true;
    process->tell_continue = false;
    struct task *task;
    list_for_each_entry(task, &process->tasks, member) {
        alert(task);
    }
    irq_restore(flags);
    tell_parent_of_stop(process);
}

static void stay_stopped(struct task *task)
{
    irq_disable();
    while (task->process->stopped && !must_end(task) &&
           !((task->process->pending | task->pending) & SIGNAL_BIT(SIGKILL))) {
        task->state = TASK_STOPPED;
        schedule();
    }
    irq_enable();
}

#define CALL_NANOSLEEP 35
#define CALL_SIGTIMEDWAIT 128
#define CALL_CLOCK_NANOSLEEP 230

/* Calls that a handler ends, even with SA_RESTART. */
static bool ends_for_handler(u64 number)
{
    static const u16 numbers[] = {7,   23,  CALL_NANOSLEEP,       34,  CALL_SIGTIMEDWAIT,
                                  130, 202, CALL_CLOCK_NANOSLEEP, 270, 271};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        if (number == numbers[i])
            return true;
    return false;
}

/*
 * A call that a signal ended: make the program repeat its SYSCALL instruction (2 bytes) when it should. Without a
 * handler (it was stopped and goes on) nearly all do; a sleep then ends when it would have ended.
 */
static void restart_call(struct trap_frame *frame, const struct signal_action *action)
{
    u64 number = frame->error_code;
    if (frame->vector != SYSCALL_VECTOR || frame->rax != (u64)-EINTR)
        return;
    if (action ? ends_for_handler(number) || !(action->flags & SA_RESTART)
               : number == CALL_SIGTIMEDWAIT)
        return;
    current_task()->resume_sleep = number == CALL_NANOSLEEP || number == CALL_CLOCK_NANOSLEEP;
    frame->rip -= 2;
    frame->rax = number;
    frame->vector = NO_VECTOR; /* once */
}

static void run_handler(struct trap_frame *frame, int signal)
{
    struct task *task = current_task();
    struct signal_action *slot = &task->process->actions->action[signal - 1];
    struct signal_action action = *slot;
    struct signal_cause cause = task->process->actions->cause[signal - 1];
    u64 blocked = task->restore_blocked ? task->saved_blocked : task->blocked;
    task->restore_blocked = task->resume_sleep = false;
    restart_call(frame, &action);
    if (action.flags & SA_RESETHAND)
        slot->handler = SIG_DFL;
    if (!signal_push_frame(frame, signal, &action, &cause, blocked)) {
        fault_teach(frame, SIGSEGV, &cause);
        process_exit(SIGSEGV);
    }
    task->blocked |= action.mask | (action.flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
    task->blocked &= ~UNBLOCKABLE;
}

/* A parent of the group's session, but not of the group, could let this member go on again; so could the kernel shell
 * when it waits for the member. */
static bool has_keeper(void *ctx, struct process *process)
{
    struct group_send *group = ctx;
    const struct process *parent = process->parent;
    bool kept =
        process->pgid == group->pgid &&
        (parent ? parent->sid == process->sid && parent->pgid != group->pgid : process->awaited);
    group->found += kept;
    return !kept;
}

bool signal_group_is_orphaned(s32 pgid)
{
    struct group_send group = {.pgid = pgid};
    process_for_each(has_keeper, &group);
    return group.found == 0;
}

/* The terminal stops nobody whom no shell could wake. */
static void do_default(struct trap_frame *frame, int signal)
{
    struct process *process = current_process();
    if (IGNORED_BY_DEFAULT & SIGNAL_BIT(signal))
        return;
    if (signal_stops(signal)) {
        if (signal == SIGSTOP || !signal_group_is_orphaned(process->pgid))
            stop_process(process, signal);
        return;
    }
    fault_teach(frame, signal, &process->actions->cause[signal - 1]);
    process_exit(signal);
}

/* One after the other until none is left or a handler shall run: each handler has its own frame. */
void signal_deliver(struct trap_frame *frame)
{
    struct task *task = current_task();
    for (;;) {
        if (must_end(task))
            task_exit();
        stay_stopped(task);
        int signal = take_signal(task);
        if (!signal)
            break;
        if (strace_enabled)
            strace_signal(signal);
        vaddr_t handler = task->process->actions->action[signal - 1].handler;
        if (signal == SIGKILL || handler == SIG_DFL)
            do_default(frame, signal);
        else if (handler != SIG_IGN)
            run_handler(frame, signal);
    }
    restart_call(frame, NULL);
    if (task->restore_blocked) {
        task->blocked = task->saved_blocked;
        task->restore_blocked = false;
    }
}
