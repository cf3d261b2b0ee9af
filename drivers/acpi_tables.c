// SPDX-License-Identifier: MIT
/*
 * ACPI table parsers, see the header for the contract. The pattern throughout: check that the bytes
 * are inside the buffer, then load them with load_u*(); loops advance by at least the size of the
 * smallest entry, so they end for any content.
 * No state, no lock. Read next: drivers/acpi.c, which fetches the tables.
 */
#include "drivers/acpi_tables.h"
#include "drivers/bytes.h"
#include "lib/errno.h"
#include "lib/string.h"

#define RSDP_ALIGN 16

/* Offsets in the FADT. */
#define FADT_DSDT 40
#define FADT_SMI_COMMAND 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_FLAGS 112
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE 128
#define FADT_X_DSDT 140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_MIN_SIZE 72
#define FADT_FLAG_RESET_REGISTER (1u << 10)

/* Generic address structure: space, bit width, bit offset, access size, 64-bit address. */
#define GAS_SIZE 12
#define GAS_MEMORY 0
#define GAS_IO 1

#define MADT_ENTRIES 44
#define MADT_HAS_8259 0x1u
enum madt_entry {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_ADDRESS = 5,
    MADT_X2APIC = 9,
};
#define MADT_CPU_ENABLED 0x1u

#define HPET_ADDRESS 40

/* AML encodings (ACPI specification, 20.2). */
#define AML_ZERO 0x00
#define AML_ONE 0x01
#define AML_NAME 0x08
#define AML_BYTE 0x0a
#define AML_WORD 0x0b
#define AML_PACKAGE 0x12

bool acpi_checksum_ok(const void *data, size_t size)
{
    const u8 *bytes = data;
    u8 sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (u8)(sum + bytes[i]);
    return sum == 0;
}

int acpi_find_rsdp(const void *data, size_t size)
{
    struct acpi_rsdp ignored;

    for (size_t at = 0; at < size && size - at >= ACPI_RSDP_SIZE_V1; at += RSDP_ALIGN)
        if (acpi_parse_rsdp((const u8 *)data + at, size - at, &ignored) == 0)
            return (int)at;
    return -ENOENT;
}

int acpi_parse_rsdp(const void *data, size_t size, struct acpi_rsdp *out)
{
    const u8 *rsdp = data;

    *out = (struct acpi_rsdp){0};
    if (size < ACPI_RSDP_SIZE_V1 || memcmp(rsdp, "RSD PTR ", 8) != 0 ||
        !acpi_checksum_ok(rsdp, ACPI_RSDP_SIZE_V1))
        return -EINVAL;
    out->revision = rsdp[15];
    out->rsdt = load_u32(rsdp + 16);

    /* The second half has a checksum of its own; without it the first half still counts. */
    if (out->revision >= 2 && size >= ACPI_RSDP_SIZE_V2 &&
        acpi_checksum_ok(rsdp, ACPI_RSDP_SIZE_V2))
        out->xsdt = load_u64(rsdp + 24);
    return out->rsdt || out->xsdt ? 0 : -EINVAL;
}

static void copy_text(char *to, const u8 *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? (char)from[i] : '?';
    to[length] = '\0';
}

int acpi_parse_header(const void *data, size_t size, struct acpi_header *out)
{
    const u8 *table = data;

    if (size < ACPI_HEADER_SIZE)
        return -EINVAL;
    copy_text(out->signature, table, 4);
    out->length = load_u32(table + 4);
    out->revision = table[8];
    copy_text(out->oem, table + 10, 6);
    return out->length >= ACPI_HEADER_SIZE && out->length <= ACPI_TABLE_MAX_SIZE ? 0 : -EINVAL;
}

u32 acpi_root_count(size_t size, unsigned entry_size)
{
    return size < ACPI_HEADER_SIZE ? 0 : (u32)((size - ACPI_HEADER_SIZE) / entry_size);
}

