// SPDX-License-Identifier: MIT
/*
 * The kernel's voice. Two streams: printk() for log lines (level, timestamp, kept in a ring that the
 * `log` command shows), and print() for what a command answers (no prefix, not kept). Both reach
 * every registered console. Own lock, taken with interrupts off; during a panic the lock is ignored.
 */
#ifndef KERNEL_PRINTK_H
#define KERNEL_PRINTK_H

#include "lib/types.h"
#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* One log line, no trailing newline needed. Any context. */
void printk(enum log_level level, const char *format, ...) __printf(2, 3);
void vprintk(enum log_level level, const char *format, va_list args) __printf(2, 0);

#define log_error(...) printk(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) printk(LOG_WARN, __VA_ARGS__)
#define log_info(...) printk(LOG_INFO, __VA_ARGS__)
#define log_debug(...) printk(LOG_DEBUG, __VA_ARGS__)

/* Plain text to the consoles: shell output, KTAP lines. Any context. */
void print(const char *format, ...) __printf(1, 2);
void vprint(const char *format, va_list args) __printf(1, 0);

/* Bytes as they are, NULs included. Any context. */
void print_bytes(const char *text, size_t length);

/* Is this CPU in the middle of writing to the consoles? Then who interrupts it must not print. */
bool print_in_progress(void);

/*
 * Until print_capture(NULL, NULL), what print() is given in task context goes to take(ctx) instead of the consoles:
 * the text of a command becomes a file. Not nested; the caller does not sleep in between.
 */
void print_capture(void (*take)(void *ctx, const char *text, size_t length), void *ctx);

/* Lines up to this level reach the consoles (all levels reach the ring). Default LOG_INFO. */
extern enum log_level printk_console_level;

/*
 * Visit the ring's lines, oldest first. text is valid during the call only. `dropped` lines were
 * overwritten before the oldest one left.
 */
struct log_line {
    u64 sequence, time_ns;
    enum log_level level;
    const char *text;
};
u64 printk_for_each(void (*visit)(const struct log_line *line, void *ctx), void *ctx);

/*
 * "[    0.012345] text\n" in the colour of its level, as the consoles show it; cut to size - 1
 * characters. Returns the length written. Any context.
 */
size_t printk_format_line(char *buf, size_t size, const struct log_line *line);

/* "warn" or "1" to LOG_WARN; -EINVAL for anything else. And back: "warn". */
int log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* From now on this CPU prints without taking locks (panic only). */
void printk_enter_panic(void);

#endif
