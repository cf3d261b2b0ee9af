// SPDX-License-Identifier: MIT
/*
 * The VGA's text mode, 80x25: the console "vga". Only for a machine that the boot loader left in text
 * mode; in a graphics mode the framebuffer is the console.
 */
#ifndef DRIVERS_VGA_TEXT_H
#define DRIVERS_VGA_TEXT_H

#include "lib/types.h"

/*
 * Clear the screen and register the console if `text_mode` (from the boot information) and a VGA
 * answers. Uses the direct map for 0xb8000; call early, before or after the final page tables.
 * Returns whether there is a console.
 */
bool vga_text_init(bool text_mode);

/*
 * Move to a mapping of its own: the final direct map covers RAM only. Call once, when ioremap() works
 * and before anything prints through page tables that lack 0xb8000 in the direct map.
 */
void vga_text_remap(void);

#endif