paddr_t acpi_root_entry(const void *data, size_t size, unsigned entry_size, u32 n)
{
    if (n >= acpi_root_count(size, entry_size))
        return 0;
    const u8 *entry = (const u8 *)data + ACPI_HEADER_SIZE + (size_t)n * entry_size;
    return entry_size == 8 ? load_u64(entry) : load_u32(entry);
}

static void add_cpu(struct acpi_madt *madt, u32 apic_id, u32 flags)
{
    if (!(flags & MADT_CPU_ENABLED))
        return;
    if (madt->cpu_count == ACPI_MAX_CPUS)
        madt->cpus_dropped++;
    else
        madt->cpus[madt->cpu_count++] = apic_id;
}

static void add_ioapic(struct acpi_madt *madt, const u8 *entry)
{
    if (madt->ioapic_count == ACPI_MAX_IOAPICS) {
        madt->ioapics_dropped++;
        return;
    }
    madt->ioapics[madt->ioapic_count++] = (struct acpi_ioapic){
        .id = entry[2], .address = load_u32(entry + 4), .gsi_base = load_u32(entry + 8)};
}

/* Flags (MPS INTI): bits 1:0 polarity, 3:2 trigger; 1 = high / edge, 3 = low / level, 0 = as the
 * bus has it, which for ISA is high / edge. */
static bool add_override(struct acpi_madt *madt, const u8 *entry)
{
    u8 bus = entry[2], line = entry[3];
    u16 flags = load_u16(entry + 8);

    if (bus != 0 || line >= ACPI_ISA_LINES)
        return false;
    madt->isa[line] = (struct acpi_isa_line){
        .gsi = load_u32(entry + 4),
        .active_low = (flags & 3) == 3,
        .level = (flags >> 2 & 3) == 3,
    };
    madt->override_count++;
    return true;
}

/* One entry whose `length` bytes are in the buffer. False when it is too short for its type. */
static bool madt_entry(struct acpi_madt *madt, const u8 *entry, u8 length)
{
    switch (entry[0]) {
    case MADT_LAPIC:
        if (length < 8)
            return false;
        add_cpu(madt, entry[3], load_u32(entry + 4));
        return true;
    case MADT_X2APIC:
        if (length < 16)
            return false;
        add_cpu(madt, load_u32(entry + 4), load_u32(entry + 8));
        return true;
    case MADT_IOAPIC:
        if (length < 12)
            return false;
        add_ioapic(madt, entry);
        return true;
    case MADT_OVERRIDE:
        return length >= 10 && add_override(madt, entry);
    case MADT_LAPIC_ADDRESS:
        if (length < 12)
            return false;
        madt->lapic_address = load_u64(entry + 4);
        return true;
    default:
        return true;
    }
}

int acpi_parse_madt(const void *data, size_t size, struct acpi_madt *out)
{
    const u8 *table = data;

    memset(out, 0, sizeof(*out));
    for (u32 line = 0; line < ACPI_ISA_LINES; line++)
        out->isa[line].gsi = line;
    if (size < MADT_ENTRIES)
        return -EINVAL;
    out->lapic_address = load_u32(table + 36);
    out->has_8259 = load_u32(table + 40) & MADT_HAS_8259;

    for (size_t at = MADT_ENTRIES; size - at >= 2;) {
        u8 length = table[at + 1];

        if (length < 2 || length > size - at) {
            out->damaged_entries++; /* no way to tell where the next one begins */
            break;
        }
        if (!madt_entry(out, table + at, length))
            out->damaged_entries++;
        at += length;
    }
    return 0;
}

/* The I/O port in a generic address structure, or 0. */
static u32 gas_port(const u8 *table, size_t size, size_t offset)
{
    if (size < offset + GAS_SIZE || table[offset] != GAS_IO)
        return 0;
    u64 port = load_u64(table + offset + 4);
    return port <= 0xffff ? (u32)port : 0;
}

