// SPDX-License-Identifier: MIT
/*
 * Who am I: numbers of processes, threads, groups and sessions; users (everybody is root); the name of the
 * system; limits; and the small state that C libraries set at their start.
 */
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "proc/process.h"
#include "proc/random.h"
#include "proc/sched.h"
#include "proc/syscall.h"

#define NO_ARGS                                                                                    \
    u64 a __unused, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused, u64 f __unused
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define LIMITS 16
#define LIMIT_STACK 3
#define LIMIT_PROCESSES 6
#define LIMIT_FILES 7
#define ROBUST_LIST_SIZE 24

static s64 sys_getpid(NO_ARGS)
{
    return current_process()->pid;
}
SYSCALL(getpid, 39, "");

static s64 sys_getppid(NO_ARGS)
{
    const struct process *parent = current_process()->parent;
    return parent ? parent->pid : 0;
}
SYSCALL(getppid, 110, "");

static s64 sys_gettid(NO_ARGS)
{
    return current_task()->tid;
}
SYSCALL(gettid, 186, "");

/* Everybody is root: one function for getuid, geteuid, getgid, getegid. */
static s64 is_root(NO_ARGS)
{
    return 0;
}
#define sys_getuid is_root
#define sys_geteuid is_root
#define sys_getgid is_root
#define sys_getegid is_root
SYSCALL(getuid, 102, "");
SYSCALL(geteuid, 107, "");
SYSCALL(getgid, 104, "");
SYSCALL(getegid, 108, "");

static s64 become(u64 id, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                  u64 f __unused)
{
    return (u32)id == 0 ? 0 : -EPERM;
}
#define sys_setuid become
#define sys_setgid become
SYSCALL(setuid, 105, "u");
SYSCALL(setgid, 106, "u");

static s64 sys_getgroups(u64 size, u64 list __unused, u64 c __unused, u64 d __unused,
                         u64 e __unused, u64 f __unused)
{
    return (s32)size < 0 ? -EINVAL : 0;
}
SYSCALL(getgroups, 115, "dp");

static s64 sys_getpgrp(NO_ARGS)
{
    return current_process()->pgid;
}
SYSCALL(getpgrp, 111, "");

static struct process *named(u64 pid)
{
    return pid ? process_find((s32)pid) : current_process();
}

static s64 sys_getpgid(u64 pid, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                       u64 f __unused)
{
    const struct process *process = named((u32)pid);
    return process ? process->pgid : -ESRCH;
}
SYSCALL(getpgid, 121, "d");

static s64 sys_getsid(u64 pid, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                      u64 f __unused)
{
    const struct process *process = named((u32)pid);
    return process ? process->sid : -ESRCH;
}
SYSCALL(getsid, 124, "d");

struct group_search {
    s32 pgid, sid;
    bool found;
};

static bool in_session(void *ctx, struct process *process)
{
    struct group_search *search = ctx;
    search->found |= process->pgid == search->pgid && process->sid == search->sid;
    return !search->found;
}

/* Into a group of its own, or into one that exists in its session. */
static s64 sys_setpgid(u64 pid, u64 group, u64 c __unused, u64 d __unused, u64 e __unused,
                       u64 f __unused)
{
    struct process *process = named((u32)pid), *self = current_process();
    s32 pgid = (u32)group ? (s32)group : process ? process->pid : 0;
    if (pgid < 0)
        return -EINVAL;
    if (!process || (process != self && process->parent != self))
        return -ESRCH;
    struct group_search search = {.pgid = pgid, .sid = self->sid};
    if (pgid != process->pid)
        process_for_each(in_session, &search);
    if (process->sid == process->pid || process->sid != self->sid ||
        (pgid != process->pid && !search.found))
        return -EPERM;
    process->pgid = pgid;
    return 0;
}
SYSCALL(setpgid, 109, "dd");

static s64 sys_setsid(NO_ARGS)
{
    struct process *process = current_process();
    if (process->pgid == process->pid)
        return -EPERM;
    process->sid = process->pgid = process->pid;
    return process->sid;
}
SYSCALL(setsid, 112, "");

static s64 sys_uname(u64 to, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    static const char fields[6][65] = {
        "Linux", "vitrine", "6.1.0-vitrine", "#1 a kernel under glass", "x86_64", "(none)"};
    return copy_to_user(to, fields, sizeof(fields)) ? -EFAULT : 0;
}
SYSCALL(uname, 63, "p");

struct limit {
    u64 soft, hard;
};

static struct limit limit_of(u64 resource)
{
    if (resource == LIMIT_STACK)
        return (struct limit){8 * MIB, 8 * MIB};
    if (resource == LIMIT_PROCESSES)
        return (struct limit){TASKS_MAX, TASKS_MAX};
    if (resource == LIMIT_FILES)
        return (struct limit){256, 256};
    return (struct limit){~0UL, ~0UL};
}

