// SPDX-License-Identifier: MIT
/*
 * Segment selectors. The order is the one that SYSCALL and SYSRET demand (SDM 2B): with STAR[47:32] =
 * GDT_KERNEL_CODE the next entry is the kernel stack segment, and with STAR[63:48] = GDT_KERNEL_DATA
 * the next two are user data and user code.
 */
#ifndef KERNEL_GDT_H
#define KERNEL_GDT_H

#include "lib/types.h"

#define GDT_KERNEL_CODE 0x08
#define GDT_KERNEL_DATA 0x10
#define GDT_USER_DATA 0x18
#define GDT_USER_CODE 0x20
#define GDT_TSS 0x28 /* takes two entries */
#define GDT_ENTRIES 7

/* The stack on which this CPU continues when ring 3 traps or calls. Interrupts off. */
void gdt_set_entry_stack(vaddr_t top);

/* Interrupt stack table numbers in IDT gates; 0 = stay on the current stack. */
enum { IST_NONE = 0, IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3 };

#endif
