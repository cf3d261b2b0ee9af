// SPDX-License-Identifier: MIT
/*
 * The line editor's engine: the line, what of it is on the screen, and the history.
 * No lock: one editor, one reader. Invariants, which the host fuzz test checks after every byte:
 * view <= cursor <= length <= EDITOR_LINE_MAX; line[length] is NUL; the line is valid UTF-8.
 * Output uses only what every sink understands: text, newline, bell, ESC [ n C, n D, K, 2J, H.
 * Read next: kernel/editor_keys.c (which key does what), kernel/editor_complete.c (Tab).
 */
#include "kernel/editor.h"
#include "kernel/editor_internal.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

/* Output ------------------------------------------------------------------------------------- */

void editor_flush(struct editor *e)
{
    if (e->out_used)
        e->ops->write(e->ctx, e->out, e->out_used);
    e->out_used = 0;
}

static void emit_bytes(struct editor *e, const char *text, size_t length)
{
    while (length) {
        size_t n = min_u64(length, sizeof(e->out) - e->out_used);
        memcpy(e->out + e->out_used, text, n);
        e->out_used += n;
        text += n;
        length -= n;
        if (e->out_used == sizeof(e->out))
            editor_flush(e);
    }
}

void editor_emit(struct editor *e, const char *text)
{
    emit_bytes(e, text, strlen(text));
}

/* Put the terminal's cursor into a column, counted from behind the prompt. */
static void move_to_column(struct editor *e, size_t column)
{
    char sequence[24];

    if (column == e->column)
        return;
    bool left = column < e->column;
    format_to(sequence, sizeof(sequence), "\x1b[%zu%c",
              left ? e->column - column : column - e->column, left ? 'D' : 'C');
    editor_emit(e, sequence);
    e->column = column;
}

/* Characters and columns ------------------------------------------------------------------------ */

/* Every character counts as one column: the console fonts know no wide ones. */
static size_t columns_between(const struct editor *e, size_t from, size_t to)
{
    size_t columns = 0;
    for (size_t i = from; i < to; i++)
        columns += !editor_is_continuation(e->line[i]);
    return columns;
}

size_t editor_previous_character(const struct editor *e, size_t at)
{
    while (at > 0) {
        at--;
        if (!editor_is_continuation(e->line[at]))
            break;
    }
    return at;
}

size_t editor_next_character(const struct editor *e, size_t at)
{
    if (at >= e->length)
        return e->length;
    do
        at++;
    while (at < e->length && editor_is_continuation(e->line[at]));
    return at;
}

/* Choose the view so that it contains the cursor; true when it changed. */
static bool adjust_view(struct editor *e)
{
    size_t before = e->view;

    if (columns_between(e, 0, e->length) <= e->window) {
        e->view = 0;
    } else if (e->cursor < e->view || columns_between(e, e->view, e->cursor) > e->window) {
        /* Half a window at once: a long line scrolls rarely instead of at each key. */
        e->view = e->cursor;
        for (size_t i = 0; i < e->window / 2; i++)
            e->view = editor_previous_character(e, e->view);
    }
    return e->view != before;
}

void editor_redraw(struct editor *e)
{
    adjust_view(e);
    move_to_column(e, 0);
    size_t end = e->view;
    while (end < e->length && e->column < e->window) {
        end = editor_next_character(e, end);
        e->column++;
    }
    emit_bytes(e, e->line + e->view, end - e->view);
    editor_emit(e, "\x1b[K");
    move_to_column(e, columns_between(e, e->view, e->cursor));
}

/* What scrolled out of the view is shown once, so that the terminal's record is complete. */
void editor_show_all(struct editor *e)
{
    if (columns_between(e, 0, e->length) <= e->window)
        return;
    move_to_column(e, 0);
    emit_bytes(e, e->line, e->length);
}

void editor_cursor_to(struct editor *e, size_t at)
{
    e->cursor = at;
    if (adjust_view(e))
        editor_redraw(e);
    else
        move_to_column(e, columns_between(e, e->view, at));
}

/* Editing -------------------------------------------------------------------------------------- */

bool editor_insert(struct editor *e, const char *text, size_t n)
{
    if (n > EDITOR_LINE_MAX - e->length) {
        /* One bell for the line, however much is refused: a pasted megabyte is not a concert. */
        if (!e->refused)
            editor_emit(e, "\a");
        e->refused = true;
        return false;
    }
    bool at_end = e->cursor == e->length;
    memmove(e->line + e->cursor + n, e->line + e->cursor, e->length - e->cursor + 1);
    memcpy(e->line + e->cursor, text, n);
    e->length += n;
    e->cursor += n;
    if (adjust_view(e) || !at_end) {
        editor_redraw(e);
    } else {
        emit_bytes(e, text, n);
        e->column = columns_between(e, e->view, e->cursor);
    }
    return true;
}

void editor_erase(struct editor *e, size_t from, size_t to)
{
    if (from == to)
        return;
    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    e->cursor = from;
    /* With nothing left, nothing that was refused is missed. */
    if (e->length == 0)
        e->refused = false;
    editor_redraw(e);
}

void editor_erase_word(struct editor *e)
{
    size_t from = e->cursor;
    while (from > 0 && e->line[from - 1] == ' ')
        from--;
    while (from > 0 && e->line[from - 1] != ' ')
        from--;
    editor_erase(e, from, e->cursor);
}

static void set_line(struct editor *e, const char *text)
{
    string_copy(e->line, sizeof(e->line), text);
    e->length = strlen(e->line);
    e->cursor = e->length;
    e->refused = false;
    editor_redraw(e);
}

void editor_clear_screen(struct editor *e)
{
    editor_emit(e, "\x1b[2J\x1b[H");
    editor_emit(e, e->prompt);
    e->column = 0;
    editor_redraw(e);
}

/* History --------------------------------------------------------------------------------------- */

/* k = 1 is the latest line. */
static char *history_at(struct editor *e, unsigned k)
{
    return e->history[(e->history_next + EDITOR_HISTORY - k) % EDITOR_HISTORY];
}

void editor_history_add(struct editor *e)
{
    if (e->length == 0 || (e->history_count && strcmp(history_at(e, 1), e->line) == 0))
        return;
    memcpy(e->history[e->history_next], e->line, e->length + 1);
    e->history_next = (e->history_next + 1) % EDITOR_HISTORY;
    e->history_count = (unsigned)min_u64(e->history_count + 1, EDITOR_HISTORY);
}

void editor_history_older(struct editor *e)
{
    if (e->browsing == e->history_count)
        return;
    if (e->browsing == 0)
        memcpy(e->typed, e->line, e->length + 1);
    set_line(e, history_at(e, ++e->browsing));
}

void editor_history_newer(struct editor *e)
{
    if (e->browsing == 0)
        return;
    e->browsing--;
    set_line(e, e->browsing ? history_at(e, e->browsing) : e->typed);
}

/* Start ----------------------------------------------------------------------------------------- */

void editor_start(struct editor *e)
{
    e->line[0] = '\0';
    e->length = e->cursor = e->view = e->column = 0;
    e->refused = false;
    e->browsing = 0;
    editor_emit(e, e->prompt);
    editor_flush(e);
}

void editor_init(struct editor *e, const struct editor_ops *ops, void *ctx, const char *prompt)
{
    memset(e, 0, sizeof(*e));
    e->ops = ops;
    e->ctx = ctx;
    e->prompt = prompt;
    /* The last column stays free: writing there makes terminals wrap, each in its own way. */
    e->window = EDITOR_COLUMNS - 1 - strlen(prompt);
}
