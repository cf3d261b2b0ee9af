// SPDX-License-Identifier: MIT
/*
 * Text for a terminal of 80 columns: broken between words, the lines after the first one indented, so that
 * a table of names and explanations stays a table. Read next: kernel/printk.h.
 */
#ifndef KERNEL_WRAP_H
#define KERNEL_WRAP_H

#include "lib/types.h"

/*
 * Print `length` bytes of text and a newline. The cursor is in column `column` now; each further line
 * begins in column `indent`. Words longer than a line are not broken. Any context.
 */
void print_wrapped(unsigned column, unsigned indent, const char *text, size_t length);

#endif
