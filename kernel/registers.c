// SPDX-License-Identifier: MIT
/*
 * Decoding of the register frame and the control registers. No state, no lock; prints only. Bit names
 * are those of the SDM, volume 1, 3.4.3 (RFLAGS) and volume 3A, 2.5 (control registers).
 */
#include "kernel/registers.h"
#include "kernel/cpu.h"
#include "kernel/printk.h"
#include "lib/format.h"

#define FIELD(name) #name, offsetof(struct trap_frame, name)

static const struct {
    const char *name;
    size_t offset;
} fields[REGISTER_COUNT] = {
    {FIELD(rax)}, {FIELD(rbx)}, {FIELD(rcx)}, {FIELD(rdx)}, {FIELD(rsi)}, {FIELD(rdi)},
    {FIELD(rbp)}, {FIELD(rsp)}, {FIELD(r8)},  {FIELD(r9)},  {FIELD(r10)}, {FIELD(r11)},
    {FIELD(r12)}, {FIELD(r13)}, {FIELD(r14)}, {FIELD(r15)},
};

struct bit_name {
    u8 bit;
    const char *name;
};

static const struct bit_name rflags_bits[] = {
    {0, "CF"},  {2, "PF"},  {4, "AF"},  {6, "ZF"},  {7, "SF"},  {8, "TF"},  {9, "IF"},
    {10, "DF"}, {11, "OF"}, {14, "NT"}, {16, "RF"}, {17, "VM"}, {18, "AC"}, {21, "ID"}};
static const struct bit_name cr0_bits[] = {{0, "PE"},  {1, "MP"},  {2, "EM"},  {3, "TS"},
                                           {4, "ET"},  {5, "NE"},  {16, "WP"}, {18, "AM"},
                                           {29, "NW"}, {30, "CD"}, {31, "PG"}};
static const struct bit_name cr4_bits[] = {
    {0, "VME"},   {1, "PVI"},   {2, "TSD"},   {3, "DE"},        {4, "PSE"},         {5, "PAE"},
    {6, "MCE"},   {7, "PGE"},   {8, "PCE"},   {9, "OSFXSR"},    {10, "OSXMMEXCPT"}, {11, "UMIP"},
    {12, "LA57"}, {13, "VMXE"}, {14, "SMXE"}, {16, "FSGSBASE"}, {17, "PCIDE"},      {18, "OSXSAVE"},
    {20, "SMEP"}, {21, "SMAP"}, {22, "PKE"},  {23, "CET"}};
static const struct bit_name page_fault_bits[] = {
    {0, "present"}, {1, "write"}, {2, "user"}, {3, "reserved-bit"}, {4, "fetch"}};

const char *register_name(unsigned n)
{
    return fields[n].name;
}

u64 register_value(const struct trap_frame *frame, unsigned n)
{
    return *(const u64 *)((const u8 *)frame + fields[n].offset);
}

/* "[IF ZF]"; "[]" for none. Bits without a name are in the number that is printed beside it. */
static const char *bits_text(u64 value, const struct bit_name *names, size_t count, char *out,
                             size_t size)
{
    size_t used = format_to(out, size, "[");
    for (size_t i = 0; i < count && used < size; i++)
        if (value >> names[i].bit & 1)
            used += format_to(out + used, size - used, "%s%s", used > 1 ? " " : "", names[i].name);
    if (used < size)
        format_to(out + used, size - used, "]");
    return out;
}

#define BITS_TEXT(value, names, out) bits_text(value, names, ARRAY_SIZE(names), out, sizeof(out))

static void print_control_registers(void)
{
    char text[192];
    u64 cr0 = read_cr0(), cr4 = read_cr4();
    print("  cr0=%016lx %s\n", cr0, BITS_TEXT(cr0, cr0_bits, text));
    print("  cr2=%016lx (address of the last page fault)\n", read_cr2());
    print("  cr3=%016lx (top page table, physical)\n", read_cr3());
    print("  cr4=%016lx %s\n", cr4, BITS_TEXT(cr4, cr4_bits, text));
}

void registers_print(const struct trap_frame *frame)
{
    char text[192];
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        print("%s%3s=%016lx%s", i % 4 ? " " : "  ", fields[i].name, register_value(frame, i),
              i % 4 == 3 ? "\n" : "");
    print("  rip=%016lx rflags=%08lx %s cs=%lx (ring %lu) ss=%lx\n", frame->rip, frame->rflags,
          BITS_TEXT(frame->rflags, rflags_bits, text), frame->cs, frame->cs & 3, frame->ss);
    print("  trap %lu %s, error code %#lx", frame->vector, trap_name(frame->vector),
          frame->error_code);
    if (frame->vector == TRAP_PAGE_FAULT)
        print(" %s%s",
              frame->error_code ? BITS_TEXT(frame->error_code, page_fault_bits, text) : "[read]",
              frame->error_code & PF_PRESENT ? "" : ", the page is not mapped");
    print("\n");
    print_control_registers();
}
