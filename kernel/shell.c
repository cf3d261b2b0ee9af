// SPDX-License-Identifier: MIT
/*
 * The shell's loop: bytes from the consoles into the line editor, finished lines into the command
 * interpreter. It owns the one editor of the machine (about 66 KiB, mostly history).
 * Read next: kernel/editor.h, kernel/command.c.
 */
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/editor.h"
#include "kernel/printk.h"
#include "lib/types.h"

#define PROMPT "vitrine> "
#define CTRL_C 0x03

static struct editor editor;

static void write_out(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    print("%.*s", (int)length, text);
}

static const char *candidate(void *ctx, const char *name, int index, unsigned n)
{
    const struct command *command;

    (void)ctx;
    if (index == 0) {
        command = command_nth(n);
        return command ? command->name : NULL;
    }
    command = command_find(name);
    return command && command->complete ? command->complete(index, n) : NULL;
}

static const struct editor_ops ops = {write_out, candidate};

/* A fresh prompt at the start of a line, wherever the last output ended. */
static void prompt(void)
{
    if (!console_at_line_start())
        print("\n");
    editor_start(&editor);
}

/*
 * Ctrl-C stopped a command: what was typed ahead up to it goes with it, as on every terminal, and so
 * do the Ctrl-C bytes themselves, which would otherwise cancel the next line.
 */
static void discard_interrupted_input(u64 count)
{
    while (count) {
        int byte = console_input_poll();
        if (byte < 0)
            break;
        count -= byte == CTRL_C;
    }
    print("^C\n");
}

static void run_line(const char *line)
{
    u64 interrupts = console_interrupt_count();

    /* One from before this command was meant for something else. */
    console_interrupted();
    command_run_line(line);
    u64 arrived = console_interrupt_count() - interrupts;
    if (arrived)
        discard_interrupted_input(arrived);
}

__noreturn void shell_run(void)
{
    editor_init(&editor, &ops, NULL, PROMPT);
    prompt();
    for (;;) {
        enum editor_event event = editor_feed(&editor, console_input_wait());

        if (event == EDITOR_MORE)
            continue;
        if (event == EDITOR_LINE)
            run_line(editor.line);
        else if (event == EDITOR_END)
            print("`poweroff` leaves\n");
        prompt();
    }
}
