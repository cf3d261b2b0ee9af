// SPDX-License-Identifier: MIT
/*
 * Power-off, reboot, exit. Each function tries the ways that it knows, best first, and returns only
 * when none worked; kernel/panic says so then. Called on the way out, panics included: no lock, no
 * allocation, no mapping; acpi_facts is read-only by then.
 */
#include "drivers/power.h"
#include "drivers/acpi.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/time.h"

#define PM1_ACPI_MODE 0x0001u
#define PM1_SLEEP_TYPE_MASK 0x1c00u
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_ENABLE 0x2000u

/* QEMU's own places for the PM1 control register, should the tables be missing: q35, pc. */
#define QEMU_Q35_PM1 0x604
#define QEMU_PC_PM1 0xb004

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_BUSY 0x02
#define KEYBOARD_PULSE_RESET 0xfe

#define DEBUG_EXIT_PORT 0xf4
#define SETTLE_US 20000
#define ACPI_MODE_TRIES 100

/* Firmware may still hold the power registers; asked nicely it hands them over. */
static void enter_acpi_mode(const struct acpi_fadt *fadt)
{
    if (!fadt->smi_command || !fadt->acpi_enable)
        return;
    if (inw((u16)fadt->pm1a_control) & PM1_ACPI_MODE)
        return;
    outb((u16)fadt->smi_command, fadt->acpi_enable);
    for (unsigned i = 0; i < ACPI_MODE_TRIES; i++) {
        if (inw((u16)fadt->pm1a_control) & PM1_ACPI_MODE)
            return;
        delay_us(SETTLE_US / ACPI_MODE_TRIES);
    }
}

static void write_sleep(u32 port, u8 type)
{
    if (!port)
        return;
    u16 value = inw((u16)port) & (u16)~PM1_SLEEP_TYPE_MASK;
    value |= (u16)(type << PM1_SLEEP_TYPE_SHIFT);
    outw((u16)port, value | PM1_SLEEP_ENABLE);
}

static void power_off(void)
{
    const struct acpi_fadt *fadt = &acpi_facts.fadt;

    irq_disable();
    if (acpi_facts.has_s5 && fadt->pm1a_control) {
        enter_acpi_mode(fadt);
        write_sleep(fadt->pm1a_control, acpi_facts.s5_type_a);
        write_sleep(fadt->pm1b_control, acpi_facts.s5_type_b);
        delay_us(SETTLE_US);
    }
    outw(QEMU_Q35_PM1, PM1_SLEEP_ENABLE);
    outw(QEMU_PC_PM1, PM1_SLEEP_ENABLE);
    delay_us(SETTLE_US);
}

/* An interrupt without a table to find its handler in: the CPU gives up, which resets the machine. */
static void triple_fault(void)
{
    struct __packed {
        u16 limit;
        u64 base;
    } none = {0, 0};

    __asm__ volatile("lidt %0; int3" : : "m"(none));
}

static void reboot(void)
{
    irq_disable();
    if (acpi_facts.fadt.reset_port) {
        outb((u16)acpi_facts.fadt.reset_port, acpi_facts.fadt.reset_value);
        delay_us(SETTLE_US);
    }
    for (unsigned i = 0; i < SETTLE_US && (inb(KEYBOARD_COMMAND) & KEYBOARD_BUSY); i++)
        delay_us(1);
    outb(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    delay_us(SETTLE_US);
    triple_fault();
}

/* Without the device nothing listens at this port, and we return. */
static void exit_qemu(u8 code)
{
    outb(DEBUG_EXIT_PORT, code);
}

static const struct power_ops power_ops = {.off = power_off, .reboot = reboot, .exit = exit_qemu};

void power_init(void)
{
    power_register(&power_ops);
}
