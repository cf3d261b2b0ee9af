// SPDX-License-Identifier: MIT
/*
 * PC screen fonts, versions 1 and 2, with their Unicode tables. A font file is untrusted input: every
 * length is checked, a broken one is refused or cut, never read outside. Pure: also compiled on the
 * host. Format: kbd's psf-format documentation.
 */
#ifndef DRIVERS_PSF_H
#define DRIVERS_PSF_H

#include "lib/types.h"

#define PSF_MAX_MAPPINGS 2048
#define PSF_MAX_WIDTH 32
#define PSF_MAX_HEIGHT 64

struct psf_mapping {
    u16 code, glyph;
};

struct psf_font {
    const u8 *glyphs;
    u32 glyph_count, glyph_bytes; /* bytes of one glyph: height * row_bytes */
    u32 width, height;            /* pixels */
    u32 row_bytes;                /* the leftmost pixel is the top bit of the first byte */
    u32 mapping_count;            /* 0: glyph number == character code */
    u32 mappings_dropped;         /* did not fit into `mappings` */
    struct psf_mapping mappings[PSF_MAX_MAPPINGS]; /* sorted by code */
};

/* Parse; out->glyphs points into `data`. 0, or -EINVAL when this is no usable font. */
int psf_parse(const void *data, size_t size, struct psf_font *out);

/* The glyph that shows a character, or its plainer relative, or '?'; always a valid glyph. */
const u8 *psf_glyph(const struct psf_font *font, u16 code);

#endif
