// SPDX-License-Identifier: MIT
/*
 * The shell's pure parts on the host: tokenizer, "did you mean", line editor. The editor talks to a
 * small model terminal; after every byte the row that the terminal shows must be what the editor
 * believes to be there, and the structure's invariants (kernel/editor.c) must hold, under ASan.
 */
#include "tests/host/harness.h"

#include "kernel/editor.c"
#include "kernel/editor_complete.c"
#include "kernel/editor_keys.c"
#include "kernel/suggest.c"
#include "kernel/words.c"
#include "lib/errno.h"
#include "lib/rng.h"

/* A terminal of 80 columns -------------------------------------------------------------------------- */

#define PROMPT "vitrine> "
#define COLUMNS EDITOR_COLUMNS

static struct terminal {
    char row[COLUMNS][5]; /* one character each, as UTF-8 text; "" = blank */
    unsigned column;
    unsigned bells, clears, rows;
    char all[1 << 16]; /* everything written, for searching; cut when full */
    size_t all_used;
    char sequence[16]; /* an escape sequence being read, with the ESC */
    size_t sequence_used;
    char letter[5]; /* a UTF-8 character being read */
    size_t letter_used, letter_need;
} terminal;

static void new_row(void)
{
    memset(terminal.row, 0, sizeof(terminal.row));
    terminal.column = 0;
    terminal.rows++;
}

static void put_letter(void)
{
    if (terminal.column == COLUMNS)
        new_row();
    memcpy(terminal.row[terminal.column], terminal.letter, sizeof(terminal.letter));
    terminal.column++;
}

static void control_sequence(const char *text, char final)
{
    unsigned n = (unsigned)strtoul(text + 2, NULL, 10);

    if (final == 'D') {
        assert_in_range(n, 1, terminal.column);
        terminal.column -= n;
    } else if (final == 'C') {
        assert_in_range(n, 1, COLUMNS - 1 - terminal.column);
        terminal.column += n;
    } else if (final == 'K') {
        memset(terminal.row[terminal.column], 0,
               (COLUMNS - terminal.column) * sizeof(terminal.row[0]));
    } else if (final == 'J') {
        assert_int_equal(n, 2);
        new_row();
        terminal.clears++;
    } else {
        assert_int_equal(final, 'H');
        terminal.column = 0;
    }
}

static void terminal_byte(char c)
{
    if (terminal.sequence_used) {
        assert_true(terminal.sequence_used < sizeof(terminal.sequence) - 1);
        terminal.sequence[terminal.sequence_used++] = c;
        terminal.sequence[terminal.sequence_used] = '\0';
        if (terminal.sequence_used > 2 && c >= '@') {
            control_sequence(terminal.sequence, c);
            terminal.sequence_used = 0;
        }
    } else if (c == '\x1b') {
        terminal.sequence[terminal.sequence_used++] = c;
    } else if (c == '\n') {
        new_row();
    } else if (c == '\a') {
        terminal.bells++;
    } else {
        assert_true((u8)c >= 0x20 && c != 0x7f);
        if (terminal.letter_used == 0) {
            memset(terminal.letter, 0, sizeof(terminal.letter));
            terminal.letter_need = (u8)c < 0x80 ? 1 : utf8_length((u8)c);
            assert_int_not_equal(terminal.letter_need, 0);
        }
        terminal.letter[terminal.letter_used++] = c;
        if (terminal.letter_used == terminal.letter_need) {
            terminal.letter_used = 0;
            put_letter();
        }
    }
}

static void terminal_write(void *ctx, const char *text, size_t length)
{
    assert_ptr_equal(ctx, &terminal);
    for (size_t i = 0; i < length; i++) {
        terminal_byte(text[i]);
        if (terminal.all_used + 1 < sizeof(terminal.all))
            terminal.all[terminal.all_used++] = text[i];
    }
    terminal.all[terminal.all_used] = '\0';
}

