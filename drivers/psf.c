// SPDX-License-Identifier: MIT
/*
 * PC screen font parser. The file's Unicode table lists, for each glyph, the characters that it shows;
 * it is turned into an array sorted by character, searched by halving. Combining sequences are skipped:
 * one cell shows one character here.
 * No state, no lock. Read next: drivers/charset.h for substitutes, drivers/framebuffer.c for the user.
 */
#include "drivers/psf.h"
#include "drivers/bytes.h"
#include "drivers/charset.h"
#include "lib/errno.h"

#define PSF1_MAGIC 0x0436
#define PSF1_HEADER 4
#define PSF1_MODE_512 0x01
#define PSF1_MODE_TABLE 0x02
#define PSF1_MODE_SEQUENCES 0x04
#define PSF1_SEPARATOR 0xffff
#define PSF1_SEQUENCE 0xfffe

#define PSF2_MAGIC 0x864ab572
#define PSF2_HEADER 32
#define PSF2_TABLE 0x01
#define PSF2_SEPARATOR 0xff
#define PSF2_SEQUENCE 0xfe

#define PSF_MAX_GLYPHS 65536

static void add_mapping(struct psf_font *font, u32 code, u32 glyph)
{
    if (code > 0xffff)
        return;
    if (font->mapping_count == PSF_MAX_MAPPINGS)
        font->mappings_dropped++;
    else
        font->mappings[font->mapping_count++] = (struct psf_mapping){(u16)code, (u16)glyph};
}

/* By character; equal characters by glyph, so that the first glyph of the file wins. */
static bool mapping_after(struct psf_mapping a, struct psf_mapping b)
{
    return a.code != b.code ? a.code > b.code : a.glyph > b.glyph;
}

/* Shell sort: in place, no recursion, fast enough for 2,048 elements once per boot. */
static void sort_mappings(struct psf_font *font)
{
    struct psf_mapping *m = font->mappings;

    for (u32 gap = font->mapping_count / 2; gap > 0; gap /= 2) {
        for (u32 i = gap; i < font->mapping_count; i++) {
            struct psf_mapping moving = m[i];
            u32 hole = i;

            for (; hole >= gap && mapping_after(m[hole - gap], moving); hole -= gap)
                m[hole] = m[hole - gap];
            m[hole] = moving;
        }
    }
}

/* PSF1: for each glyph, 16-bit characters, then (after 0xfffe) sequences, then 0xffff. */
static void parse_psf1_table(struct psf_font *font, const u8 *at, const u8 *end)
{
    bool in_sequence = false;

    for (u32 glyph = 0; glyph < font->glyph_count && end - at >= 2; at += 2) {
        u16 code = load_u16(at);

        if (code == PSF1_SEPARATOR) {
            glyph++;
            in_sequence = false;
        } else if (code == PSF1_SEQUENCE) {
            in_sequence = true;
        } else if (!in_sequence) {
            add_mapping(font, code, glyph);
        }
    }
}

/* One UTF-8 character; *at moves behind it (at least one byte). A broken one answers 0x110000. */
static u32 next_utf8(const u8 **at, const u8 *end)
{
    u8 first = *(*at)++;
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    u32 code = more ? first & (0x3fu >> more) : first;

    if (first >= 0x80 && more == 0)
        return 0x110000;
    for (; more > 0; more--) {
        if (*at == end || (**at & 0xc0) != 0x80)
            return 0x110000;
        code = code << 6 | (*(*at)++ & 0x3f);
    }
    return code;
}

/* PSF2: the same with UTF-8, 0xfe and 0xff. */
static void parse_psf2_table(struct psf_font *font, const u8 *at, const u8 *end)
{
    bool in_sequence = false;

    for (u32 glyph = 0; glyph < font->glyph_count && at < end;) {
        if (*at == PSF2_SEPARATOR) {
            glyph++;
            at++;
            in_sequence = false;
        } else if (*at == PSF2_SEQUENCE) {
            at++;
            in_sequence = true;
        } else {
            u32 code = next_utf8(&at, end);
            if (!in_sequence)
                add_mapping(font, code, glyph);
        }
    }
}

/* Do the sizes make sense, and are all the glyphs there? Sets row_bytes. */
static bool geometry_fits(struct psf_font *font, u64 available)
{
    if (font->width == 0 || font->width > PSF_MAX_WIDTH || font->height == 0 ||
        font->height > PSF_MAX_HEIGHT)
        return false;
    font->row_bytes = (font->width + 7) / 8;
    if (font->glyph_bytes < font->height * font->row_bytes)
        return false;
    if (font->glyph_count == 0 || font->glyph_count > PSF_MAX_GLYPHS)
        return false;
    return (u64)font->glyph_count * font->glyph_bytes <= available;
}

static int parse_psf1(const u8 *data, size_t size, struct psf_font *font)
{
    u8 mode = data[2];

    font->glyphs = data + PSF1_HEADER;
    font->glyph_count = mode & PSF1_MODE_512 ? 512 : 256;
    font->glyph_bytes = data[3];
    font->width = 8;
    font->height = data[3];
    if (!geometry_fits(font, size - PSF1_HEADER))
        return -EINVAL;
    if (mode & (PSF1_MODE_TABLE | PSF1_MODE_SEQUENCES))
        parse_psf1_table(font, font->glyphs + (size_t)font->glyph_count * font->glyph_bytes,
                         data + size);
    return 0;
}

static int parse_psf2(const u8 *data, size_t size, struct psf_font *font)
{
    u32 header = load_u32(data + 8), flags = load_u32(data + 12);

    if (header < PSF2_HEADER || header > size)
        return -EINVAL;
    font->glyphs = data + header;
    font->glyph_count = load_u32(data + 16);
    font->glyph_bytes = load_u32(data + 20);
    font->height = load_u32(data + 24);
    font->width = load_u32(data + 28);
    if (!geometry_fits(font, size - header))
        return -EINVAL;
    if (flags & PSF2_TABLE)
        parse_psf2_table(font, font->glyphs + (size_t)font->glyph_count * font->glyph_bytes,
                         data + size);
    return 0;
}

int psf_parse(const void *data, size_t size, struct psf_font *out)
{
    int error = -EINVAL;

    out->mapping_count = 0;
    out->mappings_dropped = 0;
    if (size >= PSF2_HEADER && load_u32(data) == PSF2_MAGIC)
        error = parse_psf2(data, size, out);
    else if (size >= PSF1_HEADER && load_u16(data) == PSF1_MAGIC)
        error = parse_psf1(data, size, out);
    if (!error)
        sort_mappings(out);
    return error;
}

/* The number of the glyph that shows exactly `code`, or -ENOENT. */
static int glyph_number(const struct psf_font *font, u16 code)
{
    if (font->mapping_count == 0)
        return code < font->glyph_count ? code : -ENOENT;

    /* Lower bound: the first mapping that is not before `code`. */
    u32 low = 0, high = font->mapping_count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (font->mappings[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == font->mapping_count || font->mappings[low].code != code)
        return -ENOENT;
    return font->mappings[low].glyph;
}

const u8 *psf_glyph(const struct psf_font *font, u16 code)
{
    int number = glyph_number(font, code);

    for (unsigned step = 0; number < 0 && step < CHARSET_MAX_STEPS; step++) {
        code = charset_simplify(code);
        number = code ? glyph_number(font, code) : -ENOENT;
    }
    if (number < 0)
        number = glyph_number(font, '?');
    if (number < 0)
        number = 0;
    return font->glyphs + (size_t)number * font->glyph_bytes;
}
