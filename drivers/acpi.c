// SPDX-License-Identifier: MIT
/*
 * Fetches ACPI tables from wherever the firmware put them and keeps the facts. A table is mapped,
 * checked (length, then checksum over all of it), parsed by drivers/acpi_tables and unmapped: nothing
 * later depends on firmware memory. No lock: written once at start-up, read-only afterwards.
 * Read next: drivers/acpi_tables.c; the facts' users: lapic.c, ioapic.c, timer.c, power.c.
 */
#include "drivers/acpi.h"
#include "drivers/bytes.h"
#include "kernel/command.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "mm/start.h"
#include "mm/vmalloc.h"

#define MAX_TABLES 64

#define EBDA_SEGMENT 0x40eUL /* BIOS data area: segment of the extended one */
#define EBDA_SEARCH KIB
#define BIOS_AREA 0xe0000UL
#define BIOS_AREA_SIZE 0x20000UL

struct acpi_facts acpi_facts;

/* For the `acpi` command. */
static struct {
    struct acpi_header header;
    paddr_t address;
    bool valid;
} tables[MAX_TABLES];
static unsigned table_count, tables_dropped;
static struct acpi_rsdp root;

/* A view of physical bytes. RAM is in the direct map already; all else gets a mapping. */
struct view {
    const u8 *bytes;
    bool mapped;
};

/* Every page of [address, last] is RAM, so the direct map has no hole there. */
static bool all_ram(paddr_t address, paddr_t last)
{
    for (pfn_t pfn = address >> PAGE_SHIFT; pfn <= last >> PAGE_SHIFT; pfn++)
        if (!memmap_contains(&boot_memmap, pfn))
            return false;
    return true;
}

static bool acpi_map(struct view *view, paddr_t address, size_t size)
{
    paddr_t last = address + size - 1;

    *view = (struct view){NULL, false};
    if (address == 0 || last < address)
        return false;
    if (all_ram(address, last)) {
        view->bytes = phys_to_virt(address);
        return true;
    }
    view->bytes = ioremap_cache(address, size);
    view->mapped = view->bytes != NULL;
    return view->mapped;
}

static void acpi_unmap(struct view *view)
{
    if (view->mapped)
        iounmap(view->bytes);
}

static void note_table(paddr_t address, const struct acpi_header *header, bool valid)
{
    if (table_count == MAX_TABLES) {
        tables_dropped++;
        return;
    }
    tables[table_count].address = address;
    tables[table_count].header = *header;
    tables[table_count].valid = valid;
    table_count++;
}

/*
 * Map the table at `address` whole. Steps: 1 its header, for the length; 2 all of it; 3 its checksum.
 * False when any of them is not what it should be; then nothing stays mapped.
 */
static bool table_open(struct view *view, paddr_t address, struct acpi_header *header)
{
    if (!acpi_map(view, address, ACPI_HEADER_SIZE)) {
        log_warn("acpi: table at 0x%lx cannot be reached", address);
        return false;
    }
    int error = acpi_parse_header(view->bytes, ACPI_HEADER_SIZE, header);
    acpi_unmap(view);
    if (error) {
        log_warn("acpi: table \"%s\" at 0x%lx claims %u bytes, ignored", header->signature, address,
                 header->length);
        return false;
    }
    if (!acpi_map(view, address, header->length)) {
        log_warn("acpi: %s at 0x%lx, %u bytes, cannot be mapped", header->signature, address,
                 header->length);
        return false;
    }
    bool valid = acpi_checksum_ok(view->bytes, header->length);
    note_table(address, header, valid);
    if (!valid) {
        log_warn("acpi: %s at 0x%lx has a wrong checksum, ignored", header->signature, address);
        acpi_unmap(view);
    }
    return valid;
}

static void read_dsdt(paddr_t address)
{
    struct acpi_header header;
    struct view view;

    if (!table_open(&view, address, &header))
        return;
    acpi_facts.has_s5 =
        acpi_find_s5(view.bytes + ACPI_HEADER_SIZE, header.length - ACPI_HEADER_SIZE,
                     &acpi_facts.s5_type_a, &acpi_facts.s5_type_b) == 0;
    acpi_unmap(&view);
}

static void use_madt(const u8 *table, size_t size)
{
    struct acpi_madt *madt = &acpi_facts.madt;

    if (acpi_facts.has_madt || acpi_parse_madt(table, size, madt))
        return;
    acpi_facts.has_madt = true;
    u32 refused = madt->cpus_dropped;
    for (u32 i = 0; i < madt->cpu_count; i++)
        if (cpu_add(madt->cpus[i]) < 0)
            refused++;
    if (refused)
        log_warn("acpi: %u processors more than this kernel can count", refused);
    if (madt->damaged_entries)
        log_warn("acpi: %u damaged MADT entries ignored", madt->damaged_entries);
}

static void use_table(const struct acpi_header *header, const u8 *table)
{
    if (strcmp(header->signature, "APIC") == 0)
        use_madt(table, header->length);
    else if (strcmp(header->signature, "FACP") == 0)
        acpi_facts.has_fadt = acpi_parse_fadt(table, header->length, &acpi_facts.fadt) == 0;
    else if (strcmp(header->signature, "HPET") == 0)
        acpi_facts.hpet = acpi_parse_hpet(table, header->length);
}

