// SPDX-License-Identifier: MIT
/*
 * The local APIC: this CPU's interrupt inbox, and its one-shot timer. Registers in memory, or in MSRs
 * where the firmware left the x2APIC mode on.
 */
#ifndef DRIVERS_LAPIC_H
#define DRIVERS_LAPIC_H

#include "lib/types.h"

/*
 * Map the registers (needs ioremap()), enable the boot CPU's LAPIC, measure its timer against the TSC
 * for 5 ms and register the clock event "lapic". False, with a log line, when there is none. Boot,
 * after timer_calibrate().
 */
bool lapic_init(void);

/* Enable the calling CPU's LAPIC in the same way; for CPUs that start later. */
void lapic_enable(void);

/* Let the 8259's interrupts in through LINT0 of the calling CPU. After lapic_init(). */
void lapic_accept_8259(void);

/* The calling CPU's APIC id; 0 when lapic_init() failed. */
u32 lapic_id(void);

/* End of interrupt; harmless when nothing is in service. Any context. */
void lapic_eoi(void);

#endif
