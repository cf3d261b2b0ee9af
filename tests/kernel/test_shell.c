// SPDX-License-Identifier: MIT
/*
 * The kernel's voice, tested where it speaks: command lines with their exact answers, the log ring,
 * the input queue, options, and the line editor under random bytes. Output is captured by standing
 * in for the sinks' write functions, so that what a test provokes does not end up among the results.
 */
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/editor.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "lib/string.h"

/* Capturing output ------------------------------------------------------------------------------------- */

#define SINKS_MAX 8

static char captured[4096];
static size_t captured_length;
static const struct console *captured_sink;
static void (*sink_writes[SINKS_MAX])(struct console *self, const char *text, size_t length);

/* Stands in for every sink; of the copies that they get, that of the first to be called is kept. */
static void capture_write(struct console *self, const char *text, size_t length)
{
    if (!captured_sink)
        captured_sink = self;
    if (self != captured_sink)
        return;
    for (size_t i = 0; i < length && captured_length + 1 < sizeof(captured); i++)
        captured[captured_length++] = text[i];
    captured[captured_length] = '\0';
}

static void capture_begin(void)
{
    unsigned i = 0;

    captured_sink = NULL;
    captured_length = 0;
    captured[0] = '\0';
    for (struct console *c = console_first(); c && i < SINKS_MAX; c = c->next) {
        sink_writes[i++] = c->write;
        c->write = capture_write;
    }
}

static const char *capture_end(void)
{
    unsigned i = 0;

    for (struct console *c = console_first(); c && i < SINKS_MAX; c = c->next)
        c->write = sink_writes[i++];
    return captured;
}

static int run_captured(const char *line)
{
    capture_begin();
    int result = command_run_line(line);
    capture_end();
    return result;
}

/* Without this, what is captured is nothing, and comparing it would prove nothing. */
#define NEEDS_A_CONSOLE()                                                                          \
    do {                                                                                           \
        if (!console_first())                                                                      \
            return ktest_skip("this machine has no console");                                      \
    } while (0)

#define EXPECT_ANSWER(line, code, text)                                                            \
    do {                                                                                           \
        int result_ = run_captured(line);                                                          \
        KEXPECT(result_ == (code), "'%s' returned %d", line, result_);                             \
        KEXPECT(strcmp(captured, text) == 0, "'%s' answered '%s'", line, captured);                \
    } while (0)

/* Command lines ---------------------------------------------------------------------------------------- */

KTEST(shell, runs_commands)
{
    NEEDS_A_CONSOLE();
    EXPECT_ANSWER("", 0, "");
    EXPECT_ANSWER("   # only a comment; echo no", 0, "");
    EXPECT_ANSWER("echo one two", 0, "one two\n");
    EXPECT_ANSWER("echo 'a  b' \"c;d\" e\\ f # end", 0, "a  b c;d e f\n");
    EXPECT_ANSWER("echo a; echo b;; echo c;", 0, "a\nb\nc\n");
    EXPECT_ANSWER("repeat 3 echo x", 0, "x\nx\nx\n");
    return NULL;
}

KTEST(shell, refuses_bad_lines)
{
    NEEDS_A_CONSOLE();
    EXPECT_ANSWER("echo a; echo \"b", -EINVAL, "unmatched \" quote: nothing was run\n");
    EXPECT_ANSWER("echo 'b", -EINVAL, "unmatched ' quote: nothing was run\n");
    EXPECT_ANSWER("echo \x01", -EINVAL, "control character in the line: nothing was run\n");
    EXPECT_ANSWER("echo \\", -EINVAL, "backslash at the end of the line: nothing was run\n");
    EXPECT_ANSWER(
        "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9 0 a b c d e f g "
        "h i j k l m n o p q r s t u v w x y z 1 2 3",
        -EINVAL, "more words than a command may have (64): nothing was run\n");
    return NULL;
}

KTEST(shell, unknown_command_gets_a_hint)
{
    NEEDS_A_CONSOLE();
    EXPECT_ANSWER("ehco hi", -ENOENT,
                  "unknown command 'ehco'; did you mean 'echo'? `help` lists all.\n");
    EXPECT_ANSWER("qqqqqq", -ENOENT, "unknown command 'qqqqqq'; `help` lists all.\n");
    EXPECT_ANSWER("\"\"", -ENOENT, "unknown command ''; `help` lists all.\n");
    return NULL;
}

KTEST(shell, wrong_arguments_get_the_usage)
{
    NEEDS_A_CONSOLE();
    EXPECT_ANSWER("repeat x echo", COMMAND_USAGE, "usage: repeat N COMMAND [WORD...]\n");
    EXPECT_ANSWER("repeat 0xffffffffffffffffff echo", COMMAND_USAGE,
                  "usage: repeat N COMMAND [WORD...]\n");
    EXPECT_ANSWER("log loud", COMMAND_USAGE, "usage: log [error|warn|info|debug]\n");
    EXPECT_ANSWER("uptime now", COMMAND_USAGE, "usage: uptime\n");
    return NULL;
}

