// SPDX-License-Identifier: MIT
/*
 * IOAPICs. An ISA line becomes a global interrupt number through the MADT's overrides, that number
 * belongs to one input of one IOAPIC. Registers are reached through an index and a data window, two
 * accesses that must not be interleaved: `lock` guards them, taken with interrupts off.
 * Reference: Intel 82093AA data sheet. Read next: kernel/irq.c.
 */
#include "drivers/ioapic.h"
#include "drivers/acpi.h"
#include "drivers/lapic.h"
#include "drivers/pic.h"
#include "kernel/irq.h"
#include "kernel/lock.h"
#include "kernel/printk.h"
#include "mm/vmalloc.h"

#define WINDOW_SIZE 0x20
#define INDEX 0 /* in 32-bit words */
#define DATA 4
#define REG_VERSION 0x01
#define REG_REDIRECTION 0x10 /* two registers for each input, low half first */

#define REDIRECT_ACTIVE_LOW (1u << 13)
#define REDIRECT_LEVEL (1u << 15)
#define REDIRECT_MASKED (1u << 16)
#define DESTINATION_SHIFT 24

struct ioapic {
    volatile u32 *window;
    u32 first, count; /* global interrupts [first, first + count) */
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS];
static unsigned ioapic_count;
static u32 boot_apic_id;
static struct spinlock lock = SPINLOCK_INIT("ioapic");

static u32 ioapic_read(const struct ioapic *io, u32 reg)
{
    io->window[INDEX] = reg;
    return io->window[DATA];
}

static void ioapic_write(const struct ioapic *io, u32 reg, u32 value)
{
    io->window[INDEX] = reg;
    io->window[DATA] = value;
}

/* Program one input. Masked while the halves disagree. The caller holds `lock`. */
static void redirect(const struct ioapic *io, u32 input, u32 low, u32 destination)
{
    u32 reg = REG_REDIRECTION + 2 * input;

    ioapic_write(io, reg, REDIRECT_MASKED);
    ioapic_write(io, reg + 1, destination << DESTINATION_SHIFT);
    ioapic_write(io, reg, low);
}

static const struct ioapic *ioapic_for(u32 gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi >= ioapics[i].first && gsi - ioapics[i].first < ioapics[i].count)
            return &ioapics[i];
    return NULL;
}

static void program_line(u32 line, u32 low)
{
    const struct acpi_isa_line *isa = &acpi_facts.madt.isa[line];
    const struct ioapic *io = ioapic_for(isa->gsi);

    if (!io) {
        log_warn("ioapic: no IOAPIC serves interrupt %u (ISA line %u)", isa->gsi, line);
        return;
    }
    if (isa->active_low)
        low |= REDIRECT_ACTIVE_LOW;
    if (isa->level)
        low |= REDIRECT_LEVEL;
    u64 flags = spin_lock_irqsave(&lock);
    redirect(io, isa->gsi - io->first, low, boot_apic_id);
    spin_unlock_irqrestore(&lock, flags);
}

static void ioapic_enable(u32 line, u32 vector)
{
    if (line < ACPI_ISA_LINES)
        program_line(line, vector);
}

static void ioapic_disable(u32 line)
{
    if (line < ACPI_ISA_LINES)
        program_line(line, REDIRECT_MASKED);
}

static const struct irq_chip ioapic_chip = {
    .name = "ioapic", .enable = ioapic_enable, .disable = ioapic_disable, .eoi = lapic_eoi};

/* Map one and mask its inputs. All ones is what an address without a device reads as. */
static void ioapic_map(const struct acpi_ioapic *entry)
{
    struct ioapic *io = &ioapics[ioapic_count];

    io->window = ioremap(entry->address, WINDOW_SIZE);
    if (!io->window) {
        log_warn("ioapic: cannot map 0x%lx", entry->address);
        return;
    }
    u32 version = ioapic_read(io, REG_VERSION);
    if (version == 0xffffffff || version == 0) {
        log_warn("ioapic: nothing answers at 0x%lx", entry->address);
        iounmap((const void *)io->window);
        return;
    }
    io->first = entry->gsi_base;
    io->count = (version >> 16 & 0xff) + 1;
    for (u32 input = 0; input < io->count; input++)
        redirect(io, input, REDIRECT_MASKED, 0);
    ioapic_count++;
    log_info("ioapic: %u at 0x%lx, interrupts %u..%u", entry->id, entry->address, io->first,
             io->first + io->count - 1);
}

void ioapic_init(void)
{
    for (u32 i = 0; i < acpi_facts.madt.ioapic_count; i++)
        ioapic_map(&acpi_facts.madt.ioapics[i]);
    if (ioapic_count == 0) {
        log_warn("ioapic: none, the 8259 serves");
        pic_register();
        return;
    }
    boot_apic_id = lapic_id();
    irq_chip_register(&ioapic_chip);
}
