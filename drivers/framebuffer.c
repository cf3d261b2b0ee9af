// SPDX-License-Identifier: MIT
/*
 * Framebuffer console: the other painter under drivers/screen. Video memory is written only, never
 * read: reading is up to a hundred times slower.
 * Locking: drivers/screen's; `fb` and `font` are written once at start-up.
 * Read next: drivers/screen.c (when to paint), drivers/terminal.c (what), drivers/psf.c (the font).
 */
#include "drivers/framebuffer.h"
#include "drivers/psf.h"
#include "drivers/screen.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "mm/vmalloc.h"

#define FRAMEBUFFER_MAX_BYTES (256 * MIB)

extern const u8 font_psf_start[], font_psf_end[];

static struct {
    struct framebuffer_desc desc;
    volatile u8 *pixels;
    unsigned pixel_bytes;
    u32 palette[16]; /* the ANSI colours in this framebuffer's pixel format */
} fb;

static struct psf_font font;
static struct screen screen;

/* Red, green, blue of the 16 ANSI colours; readable on black. */
static const u8 ansi_rgb[16][3] = {
    {0x00, 0x00, 0x00}, {0xcc, 0x33, 0x33}, {0x33, 0xaa, 0x44}, {0xc4, 0x93, 0x26},
    {0x44, 0x77, 0xdd}, {0xb0, 0x55, 0xb8}, {0x2a, 0xa5, 0xb3}, {0xc8, 0xc8, 0xc8},
    {0x70, 0x70, 0x70}, {0xff, 0x66, 0x66}, {0x66, 0xdd, 0x77}, {0xff, 0xd7, 0x5f},
    {0x7a, 0xa8, 0xff}, {0xe0, 0x88, 0xe8}, {0x5f, 0xdd, 0xee}, {0xff, 0xff, 0xff},
};

/* An 8-bit component, scaled to the channel's size and moved to its place. */
static u32 channel_bits(u8 component, u8 shift, u8 bits)
{
    u32 value = bits >= 8 ? (u32)component << (bits - 8) : (u32)component >> (8 - bits);
    return value << shift;
}

static void build_palette(void)
{
    const struct framebuffer_desc *d = &fb.desc;

    for (unsigned i = 0; i < ARRAY_SIZE(ansi_rgb); i++)
        fb.palette[i] = channel_bits(ansi_rgb[i][0], d->red_shift, d->red_bits) |
                        channel_bits(ansi_rgb[i][1], d->green_shift, d->green_bits) |
                        channel_bits(ansi_rgb[i][2], d->blue_shift, d->blue_bits);
}

static volatile u8 *pixel_at(unsigned x, unsigned y)
{
    return fb.pixels + (size_t)y * fb.desc.pitch + (size_t)x * fb.pixel_bytes;
}

/* One row of pixels, the leftmost in the top bit of `bits`. A loop for each pixel size: this is where
 * all the time goes. */
static void paint_row(volatile u8 *at, unsigned width, u32 bits, u32 foreground, u32 background)
{
    u32 difference = foreground ^ background;
    volatile u32 *at32 = (volatile u32 *)at;
    volatile u16 *at16 = (volatile u16 *)at;

    if (fb.pixel_bytes == 4) {
        for (; width > 0; width--, bits <<= 1)
            *at32++ = background ^ (difference & -(bits >> 31));
    } else if (fb.pixel_bytes == 2) {
        for (; width > 0; width--, bits <<= 1)
            *at16++ = (u16)(background ^ (difference & -(bits >> 31)));
    } else {
        for (; width > 0; width--, bits <<= 1, at += 3) {
            u32 color = background ^ (difference & -(bits >> 31));
            at[0] = (u8)color;
            at[1] = (u8)(color >> 8);
            at[2] = (u8)(color >> 16);
        }
    }
}

static void fill(unsigned x, unsigned y, unsigned width, unsigned height, u32 color)
{
    for (unsigned row = y; row < y + height; row++)
        paint_row(pixel_at(x, row), width, 0, 0, color);
}

/* A row of a glyph as a number: at most PSF_MAX_WIDTH = 32 pixels. */
static u32 glyph_bits(const u8 *row)
{
    u32 bits = 0;

    for (u32 i = 0; i < font.row_bytes; i++)
        bits |= (u32)row[i] << (24 - 8 * i);
    return bits;
}

/*
 * Block elements (U+2580..U+2595, shades excepted) are drawn, not looked up: few fonts have all of
 * them, and a bar of drawn ones has no seams. Sets the rectangle in pixels of the cell.
 */
static bool block_element(u16 code, unsigned *x, unsigned *y, unsigned *width, unsigned *height)
{
    unsigned w = font.width, h = font.height;

    *x = *y = 0;
    *width = w;
    *height = h;
    if (code == 0x2580) { /* upper half */
        *height = h / 2;
    } else if (code >= 0x2581 && code <= 0x2588) { /* lower one eighth .. full */
        *height = h * (code - 0x2580u) / 8;
        *y = h - *height;
    } else if (code >= 0x2589 && code <= 0x258f) { /* left seven eighths .. one eighth */
        *width = (w * (0x2590u - code) + 7) / 8;
    } else if (code == 0x2590) { /* right half */
        *x = w / 2;
        *width = w - w / 2;
    } else if (code == 0x2594) { /* upper one eighth */
        *height = (h + 7) / 8;
    } else if (code == 0x2595) { /* right one eighth */
        *width = (w + 7) / 8;
        *x = w - *width;
    } else {
        return false;
    }
    return true;
}

