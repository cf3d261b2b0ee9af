// SPDX-License-Identifier: MIT
/*
 * Owns the list of ready tasks, the list of those that wait with a deadline, and the tick. Interrupts
 * are off while the lists change (one CPU runs tasks, so that is the lock); wakers may be interrupt
 * handlers. A task in the list has state READY and no other has. When nobody is ready, whoever called
 * schedule() halts in its own context until an interrupt wakes somebody: there is no idle task.
 * Read next: proc/entry.asm (switch_stacks), proc/task.c.
 */
#include "proc/sched.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/gdt.h"
#include "kernel/percpu.h"
#include "kernel/time.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "proc/fpu.h"
#include "proc/process.h"

#define SHORTEST_WAIT_NS 50000UL

void switch_stacks(vaddr_t *save, vaddr_t load);
void task_started(struct trap_frame *frame);

/* One sleep; on the sleeper's stack. */
struct waiter {
    struct list_head link, timed; /* timed: only with a deadline */
    struct task *task;
    u64 deadline_ns;
};

static struct list_head ready_tasks = LIST_HEAD_INIT(ready_tasks);
static struct list_head timed_waiters = LIST_HEAD_INIT(timed_waiters);
static struct task kernel_task = {.state = TASK_RUNNING, .label = "kernel shell"};
static struct task *corpse; /* has ended; its stack was in use until the switch */
static bool tick_armed;
static u64 switches;
static void (*tick_hook)(u64 now_ns);

void tick_hook_register(void (*hook)(u64 now_ns))
{
    tick_hook = hook;
}

u64 sched_switches(void)
{
    return switches;
}

void task_wake(struct task *task)
{
    u64 flags = irq_save();
    if (task->state == TASK_SLEEPING || task->state == TASK_STOPPED) {
        task->state = TASK_READY;
        list_add_tail(&task->ready, &ready_tasks);
    }
    irq_restore(flags);
}

static void tick(void *unused);

/* To the next tick, or to the next deadline if that comes first. */
static void arm_tick(void)
{
    if (tick_armed || !process_count())
        return;
    u64 now = clock_ns(), wait = TICK_NS;
    struct waiter *waiter;
    list_for_each_entry(waiter, &timed_waiters, timed) {
        u64 left = waiter->deadline_ns > now ? waiter->deadline_ns - now : 0;
        wait = min_u64(wait, max_u64(left, SHORTEST_WAIT_NS));
    }
    tick_armed = timer_once(wait, tick, NULL) == 0;
}

static void wake_expired(u64 now)
{
    struct waiter *waiter;
    list_for_each_entry(waiter, &timed_waiters, timed) {
        if (waiter->deadline_ns <= now)
            task_wake(waiter->task);
    }
}

static void tick(void *unused __unused)
{
    struct task *task = current_task();
    u64 now = clock_ns();
    tick_armed = false;
    if (task->process && task->state == TASK_RUNNING)
        task->work |= TASK_WORK_RESCHEDULE;
    wake_expired(now);
    if (tick_hook)
        tick_hook(now);
    arm_tick();
}

/* Nothing is ready: sleep until an interrupt changes that. Without a timer, watch the clock instead. */
static struct task *pick_next(void)
{
    while (list_empty(&ready_tasks)) {
        arm_tick();
        if (tick_armed || list_empty(&timed_waiters)) {
            cpu_wait_for_interrupt();
        } else {
            irq_enable();
            cpu_relax();
        }
        irq_disable();
        if (!tick_armed)
            wake_expired(clock_ns());
    }
    struct task *next = list_entry(ready_tasks.next, struct task, ready);
    list_del(&next->ready);
    return next;
}

/* Runs first in the task that was switched to. */
static void finish_switch(void)
{
    struct task *dead = corpse;
    corpse = NULL;
    if (dead)
        task_free(dead);
}

