// SPDX-License-Identifier: MIT
/*
 * The line discipline against a model that is written the other way round: the model keeps finished lines and the
 * characters of the unfinished one as a list, and says what a screen must show; the echo is played onto a screen of one
 * line. Key by key they must agree: what a read gives, which signals went out, what is on the screen.
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/rng.h"
#include "proc/ldisc.h"
#include "proc/signal.h"

#define SCREEN 20000u
#define LINES 4096u

/* ---- the screen: the cells of the line since the last newline, and a cursor ---------------------- */

struct cell {
    char bytes[5]; /* one character */
};

static struct {
    struct cell cells[SCREEN];
    u32 length, cursor;
    u32 bells;
} screen;
static int last_signal;
static u32 signals;

static void screen_clear(void)
{
    screen.length = screen.cursor = 0;
}

static void screen_put(char c)
{
    if (c == '\a') {
        screen.bells++;
    } else if (c == '\b') {
        assert_true(screen.cursor > 0);
        screen.cursor--;
    } else if (c == '\n') {
        screen_clear();
    } else if ((c & 0xc0) == 0x80) {
        assert_true(screen.cursor > 0);
        strncat(screen.cells[screen.cursor - 1].bytes, &c, 1);
    } else {
        assert_true(screen.cursor < SCREEN);
        screen.cells[screen.cursor++] = (struct cell){{c}};
        screen.length = screen.cursor > screen.length ? screen.cursor : screen.length;
    }
}

/* Up to the cursor this, and nothing but blanks behind it: they are what erasing leaves. */
static void assert_screen(const char *want, u32 length)
{
    static char shown[5 * SCREEN];
    char *end = shown;

    for (u32 i = 0; i < screen.cursor; i++)
        end = stpcpy(end, screen.cells[i].bytes);
    assert_int_equal(end - shown, length);
    assert_memory_equal(shown, want, length);
    for (u32 i = screen.cursor; i < screen.length; i++)
        assert_string_equal(screen.cells[i].bytes, " ");
}

static void echo(void *ctx, const char *text, u64 length)
{
    (void)ctx;
    for (u64 i = 0; i < length; i++)
        screen_put(text[i]);
}

static void on_signal(void *ctx, int signal)
{
    (void)ctx;
    last_signal = signal;
    signals++;
}

static const struct ldisc_ops ops = {echo, on_signal};
static struct ldisc l;

static void start(void)
{
    memset(&screen, 0, sizeof(screen));
    last_signal = 0;
    signals = 0;
    ldisc_init(&l, &ops, NULL);
}

static void type(const char *keys)
{
    for (; *keys; keys++)
        ldisc_input(&l, (u8)*keys);
}

static void expect_read(const char *want)
{
    u8 bytes[LDISC_SIZE];
    s64 n = ldisc_read(&l, bytes, sizeof(bytes));

    assert_int_equal(n, strlen(want));
    assert_memory_equal(bytes, want, strlen(want));
}

static void expect_nothing(void)
{
    u8 byte;
    assert_int_equal(ldisc_read(&l, &byte, 1), -EAGAIN);
    assert_int_equal(ldisc_available(&l), 0);
}

static void expect_screen(const char *want)
{
    assert_screen(want, (u32)strlen(want));
}

/* ---- cases -------------------------------------------------------------------------------------- */

static void lines_come_whole(void **state)
{
    (void)state;
    start();
    type("hel");
    expect_nothing();
    expect_screen("hel");
    type("lo\rnext");
    expect_read("hello\n");
    expect_nothing();
    expect_screen("next");
    type("\nthird\n");
    expect_read("next\n");
    expect_read("third\n");
}

static void short_reads_go_on_in_the_line(void **state)
{
    u8 bytes[3];

    (void)state;
    start();
    type("abcd\nef\n");
    assert_int_equal(ldisc_read(&l, bytes, 3), 3);
    assert_int_equal(ldisc_read(&l, bytes, 3), 2);
    assert_memory_equal(bytes, "d\n", 2);
    assert_int_equal(ldisc_read(&l, bytes, 3), 3);
}

