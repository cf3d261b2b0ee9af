// SPDX-License-Identifier: MIT
/*
 * Page faults of ring 0. A copy from or to user memory pages in what it touches (mm/uspace_fault.c; ring 3's
 * own faults go there straight from proc/trap_user.c). The kernel half has no demand paging: any other fault
 * becomes a sentence: which region, which area (or which area was here before), guard page or use after free,
 * who allocated, who freed, and the page-table chain with the level that failed.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "lib/types.h"

enum fault_kind {
    FAULT_NULL,
    FAULT_NON_CANONICAL,
    FAULT_STACK_GUARD,
    FAULT_VMALLOC_GUARD,
    FAULT_USE_AFTER_FREE,
    FAULT_WRITE_PROTECT,
    FAULT_EXEC,
    FAULT_USER_ACCESS,
    FAULT_RESERVED_BIT,
    FAULT_WILD
};

struct fault_explanation {
    enum fault_kind kind;
    char what[320]; /* one or two sentences */
    char next[160]; /* what to do next */
};

/* Explain an access. error: page-fault error code bits (kernel/trap.h PF_*). Reads memory only. */
void fault_explain(vaddr_t address, u64 error, struct fault_explanation *out);

/* Register #PF and #DF with kernel/trap and the chain printer with kernel/panic. Once, after vmalloc. */
void fault_init(void);

/* Called when a copy to or from a program ends early because there is no memory for its page; in the trap. */
void fault_set_out_of_memory(void (*hook)(void));

/* Print the chain PGD -> PTE of an address with every level decoded: panic, `pt`. */
void fault_print_chain(vaddr_t address);

/* "?RWX"-like decoding of one entry into buf, e.g. "frame 0x1234000 RW NX G A D". */
void pte_describe(pte_t entry, unsigned level, char *buf, u64 size);

#endif
