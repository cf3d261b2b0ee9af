// SPDX-License-Identifier: MIT
/*
 * Shell commands. Each is declared beside the code it exercises with COMMAND(); they gather in a
 * linker table, so the shell knows nobody. A command gets words (quotes already taken off), answers
 * with print(), and returns 0 or an error: COMMAND_USAGE makes the shell print the usage line.
 */
#ifndef KERNEL_COMMAND_H
#define KERNEL_COMMAND_H

#include "lib/types.h"

#define COMMAND_USAGE 1
#define COMMAND_MAX_WORDS 64

struct command {
    const char *name;
    const char *usage; /* "vmalloc SIZE [align=ALIGN] [zero] [huge]" */
    const char *help;  /* one line for `help`; further lines for `help CMD` */
    int (*run)(int argc, char **argv);
    /* Completion of word number `index` (1 = first argument): the n-th candidate or NULL. May be NULL. */
    const char *(*complete)(int index, unsigned n);
    const char *file; /* where it is written: `help` groups by floor and tells the reader */
};

#define COMMAND(ident, cmd_name, run_fn, complete_fn, usage_text, help_text)                       \
    static const struct command command_##ident __section(".table.command")                        \
        __attribute__((used, aligned(8))) = {cmd_name, usage_text,  help_text,                     \
                                             run_fn,   complete_fn, __FILE__}

const struct command *command_find(const char *name);
/* The n-th command by name order, NULL past the end. */
const struct command *command_nth(unsigned n);

/* Print its usage line. */
void command_usage(const struct command *command);

/*
 * Split and run one line ("#" starts a comment; "a; b" runs both). Returns what the command returned,
 * -ENOENT for an unknown one (already reported to the user), -EINVAL for a bad line.
 */
int command_run_line(const char *line);

/* Run words that are split already (`repeat`). As command_run_line() for one command. */
int command_run_words(int argc, char **argv);

/* Read-eval loop on the console: line editing, history, completion. Never returns. */
__noreturn void shell_run(void);

/* ANSI colours, empty strings after color_enable(false) (`color=off`): "\x1b[32m" ... */
enum color {
    COLOR_RESET,
    COLOR_BOLD,
    COLOR_DIM,
    COLOR_RED,
    COLOR_GREEN,
    COLOR_YELLOW,
    COLOR_BLUE,
    COLOR_MAGENTA,
    COLOR_CYAN,
    COLOR_WHITE
};
const char *color(enum color c);
void color_enable(bool on);

#endif