/* Limits are what they are: setting one is accepted and changes nothing. */
static s64 sys_prlimit64(u64 pid, u64 resource, u64 wanted, u64 old, u64 e __unused, u64 f __unused)
{
    struct limit limit;
    if (!named((u32)pid))
        return -ESRCH;
    if ((u32)resource >= LIMITS)
        return -EINVAL;
    if (wanted && copy_from_user(&limit, wanted, sizeof(limit)))
        return -EFAULT;
    if (wanted && limit.soft > limit.hard)
        return -EINVAL;
    limit = limit_of((u32)resource);
    return old && copy_to_user(old, &limit, sizeof(limit)) ? -EFAULT : 0;
}
SYSCALL(prlimit64, 302, "ddpp");

static s64 sys_getrlimit(u64 resource, u64 to, u64 c __unused, u64 d __unused, u64 e, u64 f)
{
    return sys_prlimit64(0, resource, 0, to, e, f);
}
SYSCALL(getrlimit, 97, "dp");

static s64 sys_setrlimit(u64 resource, u64 from, u64 c __unused, u64 d __unused, u64 e, u64 f)
{
    return sys_prlimit64(0, resource, from, 0, e, f);
}
SYSCALL(setrlimit, 160, "dp");

static s64 sys_sched_yield(NO_ARGS)
{
    schedule();
    return 0;
}
SYSCALL(sched_yield, 24, "");

static s64 sys_sched_getaffinity(u64 pid, u64 size, u64 to, u64 d __unused, u64 e __unused,
                                 u64 f __unused)
{
    u64 mask = 1;
    if (pid && !task_find((s32)pid))
        return -ESRCH;
    if (size < sizeof(mask) || size % sizeof(mask))
        return -EINVAL;
    return copy_to_user(to, &mask, sizeof(mask)) ? -EFAULT : (s64)sizeof(mask);
}
SYSCALL(sched_getaffinity, 204, "dup");

static s64 sys_getcpu(u64 cpu, u64 node, u64 c __unused, u64 d __unused, u64 e __unused,
                      u64 f __unused)
{
    u32 zero = 0;
    if ((cpu && copy_to_user(cpu, &zero, sizeof(zero))) ||
        (node && copy_to_user(node, &zero, sizeof(zero))))
        return -EFAULT;
    return 0;
}
SYSCALL(getcpu, 309, "ppp");

static s64 sys_getrandom(u64 to, u64 size, u64 flags, u64 d __unused, u64 e __unused,
                         u64 f __unused)
{
    u8 bytes[64];
    u64 done = 0;
    if (flags & ~7UL)
        return -EINVAL;
    while (done < size) {
        u64 part = min_u64(size - done, sizeof(bytes));
        random_fill(bytes, part);
        u64 left = copy_to_user(to + done, bytes, part);
        done += part - left;
        if (left || signal_pending())
            break;
    }
    return done || !size ? (s64)done : -EFAULT;
}
SYSCALL(getrandom, 318, "pux");

static s64 sys_set_tid_address(u64 address, u64 b __unused, u64 c __unused, u64 d __unused,
                               u64 e __unused, u64 f __unused)
{
    current_task()->clear_tid = address;
    return current_task()->tid;
}
SYSCALL(set_tid_address, 218, "p");

/* Accepted, because C libraries insist; robust mutexes of a thread that dies are not handed on. */
static s64 sys_set_robust_list(u64 head __unused, u64 size, u64 c __unused, u64 d __unused,
                               u64 e __unused, u64 f __unused)
{
    return size == ROBUST_LIST_SIZE ? 0 : -EINVAL;
}
SYSCALL(set_robust_list, 273, "pu");

static s64 set_base(u64 *base, u32 msr, u64 value)
{
    if (value >= NON_CANONICAL_LOW)
        return -EPERM;
    *base = value;
    wrmsr(msr, value);
    return 0;
}

/* In the kernel the program's GS base waits in the other MSR. */
static s64 sys_arch_prctl(u64 code, u64 value, u64 c __unused, u64 d __unused, u64 e __unused,
                          u64 f __unused)
{
    struct task *task = current_task();
    switch (code) {
    case ARCH_SET_FS:
        return set_base(&task->fs_base, MSR_FS_BASE, value);
    case ARCH_SET_GS:
        return set_base(&task->gs_base, MSR_KERNEL_GS_BASE, value);
    case ARCH_GET_FS:
        return copy_to_user(value, &task->fs_base, sizeof(u64)) ? -EFAULT : 0;
    case ARCH_GET_GS:
        return copy_to_user(value, &task->gs_base, sizeof(u64)) ? -EFAULT : 0;
    default:
        return -EINVAL;
    }
}
SYSCALL(arch_prctl, 158, "xp");

static s64 set_name(vaddr_t from)
{
    struct process *process = current_process();
    char name[sizeof(process->name)];
    s64 length = strncpy_from_user(name, from, sizeof(name));
    if (length == -EFAULT)
        return length;
    name[sizeof(name) - 1] = '\0';
    memset(process->name, 0, sizeof(process->name));
    string_copy(process->name, sizeof(process->name), name);
    task_set_label(current_task());
    return 0;
}

static s64 sys_prctl(u64 option, u64 argument, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    const struct process *process = current_process();
    if (option == PR_SET_NAME)
        return set_name(argument);
    if (option == PR_GET_NAME)
        return copy_to_user(argument, process->name, sizeof(process->name)) ? -EFAULT : 0;
    return -EINVAL;
}
SYSCALL(prctl, 157, "dp");