KTEST(shell, command_table_is_sound)
{
    const struct command *command, *last = NULL;

    for (unsigned n = 0; (command = command_nth(n)) != NULL; n++) {
        KEXPECT(command_find(command->name) == command, "two commands are called '%s'",
                command->name);
        KEXPECT(!last || strcmp(last->name, command->name) < 0, "'%s' after '%s'", command->name,
                last->name);
        size_t length = strlen(command->name);
        KEXPECT(strncmp(command->usage, command->name, length) == 0, "usage of '%s' is '%s'",
                command->name, command->usage);
        KEXPECT(command->help[0] != '\0', "'%s' has no help", command->name);
        last = command;
    }
    KEXPECT(last, "the table is empty");
    KEXPECT(strcmp(command_find("help")->file, "kernel/commands.c") == 0, "help is in %s",
            command_find("help")->file);
    return NULL;
}

KTEST(shell, colors_can_be_off)
{
    bool were_on = color(COLOR_RED)[0] != '\0';

    color_enable(false);
    bool off = color(COLOR_RED)[0] == '\0';
    color_enable(true);
    bool on = strcmp(color(COLOR_RED), "\x1b[31m") == 0;
    color_enable(were_on);
    KEXPECT(off && on, "off %d, on %d", off, on);
    return NULL;
}

/* Log -------------------------------------------------------------------------------------------------- */

/* The last two lines of the ring, and whether the sequence numbers have no hole. */
struct ring_tail {
    char last[600], before[600];
    enum log_level level;
    u64 next_sequence, lines;
    bool holes;
};

static void remember_tail(const struct log_line *line, void *ctx)
{
    struct ring_tail *tail = ctx;

    if (tail->lines++ && line->sequence != tail->next_sequence)
        tail->holes = true;
    tail->next_sequence = line->sequence + 1;
    tail->level = line->level;
    string_copy(tail->before, sizeof(tail->before), tail->last);
    string_copy(tail->last, sizeof(tail->last), line->text);
}

static struct ring_tail *read_tail(void)
{
    static struct ring_tail tail;

    tail = (struct ring_tail){0};
    printk_for_each(remember_tail, &tail);
    return &tail;
}

KTEST(shell, log_keeps_lines)
{
    capture_begin();
    log_warn("first %d\nsecond %s\n", 1, "two");
    capture_end();
    struct ring_tail *tail = read_tail();
    KEXPECT(strcmp(tail->before, "first 1") == 0, "before the last: '%s'", tail->before);
    KEXPECT(strcmp(tail->last, "second two") == 0, "last: '%s'", tail->last);
    KEXPECT(tail->level == LOG_WARN, "level %d", (int)tail->level);
    KEXPECT(!tail->holes, "sequence numbers with holes in %lu lines", tail->lines);
    return NULL;
}

KTEST(shell, log_cuts_visibly)
{
    char text[700];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture_begin();
    log_debug("%s", text);
    capture_end();
    struct ring_tail *tail = read_tail();
    size_t length = strlen(tail->last);
    KEXPECT(length == 511, "%zu characters kept", length);
    KEXPECT(strcmp(tail->last + length - 8, "...[cut]") == 0, "ends in '%s'",
            tail->last + length - 8);
    return NULL;
}

/* The ring takes all, the consoles what is loud enough. */
KTEST(shell, log_lines_on_the_console)
{
    enum log_level before = printk_console_level;
    bool were_on = color(COLOR_RED)[0] != '\0';

    NEEDS_A_CONSOLE();
    color_enable(true);
    printk_console_level = LOG_INFO;
    capture_begin();
    print("half");
    log_info("plain");
    log_debug("silent");
    log_error("red");
    capture_end();
    printk_console_level = before;
    color_enable(were_on);
    KEXPECT(strncmp(captured, "half\n[", 6) == 0, "a log line joined another: '%s'", captured);
    KEXPECT(strstr(captured, "] plain\n\x1b[31m["), "'%s'", captured);
    KEXPECT(strstr(captured, "] red\x1b[0m\n"), "'%s'", captured);
    KEXPECT(!strstr(captured, "silent"), "'%s'", captured);
    return NULL;
}

KTEST(shell, long_texts_are_printed_whole)
{
    static char text[2001];

    NEEDS_A_CONSOLE();
    memset(text, 'y', sizeof(text) - 1);
    capture_begin();
    print("%s\n", text);
    capture_end();
    KEXPECT(captured_length == sizeof(text), "%zu bytes came out", captured_length);
    return NULL;
}

/* Input ------------------------------------------------------------------------------------------------ */

static size_t take_all_input(u8 *to, size_t size)
{
    size_t n = 0;
    for (int byte; (byte = console_input_poll()) >= 0;)
        if (n < size)
            to[n++] = (u8)byte;
    return n;
}