static void switch_to(struct task *prev, struct task *next)
{
    struct uspace *space = next->process ? next->process->space : NULL;
    if (prev->fpu)
        fpu_save(prev->fpu);
    if (space != uspace_current())
        uspace_activate(space);
    if (next->process) {
        fpu_load(next->fpu);
        wrmsr(MSR_FS_BASE, next->fs_base);
        wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
        gdt_set_entry_stack(next->stack_high);
    }
    this_cpu()->task = next;
    switches++;
    switch_stacks(&prev->stack_pointer, next->stack_pointer);
    finish_switch();
}

void schedule(void)
{
    ASSERT(!in_interrupt(), "schedule() in an interrupt (depth %u)", this_cpu()->irq_depth);
    u64 flags = irq_save();
    struct task *prev = current_task();
    if (prev->state == TASK_RUNNING) {
        prev->state = TASK_READY;
        list_add_tail(&prev->ready, &ready_tasks);
    }
    arm_tick();
    struct task *next = pick_next();
    next->state = TASK_RUNNING;
    if (next != prev)
        switch_to(prev, next);
    irq_restore(flags);
}

/* From task_enter in proc/entry.asm: the second half of the switch that chose it. */
void task_started(struct trap_frame *frame __unused)
{
    finish_switch();
    irq_enable();
}

void task_start(struct task *task)
{
    u64 flags = irq_save();
    ASSERT(task->state == TASK_NEW, "%s is started in state %d", task->label, task->state);
    task->state = TASK_READY;
    list_add_tail(&task->ready, &ready_tasks);
    irq_restore(flags);
}

__noreturn void sched_exit(void)
{
    struct task *task = current_task();
    irq_disable();
    ASSERT(!corpse, "two tasks end at once: %s", task->label);
    task->state = TASK_ZOMBIE;
    corpse = task;
    schedule();
    ASSERT(false, "%s runs after its end", task->label);
    cpu_halt_forever();
}

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->waiters);
}

static int sleep_result(const struct waiter *waiter, bool interruptible)
{
    if (interruptible && signal_pending())
        return -EINTR;
    if (waiter->deadline_ns && clock_ns() >= waiter->deadline_ns)
        return -ETIMEDOUT;
    return 0;
}

/* Interrupts stay off from the look at the condition to the switch: no wake-up can fall between. */
static int sleep_on(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 deadline_ns,
                    bool interruptible)
{
    struct waiter waiter = {.task = current_task(), .deadline_ns = deadline_ns};
    int result = 0;
    u64 flags = irq_save();
    list_add_tail(&waiter.link, &queue->waiters);
    if (deadline_ns)
        list_add_tail(&waiter.timed, &timed_waiters);
    while (!ready(arg) && (result = sleep_result(&waiter, interruptible)) == 0) {
        waiter.task->state = TASK_SLEEPING;
        schedule();
    }
    list_del(&waiter.link);
    if (deadline_ns)
        list_del(&waiter.timed);
    irq_restore(flags);
    return result;
}

int wait_on(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 deadline_ns)
{
    return sleep_on(queue, ready, arg, deadline_ns, true);
}

void wait_until(struct wait_queue *queue, bool (*ready)(void *arg), void *arg)
{
    sleep_on(queue, ready, arg, 0, false);
}

void wake_all(struct wait_queue *queue)
{
    struct waiter *waiter;
    u64 flags = irq_save();
    list_for_each_entry(waiter, &queue->waiters, link) {
        task_wake(waiter->task);
    }
    irq_restore(flags);
}

/* While the kernel shell waits for a key, programs in the background run. */
static void run_background(void)
{
    if (!list_empty(&ready_tasks))
        schedule();
}

void sched_init(void)
{
    kernel_task.stack_low = this_cpu()->stack_low;
    kernel_task.stack_high = this_cpu()->stack_high;
    this_cpu()->task = &kernel_task;
    idle_hook_register(run_background);
}
