// SPDX-License-Identifier: MIT
/*
 * A terminal as a grid of cells: what VGA text and the framebuffer have in common. Text with UTF-8 and
 * the ANSI subset below goes in; a painter draws the cells that changed. Pure: no hardware, no
 * allocation, lib/ only, so the host tests run the same code.
 *
 * Glossary: *wanted* is the grid that the text produced, *shown* the grid that the screen shows;
 * repainting makes them equal. Colours are the 16 of ANSI: 0 black, 1 red, 2 green, 3 yellow, 4 blue,
 * 5 magenta, 6 cyan, 7 white, +8 bright.
 *
 * Understood: \n (new line), \r \b \t; CSI n A B C D (move), G (column), d (row), r;c H and f (place),
 * J (clear below, above, all), K (clear right, left, line), s u (save, restore), ?25 h l (cursor), m:
 * 0 1 2 7 22 27 30-37 39 40-47 49 90-97 100-107 38;5;n 48;5;n. Anything else is skipped silently.
 */
#ifndef DRIVERS_TERMINAL_H
#define DRIVERS_TERMINAL_H

#include "lib/types.h"

#define TERMINAL_DEFAULT_FOREGROUND 7
#define TERMINAL_DEFAULT_BACKGROUND 0
#define TERMINAL_MAX_PARAMS 16

struct terminal_cell {
    u16 code; /* Unicode, basic plane */
    u8 foreground, background;
};

struct terminal_painter {
    /* Draw one cell. */
    void (*paint)(unsigned column, unsigned row, struct terminal_cell cell);
    /* Draw the cursor over a cell that was just painted, or place the hardware's. */
    void (*cursor)(unsigned column, unsigned row, bool visible);
};

struct terminal {
    const struct terminal_painter *painter;
    unsigned columns, rows;
    struct terminal_cell *wanted, *shown;
    unsigned dirty_first, dirty_end; /* rows in which the two may differ: [first, end) */
    bool scrolled;                   /* since the last repaint */

    unsigned column, row;
    bool wrap_pending; /* the last column was written; the next character goes to the next line */
    unsigned saved_column, saved_row;
    bool cursor_hidden;
    unsigned cursor_column, cursor_row; /* where the screen shows it */

    u8 foreground, background;
    bool bold, dim, reverse;

    enum { TERMINAL_TEXT, TERMINAL_ESCAPE, TERMINAL_CSI, TERMINAL_STRING } state;
    unsigned params[TERMINAL_MAX_PARAMS], param_count;
    bool private_sequence;

    u32 utf8_code, utf8_minimum;
    unsigned utf8_left; /* continuation bytes still to come */
};

/*
 * An empty grid with the cursor at the top left. `cells` has room for 2 * columns * rows; columns and
 * rows are at least 1. Nothing is painted before the first terminal_repaint().
 */
void terminal_init(struct terminal *t, const struct terminal_painter *painter, unsigned columns,
                   unsigned rows, struct terminal_cell *cells);

/* Digest text into the wanted grid. Sequences may be split between calls. */
void terminal_write(struct terminal *t, const char *text, size_t length);

/* Paint every cell in which wanted and shown differ, then the cursor. */
void terminal_repaint(struct terminal *t);

#endif