/*
 * Ctrl-C is not among the bytes: a pushed one would stop this very run. The machine tests type it.
 * On the real queue, so what the user typed ahead is taken out first and put back afterwards.
 */
KTEST(shell, input_queue_drops_and_counts)
{
    static u8 typed[4096], got[4096];
    size_t typed_count = take_all_input(typed, sizeof(typed));
    u64 dropped = console_input_dropped();

    for (unsigned i = 0; i < 5000; i++)
        console_input_push((u8)('a' + i % 26));
    size_t count = take_all_input(got, sizeof(got));
    dropped = console_input_dropped() - dropped;
    for (size_t i = 0; i < typed_count; i++)
        console_input_push(typed[i]);
    KEXPECT(count == 4096, "%zu bytes kept", count);
    KEXPECT(dropped == 5000 - 4096, "%lu bytes dropped", dropped);
    for (size_t i = 0; i < count; i++)
        KEXPECT(got[i] == 'a' + i % 26, "byte %zu is %#x", i, got[i]);
    return NULL;
}

/* Options ---------------------------------------------------------------------------------------------- */

KTEST(shell, option_values)
{
    u64 number = 7;
    bool flag = false;

    KEXPECT(param_number("64K", 0, UINT64_MAX, &number) == 0 && number == 65536, "%lu", number);
    KEXPECT(param_number("0x10", 0, 16, &number) == 0 && number == 16, "%lu", number);
    KEXPECT(param_number("17", 0, 16, &number) == -EINVAL && number == 16, "%lu", number);
    KEXPECT(param_number("", 0, 16, &number) == -EINVAL, "empty is no number");
    KEXPECT(param_number("-1", 0, UINT64_MAX, &number) == -EINVAL, "-1 is no number here");
    KEXPECT(param_number("99999999999999999999", 0, UINT64_MAX, &number) == -EINVAL, "overflow");
    KEXPECT(param_bool("", &flag) == 0 && flag, "a bare name switches on");
    KEXPECT(param_bool("off", &flag) == 0 && !flag, "off");
    KEXPECT(param_bool("maybe", &flag) == -EINVAL && !flag, "maybe is neither");
    return NULL;
}

/* Editor ----------------------------------------------------------------------------------------------- */

static void discard(void *ctx, const char *text, size_t length)
{
    (void)text;
    *(u64 *)ctx += length;
}

static const char *complete_command(void *ctx, const char *name, int index, unsigned n)
{
    const struct command *command = index == 0 ? command_nth(n) : command_find(name);

    (void)ctx;
    if (!command)
        return NULL;
    if (index == 0)
        return command->name;
    return command->complete ? command->complete(index, n) : NULL;
}

/* The host test does this with a million bytes and a model terminal; here it meets the real commands. */
KTEST(shell, editor_survives_random_bytes)
{
    static const struct editor_ops ops = {discard, complete_command};
    static struct editor editor;
    struct rng rng;
    u64 written = 0;

    rng_seed(&rng, ktest_seed());
    editor_init(&editor, &ops, &written, "> ");
    editor_start(&editor);
    for (unsigned i = 0; i < 20000; i++) {
        u8 byte = (u8)(rng_below(&rng, 4) ? 'a' + rng_below(&rng, 26) : rng_next(&rng));
        enum editor_event event = editor_feed(&editor, byte);

        KEXPECT(editor.cursor <= editor.length && editor.length <= EDITOR_LINE_MAX,
                "after byte %u: cursor %zu, length %zu", i, editor.cursor, editor.length);
        KEXPECT(strlen(editor.line) == editor.length, "after byte %u: length %zu, text %zu", i,
                editor.length, strlen(editor.line));
        if (event != EDITOR_MORE)
            editor_start(&editor);
    }
    KEXPECT(written > 20000, "only %lu bytes written", written);
    return NULL;
}

/* The runner itself ------------------------------------------------------------------------------------ */

KTEST(ktest, failure_names_place_and_condition)
{
    const char *text = ktest_fail("file.c", 12, "a == b", "a %d, b %d", 1, 2);
    const char *expected = "file.c:12: a == b: a 1, b 2";

    /* The buffer is the one that KEXPECT itself writes, so it is not quoted. */
    if (strcmp(text, expected) != 0)
        return "ktest_fail() does not write file, line, condition and values";
    return NULL;
}

KTEST(ktest, announced_report_is_no_failure)
{
    ktest_expect_reports(1);
    report("(expected by a test) nothing is wrong");
    return NULL;
}

KTEST(ktest, suites_are_in_order)
{
    const char *suite, *last = NULL;
    u64 tests;

    for (unsigned n = 0; (suite = ktest_suite_nth(n, &tests)) != NULL; n++) {
        KEXPECT(!last || strcmp(last, suite) < 0, "'%s' after '%s'", suite, last);
        KEXPECT(tests > 0, "suite '%s' is empty", suite);
        last = suite;
    }
    KEXPECT(last, "there are no suites");
    return NULL;
}