static u32 port_or_zero(u32 port)
{
    return port <= 0xffff ? port : 0;
}

int acpi_parse_fadt(const void *data, size_t size, struct acpi_fadt *out)
{
    const u8 *table = data;

    *out = (struct acpi_fadt){0};
    if (size < FADT_MIN_SIZE)
        return -EINVAL;
    out->dsdt = load_u32(table + FADT_DSDT);
    out->smi_command = port_or_zero(load_u32(table + FADT_SMI_COMMAND));
    out->acpi_enable = table[FADT_ACPI_ENABLE];
    out->pm1a_control = port_or_zero(load_u32(table + FADT_PM1A_CONTROL));
    out->pm1b_control = port_or_zero(load_u32(table + FADT_PM1B_CONTROL));

    /* From ACPI 2.0 on there are 64-bit fields; they win where they are filled in. */
    if (size >= FADT_X_DSDT + 8 && load_u64(table + FADT_X_DSDT))
        out->dsdt = load_u64(table + FADT_X_DSDT);
    if (gas_port(table, size, FADT_X_PM1A_CONTROL))
        out->pm1a_control = gas_port(table, size, FADT_X_PM1A_CONTROL);
    if (gas_port(table, size, FADT_X_PM1B_CONTROL))
        out->pm1b_control = gas_port(table, size, FADT_X_PM1B_CONTROL);

    if (size > FADT_RESET_VALUE && (load_u32(table + FADT_FLAGS) & FADT_FLAG_RESET_REGISTER)) {
        out->reset_port = gas_port(table, size, FADT_RESET_REGISTER);
        out->reset_value = table[FADT_RESET_VALUE];
    }
    return 0;
}

paddr_t acpi_parse_hpet(const void *data, size_t size)
{
    const u8 *table = data;

    if (size < HPET_ADDRESS + GAS_SIZE || table[HPET_ADDRESS] != GAS_MEMORY)
        return 0;
    return load_u64(table + HPET_ADDRESS + 4);
}

/* A small integer at *at; *at moves behind it. -EINVAL when it is something else. */
static int aml_integer(const u8 *aml, size_t size, size_t *at)
{
    if (*at >= size)
        return -EINVAL;
    u8 first = aml[*at];
    if (first == AML_ZERO || first == AML_ONE) {
        *at += 1;
        return first;
    }
    size_t bytes = first == AML_BYTE ? 1 : first == AML_WORD ? 2 : 0;
    if (bytes == 0 || size - *at <= bytes)
        return -EINVAL;
    int value = aml[*at + 1];
    *at += 1 + bytes;
    return value;
}

/* Package(){a, b, ...} at `at`: opcode, length (its first byte says how many follow), element count. */
static int s5_package(const u8 *aml, size_t size, size_t at, u8 *type_a, u8 *type_b)
{
    if (size - at < 3 || aml[at] != AML_PACKAGE)
        return -ENOENT;
    at += 2 + (aml[at + 1] >> 6);
    if (at >= size || aml[at] < 2)
        return -ENOENT;
    at++;
    int a = aml_integer(aml, size, &at);
    int b = aml_integer(aml, size, &at);
    if (a < 0 || b < 0)
        return -ENOENT;
    *type_a = (u8)a & 7; /* the field in the PM1 control register is three bits wide */
    *type_b = (u8)b & 7;
    return 0;
}

int acpi_find_s5(const void *data, size_t size, u8 *type_a, u8 *type_b)
{
    const u8 *aml = data;

    for (size_t at = 1; at < size && size - at > 4; at++) {
        if (memcmp(aml + at, "_S5_", 4) != 0)
            continue;
        bool named =
            aml[at - 1] == AML_NAME || (at >= 2 && aml[at - 1] == '\\' && aml[at - 2] == AML_NAME);
        if (named && s5_package(aml, size, at + 4, type_a, type_b) == 0)
            return 0;
    }
    return -ENOENT;
}