/* Read every table that the root table lists. False when the root table itself is no good. */
static bool read_root(paddr_t address, unsigned entry_size)
{
    struct acpi_header header;
    struct view list, view;

    if (address == 0 || !table_open(&list, address, &header))
        return false;
    u32 count = acpi_root_count(header.length, entry_size);
    if (count > MAX_TABLES)
        count = MAX_TABLES;
    for (u32 i = 0; i < count; i++) {
        paddr_t entry = acpi_root_entry(list.bytes, header.length, entry_size, i);
        struct acpi_header found;

        if (entry == 0 || !table_open(&view, entry, &found))
            continue;
        use_table(&found, view.bytes);
        acpi_unmap(&view);
    }
    acpi_unmap(&list);
    return true;
}

/* Is there a valid root pointer in [address, address + size)? */
static bool search(paddr_t address, size_t size)
{
    struct view view;

    if (!acpi_map(&view, address, size))
        return false;
    int offset = acpi_find_rsdp(view.bytes, size);
    bool found =
        offset >= 0 && acpi_parse_rsdp(view.bytes + offset, size - (size_t)offset, &root) == 0;
    acpi_unmap(&view);
    return found;
}

static paddr_t ebda_address(void)
{
    struct view view;
    paddr_t address = 0;

    if (acpi_map(&view, EBDA_SEGMENT, 2)) {
        address = (paddr_t)load_u16(view.bytes) << 4;
        acpi_unmap(&view);
    }
    return address >= 0x80000 && address < 0xa0000 ? address : 0;
}

static bool find_root(paddr_t hint, const void *copy)
{
    if (copy && acpi_parse_rsdp(copy, ACPI_RSDP_SIZE_V2, &root) == 0)
        return true;
    if (hint && search(hint, ACPI_RSDP_SIZE_V2))
        return true;
    if (ebda_address() && search(ebda_address(), EBDA_SEARCH))
        return true;
    return search(BIOS_AREA, BIOS_AREA_SIZE);
}

void acpi_init(paddr_t rsdp_hint, const void *rsdp_copy)
{
    if (!find_root(rsdp_hint, rsdp_copy)) {
        log_warn("acpi: no tables; one CPU, 8259 interrupts");
        return;
    }
    if (!read_root(root.xsdt, 8) && !read_root(root.rsdt, 4)) {
        log_warn("acpi: the root pointer leads to no valid table; one CPU, 8259 interrupts");
        return;
    }
    if (acpi_facts.has_fadt && acpi_facts.fadt.dsdt)
        read_dsdt(acpi_facts.fadt.dsdt);
    log_info("acpi: %u tables, %u CPUs, %u IOAPICs%s%s", table_count, acpi_facts.madt.cpu_count,
             acpi_facts.madt.ioapic_count, acpi_facts.hpet ? ", HPET" : "",
             acpi_facts.has_s5 ? ", S5" : "");
}

static void print_madt(const struct acpi_madt *madt)
{
    print("MADT: LAPIC at 0x%lx, %s8259; CPUs (APIC ids):", madt->lapic_address,
          madt->has_8259 ? "" : "no ");
    for (u32 i = 0; i < madt->cpu_count; i++)
        print(" %u", madt->cpus[i]);
    print("\n");
    for (u32 i = 0; i < madt->ioapic_count; i++)
        print("  IOAPIC %u at 0x%lx, interrupts from %u\n", madt->ioapics[i].id,
              madt->ioapics[i].address, madt->ioapics[i].gsi_base);
    for (u32 line = 0; line < ACPI_ISA_LINES; line++) {
        const struct acpi_isa_line *isa = &madt->isa[line];
        if (isa->gsi != line || isa->active_low || isa->level)
            print("  ISA line %u -> interrupt %u, active %s, %s\n", line, isa->gsi,
                  isa->active_low ? "low" : "high", isa->level ? "level" : "edge");
    }
}

static int acpi_command(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    if (table_count == 0) {
        print("No ACPI tables were found.\n");
        return 0;
    }
    print("%-4s  %-18s  %8s  %3s  %-6s\n", "name", "address", "bytes", "rev", "by");
    for (unsigned i = 0; i < table_count; i++)
        print("%-4s  0x%016lx  %8u  %3u  %-6s%s\n", tables[i].header.signature, tables[i].address,
              tables[i].header.length, tables[i].header.revision, tables[i].header.oem,
              tables[i].valid ? "" : "  wrong checksum");
    if (tables_dropped)
        print("and %u more\n", tables_dropped);
    if (acpi_facts.has_madt)
        print_madt(&acpi_facts.madt);
    if (acpi_facts.has_fadt)
        print("FADT: PM1 control ports 0x%x 0x%x, reset port 0x%x value 0x%x\n",
              acpi_facts.fadt.pm1a_control, acpi_facts.fadt.pm1b_control,
              acpi_facts.fadt.reset_port, acpi_facts.fadt.reset_value);
    if (acpi_facts.has_s5)
        print("DSDT: S5 (off) is sleep type %u, %u\n", acpi_facts.s5_type_a, acpi_facts.s5_type_b);
    if (acpi_facts.hpet)
        print("HPET: registers at 0x%lx\n", acpi_facts.hpet);
    return 0;
}
COMMAND(acpi, "acpi", acpi_command, NULL, "acpi",
        "what the firmware's ACPI tables say about this machine");
