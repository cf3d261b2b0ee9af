// SPDX-License-Identifier: MIT
/*
 * The formatter against libc's snprintf() over the whole grid of flags, widths, precisions, lengths
 * and conversions that both know; what only ours has (%pS, %pM, bad conversions) against literals;
 * parse_size() against a table and against strtoull().
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/rng.h"

#define CANARY 0x5a

/* The formats of this file are put together at run time or wrong on purpose. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-security"

static u64 compared;

/* Both into the same size, for libc and ours: same length, same bytes, nothing behind them
 * touched. */
#define compare(size, ...)                                                                         \
    do {                                                                                           \
        char theirs[256], ours[256];                                                               \
        memset(theirs, CANARY, sizeof(theirs));                                                    \
        memset(ours, CANARY, sizeof(ours));                                                        \
        int n = snprintf(theirs, size, __VA_ARGS__);                                               \
        size_t m = format_to(ours, size, __VA_ARGS__);                                             \
        if ((size_t)n != m || memcmp(theirs, ours, sizeof(ours)) != 0)                             \
            fail_msg("%s: libc \"%s\" %d, ours \"%s\" %zu", first_of(__VA_ARGS__), theirs, n,      \
                     ours, m);                                                                     \
        compared++;                                                                                \
    } while (0)
#define first_of(...) first_of_(__VA_ARGS__, 0)
#define first_of_(first, ...) (first)

/* ---- integers ------------------------------------------------------------------------------- */

static const char *const widths[] = {"", "1", "6", "25", "*"};
static const char *const precisions[] = {"", ".", ".0", ".1", ".9", ".24", ".*"};
static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z"};
/* clang-format off */
static const u64 values[] = {
    0, 1, 7, 8, 9, 10, 127, 128, 255, 256, 32768, 65535, 0x7fffffff, 0x80000000, 0xffffffff,
    1UL << 32, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x0123456789abcdef,
    (u64)-1000, 1234567890123456789,
};
/* clang-format on */

static void compare_integer(const char *format, bool star_width, bool star_precision, bool is_long,
                            u64 value)
{
    const int stars[] = {0, 3, 14, -14, -1};

    if (!star_width && !star_precision) {
        if (is_long)
            compare(sizeof(ours), format, value);
        else
            compare(sizeof(ours), format, (int)value);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(stars); i++) {
        int a = stars[i], b = stars[(i + 2) % ARRAY_SIZE(stars)];

        if (star_width && star_precision && is_long)
            compare(sizeof(ours), format, a, b, value);
        else if (star_width && star_precision)
            compare(sizeof(ours), format, a, b, (int)value);
        else if (is_long)
            compare(sizeof(ours), format, a, value);
        else
            compare(sizeof(ours), format, a, (int)value);
    }
}

static void compare_all_values(unsigned flags, const char *width, const char *precision,
                               const char *length, char conversion)
{
    char format[64];

    snprintf(format, sizeof(format), "<%%%s%s%s%s%s%s%s%s%c>", flags & 1 ? "-" : "",
             flags & 2 ? "0" : "", flags & 4 ? " " : "", flags & 8 ? "#" : "",
             flags & 16 ? "+" : "", width, precision, length, conversion);
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
        compare_integer(format, *width == '*', precision[0] && precision[1] == '*',
                        *length == 'l' || *length == 'z', values[i]);
}

static void test_integers(void **state)
{
    (void)state;
    compared = 0;
    for (const char *conversion = "diuxXo"; *conversion; conversion++)
        for (unsigned flags = 0; flags < 32; flags++)
            for (unsigned w = 0; w < ARRAY_SIZE(widths); w++)
                for (unsigned p = 0; p < ARRAY_SIZE(precisions); p++)
                    for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++)
                        compare_all_values(flags, widths[w], precisions[p], lengths[l],
                                           *conversion);
    print_message("# %lu integer conversions equal to libc's\n", compared);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void test_strings_and_characters(void **state)
{
    static const char *const texts[] = {"", "a", "vmalloc", "a rather long text, longer than 24"};
    static const char *const formats[] = {"%s",   "%10s",  "%-10s|", "%.3s",   "%10.3s", "%-10.3s|",
                                          "%.0s", "%.99s", "%5.s",   "x%sx%%", "%%%s"};

    (void)state;
    for (unsigned f = 0; f < ARRAY_SIZE(formats); f++)
        for (unsigned t = 0; t < ARRAY_SIZE(texts); t++)
            compare(sizeof(ours), formats[f], texts[t]);
    for (int width = -12; width <= 12; width++)
        for (int precision = -2; precision <= 9; precision++)
            compare(sizeof(ours), "<%*.*s>", width, precision, "subtree");
    for (int c = 0; c < 256; c++) {
        compare(sizeof(ours), "<%c>", c);
        compare(sizeof(ours), "<%4c>", c);
        compare(sizeof(ours), "<%-4c>", c);
    }
    compare(sizeof(ours), "%s %d %s %lx %c%c %u", "a", -1, "b", 0xfeedUL, 'x', 'y', 7u);
    compare(sizeof(ours), "no conversion at all");
    compare(sizeof(ours), "%s", "");
}

