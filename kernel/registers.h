// SPDX-License-Identifier: MIT
/*
 * Registers as people read them: every flag by its name from the manual. Part of the panic report.
 */
#ifndef KERNEL_REGISTERS_H
#define KERNEL_REGISTERS_H

#include "kernel/trap.h"
#include "lib/types.h"

/* The 15 pushed general registers and rsp, in the order in which they are printed. */
#define REGISTER_COUNT 16
const char *register_name(unsigned n);
u64 register_value(const struct trap_frame *frame, unsigned n);

/* Prints general registers, rip, rflags, segments, error code, CR0, CR2, CR3, CR4. Any context. */
void registers_print(const struct trap_frame *frame);

#endif
