// SPDX-License-Identifier: MIT
/*
 * Calibration of the TSC. Every wait is bounded by a number of reads, so that a clock that stands
 * still is noticed instead of waited for.
 * No lock: boot CPU, once, interrupts off. References: IA-PC HPET specification 1.0a; Intel 8254.
 * Read next: kernel/time.c.
 */
#include "drivers/timer.h"
#include "drivers/acpi.h"
#include "kernel/cpu.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "mm/vmalloc.h"

#define WINDOW_MS 10
#define MS_PER_SECOND 1000
#define SAMPLES 5

#define HPET_REGISTERS_SIZE 0x400
#define HPET_CAPABILITIES 0x000 /* bits 63:32: femtoseconds for each tick */
#define HPET_CONFIGURATION 0x010
#define HPET_COUNTER 0x0f0
#define HPET_ENABLE 0x1u
#define HPET_MIN_PERIOD_FS 100000u
#define HPET_MAX_PERIOD_FS 100000000u /* 10 MHz, the slowest that the specification allows */
#define FS_PER_SECOND 1000000000000000UL

#define PIT_HZ 1193182
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_2_MODE_0 0xb0 /* low byte, high byte; the output rises when the count ends */
#define PIT_GATE_PORT 0x61
#define PIT_GATE 0x01
#define PIT_SPEAKER 0x02
#define PIT_OUTPUT 0x20

/* Reads before a clock is given up. Each takes at least 0.1 us: a second for 10 ms. */
#define PATIENCE 10000000

#define CPUID_TSC_RATIO 0x15u
#define CPUID_FREQUENCY 0x16u
#define CPUID_HYPERVISOR 0x40000000u
#define CPUID_HYPERVISOR_TIMING 0x40000010u
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define FALLBACK_HZ 1000000000UL
#define SANE_MIN_HZ 10000000UL
#define SANE_MAX_HZ 20000000000UL

/* Ticks of both clocks during the same window. */
struct measurement {
    u64 reference, reference_hz;
    u64 tsc;
    const char *name;
};

/* The moment that a reference value was read, as well as the TSC can tell. */
struct sample {
    u64 tsc;
    u32 reference;
};

static u32 hpet_now(volatile u32 *hpet)
{
    return hpet[HPET_COUNTER / 4];
}

/*
 * Read the HPET between two reads of the TSC, several times, and keep the tightest: an emulator or a
 * system management interrupt may stop us in between for longer than the whole window.
 */
static struct sample hpet_sample(volatile u32 *hpet)
{
    struct sample best = {0};
    u64 best_width = ~0UL;

    for (unsigned i = 0; i < SAMPLES; i++) {
        u64 before = rdtsc();
        u32 reference = hpet_now(hpet);
        u64 width = rdtsc() - before;

        if (width >= best_width)
            continue;
        best_width = width;
        best = (struct sample){before + width / 2, reference};
    }
    return best;
}

/* Wait for `ticks` of the HPET. False when it does not get there within PATIENCE reads. */
static bool hpet_wait(volatile u32 *hpet, u32 ticks)
{
    u32 start = hpet_now(hpet);

    for (unsigned reads = 0; reads < PATIENCE; reads++)
        if (hpet_now(hpet) - start >= ticks)
            return true;
    return false;
}

static bool measure_with_hpet_at(volatile u32 *hpet, struct measurement *m)
{
    u32 period_fs = hpet[HPET_CAPABILITIES / 4 + 1];

    if (period_fs < HPET_MIN_PERIOD_FS || period_fs > HPET_MAX_PERIOD_FS) {
        log_warn("hpet: a period of %u fs cannot be, not used", period_fs);
        return false;
    }
    hpet[HPET_CONFIGURATION / 4] |= HPET_ENABLE;
    m->reference_hz = FS_PER_SECOND / period_fs;
    m->name = "HPET";

    struct sample start = hpet_sample(hpet);
    if (!hpet_wait(hpet, (u32)(m->reference_hz * WINDOW_MS / MS_PER_SECOND))) {
        log_warn("hpet: the counter stands still, not used");
        return false;
    }
    struct sample end = hpet_sample(hpet);
    m->reference = end.reference - start.reference;
    m->tsc = end.tsc - start.tsc;
    return true;
}

