// SPDX-License-Identifier: MIT
/*
 * The keys of the line editor: bytes from the terminal become control keys, VT100 escape sequences
 * and UTF-8 characters, and these become edits. Whatever else arrives is ignored: a serial line may
 * deliver anything, halves of characters and of sequences included.
 * Read next: kernel/editor.c (the edits), kernel/shell.c (who feeds the bytes).
 */
#include "kernel/editor_internal.h"
#include "lib/format.h"
#include "lib/types.h"

#define CTRL(letter) ((letter) - 'A' + 1)
#define ESC 0x1b
#define DEL 0x7f

static enum editor_event enter(struct editor *e)
{
    editor_show_all(e);
    editor_emit(e, "\n");
    if (e->refused) {
        char text[64];
        format_to(text, sizeof(text), "line longer than %d characters: cut\n", EDITOR_LINE_MAX);
        editor_emit(e, text);
        return EDITOR_CUT;
    }
    editor_history_add(e);
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
    editor_erase(e, e->cursor, editor_next_character(e, e->cursor));
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
        editor_cursor_to(e, 0);
        break;
    case CTRL('E'):
        editor_cursor_to(e, e->length);
        break;
    case CTRL('B'):
        editor_cursor_to(e, editor_previous_character(e, e->cursor));
        break;
    case CTRL('F'):
        editor_cursor_to(e, editor_next_character(e, e->cursor));
        break;
    case CTRL('P'):
        editor_history_older(e);
        break;
    case CTRL('N'):
        editor_history_newer(e);
        break;
    case CTRL('K'):
        editor_erase(e, e->cursor, e->length);
        break;
    case CTRL('U'):
        editor_erase(e, 0, e->cursor);
        break;
    case CTRL('W'):
        editor_erase_word(e);
        break;
    case CTRL('L'):
        editor_clear_screen(e);
        break;
    case CTRL('H'):
    case DEL:
        editor_erase(e, editor_previous_character(e, e->cursor), e->cursor);
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
        editor_history_older(e);
    else if (final == 'B')
        editor_history_newer(e);
    else if (final == 'C')
        editor_cursor_to(e, editor_next_character(e, e->cursor));
    else if (final == 'D')
        editor_cursor_to(e, editor_previous_character(e, e->cursor));
    else if (final == 'H' || tilde_key == 1 || tilde_key == 7)
        editor_cursor_to(e, 0);
    else if (final == 'F' || tilde_key == 4 || tilde_key == 8)
        editor_cursor_to(e, e->length);
    else if (tilde_key == 3)
        editor_erase(e, e->cursor, editor_next_character(e, e->cursor));
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
    if (!editor_is_continuation((char)byte)) {
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
    editor_flush(e);
    return event;
}
