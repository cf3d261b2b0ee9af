// SPDX-License-Identifier: MIT
/*
 * wait4() and waitid(): what became of a child. A child is told about once for each change: ended (then it is
 * gone), stopped, continued.
 */
#include "lib/errno.h"
#include "mm/usercopy.h"
#include "proc/process.h"
#include "proc/rusage.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define WNOHANG 1u
#define WUNTRACED 2u
#define WEXITED 4u
#define WCONTINUED 8u
#define WNOWAIT 0x1000000u
#define WAIT4_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | 0xe0000000u) /* __WALL and its kin */
#define STATUS_CONTINUED 0xffff
#define P_ALL 0
#define P_PID 1
#define P_PGID 2

struct wait_request {
    struct process *parent;
    s32 which; /* as wait4()'s pid: -1 any, 0 own group, < -1 a group, > 0 one */
    u32 options;
    struct process *found;
    s32 status;
    bool no_children;
};

static bool matches(const struct wait_request *request, const struct process *child)
{
    if (request->which == -1)
        return true;
    if (request->which == 0)
        return child->pgid == request->parent->pgid;
    return request->which > 0 ? child->pid == request->which : child->pgid == -request->which;
}

static bool has_changed(const struct wait_request *request, struct process *child, s32 *status)
{
    if (child->zombie && request->options & WEXITED) {
        *status = child->exit_status;
        return true;
    }
    if (child->tell_stop && request->options & WUNTRACED) {
        *status = child->stop_signal << 8 | 0x7f;
        return true;
    }
    if (child->tell_continue && request->options & WCONTINUED) {
        *status = STATUS_CONTINUED;
        return true;
    }
    return false;
}

/* True when the wait is over: a child has something to tell, or there is none to wait for. */
static bool look(void *arg)
{
    struct wait_request *request = arg;
    struct process *child;
    request->no_children = true;
    list_for_each_entry(child, &request->parent->children, sibling) {
        if (!matches(request, child))
            continue;
        request->no_children = false;
        if (has_changed(request, child, &request->status)) {
            request->found = child;
            return true;
        }
    }
    return request->no_children;
}

/* 0: request->found says who, or NULL with WNOHANG. -ECHILD, -EINTR. */
static int do_wait(struct wait_request *request)
{
    request->parent = current_process();
    if (request->options & WNOHANG)
        look(request);
    else {
        current_task()->waits_for = "child";
        int error = wait_on(&request->parent->child_exit, look, request, 0);
        current_task()->waits_for = NULL;
        if (error)
            return error;
    }
    return request->no_children ? -ECHILD : 0;
}

static void consume(const struct wait_request *request)
{
    struct process *child = request->found;
    if (request->options & WNOWAIT)
        return;
    if (child->zombie)
        process_reap(child);
    else
        child->tell_stop = child->tell_continue = false;
}

static s64 sys_wait4(u64 which, u64 status, u64 options, u64 usage, u64 e __unused, u64 f __unused)
{
    struct wait_request request = {.which = (s32)which, .options = (u32)options | WEXITED};
    if (options & ~(u64)WAIT4_OPTIONS)
        return -EINVAL;
    int error = do_wait(&request);
    if (error || !request.found)
        return error;
    if (status && copy_to_user(status, &request.status, sizeof(request.status)))
        return -EFAULT;
    if (usage && rusage_to_user(usage, request.found))
        return -EFAULT;
    s32 pid = request.found->pid;
    consume(&request);
    return pid;
}
SYSCALL(wait4, 61, "dpWp");

static s32 which_of(u64 type, u64 id)
{
    return type == P_ALL ? -1 : type == P_PID ? (s32)id : id ? -(s32)id : 0;
}

static s64 sys_waitid(u64 type, u64 id, u64 info, u64 options, u64 usage, u64 f __unused)
{
    struct wait_request request = {.which = which_of(type, id), .options = (u32)options};
    s32 out[32] = {0}; /* siginfo_t: signal, errno, code, -, pid, uid, status */
    if (type > P_PGID || !(options & (WEXITED | WUNTRACED | WCONTINUED)) ||
        options & ~(u64)(WAIT4_OPTIONS | WEXITED | WNOWAIT))
        return -EINVAL;
    int error = do_wait(&request);
    if (error)
        return error;
    if (request.found) {
        s32 status = request.status;
        bool killed = status & 0x7f, stopped = (status & 0xff) == 0x7f;
        out[0] = SIGCHLD;
        out[2] = status == STATUS_CONTINUED ? CLD_CONTINUED
                 : stopped                  ? CLD_STOPPED
                 : killed                   ? CLD_KILLED
                                            : CLD_EXITED;
        out[4] = request.found->pid;
        out[6] = status == STATUS_CONTINUED ? SIGCONT
                 : !stopped && killed       ? status & 0x7f
                                            : status >> 8 & 0xff;
    }
    if (info && copy_to_user(info, out, sizeof(out)))
        return -EFAULT;
    if (usage && request.found && rusage_to_user(usage, request.found))
        return -EFAULT;
    if (request.found)
        consume(&request);
    return 0;
}
SYSCALL(waitid, 247, "ddpxp");
