// SPDX-License-Identifier: MIT
/*
 * mm/port.h in the kernel: three voices, the clock, and the TLB. Kernel mappings are global, so
 * reloading CR3 would not touch them: one page is forgotten with INVLPG (which ignores the global bit
 * and empties this PCID's paging-structure caches too), everything by toggling CR4.PGE (which forgets
 * all entries of all PCIDs, global ones included). Reference: SDM 3A, 4.10.4.1. The counters are
 * atomic; no lock.
 */
#include "mm/port.h"

#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "lib/format.h"

static struct tlb_stats counters;

u32 port_cpu_count(void)
{
    return cpu_online_count();
}

u64 port_clock_ns(void)
{
    return clock_ns();
}

void port_report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vreport(format, args);
    va_end(args);
}

void port_panic(const char *format, ...)
{
    static char sentence[320];
    va_list args;
    va_start(args, format);
    vformat_to(sentence, sizeof(sentence), format, args);
    va_end(args);
    panic("%s", sentence);
}

void port_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintk(LOG_WARN, format, args);
    va_end(args);
}

void port_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintk(LOG_INFO, format, args);
    va_end(args);
}

/* ---- TLB ------------------------------------------------------------------------------------- */

static void count(u64 *counter, u64 n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* The other processors are parked before they have loaded these tables: there is nobody to tell. */
static void assert_alone(void)
{
    ASSERT(cpu_online_count() == 1, "%u CPUs run, but a flush reaches only this one (P3)",
           cpu_online_count());
}

void port_tlb_flush_all(void)
{
    u64 flags = irq_save();
    u64 cr4 = read_cr4();

    assert_alone();
    EVENT(NULL, FLUSH_ALL);
    if (cr4 & CR4_PGE) {
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    irq_restore(flags);
    count(&counters.full_flushes, 1);
}

void port_tlb_flush_range(vaddr_t start, vaddr_t end)
{
    u64 pages = (end - start + PAGE_SIZE - 1) >> PAGE_SHIFT;

    if (pages > TLB_SINGLE_PAGE_CEILING) {
        port_tlb_flush_all();
        return;
    }
    assert_alone();
    EVENT(NULL, FLUSH_RANGE, start, end);
    for (vaddr_t at = start & PAGE_MASK; pages > 0; pages--, at += PAGE_SIZE) {
        invlpg(at);
        count(&counters.pages_flushed, 1);
    }
    count(&counters.range_flushes, 1);
}

/* Writing CR3 forgets all that is not global: the whole user half, and nothing of the kernel's. */
void port_tlb_flush_user(vaddr_t start, vaddr_t end)
{
    if (((end - start) >> PAGE_SHIFT) <= TLB_SINGLE_PAGE_CEILING) {
        port_tlb_flush_range(start, end);
        return;
    }
    assert_alone();
    EVENT(NULL, FLUSH_ALL);
    write_cr3(read_cr3());
    count(&counters.full_flushes, 1);
}

void port_load_root(paddr_t root)
{
    write_cr3(root);
}

struct tlb_stats port_tlb_stats(void)
{
    return counters;
}

/* ---- event sites -------------------------------------------------------------------------------- */

/* Writes to read-only text, for the one byte: CR0.WP is this CPU's alone, and writing it also makes
 * this CPU forget what it has decoded (SDM 3A, 8.3). Each byte is an instruction in either state, so
 * others may be executing it meanwhile. */
void port_event_sites(bool on)
{
    extern u8 *const __event_sites_start[], *const __event_sites_end[];
    u64 flags = irq_save();
    u64 cr0 = read_cr0();

    write_cr0(cr0 & ~CR0_WP);
    for (u8 *const *site = __event_sites_start; site < __event_sites_end; site++)
        __atomic_store_n(*site, on ? EVENT_SITE_ON : EVENT_SITE_OFF, __ATOMIC_RELAXED);
    write_cr0(cr0);
    irq_restore(flags);
}
