// SPDX-License-Identifier: MIT
/*
 * COM1, a 16550 UART: the console "ttyS0". Output is polled, so it works with interrupts off and in a
 * panic; input is interrupt-driven once serial_enable_irq() was called.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "lib/types.h"

/*
 * Program COM1 (115200 8N1, FIFO on) and register the console. Bytes that were typed ahead are kept.
 * False, and no console, when no UART answers. First driver of all: needs no memory, no interrupts,
 * no per-CPU data.
 */
bool serial_early_init(void);

/* Receive by IRQ 4 into console_input_push(). Boot, after an interrupt chip is registered. */
void serial_enable_irq(void);

/* Bytes given up because the port stayed busy / received after an overrun. Any context. */
u64 serial_dropped(void);
u64 serial_overruns(void);

#endif
