// SPDX-License-Identifier: MIT
/*
 * Which glyph shows a Unicode character: code page 437 (the VGA's own font), and, where a font lacks a
 * character, a plainer one that reads the same (a rounded corner becomes a square one). Pure.
 */
#ifndef DRIVERS_CHARSET_H
#define DRIVERS_CHARSET_H

#include "lib/types.h"

/* The plainer relative of `code`, or 0 when there is none. Never a chain: the result is final. */
u16 charset_simplify(u16 code);

/* The byte of code page 437 that shows `code` (or its plainer relative); '?' when none does. */
u8 charset_cp437(u16 code);

#endif
