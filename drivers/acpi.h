// SPDX-License-Identifier: MIT
/*
 * What this machine's ACPI tables say, read once at start-up. Everything is optional: without ACPI the
 * facts stay empty, and their users fall back (one CPU, 8259 interrupts, PIT, QEMU's power ports).
 */
#ifndef DRIVERS_ACPI_H
#define DRIVERS_ACPI_H

#include "drivers/acpi_tables.h"
#include "lib/types.h"

struct acpi_facts {
    bool has_madt, has_fadt, has_s5;
    struct acpi_madt madt;
    struct acpi_fadt fadt;
    u8 s5_type_a, s5_type_b;
    paddr_t hpet; /* 0 = none */
};
extern struct acpi_facts acpi_facts;

/*
 * Find the root pointer, read the tables, add the processors with cpu_add(). `rsdp_copy` is what the
 * boot loader handed over (ACPI_RSDP_SIZE_V2 bytes, zeros behind a shorter one) or NULL; `rsdp_hint`
 * a physical address or 0; without either the BIOS areas are searched. Needs ioremap(); boot CPU,
 * once; may sleep.
 */
void acpi_init(paddr_t rsdp_hint, const void *rsdp_copy);

#endif
