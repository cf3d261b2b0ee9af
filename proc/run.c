// SPDX-License-Identifier: MIT
/*
 * Programs from the kernel shell: `run PROGRAM ARGS` in the foreground of the console, `run PROGRAM ARGS &` in
 * the background, and init= instead of the shell. The kernel shell is task 0; it sleeps until the program
 * has ended. Read next: proc/exec.c.
 */
#include "kernel/command.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "proc/exec.h"
#include "proc/file.h"
#include "proc/launch.h"
#include "proc/rootfs.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"

static char init_path[128];

static const char *const environment[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/",
                                          "TERM=xterm", "PS1=# "};

static int gather(struct exec_strings *strings, int argc, char *const *argv)
{
    int error = 0;
    for (int i = 0; i < argc && !error; i++)
        error = exec_add_string(strings, argv[i], false);
    for (unsigned i = 0; i < ARRAY_SIZE(environment) && !error; i++)
        error = exec_add_string(strings, environment[i], true);
    return error;
}

/* A process around a loaded program; takes over its space. */
static struct process *dress(struct program *program)
{
    struct process *process = process_create(NULL);
    struct fd_table *files = process ? fd_table_create() : NULL;
    struct task *task = NULL;
    if (files && fd_table_open_console(files) == 0)
        task = task_create(process);
    if (!task) {
        if (files)
            fd_table_put(files);
        if (process)
            process_free(process);
        uspace_put(program->space);
        return NULL;
    }
    process->files = files;
    process->umask = 022;
    process->awaited = true;
    process_commit(process, task, program);
    return process;
}

static void start(struct process *process)
{
    task_start(list_entry(process->tasks.next, struct task, member));
}

static bool has_ended(void *process)
{
    return ((struct process *)process)->zombie;
}

s32 process_await(struct process *process)
{
    wait_until(&process->child_exit, has_ended, process);
    s32 status = process->exit_status;
    process_reap(process);
    return status;
}

static bool has_ended_or_stopped(void *process)
{
    return has_ended(process) || ((struct process *)process)->stopped;
}

/* A program that somebody has stopped gives the console back: it goes on in the background when continued. */
static s32 await_or_leave(struct process *process)
{
    wait_until(&process->child_exit, has_ended_or_stopped, process);
    if (has_ended(process))
        return process_await(process);
    process->awaited = false;
    print("[%d] %s is stopped; `kill %d CONT` lets it go on\n", process->pid, process->name,
          process->pid);
    return 0;
}

static s32 run_in_foreground(struct process *process)
{
    s32 pgid = process->pgid;
    tty_lend(true);
    tty_set_foreground(pgid);
    start(process);
    s32 status = await_or_leave(process);
    tty_set_foreground(0);
    tty_lend(false);
    return status;
}

/* Through PATH unless the name has a slash. */
static int load(struct program *program, const char *name, struct exec_strings *strings)
{
    static const char *const directories[] = {"/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"};
    char path[160];
    int error = -ENOENT;
    if (strchr(name, '/'))
        return program_load(program, name, strings);
    for (unsigned i = 0; i < ARRAY_SIZE(directories) && error == -ENOENT; i++) {
        if (format_to(path, sizeof(path), "%s%s", directories[i], name) >= sizeof(path))
            return -ENAMETOOLONG;
        error = program_load(program, path, strings);
    }
    return error;
}

static int launch(int argc, char *const *argv, struct process **out)
{
    struct exec_strings strings = {0};
    struct program program;
    int error = rootfs_mount();
    error = error ? error : gather(&strings, argc, argv);
    if (!error)
        error = load(&program, argv[0], &strings);
    exec_strings_free(&strings);
    if (error)
        return error;
    *out = dress(&program);
    return *out ? 0 : -ENOMEM;
}

struct process *process_launch_store(struct pagestore *store, const char *name)
{
    struct exec_strings strings = {0};
    struct program program;
    int error = exec_add_string(&strings, name, false);
    if (!error)
        error = program_load_store(&program, store, name, &strings);
    exec_strings_free(&strings);
    struct process *process = error ? NULL : dress(&program);
    if (process)
        start(process);
    return process;
}

int process_run(int argc, char *const *argv)
{
    struct process *process;
    int error = launch(argc, argv, &process);
    return error ? error : run_in_foreground(process);
}

static int run_in_background(int argc, char *const *argv)
{
    struct process *process;
    int error = launch(argc, argv, &process);
    if (error)
        return error;
    process->awaited = false;
    print("[%d] %s\n", process->pid, process->name);
    start(process);
    return 0;
}

static void tell_status(const char *name, s32 status)
{
    if (status & 0x7f)
        print("%s: ended by %s\n", name, signal_name(status & 0x7f));
    else if (status)
        print("%s: exit status %d\n", name, status >> 8 & 0xff);
}

static void tell_error(const char *name, int error)
{
    print("run: %s: %s\n", name, errno_name(error));
    if (error == -ENOEXEC)
        print(
            "It is no static program for x86-64: a dynamic one needs an interpreter, and there is none.\n");
    if (error == -ENOENT && rootfs_mount() == -ENOENT)
        print("There is no root file system: the boot loader brought no module. `make run` and\n"
              "`make fast` bring one; without it everything but programs works.\n");
}

static int run_run(int argc, char **argv)
{
    bool background = argc > 2 && strcmp(argv[argc - 1], "&") == 0;
    if (argc < 2)
        return COMMAND_USAGE;
    int result =
        background ? run_in_background(argc - 2, argv + 1) : process_run(argc - 1, argv + 1);
    if (result < 0)
        tell_error(argv[1], result);
    else if (!background)
        tell_status(argv[1], result);
    return result;
}
COMMAND(run, "run", run_run, NULL, "run PROGRAM [ARGS] [&]",
        "run a program of the root file system; Ctrl-C reaches it\n"
        "With & it runs in the background while the shell waits for keys: see `ps`.");

void init_run(void)
{
    char *argv[] = {init_path, NULL};
    if (!init_path[0])
        return;
    int result = process_run(1, argv);
    if (result < 0)
        tell_error(init_path, result);
    else
        tell_status(init_path, result);
}

static int set_init(const char *value)
{
    if (!value[0] || strlen(value) >= sizeof(init_path))
        return -EINVAL;
    string_copy(init_path, sizeof(init_path), value);
    return 0;
}
PARAM(init, "init", set_init, "PATH: run this program first; when it ends the kernel shell begins");
