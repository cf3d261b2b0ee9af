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
 * answers; returns whether there is a console. The video window is in the direct map, the early one
 * and the final one.
 */
bool vga_text_init(bool text_mode);

#endif
