// SPDX-License-Identifier: MIT
/*
 * Instructions that are allowed to fault. EXTABLE() inside an asm statement notes "if the instruction
 * at FROM traps, go on at TO"; the notes gather in a linker table which the trap path searches. The
 * registers are left as they were at the fault, so the fixup says what a failure returns.
 */
#ifndef KERNEL_EXTABLE_H
#define KERNEL_EXTABLE_H

#include "lib/types.h"

struct extable_entry {
    u64 fault_rip, fixup_rip;
};

#define EXTABLE(from, to)                                                                          \
    ".pushsection .table.extable, \"a\"\n\t"                                                       \
    ".balign 8\n\t"                                                                                \
    ".quad " from ", " to "\n\t"                                                                   \
    ".popsection\n\t"

/* Where to go on when the instruction at `rip` faulted; 0 when it is not in the table. */
vaddr_t extable_find(vaddr_t rip);

/*
 * Read 8 bytes from any address whatsoever: false instead of a trap when it is not mapped or not
 * canonical. Any context once trap_init() has run. Not for device registers.
 */
bool safe_read(vaddr_t address, u64 *out);

#endif
