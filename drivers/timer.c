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

/* Reads before a clock is given up: in all, and without a change. */
#define PATIENCE 10000000
#define STANDS_STILL 10000

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
#define PIT_CHANNEL_2_MODE_0 0xb0 /* low byte, high byte; counts down once and on through zero */
#define PIT_CHANNEL_2_LATCH 0x80
#define PIT_FULL 0xffffu
#define PIT_GATE_PORT 0x61
#define PIT_GATE 0x01
#define PIT_SPEAKER 0x02

#define CPUID_TSC_RATIO 0x15u
#define CPUID_FREQUENCY 0x16u
#define CPUID_HYPERVISOR 0x40000000u
#define CPUID_HYPERVISOR_TIMING 0x40000010u
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define FALLBACK_HZ 1000000000UL
#define SANE_MIN_HZ 10000000UL
#define SANE_MAX_HZ 20000000000UL

/* A clock of known rate that counts up and wraps at mask + 1. */
struct reference {
    const char *name;
    u64 hz;
    u32 mask;
    u32 (*now)(void);
};

/* What both clocks said at the same moment. */
struct sample {
    u64 tsc;
    u32 reference;
};

/*
 * Read the reference between two reads of the TSC, several times, and keep the tightest: an emulator
 * or a system management interrupt may stop us in between for longer than the whole window.
 */
static struct sample take_sample(const struct reference *clock)
{
    struct sample best = {0};
    u64 best_width = ~0UL;

    for (unsigned i = 0; i < SAMPLES; i++) {
        u64 before = rdtsc();
        u32 now = clock->now();
        u64 width = rdtsc() - before;

        if (width >= best_width)
            continue;
        best_width = width;
        best = (struct sample){before + width / 2, now};
    }
    return best;
}

/* Wait until the reference has counted `ticks` from `start`. False when it does not get there. */
static bool wait_ticks(const struct reference *clock, u32 start, u32 ticks)
{
    u32 last = start;
    unsigned unchanged = 0;

    for (unsigned reads = 0; reads < PATIENCE && unchanged < STANDS_STILL; reads++) {
        u32 now = clock->now();

        if (((now - start) & clock->mask) >= ticks)
            return true;
        unchanged = now == last ? unchanged + 1 : 0;
        last = now;
    }
    return false;
}

/* The TSC's rate, or 0 when the reference does not run. */
static u64 measure_tsc(const struct reference *clock)
{
    struct sample start = take_sample(clock);

    if (!wait_ticks(clock, start.reference, (u32)(clock->hz * WINDOW_MS / MS_PER_SECOND))) {
        log_warn("timer: the %s stands still, not used", clock->name);
        return 0;
    }
    struct sample end = take_sample(clock);
    return (end.tsc - start.tsc) * clock->hz / ((end.reference - start.reference) & clock->mask);
}

static volatile u32 *hpet; /* mapped while it is used */

static u32 hpet_now(void)
{
    return hpet[HPET_COUNTER / 4];
}

static u64 measure_with_mapped_hpet(void)
{
    u32 period_fs = hpet[HPET_CAPABILITIES / 4 + 1];

    if (period_fs < HPET_MIN_PERIOD_FS || period_fs > HPET_MAX_PERIOD_FS) {
        log_warn("timer: an HPET with a period of %u fs cannot be, not used", period_fs);
        return 0;
    }
    hpet[HPET_CONFIGURATION / 4] |= HPET_ENABLE;
    struct reference clock = {"HPET", FS_PER_SECOND / period_fs, 0xffffffff, hpet_now};
    return measure_tsc(&clock);
}

static u64 measure_with_hpet(void)
{
    if (!acpi_facts.hpet)
        return 0;
    hpet = ioremap(acpi_facts.hpet, HPET_REGISTERS_SIZE);
    if (!hpet) {
        log_warn("timer: cannot map the HPET at 0x%lx", acpi_facts.hpet);
        return 0;
    }
    u64 hz = measure_with_mapped_hpet();
    iounmap((const void *)hpet);
    return hz;
}

/* The PIT counts down; latching freezes the value while its two bytes are read. */
static u32 pit_now(void)
{
    outb(PIT_COMMAND, PIT_CHANNEL_2_LATCH);
    u32 count = inb(PIT_CHANNEL_2);
    count |= (u32)inb(PIT_CHANNEL_2) << 8;
    return PIT_FULL - count;
}

/* Channel 2 is the one whose gate we can open, and that nobody else uses: it drives the speaker. */
static u64 measure_with_pit(void)
{
    static const struct reference clock = {"PIT", PIT_HZ, PIT_FULL, pit_now};
    u8 gate = inb(PIT_GATE_PORT);

    outb(PIT_GATE_PORT, (u8)((gate & ~PIT_SPEAKER) | PIT_GATE));
    outb(PIT_COMMAND, PIT_CHANNEL_2_MODE_0);
    outb(PIT_CHANNEL_2, PIT_FULL & 0xff);
    outb(PIT_CHANNEL_2, PIT_FULL >> 8);
    u64 hz = measure_tsc(&clock);
    outb(PIT_GATE_PORT, gate);
    return hz;
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

static bool sane(u64 hz)
{
    return hz >= SANE_MIN_HZ && hz <= SANE_MAX_HZ;
}

void timer_calibrate(void)
{
    static const struct {
        const char *name;
        u64 (*hz)(void);
    } ways[] = {
        {"HPET", measure_with_hpet}, {"PIT", measure_with_pit}, {"CPUID", tsc_hz_from_cpuid}};

    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        u64 hz = ways[i].hz();
        if (sane(hz)) {
            time_init_tsc(hz, ways[i].name);
            return;
        }
    }
    log_warn("timer: neither HPET nor PIT runs and CPUID is silent; assuming a TSC of 1 GHz");
    time_init_tsc(FALLBACK_HZ, "assumption");
}
