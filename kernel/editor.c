// SPDX-License-Identifier: MIT
/*
 * The line editor's engine. It owns the line, what of it is on the screen, and the parsing of keys.
 * No lock: one editor, one reader. Invariants, which the host fuzz test checks after every byte:
 * view <= cursor <= length <= EDITOR_LINE_MAX; line[length] is NUL; the line is valid UTF-8.
 * Output uses only what every sink understands: text, newline, bell, ESC [ n C, n D, K, 2J, H.
 * Read next: kernel/editor_complete.c (Tab), kernel/shell.c (the loop around this).
 */
#include "kernel/editor.h"
#include "kernel/editor_internal.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define CTRL(letter) ((letter) - 'A' + 1)
#define ESC 0x1b
#define DEL 0x7f

/* Output ------------------------------------------------------------------------------------- */

static void flush(struct editor *e)
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
            flush(e);
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
    format_to(sequence, sizeof(sequence), "\x1b[%zu%c", left ? e->column - column : column - e->column,
              left ? 'D' : 'C');
    editor_emit(e, sequence);
    e->column = column;
}

/* Characters and columns ------------------------------------------------------------------------ */

static bool is_continuation(char c)
{
    return ((u8)c & 0xc0) == 0x80;
}

/* Every character counts as one column: the console fonts know no wide ones. */
static size_t columns_between(const struct editor *e, size_t from, size_t to)
{
    size_t columns = 0;
    for (size_t i = from; i < to; i++)
        columns += !is_continuation(e->line[i]);
    return columns;
}

static size_t previous_character(const struct editor *e, size_t at)
{
    if (at == 0)
        return 0;
    do
        at--;
    while (at > 0 && is_continuation(e->line[at]));
    return at;
}

static size_t next_character(const struct editor *e, size_t at)
{
    if (at >= e->length)
        return e->length;
    do
        at++;
    while (at < e->length && is_continuation(e->line[at]));
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
            e->view = previous_character(e, e->view);
    }
    return e->view != before;
}

/* Rewrite everything behind the prompt. */
void editor_redraw(struct editor *e)
{
    adjust_view(e);
    move_to_column(e, 0);
    size_t end = e->view;
    while (end < e->length && e->column < e->window) {
        end = next_character(e, end);
        e->column++;
    }
    emit_bytes(e, e->line + e->view, end - e->view);
    editor_emit(e, "\x1b[K");
    move_to_column(e, columns_between(e, e->view, e->cursor));
}

static void cursor_to(struct editor *e, size_t at)
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

/* Remove bytes [from, to) and leave the cursor there. */
static void erase(struct editor *e, size_t from, size_t to)
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

static void erase_word(struct editor *e)
{
    size_t from = e->cursor;
    while (from > 0 && e->line[from - 1] == ' ')
        from--;
    while (from > 0 && e->line[from - 1] != ' ')
        from--;
    erase(e, from, e->cursor);
}

static void set_line(struct editor *e, const char *text)
{
    string_copy(e->line, sizeof(e->line), text);
    e->length = strlen(e->line);
    e->cursor = e->length;
    e->refused = false;
    editor_redraw(e);
}

static void clear_screen(struct editor *e)
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

static void history_add(struct editor *e)
{
    if (e->length == 0 || (e->history_count && strcmp(history_at(e, 1), e->line) == 0))
        return;
    memcpy(e->history[e->history_next], e->line, e->length + 1);
    e->history_next = (e->history_next + 1) % EDITOR_HISTORY;
    e->history_count = (unsigned)min_u64(e->history_count + 1, EDITOR_HISTORY);
}

static void history_older(struct editor *e)
{
    if (e->browsing == e->history_count)
        return;
    if (e->browsing == 0)
        memcpy(e->typed, e->line, e->length + 1);
    set_line(e, history_at(e, ++e->browsing));
}

static void history_newer(struct editor *e)
{
    if (e->browsing == 0)
        return;
    e->browsing--;
    set_line(e, e->browsing ? history_at(e, e->browsing) : e->typed);
}

/* Keys ------------------------------------------------------------------------------------------ */

static enum editor_event enter(struct editor *e)
{
    /* What scrolled out of the view is shown once, so that the terminal's record is complete. */
    if (columns_between(e, 0, e->length) > e->window) {
        move_to_column(e, 0);
        emit_bytes(e, e->line, e->length);
    }
    editor_emit(e, "\n");
    if (e->refused) {
        char text[64];
        format_to(text, sizeof(text), "line longer than %d characters: cut\n", EDITOR_LINE_MAX);
        editor_emit(e, text);
        return EDITOR_CUT;
    }
    history_add(e);
    return EDITOR_LINE;
}

static enum editor_event cancel(struct editor *e)
{
    editor_emit(e, "^C\n");
    return EDITOR_CANCELLED;
}

static enum editor_event delete_or_end(struct editor *e)
{
    if (e->length == 0) {
        editor_emit(e, "\n");
        return EDITOR_END;
    }
    erase(e, e->cursor, next_character(e, e->cursor));
    return EDITOR_MORE;
}

