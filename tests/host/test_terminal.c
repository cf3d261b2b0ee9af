// SPDX-License-Identifier: MIT
/*
 * The terminal that VGA text and the framebuffer share: what text and control sequences leave on the
 * screen, and that any bytes at all keep it inside its grid. The painter here is a plain array; after
 * each repaint it must equal what the terminal wanted.
 */
#include "tests/host/harness.h"

#include "drivers/charset.c"
#include "drivers/terminal.c"
#include "lib/rng.h"

#define COLUMNS 10
#define ROWS 4

static struct terminal term;
static struct terminal_cell *cells; /* malloc'ed to size, so that ASan guards both ends */
static struct terminal_cell screen[ROWS][COLUMNS];
static unsigned painted, cursor_column, cursor_row;
static bool cursor_on;

static void paint(unsigned column, unsigned row, struct terminal_cell cell)
{
    assert_true(column < COLUMNS && row < ROWS);
    screen[row][column] = cell;
    painted++;
}

static void cursor(unsigned column, unsigned row, bool visible)
{
    cursor_column = column;
    cursor_row = row;
    cursor_on = visible;
}

static const struct terminal_painter painter = {.paint = paint, .cursor = cursor};

static int setup(void **state)
{
    cells = malloc(2 * COLUMNS * ROWS * sizeof(*cells));
    terminal_init(&term, &painter, COLUMNS, ROWS, cells);
    return host_setup(state);
}

static int teardown(void **state)
{
    free(cells);
    return host_teardown(state);
}

static void show(const char *text)
{
    terminal_write(&term, text, strlen(text));
    terminal_repaint(&term);
    for (unsigned row = 0; row < ROWS; row++)
        for (unsigned column = 0; column < COLUMNS; column++)
            assert_true(cells_equal(screen[row][column], term.wanted[row * COLUMNS + column]));
}

/* Row `row` starts with `text` (ASCII) and is blank behind it. */
static void expect_row(unsigned row, const char *text)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        u16 want = i < strlen(text) ? (u8)text[i] : ' ';
        assert_int_equal(screen[row][i].code, want);
    }
}

static void plain_text_and_scrolling(void **state)
{
    (void)state;
    show("one\ntwo\r\nthree\tx\bY\n");
    expect_row(0, "one");
    expect_row(1, "two");
    expect_row(2, "three   Y");
    show("four\nfive");
    expect_row(0, "two");
    expect_row(3, "five");
    assert_int_equal(cursor_column, 4);
    assert_int_equal(cursor_row, 3);
}

static void full_line_takes_one_row(void **state)
{
    (void)state;
    show("0123456789\nnext");
    expect_row(0, "0123456789");
    expect_row(1, "next");
    show("\x1b[2J\x1b[H0123456789wrap");
    expect_row(1, "wrap");
}

static void only_changes_are_painted(void **state)
{
    (void)state;
    show("abc");
    painted = 0;
    show("d");
    assert_int_equal(painted, 1); /* the cursor's cell is the one that changes */
    painted = 0;
    show("\n");
    assert_int_equal(painted, 1);
}

static void cursor_moves_and_clearing(void **state)
{
    (void)state;
    show("abcdefgh\x1b[3DX\x1b[2CY");
    expect_row(0, "abcdeXghY");
    show("\r\x1b[4CZ\x1b[K");
    expect_row(0, "abcdZ");
    show("\x1b[2;3Hq\x1b[1A\x1b[1K");
    expect_row(1, "  q");
    expect_row(0, "    Z");
    show("\x1b[99;99Hw");
    assert_int_equal(screen[ROWS - 1][COLUMNS - 1].code, 'w');
    show("\x1b[2J");
    for (unsigned row = 0; row < ROWS; row++)
        expect_row(row, "");
    show("\x1b[?25l");
    assert_false(cursor_on);
    show("\x1b[?25h");
    assert_true(cursor_on);
}

