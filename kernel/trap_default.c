// SPDX-License-Identifier: MIT
/*
 * The last resort for exceptions: say in one sentence what the CPU complained about, as far as vector,
 * error code and registers tell, and panic. No state, no lock. mm/fault registers for #PF and #DF and
 * knows much more about addresses; what is here also works before it does.
 */
#include "kernel/trap_default.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/registers.h"
#include "lib/format.h"
#include "lib/types.h"

#define CR4_LA57 (1UL << 12)
#define GP_EXTERNAL 1u
#define GP_TABLE(code) (((code) >> 1) & 3)

static const char *const names[TRAP_EXCEPTIONS] = {
    [TRAP_DIVIDE] = "divide error (#DE)",
    [TRAP_DEBUG] = "debug exception (#DB)",
    [TRAP_NMI] = "non-maskable interrupt (NMI)",
    [TRAP_BREAKPOINT] = "breakpoint (#BP)",
    [TRAP_OVERFLOW] = "overflow (#OF)",
    [TRAP_BOUND] = "bound range exceeded (#BR)",
    [TRAP_INVALID_OPCODE] = "invalid opcode (#UD)",
    [TRAP_NO_FPU] = "floating point not available (#NM)",
    [TRAP_DOUBLE_FAULT] = "double fault (#DF)",
    [TRAP_INVALID_TSS] = "invalid TSS (#TS)",
    [TRAP_NO_SEGMENT] = "segment not present (#NP)",
    [TRAP_STACK] = "stack segment fault (#SS)",
    [TRAP_PROTECTION] = "general protection fault (#GP)",
    [TRAP_PAGE_FAULT] = "page fault (#PF)",
    [TRAP_FPU] = "x87 error (#MF)",
    [TRAP_ALIGNMENT] = "alignment check (#AC)",
    [TRAP_MACHINE_CHECK] = "machine check (#MC)",
    [TRAP_SIMD] = "SIMD error (#XM)",
};

const char *trap_name(u64 vector)
{
    static char numbered[TRAP_VECTORS - TRAP_EXCEPTIONS][sizeof("interrupt 255")];
    if (vector >= TRAP_VECTORS)
        return "no such vector";
    if (vector < TRAP_EXCEPTIONS)
        return names[vector] ? names[vector] : "reserved exception";
    char *name = numbered[vector - TRAP_EXCEPTIONS];
    format_to(name, sizeof(numbered[0]), "interrupt %lu", vector);
    return name;
}

/* All address bits above the highest one that is translated must equal it. */
static bool is_canonical(u64 address)
{
    unsigned unused = 64 - (read_cr4() & CR4_LA57 ? 57 : 48);
    return (u64)((s64)(address << unused) >> unused) == address;
}

/*
 * A #GP without a selector is very often a non-canonical address. The CPU does not tell which operand
 * it was, so name the registers that would not do as an address.
 */
static void describe_protection(const struct trap_frame *frame, char *out, size_t size)
{
    static const char *const tables[] = {"GDT", "IDT", "LDT", "IDT"};
    if (frame->error_code) {
        format_to(out, size, "selector %#lx in the %s%s", frame->error_code & 0xfff8,
                  tables[GP_TABLE(frame->error_code)],
                  frame->error_code & GP_EXTERNAL ? ", while delivering an event" : "");
        return;
    }
    size_t used = 0;
    for (unsigned i = 0; i < REGISTER_COUNT && used < size; i++) {
        u64 value = register_value(frame, i);
        if (!is_canonical(value))
            used += format_to(
                out + used, size - used, "%s%s=%#lx",
                used ? ", " : "non-canonical address in a register: ", register_name(i), value);
    }
    if (!used)
        format_to(out, size, "a privileged or malformed operation (no selector, no bad address)");
}

static __noreturn void page_fault_panic(struct trap_frame *frame)
{
    u64 code = frame->error_code;
    panic_at(frame, NULL, "page fault (#PF): %s %#lx in %s mode: %s",
             code & PF_FETCH   ? "instruction fetch from"
             : code & PF_WRITE ? "write to"
                               : "read from",
             read_cr2(), code & PF_USER ? "user" : "kernel",
             code & PF_RESERVED  ? "a page-table entry has reserved bits set"
             : code & PF_PRESENT ? "the page is mapped, but not for this"
                                 : "nothing is mapped there");
}

/*
 * A stack that is full cannot take the frame of the page fault that says so: the CPU raises #DF, on
 * its own stack. CR2 still has the address that did not fit.
 */
static __noreturn void double_fault_panic(struct trap_frame *frame)
{
    struct stack_info stack;
    bool overflow = (stack_find(read_cr2(), &stack) && stack.is_guard) ||
                    (stack_find(frame->rsp, &stack) && stack.is_guard);
    if (overflow)
        panic_at(frame, "look for unbounded recursion in the backtrace, or for a large local array",
                 "kernel stack overflow: the \"%s\" stack [%#lx, %#lx) is full; rsp=%#lx, "
                 "address %#lx is in the guard page below it",
                 stack.name, stack.low, stack.high, frame->rsp, read_cr2());
    panic_at(frame, "the first fault is the cause: make QEMU log it with -d int",
             "double fault (#DF): a second exception while delivering the first one (rsp=%#lx, "
             "cr2=%#lx)",
             frame->rsp, read_cr2());
}

void trap_default(struct trap_frame *frame)
{
    char detail[256];
    switch (frame->vector) {
    case TRAP_BREAKPOINT:
        report("breakpoint (int3) before %pS, nobody waits for it; going on", (void *)frame->rip);
        return;
    case TRAP_PAGE_FAULT:
        page_fault_panic(frame);
    case TRAP_DOUBLE_FAULT:
        double_fault_panic(frame);
    case TRAP_PROTECTION:
        describe_protection(frame, detail, sizeof(detail));
        panic_at(frame, NULL, "%s: %s", trap_name(frame->vector), detail);
    case TRAP_MACHINE_CHECK:
        panic_at(frame, "the hardware reports a failure of its own: not a bug of this kernel", "%s",
                 trap_name(frame->vector));
    default:
        panic_at(frame, NULL, "%s, error code %#lx", trap_name(frame->vector), frame->error_code);
    }
}
