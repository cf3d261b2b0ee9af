// SPDX-License-Identifier: MIT
/*
 * Suite "machine", second half: protections, descriptor tables, per-CPU data, stacks, backtraces,
 * symbols, locks, time. First half (traps): tests/kernel/test_machine.c.
 */
#include "kernel/cpu.h"
#include "kernel/gdt.h"
#include "kernel/ktest.h"
#include "kernel/lock.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define FRAMES 8

KTEST(machine, protections_are_on)
{
    u64 cr0 = read_cr0(), cr4 = read_cr4();
    KEXPECT(cr0 & CR0_WP, "cr0 %#lx", cr0);
    KEXPECT(!cpu_features.nx || rdmsr(MSR_EFER) & EFER_NXE, "efer %#lx", rdmsr(MSR_EFER));
    KEXPECT(!cpu_features.pge || cr4 & CR4_PGE, "PGE off, cr4 %#lx", cr4);
    KEXPECT(!cpu_features.smep || cr4 & CR4_SMEP, "SMEP off, cr4 %#lx", cr4);
    KEXPECT(!cpu_features.smap || cr4 & CR4_SMAP, "SMAP off, cr4 %#lx", cr4);
    KEXPECT(!cpu_features.umip || cr4 & CR4_UMIP, "UMIP off, cr4 %#lx", cr4);
    KEXPECT(trap_clac_enabled == !!(cr4 & CR4_SMAP), "clac on entry: %u, cr4 %#lx",
            trap_clac_enabled, cr4);
    return NULL;
}

KTEST(machine, segments_are_ours)
{
    u16 cs, ss, tr;
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1; str %2" : "=r"(cs), "=r"(ss), "=r"(tr));
    KEXPECT(cs == GDT_KERNEL_CODE, "cs %#x", cs);
    KEXPECT(ss == GDT_KERNEL_DATA, "ss %#x", ss);
    KEXPECT(tr == GDT_TSS, "tr %#x", tr);
    return NULL;
}

KTEST(machine, percpu_knows_itself)
{
    struct cpu *cpu = this_cpu();
    KEXPECT(cpu == &cpus[cpu_id()] && cpu->id == cpu_id(), "cpu %u at %p", cpu->id, (void *)cpu);
    KEXPECT(cpu->online && cpu_online_count() >= 1, "%u of %u online", cpu_online_count(),
            cpu_count());
    u32 known = cpu_count();
    KEXPECT(cpu_add(cpu->apic_id) == (int)cpu->id, "adding APIC id %u again gave another CPU",
            cpu->apic_id);
    KEXPECT(cpu_count() == known, "%u CPUs became %u", known, cpu_count());
    return NULL;
}

KTEST(machine, stacks_are_known)
{
    u8 local;
    struct stack_info info;
    KEXPECT(stack_find((vaddr_t)&local, &info) && !info.is_guard, "this stack is unknown");
    KEXPECT(!stack_find((vaddr_t)__text_start, &info), "text is a stack: %s", info.name);
    for (u32 i = 0; i < kernel_stack_count; i++) {
        const struct stack_area *area = &kernel_stacks[i];
        KEXPECT(area->low - area->guard == PAGE_SIZE, "%s: guard of %lu bytes", area->name,
                area->low - area->guard);
        KEXPECT(stack_find(area->low - 1, &info) && info.is_guard && info.low == area->low,
                "the guard of %s is not found", area->name);
        KEXPECT(area->low == area->high || (stack_find(area->low, &info) && !info.is_guard),
                "the lowest byte of %s is not found", area->name);
    }
    return NULL;
}

KTEST(machine, stack_ranges_come_and_go)
{
    static u8 memory[2 * PAGE_SIZE] __aligned(PAGE_SIZE);
    vaddr_t guard = (vaddr_t)memory, low = guard + PAGE_SIZE, high = low + PAGE_SIZE;
    struct stack_info info;
    KEXPECT(stack_range_register("bad", low, guard, high) == -EINVAL, "guard above low accepted");
    KEXPECT(stack_range_register("test", guard, low, high) == 0, "refused");
    bool found = stack_find(high - 1, &info) && !info.is_guard && strcmp(info.name, "test") == 0;
    bool guarded = stack_find(guard, &info) && info.is_guard;
    stack_range_unregister(low);
    KEXPECT(found && guarded, "found %d, guard found %d", found, guarded);
    KEXPECT(!stack_find(high - 1, &info), "still known after unregister");
    return NULL;
}

