// SPDX-License-Identifier: MIT
/*
 * execve(): copy the strings out of the old space, load the new program, and only then let the old one go: other
 * threads end, handlers are forgotten, descriptors with close-on-exec are closed.
 */
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "proc/exec.h"
#include "proc/file.h"
#include "proc/fpu.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define PATH_SIZE 4096

/* The strings of a NULL-terminated array in the program's memory. A NULL array is an empty one. */
static int copy_array(struct exec_strings *strings, vaddr_t array, bool environment)
{
    for (u64 i = 0; array; i++) {
        vaddr_t text;
        if (copy_from_user(&text, array + i * sizeof(text), sizeof(text)))
            return -EFAULT;
        if (!text)
            break;
        int error = exec_add_user_string(strings, text, environment);
        if (error)
            return error;
    }
    return 0;
}

static int copy_strings(struct exec_strings *strings, vaddr_t argv, vaddr_t envp)
{
    int error = copy_array(strings, argv, false);
    if (!error && strings->argc == 0)
        error = exec_add_string(strings, "", false); /* argv[0] exists, as in Linux */
    return error ? error : copy_array(strings, envp, true);
}

static bool is_alone(void *process)
{
    return ((struct process *)process)->live == 1;
}

/* The others end; the one that calls execve() gets the process' number. */
static void end_other_threads(struct process *process, struct task *task)
{
    process->exec_task = task;
    process_kill_threads(process);
    wait_until(&process->child_exit, is_alone, process);
    process->exec_task = NULL;
    task->tid = process->pid;
}

static void commit(struct program *program)
{
    struct process *process = current_process();
    struct task *task = current_task();
    end_other_threads(process, task);
    signal_actions_exec(process->actions);
    process_commit(process, task, program);
    fd_table_exec(process->files);
    fpu_load(task->fpu);
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static int load_from_user(struct program *program, const char *path, vaddr_t argv, vaddr_t envp)
{
    struct exec_strings strings = {0};
    int error = copy_strings(&strings, argv, envp);
    if (!error)
        error = program_load(program, path, &strings);
    exec_strings_free(&strings);
    return error;
}

static s64 sys_execve(u64 path, u64 argv, u64 envp, u64 d __unused, u64 e __unused, u64 f __unused)
{
    struct program program = {0};
    char *name = kmalloc(PATH_SIZE, GFP_KERNEL);
    if (!name)
        return -ENOMEM;
    s64 result = strncpy_from_user(name, path, PATH_SIZE);
    if (result == 0)
        result = -ENOENT;
    if (result > 0)
        result = load_from_user(&program, name, argv, envp);
    kfree(name);
    if (result < 0)
        return result;
    if (current_process()->exec_task ||
        current_process()->exiting) { /* another thread was faster */
        uspace_put(program.space);
        return -EINTR;
    }
    commit(&program);
    return 0;
}
SYSCALL_FLAGS(execve, 59, SYSCALL_WHOLE_FRAME, "spp");