static enum editor_event control_key(struct editor *e, u8 byte)
{
    switch (byte) {
    case '\r':
        e->after_cr = true;
        return enter(e);
    case '\n':
        return enter(e);
    case CTRL('C'):
        return cancel(e);
    case CTRL('D'):
        return delete_or_end(e);
    case CTRL('A'):
        cursor_to(e, 0);
        break;
    case CTRL('E'):
        cursor_to(e, e->length);
        break;
    case CTRL('B'):
        cursor_to(e, previous_character(e, e->cursor));
        break;
    case CTRL('F'):
        cursor_to(e, next_character(e, e->cursor));
        break;
    case CTRL('P'):
        history_older(e);
        break;
    case CTRL('N'):
        history_newer(e);
        break;
    case CTRL('K'):
        erase(e, e->cursor, e->length);
        break;
    case CTRL('U'):
        erase(e, 0, e->cursor);
        break;
    case CTRL('W'):
        erase_word(e);
        break;
    case CTRL('L'):
        clear_screen(e);
        break;
    case CTRL('H'):
    case DEL:
        erase(e, previous_character(e, e->cursor), e->cursor);
        break;
    case '\t':
        editor_complete(e);
        break;
    case ESC:
        e->state = EDITOR_ESCAPE;
        break;
    default: /* NUL and the other control characters mean nothing here */
        break;
    }
    return EDITOR_MORE;
}

/* The last byte of ESC [ n X or ESC O X. Keys that mean nothing here are ignored. */
static void escape_key(struct editor *e, u8 final)
{
    u32 tilde_key = final == '~' ? e->number : 0;

    if (final == 'A')
        history_older(e);
    else if (final == 'B')
        history_newer(e);
    else if (final == 'C')
        cursor_to(e, next_character(e, e->cursor));
    else if (final == 'D')
        cursor_to(e, previous_character(e, e->cursor));
    else if (final == 'H' || tilde_key == 1 || tilde_key == 7)
        cursor_to(e, 0);
    else if (final == 'F' || tilde_key == 4 || tilde_key == 8)
        cursor_to(e, e->length);
    else if (tilde_key == 3)
        erase(e, e->cursor, next_character(e, e->cursor));
}

/* A byte inside an escape sequence (ECMA-48: parameters 0x30-0x3f, then 0x20-0x2f, then the final). */
static void escape_byte(struct editor *e, u8 byte)
{
    enum editor_state state = e->state;

    if (state == EDITOR_ESCAPE) {
        e->number = 0;
        e->number_done = false;
        e->state = byte == '[' ? EDITOR_CSI : byte == 'O' ? EDITOR_SS3 : EDITOR_GROUND;
    } else if (state == EDITOR_CSI && byte < '@') {
        if (byte < '0' || byte > '9')
            e->number_done = true;
        else if (!e->number_done && e->number < 1000)
            e->number = e->number * 10 + (byte - '0');
    } else {
        e->state = EDITOR_GROUND;
        escape_key(e, byte);
    }
}

/* How many bytes the character has that starts with this one; 0 when none does. */
static unsigned utf8_length(u8 lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* The second byte excludes overlong forms, surrogates, beyond U+10FFFF and the C1 controls. */
static bool utf8_second_ok(u8 lead, u8 second)
{
    switch (lead) {
    case 0xc2:
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

/* Gather a character of several bytes and insert it whole; halves and garbage vanish. */
static void utf8_byte(struct editor *e, u8 byte)
{
    if (!is_continuation((char)byte)) {
        e->pending_need = utf8_length(byte);
        e->pending_have = 0;
    }
    if (e->pending_need == 0)
        return;
    e->pending[e->pending_have++] = byte;
    if (e->pending_have == 2 && !utf8_second_ok(e->pending[0], byte))
        e->pending_need = 0;
    else if (e->pending_have == e->pending_need) {
        e->pending_need = 0;
        editor_insert(e, (const char *)e->pending, e->pending_have);
    }
}

static enum editor_event feed(struct editor *e, u8 byte)
{
    bool second_half_of_crlf = byte == '\n' && e->after_cr;

    e->after_cr = false;
    if (second_half_of_crlf)
        return EDITOR_MORE;
    if (byte < 0x80)
        e->pending_need = 0;
    if (byte < 0x20 || byte == DEL) {
        e->state = EDITOR_GROUND;
        return control_key(e, byte);
    }
    if (byte >= 0x80) {
        e->state = EDITOR_GROUND;
        utf8_byte(e, byte);
    } else if (e->state != EDITOR_GROUND) {
        escape_byte(e, byte);
    } else {
        char c = (char)byte;
        editor_insert(e, &c, 1);
    }
    return EDITOR_MORE;
}

enum editor_event editor_feed(struct editor *e, u8 byte)
{
    enum editor_event event = feed(e, byte);
    flush(e);
    return event;
}

void editor_start(struct editor *e)
{
    e->line[0] = '\0';
    e->length = e->cursor = e->view = e->column = 0;
    e->refused = false;
    e->browsing = 0;
    editor_emit(e, e->prompt);
    flush(e);
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
