// SPDX-License-Identifier: MIT
/*
 * The files of /proc/PID, in Linux's formats: what ps, top and a curious student read. A zombie has no memory any more
 * (space is NULL): its files are short or empty. Read next: proc/procfs_maps.c.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/uspace.h"
#include "proc/path.h"
#include "proc/procfs_internal.h"
#include "proc/ramfs.h"
#include "proc/rusage.h"
#include "proc/signal_internal.h"
#include "proc/tty.h"

#define NS_PER_HUNDREDTH 10000000UL
#define CHUNK 256u
#define TTY_NUMBER 1281 /* the console's device number, 5:1 */

static struct task *first_task(const struct process *process)
{
    return list_empty(&process->tasks) ? NULL
                                       : list_entry(process->tasks.next, struct task, member);
}

char process_state(const struct process *process)
{
    struct task *task;
    char state = 'S';

    if (process->zombie || list_empty(&process->tasks))
        return 'Z';
    list_for_each_entry(task, &process->tasks, member) {
        if (task->state == TASK_RUNNING || task->state == TASK_READY)
            return 'R';
        if (task->state == TASK_STOPPED)
            state = 'T';
    }
    return state;
}

static u32 thread_count(const struct process *process)
{
    const struct list_head *at;
    u32 n = 0;

    list_for_each(at, &process->tasks)
        n++;
    return n;
}

static struct uspace_stats memory_of(const struct process *process)
{
    struct uspace_stats stats = {0};

    if (process->space)
        uspace_read_stats(process->space, &stats);
    return stats;
}

static u64 resident(const struct uspace_stats *stats)
{
    return stats->anon_pages + stats->file_pages;
}

struct signal_sets {
    u64 pending, blocked, ignored, caught;
};

static struct signal_sets signals_of(const struct process *process)
{
    struct task *task = first_task(process);
    struct signal_sets sets = {.pending = process->pending};

    if (task) {
        sets.pending |= task->pending;
        sets.blocked = task->blocked;
    }
    for (int n = 1; process->actions && n <= SIGNALS; n++) {
        vaddr_t handler = process->actions->action[n - 1].handler;
        if (handler == SIG_IGN)
            sets.ignored |= SIGNAL_BIT(n);
        else if (handler != SIG_DFL)
            sets.caught |= SIGNAL_BIT(n);
    }
    return sets;
}

static s32 parent_pid(const struct process *process)
{
    return process->parent ? process->parent->pid : 0;
}

/* The first twelve fields are what ps reads; the rest keeps its place. */
static void make_stat(struct text *text, struct process *process)
{
    struct uspace_stats memory = memory_of(process);
    struct signal_sets signals = signals_of(process);

    text_print(text, "%d (%s) %c %d %d %d %d %d 0 %lu 0 0 0 ", process->pid, process->name,
               process_state(process), parent_pid(process), process->pgid, process->sid, TTY_NUMBER,
               tty_foreground(), memory.faults);
    text_print(text, "%lu %lu %lu 0 20 0 %u 0 %lu %lu %lu %lu ",
               process_user_ns(process) / NS_PER_HUNDREDTH,
               process_system_ns(process) / NS_PER_HUNDREDTH,
               process->children_ns / NS_PER_HUNDREDTH, thread_count(process),
               process->start_ns / NS_PER_HUNDREDTH, memory.mapped_pages * PAGE_SIZE,
               resident(&memory), UINT64_MAX);
    text_print(text, "0 0 %lu 0 0 %lu %lu %lu %lu 0 0 0 17 0 0 0 0 0 0 ", process->stack_top,
               signals.pending, signals.blocked, signals.ignored, signals.caught);
    text_print(text, "0 0 0 %lu %lu %lu %lu %d\n", process->args_start, process->args_end,
               process->env_start, process->env_end, process->exit_status);
}

static void make_statm(struct text *text, struct process *process)
{
    struct uspace_stats memory = memory_of(process);

    text_print(text, "%lu %lu %lu 0 0 %lu 0\n", memory.mapped_pages, resident(&memory),
               memory.file_pages, memory.mapped_pages);
}

static const char *state_name(char state)
{
    switch (state) {
    case 'R':
        return "R (running)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "S (sleeping)";
    }
}

