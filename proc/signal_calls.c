// SPDX-License-Identifier: MIT
/* The system calls about signals: thin, over proc/signal.c and proc/signal_frame.c. */
#include "kernel/time.h"
#include "lib/errno.h"
#include "mm/usercopy.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define MINSIGSTKSZ 2048

static s64 sys_rt_sigaction(u64 signal, u64 wanted, u64 old, u64 size, u64 e __unused,
                            u64 f __unused)
{
    struct signal_action action;
    if (size != sizeof(u64) || signal < 1 || signal > SIGNALS)
        return -EINVAL;
    struct signal_action *slot = &current_process()->actions->action[signal - 1];
    struct signal_action before = *slot;
    if (wanted && copy_from_user(&action, wanted, sizeof(action)))
        return -EFAULT;
    if (wanted && (signal == SIGKILL || signal == SIGSTOP))
        return -EINVAL;
    if (wanted) {
        action.mask &= ~UNBLOCKABLE;
        *slot = action;
    }
    return old && copy_to_user(old, &before, sizeof(before)) ? -EFAULT : 0;
}
SYSCALL(rt_sigaction, 13, "Sppu");

static s64 sys_rt_sigprocmask(u64 how, u64 wanted, u64 old, u64 size, u64 e __unused,
                              u64 f __unused)
{
    struct task *task = current_task();
    u64 set, before = task->blocked;
    if (size != sizeof(u64) || (wanted && how > SIG_SETMASK))
        return -EINVAL;
    if (wanted && copy_from_user(&set, wanted, sizeof(set)))
        return -EFAULT;
    if (wanted && how == SIG_BLOCK)
        task->blocked |= set;
    else if (wanted && how == SIG_UNBLOCK)
        task->blocked &= ~set;
    else if (wanted)
        task->blocked = set;
    task->blocked &= ~UNBLOCKABLE;
    task->work |= signal_pending() ? TASK_WORK_SIGNAL : 0;
    return old && copy_to_user(old, &before, sizeof(before)) ? -EFAULT : 0;
}
SYSCALL(rt_sigprocmask, 14, "dppu");

static s64 sys_rt_sigpending(u64 to, u64 size, u64 c __unused, u64 d __unused, u64 e __unused,
                             u64 f __unused)
{
    struct task *task = current_task();
    u64 pending = (task->pending | task->process->pending) & task->blocked;
    if (size > sizeof(pending))
        return -EINVAL;
    return copy_to_user(to, &pending, size) ? -EFAULT : 0;
}
SYSCALL(rt_sigpending, 127, "pu");

static s64 sys_rt_sigreturn(u64 a __unused, u64 b __unused, u64 c __unused, u64 d __unused,
                            u64 e __unused, u64 f __unused)
{
    struct task *task = current_task();
    struct signal_cause cause = {.code = SI_KERNEL};
    if (!signal_pop_frame(task->frame))
        signal_force(SIGSEGV, &cause);
    return (s64)task->frame->rax; /* what the interrupted code had there */
}
SYSCALL_FLAGS(rt_sigreturn, 15, SYSCALL_WHOLE_FRAME, "");

static bool never(void *unused __unused)
{
    return false;
}

static s64 wait_for_signal(void)
{
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    current_task()->waits_for = "signal";
    int error = wait_on(&nobody, never, NULL, 0);
    current_task()->waits_for = NULL;
    return error;
}

static s64 sys_pause(u64 a __unused, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    return wait_for_signal();
}
SYSCALL(pause, 34, "");

/* Undone on the way to ring 3, after the handlers that the other mask let in. */
int signal_mask_for_call(vaddr_t mask, u64 size)
{
    struct task *task = current_task();
    u64 set;
    if (!mask)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    task->saved_blocked = task->blocked;
    task->restore_blocked = true;
    task->blocked = set & ~UNBLOCKABLE;
    task->work |= TASK_WORK_SIGNAL;
    return 0;
}

static s64 sys_rt_sigsuspend(u64 mask, u64 size, u64 c __unused, u64 d __unused, u64 e __unused,
                             u64 f __unused)
{
    int error = mask ? signal_mask_for_call(mask, size) : -EFAULT;
    return error ? error : wait_for_signal();
}
SYSCALL(rt_sigsuspend, 130, "pu");

struct awaited {
    u64 set;
    int signal;
};

/* One of the set is pending (it may be blocked: that is the point): take it. */
static bool take_awaited(void *arg)
{
    struct awaited *awaited = arg;
    struct task *task = current_task();
    u64 pending = (task->pending | task->process->pending) & awaited->set;
    if (!pending)
        return false;
    awaited->signal = __builtin_ctzl(pending) + 1;
    task->pending &= ~SIGNAL_BIT(awaited->signal);
    task->process->pending &= ~SIGNAL_BIT(awaited->signal);
    return true;
}

