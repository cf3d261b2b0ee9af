// SPDX-License-Identifier: MIT
/*
 * parse_size(): numbers as people type them, for the command line and the shell. No state, any
 * context. Contract: lib/format.h.
 */
#include "lib/errno.h"
#include "lib/format.h"

/* The digit's value, or 16 for anything else. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* The number that one unit of this suffix stands for; 0 if it is not a suffix. */
static u64 suffix_value(char c)
{
    switch (c) {
    case 'p':
        return PAGE_SIZE;
    case 'K':
    case 'k':
        return KIB;
    case 'M':
    case 'm':
        return MIB;
    case 'G':
    case 'g':
        return GIB;
    case 'T':
    case 't':
        return TIB;
    default:
        return 0;
    }
}

static unsigned parse_base(const char **text)
{
    const char *p = *text;
    char letter = p[0] == '0' ? p[1] : '\0';

    if (letter != 'x' && letter != 'o' && letter != 'b')
        return 10;
    *text = p + 2;
    return letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
}

int parse_size(const char *text, u64 *out)
{
    unsigned base = parse_base(&text);
    u64 value = 0, unit = 1;
    const char *start = text;
    bool overflow = false;

    for (; digit_value(*text) < base; text++) {
        overflow |= __builtin_mul_overflow(value, base, &value);
        overflow |= __builtin_add_overflow(value, digit_value(*text), &value);
    }
    if (text == start)
        return -EINVAL;
    if (*text) {
        unit = suffix_value(*text++);
        if (!unit || *text)
            return -EINVAL;
    }
    overflow |= __builtin_mul_overflow(value, unit, &value);
    if (overflow)
        return -ERANGE;
    *out = value;
    return 0;
}
