// SPDX-License-Identifier: MIT
/*
 * Suite "machine", first half: traps. Each exception that the kernel can provoke without harm arrives
 * with the right vector, address and stack, and the interrupted code goes on with all its registers.
 * P2 (nothing is writable and executable) is probed here by trying it. The rest of the suite:
 * tests/kernel/test_machine_parts.c. SMEP and SMAP need a user page: tests of mm/pgtable.
 */
#include "kernel/cpu.h"
#include "kernel/extable.h"
#include "kernel/gdt.h"
#include "kernel/irq.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "lib/errno.h"
#include "lib/string.h"

#define NON_CANONICAL 0xdead000000000100UL
#define HOLE 0xfffff00000000000UL /* canonical, in no region of mm/layout.h */
#define RETURN_INSTRUCTION 0xc3
#define VECTOR_UNUSED 0xdd
#define VECTOR_SERVED 0xdc

/* What expect_fault() runs. */

static void do_nothing(void *arg)
{
    *(bool *)arg = true;
}

static void do_divide(void *unused)
{
    (void)unused;
    __asm__ volatile("xor %%ecx, %%ecx\n\tdiv %%ecx" ::: "rax", "rcx", "rdx", "cc");
}

static void do_invalid(void *unused)
{
    (void)unused;
    __asm__ volatile("ud2");
}

/* Writes what is there already: should the page be writable after all, nothing is lost. */
static void do_write(void *address)
{
    u8 same = *(volatile u8 *)address;
    *(volatile u8 *)address = same;
}

static void do_call(void *address)
{
    ((void (*)(void))address)();
}

static void do_read(void *address)
{
    (void)*(volatile u8 *)address;
}

static void do_read_irqs_off(void *address)
{
    irq_disable();
    do_read(address);
}

/* The page fault of the push finds no stack to report itself on: double fault. */
static void do_lose_stack(void *unused)
{
    (void)unused;
    __asm__ volatile("mov %0, %%rsp\n\tpush %%rax" ::"r"(HOLE) : "memory");
}

static void do_breakpoint(void *unused)
{
    (void)unused;
    __asm__ volatile("int3");
}

KTEST(machine, no_fault_is_no_fault)
{
    bool ran = false;
    struct fault_info fault = expect_fault(do_nothing, &ran);
    KEXPECT(ran && !fault.happened, "ran %d, happened %d", ran, fault.happened);
    return NULL;
}

KTEST(machine, divide_error)
{
    struct fault_info fault = expect_fault(do_divide, NULL);
    KEXPECT(fault.happened && fault.vector == TRAP_DIVIDE, "vector %lu", fault.vector);
    return NULL;
}

KTEST(machine, invalid_opcode)
{
    struct symbol symbol = {0};
    struct fault_info fault = expect_fault(do_invalid, NULL);
    KEXPECT(fault.happened && fault.vector == TRAP_INVALID_OPCODE, "vector %lu", fault.vector);
    KEXPECT(symbol_lookup(fault.rip, &symbol) && strcmp(symbol.name, "do_invalid") == 0,
            "rip %#lx is in %s", fault.rip, symbol.name);
    return NULL;
}

KTEST(machine, non_canonical_is_protection_fault)
{
    struct fault_info fault = expect_fault(do_read, (void *)NON_CANONICAL);
    KEXPECT(fault.happened && fault.vector == TRAP_PROTECTION, "vector %lu", fault.vector);
    KEXPECT(fault.error_code == 0 && fault.address == 0, "error code %#lx, address %#lx",
            fault.error_code, fault.address);
    return NULL;
}

KTEST(machine, null_page_is_not_mapped)
{
    struct fault_info fault = expect_fault(do_read, (void *)8);
    KEXPECT(fault.happened && fault.vector == TRAP_PAGE_FAULT, "vector %lu", fault.vector);
    KEXPECT(fault.address == 8 && !(fault.error_code & PF_PRESENT), "address %#lx, error code %#lx",
            fault.address, fault.error_code);
    return NULL;
}

KTEST(machine, data_does_not_execute)
{
    static u8 code[] = {RETURN_INSTRUCTION};
    if (!cpu_features.nx)
        return ktest_skip("this CPU has no NX");
    struct fault_info fault = expect_fault(do_call, code);
    KEXPECT(fault.happened && fault.vector == TRAP_PAGE_FAULT, "vector %lu", fault.vector);
    KEXPECT(fault.error_code & PF_FETCH, "error code %#lx", fault.error_code);
    KEXPECT(fault.address == (vaddr_t)code, "address %#lx != %#lx", fault.address, (vaddr_t)code);
    return NULL;
}