static void line_kb(struct text *text, const char *name, u64 pages)
{
    text_print(text, "%s:\t%8lu kB\n", name, pages * (PAGE_SIZE / KIB));
}

static void status_memory(struct text *text, const struct process *process)
{
    struct uspace_stats memory = memory_of(process);

    if (!process->space)
        return;
    line_kb(text, "VmSize", memory.mapped_pages);
    line_kb(text, "VmRSS", resident(&memory));
    line_kb(text, "RssAnon", memory.anon_pages);
    line_kb(text, "RssFile", memory.file_pages);
    line_kb(text, "VmPTE", memory.tables);
    line_kb(text, "VmSwap", 0);
}

static void make_status(struct text *text, struct process *process)
{
    struct signal_sets signals = signals_of(process);

    text_print(text, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", process->name, process->umask,
               state_name(process_state(process)));
    text_print(text, "Tgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", process->pid, process->pid,
               parent_pid(process));
    text_print(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t0\n");
    status_memory(text, process);
    text_print(text, "Threads:\t%u\n", thread_count(process));
    text_print(text, "ShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
               signals.pending, signals.blocked, signals.ignored, signals.caught);
}

/* What the program's own memory says; the part that is not present (never touched) is left out. */
static void add_memory(struct text *text, struct process *process, vaddr_t start, vaddr_t end)
{
    char bytes[CHUNK];

    while (process->space && start < end) {
        u64 wanted = min_u64(end - start, sizeof(bytes));
        u64 n = uspace_peek(process->space, start, bytes, wanted);
        text_add(text, bytes, n);
        if (n < wanted)
            break;
        start += n;
    }
}

static void make_cmdline(struct text *text, struct process *process)
{
    add_memory(text, process, process->args_start, process->args_end);
}

static void make_environ(struct text *text, struct process *process)
{
    add_memory(text, process, process->env_start, process->env_end);
}

static void make_comm(struct text *text, struct process *process)
{
    text_print(text, "%s\n", process->name);
}

/* The program is the file that is mapped lowest. */
static const char *program_path(struct process *process)
{
    struct vma *vma = process->space ? uspace_first(process->space) : NULL;

    for (; vma; vma = uspace_next(process->space, vma))
        if (vma->store && vma->name && vma->name[0] == '/')
            return vma->name;
    return NULL;
}

static s64 copy_cut(const char *from, char *out, u64 size)
{
    u64 length = min_u64(strlen(from), size);

    memcpy(out, from, length);
    return (s64)length;
}

static s64 link_exe(struct process *process, char *out, u64 size)
{
    const char *path = program_path(process);
    return path ? copy_cut(path, out, size) : -ENOENT;
}

static s64 link_cwd(struct process *process, char *out, u64 size)
{
    char path[512];

    if (!process->cwd)
        return -ENOENT;
    inode_path(process->cwd, path, sizeof(path));
    return copy_cut(path, out, size);
}

static struct inode *follow_cwd(struct process *process)
{
    if (process->cwd)
        inode_get(process->cwd);
    return process->cwd;
}

static s64 link_root(struct process *process, char *out, u64 size)
{
    (void)process;
    return copy_cut("/", out, size);
}

const struct procfs_file procfs_process_files[] = {
    {.name = "cmdline", .mode = S_IFREG | 0444, .make = make_cmdline},
    {.name = "comm", .mode = S_IFREG | 0444, .make = make_comm},
    {.name = "cwd", .mode = S_IFLNK | 0777, .link = link_cwd, .follow = follow_cwd},
    {.name = "environ", .mode = S_IFREG | 0400, .make = make_environ},
    {.name = "exe", .mode = S_IFLNK | 0777, .link = link_exe},
    {.name = "maps", .mode = S_IFREG | 0444, .make = procfs_maps},
    {.name = "mounts", .mode = S_IFREG | 0444, .make = procfs_mounts},
    {.name = "root", .mode = S_IFLNK | 0777, .link = link_root},
    {.name = "smaps", .mode = S_IFREG | 0444, .make = procfs_smaps},
    {.name = "stat", .mode = S_IFREG | 0444, .make = make_stat},
    {.name = "statm", .mode = S_IFREG | 0444, .make = make_statm},
    {.name = "status", .mode = S_IFREG | 0444, .make = make_status},
};
const u32 procfs_process_count = ARRAY_SIZE(procfs_process_files);
