// SPDX-License-Identifier: MIT
/*
 * ACPI table parsers: well-formed tables give their facts, damaged ones give an error or fewer facts,
 * never a read outside the buffer (exactly sized heap blocks under ASan) and never a hang.
 */
#include "tests/host/harness.h"

#include "drivers/acpi_tables.c"
#include "lib/rng.h"

static struct acpi_madt madt; /* too large for a stack frame */

static void fix_checksum(u8 *table, size_t size, size_t at)
{
    u8 sum = 0;

    table[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (u8)(sum + table[i]);
    table[at] = (u8)-sum;
}

static void put32(u8 *at, u32 value)
{
    memcpy(at, &value, 4);
}

static void put64(u8 *at, u64 value)
{
    memcpy(at, &value, 8);
}

static void put_header(u8 *table, const char *signature, size_t size)
{
    memset(table, 0, ACPI_HEADER_SIZE);
    memcpy(table, signature, 4);
    put32(table + 4, (u32)size);
    memcpy(table + 10, "BOCHS ", 6);
}

static void build_rsdp(u8 *rsdp, u8 revision)
{
    memset(rsdp, 0, ACPI_RSDP_SIZE_V2);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = revision;
    put32(rsdp + 16, 0x7fe1000);
    put32(rsdp + 20, ACPI_RSDP_SIZE_V2);
    put64(rsdp + 24, 0x17fe2000);
    fix_checksum(rsdp, ACPI_RSDP_SIZE_V1, 8);
    fix_checksum(rsdp, ACPI_RSDP_SIZE_V2, 32);
}

static void root_pointer(void **state)
{
    u8 area[256] = {0};
    struct acpi_rsdp rsdp;

    (void)state;
    build_rsdp(area + 64, 2);
    assert_int_equal(acpi_find_rsdp(area, sizeof(area)), 64);
    assert_int_equal(acpi_parse_rsdp(area + 64, ACPI_RSDP_SIZE_V2, &rsdp), 0);
    assert_int_equal(rsdp.rsdt, 0x7fe1000);
    assert_int_equal(rsdp.xsdt, 0x17fe2000);

    area[64 + 33]++; /* second half damaged: the first still counts */
    assert_int_equal(acpi_parse_rsdp(area + 64, ACPI_RSDP_SIZE_V2, &rsdp), 0);
    assert_int_equal(rsdp.xsdt, 0);
    area[64 + 17]++;
    assert_int_equal(acpi_parse_rsdp(area + 64, ACPI_RSDP_SIZE_V2, &rsdp), -EINVAL);
    assert_int_equal(acpi_find_rsdp(area, sizeof(area)), -ENOENT);
    build_rsdp(area + 65, 0); /* not on a 16-byte boundary */
    assert_int_equal(acpi_find_rsdp(area, sizeof(area)), -ENOENT);
    assert_int_equal(acpi_find_rsdp(area, 0), -ENOENT);
}

static void headers_and_root_table(void **state)
{
    u8 table[ACPI_HEADER_SIZE + 20];
    struct acpi_header header;

    (void)state;
    put_header(table, "XSD\x01", sizeof(table));
    put64(table + 36, 0x123456789a);
    put64(table + 44, 0x55);
    assert_int_equal(acpi_parse_header(table, sizeof(table), &header), 0);
    assert_string_equal(header.signature, "XSD?");
    assert_string_equal(header.oem, "BOCHS ");
    assert_int_equal(acpi_root_count(sizeof(table), 8), 2); /* the odd four bytes do not count */
    assert_int_equal(acpi_root_entry(table, sizeof(table), 8, 0), 0x123456789a);
    assert_int_equal(acpi_root_entry(table, sizeof(table), 4, 2), 0x55);
    assert_int_equal(acpi_root_entry(table, sizeof(table), 8, 2), 0);
    assert_int_equal(acpi_root_count(3, 4), 0);

    put32(table + 4, ACPI_HEADER_SIZE - 1);
    assert_int_equal(acpi_parse_header(table, sizeof(table), &header), -EINVAL);
    put32(table + 4, 0xffffffff);
    assert_int_equal(acpi_parse_header(table, sizeof(table), &header), -EINVAL);
    assert_int_equal(acpi_parse_header(table, ACPI_HEADER_SIZE - 1, &header), -EINVAL);
}

static const u8 madt_entries[] = {
    0,  8,  0, 0, 1,    0, 0,    0,                             /* CPU 0 */
    0,  8,  1, 1, 1,    0, 0,    0,                             /* CPU 1 */
    0,  8,  2, 2, 0,    0, 0,    0,                             /* not usable */
    9,  16, 0, 0, 0x34, 1, 0,    0,    1,  0, 0, 0, 0, 0, 0, 0, /* x2APIC 0x134 */
    1,  12, 0, 0, 0,    0, 0xc0, 0xfe, 0,  0, 0, 0,             /* IOAPIC */
    2,  10, 0, 0, 2,    0, 0,    0,    0,  0,                   /* ISA 0 -> 2 */
    2,  10, 0, 9, 9,    0, 0,    0,    15, 0,                   /* ISA 9 low, level */
    99, 3,  7,                                                  /* unknown: skipped */
    5,  12, 0, 0, 0,    0, 0xe0, 0xfe, 1,  0, 0, 0,             /* LAPIC at 0x1fee00000 */
};

static size_t build_madt(u8 *table)
{
    size_t size = MADT_ENTRIES + sizeof(madt_entries);

    put_header(table, "APIC", size);
    put32(table + 36, 0xfee00000);
    put32(table + 40, 1);
    memcpy(table + MADT_ENTRIES, madt_entries, sizeof(madt_entries));
    return size;
}

static void madt_facts(void **state)
{
    u8 table[256];
    size_t size = build_madt(table);

    (void)state;
    assert_int_equal(acpi_parse_madt(table, size, &madt), 0);
    assert_int_equal(madt.cpu_count, 3);
    assert_int_equal(madt.cpus[1], 1);
    assert_int_equal(madt.cpus[2], 0x134);
    assert_int_equal(madt.ioapic_count, 1);
    assert_int_equal(madt.ioapics[0].address, 0xfec00000);
    assert_int_equal(madt.isa[0].gsi, 2);
    assert_false(madt.isa[0].level);
    assert_true(madt.isa[9].level && madt.isa[9].active_low);
    assert_int_equal(madt.isa[4].gsi, 4);
    assert_int_equal(madt.lapic_address, 0x1fee00000);
    assert_true(madt.has_8259);
    assert_int_equal(madt.damaged_entries, 0);

    table[MADT_ENTRIES + 9] = 0; /* the second entry claims no length: the first still counts */
    assert_int_equal(acpi_parse_madt(table, size, &madt), 0);
    assert_int_equal(madt.cpu_count, 1);
    assert_int_equal(madt.damaged_entries, 1);
    assert_int_equal(acpi_parse_madt(table, MADT_ENTRIES - 1, &madt), -EINVAL);
    assert_int_equal(acpi_parse_madt(table, MADT_ENTRIES, &madt), 0);
    assert_int_equal(madt.cpu_count, 0);
}

static void madt_with_too_many_of_everything(void **state)
{
    static u8 table[MADT_ENTRIES + 300 * 8 + 20 * 12];
    size_t at = MADT_ENTRIES;

    (void)state;
    put_header(table, "APIC", sizeof(table));
    for (unsigned i = 0; i < 300; i++, at += 8)
        memcpy(table + at, (u8[]){0, 8, 0, (u8)i, 1, 0, 0, 0}, 8);
    for (unsigned i = 0; i < 20; i++, at += 12)
        memcpy(table + at, (u8[]){1, 12, (u8)i, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0}, 12);
    assert_int_equal(acpi_parse_madt(table, sizeof(table), &madt), 0);
    assert_int_equal(madt.cpu_count, ACPI_MAX_CPUS);
    assert_int_equal(madt.cpus_dropped, 300 - ACPI_MAX_CPUS);
    assert_int_equal(madt.ioapic_count, ACPI_MAX_IOAPICS);
    assert_int_equal(madt.ioapics_dropped, 20 - ACPI_MAX_IOAPICS);
}

static void put_gas(u8 *at, u8 space, u64 address)
{
    memset(at, 0, GAS_SIZE);
    at[0] = space;
    put64(at + 4, address);
}

static void fadt_and_hpet(void **state)
{
    u8 table[244] = {0};
    struct acpi_fadt fadt;

    (void)state;
    put_header(table, "FACP", sizeof(table));
    put32(table + FADT_DSDT, 0x1000);
    put32(table + FADT_SMI_COMMAND, 0xb2);
    put32(table + FADT_PM1A_CONTROL, 0x604);
    put32(table + FADT_FLAGS, FADT_FLAG_RESET_REGISTER);
    put_gas(table + FADT_RESET_REGISTER, GAS_IO, 0xcf9);
    table[FADT_RESET_VALUE] = 0x0f;
    put64(table + FADT_X_DSDT, 0x123456000);
    assert_int_equal(acpi_parse_fadt(table, sizeof(table), &fadt), 0);
    assert_int_equal(fadt.dsdt, 0x123456000);
    assert_int_equal(fadt.pm1a_control, 0x604);
    assert_int_equal(fadt.reset_port, 0xcf9);
    assert_int_equal(fadt.reset_value, 0x0f);

    assert_int_equal(acpi_parse_fadt(table, 116, &fadt), 0); /* ACPI 1.0: 32-bit fields only */
    assert_int_equal(fadt.dsdt, 0x1000);
    assert_int_equal(fadt.reset_port, 0);
    put_gas(table + FADT_RESET_REGISTER, GAS_MEMORY, 0xcf9);
    put32(table + FADT_PM1A_CONTROL, 0x10000);
    assert_int_equal(acpi_parse_fadt(table, sizeof(table), &fadt), 0);
    assert_int_equal(fadt.reset_port, 0);
    assert_int_equal(fadt.pm1a_control, 0); /* no such port */
    assert_int_equal(acpi_parse_fadt(table, FADT_MIN_SIZE - 1, &fadt), -EINVAL);

    put_gas(table + HPET_ADDRESS, GAS_MEMORY, 0xfed00000);
    assert_int_equal(acpi_parse_hpet(table, 56), 0xfed00000);
    assert_int_equal(acpi_parse_hpet(table, 51), 0);
    put_gas(table + HPET_ADDRESS, GAS_IO, 0x100);
    assert_int_equal(acpi_parse_hpet(table, 56), 0);
}

static void sleep_types(void **state)
{
    static const u8 bytes[] = {0, 0x08, '_', 'S', '5', '_', 0x12, 0x08, 4, 0x0a, 5, 0x0a, 7, 0, 0};
    static const u8 ones[] = {0x08, '\\', '_', 'S', '5', '_', 0x12, 0x46, 0, 4, 1, 0, 0, 0};
    static const u8 decoy[] = {'x', '_', 'S', '5', '_', 0x12, 8, 4, 1, 1, 0x08, '_', 'S', '5', '_'};
    u8 a = 9, b = 9;

    (void)state;
    assert_int_equal(acpi_find_s5(bytes, sizeof(bytes), &a, &b), 0);
    assert_int_equal(a, 5);
    assert_int_equal(b, 7);
    assert_int_equal(acpi_find_s5(ones, sizeof(ones), &a, &b), 0);
    assert_int_equal(a, 1);
    assert_int_equal(b, 0);
    assert_int_equal(acpi_find_s5(decoy, sizeof(decoy), &a, &b), -ENOENT);
    for (size_t cut = 0; cut < 12; cut++)
        assert_int_equal(acpi_find_s5(bytes, cut, &a, &b), -ENOENT);
}

/* Every parser on the same bytes, which need not be what they are taken for. */
static void try_bytes(const u8 *bytes, size_t size)
{
    u8 *exact = malloc(size ? size : 1);
    struct acpi_rsdp rsdp;
    struct acpi_header header;
    struct acpi_fadt fadt;
    u8 a, b;

    memcpy(exact, bytes, size);
    acpi_find_rsdp(exact, size);
    acpi_parse_rsdp(exact, size, &rsdp);
    acpi_parse_header(exact, size, &header);
    for (u32 i = 0; i <= acpi_root_count(size, 8); i++)
        acpi_root_entry(exact, size, 8, i);
    acpi_parse_madt(exact, size, &madt);
    acpi_parse_fadt(exact, size, &fadt);
    acpi_parse_hpet(exact, size);
    acpi_find_s5(exact, size, &a, &b);
    free(exact);
}

static void random_damage_stays_inside(void **state)
{
    static const u8 aml[] = {0x08, '_', 'S', '5', '_', 0x12, 0x08, 4, 0x0a, 5, 0x0a, 7};
    u8 bytes[256];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 64);
    for (unsigned round = 0; round < 30000; round++) {
        size_t size = build_madt(bytes);

        if (round % 3 == 1) {
            build_rsdp(bytes, 2);
            size = ACPI_RSDP_SIZE_V2;
        } else if (round % 3 == 2) {
            memcpy(bytes, aml, sizeof(aml));
            size = sizeof(aml);
        }
        for (u64 hits = rng_below(&rng, 6); hits > 0; hits--)
            bytes[rng_below(&rng, size)] = (u8)rng_next(&rng);
        try_bytes(bytes, rng_below(&rng, 2) ? size : rng_below(&rng, size + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(root_pointer),
        host_test(headers_and_root_table),
        host_test(madt_facts),
        host_test(madt_with_too_many_of_everything),
        host_test(fadt_and_hpet),
        host_test(sleep_types),
        host_test(random_damage_stays_inside),
    };
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
