// SPDX-License-Identifier: MIT
/*
 * The terminal shared by VGA text and the framebuffer: a UTF-8 decoder, an ANSI parser and a grid of
 * cells. Scrolling moves cells, never pixels: reading video memory is slow, and after a burst of lines
 * only the cells that ended up different are painted.
 * Locking: the caller's (printk's output lock). No state but struct terminal.
 * Reference: ECMA-48. Read next: drivers/framebuffer.c, one of the two painters.
 */
#include "drivers/terminal.h"
#include "lib/string.h"

#define REPLACEMENT_CODE 0xfffd
#define TAB_WIDTH 8
#define PARAM_LIMIT 9999

/* In `shown` only: differs from every cell that text can produce. */
static const struct terminal_cell never_shown = {.code = 0xffff, .foreground = 0xff};

static bool cells_equal(struct terminal_cell a, struct terminal_cell b)
{
    return a.code == b.code && a.foreground == b.foreground && a.background == b.background;
}

static unsigned min_unsigned(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void mark_dirty(struct terminal *t, unsigned first, unsigned end)
{
    if (first < t->dirty_first)
        t->dirty_first = first;
    if (end > t->dirty_end)
        t->dirty_end = end;
}

/* Bold is shown as the bright half of the palette; dim as grey where plain white was meant. */
static struct terminal_cell styled(const struct terminal *t, u16 code)
{
    u8 foreground = t->foreground, background = t->background;

    if (t->bold && foreground < 8)
        foreground += 8;
    else if (t->dim && foreground == TERMINAL_DEFAULT_FOREGROUND)
        foreground = 8;
    else if (t->dim && foreground > 8)
        foreground -= 8;
    if (t->reverse)
        return (struct terminal_cell){code, background, foreground};
    return (struct terminal_cell){code, foreground, background};
}

/* Clear cells [from, to) of the grid, counted row by row. Only the background colour applies. */
static void clear_cells(struct terminal *t, unsigned from, unsigned to)
{
    struct terminal_cell blank = {' ', TERMINAL_DEFAULT_FOREGROUND, t->background};

    if (from >= to)
        return;
    for (unsigned i = from; i < to; i++)
        t->wanted[i] = blank;
    mark_dirty(t, from / t->columns, (to - 1) / t->columns + 1);
}

static void scroll_up(struct terminal *t)
{
    size_t rest = (size_t)t->columns * (t->rows - 1);

    memmove(t->wanted, t->wanted + t->columns, rest * sizeof(t->wanted[0]));
    clear_cells(t, (unsigned)rest, (unsigned)rest + t->columns);
    mark_dirty(t, 0, t->rows);
    t->scrolled = true;
}

static void move_to(struct terminal *t, unsigned column, unsigned row)
{
    t->column = min_unsigned(column, t->columns - 1);
    t->row = min_unsigned(row, t->rows - 1);
    t->wrap_pending = false;
}

static void new_line(struct terminal *t)
{
    t->column = 0;
    t->wrap_pending = false;
    if (t->row + 1 < t->rows)
        t->row++;
    else
        scroll_up(t);
}

/*
 * As on a VT100, writing the last column does not wrap at once: a line of exactly `columns`
 * characters followed by \n takes one row, not two.
 */
static void put_code(struct terminal *t, u32 code)
{
    if (t->wrap_pending)
        new_line(t);
    if (code > 0xfffe)
        code = REPLACEMENT_CODE;
    t->wanted[t->row * t->columns + t->column] = styled(t, (u16)code);
    mark_dirty(t, t->row, t->row + 1);
    if (t->column + 1 < t->columns)
        t->column++;
    else
        t->wrap_pending = true;
}

static void control_character(struct terminal *t, u8 byte)
{
    switch (byte) {
    case '\n':
        new_line(t);
        break;
    case '\r':
        move_to(t, 0, t->row);
        break;
    case '\b':
        move_to(t, t->column ? t->column - 1 : 0, t->row);
        break;
    case '\t':
        move_to(t, (t->column / TAB_WIDTH + 1) * TAB_WIDTH, t->row);
        break;
    case '\x1b':
        t->state = TERMINAL_ESCAPE;
        break;
    }
}

/* Parameter i of a control sequence, `missing` where it was left out or 0 was given for "one". */
static unsigned param(const struct terminal *t, unsigned i, unsigned missing)
{
    return i < t->param_count && t->params[i] ? t->params[i] : missing;
}

static void clear_screen(struct terminal *t, unsigned what)
{
    unsigned here = t->row * t->columns + t->column, all = t->rows * t->columns;

    if (what == 0)
        clear_cells(t, here, all);
    else if (what == 1)
        clear_cells(t, 0, here + 1);
    else
        clear_cells(t, 0, all);
}

static void clear_line(struct terminal *t, unsigned what)
{
    unsigned start = t->row * t->columns, here = start + t->column;

    if (what == 0)
        clear_cells(t, here, start + t->columns);
    else if (what == 1)
        clear_cells(t, start, here + 1);
    else
        clear_cells(t, start, start + t->columns);
}

/* The 16 colours nearest to xterm's 256: 16 themselves, a 6x6x6 cube, 24 greys. */
static u8 nearest_color(unsigned n)
{
    if (n < 16)
        return (u8)n;
    if (n > 255)
        return TERMINAL_DEFAULT_FOREGROUND;
    if (n >= 232)
        return n < 238 ? 0 : n < 244 ? 8 : n < 250 ? 7 : 15;

    unsigned red = (n - 16) / 36, green = (n - 16) / 6 % 6, blue = (n - 16) % 6;
    unsigned most = red > green ? red : green;
    most = most > blue ? most : blue;
    if (most < 2)
        return most ? 8 : 0;
    u8 color =
        (u8)((2 * red > most ? 1 : 0) | (2 * green > most ? 2 : 0) | (2 * blue > most ? 4 : 0));
    return most > 3 ? color + 8 : color;
}

/* "38;5;n" and "38;2;r;g;b" at params[i]: sets *color if it can; returns the parameters used. */
static unsigned extended_color(const struct terminal *t, unsigned i, u8 *color)
{
    unsigned kind = i + 1 < t->param_count ? t->params[i + 1] : 0;

    if (kind == 5 && i + 2 < t->param_count) {
        *color = nearest_color(t->params[i + 2]);
        return 3;
    }
    return kind == 2 ? 5 : 2;
}

static void reset_style(struct terminal *t)
{
    t->foreground = TERMINAL_DEFAULT_FOREGROUND;
    t->background = TERMINAL_DEFAULT_BACKGROUND;
    t->bold = t->dim = t->reverse = false;
}

/* One SGR parameter that stands alone. */
static void select_attribute(struct terminal *t, unsigned n)
{
    if (n == 0)
        reset_style(t);
    else if (n == 1)
        t->bold = true;
    else if (n == 2)
        t->dim = true;
    else if (n == 22)
        t->bold = t->dim = false;
    else if (n == 7 || n == 27)
        t->reverse = n == 7;
    else if (n >= 30 && n <= 37)
        t->foreground = (u8)(n - 30);
    else if (n == 39)
        t->foreground = TERMINAL_DEFAULT_FOREGROUND;
    else if (n >= 40 && n <= 47)
        t->background = (u8)(n - 40);
    else if (n == 49)
        t->background = TERMINAL_DEFAULT_BACKGROUND;
    else if (n >= 90 && n <= 97)
        t->foreground = (u8)(n - 90 + 8);
    else if (n >= 100 && n <= 107)
        t->background = (u8)(n - 100 + 8);
}

static void select_attributes(struct terminal *t)
{
    if (t->param_count == 0)
        reset_style(t);
    for (unsigned i = 0; i < t->param_count;) {
        if (t->params[i] == 38) {
            i += extended_color(t, i, &t->foreground);
        } else if (t->params[i] == 48) {
            i += extended_color(t, i, &t->background);
        } else {
            select_attribute(t, t->params[i]);
            i++;
        }
    }
}

static void save_or_restore(struct terminal *t, bool save)
{
    if (save) {
        t->saved_column = t->column;
        t->saved_row = t->row;
    } else {
        move_to(t, t->saved_column, t->saved_row);
    }
}

/* Perform the control sequence that ends with `final`. */
static void control_sequence(struct terminal *t, u8 final)
{
    unsigned n = param(t, 0, 1);

    if (t->private_sequence) {
        if ((final == 'h' || final == 'l') && param(t, 0, 0) == 25)
            t->cursor_hidden = final == 'l';
        return;
    }
    switch (final) {
    case 'A':
        move_to(t, t->column, t->row > n ? t->row - n : 0);
        break;
    case 'B':
        move_to(t, t->column, t->row + n);
        break;
    case 'C':
        move_to(t, t->column + n, t->row);
        break;
    case 'D':
        move_to(t, t->column > n ? t->column - n : 0, t->row);
        break;
    case 'G':
        move_to(t, n - 1, t->row);
        break;
    case 'd':
        move_to(t, t->column, n - 1);
        break;
    case 'H':
    case 'f':
        move_to(t, param(t, 1, 1) - 1, n - 1);
        break;
    case 'J':
        clear_screen(t, param(t, 0, 0));
        break;
    case 'K':
        clear_line(t, param(t, 0, 0));
        break;
    case 'm':
        select_attributes(t);
        break;
    case 's':
        save_or_restore(t, true);
        break;
    case 'u':
        save_or_restore(t, false);
        break;
    }
}

static void csi_byte(struct terminal *t, u8 byte)
{
    if (byte >= '0' && byte <= '9') {
        if (t->param_count == 0)
            t->params[t->param_count++] = 0;
        unsigned *last = &t->params[t->param_count - 1];
        *last = min_unsigned(*last * 10 + (byte - '0'), PARAM_LIMIT);
    } else if (byte == ';') {
        if (t->param_count == 0)
            t->params[t->param_count++] = 0;
        if (t->param_count < TERMINAL_MAX_PARAMS)
            t->params[t->param_count++] = 0;
    } else if (byte >= '<' && byte <= '?') {
        t->private_sequence = true;
    } else if (byte >= '@' && byte <= '~') {
        control_sequence(t, byte);
        t->state = TERMINAL_TEXT;
    } else if (byte == '\x1b') {
        t->state = TERMINAL_ESCAPE;
    } else if (byte < ' ') {
        control_character(t, byte);
    } else if (byte > '~') {
        t->state = TERMINAL_TEXT;
    }
}

static void escape_byte(struct terminal *t, u8 byte)
{
    t->state = TERMINAL_TEXT;
    if (byte == '[') {
        memset(t->params, 0, sizeof(t->params));
        t->param_count = 0;
        t->private_sequence = false;
        t->state = TERMINAL_CSI;
    } else if (byte == ']') {
        t->state = TERMINAL_STRING; /* a window title: text until BEL or ESC */
    } else if (byte == '7' || byte == '8') {
        save_or_restore(t, byte == '7');
    } else if (byte == 'c') {
        reset_style(t);
        clear_screen(t, 2);
        move_to(t, 0, 0);
    }
}

/* A byte that cannot start or continue a character: one replacement sign, then start afresh. */
static void utf8_broken(struct terminal *t)
{
    t->utf8_left = 0;
    put_code(t, REPLACEMENT_CODE);
}

static void utf8_start(struct terminal *t, u8 byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        t->utf8_left = 1;
        t->utf8_code = byte & 0x1f;
        t->utf8_minimum = 0x80;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        t->utf8_left = 2;
        t->utf8_code = byte & 0x0f;
        t->utf8_minimum = 0x800;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        t->utf8_left = 3;
        t->utf8_code = byte & 0x07;
        t->utf8_minimum = 0x10000;
    } else {
        utf8_broken(t);
    }
}