static void editing_keys(void **state)
{
    (void)state;
    start();
    type("abx\x7f"
         "c");
    expect_screen("abc");
    type("\x15new one\x17two\x12");
    expect_screen("new two");
    type("\n");
    expect_read("new two\n");
    type("\x7f\x17\x15\n");
    expect_read("\n");
    type("a\xc3\xa4\xe2\x82\xac\x7f");
    expect_screen("a\xc3\xa4");
    type("\x7f\x7f\x7f!\n");
    expect_read("!\n");
    type("x\x01\x7fy\x16\x03z\n");
    expect_read("xy\x03z\n");
    assert_int_equal(signals, 0);
}

static void end_of_file(void **state)
{
    (void)state;
    start();
    type("\x04");
    assert_int_equal(ldisc_available(&l), 1);
    expect_read("");
    expect_nothing();
    type("part\x04\x04");
    expect_read("part");
    expect_read("");
    expect_nothing();
    type("\x04line\n");
    expect_read("");
    expect_read("line\n");
}

static void signal_keys(void **state)
{
    static const struct {
        const char *key, *shown;
        int signal;
    } cases[] = {{"\x03", "^C", SIGINT}, {"\x1c", "^\\", SIGQUIT}, {"\x1a", "^Z", SIGTSTP}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start();
        type("typed ahead\nhalf");
        screen_clear();
        type(cases[i].key);
        assert_int_equal(last_signal, cases[i].signal);
        expect_screen(cases[i].shown);
        expect_nothing();
        struct termios t = l.termios;
        t.local |= TERM_NOFLSH;
        ldisc_set(&l, &t);
        type("kept\n");
        type(cases[i].key);
        expect_read("kept\n");
        t.local &= ~(u32)TERM_ISIG;
        ldisc_set(&l, &t);
        type(cases[i].key);
        type("\n");
        assert_int_equal(signals, 2);
    }
}

static void raw_mode(void **state)
{
    (void)state;
    start();
    struct termios t = l.termios;
    type("half");
    t.local &= ~(u32)(TERM_ICANON | TERM_ECHO | TERM_ISIG);
    t.input &= ~(u32)TERM_ICRNL;
    ldisc_set(&l, &t);
    expect_read("half");
    expect_nothing();
    screen_clear();
    type("\x1b[A\r\x7f\x03\x04");
    expect_read("\x1b[A\r\x7f\x03\x04");
    expect_screen("");
    assert_int_equal(signals, 0);
    type("kept");
    t.local |= TERM_ICANON;
    ldisc_set(&l, &t);
    expect_read("kept");
    type("\x04");
    t.local &= ~(u32)TERM_ICANON;
    ldisc_set(&l, &t);
    expect_nothing();
}

static void input_flags(void **state)
{
    (void)state;
    start();
    struct termios t = l.termios;
    t.input = TERM_IGNCR | TERM_INLCR | TERM_ISTRIP;
    t.local &= ~(u32)(TERM_ICANON | TERM_ECHO);
    ldisc_set(&l, &t);
    type("a\rb\n\xe3");
    expect_read("ab\rc");
}

/* Full: more text is refused with a bell; the end of the line still goes in, and nothing is ever lost of what did. */
static void a_full_line_can_be_ended(void **state)
{
    u8 bytes[LDISC_SIZE];

    (void)state;
    start();
    for (u32 i = 0; i < 2 * LDISC_SIZE; i++)
        type("x");
    assert_int_equal(screen.bells, LDISC_SIZE + 1);
    type("\n");
    assert_int_equal(ldisc_read(&l, bytes, sizeof(bytes)), LDISC_SIZE);
    assert_int_equal(bytes[LDISC_SIZE - 1], '\n');
    expect_nothing();
}

