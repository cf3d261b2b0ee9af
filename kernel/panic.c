// SPDX-License-Identifier: MIT
/*
 * The report that ends a session, made to teach: what, where, registers, the explanations of other
 * floors, the way here, what to do next. One CPU reports, others that panic meanwhile just halt. The
 * report is a list of steps; a fault inside a step comes back here and goes on with the next one, so
 * that there is always one whole report. No locks: printk's is ignored from here on.
 */
#include "kernel/panic.h"
#include "kernel/cpu.h"
#include "kernel/param.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "kernel/registers.h"
#include "kernel/symbols.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define MAX_HOOKS 4
#define MAX_NESTING 8

bool panic_exits;

static void (*hooks[MAX_HOOKS])(struct trap_frame *frame);
static u32 hook_count;

/* The panic being reported; written by the CPU that owns it. */
static struct {
    u32 owner; /* CPU id + 1; 0 = no panic */
    u32 step;  /* next entry of steps[] */
    u32 hook;  /* next entry of hooks[] */
    struct trap_frame *frame;
    const char *next_step;
    vaddr_t rip, rbp;             /* rbp: without a trap frame only */
    const char *assertion, *file; /* of a failed ASSERT(), else NULL */
    int line;
    char what[512];
} current;

static int set_panic(const char *value)
{
    if (strcmp(value, "exit") != 0 && strcmp(value, "halt") != 0)
        return -EINVAL;
    panic_exits = value[0] == 'e';
    return 0;
}
PARAM(panic, "panic", set_panic,
      "exit/halt: after a panic leave QEMU through isa-debug-exit, or halt (default)");

void panic_hook_register(void (*hook)(struct trap_frame *frame))
{
    ASSERT(hook_count < MAX_HOOKS, "%u panic hooks already", hook_count);
    hooks[hook_count++] = hook;
}

static bool in_kernel_text(vaddr_t address)
{
    return address >= (vaddr_t)__text_start && address < (vaddr_t)__text_end;
}

static void step_what(void)
{
    print("\n==================== KERNEL PANIC ====================\n");
    print("what : %s\n", current.what);
    if (current.assertion)
        print("       ASSERT(%s) failed at %s:%d\n", current.assertion, current.file, current.line);
}

static void step_where(void)
{
    const struct trap_frame *frame = current.frame;
    print("where: %pS (CPU %u, in interrupt: %s", (void *)current.rip, cpu_id(),
          in_interrupt() ? "yes" : "no");
    if (frame && trap_from_user(frame))
        print(", user mode");
    print(")\n");
}

static void step_registers(void)
{
    if (!current.frame)
        return;
    print("registers:\n");
    registers_print(current.frame);
}

static void step_hooks(void)
{
    while (current.hook < hook_count)
        hooks[current.hook++](current.frame);
}

static void step_backtrace(void)
{
    print("backtrace:\n");
    if (current.frame)
        backtrace_print_trap(current.frame);
    else
        backtrace_print(current.rip, current.rbp);
}

static void step_next(void)
{
    if (current.next_step)
        print("next : %s\n", current.next_step);
    else if (current.frame && in_kernel_text(current.rip))
        print("next : make gdb, then: break *%#lx, continue; docs/faults.md explains the rest\n",
              current.rip);
    else
        print("next : make gdb, then: break panic_at, break assert_failed, continue, bt\n");
    print("======================================================\n");
}

static void (*const steps[])(void) = {step_what,  step_where,     step_registers,
                                      step_hooks, step_backtrace, step_next};

/* Become the reporting CPU: true for the first panic, false for one inside the report itself. */
static bool claim_report(void)
{
    u32 nobody = 0, me = cpu_id() + 1;
    if (__atomic_compare_exchange_n(&current.owner, &nobody, me, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return true;
    if (nobody != me)
        cpu_halt_forever();
    return false;
}

/* rip: the instruction that panics (a return address - 1 without a frame); rbp: its function's frame. */
static __printf(5, 0) void begin_report(struct trap_frame *frame, const char *next_step,
                                        vaddr_t rip, vaddr_t rbp, const char *format, va_list args)
{
    irq_disable();
    bool first = claim_report();
    printk_enter_panic();
    if (++this_cpu()->in_panic > MAX_NESTING)
        cpu_halt_forever();
    if (first) {
        current.frame = frame;
        current.next_step = next_step;
        current.rip = frame ? frame->rip : rip;
        current.rbp = rbp;
        vformat_to(current.what, sizeof(current.what), format, args);
    } else {
        char nested[256];
        vformat_to(nested, sizeof(nested), format, args);
        print("\n  (this part of the report failed at %pS: %s)\n",
              (void *)(frame ? frame->rip : rip), nested);
    }
}

/* All steps that are left; a fault in one of them comes back to here with one less. */
static __noreturn void finish_report(void)
{
    while (current.step < ARRAY_SIZE(steps))
        steps[current.step++]();
    if (panic_exits)
        machine_exit(EXIT_CODE_PANIC);
    print("Halted. Ctrl-A X leaves QEMU.\n");
    cpu_halt_forever();
}

/* The frame pointer of the function that called the one in which this is written. */
#define CALLER_FRAME() (*(const vaddr_t *)__builtin_frame_address(0))

__noinline __noreturn void panic_at(struct trap_frame *frame, const char *next_step,
                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    begin_report(frame, next_step, CALLER() - 1, CALLER_FRAME(), format, args);
    va_end(args);
    finish_report();
}

__noinline __noreturn void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    begin_report(NULL, NULL, CALLER() - 1, CALLER_FRAME(), format, args);
    va_end(args);
    finish_report();
}

/* ASSERT() ends here: an invariant does not hold, so nothing behind it can be trusted. */
__noinline __noreturn void assert_failed(const char *file, int line, const char *expression,
                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    begin_report(NULL, NULL, CALLER() - 1, CALLER_FRAME(), format, args);
    va_end(args);
    current.assertion = expression;
    current.file = file;
    current.line = line;
    finish_report();
}