KTEST(machine, text_is_read_only)
{
    struct fault_info fault = expect_fault(do_write, __text_start);
    KEXPECT(fault.happened && fault.vector == TRAP_PAGE_FAULT, "vector %lu", fault.vector);
    KEXPECT((fault.error_code & (PF_PRESENT | PF_WRITE)) == (PF_PRESENT | PF_WRITE),
            "error code %#lx", fault.error_code);
    return NULL;
}

KTEST(machine, rodata_is_read_only)
{
    struct fault_info fault = expect_fault(do_write, __rodata_start);
    KEXPECT(fault.happened && fault.vector == TRAP_PAGE_FAULT, "vector %lu", fault.vector);
    KEXPECT(fault.error_code & PF_PRESENT, "error code %#lx", fault.error_code);
    return NULL;
}

KTEST(machine, fault_restores_interrupt_flag)
{
    bool before = irqs_enabled();
    struct fault_info fault = expect_fault(do_read_irqs_off, (void *)HOLE);
    KEXPECT(fault.happened, "no fault");
    KEXPECT(irqs_enabled() == before, "interrupts were %d, are %d", before, irqs_enabled());
    return NULL;
}

KTEST(machine, breakpoint_can_be_expected)
{
    struct fault_info fault = expect_fault(do_breakpoint, NULL);
    KEXPECT(fault.happened && fault.vector == TRAP_BREAKPOINT, "vector %lu", fault.vector);
    return NULL;
}

KTEST(machine, breakpoint_reports_and_goes_on)
{
    ktest_expect_reports(1);
    u64 before = report_count();
    do_breakpoint(NULL);
    KEXPECT(report_count() == before + 1, "%lu reports", report_count() - before);
    return NULL;
}

KTEST(machine, double_fault_has_its_own_stack)
{
    struct fault_info fault = expect_fault(do_lose_stack, NULL);
    KEXPECT(fault.happened && fault.vector == TRAP_DOUBLE_FAULT, "vector %lu", fault.vector);
    return NULL;
}

static vaddr_t frame_seen;

static bool note_frame(struct trap_frame *frame)
{
    frame_seen = (vaddr_t)frame;
    return true;
}

/* Run `int N` with a handler that notes where its frame is; is that in the expected stack? */
static const char *check_ist(u32 vector, unsigned stack, void (*raise)(void))
{
    frame_seen = 0;
    trap_handler old = trap_register(vector, note_frame);
    raise();
    trap_register(vector, old);
    KEXPECT(frame_seen >= kernel_stacks[stack].low && frame_seen < kernel_stacks[stack].high,
            "%s: frame at %#lx, stack \"%s\" is [%#lx, %#lx)", trap_name(vector), frame_seen,
            kernel_stacks[stack].name, kernel_stacks[stack].low, kernel_stacks[stack].high);
    return NULL;
}

static void raise_nmi(void)
{
    __asm__ volatile("int $2" ::: "memory");
}

static void raise_machine_check(void)
{
    __asm__ volatile("int $18" ::: "memory");
}

KTEST(machine, nmi_is_counted_on_its_own_stack)
{
    u64 before = this_cpu()->nmi_count;
    raise_nmi();
    KEXPECT(this_cpu()->nmi_count == before + 1, "%lu NMIs", this_cpu()->nmi_count - before);
    KEXPECT(!in_interrupt(), "irq_depth %u after the NMI", this_cpu()->irq_depth);
    return check_ist(TRAP_NMI, STACK_IST_NMI, raise_nmi);
}

KTEST(machine, machine_check_has_its_own_stack)
{
    return check_ist(TRAP_MACHINE_CHECK, STACK_IST_MC, raise_machine_check);
}

KTEST(machine, spurious_vector_is_counted)
{
    u64 spurious = this_cpu()->spurious_count, count = irq_vector_count(TRAP_SPURIOUS);
    __asm__ volatile("int $255" ::: "memory");
    KEXPECT(this_cpu()->spurious_count == spurious + 1, "%lu more",
            this_cpu()->spurious_count - spurious);
    KEXPECT(irq_vector_count(TRAP_SPURIOUS) == count + 1, "%lu -> %lu", count,
            irq_vector_count(TRAP_SPURIOUS));
    return NULL;
}

