// SPDX-License-Identifier: MIT
/*
 * Reading what the boot loader left in memory: the multiboot2 tag list (GRUB) and the PVH start block
 * (qemu -kernel). No lock, no state: everything goes into the caller's struct boot_info.
 *
 * All of it is hostile until proven otherwise. Three rules keep the walker inside the block and
 * finite: every field is read by field(), which checks against the end of the tag; a tag is at least
 * 8 bytes long, so each step advances; sizes are compared as remaining bytes, so no sum can wrap.
 * Layouts: Multiboot2 specification 2.0 section 3.6; Xen's public/arch-x86/hvm/start_info.h.
 * Read next: mm/memmap.c, which makes a usable map out of the raw one.
 */
#include "boot/boot_info.h"

#include "lib/errno.h"
#include "lib/string.h"
#ifndef VITRINE_HOST
#include "mm/layout.h"
#endif

enum multiboot2_tag {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MEMORY = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI32 = 11,
    TAG_EFI64 = 12,
    TAG_RSDP_V1 = 14,
    TAG_RSDP_V2 = 15,
    TAG_EFI_MEMORY = 17,
};

#define TAG_HEADER 8   /* u32 type, u32 size */
#define BLOCK_HEADER 8 /* u32 total size, u32 reserved */
#define MEMORY_ENTRY 24

/* A run of bytes of which nothing outside may be read. */
struct span {
    const u8 *at;
    size_t size;
};

/* Little-endian number of `bytes` (1..8) at `offset`; 0 when it does not lie inside the span. */
static u64 field(struct span span, size_t offset, size_t bytes)
{
    u64 value = 0;

    if (offset > span.size || bytes > span.size - offset)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (u64)span.at[offset + i] << (8 * i);
    return value;
}

/* The text at `offset`, up to its NUL, the end of the span or the room in `to`. */
static void text_field(struct span span, size_t offset, char *to, size_t room)
{
    size_t n = 0;

    while (n + 1 < room && offset + n < span.size && span.at[offset + n] != '\0') {
        to[n] = (char)span.at[offset + n];
        n++;
    }
    to[n] = '\0';
}

static void add_memory(struct boot_info *out, u64 base, u64 length, u32 type)
{
    if (out->memory_count == BOOT_MEMORY_MAX) {
        out->memory_dropped++;
        return;
    }
    out->memory[out->memory_count++] = (struct boot_memory){base, length, type};
}

static struct boot_module *add_module(struct boot_info *out, paddr_t start, paddr_t end)
{
    if (start > end || out->module_count == BOOT_MODULES_MAX) {
        out->modules_dropped++;
        return NULL;
    }
    struct boot_module *module = &out->modules[out->module_count++];
    module->start = start;
    module->end = end;
    module->name[0] = '\0';
    return module;
}

/*
 * Memory map tag: u32 entry size, u32 entry version, then the entries. The entry size is the loader's
 * to choose (later versions may append fields); one below 24 bytes cannot hold an entry.
 */
static void read_memory_tag(struct span tag, struct boot_info *out)
{
    size_t stride = field(tag, 8, 4);
    size_t offset = 16;

    if (stride < MEMORY_ENTRY) {
        out->truncated = true;
        return;
    }
    while (offset <= tag.size && tag.size - offset >= MEMORY_ENTRY) {
        add_memory(out, field(tag, offset, 8), field(tag, offset + 8, 8),
                   (u32)field(tag, offset + 16, 4));
        if (stride > tag.size - offset)
            break;
        offset += stride;
    }
}

static void read_framebuffer_tag(struct span tag, struct boot_info *out)
{
    struct boot_framebuffer *fb = &out->framebuffer;

    if (tag.size < 32 || field(tag, 29, 1) > BOOT_FRAMEBUFFER_TEXT || field(tag, 8, 8) == 0)
        return;
    fb->base = field(tag, 8, 8);
    fb->pitch = (u32)field(tag, 16, 4);
    fb->width = (u32)field(tag, 20, 4);
    fb->height = (u32)field(tag, 24, 4);
    fb->bits_per_pixel = (u32)field(tag, 28, 1);
    fb->type = (enum boot_framebuffer_type)field(tag, 29, 1);
    if (fb->type != BOOT_FRAMEBUFFER_RGB)
        return;
    fb->red_shift = (u8)field(tag, 32, 1);
    fb->red_bits = (u8)field(tag, 33, 1);
    fb->green_shift = (u8)field(tag, 34, 1);
    fb->green_bits = (u8)field(tag, 35, 1);
    fb->blue_shift = (u8)field(tag, 36, 1);
    fb->blue_bits = (u8)field(tag, 37, 1);
}

