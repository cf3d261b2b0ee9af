// SPDX-License-Identifier: MIT
/*
 * The search in the table of instructions that may fault, and the first of them. No lock: the table
 * is made by the linker and read-only. Linear, because a fault is rare and the table short.
 */
#include "kernel/extable.h"

extern const struct extable_entry __extable_start[], __extable_end[];

vaddr_t extable_find(vaddr_t rip)
{
    for (const struct extable_entry *e = __extable_start; e < __extable_end; e++)
        if (e->fault_rip == rip)
            return e->fixup_rip;
    return 0;
}

bool safe_read(vaddr_t address, u64 *out)
{
    u64 value = 0, failed = 1;
    __asm__ volatile("1: mov (%2), %0\n\t"
                     "xor %k1, %k1\n\t"
                     "2:\n\t" EXTABLE("1b", "2b")
                     : "+r"(value), "+r"(failed)
                     : "r"(address)
                     : "memory", "cc");
    *out = value;
    return !failed;
}
