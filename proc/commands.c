// SPDX-License-Identifier: MIT
/* `ps`, `kill`, `maps`: processes as the kernel shell sees them. They read; only `kill` changes anything. */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/commands/place.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/rusage.h"
#include "proc/signal_internal.h"

static const char *state_name(const struct process *process)
{
    static const char *const names[] = {
        [TASK_NEW] = "new",         [TASK_READY] = "ready",     [TASK_RUNNING] = "running",
        [TASK_SLEEPING] = "sleeps", [TASK_STOPPED] = "stopped", [TASK_ZOMBIE] = "ending",
    };
    if (process->zombie)
        return "zombie";
    if (list_empty(&process->tasks))
        return "ending";
    return names[list_entry(process->tasks.next, struct task, member)->state];
}

static const char *waits_for(const struct process *process)
{
    if (list_empty(&process->tasks))
        return "";
    const char *what = list_entry(process->tasks.next, struct task, member)->waits_for;
    return what ? what : "";
}

static bool print_process(void *ctx __unused, struct process *process)
{
    struct uspace_stats stats = {0};
    if (process->space)
        uspace_read_stats(process->space, &stats);
    u64 ms = (process_user_ns(process) + process_system_ns(process)) / 1000000;
    print("%5d %5d %5d %7u %-8s %-8s %8lu %8lu %5lu.%02lu  %s\n", process->pid,
          process->parent ? process->parent->pid : 0, process->pgid, process->live,
          state_name(process), waits_for(process), stats.mapped_pages * 4,
          (stats.anon_pages + stats.file_pages) * 4, ms / 1000, ms % 1000 / 10, process->name);
    return true;
}

static int run_ps(int argc, char **argv __unused)
{
    if (argc > 1)
        return COMMAND_USAGE;
    print("  pid  ppid group threads state    waits    mapped/K present/K     time  program\n");
    process_for_each(print_process, NULL);
    if (!process_count())
        print("no processes: `run PROGRAM &` starts one in the background\n");
    return 0;
}
COMMAND(ps, "ps", run_ps, NULL, "ps", "the processes: state, memory, time");

static struct process *process_named(const char *text)
{
    u64 pid;
    struct process *process =
        parse_size(text, &pid) == 0 && pid <= INT32_MAX ? process_find((s32)pid) : NULL;
    if (!process)
        print("no process %s: see `ps`\n", text);
    return process;
}

static struct uspace *space_of(u64 pid)
{
    struct process *process = pid <= INT32_MAX ? process_find((s32)pid) : NULL;
    return process ? process->space : NULL;
}

/* `pt` and `whatis` take PID:ADDR. */
void process_commands_init(void)
{
    place_set_finder(space_of);
}

static int run_kill(int argc, char **argv)
{
    int signal = argc == 3 ? signal_parse(argv[2]) : SIGTERM;
    if (argc < 2 || argc > 3 || !signal)
        return COMMAND_USAGE;
    struct process *process = process_named(argv[1]);
    return process ? signal_process(process, signal) : -ESRCH;
}
COMMAND(kill, "kill", run_kill, NULL, "kill PID [SIGNAL]",
        "send a signal to a process (SIGTERM; names or numbers)");

static void print_area(const struct vma *vma)
{
    print("%012lx-%012lx %c%c%c%c %8lu KiB  gap below %12lu KiB  %s\n", vma->start, vma->end,
          vma->prot & PROT_READ ? 'r' : '-', vma->prot & PROT_WRITE ? 'w' : '-',
          vma->prot & PROT_EXEC ? 'x' : '-', vma->flags & MAP_SHARED ? 's' : 'p',
          (vma->end - vma->start) / KIB, vma->gap / KIB,
          vma->name    ? vma->name
          : vma->store ? "(file)"
                       : "");
}

static int run_maps(int argc, char **argv)
{
    if (argc != 2)
        return COMMAND_USAGE;
    struct process *process = process_named(argv[1]);
    if (!process || !process->space)
        return -ESRCH;
    struct uspace_stats stats;
    uspace_read_stats(process->space, &stats);
    print("%d (%s): brk and stack included\n", process->pid, process->name);
    for (struct vma *vma = uspace_first(process->space); vma;
         vma = uspace_next(process->space, vma))
        print_area(vma);
    print(
        "%lu areas, %lu KiB mapped; present: %lu anonymous, %lu of files, %lu tables; %lu faults, "
        "%lu pages copied on write\n",
        stats.areas, stats.mapped_pages * 4, stats.anon_pages, stats.file_pages, stats.tables,
        stats.faults, stats.cow_copies);
    const char *broken = uspace_check(process->space);
    print("%s\n", broken ? broken : "all invariants hold (U1..U8)");
    return 0;
}
COMMAND(maps, "maps", run_maps, NULL, "maps PID", "the areas of a process' address space");
