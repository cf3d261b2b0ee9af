// SPDX-License-Identifier: MIT
/*
 * Owns all tasks and processes: creation, numbers, lists. Lists change with interrupts off, because
 * signals (from a key) and reports of stack overflow walk them in interrupts. A task has a kernel stack
 * from vmalloc: the guard page of the area below it, or a hole, is what an overflow hits.
 * Read next: proc/sched.c, proc/fork.c, proc/exit.c.
 */
#include "proc/task.h"
#include "kernel/cpu.h"
#include "kernel/time.h"
#include "lib/assert.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "proc/fpu.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define STACK_SIZE (16 * KIB)
#define PID_MAX 32767
#define USER_CODE (0x20 | 3)
#define USER_DATA (0x18 | 3)

extern u8 task_enter[];

/* What switch_stacks() takes off a stack that it loads for the first time. */
struct first_switch {
    u64 r15, r14, r13, r12, rbx, rbp;
    vaddr_t enter;
};

static struct list_head all_processes = LIST_HEAD_INIT(all_processes); /* by pid */
static struct list_head all_tasks = LIST_HEAD_INIT(all_tasks);
static u32 tasks_count, processes_count;
static s32 last_pid;

u32 process_count(void)
{
    return processes_count;
}

u32 task_count(void)
{
    return tasks_count;
}

struct task *task_find(s32 tid)
{
    struct task *task;
    list_for_each_entry(task, &all_tasks, all) {
        if (task->tid == tid)
            return task;
    }
    return NULL;
}

struct process *process_find(s32 pid)
{
    struct process *process;
    list_for_each_entry(process, &all_processes, all) {
        if (process->pid == pid)
            return process;
    }
    return NULL;
}

void process_for_each(bool (*visit)(void *ctx, struct process *process), void *ctx)
{
    struct process *process, *next;
    list_for_each_entry_safe(process, next, &all_processes, all) {
        if (!visit(ctx, process))
            return;
    }
}

/* A number is in use as long as anybody can name it: also as a group or a session. */
static bool pid_in_use(s32 pid)
{
    struct process *process;
    if (task_find(pid))
        return true;
    list_for_each_entry(process, &all_processes, all) {
        if (process->pid == pid || process->pgid == pid || process->sid == pid)
            return true;
    }
    return false;
}

static s32 pid_take(void)
{
    do
        last_pid = last_pid >= PID_MAX ? 1 : last_pid + 1;
    while (pid_in_use(last_pid));
    return last_pid;
}

static void insert_by_pid(struct process *process)
{
    struct list_head *at = &all_processes;
    while (at->prev != &all_processes &&
           list_entry(at->prev, struct process, all)->pid > process->pid)
        at = at->prev;
    list_add_tail(&process->all, at);
}

struct process *process_create(struct process *parent)
{
    if (tasks_count >= TASKS_MAX || processes_count >= TASKS_MAX) /* zombies have a number, too */
        return NULL;
    struct process *process = kzalloc(sizeof(*process), GFP_KERNEL);
    if (!process)
        return NULL;
    process->actions = signal_actions_create(parent ? parent->actions : NULL);
    if (!process->actions) {
        kfree(process);
        return NULL;
    }
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->tasks);
    wait_queue_init(&process->child_exit);
    process->start_ns = clock_ns();
    u64 flags = irq_save();
    process->pid = pid_take();
    process->parent = parent;
    process->pgid = parent ? parent->pgid : process->pid;
    process->sid = parent ? parent->sid : process->pid;
    if (parent)
        list_add_tail(&process->sibling, &parent->children);
    insert_by_pid(process);
    processes_count++;
    irq_restore(flags);
    return process;
}

void process_free(struct process *process)
{
    ASSERT(list_empty(&process->tasks), "process %d is freed with tasks", process->pid);
    u64 flags = irq_save();
    if (process->parent)
        list_del(&process->sibling);
    list_del(&process->all);
    processes_count--;
    irq_restore(flags);
    signal_actions_free(process->actions);
    kfree(process);
}

void task_set_label(struct task *task)
{
    format_to(task->label, sizeof(task->label), "task %d (%s)", task->tid, task->process->name);
}

/* The stack as switch_stacks() and task_enter expect it: the frame at the top, the switch below. */
static void prepare_stack(struct task *task)
{
    task->frame = (struct trap_frame *)(task->stack_high - sizeof(*task->frame));
    memset(task->frame, 0, sizeof(*task->frame));
    task->frame->cs = USER_CODE;
    task->frame->ss = USER_DATA;
    task->frame->rflags = RFLAGS_IF;
    struct first_switch *first = (struct first_switch *)task->frame - 1;
    *first = (struct first_switch){.enter = (vaddr_t)task_enter};
    task->stack_pointer = (vaddr_t)first;
}

static bool allocate_parts(struct task *task)
{
    task->fpu = fpu_create();
    task->stack_low = (vaddr_t)vmalloc(STACK_SIZE);
    task->stack_high = task->stack_low + STACK_SIZE;
    return task->fpu && task->stack_low;
}

static void free_parts(struct task *task)
{
    fpu_free(task->fpu);
    vfree((void *)task->stack_low);
    kfree(task);
}

struct task *task_create(struct process *process)
{
    struct task *task = tasks_count < TASKS_MAX ? kzalloc(sizeof(*task), GFP_KERNEL) : NULL;
    if (!task)
        return NULL;
    if (!allocate_parts(task)) {
        free_parts(task);
        return NULL;
    }
    prepare_stack(task);
    u64 flags = irq_save();
    task->process = process;
    task->tid = process->live ? pid_take() : process->pid;
    task->state = TASK_NEW;
    list_add_tail(&task->member, &process->tasks);
    list_add_tail(&task->all, &all_tasks);
    process->live++;
    tasks_count++;
    irq_restore(flags);
    task_set_label(task);
    return task;
}

/* Off the process' list it may be already: then task_exit() has counted it out there. */
void task_free(struct task *task)
{
    u64 flags = irq_save();
    if (task->process) {
        list_del(&task->member);
        task->process->live--;
    }
    list_del(&task->all);
    tasks_count--;
    irq_restore(flags);
    free_parts(task);
}

/* For reports: the stack that overflowed has a name. */
static bool find_stack(vaddr_t address, struct stack_info *out)
{
    struct task *task;
    list_for_each_entry(task, &all_tasks, all) {
        if (address < task->stack_low - PAGE_SIZE || address >= task->stack_high)
            continue;
        *out = (struct stack_info){.name = task->label,
                                   .low = task->stack_low,
                                   .high = task->stack_high,
                                   .is_guard = address < task->stack_low};
        return true;
    }
    return false;
}

void tasks_init(void)
{
    fpu_init();
    sched_init();
    stack_finder_register(find_stack);
    trap_user_init();
    syscall_init();
    process_commands_init();
}
