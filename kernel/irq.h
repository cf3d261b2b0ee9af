// SPDX-License-Identifier: MIT
/*
 * Hardware interrupts, seen from the machine's side: drivers/ioapic and drivers/lapic register the
 * chip, device drivers ask for a line, nobody below needs to know which chip it is.
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "lib/types.h"

typedef void (*irq_handler)(void *arg);

/* The interrupt controller pair. `line` is an ISA IRQ number (0..15); the chip applies the MADT's
 * overrides. eoi() is called by the trap path after the handler. */
struct irq_chip {
    const char *name;
    void (*enable)(u32 line, u32 vector);
    void (*disable)(u32 line);
    void (*eoi)(void);
};

void irq_chip_register(const struct irq_chip *chip);

/* Serve `line` with handler(arg), interrupts off, on the boot CPU. 0; -EBUSY taken; -ENODEV no chip;
 * -EINVAL no such line. */
int irq_request(u32 line, irq_handler handler, void *arg);

/* A vector without a line (LAPIC timer, IPIs): handler(arg), EOI by the trap path. 0 or -EBUSY. */
int irq_vector_request(u32 vector, irq_handler handler, void *arg);

/* Interrupts received per line/vector, for the `cpus` command. */
u64 irq_vector_count(u32 vector);

/* From the trap path: serve an external interrupt. */
struct trap_frame;
void irq_dispatch(struct trap_frame *frame);

#endif
