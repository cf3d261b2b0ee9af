// SPDX-License-Identifier: MIT
/*
 * fork(), vfork(), clone(): a copy of the caller, or a second thread of it. What is shared and what is copied is
 * said by CLONE_ flags; combinations that no C library uses are refused. The child starts from a copy of
 * the caller's frame with rax = 0. Read next: proc/exit.c.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "proc/file.h"
#include "proc/fpu.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscall.h"

#define CLONE_EXIT_SIGNAL 0xffUL
#define CLONE_VM 0x100UL
#define CLONE_FS 0x200UL
#define CLONE_FILES 0x400UL
#define CLONE_SIGHAND 0x800UL
#define CLONE_VFORK 0x4000UL
#define CLONE_THREAD 0x10000UL
#define CLONE_SYSVSEM 0x40000UL
#define CLONE_SETTLS 0x80000UL
#define CLONE_PARENT_SETTID 0x100000UL
#define CLONE_CHILD_CLEARTID 0x200000UL
#define CLONE_DETACHED 0x400000UL
#define CLONE_CHILD_SETTID 0x1000000UL
#define CLONE_THREAD_SET (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_KNOWN                                                                                \
    (CLONE_EXIT_SIGNAL | CLONE_THREAD_SET | CLONE_VFORK | CLONE_SYSVSEM | CLONE_SETTLS |           \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID)

struct clone_args {
    u64 flags;
    vaddr_t stack, parent_tid, child_tid, tls;
};

static bool flags_make_sense(u64 flags)
{
    if (flags & ~CLONE_KNOWN)
        return false;
    if (flags & CLONE_THREAD)
        return (flags & CLONE_THREAD_SET) == CLONE_THREAD_SET && !(flags & CLONE_VFORK);
    /* A process of its own: memory is shared only while the parent waits for it. */
    return !(flags & (CLONE_SIGHAND | CLONE_FS)) && (!(flags & CLONE_VM) || flags & CLONE_VFORK);
}

static void copy_registers(struct task *child, const struct task *parent)
{
    *child->frame = *parent->frame;
    child->frame->rax = 0;
    child->frame->vector = NO_VECTOR;
    child->fs_base = parent->fs_base;
    child->gs_base = parent->gs_base;
    child->blocked = parent->blocked;
    child->alternate = parent->alternate;
    fpu_save(parent->fpu);
    memcpy(child->fpu, parent->fpu, fpu_size());
}

/* Memory, files and the rest of what a process owns. On failure the parts that exist are put. */
static int copy_process(struct process *child, struct process *parent, u64 flags)
{
    if (flags & CLONE_VM)
        uspace_get(parent->space);
    child->space = flags & CLONE_VM ? parent->space : uspace_fork(parent->space);
    if (!child->space)
        return -ENOMEM;
    if (flags & CLONE_FILES)
        fd_table_get(parent->files);
    child->files = flags & CLONE_FILES ? parent->files : fd_table_copy(parent->files);
    if (!child->files) {
        uspace_put(child->space);
        return -ENOMEM;
    }
    child->cwd = parent->cwd;
    if (child->cwd)
        inode_get(child->cwd);
    child->umask = parent->umask;
    memcpy(child->name, parent->name, sizeof(child->name));
    child->args_start = parent->args_start;
    child->args_end = parent->args_end;
    child->env_start = parent->env_start;
    child->env_end = parent->env_end;
    child->stack_top = parent->stack_top;
    return 0;
}

static void drop_copy(struct process *child)
{
    uspace_put(child->space);
    fd_table_put(child->files);
    if (child->cwd)
        inode_put(child->cwd);
}

/* The new process' first task, not started. NULL: nothing is left of it. */
static struct task *new_process(u64 flags)
{
    struct process *child = process_create(current_process());
    if (!child)
        return NULL;
    if (copy_process(child, current_process(), flags)) {
        process_free(child);
        return NULL;
    }
    struct task *task = task_create(child);
    if (!task) {
        drop_copy(child);
        process_free(child);
    }
    return task;
}

static void undo(struct task *task, bool thread)
{
    struct process *process = task->process;
    task_free(task);
    if (thread)
        return;
    drop_copy(process);
    process_free(process);
}

/* The numbers that the caller wants written: the parent's copy here, the child's in the child's own space. */
static int store_numbers(struct task *task, const struct clone_args *args)
{
    if (args->flags & CLONE_PARENT_SETTID &&
        copy_to_user(args->parent_tid, &task->tid, sizeof(task->tid)))
        return -EFAULT;
    if (!(args->flags & CLONE_CHILD_SETTID))
        return 0;
    struct uspace *own = uspace_current();
    uspace_activate(task->process->space);
    u64 left = copy_to_user(args->child_tid, &task->tid, sizeof(task->tid));
    uspace_activate(own);
    return left ? -EFAULT : 0;
}

static bool is_over(void *flag)
{
    return *(bool *)flag;
}

static s64 start(struct task *task, u64 flags)
{
    s32 tid = task->tid;
    bool over = false;
    if (flags & CLONE_VFORK)
        task->process->vfork_over = &over;
    task_start(task);
    if (flags & CLONE_VFORK)
        wait_until(&current_process()->child_exit, is_over, &over);
    return tid;
}

static s64 do_clone(const struct clone_args *args)
{
    struct task *parent = current_task();
    bool thread = args->flags & CLONE_THREAD;
    if (!flags_make_sense(args->flags))
        return -EINVAL;
    if (task_count() >= TASKS_MAX || (!thread && process_count() >= TASKS_MAX))
        return -EAGAIN;
    struct task *task = thread ? task_create(parent->process) : new_process(args->flags);
    if (!task)
        return -ENOMEM;
    copy_registers(task, parent);
    if (thread)
        task->alternate = (struct signal_stack){0}; /* two cannot stand on one */
    if (args->stack)
        task->frame->rsp = args->stack;
    if (args->flags & CLONE_SETTLS)
        task->fs_base = args->tls;
    if (args->flags & CLONE_CHILD_CLEARTID)
        task->clear_tid = args->child_tid;
    int error = args->flags & CLONE_SETTLS && args->tls >= NON_CANONICAL_LOW ? -EPERM : 0;
    error = error ? error : store_numbers(task, args);
    if (error) {
        undo(task, thread);
        return error;
    }
    task_set_label(task);
    return start(task, args->flags);
}

static s64 sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls, u64 f __unused)
{
    struct clone_args args = {flags, stack, parent_tid, child_tid, tls};
    return do_clone(&args);
}
SYSCALL_FLAGS(clone, 56, SYSCALL_WHOLE_FRAME, "Cpppp");

static s64 sys_fork(u64 a __unused, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                    u64 f __unused)
{
    struct clone_args args = {.flags = SIGCHLD};
    return do_clone(&args);
}
SYSCALL_FLAGS(fork, 57, SYSCALL_WHOLE_FRAME, "");

static s64 sys_vfork(u64 a __unused, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    struct clone_args args = {.flags = CLONE_VFORK | CLONE_VM | SIGCHLD};
    return do_clone(&args);
}
SYSCALL_FLAGS(vfork, 58, SYSCALL_WHOLE_FRAME, "");
