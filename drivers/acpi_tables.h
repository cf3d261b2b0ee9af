// SPDX-License-Identifier: MIT
/*
 * ACPI tables as bytes in, facts out. Every function gets a buffer that holds the whole table, reads
 * nothing outside it and ends for any content: firmware is input like any other. Pure: no hardware, no
 * memory mapping, also compiled on the host. Reference: ACPI specification 6.4, chapters 5 and 19.
 */
#ifndef DRIVERS_ACPI_TABLES_H
#define DRIVERS_ACPI_TABLES_H

#include "lib/types.h"

#define ACPI_RSDP_SIZE_V1 20
#define ACPI_RSDP_SIZE_V2 36
#define ACPI_HEADER_SIZE 36
#define ACPI_TABLE_MAX_SIZE (16 * MIB) /* larger is taken for damage */

#define ACPI_MAX_CPUS 256
#define ACPI_MAX_IOAPICS 8
#define ACPI_ISA_LINES 16

struct acpi_rsdp {
    u8 revision;
    paddr_t rsdt; /* 0 = none */
    paddr_t xsdt; /* 0 = none */
};

struct acpi_header {
    char signature[5]; /* NUL added; bytes that do not print became '?' */
    u32 length;        /* of the whole table, header included */
    u8 revision;
    char oem[7];
};

struct acpi_ioapic {
    u32 id, gsi_base; /* serves global interrupts from gsi_base up */
    paddr_t address;
};

/* How an ISA interrupt line reaches an IOAPIC input. */
struct acpi_isa_line {
    u32 gsi;
    bool active_low, level;
};

struct acpi_madt {
    paddr_t lapic_address;
    bool has_8259;
    u32 cpus[ACPI_MAX_CPUS]; /* APIC ids of the processors that may be used */
    u32 cpu_count, cpus_dropped;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    u32 ioapic_count, ioapics_dropped;
    struct acpi_isa_line isa[ACPI_ISA_LINES]; /* identity, edge, high where nothing else was said */
    u32 override_count, damaged_entries;
};

struct acpi_fadt {
    paddr_t dsdt;
    u32 smi_command;                /* I/O port, 0 = none */
    u8 acpi_enable;                 /* value for it that turns ACPI mode on */
    u32 pm1a_control, pm1b_control; /* I/O ports, 0 = none */
    u32 reset_port;                 /* I/O port, 0 = no reset register in I/O space */
    u8 reset_value;
};

/* Sum of all bytes is 0 modulo 256. */
bool acpi_checksum_ok(const void *data, size_t size);

/* Offset of a valid RSDP on a 16-byte boundary of the buffer, or -ENOENT. */
int acpi_find_rsdp(const void *data, size_t size);

/* 0; -EINVAL: signature, checksum or length is wrong, or it names no table. */
int acpi_parse_rsdp(const void *data, size_t size, struct acpi_rsdp *out);

/* The header alone (ACPI_HEADER_SIZE bytes). 0; -EINVAL when `size` or the length field is absurd. */
int acpi_parse_header(const void *data, size_t size, struct acpi_header *out);

/* RSDT (entry_size 4) or XSDT (8): how many tables it lists, and the n-th one's address. */
u32 acpi_root_count(size_t size, unsigned entry_size);
paddr_t acpi_root_entry(const void *data, size_t size, unsigned entry_size, u32 n);

/* 0 or -EINVAL (too short). Damaged entries are skipped and counted. */
int acpi_parse_madt(const void *data, size_t size, struct acpi_madt *out);
int acpi_parse_fadt(const void *data, size_t size, struct acpi_fadt *out);

/* Physical address of the HPET's registers; 0 when the table is damaged or it is not in memory. */
paddr_t acpi_parse_hpet(const void *data, size_t size);

/*
 * Search AML for Name(_S5_, Package(){a, b, ...}): the sleep types for "off". No interpreter: the
 * encoding of this one object is recognised. 0 or -ENOENT.
 */
int acpi_find_s5(const void *aml, size_t size, u8 *type_a, u8 *type_b);

#endif
