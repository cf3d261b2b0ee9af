// SPDX-License-Identifier: MIT
/*
 * Ways to leave the machine: off, reboot, and QEMU's exit with a status.
 */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

/* Register with kernel/panic's power_register(). May be called first of all: what ACPI says is looked
 * up when it is needed. */
void power_init(void);

#endif