static void what_is_left_can_be_taken(void **state)
{
    u8 bytes[LDISC_SIZE];

    (void)state;
    start();
    type("one\n\x04two");
    assert_int_equal(ldisc_take_all(&l, bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes, "one\ntwo", 7);
    expect_nothing();
    type("\n");
    expect_read("\n");
}

/* ---- the model ---------------------------------------------------------------------------------- */

struct model_line {
    char text[64];
    u32 length;
};

static struct {
    struct model_line lines[LINES]; /* finished, oldest first; without newline: end of file */
    u32 first, count;
    char line[64]; /* the unfinished one */
    u32 length;
    char prompt[SCREEN]; /* what stands before it on its screen line */
    u32 prompt_length;
} model;

static void model_show(char *out, u32 *length)
{
    memcpy(out, model.prompt, model.prompt_length);
    *length = model.prompt_length;
    for (u32 i = 0; i < model.length; i++) {
        u8 c = (u8)model.line[i];
        if (c < ' ' || c == 0x7f) {
            out[(*length)++] = '^';
            out[(*length)++] = (char)(c ^ 0x40);
        } else {
            out[(*length)++] = (char)c;
        }
    }
}

static void model_finish(const char *end)
{
    struct model_line *line = &model.lines[(model.first + model.count++) % LINES];

    memcpy(line->text, model.line, model.length);
    line->length = model.length + (u32)strlen(end);
    strcpy(line->text + model.length, end);
    if (*end) {
        model.prompt_length = 0;
    } else { /* the echo of the text stays; what comes now stands behind it */
        u32 length;
        char shown[SCREEN];
        model_show(shown, &length);
        memcpy(model.prompt, shown, length);
        model.prompt_length = length;
    }
    model.length = 0;
}

static void model_type(char key)
{
    switch (key) {
    case '\n':
        model_finish("\n");
        break;
    case 4:
        model_finish("");
        break;
    case 0x7f:
        model.length -= model.length > 0;
        break;
    case 0x15:
        model.length = 0;
        break;
    case 0x17:
        while (model.length && model.line[model.length - 1] == ' ')
            model.length--;
        while (model.length && model.line[model.length - 1] != ' ')
            model.length--;
        break;
    case 3:
        model_show(model.prompt, &model.prompt_length);
        memcpy(model.prompt + model.prompt_length, "^C", 2);
        model.prompt_length += 2;
        model.count = model.length = 0;
        break;
    default:
        model.line[model.length++] = key;
    }
}

static void compare_read(struct rng *rng)
{
    u8 bytes[64];
    u64 size = 1 + rng_below(rng, 20);
    s64 n = ldisc_read(&l, bytes, size);

    if (model.count == 0) {
        assert_int_equal(n, -EAGAIN);
        return;
    }
    struct model_line *line = &model.lines[model.first % LINES];
    u32 want = line->length < size ? line->length : (u32)size;
    assert_int_equal(n, want);
    assert_memory_equal(bytes, line->text, want);
    memmove(line->text, line->text + want, line->length - want);
    line->length -= want;
    if (!line->length) { /* an end of file goes with the last byte before it */
        model.first++;
        model.count--;
    }
}

static char random_key(struct rng *rng)
{
    static const char keys[] = "\n\n\x04\x7f\x7f\x7f\x15\x17\x17\x03";

    if (rng_below(rng, 4) == 0)
        return keys[rng_below(rng, sizeof(keys) - 1)];
    if (rng_below(rng, 8) == 0)
        return rng_below(rng, 2) ? ' ' : (char)(5 + rng_below(rng, 3));
    return (char)('a' + rng_below(rng, 26));
}

static void random_typing(void **state)
{
    struct rng rng;
    char shown[SCREEN];
    u32 length, typed_signals = 0;

    (void)state;
    rng_seed(&rng, 4711);
    start();
    memset(&model, 0, sizeof(model));
    for (unsigned step = 0; step < 300000; step++) {
        char key = random_key(&rng);
        bool full = model.length >= sizeof(model.line) - 2 || model.prompt_length > SCREEN / 2;
        key = full ? '\n' : key;
        typed_signals += key == 3;
        model_type(key);
        ldisc_input(&l, (u8)key);
        model_show(shown, &length);
        assert_screen(shown, length);
        assert_int_equal(signals, typed_signals);
        while (model.count > 20 || rng_below(&rng, 6) == 0)
            compare_read(&rng);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(lines_come_whole),
        host_test(short_reads_go_on_in_the_line),
        host_test(editing_keys),
        host_test(end_of_file),
        host_test(signal_keys),
        host_test(raw_mode),
        host_test(input_flags),
        host_test(a_full_line_can_be_ended),
        host_test(what_is_left_can_be_taken),
        host_test(random_typing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