/* While it waits, senders wake this task for the set, blocked or not. */
static s64 sys_rt_sigtimedwait(u64 set, u64 info, u64 timeout, u64 size, u64 e __unused,
                               u64 f __unused)
{
    struct task *task = current_task();
    struct awaited awaited = {0};
    u64 ns = 0;
    if (size != sizeof(u64))
        return -EINVAL;
    if (copy_from_user(&awaited.set, set, sizeof(awaited.set)))
        return -EFAULT;
    int error = timeout ? timespec_from_user(timeout, &ns) : 0;
    if (error)
        return error;
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    awaited.set &= ~UNBLOCKABLE; /* nobody can take what ends him */
    task->awaited = awaited.set;
    error = wait_on(&nobody, take_awaited, &awaited, timeout ? clock_ns() + ns + 1 : 0);
    task->awaited = 0;
    if (error)
        return error == -ETIMEDOUT ? -EAGAIN : error;
    const struct signal_cause *cause = &task->process->actions->cause[awaited.signal - 1];
    s32 out[32] = {awaited.signal, 0, cause->code, 0, cause->pid, 0, cause->status};
    return info && copy_to_user(info, out, sizeof(out)) ? -EFAULT : awaited.signal;
}
SYSCALL(rt_sigtimedwait, 128, "pppu");

struct user_stack {
    vaddr_t base;
    s32 flags, pad;
    u64 size;
};

static s64 sys_sigaltstack(u64 wanted, u64 old, u64 c __unused, u64 d __unused, u64 e __unused,
                           u64 f __unused)
{
    struct task *task = current_task();
    struct user_stack stack, before = {.base = task->alternate.base, .size = task->alternate.size};
    bool on_it =
        task->alternate.size && task->frame->rsp - task->alternate.base <= task->alternate.size;
    before.flags = !task->alternate.size ? SS_DISABLE : on_it ? SS_ONSTACK : 0;
    if (wanted && copy_from_user(&stack, wanted, sizeof(stack)))
        return -EFAULT;
    if (wanted && on_it)
        return -EPERM;
    if (wanted && stack.flags & ~(SS_DISABLE | SS_ONSTACK))
        return -EINVAL;
    if (wanted && !(stack.flags & SS_DISABLE) && stack.size < MINSIGSTKSZ)
        return -ENOMEM;
    if (wanted && stack.flags & SS_DISABLE)
        stack.base = stack.size = 0;
    if (wanted)
        task->alternate = (struct signal_stack){stack.base, stack.size};
    return old && copy_to_user(old, &before, sizeof(before)) ? -EFAULT : 0;
}
SYSCALL_FLAGS(sigaltstack, 131, SYSCALL_WHOLE_FRAME, "pp");

struct send_all {
    int signal, found;
};

static bool send_to_each(void *ctx, struct process *process)
{
    struct send_all *all = ctx;
    if (process != current_process() && !signal_process(process, all->signal))
        all->found++;
    return true;
}

static s64 sys_kill(u64 target, u64 signal, u64 c __unused, u64 d __unused, u64 e __unused,
                    u64 f __unused)
{
    s32 pid = (s32)target;
    struct send_all all = {.signal = (int)signal};
    if (signal > SIGNALS)
        return -EINVAL;
    if (pid == 0)
        return signal_group(current_process()->pgid, (int)signal);
    if (pid == -1) {
        process_for_each(send_to_each, &all);
        return all.found ? 0 : -ESRCH;
    }
    if (pid < 0)
        return pid == INT32_MIN ? -ESRCH : signal_group(-pid, (int)signal);
    struct process *process = process_find(pid);
    return process ? signal_process(process, (int)signal) : -ESRCH;
}
SYSCALL(kill, 62, "dS");

static s64 send_to_thread(s32 tgid, s32 tid, u64 signal)
{
    struct task *task = task_find(tid);
    struct signal_cause cause = {.code = SI_TKILL, .pid = current_process()->pid};
    if (tid <= 0 || signal > SIGNALS)
        return -EINVAL;
    if (!task || !task->process || (tgid != -1 && task->process->pid != tgid))
        return -ESRCH;
    if (signal)
        signal_send_task(task, (int)signal, &cause);
    return 0;
}

static s64 sys_tkill(u64 tid, u64 signal, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    return send_to_thread(-1, (s32)tid, signal);
}
SYSCALL(tkill, 200, "dS");

static s64 sys_tgkill(u64 tgid, u64 tid, u64 signal, u64 d __unused, u64 e __unused, u64 f __unused)
{
    return (s32)tgid <= 0 ? -EINVAL : send_to_thread((s32)tgid, (s32)tid, signal);
}
SYSCALL(tgkill, 234, "ddS");