static void utf8_continue(struct terminal *t, u8 byte)
{
    t->utf8_code = t->utf8_code << 6 | (byte & 0x3f);
    if (--t->utf8_left > 0)
        return;
    bool surrogate = t->utf8_code >= 0xd800 && t->utf8_code <= 0xdfff;
    if (t->utf8_code < t->utf8_minimum || surrogate)
        utf8_broken(t);
    else
        put_code(t, t->utf8_code);
}

static void text_byte(struct terminal *t, u8 byte)
{
    bool continuation = (byte & 0xc0) == 0x80;

    if (t->utf8_left > 0 && continuation) {
        utf8_continue(t, byte);
        return;
    }
    if (t->utf8_left > 0)
        utf8_broken(t);
    if (byte >= 0x80)
        utf8_start(t, byte);
    else if (byte >= ' ' && byte != 0x7f)
        put_code(t, byte);
    else
        control_character(t, byte);
}

void terminal_init(struct terminal *t, const struct terminal_painter *painter, unsigned columns,
                   unsigned rows, struct terminal_cell *cells)
{
    unsigned count = columns * rows;

    *t = (struct terminal){
        .painter = painter,
        .columns = columns,
        .rows = rows,
        .wanted = cells,
        .shown = cells + count,
    };
    reset_style(t);
    clear_cells(t, 0, count);
    for (unsigned i = 0; i < count; i++)
        t->shown[i] = never_shown;
}

