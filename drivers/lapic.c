// SPDX-License-Identifier: MIT
/*
 * Local APIC. Each CPU sees its own registers at the same address; `registers` is written once at
 * start-up. No lock: a CPU touches its own LAPIC only, and the timer is armed under kernel/time's
 * lock. Reference: Intel SDM 3A, chapter 11 (APIC), 11.5.4 (timer), 11.12 (x2APIC).
 * Read next: drivers/ioapic.c, which sends device interrupts here.
 */
#include "drivers/lapic.h"
#include "drivers/acpi.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "mm/vmalloc.h"

#define APIC_BASE_X2APIC (1UL << 10)
#define APIC_BASE_ENABLE (1UL << 11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000UL
#define APIC_REGISTERS_SIZE PAGE_SIZE
#define X2APIC_FIRST_MSR 0x800u
#define CPUID_1_EDX_APIC (1u << 9)

enum lapic_register {
    LAPIC_ID = 0x020,
    LAPIC_TASK_PRIORITY = 0x080,
    LAPIC_EOI = 0x0b0,
    LAPIC_SPURIOUS = 0x0f0,
    LAPIC_ERROR_STATUS = 0x280,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_EXTINT 0x700u
#define LVT_NMI 0x400u
#define DIVIDE_BY_16 0x3u
#define TIMER_VECTOR 0xf0u
#define TIMER_MAX 0xffffffffu
#define CALIBRATION_FRACTION 200 /* of a second */
#define SAMPLES 5
#define NS_PER_SECOND 1000000000UL
#define SCALE_SHIFT 32

static volatile u32 *registers; /* NULL until lapic_init(), and in x2APIC mode */
static bool x2apic;
static u64 ns_scale; /* timer ticks per nanosecond, fixed point with SCALE_SHIFT fraction bits */

static u32 lapic_read(enum lapic_register reg)
{
    return x2apic ? (u32)rdmsr(X2APIC_FIRST_MSR + (reg >> 4)) : registers[reg / 4];
}

static void lapic_write(enum lapic_register reg, u32 value)
{
    if (x2apic)
        wrmsr(X2APIC_FIRST_MSR + (reg >> 4), value);
    else
        registers[reg / 4] = value;
}

static bool lapic_present(void)
{
    return x2apic || registers;
}

u32 lapic_id(void)
{
    if (!lapic_present())
        return 0;
    return x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
    if (lapic_present())
        lapic_write(LAPIC_EOI, 0);
}

void lapic_accept_8259(void)
{
    if (lapic_present())
        lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
}

void lapic_enable(void)
{
    lapic_write(LAPIC_TASK_PRIORITY, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | TRAP_SPURIOUS);
    lapic_eoi(); /* what was in service when the firmware left */
}

static bool cpu_has_apic(void)
{
    u32 eax, ebx, ecx, edx;

    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    return edx & CPUID_1_EDX_APIC;
}

/* One shot: writing the initial count starts it. A longer wait than the counter holds ends early, and
 * time_event() arms again for the rest. */
static void lapic_timer_arm(u64 ns)
{
    unsigned __int128 wanted = ((unsigned __int128)ns * ns_scale >> SCALE_SHIFT) + 1;
    u32 ticks = wanted > TIMER_MAX ? TIMER_MAX : (u32)wanted;

    lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
    lapic_write(LAPIC_TIMER_INITIAL, ticks);
}

static const struct clock_event lapic_event = {.name = "lapic", .arm = lapic_timer_arm};

struct sample {
    u64 tsc;
    u32 counted;
};

/* The count between two reads of the TSC; the tightest of several, as in drivers/timer. */
static struct sample take_sample(void)
{
    struct sample best = {0};
    u64 best_width = ~0UL;

    for (unsigned i = 0; i < SAMPLES; i++) {
        u64 before = rdtsc();
        u32 counted = TIMER_MAX - lapic_read(LAPIC_TIMER_CURRENT);
        u64 width = rdtsc() - before;

        if (width >= best_width)
            continue;
        best_width = width;
        best = (struct sample){before + width / 2, counted};
    }
    return best;
}

/* Ticks per second, measured with the counter running down silently from its maximum. */
static u64 measure_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER_VECTOR);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
    lapic_write(LAPIC_TIMER_INITIAL, TIMER_MAX);

    struct sample start = take_sample(), end;
    u64 window = clock_tsc_hz() / CALIBRATION_FRACTION;
    while (rdtsc() - start.tsc < window)
        cpu_relax();
    end = take_sample();
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    return (u64)(end.counted - start.counted) * clock_tsc_hz() / (end.tsc - start.tsc);
}

static void start_timer(void)
{
    u64 hz = clock_tsc_hz() ? measure_timer() : 0;

    if (hz == 0 || irq_vector_request(TIMER_VECTOR, time_event, NULL)) {
        log_warn("lapic: the timer cannot be used; no timer events");
        return;
    }
    ns_scale = (hz << SCALE_SHIFT) / NS_PER_SECOND;
    clock_event_register(&lapic_event);
    log_info("lapic: timer at %lu.%03lu MHz", hz / 1000000, hz / 1000 % 1000);
}

/* Find the registers, through memory or MSRs. False with a log line when there are none. */
static bool lapic_map(void)
{
    if (!cpu_has_apic()) {
        log_warn("lapic: this CPU has none; no timer events");
        return false;
    }
    u64 base = rdmsr(MSR_APIC_BASE);
    if (!(base & APIC_BASE_ENABLE)) {
        base |= APIC_BASE_ENABLE;
        wrmsr(MSR_APIC_BASE, base);
    }
    paddr_t address = base & APIC_BASE_ADDRESS;
    if (acpi_facts.has_madt && acpi_facts.madt.lapic_address != address)
        log_warn("lapic: at 0x%lx, while the MADT says 0x%lx", address,
                 acpi_facts.madt.lapic_address);

    x2apic = base & APIC_BASE_X2APIC;
    if (!x2apic)
        registers = ioremap(address, APIC_REGISTERS_SIZE);
    if (!lapic_present())
        log_error("lapic: cannot map 0x%lx; no timer events", address);
    return lapic_present();
}

bool lapic_init(void)
{
    if (!lapic_map())
        return false;
    lapic_enable();
    log_info("lapic: id %u%s", lapic_id(), x2apic ? ", x2APIC mode" : "");
    start_timer();
    return true;
}
