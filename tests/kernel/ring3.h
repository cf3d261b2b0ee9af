// SPDX-License-Identifier: MIT
/*
 * A visit to ring 3 without a process: a few instructions in a page of their own, until they trap. For tests of
 * page protection and of demand paging. Read next: tests/kernel/ring3.asm.
 */
#ifndef TESTS_KERNEL_RING3_H
#define TESTS_KERNEL_RING3_H

#include "kernel/trap.h"
#include "mm/uspace.h"

#define RING3_CODE 0x400000UL /* where ring3_space() puts the instructions */

/* What the instructions do with the address that they are given, before they end with int3. */
enum ring3_deed { RING3_READ, RING3_WRITE, RING3_JUMP, RING3_DEEDS };

/* A space with the page of instructions, or NULL: no memory. Loaded by ring3_try(). */
struct uspace *ring3_space(void);

/* Do it in ring 3. `paging`: a page fault goes to uspace_fault() first, as for any program. Returns the trap that
 * ended the visit: TRAP_BREAKPOINT when all went well. */
struct fault_info ring3_try(struct uspace *space, enum ring3_deed deed, vaddr_t address,
                            bool paging);

#endif