static void colours(void **state)
{
    (void)state;
    show("\x1b[31mr\x1b[1mR\x1b[0;44mb\x1b[7mi\x1b[0;2md\x1b[38;5;196mx\x1b[0;48;5;16my\x1b[mz");
    assert_int_equal(screen[0][0].foreground, 1);
    assert_int_equal(screen[0][1].foreground, 9);
    assert_int_equal(screen[0][2].background, 4);
    assert_int_equal(screen[0][3].foreground, 4);
    assert_int_equal(screen[0][3].background, 7);
    assert_int_equal(screen[0][4].foreground, 8);
    assert_int_equal(screen[0][5].foreground & 7, 1);
    assert_int_equal(screen[0][6].background, 0);
    assert_int_equal(screen[0][7].foreground, TERMINAL_DEFAULT_FOREGROUND);
}

static void utf8(void **state)
{
    (void)state;
    show("\xe2\x94\x80\xe2\x96\x88\xc2\xb5");
    assert_int_equal(screen[0][0].code, 0x2500);
    assert_int_equal(screen[0][1].code, 0x2588);
    assert_int_equal(screen[0][2].code, 0xb5);
    /* Overlong, cut short by ASCII, a lone continuation, a surrogate, beyond the basic plane. */
    show("\r\xc0\xaf");
    assert_int_equal(screen[0][0].code, REPLACEMENT_CODE);
    show("\r\xe2\x94Q");
    assert_int_equal(screen[0][0].code, REPLACEMENT_CODE);
    assert_int_equal(screen[0][1].code, 'Q');
    show("\r\xed\xa0\x80");
    assert_int_equal(screen[0][0].code, REPLACEMENT_CODE);
    show("\r\xf0\x9f\x98\x80!");
    assert_int_equal(screen[0][0].code, REPLACEMENT_CODE);
    assert_int_equal(screen[0][1].code, '!');
}

static void sequences_may_be_split(void **state)
{
    (void)state;
    const char text[] = "\x1b[2;3H\x1b[31m\xe2\x94\x80";
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        terminal_write(&term, text + i, 1);
    terminal_repaint(&term);
    assert_int_equal(screen[1][2].code, 0x2500);
    assert_int_equal(screen[1][2].foreground, 1);
}

static void any_bytes_stay_inside(void **state)
{
    static const char alphabet[] = "\x1b[]?;0123456789ABCDGHJKdfhlmsu7 8c\n\r\t\b\a\xe2\x94\x80xyz";
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2001);
    for (unsigned round = 0; round < 200000; round++) {
        char byte = rng_below(&rng, 4) ? alphabet[rng_below(&rng, sizeof(alphabet) - 1)]
                                       : (char)rng_below(&rng, 256);
        terminal_write(&term, &byte, 1);
        assert_true(term.column < COLUMNS && term.row < ROWS);
        if (rng_below(&rng, 16) == 0)
            show("");
    }
}

static void every_character_has_a_vga_byte(void **state)
{
    (void)state;
    assert_int_equal(charset_cp437(0x2500), 0xc4);
    assert_int_equal(charset_cp437(0x2588), 0xdb);
    assert_int_equal(charset_cp437(0x256d), 0xda);
    assert_int_equal(charset_cp437(0x2501), 0xc4);
    assert_int_equal(charset_cp437(0x2192), 0x1a);
    assert_int_equal(charset_cp437('A'), 'A');
    for (u32 code = 0; code <= 0xffff; code++)
        assert_int_not_equal(charset_cp437((u16)code), 0);
}

#define terminal_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        terminal_test(plain_text_and_scrolling),
        terminal_test(full_line_takes_one_row),
        terminal_test(only_changes_are_painted),
        terminal_test(cursor_moves_and_clearing),
        terminal_test(colours),
        terminal_test(utf8),
        terminal_test(sequences_may_be_split),
        terminal_test(any_bytes_stay_inside),
        terminal_test(every_character_has_a_vga_byte),
    };
    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
