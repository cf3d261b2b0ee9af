// SPDX-License-Identifier: MIT
/*
 * What the three files of the line editor share: editor.c (line and screen), editor_keys.c (bytes to
 * edits), editor_complete.c (Tab). Every edit keeps the invariants in editor.c and shows its result.
 */
#ifndef KERNEL_EDITOR_INTERNAL_H
#define KERNEL_EDITOR_INTERNAL_H

#include "kernel/editor.h"
#include "lib/types.h"

/* Second and later bytes of a UTF-8 character: 10xxxxxx. */
static inline bool editor_is_continuation(char c)
{
    return ((u8)c & 0xc0) == 0x80;
}

/* Gather output / hand it to the terminal. */
void editor_emit(struct editor *editor, const char *text);
void editor_flush(struct editor *editor);

/* Rewrite what stands behind the prompt / the whole line, however long / on an empty screen. */
void editor_redraw(struct editor *editor);
void editor_show_all(struct editor *editor);
void editor_clear_screen(struct editor *editor);

/* Offsets of the neighbouring characters; the line's ends are their own neighbours. */
size_t editor_previous_character(const struct editor *editor, size_t at);
size_t editor_next_character(const struct editor *editor, size_t at);
void editor_cursor_to(struct editor *editor, size_t at);

/* Insert at the cursor; false (and one bell for the line) when there is no room. */
bool editor_insert(struct editor *editor, const char *text, size_t n);
/* Remove bytes [from, to), both between characters, and leave the cursor there. */
void editor_erase(struct editor *editor, size_t from, size_t to);
/* Remove from the start of the word before the cursor. */
void editor_erase_word(struct editor *editor);

/* Keep the line unless it is empty or repeats the latest / replace it by an older, a newer one. */
void editor_history_add(struct editor *editor);
void editor_history_older(struct editor *editor);
void editor_history_newer(struct editor *editor);

/* The Tab key. */
void editor_complete(struct editor *editor);

#endif
