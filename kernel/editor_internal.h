// SPDX-License-Identifier: MIT
/*
 * What the two halves of the line editor share: kernel/editor.c and kernel/editor_complete.c.
 */
#ifndef KERNEL_EDITOR_INTERNAL_H
#define KERNEL_EDITOR_INTERNAL_H

#include "kernel/editor.h"
#include "lib/types.h"

/* Gather output; it is written when the key press is dealt with. */
void editor_emit(struct editor *editor, const char *text);

/* Rewrite what stands behind the prompt and put the cursor back. */
void editor_redraw(struct editor *editor);

/* Insert at the cursor and show it; false (and one bell for the line) when there is no room. */
bool editor_insert(struct editor *editor, const char *text, size_t n);

/* The Tab key. */
void editor_complete(struct editor *editor);

#endif