/* Two functions on purpose: the inner captures, the outer must be its first frame. */
static __noinline size_t backtrace_inner(vaddr_t *frames)
{
    return backtrace_capture(0, frames, FRAMES);
}

static __noinline size_t backtrace_outer(vaddr_t *frames)
{
    size_t count = backtrace_inner(frames);
    __asm__ volatile("" ::: "memory");
    return count;
}

KTEST(machine, backtrace_names_the_callers)
{
    vaddr_t frames[FRAMES];
    struct symbol symbol = {0};
    size_t count = backtrace_outer(frames);
    KEXPECT(count >= 3, "%zu frames", count);
    KEXPECT(symbol_lookup(frames[0], &symbol) && strcmp(symbol.name, "backtrace_outer") == 0,
            "frame 0 is %s", symbol.name);
    KEXPECT(symbol_lookup(frames[1], &symbol) &&
                strcmp(symbol.name, "ktest_machine_backtrace_names_the_callers") == 0,
            "frame 1 is %s", symbol.name);
    return NULL;
}

/* gcc gives no frame to such a leaf, whatever -fno-omit-frame-pointer says. */
static __noinline void breakpoint_leaf(void)
{
    __asm__ volatile("int3");
}

static vaddr_t trap_frames[FRAMES];
static size_t trap_frame_count;

static bool note_backtrace(struct trap_frame *frame)
{
    trap_frame_count = backtrace_capture_trap(frame, trap_frames, FRAMES);
    return true;
}

KTEST(machine, backtrace_from_a_trap_in_a_leaf)
{
    struct symbol symbol = {0};
    trap_handler old = trap_register(TRAP_BREAKPOINT, note_backtrace);
    breakpoint_leaf();
    trap_register(TRAP_BREAKPOINT, old);
    KEXPECT(trap_frame_count >= 3, "%zu frames", trap_frame_count);
    KEXPECT(symbol_lookup(trap_frames[0], &symbol) && strcmp(symbol.name, "breakpoint_leaf") == 0,
            "frame 0 is %s", symbol.name);
    KEXPECT(symbol_lookup(trap_frames[1], &symbol) &&
                strcmp(symbol.name, "ktest_machine_backtrace_from_a_trap_in_a_leaf") == 0,
            "frame 1 is %s", symbol.name);
    return NULL;
}

KTEST(machine, backtrace_survives_a_smashed_rbp)
{
    vaddr_t frames[FRAMES];
    vaddr_t loop[2] __aligned(16) = {(vaddr_t)loop, (vaddr_t)__text_start};
    size_t count = backtrace_capture((vaddr_t)loop, frames, FRAMES);
    KEXPECT(count == 1, "a frame that points to itself gave %zu frames", count);
    KEXPECT(backtrace_capture(8, frames, FRAMES) == 0, "followed rbp = 8");
    KEXPECT(backtrace_capture((vaddr_t)loop + 1, frames, FRAMES) == 0, "followed an odd rbp");
    KEXPECT(backtrace_capture(kernel_stacks[STACK_BOOT].guard, frames, FRAMES) == 0,
            "read a guard page");
    KEXPECT(backtrace_capture(kernel_stacks[STACK_BOOT].high - 8, frames, FRAMES) == 0,
            "read half a frame at the top of a stack");
    return NULL;
}

KTEST(machine, symbols_both_ways)
{
    struct symbol symbol;
    char text[64];
    vaddr_t address = (vaddr_t)panic_at;
    KEXPECT(symbol_address("panic_at") == address, "%#lx != %#lx", symbol_address("panic_at"),
            address);
    KEXPECT(symbol_address("no such symbol") == 0, "found");
    KEXPECT(symbol_lookup(address + 1, &symbol) && symbol.offset == 1 && symbol.size > 1,
            "offset %lu of %lu", symbol.offset, symbol.size);
    format_to(text, sizeof(text), "%pS", (void *)(address + 1));
    KEXPECT(strncmp(text, "panic_at+0x1/0x", 15) == 0, "%s", text);
    KEXPECT(!symbol_lookup(0, &symbol) && !symbol_lookup(~0UL, &symbol) &&
                !symbol_lookup((vaddr_t)__kernel_end, &symbol),
            "a name for an address outside the kernel: %s", symbol.name);
    return NULL;
}

