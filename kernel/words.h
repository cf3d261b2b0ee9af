// SPDX-License-Identifier: MIT
/*
 * Splitting text into words, the same for the shell and for the kernel command line: blanks separate,
 * "..." and '...' keep blanks, a backslash takes the next character literally (inside "..." only
 * before " and \; in the plain style also before ', as GRUB writes it). The shell style adds two
 * signs outside quotes: `;` ends a command and `#` at the start of a word begins a comment. Pure:
 * only lib/, so that it is fuzzed on the host.
 */
#ifndef KERNEL_WORDS_H
#define KERNEL_WORDS_H

#include "lib/types.h"

enum word_style { WORDS_SHELL, WORDS_PLAIN };

/* What word_next() found. Negative: *error is a sentence for the user. */
enum word_result { WORD_BAD = -1, WORD_END = 0, WORD_FOUND = 1, WORD_SEPARATOR = 2 };

/*
 * Take the next word from *cursor, which moves behind it, and store it NUL-terminated in out (size
 * bytes; the word with its NUL never needs more than its source text plus one). A control character,
 * an unmatched quote, a final backslash or a word that does not fit is WORD_BAD.
 */
enum word_result word_next(const char **cursor, enum word_style style, char *out, size_t size,
                           const char **error);

/*
 * Take one command: words up to `;`, a comment or the end. argv gets at most max words and a NULL
 * behind them (max + 1 slots), which live in text. Returns their number (0: an empty command) or
 * -EINVAL with *error set. *more tells whether a `;` followed.
 */
int words_split(const char **cursor, char *text, size_t size, char **argv, int max, bool *more,
                const char **error);

#endif