void terminal_write(struct terminal *t, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        u8 byte = (u8)text[i];

        switch (t->state) {
        case TERMINAL_TEXT:
            text_byte(t, byte);
            break;
        case TERMINAL_ESCAPE:
            escape_byte(t, byte);
            break;
        case TERMINAL_CSI:
            csi_byte(t, byte);
            break;
        case TERMINAL_STRING:
            if (byte == '\a' || byte == '\x1b')
                t->state = byte == '\a' ? TERMINAL_TEXT : TERMINAL_ESCAPE;
            break;
        }
    }
}

static void repaint_row(struct terminal *t, unsigned row)
{
    struct terminal_cell *wanted = t->wanted + row * t->columns;
    struct terminal_cell *shown = t->shown + row * t->columns;

    for (unsigned column = 0; column < t->columns; column++) {
        if (cells_equal(wanted[column], shown[column]))
            continue;
        t->painter->paint(column, row, wanted[column]);
        shown[column] = wanted[column];
    }
}

/* The cursor is drawn over its cell: before it leaves, that cell must be painted again. */
static void lift_cursor(struct terminal *t)
{
    t->shown[t->cursor_row * t->columns + t->cursor_column] = never_shown;
    mark_dirty(t, t->cursor_row, t->cursor_row + 1);
}

void terminal_repaint(struct terminal *t)
{
    lift_cursor(t);
    for (unsigned row = t->dirty_first; row < t->dirty_end; row++)
        repaint_row(t, row);
    t->dirty_first = t->rows;
    t->dirty_end = 0;
    t->scrolled = false;

    t->cursor_column = t->column;
    t->cursor_row = t->row;
    t->painter->cursor(t->column, t->row, !t->cursor_hidden);
}
