// SPDX-License-Identifier: MIT
/*
 * vformat_to(): the text formatter. State lives in a struct on the caller's stack; no lock, no
 * allocation, any context. It works in two steps for each conversion: parse_spec() reads the format
 * and decides whether this is a conversion at all; only then are arguments fetched. After a bad
 * conversion nobody knows which argument comes next, so the rest of the format is printed as it is.
 *
 * Contract and the two extensions %pS and %pM: lib/format.h. Read next: kernel/printk.c.
 */
#include "lib/format.h"
#include "lib/bits.h"
#include "lib/string.h"

#define UNITS "KMGTPE"
#define MAX_NUMBER 0x7fffffffUL /* widths and precisions saturate here */
#define MAX_DIGITS 22           /* 2^64 - 1 in octal */
#define MAX_SYMBOL 128

symbol_formatter format_symbol;

/* Where text goes. `length` counts everything, also what no longer fits. */
struct output {
    char *buf;
    size_t size;
    size_t length;
};

enum length { LEN_CHAR, LEN_SHORT, LEN_INT, LEN_LONG };

struct spec {
    bool left, zero, space, plus, alternate;
    bool star_width, has_precision, star_precision;
    size_t width, precision;
    enum length length;
    char conversion;
    char extension; /* 'S' or 'M' behind %p, else 0 */
};

static void put(struct output *out, const char *text, size_t n)
{
    if (out->length < out->size)
        memcpy(out->buf + out->length, text, min_u64(n, out->size - out->length));
    out->length += n;
}

static void pad(struct output *out, char c, size_t n)
{
    if (out->length < out->size)
        memset(out->buf + out->length, c, min_u64(n, out->size - out->length));
    out->length += n;
}

/* `text` in a field of spec->width columns. */
static void put_field(struct output *out, const struct spec *spec, const char *text, size_t n)
{
    size_t fill = spec->width > n ? spec->width - n : 0;

    if (!spec->left)
        pad(out, ' ', fill);
    put(out, text, n);
    if (spec->left)
        pad(out, ' ', fill);
}

static const char *parse_flags(const char *p, struct spec *spec)
{
    for (;; p++) {
        switch (*p) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        default:
            return p;
        }
    }
}

