// SPDX-License-Identifier: MIT
/*
 * IOAPICs: device interrupt lines to CPUs. Registers the machine's interrupt chip.
 */
#ifndef DRIVERS_IOAPIC_H
#define DRIVERS_IOAPIC_H

#include "lib/types.h"

/*
 * Map every IOAPIC of the MADT, mask all inputs and register the chip "ioapic"; interrupts go to the
 * calling CPU. Without a usable one registers the 8259 instead. Boot, after lapic_init().
 */
void ioapic_init(void);

#endif
