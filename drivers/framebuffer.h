// SPDX-License-Identifier: MIT
/*
 * A linear framebuffer that the boot loader set up: the console "fb", drawn with the PC screen font
 * that the build links in. Works the same under BIOS (VBE) and UEFI (GOP).
 */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

#include "lib/types.h"

struct framebuffer_desc {
    paddr_t base;
    u32 pitch;          /* bytes from one row to the next */
    u32 width, height;  /* pixels */
    u32 bits_per_pixel; /* 15, 16, 24 or 32 */
    /* Red is bits [red_shift, red_shift + red_bits) of a pixel, and so on. */
    u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};

/*
 * Map it, clear it, register the console. Call when vmalloc and ioremap work; once. 0; -EINVAL for a
 * description or font that cannot be used, -ENOMEM; either way with a log line.
 */
int framebuffer_init(const struct framebuffer_desc *desc);

#endif
