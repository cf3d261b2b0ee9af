// SPDX-License-Identifier: MIT
/*
 * The keyboard's scan codes: what a VT100 would have sent for the same keys.
 */
#include "tests/host/harness.h"

#include "drivers/keymap.c"
#include "lib/rng.h"

static struct keymap map;

/* Feed scan codes, compare what comes out. */
static void expect_keys(const char *codes, size_t count, const char *text)
{
    char out[128];
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        length += keymap_decode(&map, (u8)codes[i], (u8 *)out + length);
        assert_true(length + KEYMAP_MAX_BYTES < sizeof(out));
    }
    out[length] = '\0';
    assert_string_equal(out, text);
}
#define EXPECT_KEYS(codes, text) expect_keys(codes, sizeof(codes) - 1, text)

static void letters_and_modifiers(void **state)
{
    (void)state;
    map = (struct keymap){0};
    EXPECT_KEYS("\x2f\xaf\x32\xb2", "vm"); /* v m, with releases */
    EXPECT_KEYS("\x2a\x1e\xaa\x1e", "Aa"); /* left shift held, released */
    EXPECT_KEYS("\x36\x03\xb6\x03", "@2"); /* right shift */
    EXPECT_KEYS("\x3a\xba\x1e\x03\x2a\x1e\xaa\x3a",
                "A2a"); /* caps lock: letters only; shift undoes */
    EXPECT_KEYS("\x1e", "a");
    EXPECT_KEYS("\x1d\x2e\x9d\x2e", "\x03"
                                    "c"); /* Ctrl-C, then c */
    EXPECT_KEYS("\xe0\x1d\x26\xe0\x9d\x26", "\x0c"
                                            "l"); /* right Ctrl */
    EXPECT_KEYS("\x38\x30\xb8\x30", "\x1b"
                                    "bb"); /* Alt-b */
    EXPECT_KEYS("\x1c\x0e\x0f\x01\x39", "\r\x7f\t\x1b ");
    EXPECT_KEYS("\x2b\x35\x28\x29", "\\/'`");
}

static void grey_keys(void **state)
{
    (void)state;
    map = (struct keymap){0};
    EXPECT_KEYS("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4d\xe0\x4b", "\x1b[A\x1b[B\x1b[C\x1b[D");
    EXPECT_KEYS("\xe0\x47\xe0\x4f\xe0\x53\xe0\x52", "\x1b[H\x1b[F\x1b[3~\x1b[2~");
    EXPECT_KEYS("\xe0\x49\xe0\x51", "\x1b[5~\x1b[6~");
    EXPECT_KEYS("\xe0\x1c\xe0\x35", "\r/");
    EXPECT_KEYS("\xe0\x2a\xe0\x48\x1e", "\x1b[Aa"); /* made-up shift around a grey key */
    EXPECT_KEYS("\xe1\x1d\x45\xe1\x9d\xc5\x1e",
                "a"); /* Pause says nothing, and leaves no Ctrl behind */
    EXPECT_KEYS("\x48\x45\x48\x53\x45\x4a", "\x1b[A8.-");
}

static void any_codes_are_harmless(void **state)
{
    struct rng rng;
    u8 out[KEYMAP_MAX_BYTES];

    (void)state;
    rng_seed(&rng, 8042);
    map = (struct keymap){0};
    for (unsigned i = 0; i < 200000; i++)
        assert_true(keymap_decode(&map, (u8)rng_next(&rng), out) <= KEYMAP_MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(letters_and_modifiers),
        host_test(grey_keys),
        host_test(any_codes_are_harmless),
    };
    return cmocka_run_group_tests_name("keymap", tests, NULL, NULL);
}
