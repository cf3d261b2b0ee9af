// SPDX-License-Identifier: MIT
/*
 * The kernel's own symbol table, which the build makes from the linked kernel and links in again: four
 * arrays sorted by address. Read-only, no lock, any context. Offsets count from the base of the kernel
 * image, so that 32 bits are enough. Read next: kernel/backtrace.c.
 */
#include "kernel/symbols.h"
#include "lib/format.h"
#include "lib/string.h"

#define IMAGE_BASE 0xffffffff80000000UL

extern const u32 ksym_count;
extern const u32 ksym_offsets[], ksym_sizes[], ksym_name_offsets[];
extern const char ksym_names[];

/* Symbols of size 0 (labels in NASM) reach to the next symbol, the last one to the end of the image. */
static u64 symbol_size(u32 n)
{
    if (ksym_sizes[n])
        return ksym_sizes[n];
    u64 end = n + 1 < ksym_count ? ksym_offsets[n + 1] : (u64)__kernel_end - IMAGE_BASE;
    return end > ksym_offsets[n] ? end - ksym_offsets[n] : 0;
}

static void fill(u32 n, vaddr_t address, struct symbol *out)
{
    out->name = ksym_names + ksym_name_offsets[n];
    out->address = IMAGE_BASE + ksym_offsets[n];
    out->offset = address - out->address;
    out->size = symbol_size(n);
}

/*
 * 1. Binary search for the last symbol at or below the address.
 * 2. Walk back over symbols that end before it: a local label may stand inside a larger function.
 */
bool symbol_lookup(vaddr_t address, struct symbol *out)
{
    if (address < IMAGE_BASE || ksym_count == 0)
        return false;
    u64 offset = address - IMAGE_BASE;
    u32 low = 0, high = ksym_count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (ksym_offsets[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    for (u32 n = low, tries = 0; n > 0 && tries < 8; n--, tries++) {
        fill(n - 1, address, out);
        if (out->offset < out->size)
            return true;
    }
    return false;
}

vaddr_t symbol_address(const char *name)
{
    for (u32 n = 0; n < ksym_count; n++)
        if (strcmp(ksym_names + ksym_name_offsets[n], name) == 0)
            return IMAGE_BASE + ksym_offsets[n];
    return 0;
}

static size_t format_address(char *buf, size_t size, vaddr_t address)
{
    struct symbol symbol;
    if (!symbol_lookup(address, &symbol))
        return format_to(buf, size, "%#lx", address);
    return format_to(buf, size, "%s+0x%lx/0x%lx", symbol.name, symbol.offset, symbol.size);
}

void symbols_init(void)
{
    format_symbol = format_address;
}
