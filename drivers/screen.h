// SPDX-License-Identifier: MIT
/*
 * A console on a screen: a terminal (drivers/terminal) behind a lock, painted now or a moment later.
 * Used by the VGA text and the framebuffer driver, which only know how to draw one cell.
 */
#ifndef DRIVERS_SCREEN_H
#define DRIVERS_SCREEN_H

#include "drivers/terminal.h"
#include "kernel/console.h"
#include "kernel/lock.h"
#include "lib/types.h"

struct screen {
    struct console console;
    struct terminal terminal;
    struct spinlock lock; /* guards terminal */
    u64 last_repaint_ns;
    struct screen *next;
};

/*
 * Paint an empty screen and register it as console `name`. The screen and its `cells` (room for
 * 2 * columns * rows) stay for ever. Boot.
 */
void screen_start(struct screen *screen, const char *name, const struct terminal_painter *painter,
                  unsigned columns, unsigned rows, struct terminal_cell *cells);

#endif