/* A precision says how much may be read: the array has no NUL, ASan would see one byte more. */
static void test_string_without_nul(void **state)
{
    char *letters = malloc(4);
    char text[16];

    (void)state;
    memcpy(letters, "abcd", 4);
    assert_int_equal(format_to(text, sizeof(text), "%.4s", letters), 4);
    assert_string_equal(text, "abcd");
    free(letters);
}

static void test_truncation(void **state)
{
    (void)state;
    for (size_t room = 0; room < 80; room++) {
        compare(room, "%s", "0123456789");
        compare(room, "%20d|%-20d|%020d", 1, -2, 3);
        compare(room, "%#.15x text %c%%", 0xabc, 'c');
    }
    assert_int_equal(format_to(NULL, 0, "%s%5d", "abc", 1), 8);
}

/* Saturates instead of wrapping; the padding must cost nothing beyond the buffer. */
static void test_huge_widths(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(format_to(text, sizeof(text), "%99999999999999999999d", 1), 0x7fffffff);
    assert_string_equal(text, "       ");
    assert_int_equal(format_to(text, sizeof(text), "%.2147483647d", 1), 0x7fffffff);
    assert_string_equal(text, "0000000");
    assert_int_equal(format_to(text, sizeof(text), "%*d", INT32_MIN, 1), 0x80000000UL);
    assert_string_equal(text, "1      ");
}

/* ---- ours ----------------------------------------------------------------------------------- */

#define expect_text(expected, ...)                                                                 \
    do {                                                                                           \
        char result[160];                                                                          \
        assert_int_equal(format_to(result, sizeof(result), __VA_ARGS__), strlen(expected));        \
        assert_string_equal(result, expected);                                                     \
    } while (0)

/* What stands behind a bad conversion is text, too: nobody knows which argument belongs to it. */
static void test_bad_conversions(void **state)
{
    static const char *const bad[] = {
        "%",    "%q",   "%5",  "%-",   "%.3",  "%l",    "%n",    "%f",   "%Lf",    "%lc",
        "%ls",  "%hhs", "%lp", "%5%",  "%*%",  "%w",    "%\n",   "%jd",  "%td",    "% ",
        "%#*q", "%zs",  "%b",  "%lll", "%*.*", "%hhhd", "%llld", "%zzd", "%k%s%n", "%\x80"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        char format[32], expected[32];

        /* "\n" is no part of any conversion, so it cannot complete the bad one before it. */
        snprintf(format, sizeof(format), "%%d %s\n%%s %%n", bad[i]);
        snprintf(expected, sizeof(expected), "7 %s\n%%s %%n", bad[i]);
        expect_text(expected, format, 7, (void *)1, (void *)1, (void *)1);
        expect_text(bad[i], bad[i], (void *)1, (void *)1, (void *)1);
    }
}

static void test_null_string(void **state)
{
    (void)state;
    expect_text("<(null)>", "<%s>", (char *)NULL);
    expect_text("<  (nul>", "<%6.4s>", (char *)NULL);
}

static void test_pointers(void **state)
{
    (void)state;
    expect_text("0x0000000000000000", "%p", NULL);
    expect_text("0xffffc90000001000", "%p", (void *)0xffffc90000001000UL);
    expect_text("<  0x0000000000001234>", "<%20p>", (void *)0x1234);
    expect_text("<0x0000000000001234  >", "<%-20p>", (void *)0x1234);
}

static size_t symbol_for_test(char *buf, size_t size, vaddr_t address)
{
    return format_to(buf, size, "main+%#lx/0x40", address & 0xff);
}

static size_t long_symbol(char *buf, size_t size, vaddr_t address)
{
    (void)address;
    memset(buf, 'n', size - 1);
    buf[size - 1] = '\0';
    return 5000;
}

static void test_symbols(void **state)
{
    char text[300];

    (void)state;
    expect_text("0x0000000000000012 S", "%pS S", (void *)0x12);
    format_symbol = symbol_for_test;
    expect_text("main+0x12/0x40", "%pS", (void *)0x12);
    expect_text("<   main+0x12/0x40>", "<%17pS>", (void *)0x12);
    expect_text("<main+0x12/0x40   >", "<%-17pS>", (void *)0x12);
    format_symbol = long_symbol;
    assert_int_equal(format_to(text, sizeof(text), "%pS", NULL), 127); /* cut, not overrun */
    assert_int_equal(strspn(text, "n"), 127);
    format_symbol = NULL;
}

