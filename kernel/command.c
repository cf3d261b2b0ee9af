// SPDX-License-Identifier: MIT
/*
 * The command table (gathered by the linker) and the interpreter of one line: check the whole line,
 * then run its commands one after the other. No lock: the table is constant, the shell is alone.
 * Read next: kernel/words.h (quoting rules), kernel/shell.c (where lines come from).
 */
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/printk.h"
#include "kernel/suggest.h"
#include "kernel/words.h"
#include "kernel/wrap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/types.h"

#define COMMAND_TEXT_MAX 1024 /* bytes of one command's words with their NULs */
#define USAGE_INDENT 7u       /* behind "usage: " */

extern const struct command __commands_start[], __commands_end[];

const struct command *command_find(const char *name)
{
    for (const struct command *c = __commands_start; c != __commands_end; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* The least name above `after` (NULL: the least of all). */
static const struct command *command_after(const char *after)
{
    const struct command *best = NULL;

    for (const struct command *c = __commands_start; c != __commands_end; c++) {
        bool above = !after || strcmp(c->name, after) > 0;
        if (above && (!best || strcmp(c->name, best->name) < 0))
            best = c;
    }
    return best;
}

/* Quadratic, on some forty commands, at the speed of typing: no sorted copy to keep. */
const struct command *command_nth(unsigned n)
{
    const struct command *c = command_after(NULL);
    while (c && n--)
        c = command_after(c->name);
    return c;
}

static void unknown_command(const char *name)
{
    struct suggestion near = {.typed = name};

    for (const struct command *c = __commands_start; c != __commands_end; c++)
        suggest_consider(&near, c->name);
    if (near.best)
        print("unknown command '%s'; did you mean '%s'? `help` lists all.\n", name, near.best);
    else
        print("unknown command '%.40s'; `help` lists all.\n", name);
}

void command_usage(const struct command *command)
{
    print("usage: ");
    print_wrapped(USAGE_INDENT, USAGE_INDENT, command->usage, strlen(command->usage));
}

int command_run_words(int argc, char **argv)
{
    if (argc == 0)
        return 0;
    const struct command *command = command_find(argv[0]);
    if (!command) {
        unknown_command(argv[0]);
        return -ENOENT;
    }
    int result = command->run(argc, argv);
    if (result == COMMAND_USAGE)
        command_usage(command);
    return result;
}

/* One command of the line, with its own buffers; the caller has seen that the line is well formed. */
static int run_next(const char **cursor, bool *more)
{
    char text[COMMAND_TEXT_MAX];
    char *argv[COMMAND_MAX_WORDS + 1];
    const char *error;
    int argc = words_split(cursor, text, sizeof(text), argv, COMMAND_MAX_WORDS, more, &error);

    return argc < 0 ? argc : command_run_words(argc, argv);
}

/* NULL or what is wrong with the line. Nothing of a bad line is run, its good beginning neither. */
static __noinline const char *line_error(const char *line)
{
    char text[COMMAND_TEXT_MAX];
    char *argv[COMMAND_MAX_WORDS + 1];
    const char *error = NULL;
    bool more = true;

    while (more)
        if (words_split(&line, text, sizeof(text), argv, COMMAND_MAX_WORDS, &more, &error) < 0)
            return error;
    return NULL;
}

int command_run_line(const char *line)
{
    const char *error = line_error(line);
    int result = 0;
    bool more = true;
    u64 interrupts = console_interrupt_count();

    if (error) {
        print("%s: nothing was run\n", error);
        return -EINVAL;
    }
    /* Ctrl-C stops the whole line, also when the command that it met has taken notice of it. */
    while (more && console_interrupt_count() == interrupts)
        result = run_next(&line, &more);
    return result;
}