static void forget_output(void)
{
    terminal.all_used = 0;
    terminal.all[0] = '\0';
}

/* Completion: three commands, one of them with arguments. */
static const char *test_candidate(void *ctx, const char *command, int index, unsigned n)
{
    static const char *const names[] = {"vfree", "vmalloc", "vmallocinfo", NULL};
    static const char *const options[] = {"align=", "zero", "huge", NULL};

    (void)ctx;
    if (index == 0)
        return names[n];
    if (strcmp(command, "vmalloc") == 0 && index == 2)
        return options[n];
    return NULL;
}

static const struct editor_ops ops = {terminal_write, test_candidate};

/* The editor between two canaries. */
static struct {
    u64 before[32];
    struct editor editor;
    u64 after[32];
} guarded;
static struct editor *const editor = &guarded.editor;

/* What is on the terminal is what the editor says. Invariants of the structure. */
static void check_editor(void)
{
    assert_true(editor->view <= editor->cursor);
    assert_true(editor->cursor <= editor->length);
    assert_true(editor->length <= EDITOR_LINE_MAX);
    assert_int_equal(strlen(editor->line), editor->length);
    assert_int_equal(editor->column, columns_between(editor, editor->view, editor->cursor));
    assert_true(editor->column <= editor->window);
    assert_int_equal(terminal.column, strlen(PROMPT) + editor->column);
    assert_int_equal(terminal.sequence_used, 0);
    assert_int_equal(terminal.letter_used, 0);

    char shown[COLUMNS * 5 + 1] = "", expected[COLUMNS * 5 + 1] = PROMPT;
    for (unsigned i = 0; i < COLUMNS; i++)
        strcat(shown, terminal.row[i]);
    size_t end = editor->view;
    for (size_t i = 0; i < editor->window; i++)
        end = editor_next_character(editor, end);
    strncat(expected, editor->line + editor->view, end - editor->view);
    assert_string_equal(shown, expected);
}

static void check_canaries(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(guarded.before); i++) {
        assert_int_equal(guarded.before[i], 0xfeedfacecafebeefUL);
        assert_int_equal(guarded.after[i], 0xfeedfacecafebeefUL);
    }
}

static int editor_setup(void **state)
{
    memset(&terminal, 0, sizeof(terminal));
    memset(&guarded, 0, sizeof(guarded));
    for (size_t i = 0; i < ARRAY_SIZE(guarded.before); i++)
        guarded.before[i] = guarded.after[i] = 0xfeedfacecafebeefUL;
    editor_init(editor, &ops, &terminal, PROMPT);
    editor_start(editor);
    return host_setup(state);
}

#define editor_test(function) cmocka_unit_test_setup_teardown(function, editor_setup, host_teardown)

static enum editor_event feed_byte(u8 byte)
{
    enum editor_event event = editor_feed(editor, byte);
    if (event == EDITOR_MORE)
        check_editor();
    return event;
}

/* All bytes; the last event. Nothing but the last byte may end the line. */
static enum editor_event type(const char *keys)
{
    enum editor_event event = EDITOR_MORE;
    for (; *keys; keys++) {
        assert_int_equal(event, EDITOR_MORE);
        event = feed_byte((u8)*keys);
    }
    return event;
}

/* Type keys and Enter; the line that results. */
static void expect_line(const char *keys, const char *line)
{
    type(keys);
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    assert_string_equal(editor->line, line);
    editor_start(editor);
    check_editor();
}

/* Editor -------------------------------------------------------------------------------------------- */

static void echoes_plain_text(void **state)
{
    (void)state;
    forget_output();
    assert_int_equal(type("vmap tree"), EDITOR_MORE);
    assert_string_equal(terminal.all, "vmap tree");
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    assert_string_equal(terminal.all, "vmap tree\n");
    assert_string_equal(editor->line, "vmap tree");
}

