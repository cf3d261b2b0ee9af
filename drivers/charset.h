// SPDX-License-Identifier: MIT
/*
 * Which glyph shows a Unicode character: code page 437 (the VGA's own font), and, where a font lacks a
 * character, a plainer one that reads the same (a rounded corner becomes a square one). Pure.
 */
#ifndef DRIVERS_CHARSET_H
#define DRIVERS_CHARSET_H

#include "lib/types.h"

/* A plainer relative of `code`, which may have a plainer one itself, or 0 when there is none. */
u16 charset_simplify(u16 code);

/* From a character to ASCII in at most so many steps. */
#define CHARSET_MAX_STEPS 3

/* The byte of code page 437 that shows `code` or a plainer relative; '?' when none does. */
u8 charset_cp437(u16 code);

#endif
