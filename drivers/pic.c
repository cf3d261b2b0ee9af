// SPDX-License-Identifier: MIT
/*
 * 8259 interrupt controllers. Two jobs: keep quiet next to an IOAPIC, or serve alone. When serving,
 * interrupts come through the LAPIC's LINT0 pin ("virtual wire").
 * Locking: irq_request() serialises enable; eoi runs with interrupts off on the boot CPU, the only
 * one that the 8259 reaches. Reference: Intel 8259A data sheet.
 */
#include "drivers/pic.h"
#include "drivers/lapic.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/trap.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA 0x21
#define SLAVE_COMMAND 0xa0
#define SLAVE_DATA 0xa1

#define ICW1_INIT_WITH_ICW4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_IN_SERVICE 0x0b
#define CASCADE_LINE 2
#define LINES 16

static u16 masked = 0xffff;

static void write_masks(void)
{
    outb(MASTER_DATA, (u8)masked);
    outb(SLAVE_DATA, (u8)(masked >> 8));
}

void pic_disable(void)
{
    outb(MASTER_COMMAND, ICW1_INIT_WITH_ICW4);
    outb(SLAVE_COMMAND, ICW1_INIT_WITH_ICW4);
    outb(MASTER_DATA, TRAP_IRQ_BASE);
    outb(SLAVE_DATA, TRAP_IRQ_BASE + 8);
    outb(MASTER_DATA, 1 << CASCADE_LINE);
    outb(SLAVE_DATA, CASCADE_LINE);
    outb(MASTER_DATA, ICW4_8086);
    outb(SLAVE_DATA, ICW4_8086);
    masked = 0xffff;
    write_masks();
}

/* The vector is fixed: kernel/irq numbers ISA lines from TRAP_IRQ_BASE, as pic_disable() did. */
static void pic_enable_line(u32 line, u32 vector)
{
    (void)vector;
    if (line >= LINES)
        return;
    masked &= (u16) ~(1u << line);
    if (line >= 8)
        masked &= (u16) ~(1u << CASCADE_LINE);
    write_masks();
}

static void pic_disable_line(u32 line)
{
    if (line >= LINES)
        return;
    masked |= (u16)(1u << line);
    write_masks();
}

static u8 in_service(u16 command_port)
{
    outb(command_port, OCW3_READ_IN_SERVICE);
    return inb(command_port);
}

/*
 * Interrupts do not nest, so what is in service is what is being served. Nothing in service: it was
 * the LAPIC's own (timer), or an 8259 line that withdrew its request, which wants no EOI.
 */
static void pic_eoi(void)
{
    if (in_service(MASTER_COMMAND)) {
        if (in_service(SLAVE_COMMAND))
            outb(SLAVE_COMMAND, OCW2_EOI);
        outb(MASTER_COMMAND, OCW2_EOI);
    } else {
        lapic_eoi();
    }
}

static const struct irq_chip pic_chip = {
    .name = "8259", .enable = pic_enable_line, .disable = pic_disable_line, .eoi = pic_eoi};

void pic_register(void)
{
    lapic_accept_8259();
    irq_chip_register(&pic_chip);
}