KTEST(machine, unexpected_vector_is_survived)
{
    u64 count = irq_vector_count(VECTOR_UNUSED);
    __asm__ volatile("int %0" ::"i"(VECTOR_UNUSED) : "memory");
    KEXPECT(irq_vector_count(VECTOR_UNUSED) == count + 1, "%lu -> %lu", count,
            irq_vector_count(VECTOR_UNUSED));
    return NULL;
}

static void note_interrupt(void *arg)
{
    *(u64 *)arg += in_interrupt() && !irqs_enabled();
}

/* Interrupt with a known value in every register that the compiler leaves to us. */
static u64 registers_lost_by_interrupt(void)
{
    u64 lost;
    __asm__ volatile("mov $0x11, %%eax; mov $0x22, %%ecx; mov $0x33, %%edx; mov $0x44, %%esi\n\t"
                     "mov $0x55, %%edi; mov $0x66, %%r8d; mov $0x77, %%r9d; mov $0x88, %%r10d\n\t"
                     "mov $0x99, %%r11d; mov $0xaa, %%r12d; mov $0xbb, %%r13d\n\t"
                     "mov $0xcc, %%r14d; mov $0xdd, %%r15d; mov $0xee, %%ebx\n\t"
                     "int %1\n\t"
                     "sub $0x11, %%rax; sub $0x22, %%rcx; sub $0x33, %%rdx; sub $0x44, %%rsi\n\t"
                     "sub $0x55, %%rdi; sub $0x66, %%r8;  sub $0x77, %%r9;  sub $0x88, %%r10\n\t"
                     "sub $0x99, %%r11; sub $0xaa, %%r12; sub $0xbb, %%r13\n\t"
                     "sub $0xcc, %%r14; sub $0xdd, %%r15; sub $0xee, %%rbx\n\t"
                     "or %%rcx, %%rax;  or %%rdx, %%rax;  or %%rsi, %%rax;  or %%rdi, %%rax\n\t"
                     "or %%r8, %%rax;   or %%r9, %%rax;   or %%r10, %%rax;  or %%r11, %%rax\n\t"
                     "or %%r12, %%rax;  or %%r13, %%rax;  or %%r14, %%rax;  or %%r15, %%rax\n\t"
                     "or %%rbx, %%rax"
                     : "=&a"(lost)
                     : "i"(VECTOR_SERVED)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory", "cc");
    return lost;
}

KTEST(machine, interrupt_is_served_and_keeps_registers)
{
    static u64 served;
    static bool requested;
    if (!requested)
        KEXPECT(irq_vector_request(VECTOR_SERVED, note_interrupt, &served) == 0,
                "vector %d is taken", VECTOR_SERVED);
    requested = true;
    u64 before = served;
    u64 lost = registers_lost_by_interrupt();
    KEXPECT(served == before + 1, "served %lu times", served - before);
    KEXPECT(lost == 0, "some register changed, bits %#lx", lost);
    KEXPECT(irq_vector_request(VECTOR_SERVED, note_interrupt, &served) == -EBUSY, "taken twice");
    return NULL;
}

KTEST(machine, irq_request_refuses_nonsense)
{
    static u64 unused;
    int line = irq_request(16, note_interrupt, &unused);
    KEXPECT(line == -EINVAL, "line 16: %s", errno_name(line));
    int exception = irq_vector_request(TRAP_PAGE_FAULT, note_interrupt, &unused);
    KEXPECT(exception == -EBUSY, "vector 14: %s", errno_name(exception));
    int spurious = irq_vector_request(TRAP_SPURIOUS, note_interrupt, &unused);
    KEXPECT(spurious == -EBUSY, "vector 255: %s", errno_name(spurious));
    return NULL;
}

KTEST(machine, safe_read_survives_any_address)
{
    static const u64 known = 0x1122334455667788UL;
    u64 value = 0;
    KEXPECT(safe_read((vaddr_t)&known, &value) && value == known, "read %#lx", value);
    KEXPECT(!safe_read(HOLE, &value), "an address where nothing is mapped was readable");
    KEXPECT(!safe_read(NON_CANONICAL, &value), "a non-canonical address was readable");
    return NULL;
}

KTEST(machine, trap_names)
{
    KEXPECT(strcmp(trap_name(TRAP_PAGE_FAULT), "page fault (#PF)") == 0, "%s",
            trap_name(TRAP_PAGE_FAULT));
    KEXPECT(strcmp(trap_name(33), "interrupt 33") == 0, "%s", trap_name(33));
    KEXPECT(trap_name(9) && trap_name(31) && trap_name(256), "a vector without a name");
    return NULL;
}
