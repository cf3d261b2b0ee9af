// SPDX-License-Identifier: MIT
/*
 * A linear framebuffer that the boot loader set up: the console "fb", drawn with the PC screen font
 * that the build links in. Works the same under BIOS (VBE) and UEFI (GOP).
 */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

#include "lib/types.h"

/* Where a colour component lies in a pixel: bits [position, position + size). */
struct framebuffer_channel {
    u8 position, size;
};

struct framebuffer_desc {
    paddr_t paddr;
    u32 pitch; /* bytes from one row to the next */
    u32 width, height;
    u8 bpp; /* 15, 16, 24 or 32, direct colour */
    struct framebuffer_channel red, green, blue;
};

/*
 * Map it, clear it, register the console. Call when vmalloc and ioremap work; once. 0; -EINVAL for a
 * description or font that cannot be used, -ENOMEM; either way with a log line.
 */
int framebuffer_init(const struct framebuffer_desc *desc);

#endif
