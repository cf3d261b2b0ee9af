// SPDX-License-Identifier: MIT
/*
 * The pair of 8259 interrupt controllers: silenced where there is an IOAPIC, used where there is none.
 */
#ifndef DRIVERS_PIC_H
#define DRIVERS_PIC_H

#include "lib/types.h"

/* Move the 16 lines to vectors 0x20..0x2f, away from the exceptions, and mask them all. Boot, early:
 * a line that still fires must not look like a double fault. */
void pic_disable(void);

/* Register the 8259 as the interrupt chip (no MADT, no IOAPIC). Boot CPU, after lapic_init(). */
void pic_register(void);

#endif