/* Decimal digits or a star. */
static const char *parse_number(const char *p, size_t *number, bool *star)
{
    if (*p == '*') {
        *star = true;
        return p + 1;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        *number = min_u64(*number * 10 + (size_t)(*p - '0'), MAX_NUMBER);
    return p;
}

static const char *parse_length(const char *p, enum length *length)
{
    *length = LEN_INT;
    if (*p == 'h') {
        *length = p[1] == 'h' ? LEN_CHAR : LEN_SHORT;
        return p[1] == 'h' ? p + 2 : p + 1;
    }
    if (*p == 'l') {
        *length = LEN_LONG;
        return p[1] == 'l' ? p + 2 : p + 1;
    }
    if (*p == 'z') {
        *length = LEN_LONG;
        return p + 1;
    }
    return p;
}

/* p is behind the '%'. Returns what follows the conversion, or NULL if it is not one of ours. */
static const char *parse_spec(const char *p, struct spec *spec)
{
    *spec = (struct spec){.length = LEN_INT, .conversion = *p};
    if (*p == '%')
        return p + 1;
    p = parse_flags(p, spec);
    p = parse_number(p, &spec->width, &spec->star_width);
    if (*p == '.') {
        spec->has_precision = true;
        p = parse_number(p + 1, &spec->precision, &spec->star_precision);
    }
    p = parse_length(p, &spec->length);
    if (!*p || !strchr(spec->length == LEN_INT ? "diuxXocsp" : "diuxXo", *p))
        return NULL;
    spec->conversion = *p++;
    if (spec->conversion == 'p' && (*p == 'S' || *p == 'M'))
        spec->extension = *p++;
    return p;
}

/* A negative width means left-aligned, a negative precision none, as in C. */
static void fetch_stars(struct spec *spec, va_list *args)
{
    if (spec->star_width) {
        s64 width = va_arg(*args, int);

        spec->left = spec->left || width < 0;
        spec->width = (size_t)(width < 0 ? -width : width);
    }
    if (spec->star_precision) {
        int precision = va_arg(*args, int);

        spec->has_precision = precision >= 0;
        spec->precision = precision < 0 ? 0 : (size_t)precision;
    }
}

static s64 fetch_signed(enum length length, va_list *args)
{
    switch (length) {
    case LEN_CHAR:
        return (signed char)va_arg(*args, int);
    case LEN_SHORT:
        return (short)va_arg(*args, int);
    case LEN_INT:
        return va_arg(*args, int);
    case LEN_LONG:
        break;
    }
    return va_arg(*args, long);
}

static u64 fetch_unsigned(enum length length, va_list *args)
{
    switch (length) {
    case LEN_CHAR:
        return (unsigned char)va_arg(*args, unsigned);
    case LEN_SHORT:
        return (unsigned short)va_arg(*args, unsigned);
    case LEN_INT:
        return va_arg(*args, unsigned);
    case LEN_LONG:
        break;
    }
    return va_arg(*args, unsigned long);
}

/* Digits of value, written so that they end at `end`; returns how many. None for 0. */
static size_t digits_before(char *end, u64 value, unsigned base, bool upper)
{
    const char *symbols = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t n = 0;

    for (; value; value /= base)
        end[-(ptrdiff_t)++n] = symbols[value % base];
    return n;
}

/* In order: fill with blanks, `prefix` (sign or 0x), fill with zeros, digits, fill with blanks. */
static void put_number(struct output *out, const struct spec *spec, const char *prefix, u64 value,
                       unsigned base)
{
    char digits[MAX_DIGITS];
    char *end = digits + sizeof(digits);
    size_t n = digits_before(end, value, base, spec->conversion == 'X');
    size_t prefix_length = strlen(prefix);
    size_t zeros, fill, minimum = spec->has_precision ? spec->precision : 1;

    if (base == 8 && spec->alternate)
        minimum = max_u64(minimum, n + 1); /* "#" asks for a leading zero */
    zeros = minimum > n ? minimum - n : 0;
    fill = prefix_length + zeros + n;
    fill = spec->width > fill ? spec->width - fill : 0;
    if (spec->zero && !spec->left && !spec->has_precision) {
        zeros += fill;
        fill = 0;
    }
    if (!spec->left)
        pad(out, ' ', fill);
    put(out, prefix, prefix_length);
    pad(out, '0', zeros);
    put(out, end - n, n);
    if (spec->left)
        pad(out, ' ', fill);
}

static void put_signed(struct output *out, const struct spec *spec, s64 value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

    put_number(out, spec, sign, value < 0 ? -(u64)value : (u64)value, 10);
}

static void put_unsigned(struct output *out, const struct spec *spec, u64 value)
{
    bool hex = spec->conversion == 'x' || spec->conversion == 'X';
    const char *prefix = "";

    if (hex && spec->alternate && value)
        prefix = spec->conversion == 'x' ? "0x" : "0X";
    put_number(out, spec, prefix, value, hex ? 16 : spec->conversion == 'o' ? 8 : 10);
}

static void put_string(struct output *out, const struct spec *spec, const char *text)
{
    if (!text)
        text = "(null)";
    put_field(out, spec, text, spec->has_precision ? strnlen(text, spec->precision) : strlen(text));
}

/* Always 0x and 16 digits, so that addresses stand in columns. */
static void put_address(struct output *out, const struct spec *spec, vaddr_t address)
{
    char text[MAX_SYMBOL];
    size_t n;

    if (spec->extension == 'S' && format_symbol)
        n = format_symbol(text, sizeof(text), address);
    else
        n = format_to(text, sizeof(text), "0x%016lx", address);
    put_field(out, spec, text, min_u64(n, sizeof(text) - 1));
}

/* "512 B", "4 KiB", "1.5 MiB": the largest unit that leaves at least 1, rounded to a tenth. */
static void put_bytes(struct output *out, const struct spec *spec, const u64 *bytes)
{
    char text[16];
    unsigned unit = bytes && *bytes ? ilog2(*bytes) / 10 : 0;
    u64 one = 1UL << (unit * 10), whole, tenths;
    size_t n;

    if (!bytes) {
        put_string(out, spec, NULL);
        return;
    }
    whole = *bytes / one;
    tenths = (*bytes % one * 10 + one / 2) / one;
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024) {
        whole = 1;
        unit++;
    }
    n = format_to(text, sizeof(text), "%lu", whole);
    if (tenths)
        n += format_to(text + n, sizeof(text) - n, ".%lu", tenths);
    if (unit)
        format_to(text + n, sizeof(text) - n, " %ciB", UNITS[unit - 1]);
    else
        format_to(text + n, sizeof(text) - n, " B");
    put_string(out, spec, text);
}

static void convert(struct output *out, struct spec *spec, va_list *args)
{
    char c;

    fetch_stars(spec, args);
    switch (spec->conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, fetch_signed(spec->length, args));
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        put_field(out, spec, &c, 1);
        break;
    case 's':
        put_string(out, spec, va_arg(*args, const char *));
        break;
    case 'p':
        if (spec->extension == 'M')
            put_bytes(out, spec, va_arg(*args, const u64 *));
        else
            put_address(out, spec, (vaddr_t)va_arg(*args, void *));
        break;
    case '%':
        put(out, "%", 1);
        break;
    default:
        put_unsigned(out, spec, fetch_unsigned(spec->length, args));
    }
}

size_t vformat_to(char *buf, size_t size, const char *format, va_list args)
{
    /* One place is kept for the NUL. */
    struct output out = {.buf = buf, .size = size ? size - 1 : 0};
    struct spec spec;
    va_list rest;

    va_copy(rest, args); /* a va_list parameter decays; a local one can be passed by address */
    while (*format) {
        const char *percent = strchr(format, '%');
        const char *next;

        if (!percent)
            break;
        put(&out, format, (size_t)(percent - format));
        format = percent;
        next = parse_spec(percent + 1, &spec);
        if (!next)
            break;
        convert(&out, &spec, &rest);
        format = next;
    }
    put(&out, format, strlen(format));
    va_end(rest);
    if (size)
        buf[min_u64(out.length, size - 1)] = '\0';
    return out.length;
}

size_t format_to(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    size_t n;

    va_start(args, format);
    n = vformat_to(buf, size, format, args);
    va_end(args);
    return n;
}
