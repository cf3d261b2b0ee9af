// SPDX-License-Identifier: MIT
/* What processes have used: times(), getrusage(), sysinfo(). Time is counted in ticks of 10 ms. */
#include "proc/rusage.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/usercopy.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscall.h"

#define RUSAGE_CHILDREN (-1)
#define NS_PER_US 1000UL

static struct rusage_total ended;

void rusage_ended(const struct process *process)
{
    ended.user_ns += process->user_ns;
    ended.system_ns += process->system_ns;
}

struct rusage_total rusage_of_ended(void)
{
    return ended;
}

u64 process_user_ns(const struct process *process)
{
    u64 sum = process->user_ns;
    const struct task *task;
    list_for_each_entry(task, &process->tasks, member) {
        sum += task->user_ns;
    }
    return sum;
}

u64 process_system_ns(const struct process *process)
{
    u64 sum = process->system_ns;
    const struct task *task;
    list_for_each_entry(task, &process->tasks, member) {
        sum += task->system_ns;
    }
    return sum;
}

struct rusage {
    s64 user_s, user_us, system_s, system_us, max_rss_kib, other[13];
};
_Static_assert(sizeof(struct rusage) == 144, "struct rusage of x86-64 Linux");

static int fill(vaddr_t to, u64 user_ns, u64 system_ns, u64 rss_pages)
{
    struct rusage usage = {
        .user_s = (s64)(user_ns / NS_PER_SECOND),
        .user_us = (s64)(user_ns % NS_PER_SECOND / NS_PER_US),
        .system_s = (s64)(system_ns / NS_PER_SECOND),
        .system_us = (s64)(system_ns % NS_PER_SECOND / NS_PER_US),
        .max_rss_kib = (s64)(rss_pages * PAGE_SIZE / KIB),
    };
    return copy_to_user(to, &usage, sizeof(usage)) ? -EFAULT : 0;
}

int rusage_to_user(vaddr_t to, const struct process *process)
{
    struct uspace_stats stats = {0};
    if (process->space)
        uspace_read_stats(process->space, &stats);
    return fill(to, process_user_ns(process), process_system_ns(process),
                stats.anon_pages + stats.file_pages);
}

static s64 sys_getrusage(u64 who, u64 to, u64 c __unused, u64 d __unused, u64 e __unused,
                         u64 f __unused)
{
    const struct process *process = current_process();
    if ((s32)who == RUSAGE_CHILDREN)
        return fill(to, process->children_ns, 0, 0);
    return (s32)who == 0 || (s32)who == 1 ? rusage_to_user(to, process) : -EINVAL;
}
SYSCALL(getrusage, 98, "dp");

static s64 sys_times(u64 to, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    const struct process *process = current_process();
    u64 tick_ns = NS_PER_SECOND / USER_HZ;
    s64 times[4] = {(s64)(process_user_ns(process) / tick_ns),
                    (s64)(process_system_ns(process) / tick_ns),
                    (s64)(process->children_ns / tick_ns), 0};
    if (to && copy_to_user(to, times, sizeof(times)))
        return -EFAULT;
    return (s64)(clock_ns() / tick_ns);
}
SYSCALL(times, 100, "p");

struct system_info {
    s64 uptime;
    u64 loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    u16 processes, pad;
    u32 pad2;
    u64 total_high, free_high;
    u32 unit, pad3;
};
_Static_assert(sizeof(struct system_info) == 112, "struct sysinfo of x86-64 Linux");

static s64 sys_sysinfo(u64 to, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                       u64 f __unused)
{
    struct system_info info = {
        .uptime = (s64)(clock_ns() / NS_PER_SECOND),
        .total_ram = kernel_buddy.managed * PAGE_SIZE,
        .free_ram = buddy_free_pages(&kernel_buddy) * PAGE_SIZE,
        .processes = (u16)process_count(),
        .unit = 1,
    };
    return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}
SYSCALL(sysinfo, 99, "p");
