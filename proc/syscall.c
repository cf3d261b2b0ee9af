// SPDX-License-Identifier: MIT
/*
 * Owns the dispatch of system calls: the table that entry.asm reads (fast calls, while nobody watches), and
 * the slow way for the rest: calls that need the whole frame, calls that do not exist, and every call while
 * strace=1. The table is written once at boot. Read next: proc/entry.asm.
 */
#include "proc/syscall.h"
#include "kernel/command.h"
#include "kernel/cpu.h"
#include "kernel/gdt.h"
#include "kernel/param.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "proc/task.h"

/* What proc/entry.asm believes (the frame's offsets are asserted in kernel/trap.c). */
_Static_assert(offsetof(struct cpu, task) == 24, "CPU_TASK in entry.asm");
_Static_assert(offsetof(struct cpu, entry_stack) == 32, "CPU_ENTRY in entry.asm");
_Static_assert(offsetof(struct cpu, user_rsp) == 40, "CPU_USER_RSP in entry.asm");
_Static_assert(offsetof(struct task, work) == 0, "TASK_WORK in entry.asm");
_Static_assert(offsetof(struct trap_frame, rsp) == 160, "F_RSP in entry.asm");
_Static_assert(GDT_USER_DATA == 0x18 && GDT_USER_CODE == 0x20, "USER_DATA, USER_CODE in entry.asm");

#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_SFMASK 0xc0000084u
#define EFER_SCE 1UL
/* TF IF DF IOPL NT AC: cleared by SYSCALL, so that the kernel starts clean whatever the program set. */
#define FLAGS_CLEARED 0x47700UL
#define CALLS 512

extern const struct syscall __syscalls_start[], __syscalls_end[];
extern u8 syscall_entry[];
void syscall_slow(struct trap_frame *frame);
syscall_fn syscall_fast[CALLS]; /* entry.asm */

static const struct syscall *calls[CALLS];
static u8 logged[CALLS]; /* unknown ones are told once */
bool strace_enabled;

static int set_strace(const char *value)
{
    return param_bool(value, &strace_enabled);
}
PARAM(strace, "strace", set_strace,
      "on/off: log every system call of every program, as strace does");

static s64 unknown_call(u64 number)
{
    const char *name = syscall_name(number);
    if (number < CALLS && !logged[number]) {
        logged[number] = 1;
        log_info("syscall %lu (%s) is not implemented: -ENOSYS, first asked for by %d (%s)", number,
                 name ? name : "unknown to Linux too", current_process()->pid,
                 current_process()->name);
    }
    return -ENOSYS;
}

static s64 run_call(const struct syscall *call, const struct trap_frame *frame)
{
    return call->run(frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9);
}

/* frame->rax is the result's place; the number stays in error_code. A call may rewrite the whole frame. */
void syscall_slow(struct trap_frame *frame)
{
    u64 number = frame->error_code;
    const struct syscall *call = number < CALLS ? calls[number] : NULL;
    frame->rax = number;
    if (!call) {
        if (strace_enabled)
            strace_unknown(number);
        frame->rax = (u64)unknown_call(number);
        return;
    }
    if (strace_enabled)
        strace_enter(call, frame);
    s64 result = run_call(call, frame);
    frame->rax = (u64)result;
    if (strace_enabled)
        strace_leave(call, result);
}

const struct syscall *syscall_find(u64 number)
{
    return number < CALLS ? calls[number] : NULL;
}

static void fill_tables(void)
{
    for (const struct syscall *call = __syscalls_start; call < __syscalls_end; call++) {
        ASSERT(call->number < CALLS && !calls[call->number], "system call %s has a bad number %u",
               call->name, call->number);
        calls[call->number] = call;
        if (!(call->flags & SYSCALL_WHOLE_FRAME) && !strace_enabled)
            syscall_fast[call->number] = call->run;
    }
}

/* SYSCALL loads CS from STAR[47:32], SYSRET from STAR[63:48] + 16 (SDM 2B): hence the order in gdt.h. */
void syscall_init(void)
{
    fill_tables();
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr(MSR_STAR, (u64)GDT_KERNEL_CODE << 32 | (u64)(GDT_KERNEL_DATA | 3) << 48);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, FLAGS_CLEARED);
}

static int run_syscalls(int argc, char **argv __unused)
{
    unsigned count = 0;
    if (argc > 1)
        return COMMAND_USAGE;
    for (u64 number = 0; number < CALLS; number++) {
        if (!calls[number])
            continue;
        print("%3lu %-20s", number, calls[number]->name);
        if (++count % 4 == 0)
            print("\n");
    }
    print("%s%u system calls of Linux on x86-64; the others give -ENOSYS\n", count % 4 ? "\n" : "",
          count);
    return 0;
}
COMMAND(syscalls, "syscalls", run_syscalls, NULL, "syscalls",
        "the system calls that programs can use");
