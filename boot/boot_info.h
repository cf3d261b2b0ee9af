// SPDX-License-Identifier: MIT
/*
 * What the boot loader told us, in one form whoever it was. boot_info_parse() copies everything that
 * is worth keeping out of the loader's block, so the block itself may be reused once memory
 * management has taken its own notes; only the contents of modules stay where they are.
 *
 * The block is untrusted input: any bytes at all give an error code or a result within the limits
 * below, never a read outside the block and never an endless loop. Read next: boot/multiboot.c.
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "lib/types.h"

#define BOOT_MAGIC_MULTIBOOT2 0x36d76289u
#define BOOT_MAGIC_PVH 0x336ec578u

#define BOOT_MEMORY_MAX 512
#define BOOT_MODULES_MAX 8
#define BOOT_RSDP_MAX 36
#define BOOT_BLOCK_MAX (1 * MIB) /* more than this of a multiboot2 block is not looked at */

/* Type of a memory range, the same numbers for multiboot2, PVH and ACPI. Unknown ones are kept. */
enum boot_memory_type {
    BOOT_MEMORY_USABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3, /* ACPI tables, reusable after they have been read */
    BOOT_MEMORY_NVS = 4,  /* firmware's own, saved over sleep */
    BOOT_MEMORY_BAD = 5,
};

/* As the loader gave it: unsorted, overlapping, wrapping... mm/memmap makes sense of it. */
struct boot_memory {
    u64 base, length;
    u32 type;
};

enum boot_protocol { BOOT_UNKNOWN, BOOT_MULTIBOOT2, BOOT_PVH };

enum boot_framebuffer_type {
    BOOT_FRAMEBUFFER_NONE = 0xff,
    BOOT_FRAMEBUFFER_INDEXED = 0,
    BOOT_FRAMEBUFFER_RGB = 1,
    BOOT_FRAMEBUFFER_TEXT = 2, /* EGA text: width and height in characters */
};

struct boot_framebuffer {
    enum boot_framebuffer_type type;
    paddr_t base;
    u32 pitch; /* bytes from one line to the next */
    u32 width, height;
    u32 bits_per_pixel;
    u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits; /* RGB only */
};

struct boot_module {
    paddr_t start, end; /* [start, end), start <= end */
    char name[64];
};

/* About 15 KiB: make it static, never a local variable. */
struct boot_info {
    enum boot_protocol protocol;
    bool uefi;      /* the loader left EFI tables behind */
    bool truncated; /* the block ended early or was damaged; what came before is below */
    char cmdline[2048];
    char loader[64];

    struct boot_memory memory[BOOT_MEMORY_MAX];
    u32 memory_count;
    u32 memory_dropped; /* entries that did not fit */

    struct boot_module modules[BOOT_MODULES_MAX];
    u32 module_count;
    u32 modules_dropped;

    struct boot_framebuffer framebuffer;

    u8 rsdp[BOOT_RSDP_MAX]; /* copy of ACPI's root pointer; rsdp_size 0: search for it (BIOS) */
    u32 rsdp_size;

    paddr_t block_start, block_end; /* the loader's own block: not free until parsed */
};

/*
 * The first C function, called by boot/entry64.asm with interrupts off, on the boot stack: `magic` is
 * one of BOOT_MAGIC_*, `info` the physical address of that protocol's block.
 */
__noreturn void kernel_main(u32 magic, paddr_t info);

/*
 * Fill *out. 0; -EINVAL unknown magic or unreadable block; -ENOENT everything else was read, but there
 * is no memory map with at least one entry. *out is valid (maybe empty) in every case. Early boot,
 * one CPU; reads through the direct map below 4 GiB.
 */
int boot_info_parse(u32 magic, paddr_t info, struct boot_info *out);

/*
 * The same for any source of bytes. `read` returns a pointer to `size` readable bytes that stand at
 * the physical address, or NULL when they cannot be reached. Pure: no other state, any context, host.
 */
typedef const void *(*boot_reader)(paddr_t at, size_t size);
int boot_info_parse_from(u32 magic, paddr_t info, boot_reader read, struct boot_info *out);

/*
 * The multiboot2 tag walk alone, over `size` bytes at `block` (8 bytes of header, then tags). Adds to
 * *out, which the caller has cleared. 0, or -EINVAL when there is not even a header.
 */
int multiboot2_walk(const void *block, size_t size, struct boot_info *out);

#endif
