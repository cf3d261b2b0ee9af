// SPDX-License-Identifier: MIT
/*
 * Descriptor tables: in long mode segments keep only their privilege level, and the TSS only stack
 * pointers. One GDT and one TSS for each CPU (a TSS is busy on the CPU that loaded it). Written by
 * their own CPU at start-up, no lock. SDM 3A: 3.4.5 (descriptors), 7.7 (64-bit TSS). Read next:
 * kernel/trap.c.
 */
#include "kernel/gdt.h"
#include "kernel/percpu.h"
#include "kernel/trap.h"
#include "lib/assert.h"

struct tss {
    u32 reserved0;
    u64 rsp[3]; /* stack for entering ring 0, 1, 2 from a lower privilege */
    u64 reserved1;
    u64 ist[7]; /* IST1..IST7, chosen by an IDT gate whatever the privilege */
    u64 reserved2;
    u16 reserved3;
    u16 io_bitmap; /* offset; past the limit = no port is allowed to ring 3 */
} __packed;
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS (SDM 3A, figure 7-11)");

struct descriptor_tables {
    u64 gdt[GDT_ENTRIES];
    struct tss tss;
} __aligned(64);

struct table_pointer {
    u16 limit;
    u64 base;
} __packed;

/* Access byte and flags of a descriptor, at their places in the 8 bytes. */
#define SEG_PRESENT (1UL << 47)
#define SEG_USER (3UL << 45)
#define SEG_CODE_OR_DATA (1UL << 44)
#define SEG_EXECUTABLE (1UL << 43)
#define SEG_WRITABLE (1UL << 41) /* data; for code the same bit means readable */
#define SEG_ACCESSED (1UL << 40) /* preset, so that the CPU never writes the table for it */
#define SEG_LONG (1UL << 53)
#define SEG_TSS_AVAILABLE (9UL << 40)
#define SEG_DATA (SEG_PRESENT | SEG_CODE_OR_DATA | SEG_WRITABLE | SEG_ACCESSED)
#define SEG_CODE (SEG_DATA | SEG_EXECUTABLE | SEG_LONG)

static struct descriptor_tables tables[MAX_CPUS];

static void set_tss_descriptor(u64 *entry, const struct tss *tss)
{
    u64 base = (u64)tss, limit = sizeof(*tss) - 1;
    entry[0] = SEG_PRESENT | SEG_TSS_AVAILABLE | limit | (base & 0xffffff) << 16 |
               (base >> 24 & 0xff) << 56;
    entry[1] = base >> 32;
}

/*
 * CS can only be changed by a far transfer; DS, ES and SS are reloaded so that no selector of the
 * boot loader's table survives. FS and GS stay: loading GS would wipe the per-CPU base.
 */
static void load_tables(const struct table_pointer *pointer)
{
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%ss\n\t"
                     "ltr %3"
                     :
                     : "m"(*pointer), "i"(GDT_KERNEL_CODE), "r"(GDT_KERNEL_DATA), "r"((u16)GDT_TSS)
                     : "rax", "memory");
}

void gdt_init(void)
{
    struct cpu *cpu = this_cpu();
    struct descriptor_tables *t = &tables[cpu->id];

    t->gdt[GDT_KERNEL_CODE / 8] = SEG_CODE;
    t->gdt[GDT_KERNEL_DATA / 8] = SEG_DATA;
    t->gdt[GDT_USER_DATA / 8] = SEG_DATA | SEG_USER;
    t->gdt[GDT_USER_CODE / 8] = SEG_CODE | SEG_USER;
    set_tss_descriptor(&t->gdt[GDT_TSS / 8], &t->tss);

    t->tss.rsp[0] = cpu->stack_high;
    for (unsigned i = 0; i < IST_STACKS; i++) {
        ASSERT(cpu->ist_top[i] != 0, "cpu %u has no stack for IST%u", cpu->id, i + 1);
        t->tss.ist[i] = cpu->ist_top[i];
    }
    t->tss.io_bitmap = sizeof(t->tss);

    struct table_pointer pointer = {sizeof(t->gdt) - 1, (u64)t->gdt};
    load_tables(&pointer);
}

void gdt_set_entry_stack(vaddr_t top)
{
    struct cpu *cpu = this_cpu();
    cpu->entry_stack = top;
    tables[cpu->id].tss.rsp[0] = top;
}
