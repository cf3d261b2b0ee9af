// SPDX-License-Identifier: MIT
/*
 * The one text formatter of the kernel. Conversions: d i u x X o c s p %, with flags `-0 #+`,
 * width, precision (both also `*`), lengths hh h l ll z. Two extensions that the compiler's format
 * check accepts as %p: %pS prints an address as symbol+0xoff/0xsize through format_symbol (when the
 * world has set it, else as %p), and %pM prints a u64 * of bytes as "4 KiB", "1.5 MiB". %p itself
 * is always 0x and 16 digits. From a bad conversion on, the format is printed literally: nothing
 * more is read from the stack, because nobody knows what lies there.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include "lib/types.h"
#include <stdarg.h>

/* Writes "symbol+0x12/0x40" for an address into buf (at most size bytes with NUL); returns
 * length. */
typedef size_t (*symbol_formatter)(char *buf, size_t size, vaddr_t address);

/* NULL until kernel/symbols sets it at start-up; %pS falls back to %p. */
extern symbol_formatter format_symbol;

/*
 * Like snprintf(): writes at most size-1 characters and a NUL (nothing when size is 0); returns the
 * length the full text would have. Any context, no locks, no allocation.
 */
size_t format_to(char *buf, size_t size, const char *format, ...) __printf(3, 4);
size_t vformat_to(char *buf, size_t size, const char *format, va_list args) __printf(3, 0);

/* Parsing, the same for the command line and the shell. */

/*
 * Number with optional 0x / 0o / 0b prefix and an optional suffix: K M G T (powers of 1024) or
 * p (pages). "5p" = 20480, "64K" = 65536. 0 on success; -EINVAL not a number; -ERANGE overflows.
 */
int parse_size(const char *text, u64 *out);

#endif
