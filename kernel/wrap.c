// SPDX-License-Identifier: MIT
/*
 * Breaking text between words. Owns nothing, no lock. Read next: kernel/commands.c, which explains the
 * commands with it.
 */
#include "kernel/wrap.h"
#include "kernel/printk.h"

#define COLUMNS 80u

static size_t span(const char *text, size_t length, bool blanks)
{
    size_t n = 0;

    while (n < length && (text[n] == ' ') == blanks)
        n++;
    return n;
}

/* Word by word, each with the blanks before it; these are dropped where the line is broken instead. */
void print_wrapped(unsigned column, unsigned indent, const char *text, size_t length)
{
    while (length) {
        size_t blanks = span(text, length, true);
        size_t word = span(text + blanks, length - blanks, false);

        if (column + blanks + word > COLUMNS && column > indent) {
            print("\n%*s%.*s", (int)indent, "", (int)word, text + blanks);
            column = indent + (unsigned)word;
        } else {
            print("%.*s", (int)(blanks + word), text);
            column += (unsigned)(blanks + word);
        }
        text += blanks + word;
        length -= blanks + word;
    }
    print("\n");
}
