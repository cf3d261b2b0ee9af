// SPDX-License-Identifier: MIT
/*
 * Reads ELF headers from a file that anybody may have made. Every number is checked before it is used; sums
 * are checked for wrapping. Stricter than Linux where that costs no real program: a segment is never
 * writable and executable (P2), no two share a page, and the entry lies in an executable one.
 * Format: System V ABI, chapter 4 and 5. Read next: proc/exec.c, which maps what this describes.
 */
#include "proc/elf.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define ELF_CLASS_64 2
#define ELF_LITTLE_ENDIAN 1
#define ELF_VERSION 1
#define ELF_TYPE_EXEC 2
#define ELF_TYPE_DYN 3
#define ELF_MACHINE_X86_64 62
#define PT_LOAD 1u
#define PT_INTERP 3u
#define PF_EXECUTE 1u
#define PF_WRITABLE 2u

struct elf_header {
    u8 magic[4], class, data, version, abi[9];
    u16 type, machine;
    u32 version2;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct program_header {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, align;
};
_Static_assert(sizeof(struct program_header) == 56, "Elf64_Phdr");

static int read_exactly(const struct elf_source *source, u64 offset, void *to, u64 size)
{
    u64 end;
    if (!add_checked(offset, size, &end) || end > source->size)
        return -ENOEXEC;
    return source->read(source->ctx, offset, to, size) == (s64)size ? 0 : -EIO;
}

static bool header_is_ours(const struct elf_header *header)
{
    static const u8 magic[4] = {0x7f, 'E', 'L', 'F'};
    return memcmp(header->magic, magic, sizeof(magic)) == 0 && header->class == ELF_CLASS_64 &&
           header->data == ELF_LITTLE_ENDIAN && header->version == ELF_VERSION &&
           header->version2 == ELF_VERSION &&
           (header->type == ELF_TYPE_EXEC || header->type == ELF_TYPE_DYN) &&
           header->machine == ELF_MACHINE_X86_64 &&
           header->phentsize == sizeof(struct program_header) && header->phnum > 0 &&
           header->phnum <= ELF_HEADERS_MAX;
}

/* Where it goes, if every number of it makes sense. base: added to the addresses of a PIE. */
static bool place_segment(const struct elf_source *source, const struct program_header *header,
                          u64 base, struct elf_segment *out)
{
    u64 address, end, file_end;
    if (!add_checked(header->address, base, &address) ||
        !add_checked(address, header->memory_size, &end) ||
        !add_checked(header->offset, header->file_size, &file_end))
        return false;
    if (header->file_size > header->memory_size || file_end > source->size ||
        (address - header->offset) % PAGE_SIZE != 0)
        return false;
    if (header->align > 1 &&
        (!is_power_of_two(header->align) || (header->address - header->offset) % header->align))
        return false;
    if (address < source->lowest || end > source->highest)
        return false;
    out->start = align_down(address, PAGE_SIZE);
    out->end = align_up(end, PAGE_SIZE);
    out->file_end = address + header->file_size;
    out->offset = align_down(header->offset, PAGE_SIZE);
    out->writable = header->flags & PF_WRITABLE;
    out->executable = header->flags & PF_EXECUTE;
    bool has_zeros = header->memory_size > header->file_size;
    return !(out->writable && out->executable) && (!has_zeros || out->writable);
}

static int add_segment(const struct elf_source *source, const struct program_header *header,
                       u64 base, struct elf_image *image)
{
    struct elf_segment segment;
    if (header->memory_size == 0)
        return 0;
    if (image->count == ELF_SEGMENTS_MAX || !place_segment(source, header, base, &segment))
        return -ENOEXEC;
    if (image->count && segment.start < image->segment[image->count - 1].end)
        return -ENOEXEC;
    image->segment[image->count++] = segment;
    image->brk = segment.end;
    return 0;
}

/* The program headers as the program sees them: inside the segment that holds their place in the file. */
static void find_headers(struct elf_image *image, const struct elf_header *header)
{
    u64 size = header->phnum * sizeof(struct program_header);
    for (unsigned i = 0; i < image->count; i++) {
        const struct elf_segment *segment = &image->segment[i];
        u64 bytes = segment->file_end - segment->start;
        if (header->phoff >= segment->offset && header->phoff - segment->offset <= bytes &&
            bytes - (header->phoff - segment->offset) >= size)
            image->headers = segment->start + (header->phoff - segment->offset);
    }
}

static bool entry_is_code(const struct elf_image *image)
{
    for (unsigned i = 0; i < image->count; i++)
        if (image->segment[i].executable && image->entry >= image->segment[i].start &&
            image->entry < image->segment[i].end)
            return true;
    return false;
}

int elf_parse(const struct elf_source *source, struct elf_image *out)
{
    struct elf_header header;
    *out = (struct elf_image){0};
    int error = read_exactly(source, 0, &header, sizeof(header));
    if (error || !header_is_ours(&header))
        return error ? error : -ENOEXEC;
    u64 base = header.type == ELF_TYPE_DYN ? ELF_PIE_BASE : 0;
    for (u64 i = 0; i < header.phnum; i++) {
        struct program_header entry;
        u64 offset;
        if (!add_checked(header.phoff, i * sizeof(entry), &offset))
            return -ENOEXEC;
        error = read_exactly(source, offset, &entry, sizeof(entry));
        if (!error && entry.type == PT_INTERP)
            error = -ENOEXEC; /* wants a dynamic linker */
        if (!error && entry.type == PT_LOAD)
            error = add_segment(source, &entry, base, out);
        if (error)
            return error;
    }
    out->header_count = header.phnum;
    if (!add_checked(header.entry, base, &out->entry) || !entry_is_code(out))
        return -ENOEXEC;
    find_headers(out, &header);
    return 0;
}