static void test_byte_sizes(void **state)
{
    static const struct {
        u64 bytes;
        const char *text;
    } cases[] = {
        /* clang-format off */
        {0, "0 B"}, {1, "1 B"}, {1023, "1023 B"}, {1024, "1 KiB"}, {1075, "1 KiB"},
        {1076, "1.1 KiB"},
        {1536, "1.5 KiB"}, {4096, "4 KiB"}, {10240 - 52, "9.9 KiB"}, {10240 - 51, "10 KiB"},
        {MIB - 1, "1 MiB"}, {MIB - 51, "1 MiB"}, {MIB - 52, "1023.9 KiB"}, {MIB, "1 MiB"},
        {3 * MIB / 2, "1.5 MiB"}, {GIB, "1 GiB"}, {32 * TIB, "32 TiB"}, {1UL << 50, "1 PiB"},
        {1UL << 60, "1 EiB"}, {1UL << 63, "8 EiB"}, {~0UL, "16 EiB"}, {TIB + TIB / 4, "1.3 TiB"},
        /* clang-format on */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        expect_text(cases[i].text, "%pM", &cases[i].bytes);
    expect_text("[   4 KiB]", "[%8pM]", &(u64){4096});
    expect_text("[4 KiB   ]", "[%-8pM]", &(u64){4096});
    expect_text("(null)", "%pM", NULL);
}

/* ---- parse_size ----------------------------------------------------------------------------- */

static void test_parse_size(void **state)
{
    static const struct {
        const char *text;
        int result;
        u64 value;
    } cases[] = {
        /* clang-format off */
        {"0", 0, 0}, {"1", 0, 1}, {"007", 0, 7}, {"4096", 0, 4096}, {"5p", 0, 5 * PAGE_SIZE},
        {"64K", 0, 64 * KIB}, {"64k", 0, 64 * KIB}, {"2M", 0, 2 * MIB}, {"3m", 0, 3 * MIB},
        {"1G", 0, GIB}, {"1g", 0, GIB}, {"32T", 0, 32 * TIB}, {"32t", 0, 32 * TIB}, {"0p", 0, 0},
        {"0x10", 0, 16}, {"0xfFp", 0, 255 * PAGE_SIZE}, {"0o17", 0, 15}, {"0b101K", 0, 5 * KIB},
        {"0xffffc90000001000", 0, 0xffffc90000001000UL},
        {"18446744073709551615", 0, ~0UL}, {"0xffffffffffffffff", 0, ~0UL},
        {"0o1777777777777777777777", 0, ~0UL}, {"16777215T", 0, 16777215 * TIB},
        {"18446744073709551616", -ERANGE, 0}, {"0x10000000000000000", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0}, {"16777216T", -ERANGE, 0},
        {"4503599627370496p", -ERANGE, 0}, {"36893488147419103233", -ERANGE, 0},
        {"0o2000000000000000000000", -ERANGE, 0},
        {"", -EINVAL, 0}, {" 1", -EINVAL, 0}, {"1 ", -EINVAL, 0}, {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0}, {"0x", -EINVAL, 0}, {"0b2", -EINVAL, 0}, {"0o8", -EINVAL, 0},
        {"0b", -EINVAL, 0}, {"p", -EINVAL, 0}, {"K", -EINVAL, 0}, {"1KK", -EINVAL, 0},
        {"1Kp", -EINVAL, 0}, {"1P", -EINVAL, 0}, {"1q", -EINVAL, 0}, {"abc", -EINVAL, 0},
        {"12a", -EINVAL, 0}, {"1.5M", -EINVAL, 0}, {"0X10", -EINVAL, 0}, {"1\x80", -EINVAL, 0},
        {"99999999999999999999999999q", -EINVAL, 0}, {"0x10h", -EINVAL, 0}, {"@1", -EINVAL, 0},
        /* clang-format on */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        u64 value = 0x5a5a5a5a5a5a5a5a;
        int result = parse_size(cases[i].text, &value);

        if (result != cases[i].result)
            fail_msg("\"%s\" gives %d, not %d", cases[i].text, result, cases[i].result);
        assert_int_equal(value, result ? 0x5a5a5a5a5a5a5a5a : cases[i].value);
    }
}

static void test_parse_size_against_libc(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 42);
    for (unsigned i = 0; i < 20000; i++) {
        u64 number = rng_next(&rng) >> rng_below(&rng, 64), value;
        char text[32];

        snprintf(text, sizeof(text), i % 2 ? "%lu" : "0x%lx", number);
        assert_int_equal(parse_size(text, &value), 0);
        assert_int_equal(value, strtoull(text, NULL, 0));
        snprintf(text, sizeof(text), "%lup", number);
        assert_int_equal(parse_size(text, &value), number >> 52 ? -ERANGE : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_integers),
        host_test(test_strings_and_characters),
        host_test(test_string_without_nul),
        host_test(test_truncation),
        host_test(test_huge_widths),
        host_test(test_bad_conversions),
        host_test(test_null_string),
        host_test(test_pointers),
        host_test(test_symbols),
        host_test(test_byte_sizes),
        host_test(test_parse_size),
        host_test(test_parse_size_against_libc),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