static void read_module_tag(struct span tag, struct boot_info *out)
{
    if (tag.size < 16)
        return;
    struct boot_module *module = add_module(out, field(tag, 8, 4), field(tag, 12, 4));
    if (module)
        text_field(tag, 16, module->name, sizeof(module->name));
}

/* The tag holds a copy of the table; the longer one (ACPI 2.0 and later) wins. */
static void read_rsdp_tag(struct span tag, struct boot_info *out)
{
    size_t size = tag.size - TAG_HEADER;

    if (size > BOOT_RSDP_MAX)
        size = BOOT_RSDP_MAX;
    if (size < 20 || size <= out->rsdp_size)
        return;
    memcpy(out->rsdp, tag.at + TAG_HEADER, size);
    out->rsdp_size = (u32)size;
}

static void read_tag(u32 type, struct span tag, struct boot_info *out)
{
    switch (type) {
    case TAG_CMDLINE:
        text_field(tag, TAG_HEADER, out->cmdline, sizeof(out->cmdline));
        break;
    case TAG_LOADER:
        text_field(tag, TAG_HEADER, out->loader, sizeof(out->loader));
        break;
    case TAG_MODULE:
        read_module_tag(tag, out);
        break;
    case TAG_MEMORY:
        read_memory_tag(tag, out);
        break;
    case TAG_FRAMEBUFFER:
        read_framebuffer_tag(tag, out);
        break;
    case TAG_EFI32:
    case TAG_EFI64:
    case TAG_EFI_MEMORY:
        out->uefi = true;
        break;
    case TAG_RSDP_V1:
    case TAG_RSDP_V2:
        read_rsdp_tag(tag, out);
        break;
    default: /* the specification lets us skip what we do not know */
        break;
    }
}

/*
 * 1. Trust the smaller of the block's own idea of its size and the caller's.
 * 2. Read a tag header; a size below 8 or beyond what remains: damaged, stop.
 * 3. Read the tag, step over it, round up to 8. No end tag before the end: damaged as well.
 */
int multiboot2_walk(const void *block, size_t size, struct boot_info *out)
{
    struct span rest = {block, size};

    if (size < BLOCK_HEADER)
        return -EINVAL;
    size_t total = field(rest, 0, 4);
    if (total < BLOCK_HEADER)
        return -EINVAL;
    out->truncated = total > size;
    if (rest.size > total)
        rest.size = total;

    size_t step = BLOCK_HEADER;
    while (step <= rest.size && rest.size - step >= TAG_HEADER) {
        rest.at += step;
        rest.size -= step;
        u32 type = (u32)field(rest, 0, 4);
        size_t tag_size = field(rest, 4, 4);
        if (type == TAG_END)
            return 0;
        if (tag_size < TAG_HEADER || tag_size > rest.size)
            break;
        read_tag(type, (struct span){rest.at, tag_size}, out);
        step = (tag_size + 7) & ~(size_t)7;
    }
    out->truncated = true;
    return 0;
}

static int parse_multiboot2(paddr_t info, boot_reader read, struct boot_info *out)
{
    const void *header = read(info, BLOCK_HEADER);

    if (!header)
        return -EINVAL;
    size_t size = field((struct span){header, BLOCK_HEADER}, 0, 4);
    if (size > BOOT_BLOCK_MAX)
        size = BOOT_BLOCK_MAX;
    const void *block = read(info, size);
    if (!block)
        return -EINVAL;
    out->protocol = BOOT_MULTIBOOT2;
    out->block_start = info;
    out->block_end = info + size;
    return multiboot2_walk(block, size, out);
}

/* A NUL-terminated text somewhere in memory, byte by byte so as not to demand more than is there. */
static void read_text(paddr_t at, boot_reader read, char *to, size_t room)
{
    size_t n = 0;

    for (; at != 0 && n + 1 < room; n++) {
        const char *byte = read(at + n, 1);
        if (!byte || *byte == '\0')
            break;
        to[n] = *byte;
    }
    to[n] = '\0';
}

