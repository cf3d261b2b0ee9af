// SPDX-License-Identifier: MIT
/*
 * The drivers on the machine that is really there: clock, timer interrupt, ACPI's facts against the
 * CPU's own, the linked font. The parsers' hostile inputs are tested on the host (tests/host/test_acpi,
 * test_psf, test_terminal, test_keymap).
 */
#include "drivers/acpi.h"
#include "drivers/lapic.h"
#include "drivers/psf.h"
#include "kernel/cpu.h"
#include "kernel/ktest.h"
#include "kernel/percpu.h"
#include "kernel/time.h"
#include "lib/errno.h"

#define NS_PER_MS 1000000UL
#define NS_PER_SECOND 1000000000UL
#define US_PER_MS 1000UL

extern const u8 font_psf_start[], font_psf_end[];

static struct psf_font font; /* too large for a stack frame */

KTEST(drivers, clock_runs)
{
    u64 before = clock_ns();
    delay_us(2 * US_PER_MS);
    u64 passed = clock_ns() - before;

    KEXPECT(passed >= 2 * NS_PER_MS, "2 ms of delay took %lu ns by the clock", passed);
    KEXPECT(clock_tsc_hz() >= 10000000, "the TSC runs at %lu Hz", clock_tsc_hz());
    ktest_note("TSC %lu kHz, measured by %s", clock_tsc_hz() / 1000, clock_source_name());
    return NULL;
}

static struct {
    u64 at_ns;
    u64 calls;
    bool in_interrupt;
} fired;

static void note_time(void *arg)
{
    (void)arg;
    fired.at_ns = clock_ns();
    fired.in_interrupt = in_interrupt();
    __atomic_add_fetch(&fired.calls, 1, __ATOMIC_RELEASE);
}

/* Wait for the callback with interrupts on; a lost interrupt ends after ten seconds, not never. */
static bool wait_fired(u64 calls)
{
    u64 give_up = clock_ns() + 10 * NS_PER_SECOND;

    while (__atomic_load_n(&fired.calls, __ATOMIC_ACQUIRE) < calls && clock_ns() < give_up)
        cpu_relax();
    return __atomic_load_n(&fired.calls, __ATOMIC_ACQUIRE) == calls;
}

KTEST(drivers, timer_interrupt)
{
    static const u64 waits_ns[] = {1, 50000, 3 * NS_PER_MS, 20 * NS_PER_MS};

    fired.calls = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(waits_ns); i++) {
        u64 start = clock_ns();
        int error = timer_once(waits_ns[i], note_time, NULL);
        if (error == -ENODEV)
            return ktest_skip("no timer device on this machine");
        KEXPECT(error == 0, "timer_once(%lu) gave %d", waits_ns[i], error);
        KEXPECT(wait_fired(i + 1), "no interrupt after %lu ns", waits_ns[i]);
        KEXPECT(fired.at_ns - start >= waits_ns[i], "%lu ns asked for, %lu waited", waits_ns[i],
                fired.at_ns - start);
        KEXPECT(fired.in_interrupt, "the callback did not run in interrupt context");
    }
    return NULL;
}

KTEST(drivers, timer_takes_one_at_a_time)
{
    fired.calls = 0;
    u64 flags = irq_save(); /* so that the first cannot be over before the second is tried */
    int error = timer_once(NS_PER_MS, note_time, NULL);
    int second = timer_once(1, note_time, NULL);
    irq_restore(flags);
    if (error == -ENODEV)
        return ktest_skip("no timer device on this machine");
    KEXPECT(error == 0, "timer_once() gave %d", error);
    KEXPECT(wait_fired(1), "the first timer was lost");
    KEXPECT(second == -EBUSY, "a second timer gave %d, not -EBUSY", second);
    return NULL;
}

KTEST(drivers, acpi_knows_this_cpu)
{
    if (!acpi_facts.has_madt)
        return ktest_skip("no MADT on this machine");
    const struct acpi_madt *madt = &acpi_facts.madt;
    bool listed = false;

    for (u32 i = 0; i < madt->cpu_count; i++)
        listed |= madt->cpus[i] == this_cpu()->apic_id;
    KEXPECT(listed, "APIC id %u is not among the %u in the MADT", this_cpu()->apic_id,
            madt->cpu_count);
    KEXPECT(lapic_id() == this_cpu()->apic_id, "the LAPIC says %u, CPUID said %u", lapic_id(),
            this_cpu()->apic_id);
    KEXPECT(cpu_count() == (madt->cpu_count < MAX_CPUS ? madt->cpu_count : MAX_CPUS),
            "%u CPUs counted, %u in the MADT", cpu_count(), madt->cpu_count);
    return NULL;
}

/* What the shell draws with must be in the font, not only its plainer relatives. */
KTEST(drivers, font_draws_boxes)
{
    static const u16 needed[] = {0x2500, 0x2502, 0x250c, 0x2510, 0x2514, 0x2518, 0x251c, 0x2524,
                                 0x252c, 0x2534, 0x253c, 0x2591, 0x2592, 0x2593, 0x2588, 'A'};

    int error = psf_parse(font_psf_start, (size_t)(font_psf_end - font_psf_start), &font);
    KEXPECT(error == 0, "psf_parse() gave %d", error);
    KEXPECT(font.mappings_dropped == 0, "%u mappings did not fit", font.mappings_dropped);
    const u8 *question = psf_glyph(&font, '?');
    for (unsigned i = 0; i < ARRAY_SIZE(needed); i++)
        KEXPECT(psf_glyph(&font, needed[i]) != question, "U+%04x has no glyph", needed[i]);
    return NULL;
}