static void fb_paint(unsigned column, unsigned row, struct terminal_cell cell)
{
    u32 foreground = fb.palette[cell.foreground & 15];
    u32 background = fb.palette[cell.background & 15];
    unsigned x = column * font.width, y = row * font.height;
    unsigned bx, by, width, height;

    if (cell.code == ' ') {
        fill(x, y, font.width, font.height, background);
        return;
    }
    if (block_element(cell.code, &bx, &by, &width, &height)) {
        if (width < font.width || height < font.height)
            fill(x, y, font.width, font.height, background);
        fill(x + bx, y + by, width, height, foreground);
        return;
    }
    const u8 *glyph = psf_glyph(&font, cell.code);
    for (unsigned line = 0; line < font.height; line++, glyph += font.row_bytes)
        paint_row(pixel_at(x, y + line), font.width, glyph_bits(glyph), foreground, background);
}

/* The cursor is a bar of two pixels at the foot of its cell. */
static void fb_cursor(unsigned column, unsigned row, bool visible)
{
    unsigned thickness = font.height > 2 ? 2 : 1;

    if (visible)
        fill(column * font.width, (row + 1) * font.height - thickness, font.width, thickness,
             fb.palette[TERMINAL_DEFAULT_FOREGROUND]);
}

static const struct terminal_painter fb_painter = {.paint = fb_paint, .cursor = fb_cursor};

static bool channel_fits(u8 shift, u8 bits, u32 pixel)
{
    return bits > 0 && bits <= 16 && (u32)shift + bits <= pixel;
}

/* The first thing wrong with the description, or NULL. */
static const char *desc_problem(const struct framebuffer_desc *d)
{
    u32 pixel = d->bits_per_pixel;

    if (pixel != 15 && pixel != 16 && pixel != 24 && pixel != 32)
        return "unsupported pixel size";
    if (!channel_fits(d->red_shift, d->red_bits, pixel) ||
        !channel_fits(d->green_shift, d->green_bits, pixel) ||
        !channel_fits(d->blue_shift, d->blue_bits, pixel))
        return "colours outside the pixel";
    if (d->base == 0 || d->width < font.width || d->height < font.height)
        return "no room for one character";
    if (d->pitch < (u64)d->width * ((pixel + 7) / 8))
        return "pitch shorter than a row";
    if ((u64)d->pitch * d->height > FRAMEBUFFER_MAX_BYTES)
        return "too large";
    return NULL;
}

/* Map video memory and get the cells for a screen of that size; NULL and nothing is left mapped. */
static struct terminal_cell *framebuffer_map(unsigned columns, unsigned rows)
{
    struct terminal_cell *cells = vzalloc(2ul * columns * rows * sizeof(*cells));

    if (!cells)
        return NULL;
    fb.pixels = ioremap_wc(fb.desc.base, (u64)fb.desc.pitch * fb.desc.height);
    if (!fb.pixels) {
        vfree(cells);
        return NULL;
    }
    return cells;
}

static bool wanted = true;

static int set_wanted(const char *value)
{
    return param_bool(value, &wanted);
}
PARAM(fb, "fb", set_wanted,
      "on/off: a console on the loader's framebuffer, which is mapped for it");

int framebuffer_init(const struct framebuffer_desc *desc)
{
    if (!wanted)
        return 0;
    int error = psf_parse(font_psf_start, (size_t)(font_psf_end - font_psf_start), &font);
    if (error) {
        log_warn("fb: the linked font is no PC screen font, no console here");
        return error;
    }
    const char *problem = desc_problem(desc);
    if (problem) {
        log_warn("fb: %ux%u, %u bits, pitch %u at 0x%lx: %s, no console here", desc->width,
                 desc->height, desc->bits_per_pixel, desc->pitch, desc->base, problem);
        return -EINVAL;
    }

    fb.desc = *desc;
    fb.pixel_bytes = (desc->bits_per_pixel + 7) / 8;
    build_palette();
    unsigned columns = desc->width / font.width, rows = desc->height / font.height;
    struct terminal_cell *cells = framebuffer_map(columns, rows);
    if (!cells) {
        log_warn("fb: cannot map %ux%u at 0x%lx", desc->width, desc->height, desc->base);
        return -ENOMEM;
    }
    fill(0, 0, desc->width, desc->height, fb.palette[TERMINAL_DEFAULT_BACKGROUND]);
    screen_start(&screen, "fb", &fb_painter, columns, rows, cells);
    log_info("fb: %ux%u, %u bits at 0x%lx, %ux%u characters of %ux%u", desc->width, desc->height,
             desc->bits_per_pixel, desc->base, columns, rows, font.width, font.height);
    return 0;
}
