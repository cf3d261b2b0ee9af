// SPDX-License-Identifier: MIT
/*
 * The seam between mm/ and the world it runs in. Everything that mm/ and lib/ cannot say in plain C
 * is here: locks, interrupts, CPU identity, TLB, clock, and three ways to speak. The kernel's world
 * is kernel/ plus mm/port.c; the host's is tests/host/port_host.{h,c}, where the same mm/ sources
 * run under ASan and UBSan, with debug locks and a TLB model that never forgets.
 *
 * Both worlds provide, beside the functions below:
 *   struct spinlock, SPINLOCK_INIT(name), spin_init(), spin_lock(), spin_trylock(), spin_unlock(),
 *   spin_lock_irqsave(), spin_unlock_irqrestore(), spin_held(); irq_save(), irq_restore();
 *   cpu_id() (0 .. MAX_CPUS-1), in_interrupt(), MAX_CPUS.
 */
#ifndef MM_PORT_H
#define MM_PORT_H

#include "lib/assert.h"
#include "lib/types.h"
#ifdef VITRINE_HOST
#include "tests/host/port_host.h"
#else
#include "kernel/lock.h"
#endif

/* CPUs that execute kernel code, at least 1 (sets the lazy-flush threshold). Any context. */
u32 port_cpu_count(void);

/* Nanoseconds, monotonic; 0 before the clock is calibrated. Any context. */
u64 port_clock_ns(void);

/* "BUG: ..." with a backtrace: a caller's mistake that was refused. Returns, counted. Any context. */
void port_report(const char *format, ...) __printf(1, 2);

/* Proof of corruption: explains and stops (on the host: jumps back into the test). */
__noreturn void port_panic(const char *format, ...) __printf(1, 2);

/* A warning / an information line in the log. Any context. */
void port_warn(const char *format, ...) __printf(1, 2);
void port_info(const char *format, ...) __printf(1, 2);

/*
 * Forget cached translations of [start, end) / everything, global pages and paging-structure caches
 * included, on every CPU that runs. Returns when no CPU can hold one any more (P3). Any context with
 * interrupts as they may be; above TLB_SINGLE_PAGE_CEILING pages a range flush is a full flush.
 */
void port_tlb_flush_range(vaddr_t start, vaddr_t end);
void port_tlb_flush_all(void);
#define TLB_SINGLE_PAGE_CEILING 33

/* The same for [start, end) of the user half that this CPU has loaded: nothing there is global. */
void port_tlb_flush_user(vaddr_t start, vaddr_t end);

/* Load a page table; all translations of the user half before it are forgotten. */
void port_load_root(paddr_t root);

/* How many range and full flushes were done. */
struct tlb_stats {
    u64 range_flushes, full_flushes, pages_flushed;
};
struct tlb_stats port_tlb_stats(void);

/* Page-table entries are read and written whole, never torn or cached by the compiler. */
static inline pte_t pte_load(const pte_t *entry)
{
    return *(const volatile pte_t *)entry;
}

static inline void pte_store(pte_t *entry, pte_t value)
{
    *(volatile pte_t *)entry = value;
}

/* Sites of the event log, for every floor above. (It needs what is declared here: hence last.) */
#include "mm/event.h"

#endif
