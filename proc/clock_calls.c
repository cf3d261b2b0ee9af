// SPDX-License-Identifier: MIT
/*
 * Clocks, sleeping, and the one timer of a process that a shell needs (alarm, ITIMER_REAL). Timers are looked at
 * in the tick, so they are up to 10 ms late. Everything comes from clock_ns(): the realtime clock is the
 * monotonic one, because no RTC is read.
 */
#include "kernel/cpu.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "mm/usercopy.h"
#include "proc/clock.h"
#include "proc/rusage.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME 2
#define CLOCK_THREAD_CPUTIME 3
#define CLOCK_LAST 11
#define TIMER_ABSTIME 1u
#define NS_PER_US 1000UL
#define US_PER_SECOND 1000000UL
#define ITIMER_REAL 0
#define SECONDS_MAX (1UL << 33)

struct seconds {
    s64 seconds, fraction; /* struct timespec or struct timeval */
};

int timespec_from_user(vaddr_t from, u64 *ns)
{
    struct seconds time;
    if (copy_from_user(&time, from, sizeof(time)))
        return -EFAULT;
    if (time.seconds < 0 || time.fraction < 0 || time.fraction >= (s64)NS_PER_SECOND)
        return -EINVAL;
    u64 seconds = (u64)time.seconds > SECONDS_MAX ? SECONDS_MAX : (u64)time.seconds;
    *ns = seconds * NS_PER_SECOND + (u64)time.fraction;
    return 0;
}

static int seconds_to_user(vaddr_t to, u64 ns, u64 unit_ns)
{
    struct seconds time = {(s64)(ns / NS_PER_SECOND), (s64)(ns % NS_PER_SECOND / unit_ns)};
    return copy_to_user(to, &time, sizeof(time)) ? -EFAULT : 0;
}

int timespec_to_user(vaddr_t to, u64 ns)
{
    return seconds_to_user(to, ns, 1);
}

u64 realtime_to_clock(u64 ns)
{
    return ns;
}

static s64 sys_clock_gettime(u64 clock, u64 to, u64 c __unused, u64 d __unused, u64 e __unused,
                             u64 f __unused)
{
    struct task *task = current_task();
    u64 ns = clock_ns();
    if (clock > CLOCK_LAST)
        return -EINVAL;
    if (clock == CLOCK_PROCESS_CPUTIME)
        ns = process_user_ns(task->process) + process_system_ns(task->process);
    else if (clock == CLOCK_THREAD_CPUTIME)
        ns = task->user_ns + task->system_ns;
    return timespec_to_user(to, ns);
}
SYSCALL(clock_gettime, 228, "dp");

static s64 sys_clock_getres(u64 clock, u64 to, u64 c __unused, u64 d __unused, u64 e __unused,
                            u64 f __unused)
{
    if (clock > CLOCK_LAST)
        return -EINVAL;
    return to ? timespec_to_user(to, 1) : 0;
}
SYSCALL(clock_getres, 229, "dp");

static s64 sys_gettimeofday(u64 to, u64 zone, u64 c __unused, u64 d __unused, u64 e __unused,
                            u64 f __unused)
{
    if (zone && clear_user(zone, 2 * sizeof(s32)))
        return -EFAULT;
    return to ? seconds_to_user(to, clock_ns(), NS_PER_US) : 0;
}
SYSCALL(gettimeofday, 96, "pp");

static s64 sys_time(u64 to, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                    u64 f __unused)
{
    s64 now = (s64)(clock_ns() / NS_PER_SECOND);
    if (to && copy_to_user(to, &now, sizeof(now)))
        return -EFAULT;
    return now;
}
SYSCALL(time, 201, "p");

static bool never(void *unused __unused)
{
    return false;
}

/* Until the moment has come. 0, or -EINTR with the rest in *left. */
static s64 sleep_until(u64 deadline_ns, u64 *left)
{
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    current_task()->waits_for = "time";
    current_task()->sleep_deadline_ns = deadline_ns;
    int error = wait_on(&nobody, never, NULL, deadline_ns ? deadline_ns : 1);
    current_task()->waits_for = NULL;
    u64 now = clock_ns();
    *left = deadline_ns > now ? deadline_ns - now : 0;
    return error == -ETIMEDOUT ? 0 : error;
}