/* Entries of 24 bytes: u64 base, u64 length, u32 type, u32 reserved. */
static void read_pvh_memory(paddr_t map, u32 count, boot_reader read, struct boot_info *out)
{
    for (u32 i = 0; i < count; i++) {
        const u8 *entry = read(map + (u64)i * MEMORY_ENTRY, MEMORY_ENTRY);
        if (!entry) {
            out->truncated = true;
            return;
        }
        if (out->memory_count == BOOT_MEMORY_MAX) { /* a hostile count must not cost 4 G steps */
            out->memory_dropped = count - i;
            return;
        }
        struct span span = {entry, MEMORY_ENTRY};
        add_memory(out, field(span, 0, 8), field(span, 8, 8), (u32)field(span, 16, 4));
    }
}

/* Entries of 32 bytes: u64 base, u64 size, u64 command line, u64 reserved. */
static void read_pvh_modules(paddr_t list, u32 count, boot_reader read, struct boot_info *out)
{
    for (u32 i = 0; i < count; i++) {
        const u8 *entry = read(list + 32UL * i, 32);
        if (!entry) {
            out->truncated = true;
            return;
        }
        if (out->module_count == BOOT_MODULES_MAX) {
            out->modules_dropped += count - i;
            return;
        }
        struct span span = {entry, 32};
        u64 base = field(span, 0, 8);
        struct boot_module *module = add_module(out, base, base + field(span, 8, 8));
        if (module)
            read_text(field(span, 16, 8), read, module->name, sizeof(module->name));
    }
}

/*
 * u32 magic, version, flags, module count; u64 modules, command line, rsdp; since version 1 also
 * u64 memory map, u32 entries.
 */
static int parse_pvh(paddr_t info, boot_reader read, struct boot_info *out)
{
    const size_t size_v0 = 40, size_v1 = 56;
    const u8 *block = read(info, size_v0);

    if (!block || field((struct span){block, size_v0}, 0, 4) != BOOT_MAGIC_PVH)
        return -EINVAL;
    bool has_map = field((struct span){block, size_v0}, 4, 4) >= 1;
    struct span span = {block, size_v0};
    if (has_map) {
        span = (struct span){read(info, size_v1), size_v1};
        if (!span.at)
            return -EINVAL;
    }
    out->protocol = BOOT_PVH;
    out->block_start = info;
    out->block_end = info + span.size;
    string_copy(out->loader, sizeof(out->loader), "PVH");
    read_text(field(span, 24, 8), read, out->cmdline, sizeof(out->cmdline));
    read_pvh_modules(field(span, 16, 8), (u32)field(span, 12, 4), read, out);
    if (has_map)
        read_pvh_memory(field(span, 40, 8), (u32)field(span, 48, 4), read, out);

    const void *rsdp = field(span, 32, 8) ? read(field(span, 32, 8), BOOT_RSDP_MAX) : NULL;
    if (rsdp) {
        memcpy(out->rsdp, rsdp, BOOT_RSDP_MAX);
        out->rsdp_size = BOOT_RSDP_MAX;
    }
    return 0;
}

int boot_info_parse_from(u32 magic, paddr_t info, boot_reader read, struct boot_info *out)
{
    int error = -EINVAL;

    memset(out, 0, sizeof(*out));
    out->framebuffer.type = BOOT_FRAMEBUFFER_NONE;
    if (magic == BOOT_MAGIC_MULTIBOOT2)
        error = parse_multiboot2(info, read, out);
    else if (magic == BOOT_MAGIC_PVH)
        error = parse_pvh(info, read, out);
    if (error)
        return error;
    return out->memory_count ? 0 : -ENOENT;
}

#ifndef VITRINE_HOST
/* What the first page tables reach. */
static const void *read_early_direct_map(paddr_t at, size_t size)
{
    if (at > EARLY_DIRECT_MAP_SIZE || size > EARLY_DIRECT_MAP_SIZE - at)
        return NULL;
    return phys_to_virt(at);
}

int boot_info_parse(u32 magic, paddr_t info, struct boot_info *out)
{
    return boot_info_parse_from(magic, info, read_early_direct_map, out);
}
#endif