static void edits_in_the_middle(void **state)
{
    (void)state;
    expect_line("vma\x1b[D\x1b[Dx", "vxma");
    expect_line("abc\x1b[H-\x1b[F+", "-abc+");
    expect_line("abc\x1b[1~-\x1b[4~+", "-abc+");
    expect_line("abc\x1b[7~-\x1b[8~+", "-abc+");
    expect_line("abc\x1bOH-\x1bOF+", "-abc+");
    expect_line("abc\x01-\x05+", "-abc+");
    expect_line("abc\x1b[D\x1b[D\x1b[3~", "ac");
    expect_line("abc\x02\x02\x06-", "ab-c");
    expect_line("abc\x01\x04", "bc");
    expect_line("abc\x7f\x08", "a");
    expect_line("\x7f\x08\x1b[D\x1b[C\x1b[3~x", "x");
    expect_line("one two\x17three", "one three");
    expect_line("one two  \x17\x17", "");
    expect_line("one two\x1b[D\x1b[D\x0b", "one t");
    expect_line("one two\x1b[D\x1b[D\x15", "wo");
    expect_line("abc\x1b[1;5D-", "ab-c");
}

static void ignores_unknown_sequences(void **state)
{
    (void)state;
    expect_line("a\x1b[15~b\x1b[200~c\x1b[?25hd\x1b[5~e", "abcde");
    expect_line("a\x1bxb\x1bOPc\x1b[Zd", "abcd");
    expect_line("a\x1b\x1b[D-", "-a");
    expect_line("a\x1b[99999999999999999999~b", "ab");
    expect_line("a\x1b[1\x01-", "-a");
    for (unsigned byte = 0; byte < 32; byte++)
        if (!strchr("\x01\x02\x03\x04\x05\x06\x08\x09\x0a\x0b\x0c\x0d\x0e\x10\x15\x17\x1b",
                    (int)byte) ||
            byte == 0)
            assert_int_equal(feed_byte((u8)byte), EDITOR_MORE);
    expect_line("x", "x");
}

static void one_enter_for_cr_lf_and_both(void **state)
{
    (void)state;
    type("a");
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    editor_start(editor);
    assert_int_equal(feed_byte('\n'), EDITOR_MORE);
    type("b");
    assert_int_equal(feed_byte('\n'), EDITOR_LINE);
    assert_string_equal(editor->line, "b");
    editor_start(editor);
    assert_int_equal(feed_byte('\n'), EDITOR_LINE);
    assert_string_equal(editor->line, "");
    editor_start(editor);
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    editor_start(editor);
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
}

static void nul_is_ignored(void **state)
{
    (void)state;
    type("a");
    assert_int_equal(feed_byte('\0'), EDITOR_MORE);
    expect_line("b", "ab");
}

static void ctrl_c_drops_the_line(void **state)
{
    (void)state;
    assert_int_equal(type("garbage\x03"), EDITOR_CANCELLED);
    assert_non_null(strstr(terminal.all, "garbage^C\n"));
    editor_start(editor);
    expect_line("", "");
    /* It was not kept in the history either. */
    expect_line("\x1b[A", "");
}

static void ctrl_d_ends_only_an_empty_line(void **state)
{
    (void)state;
    assert_int_equal(type("a\x04"), EDITOR_MORE);
    assert_int_equal(type("\x7f"), EDITOR_MORE);
    assert_int_equal(type("\x04"), EDITOR_END);
}

static void ctrl_l_clears_and_redraws(void **state)
{
    (void)state;
    type("abc\x1b[D\x0c");
    assert_int_equal(terminal.clears, 1);
    expect_line("x", "abxc");
}