static s64 sys_clock_nanosleep(u64 clock, u64 flags, u64 request, u64 rest, u64 e __unused,
                               u64 f __unused)
{
    u64 ns, left;
    if (clock > CLOCK_LAST || clock == CLOCK_THREAD_CPUTIME)
        return -EINVAL;
    int error = timespec_from_user(request, &ns);
    if (error)
        return error;
    bool absolute = flags & TIMER_ABSTIME;
    u64 deadline = absolute ? ns : clock_ns() + ns;
    if (current_task()->resume_sleep)
        deadline = current_task()->sleep_deadline_ns;
    current_task()->resume_sleep = false;
    s64 result = sleep_until(deadline, &left);
    if (result == -EINTR && rest && !absolute && timespec_to_user(rest, left))
        return -EFAULT;
    return result;
}
SYSCALL(clock_nanosleep, 230, "dxpp");

static s64 sys_nanosleep(u64 request, u64 rest, u64 c, u64 d, u64 e, u64 f)
{
    (void)c;
    (void)d;
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, rest, e, f);
}
SYSCALL(nanosleep, 35, "pp");

/* In the tick. */
static bool ring(void *now, struct process *process)
{
    u64 now_ns = *(u64 *)now;
    if (!process->alarm_ns || process->alarm_ns > now_ns)
        return true;
    process->alarm_ns = process->alarm_interval_ns ? now_ns + process->alarm_interval_ns : 0;
    signal_process(process, SIGALRM);
    return true;
}

static void ring_alarms(u64 now_ns)
{
    process_for_each(ring, &now_ns);
}

/* The new timer, and what was left of the old one. */
static u64 set_alarm(u64 span_ns, u64 interval_ns, u64 *old_interval_ns)
{
    struct process *process = current_process();
    u64 now = clock_ns(), old = process->alarm_ns > now ? process->alarm_ns - now : 0;
    tick_hook_register(ring_alarms);
    u64 flags = irq_save();
    *old_interval_ns = process->alarm_interval_ns;
    process->alarm_ns = span_ns ? now + span_ns : 0;
    process->alarm_interval_ns = interval_ns;
    irq_restore(flags);
    return old;
}

static s64 sys_alarm(u64 seconds, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    u64 interval, old = set_alarm((u32)seconds * NS_PER_SECOND, 0, &interval);
    return (s64)((old + NS_PER_SECOND - 1) / NS_PER_SECOND);
}
SYSCALL(alarm, 37, "u");

static int itimer_to_user(vaddr_t to, u64 interval_ns, u64 left_ns)
{
    int error = seconds_to_user(to, interval_ns, NS_PER_US);
    return error ? error : seconds_to_user(to + sizeof(struct seconds), left_ns, NS_PER_US);
}

static int timeval_from_user(vaddr_t from, u64 *ns)
{
    struct seconds time;
    if (copy_from_user(&time, from, sizeof(time)))
        return -EFAULT;
    if (time.seconds < 0 || (u64)time.seconds > SECONDS_MAX || time.fraction < 0 ||
        time.fraction >= (s64)US_PER_SECOND)
        return -EINVAL;
    *ns = (u64)time.seconds * NS_PER_SECOND + (u64)time.fraction * NS_PER_US;
    return 0;
}

static s64 sys_setitimer(u64 which, u64 value, u64 old, u64 d __unused, u64 e __unused,
                         u64 f __unused)
{
    u64 interval = 0, span = 0, old_interval;
    if (which != ITIMER_REAL)
        return -EINVAL;
    int error = value ? timeval_from_user(value, &interval) : 0;
    error = error || !value ? error : timeval_from_user(value + sizeof(struct seconds), &span);
    if (error)
        return error;
    u64 left = set_alarm(span, interval, &old_interval);
    return old ? itimer_to_user(old, old_interval, left) : 0;
}
SYSCALL(setitimer, 38, "dpp");

static s64 sys_getitimer(u64 which, u64 to, u64 c __unused, u64 d __unused, u64 e __unused,
                         u64 f __unused)
{
    const struct process *process = current_process();
    u64 now = clock_ns();
    if (which != ITIMER_REAL)
        return -EINVAL;
    return itimer_to_user(to, process->alarm_interval_ns,
                          process->alarm_ns > now ? process->alarm_ns - now : 0);
}
SYSCALL(getitimer, 36, "dp");
