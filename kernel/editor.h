// SPDX-License-Identifier: MIT
/*
 * The line editor: a state machine that is fed one byte at a time and writes to the terminal through
 * a callback. Pure (only lib/), so that the host tests and fuzzers run the same code. It understands
 * the VT100 keys, history, completion and UTF-8; a line wider than the terminal scrolls sideways.
 *
 * Terms: a line is bytes [0, length), always whole UTF-8 characters; `cursor` is a byte offset in it;
 * a column is one character on the screen; the view is the part of the line that is on the screen.
 */
#ifndef KERNEL_EDITOR_H
#define KERNEL_EDITOR_H

#include "lib/types.h"

#define EDITOR_LINE_MAX 1023 /* bytes; more are refused, and then Enter complains, not runs */
#define EDITOR_HISTORY 64    /* lines */
#define EDITOR_COLUMNS 80    /* of the narrowest terminal that is served (VGA text) */

enum editor_event {
    EDITOR_MORE,      /* go on feeding */
    EDITOR_LINE,      /* Enter: editor->line is complete, valid until editor_start() */
    EDITOR_CANCELLED, /* Ctrl-C: the line was dropped */
    EDITOR_CUT,       /* Enter on a line that was too long: reported to the user, to be ignored */
    EDITOR_END        /* Ctrl-D on an empty line */
};

struct editor_ops {
    void (*write)(void *ctx, const char *text, size_t length);
    /* The n-th candidate for word number `index` of `command` (index 0: for the command's name, and
     * `command` is ""), or NULL past the end. */
    const char *(*candidate)(void *ctx, const char *command, int index, unsigned n);
};

enum editor_state { EDITOR_GROUND, EDITOR_ESCAPE, EDITOR_CSI, EDITOR_SS3 };

struct editor {
    const struct editor_ops *ops;
    void *ctx;
    const char *prompt;

    char line[EDITOR_LINE_MAX + 1]; /* NUL-terminated */
    size_t length, cursor;
    size_t view;   /* offset of the first byte on the screen */
    size_t window; /* columns that the view may fill */
    size_t column; /* where the terminal's cursor is now, 0 = right behind the prompt */
    bool refused;  /* characters were lost: this line will not run */
    bool after_cr; /* a LF that follows belongs to the same Enter */

    enum editor_state state;
    u32 number;       /* first parameter of the escape sequence being read */
    bool number_done; /* behind its first `;` */
    u8 pending[4];    /* UTF-8 character being read */
    unsigned pending_have, pending_need;

    char history[EDITOR_HISTORY][EDITOR_LINE_MAX + 1];
    unsigned history_count, history_next; /* lines kept, slot of the next one */
    unsigned browsing;                    /* 0 = the line being typed, k = k-th latest */
    char typed[EDITOR_LINE_MAX + 1];      /* the line being typed, while browsing */

    char out[256]; /* gathered output: one key press, one write */
    size_t out_used;
};

/* `prompt` is plain text without colours (its length is its width) and outlives the editor. */
void editor_init(struct editor *editor, const struct editor_ops *ops, void *ctx,
                 const char *prompt);

/* A fresh, empty line: writes the prompt. After init and after every event but EDITOR_MORE. */
void editor_start(struct editor *editor);

/* One byte from the terminal. Any byte at any time is fine. */
enum editor_event editor_feed(struct editor *editor, u8 byte);

#endif
