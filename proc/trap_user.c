// SPDX-License-Identifier: MIT
/*
 * What ring 3 did wrong, as signals: exceptions come here first (kernel/trap.c). And the way out: whatever
 * brought a program into the kernel, user_leave() is the last C function before it goes on. Exceptions
 * run with interrupts off, on the task's own stack.
 */
#include "kernel/cpu.h"
#include "kernel/trap.h"
#include "lib/errno.h"
#include "mm/fault.h"
#include "mm/uspace.h"
#include "proc/oom.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

/* Signal and si_code of each exception. SS and NP are SIGBUS in Linux too. */
static const struct {
    u8 signal;
    s32 code;
} exception_signals[] = {
    [TRAP_DIVIDE] = {SIGFPE, FPE_INTDIV},     [TRAP_DEBUG] = {SIGTRAP, TRAP_TRACE_CODE},
    [TRAP_BREAKPOINT] = {SIGTRAP, SI_KERNEL}, [TRAP_OVERFLOW] = {SIGSEGV, SI_KERNEL},
    [TRAP_BOUND] = {SIGSEGV, SI_KERNEL},      [TRAP_INVALID_OPCODE] = {SIGILL, ILL_ILLOPN},
    [TRAP_NO_FPU] = {SIGSEGV, SI_KERNEL},     [TRAP_INVALID_TSS] = {SIGSEGV, SI_KERNEL},
    [TRAP_NO_SEGMENT] = {SIGBUS, SI_KERNEL},  [TRAP_STACK] = {SIGBUS, SI_KERNEL},
    [TRAP_PROTECTION] = {SIGSEGV, SI_KERNEL}, [TRAP_FPU] = {SIGFPE, FPE_FLTINV},
    [TRAP_ALIGNMENT] = {SIGBUS, BUS_ADRALN},  [TRAP_SIMD] = {SIGFPE, FPE_FLTINV},
};

/* Resolve it, or say which signal it is. */
static void page_fault(struct trap_frame *frame)
{
    vaddr_t address = read_cr2();
    struct signal_cause cause = {.code = SEGV_MAPERR, .address = address};
    /* Without PF_USER the processor itself wanted something on ring 3's behalf (QEMU pops IRET's frame like that, and
     * SMAP says no, for ever): no page will mend it. */
    int error = frame->error_code & PF_USER
                    ? uspace_fault(current_process()->space, address, frame->error_code)
                    : -EACCES;
    if (error == 0)
        return;
    if (error == -ENOMEM) {
        oom_report(current_process(), "a page fault");
        signal_force(SIGKILL, &cause);
    } else if (error == -EIO) {
        cause.code = BUS_ADRERR;
        signal_force(SIGBUS, &cause);
    } else {
        cause.code = error == -EACCES ? SEGV_ACCERR : SEGV_MAPERR;
        signal_force(SIGSEGV, &cause);
    }
}

/* The kernel was about to copy for the current program. While execve() fills a new space, it is told and lives. */
static void copy_is_out_of_memory(void)
{
    struct process *process = current_process();
    struct signal_cause cause = {.code = SI_KERNEL};
    if (!process || process->space != uspace_current())
        return;
    oom_report(process, "a copy");
    signal_force(SIGKILL, &cause);
}

static bool user_trap(struct trap_frame *frame)
{
    u64 vector = frame->vector;
    if (vector == TRAP_PAGE_FAULT) {
        page_fault(frame);
        return true;
    }
    if (vector >= ARRAY_SIZE(exception_signals) || !exception_signals[vector].signal)
        return false;
    bool has_address = exception_signals[vector].code != SI_KERNEL && vector != TRAP_ALIGNMENT;
    struct signal_cause cause = {.code = exception_signals[vector].code,
                                 .address = has_address ? frame->rip : 0};
    signal_force(exception_signals[vector].signal, &cause);
    return true;
}

static void account_tick(struct task *task, const struct trap_frame *frame)
{
    if (frame->vector == SYSCALL_VECTOR)
        task->system_ns += TICK_NS;
    else
        task->user_ns += TICK_NS;
}

static void do_work(struct task *task, struct trap_frame *frame)
{
    u32 work = __atomic_exchange_n(&task->work, 0, __ATOMIC_RELAXED);
    irq_enable();
    if (work & TASK_WORK_RESCHEDULE) {
        account_tick(task, frame);
        schedule();
    }
    if (work & TASK_WORK_SIGNAL)
        signal_deliver(frame);
    irq_disable();
}

/* IRETQ to a non-canonical address would fault in the kernel, with the program's GS: never let it. */
static bool returnable(const struct trap_frame *frame)
{
    return frame->rip < NON_CANONICAL_LOW;
}

void user_leave(struct trap_frame *frame)
{
    struct task *task = current_task();
    irq_disable();
    while (task->work || !returnable(frame)) {
        if (!task->work) { /* else the signal that is on its way knows better what was wrong */
            struct signal_cause cause = {.code = SI_KERNEL};
            signal_force(SIGSEGV, &cause);
        }
        do_work(task, frame);
    }
}

void trap_user_init(void)
{
    static const struct trap_user_ops ops = {.trap = user_trap, .leave = user_leave};
    trap_user_register(&ops);
    fault_set_out_of_memory(copy_is_out_of_memory);
}
