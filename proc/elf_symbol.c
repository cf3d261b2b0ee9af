// SPDX-License-Identifier: MIT
/*
 * Looks an address up in an ELF file's .symtab, for the line that says where a program died. The file is as hostile
 * as any (proc/elf.c): every offset is read with bounds, every count is capped, and a lie ends the search.
 */
#include "proc/elf_symbol.h"
#include "lib/bits.h"

#define SECTIONS_MAX 128
#define SYMBOLS_MAX 65536u
#define SECTION_SYMBOLS 2u
#define TYPE_DYN 3
#define TYPE_FUNCTION 2
#define TYPE_MASK 0xf

struct file_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct section {
    u32 name, type;
    u64 flags, address, offset, size;
    u32 link, info;
    u64 align, entry_size;
};
_Static_assert(sizeof(struct section) == 64, "Elf64_Shdr");

struct symbol {
    u32 name;
    u8 info, other;
    u16 section;
    u64 value, size;
};
_Static_assert(sizeof(struct symbol) == 24, "Elf64_Sym");

static bool read_at(const struct elf_source *source, u64 base, u64 offset, void *to, u64 size)
{
    u64 from, end;
    return add_checked(base, offset, &from) && add_checked(from, size, &end) &&
           end <= source->size && source->read(source->ctx, from, to, size) == (s64)size;
}

static bool find_table(const struct elf_source *source, const struct file_header *header,
                       struct section *symbols, struct section *strings)
{
    if (header->shentsize != sizeof(*symbols) || header->shnum > SECTIONS_MAX)
        return false;
    for (u64 i = 0; i < header->shnum; i++) {
        if (!read_at(source, header->shoff, i * sizeof(*symbols), symbols, sizeof(*symbols)))
            return false;
        if (symbols->type == SECTION_SYMBOLS)
            return symbols->link < header->shnum &&
                   read_at(source, header->shoff, symbols->link * sizeof(*strings), strings,
                           sizeof(*strings));
    }
    return false;
}

static bool contains(const struct symbol *symbol, vaddr_t address)
{
    return (symbol->info & TYPE_MASK) == TYPE_FUNCTION && address >= symbol->value &&
           address - symbol->value < symbol->size;
}

/* Byte by byte: the end of the string table may come first. */
static void read_name(const struct elf_source *source, const struct section *strings, u64 at,
                      char *name, u64 size)
{
    u64 i = 0;
    while (i + 1 < size && at + i < strings->size &&
           read_at(source, strings->offset, at + i, &name[i], 1) && name[i] > ' ' && name[i] <= '~')
        i++;
    name[i] = '\0';
}

bool elf_symbol(const struct elf_source *source, vaddr_t address, char *name, u64 size, u64 *offset)
{
    struct file_header header;
    struct section symbols, strings;
    name[0] = '\0';
    if (!read_at(source, 0, 0, &header, sizeof(header)) ||
        !find_table(source, &header, &symbols, &strings))
        return false;
    address -= header.type == TYPE_DYN ? ELF_PIE_BASE : 0;
    u64 count = min_u64(symbols.size / sizeof(struct symbol), SYMBOLS_MAX);
    for (u64 i = 0; i < count; i++) {
        struct symbol symbol;
        if (!read_at(source, symbols.offset, i * sizeof(symbol), &symbol, sizeof(symbol)))
            return false;
        if (!contains(&symbol, address))
            continue;
        *offset = address - symbol.value;
        read_name(source, &strings, symbol.name, name, size);
        return name[0] != '\0';
    }
    return false;
}
