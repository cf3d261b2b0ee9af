// SPDX-License-Identifier: MIT
/*
 * When to paint. Writing to video memory is slow, so when lines scroll by faster than the eye can
 * follow, painting waits for the next idle moment or for REPAINT_INTERVAL_NS: a burst of a thousand
 * lines is painted a few times, not a thousand. Text that does not scroll is painted at once.
 * Locking: screen->lock, inside printk's output lock or taken by the idle hook alone; in a panic it
 * is ignored and everything is painted at once. Read next: drivers/terminal.c.
 */
#include "drivers/screen.h"
#include "kernel/percpu.h"
#include "kernel/time.h"

#define REPAINT_INTERVAL_NS 40000000

static struct screen *screens; /* added to at boot, never removed */

static void repaint(struct screen *screen)
{
    screen->last_repaint_ns = clock_ns();
    terminal_repaint(&screen->terminal);
}

/* Before the clock runs clock_ns() is 0, and nothing waits. */
static bool may_wait(const struct screen *screen)
{
    u64 now = clock_ns();
    return screen->terminal.scrolled && now && now - screen->last_repaint_ns < REPAINT_INTERVAL_NS;
}

static void screen_write(struct console *self, const char *text, size_t length)
{
    struct screen *screen = container_of(self, struct screen, console);

    if (this_cpu()->in_panic) {
        terminal_write(&screen->terminal, text, length);
        repaint(screen);
        return;
    }
    u64 flags = spin_lock_irqsave(&screen->lock);
    terminal_write(&screen->terminal, text, length);
    if (!may_wait(screen))
        repaint(screen);
    spin_unlock_irqrestore(&screen->lock, flags);
}

/* Nobody has anything to do: show what was put off. */
static void repaint_when_idle(void)
{
    for (struct screen *screen = screens; screen; screen = screen->next) {
        u64 flags = spin_lock_irqsave(&screen->lock);
        if (screen->terminal.scrolled)
            repaint(screen);
        spin_unlock_irqrestore(&screen->lock, flags);
    }
}

void screen_start(struct screen *screen, const char *name, const struct terminal_painter *painter,
                  unsigned columns, unsigned rows, struct terminal_cell *cells)
{
    *screen = (struct screen){
        .console = {.name = name, .write = screen_write},
        .lock = SPINLOCK_INIT("screen"),
        .next = screens,
    };
    terminal_init(&screen->terminal, painter, columns, rows, cells);
    repaint(screen);
    if (!screens)
        idle_hook_register(repaint_when_idle);
    screens = screen;
    console_register(&screen->console);
}