static void history_up_and_down(void **state)
{
    (void)state;
    expect_line("one", "one");
    expect_line("two", "two");
    expect_line("two", "two"); /* not kept twice in a row */
    expect_line("", "");       /* not kept */
    expect_line("\x1b[A", "two");
    expect_line("\x1b[A\x1b[A", "one");
    expect_line("\x1b[A\x1b[A\x1b[A\x1b[A", "one");
    expect_line("draft\x1b[A\x1b[B", "draft");
    expect_line("\x10\x10\x10\x0e", "one"); /* Ctrl-P: draft, one, two; Ctrl-N: one */
}

static void history_keeps_the_last_64(void **state)
{
    char line[32], keys[3 * EDITOR_HISTORY * 2 + 1] = "";

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "line %d", i);
        expect_line(line, line);
    }
    for (int i = 0; i < 2 * EDITOR_HISTORY; i++)
        strcat(keys, "\x1b[A");
    expect_line(keys, "line 36");
}

static void editing_history_leaves_it_alone(void **state)
{
    (void)state;
    expect_line("one", "one");
    expect_line("\x1b[A changed", "one changed");
    expect_line("\x1b[A\x1b[A", "one");
}

static void completes_commands(void **state)
{
    (void)state;
    expect_line("vf\t", "vfree ");
    expect_line("vm\t", "vmalloc");
    expect_line("vmalloci\t", "vmallocinfo ");
    expect_line("x; vf\t", "x; vfree ");
    expect_line("x;vf\t", "x;vfree ");
    assert_int_equal(terminal.bells, 0);
    expect_line("zz\t", "zz");
    assert_int_equal(terminal.bells, 1);
}

static void lists_when_ambiguous(void **state)
{
    (void)state;
    type("vmalloc");
    forget_output();
    type("\t");
    assert_string_equal(terminal.all, "\nvmalloc      vmallocinfo  \n" PROMPT "vmalloc\x1b[K");
    expect_line("", "vmalloc");
}

static void completes_arguments(void **state)
{
    (void)state;
    expect_line("vmalloc 5p al\t64K", "vmalloc 5p align=64K");
    expect_line("vmalloc 5p z\t", "vmalloc 5p zero ");
    expect_line("vfree 1 z\t", "vfree 1 z");
    expect_line("vmalloc \"5 p\" z\t", "vmalloc \"5 p\" zero ");
    expect_line("vmalloc 5p \"z\t", "vmalloc 5p \"z");
    expect_line("vfree 1; vmalloc 5p h\t", "vfree 1; vmalloc 5p huge ");
}

static void completes_in_a_full_line(void **state)
{
    (void)state;
    for (int i = 0; i < EDITOR_LINE_MAX - 4; i++)
        feed_byte(i == EDITOR_LINE_MAX - 5 ? ';' : 'a');
    type("vf\t\t\t");
    assert_true(editor->refused);
    assert_int_equal(terminal.bells, 1);
    check_canaries();
}

static void line_of_1023_runs_and_1024_does_not(void **state)
{
    (void)state;
    for (int i = 0; i < EDITOR_LINE_MAX; i++)
        feed_byte('a');
    assert_int_equal(terminal.bells, 0);
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    assert_int_equal(editor->length, EDITOR_LINE_MAX);
    editor_start(editor);
    for (int i = 0; i < 10000; i++)
        feed_byte('b');
    assert_int_equal(terminal.bells, 1);
    forget_output();
    assert_int_equal(feed_byte('\r'), EDITOR_CUT);
    assert_non_null(strstr(terminal.all, "line longer than 1023 characters: cut\n"));
    editor_start(editor);
    /* The cut line is not in the history: the one before it is. */
    type("\x1b[A");
    assert_int_equal(editor->line[0], 'a');
    check_canaries();
}

static void emptying_a_cut_line_forgives(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        feed_byte('a');
    expect_line("\x15ok", "ok");
}

static void long_lines_scroll(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        feed_byte((u8)('0' + i % 10));
    for (int i = 0; i < 300; i++)
        type("\x1b[D");
    assert_int_equal(editor->cursor, 0);
    for (int i = 0; i < 150; i++)
        type("\x1b[C");
    type("<here>\x05!\x01?");
    forget_output();
    assert_int_equal(feed_byte('\r'), EDITOR_LINE);
    /* The whole line is shown once when it is done. */
    assert_non_null(strstr(terminal.all, editor->line));
    assert_int_equal(editor->length, 308);
}

