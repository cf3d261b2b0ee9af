// SPDX-License-Identifier: MIT
/*
 * The files of /proc that are about the machine. Where the kernel shell has a command that prints Linux's format
 * (meminfo, vmallocinfo, buddyinfo, slabinfo, vmap), the file is that command's text: written once, read in two places.
 */
#include "kernel/command.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "proc/procfs_internal.h"
#include "proc/ramfs.h"
#include "proc/rusage.h"
#include "proc/sched.h"

#define NS_PER_SECOND 1000000000UL
#define NS_PER_HUNDREDTH (NS_PER_SECOND / 100)

static void take(void *ctx, const char *bytes, size_t length)
{
    text_add(ctx, bytes, length);
}

static void command_text(struct text *text, char *word, char *argument)
{
    char *argv[] = {word, argument, NULL};

    print_capture(take, text);
    command_run_words(argument ? 2 : 1, argv);
    print_capture(NULL, NULL);
}

static void line_kb(struct text *text, const char *name, u64 pages)
{
    text_print(text, "%-16s%8lu kB\n", name, pages * (PAGE_SIZE / KIB));
}

/* After what the memory manager knows: what the files take, and what a program could still have. */
static void make_meminfo(struct text *text, struct process *process)
{
    struct ramfs_usage usage = ramfs_usage();

    (void)process;
    command_text(text, "meminfo", NULL);
    line_kb(text, "MemAvailable:", buddy_free_pages(&kernel_buddy));
    line_kb(text, "Buffers:", 0);
    line_kb(text, "Cached:", usage.pages);
    line_kb(text, "Shmem:", usage.pages);
    line_kb(text, "SwapTotal:", 0);
    line_kb(text, "SwapFree:", 0);
}

static void make_vmallocinfo(struct text *text, struct process *process)
{
    (void)process;
    command_text(text, "vmallocinfo", NULL);
}

static void make_buddyinfo(struct text *text, struct process *process)
{
    (void)process;
    command_text(text, "buddyinfo", NULL);
}

static void make_slabinfo(struct text *text, struct process *process)
{
    (void)process;
    command_text(text, "slabinfo", NULL);
}

static void make_vmap(struct text *text, struct process *process)
{
    (void)process;
    command_text(text, "vmap", "ranges");
}

static bool add_busy(void *ctx, struct process *process)
{
    u64 *busy = ctx;

    busy[0] += process_user_ns(process);
    busy[1] += process_system_ns(process);
    return true;
}

/* Of all programs so far; what the kernel shell does for itself counts as idle. */
static void busy_time(u64 *busy)
{
    struct rusage_total ended = rusage_of_ended();

    busy[0] = ended.user_ns;
    busy[1] = ended.system_ns;
    process_for_each(add_busy, busy);
}

static u64 idle_ns(const u64 *busy)
{
    u64 now = clock_ns();
    return now > busy[0] + busy[1] ? now - busy[0] - busy[1] : 0;
}

static void make_uptime(struct text *text, struct process *process)
{
    u64 busy[2], now = clock_ns();

    (void)process;
    busy_time(busy);
    u64 idle = idle_ns(busy);
    text_print(text, "%lu.%02lu %lu.%02lu\n", now / NS_PER_SECOND,
               now % NS_PER_SECOND / NS_PER_HUNDREDTH, idle / NS_PER_SECOND,
               idle % NS_PER_SECOND / NS_PER_HUNDREDTH);
}

struct census {
    u32 processes, running;
    s32 newest;
};

static bool count_one(void *ctx, struct process *process)
{
    struct census *census = ctx;

    census->processes++;
    census->running += process_state(process) == 'R';
    census->newest = process->pid;
    return true;
}

static struct census take_census(void)
{
    struct census census = {0};
    process_for_each(count_one, &census);
    return census;
}

static void make_stat(struct text *text, struct process *process)
{
    struct census census = take_census();
    u64 busy[2];

    (void)process;
    busy_time(busy);
    for (unsigned i = 0; i < 2; i++)
        text_print(text, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", i ? "cpu0" : "cpu ",
                   busy[0] / NS_PER_HUNDREDTH, busy[1] / NS_PER_HUNDREDTH,
                   idle_ns(busy) / NS_PER_HUNDREDTH);
    text_print(text, "intr 0\nctxt %lu\nbtime 0\nprocesses %d\n", sched_switches(), census.newest);
    text_print(text, "procs_running %u\nprocs_blocked 0\n", census.running);
}

/* The averages of a machine that runs one thing at a time are not kept. */
static void make_loadavg(struct text *text, struct process *process)
{
    struct census census = take_census();

    (void)process;
    text_print(text, "0.00 0.00 0.00 %u/%u %d\n", census.running, census.processes, census.newest);
}

static void make_version(struct text *text, struct process *process)
{
    (void)process;
    text_print(text, "Linux version 6.1.0-vitrine (vitrine) #1 a kernel under glass\n");
}

static void make_cmdline(struct text *text, struct process *process)
{
    (void)process;
    text_print(text, "%s\n", kernel_command_line());
}

static void make_mounts(struct text *text, struct process *process)
{
    (void)process;
    text_print(text, "ramfs / tmpfs rw 0 0\nproc /proc proc rw 0 0\n");
}

static void make_filesystems(struct text *text, struct process *process)
{
    (void)process;
    text_print(text, "nodev\ttmpfs\nnodev\tproc\n");
}

static s64 link_self(struct process *process, char *out, u64 size)
{
    struct process *self = current_process();

    (void)process;
    if (!self)
        return -ENOENT;
    u64 length = format_to(out, size, "%d", self->pid);
    return (s64)(length < size ? length : size);
}

static s64 link_mounts(struct process *process, char *out, u64 size)
{
    static const char target[] = "self/mounts";
    u64 length = sizeof(target) - 1 < size ? sizeof(target) - 1 : size;

    (void)process;
    memcpy(out, target, length);
    return (s64)length;
}

void procfs_mounts(struct text *text, struct process *process)
{
    make_mounts(text, process);
}

const struct procfs_file procfs_system_files[] = {
    {.name = "buddyinfo", .mode = S_IFREG | 0444, .make = make_buddyinfo},
    {.name = "cmdline", .mode = S_IFREG | 0444, .make = make_cmdline},
    {.name = "filesystems", .mode = S_IFREG | 0444, .make = make_filesystems},
    {.name = "loadavg", .mode = S_IFREG | 0444, .make = make_loadavg},
    {.name = "meminfo", .mode = S_IFREG | 0444, .make = make_meminfo},
    {.name = "mounts", .mode = S_IFLNK | 0777, .link = link_mounts},
    {.name = "self", .mode = S_IFLNK | 0777, .link = link_self},
    {.name = "slabinfo", .mode = S_IFREG | 0400, .make = make_slabinfo},
    {.name = "stat", .mode = S_IFREG | 0444, .make = make_stat},
    {.name = "uptime", .mode = S_IFREG | 0444, .make = make_uptime},
    {.name = "version", .mode = S_IFREG | 0444, .make = make_version},
    {.name = "vmallocinfo", .mode = S_IFREG | 0400, .make = make_vmallocinfo},
    {.name = "vmap", .mode = S_IFREG | 0444, .make = make_vmap},
};
const u32 procfs_system_count = ARRAY_SIZE(procfs_system_files);
