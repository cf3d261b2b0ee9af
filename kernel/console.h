// SPDX-License-Identifier: MIT
/*
 * Consoles register here: write-only sinks for text (serial, VGA text, framebuffer) and sources of
 * input bytes (serial, keyboard) which push into one queue. Sinks understand the ANSI subset that
 * the shell uses: SGR colours, clear to end of line (K), cursor left/right, clear screen (2J + H).
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "lib/types.h"

struct console {
    const char *name; /* "ttyS0", "vga", "fb" : the console= option names these */
    void (*write)(struct console *self, const char *text,
                  size_t length); /* any context, locked by printk */
    bool enabled;                 /* set by console_register() according to console= */
    struct console *next;
};

/* Add a sink; it first gets the log so far. The console= option (comma separated names) selects; the
 * default is all of them. Boot. */
void console_register(struct console *console);
struct console *console_first(void);

/* To every enabled sink; the caller (printk) holds the output lock. "\n" becomes "\r\n" in sinks that need it. */
void console_write(const char *text, size_t length);

/* Nothing but colours has been written since the last newline. Exact only under the output lock. */
bool console_at_line_start(void);

/* Warn about names in console= that no driver registered. Once, when all drivers have. */
void console_check_option(void);

/* A driver's interrupt handler delivers a byte; full queue: dropped and counted. IRQ-safe. */
void console_input_push(u8 byte);
u64 console_input_dropped(void);

/* Next input byte; sleeps with hlt until there is one, running idle hooks. Not in interrupts. */
u8 console_input_wait(void);
/* Next byte or -1 at once. */
int console_input_poll(void);
/* True when Ctrl-C arrived since the last call: long commands ask between steps and stop. */
bool console_interrupted(void);
/* How often it has arrived since the boot: who runs several commands sees what the first one consumed. */
u64 console_interrupt_count(void);

/*
 * Lend the input: while `arrived` is set, Ctrl-C is a byte like any other, and arrived() is called after each one; IRQ
 * context, possibly in the middle of a print() on this CPU (print_in_progress()). NULL: the input is the shell's again.
 */
void console_input_lend(void (*arrived)(void));
bool console_input_waits(void);
/* Put bytes back in front of those that wait; what has no room is dropped and counted. */
void console_input_unread(const u8 *bytes, u32 count);

/* Called on the way to sleep: deferred work (vfree from interrupts) and the like. Boot only. */
void idle_hook_register(void (*hook)(void));
void idle_hooks_run(void);

#endif
