// SPDX-License-Identifier: MIT
/*
 * Consoles: the list of text sinks, the queue of input bytes, and the hooks that run before the boot
 * CPU goes to sleep. Sinks are added at boot only and written under printk's output lock; the queue
 * has its own lock (`input`), taken by interrupt handlers, and is never held while printing.
 * Read next: kernel/shell.c (who reads the input), drivers/serial.c (who delivers it).
 */
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/types.h"

#define INPUT_SIZE 4096 /* a power of two: positions run freely and are reduced on use */
#define IDLE_HOOKS 8
#define CTRL_C 0x03

static struct console *sinks;
static char selected[128]; /* the console= option: comma separated names, "" = all */

/* The output side's column, as far as anybody asks: is the next byte the first of its line? */
static bool line_start = true;
static bool in_escape;

static struct {
    struct spinlock lock;
    u32 head, tail; /* next to read, next to write */
    u64 dropped, interrupts;
    bool interrupted;
    void (*arrived)(void); /* whom the input is lent to; NULL: the shell reads it */
    u8 bytes[INPUT_SIZE];
} input = {.lock = SPINLOCK_INIT("input")};

static void (*idle_hooks[IDLE_HOOKS])(void);
static unsigned idle_hook_count;

/* Take the next name off a comma separated list; NULL at its end. */
static const char *next_name(const char *list, size_t *length)
{
    while (*list == ',')
        list++;
    const char *comma = strchr(list, ',');
    *length = comma ? (size_t)(comma - list) : strlen(list);
    return *length ? list : NULL;
}

static bool is_selected(const char *name)
{
    size_t length;

    if (selected[0] == '\0')
        return true;
    for (const char *p = selected; (p = next_name(p, &length)) != NULL; p += length)
        if (strlen(name) == length && strncmp(p, name, length) == 0)
            return true;
    return false;
}

static void replay_line(const struct log_line *line, void *ctx)
{
    struct console *console = ctx;
    char text[640];

    if (line->level <= printk_console_level)
        console->write(console, text, printk_format_line(text, sizeof(text), line));
}

void console_register(struct console *console)
{
    struct console **end = &sinks;

    console->next = NULL;
    console->enabled = is_selected(console->name);
    if (console->enabled)
        printk_for_each(replay_line, console);
    while (*end)
        end = &(*end)->next;
    *end = console;
}

struct console *console_first(void)
{
    return sinks;
}

/*
 * Colours after a newline do not end the line's emptiness, so escape sequences (ESC [ ... letter) are
 * stepped over. Only the end of the text matters, but an escape may span two writes.
 */
static void track_line_start(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_escape)
            in_escape = !(c >= '@' && c <= '~' && c != '[');
        else if (c == '\x1b')
            in_escape = true;
        else
            line_start = c == '\n' || c == '\r';
    }
}

bool console_at_line_start(void)
{
    return line_start;
}

static bool any_enabled(void)
{
    for (struct console *c = sinks; c; c = c->next)
        if (c->enabled)
            return true;
    return false;
}

/* A console= that names nothing which is there (yet) must not make the machine mute: then all speak. */
void console_write(const char *text, size_t length)
{
    bool all = !any_enabled();

    track_line_start(text, length);
    for (struct console *c = sinks; c; c = c->next)
        if (c->enabled || all)
            c->write(c, text, length);
}

static struct console *sink_named(const char *name, size_t length)
{
    for (struct console *c = sinks; c; c = c->next)
        if (strlen(c->name) == length && strncmp(c->name, name, length) == 0)
            return c;
    return NULL;
}

void console_check_option(void)
{
    size_t length;

    for (const char *p = selected; (p = next_name(p, &length)) != NULL; p += length) {
        if (sink_named(p, length))
            continue;
        log_warn("console=%.*s: there is no such console; these are there:", (int)length, p);
        for (struct console *c = sinks; c; c = c->next)
            log_warn("    %s", c->name);
    }
}

static int set_console(const char *value)
{
    size_t used = strlen(selected), length = strlen(value);

    if (length == 0 || used + 1 + length >= sizeof(selected))
        return -EINVAL;
    if (used)
        selected[used++] = ',';
    string_copy(selected + used, sizeof(selected) - used, value);
    for (struct console *c = sinks; c; c = c->next)
        c->enabled = is_selected(c->name);
    return 0;
}
PARAM(console, "console", set_console,
      "NAME[,NAME]: write only to these (ttyS0, vga, fb); default all of them");

void console_input_push(u8 byte)
{
    u64 flags = spin_lock_irqsave(&input.lock);
    void (*arrived)(void) = input.arrived;

    if (byte == CTRL_C && !arrived) {
        input.interrupted = true;
        input.interrupts++;
    }
    if (input.tail - input.head == INPUT_SIZE)
        input.dropped++;
    else
        input.bytes[input.tail++ % INPUT_SIZE] = byte;
    spin_unlock_irqrestore(&input.lock, flags);
    if (arrived)
        arrived();
}

void console_input_lend(void (*arrived)(void))
{
    u64 flags = spin_lock_irqsave(&input.lock);
    input.arrived = arrived;
    spin_unlock_irqrestore(&input.lock, flags);
}

void console_input_unread(const u8 *bytes, u32 count)
{
    u64 flags = spin_lock_irqsave(&input.lock);

    while (count--) {
        if (input.tail - input.head == INPUT_SIZE)
            input.dropped++;
        else
            input.bytes[--input.head % INPUT_SIZE] = bytes[count];
    }
    spin_unlock_irqrestore(&input.lock, flags);
}

u64 console_input_dropped(void)
{
    return __atomic_load_n(&input.dropped, __ATOMIC_RELAXED);
}

int console_input_poll(void)
{
    int byte = -1;
    u64 flags = spin_lock_irqsave(&input.lock);

    if (input.head != input.tail)
        byte = input.bytes[input.head++ % INPUT_SIZE];
    spin_unlock_irqrestore(&input.lock, flags);
    return byte;
}

static bool input_empty(void)
{
    return __atomic_load_n(&input.head, __ATOMIC_RELAXED) ==
           __atomic_load_n(&input.tail, __ATOMIC_RELAXED);
}

bool console_input_waits(void)
{
    return !input_empty();
}

u8 console_input_wait(void)
{
    for (;;) {
        int byte = console_input_poll();
        if (byte >= 0)
            return (u8)byte;
        idle_hooks_run();
        /*
         * The queue is looked at again with interrupts off: a byte that comes now stays pending until
         * the sti;hlt pair, which it then ends at once. Without this it could come just before hlt.
         */
        irq_disable();
        if (input_empty())
            cpu_wait_for_interrupt();
        else
            irq_enable();
    }
}

bool console_interrupted(void)
{
    return __atomic_exchange_n(&input.interrupted, false, __ATOMIC_RELAXED);
}

u64 console_interrupt_count(void)
{
    return __atomic_load_n(&input.interrupts, __ATOMIC_RELAXED);
}

void idle_hook_register(void (*hook)(void))
{
    ASSERT(idle_hook_count < IDLE_HOOKS, "idle hook %u of at most %u", idle_hook_count + 1,
           IDLE_HOOKS);
    idle_hooks[idle_hook_count++] = hook;
}

void idle_hooks_run(void)
{
    for (unsigned i = 0; i < idle_hook_count; i++)
        idle_hooks[i]();
}