KTEST(machine, spinlock_trylock)
{
    struct spinlock lock = SPINLOCK_INIT("test");
    KEXPECT(spin_trylock(&lock) && spin_held(&lock), "a free lock was not given");
    bool again = spin_trylock(&lock);
    spin_unlock(&lock);
    KEXPECT(!again, "given twice");
    KEXPECT(!spin_held(&lock) && spin_trylock(&lock), "not free after unlock");
    spin_unlock(&lock);
    spin_lock(&lock);
    KEXPECT(lock.next == 3 && lock.owner == 2, "ticket %u, serving %u", lock.next, lock.owner);
    spin_unlock(&lock);
    return NULL;
}

KTEST(machine, spinlock_wraps_its_tickets)
{
    struct spinlock lock = {.next = ~0U, .owner = ~0U, .name = "test"};
    for (unsigned i = 0; i < 3; i++) {
        spin_lock(&lock);
        spin_unlock(&lock);
    }
    KEXPECT(lock.next == 2 && lock.owner == 2, "ticket %u, serving %u", lock.next, lock.owner);
    return NULL;
}

KTEST(machine, irqsave_nests)
{
    struct spinlock outer = SPINLOCK_INIT("outer"), inner = SPINLOCK_INIT("inner");
    bool before = irqs_enabled();
    u64 outer_flags = spin_lock_irqsave(&outer);
    u64 inner_flags = spin_lock_irqsave(&inner);
    bool off_inside = !irqs_enabled();
    spin_unlock_irqrestore(&inner, inner_flags);
    bool off_between = !irqs_enabled();
    spin_unlock_irqrestore(&outer, outer_flags);
    KEXPECT(off_inside && off_between, "interrupts came back too early (%d, %d)", off_inside,
            off_between);
    KEXPECT(irqs_enabled() == before, "interrupts were %d, are %d", before, irqs_enabled());
    return NULL;
}

KTEST(machine, report_is_counted)
{
    ktest_expect_reports(1);
    u64 before = report_count();
    report("a test of the report, value %d", 42);
    KEXPECT(report_count() == before + 1, "%lu reports", report_count() - before);
    return NULL;
}

KTEST(machine, clock_is_monotonic)
{
    if (!clock_tsc_hz())
        return ktest_skip("the TSC was not calibrated");
    u64 last = clock_ns();
    for (unsigned i = 0; i < 1000; i++) {
        u64 now = clock_ns();
        KEXPECT(now >= last, "%lu ns after %lu ns", now, last);
        last = now;
    }
    delay_us(20);
    KEXPECT(clock_ns() - last >= 20000, "delay_us(20) took %lu ns", clock_ns() - last);
    return NULL;
}

static bool timer_fired, timer_in_interrupt;

static void note_timer(void *arg)
{
    timer_in_interrupt = in_interrupt();
    __atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
}

/* The deadline only detects a timer that never fires. */
KTEST(machine, timer_fires_once)
{
    if (!irqs_enabled())
        return ktest_skip("interrupts are off");
    timer_fired = false;
    u64 start = clock_ns();
    u64 flags = irq_save(); /* on a stalled host it must not fire between the two */
    int error = timer_once(1000000, note_timer, &timer_fired);
    int second = timer_once(1, note_timer, &timer_fired);
    irq_restore(flags);
    if (error == -ENODEV)
        return ktest_skip("no device for one-shot events");
    KEXPECT(error == 0, "timer_once: %s", errno_name(error));
    while (!__atomic_load_n(&timer_fired, __ATOMIC_ACQUIRE) && clock_ns() - start < 10000000000UL)
        cpu_relax();
    KEXPECT(second == -EBUSY, "a second timer while one is pending: %s", errno_name(second));
    KEXPECT(timer_fired, "it did not fire");
    KEXPECT(timer_in_interrupt, "it fired outside interrupt context");
    KEXPECT(clock_ns() - start >= 1000000, "it fired after %lu ns", clock_ns() - start);
    return NULL;
}