static void utf8_stays_whole(void **state)
{
    (void)state;
    expect_line("gr\xc3\xbc\xc3\x9f\x7f", "gr\xc3\xbc");
    expect_line("\xe2\x82\xac\xf0\x9f\x98\x80\x1b[D\x1b[D-", "-\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_line("a\x1b[D\xc3\xa4", "\xc3\xa4"
                                   "a");
    expect_line("\xc3\xa4\x01\x04x", "x");
}

static void utf8_halves_vanish(void **state)
{
    (void)state;
    expect_line("a\xc3\x62", "ab");      /* half, then ASCII */
    expect_line("\xa4\xbf\x62", "b");    /* continuations alone */
    expect_line("\xc0\xaf\xc1\xbf", ""); /* overlong */
    expect_line("\xe0\x80\xaf", "");     /* overlong */
    expect_line("\xed\xa0\x80", "");     /* surrogate */
    expect_line("\xf4\x90\x80\x80", ""); /* beyond U+10FFFF */
    expect_line("\xf5\xff\xfe", "");
    expect_line("\xc2\x9b\x31J", "1J");          /* C1 control sequence introducer */
    expect_line("\xe2\x82\xc3\xa4", "\xc3\xa4"); /* a new character inside an unfinished one */
    expect_line("\xe2\x1b[Dx", "x");
    for (int i = 0; i < EDITOR_LINE_MAX - 1; i++)
        feed_byte('a');
    type("\xc3\xa4"); /* would end at 1024: refused whole */
    assert_int_equal(editor->length, EDITOR_LINE_MAX - 1);
    assert_int_equal(feed_byte('\n'), EDITOR_CUT);
}

static bool line_is_utf8(const char *line)
{
    while (*line) {
        unsigned length = (u8)*line < 0x80 ? 1 : utf8_length((u8)*line);
        if (length == 0)
            return false;
        for (unsigned i = 1; i < length; i++)
            if (!editor_is_continuation(line[i]))
                return false;
        line += length;
    }
    return true;
}

/* Each round mixes bytes differently: all of them; keys and text; text with few Enters. */
static u8 random_byte(struct rng *rng, u64 round)
{
    static const char keys[] =
        "\x1b\x1b\x1b[[[OABCDHF~134\t\t\x01\x05\x0b\x17\x15\x7f\x10\x0e ;\"'";
    if (round == 0)
        return (u8)rng_next(rng);
    if (rng_below(rng, 4) == 0)
        return (u8)keys[rng_below(rng, sizeof(keys) - 1)];
    if (round == 1)
        return (u8)rng_next(rng);
    return (u8)(rng_below(rng, 500) == 0 ? '\r' : 'a' + rng_below(rng, 26));
}

static void survives_a_million_random_bytes(void **state)
{
    struct rng rng;
    u64 lines = 0;

    (void)state;
    rng_seed(&rng, 0x5eed);
    for (u64 i = 0; i < 1000000; i++) {
        enum editor_event event = editor_feed(editor, random_byte(&rng, i % 300000 / 100000));

        if (i % 16 == 0 && event == EDITOR_MORE)
            check_editor();
        if (event == EDITOR_MORE)
            continue;
        lines += event == EDITOR_LINE;
        assert_true(line_is_utf8(editor->line));
        check_canaries();
        editor_start(editor);
    }
    assert_true(lines > 1000);
}

/* Words --------------------------------------------------------------------------------------------- */

/* Split a line's first command; words joined with '|', or the error after "!". */
static const char *split(const char *line)
{
    static char joined[4096];
    char text[1024], *argv[65];
    const char *error = NULL;
    bool more;
    int argc = words_split(&line, text, sizeof(text), argv, 64, &more, &error);

    if (argc < 0) {
        snprintf(joined, sizeof(joined), "!%s", error);
        return joined;
    }
    assert_null(argv[argc]);
    joined[0] = '\0';
    for (int i = 0; i < argc; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s|", argv[i]);
    if (more)
        strcat(joined, ";");
    return joined;
}

static void splits_words(void **state)
{
    (void)state;
    assert_string_equal(split(""), "");
    assert_string_equal(split(" \t "), "");
    assert_string_equal(split("vmap"), "vmap|");
    assert_string_equal(split("  vmap  tree "), "vmap|tree|");
    assert_string_equal(split("a; b"), "a|;");
    assert_string_equal(split(";"), ";");
    assert_string_equal(split("a # b"), "a|");
    assert_string_equal(split("# a; b"), "");
    assert_string_equal(split("a#b"), "a#b|");
    assert_string_equal(split("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f|");
}

static void takes_quotes_off(void **state)
{
    (void)state;
    assert_string_equal(split("echo \"a  b\" 'c; # d'"), "echo|a  b|c; # d|");
    assert_string_equal(split("a\"b\"'c'd"), "abcd|");
    assert_string_equal(split("'' \"\""), "||");
    assert_string_equal(split("\"a\\\"b\\\\c\\d\""), "a\"b\\c\\d|");
    assert_string_equal(split("'a\\b'"), "a\\b|");
    assert_string_equal(split("a\\ b \\; \\# \\\""), "a b|;|#|\"|");
}

static void refuses_bad_lines(void **state)
{
    char line[2048] = "";

    (void)state;
    assert_string_equal(split("a \"b"), "!unmatched \" quote");
    assert_string_equal(split("a 'b"), "!unmatched ' quote");
    assert_string_equal(split("\""), "!unmatched \" quote");
    assert_string_equal(split("\"\\\""), "!unmatched \" quote");
    assert_string_equal(split("a\\"), "!backslash at the end of the line");
    assert_string_equal(split("a\x01"), "!control character in the line");
    assert_string_equal(split("'\x7f'"), "!control character in the line");
    assert_string_equal(split("\\\x1b"), "!control character in the line");
    for (int i = 0; i < 64; i++)
        strcat(line, "a ");
    assert_int_equal(strlen(split(line)), 128);
    strcat(line, "a ");
    assert_string_equal(split(line), "!more words than a command may have (64)");
    memset(line, 'x', 1023);
    line[1023] = '\0';
    assert_int_equal(strlen(split(line)), 1024);
    line[1023] = 'x';
    line[1024] = '\0';
    assert_string_equal(split(line), "!the line is too long");
}

static void plain_style_knows_no_separators(void **state)
{
    const char *cursor = "\"exec=vmap; log\" a;b #c \"echo \\'d  e\\'\"", *error;
    char out[64];

    (void)state;
    assert_int_equal(word_next(&cursor, WORDS_PLAIN, out, sizeof(out), &error), WORD_FOUND);
    assert_string_equal(out, "exec=vmap; log");
    assert_int_equal(word_next(&cursor, WORDS_PLAIN, out, sizeof(out), &error), WORD_FOUND);
    assert_string_equal(out, "a;b");
    assert_int_equal(word_next(&cursor, WORDS_PLAIN, out, sizeof(out), &error), WORD_FOUND);
    assert_string_equal(out, "#c");
    assert_int_equal(word_next(&cursor, WORDS_PLAIN, out, sizeof(out), &error), WORD_FOUND);
    assert_string_equal(out, "echo 'd  e'"); /* GRUB's way of handing over a quoted word */
    assert_int_equal(word_next(&cursor, WORDS_PLAIN, out, sizeof(out), &error), WORD_END);
}

/* Random text of few kinds of characters into buffers of every small size, exactly allocated. */
static void words_stay_in_their_buffers(void **state)
{
    static const char letters[] = "a b;#\"'\\\t\x01\xc3";
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    for (int round = 0; round < 200000; round++) {
        char line[33];
        size_t length = rng_below(&rng, sizeof(line)), size = rng_below(&rng, 34);
        for (size_t i = 0; i < length; i++)
            line[i] = letters[rng_below(&rng, sizeof(letters) - 1)];
        line[length] = '\0';
        char *text = malloc(size), *argv[5];
        const char *cursor = line, *error = NULL;
        bool more = true;
        int argc = 0;

        assert_non_null(text);
        while (more && argc >= 0) {
            argc = words_split(&cursor, text, size, argv, 4, &more, &error);
            assert_in_range(cursor - line, 0, length);
            assert_true(argc >= 0 ? argc <= 4 && !argv[argc] : error != NULL);
        }
        free(text);
    }
}

/* Suggestions --------------------------------------------------------------------------------------- */

static void measures_distance(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("", ""), 0);
    assert_int_equal(edit_distance("vmap", "vmap"), 0);
    assert_int_equal(edit_distance("vmapp", "vmap"), 1);
    assert_int_equal(edit_distance("vamp", "vmap"), 1);
    assert_int_equal(edit_distance("", "abc"), 3);
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
    assert_int_equal(edit_distance("ca", "abc"), 3);
    assert_int_equal(
        edit_distance("12345678901234567890123456789012", "12345678901234567890123456789013"), 1);
    assert_int_equal(edit_distance("123456789012345678901234567890123", "a"), SUGGEST_MAX);
}

static const char *closest(const char *typed)
{
    static const char *const names[] = {"log",  "pt",      "ptdump",      "vfree",
                                        "vmap", "vmalloc", "vmallocinfo", "vmap.check"};
    struct suggestion near = {.typed = typed};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        suggest_consider(&near, names[i]);
    return near.best ? near.best : "";
}

static void suggests_what_is_near(void **state)
{
    (void)state;
    assert_string_equal(closest("vmapp"), "vmap");
    assert_string_equal(closest("vamp"), "vmap");
    assert_string_equal(closest("vmap.chek"), "vmap.check");
    assert_string_equal(closest("vf"), "vfree");
    assert_string_equal(closest("lgo"), "log");
    assert_string_equal(closest("x"), "");
    assert_string_equal(closest("zzzzz"), "");
    assert_string_equal(closest(""), "");
    assert_string_equal(closest("a-name-that-is-much-longer-than-any-command-could-be"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        editor_test(echoes_plain_text),
        editor_test(edits_in_the_middle),
        editor_test(ignores_unknown_sequences),
        editor_test(one_enter_for_cr_lf_and_both),
        editor_test(nul_is_ignored),
        editor_test(ctrl_c_drops_the_line),
        editor_test(ctrl_d_ends_only_an_empty_line),
        editor_test(ctrl_l_clears_and_redraws),
        editor_test(history_up_and_down),
        editor_test(history_keeps_the_last_64),
        editor_test(editing_history_leaves_it_alone),
        editor_test(completes_commands),
        editor_test(lists_when_ambiguous),
        editor_test(completes_arguments),
        editor_test(completes_in_a_full_line),
        editor_test(line_of_1023_runs_and_1024_does_not),
        editor_test(emptying_a_cut_line_forgives),
        editor_test(long_lines_scroll),
        editor_test(utf8_stays_whole),
        editor_test(utf8_halves_vanish),
        editor_test(survives_a_million_random_bytes),
        host_test(splits_words),
        host_test(takes_quotes_off),
        host_test(refuses_bad_lines),
        host_test(plain_style_knows_no_separators),
        host_test(words_stay_in_their_buffers),
        host_test(measures_distance),
        host_test(suggests_what_is_near),
    };
    return cmocka_run_group_tests_name("shell", tests, NULL, NULL);
}