static bool measure_with_hpet(struct measurement *m)
{
    if (!acpi_facts.hpet)
        return false;
    u32 *hpet = ioremap(acpi_facts.hpet, HPET_REGISTERS_SIZE);
    if (!hpet) {
        log_warn("hpet: cannot map 0x%lx", acpi_facts.hpet);
        return false;
    }
    bool measured = measure_with_hpet_at(hpet, m);
    iounmap(hpet);
    return measured;
}

/*
 * Channel 2 counts down once and raises its output, which port 0x61 shows. Steps: 1 gate on, speaker
 * off; 2 write the count, which starts it; 3 the output must be low now; 4 wait until it is high.
 */
static bool measure_with_pit(struct measurement *m)
{
    u16 count = PIT_HZ * WINDOW_MS / MS_PER_SECOND;
    u8 gate = inb(PIT_GATE_PORT);

    outb(PIT_GATE_PORT, (u8)((gate & ~PIT_SPEAKER) | PIT_GATE));
    outb(PIT_COMMAND, PIT_CHANNEL_2_MODE_0);
    outb(PIT_CHANNEL_2, (u8)count);
    outb(PIT_CHANNEL_2, (u8)(count >> 8));

    u64 start = rdtsc();
    bool ended = false;
    if (!(inb(PIT_GATE_PORT) & PIT_OUTPUT))
        for (unsigned reads = 0; reads < PATIENCE && !ended; reads++)
            ended = inb(PIT_GATE_PORT) & PIT_OUTPUT;
    m->tsc = rdtsc() - start;
    m->reference = count;
    m->reference_hz = PIT_HZ;
    m->name = "PIT";
    outb(PIT_GATE_PORT, gate);
    return ended;
}

/* What the processor or the hypervisor says about itself; 0 when they do not. */
static u64 tsc_hz_from_cpuid(void)
{
    u32 max, eax, ebx, ecx, edx;

    cpuid(0, 0, &max, &ebx, &ecx, &edx);
    if (max >= CPUID_TSC_RATIO) {
        cpuid(CPUID_TSC_RATIO, 0, &eax, &ebx, &ecx, &edx);
        if (eax && ebx && ecx)
            return (u64)ecx * ebx / eax;
    }
    if (max >= CPUID_FREQUENCY) {
        cpuid(CPUID_FREQUENCY, 0, &eax, &ebx, &ecx, &edx);
        if (eax & 0xffff)
            return (u64)(eax & 0xffff) * 1000000;
    }
    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    if (!(ecx & CPUID_1_ECX_HYPERVISOR))
        return 0;
    cpuid(CPUID_HYPERVISOR, 0, &max, &ebx, &ecx, &edx);
    if (max < CPUID_HYPERVISOR_TIMING)
        return 0;
    cpuid(CPUID_HYPERVISOR_TIMING, 0, &eax, &ebx, &ecx, &edx);
    return (u64)eax * 1000;
}

static u64 tsc_hz_measured(const struct measurement *m)
{
    return m->reference ? m->tsc * m->reference_hz / m->reference : 0;
}

static bool sane(u64 hz)
{
    return hz >= SANE_MIN_HZ && hz <= SANE_MAX_HZ;
}

void timer_calibrate(void)
{
    struct measurement m = {0};
    bool measured = measure_with_hpet(&m) || measure_with_pit(&m);

    if (measured && sane(tsc_hz_measured(&m))) {
        time_init_tsc(tsc_hz_measured(&m), m.name);
    } else if (sane(tsc_hz_from_cpuid())) {
        time_init_tsc(tsc_hz_from_cpuid(), "CPUID");
    } else {
        log_warn("timer: neither HPET nor PIT runs and CPUID is silent; assuming a TSC of 1 GHz");
        time_init_tsc(FALLBACK_HZ, "assumption");
    }
}
