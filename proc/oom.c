// SPDX-License-Identifier: MIT
/*
 * The report that comes before a program is killed for want of memory. The one who asked for more is the one
 * who ends: no guess about who is to blame, and the table shows it. Any task; interrupts may be off.
 */
#include "proc/oom.h"
#include "kernel/printk.h"
#include "mm/buddy.h"
#include "proc/task.h"

static bool print_holder(void *asker, struct process *process)
{
    struct uspace_stats stats = {0};
    if (!process->space)
        return true;
    uspace_read_stats(process->space, &stats);
    print("  %c %5d %-16s %8lu %8lu %8lu %8lu\n", process == asker ? '*' : ' ', process->pid,
          process->name, stats.mapped_pages * 4, stats.anon_pages * 4, stats.file_pages * 4,
          stats.tables * 4);
    return true;
}

void oom_report(struct process *asker, const char *what)
{
    print("out of memory: %s of %d (%s); it is killed (*)\n", what, asker->pid, asker->name);
    print("      pid program              mapped     anon     file   tables  KiB\n");
    process_for_each(print_holder, asker);
    print("  kernel: slab %lu, page tables %lu, vmalloc %lu, free %lu of %lu KiB\n",
          kernel_buddy.use_pages[PAGE_USE_SLAB] * 4, kernel_buddy.use_pages[PAGE_USE_TABLE] * 4,
          kernel_buddy.use_pages[PAGE_USE_VMALLOC] * 4, buddy_free_pages(&kernel_buddy) * 4,
          kernel_buddy.managed * 4);
}
