// SPDX-License-Identifier: MIT
/*
 * The local APIC: this CPU's interrupt inbox, and its one-shot timer. Registers in memory, or in MSRs
 * where the firmware left the x2APIC mode on.
 */
#ifndef DRIVERS_LAPIC_H
#define DRIVERS_LAPIC_H

#include "lib/types.h"

/*
 * Map the registers (needs ioremap()) and enable the boot CPU's LAPIC. `use_8259`: let the 8259's
 * interrupts through LINT0. False when this CPU has no usable LAPIC. Boot, after acpi_init().
 */
bool lapic_init(bool use_8259);

/* Enable the calling CPU's LAPIC in the same way; for CPUs that start later. */
void lapic_enable(void);

/* The calling CPU's APIC id. After lapic_init(). */
u32 lapic_id(void);

/* End of interrupt; harmless when nothing is in service. Any context. */
void lapic_eoi(void);

/* Calibration, for drivers/timer: let the counter run down silently from its maximum; how far it has
 * come since; and the result, ticks per second, which registers the clock event "lapic". */
void lapic_timer_count_start(void);
u32 lapic_timer_counted(void);
void lapic_timer_register(u64 ticks_per_second);

#endif
