// SPDX-License-Identifier: MIT
/*
 * Tab: completes the word before the cursor. Step 1 finds the word, its number and its command; step
 * 2 asks the candidates one by one for those that begin with it and for what they have in common;
 * step 3 inserts that, or lists the candidates when nothing can be inserted. Inside quotes, a bell.
 */
#include "kernel/editor_internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define CANDIDATES_MAX 1024 /* a complete() that never ends must not hang the shell */

struct completion {
    char command[64]; /* "" while the command's name itself is typed */
    int index;        /* 0 = the name, 1 = first argument */
    size_t start;     /* of the word in the line */
    size_t length;    /* up to the cursor */
};

/* Step 1. False inside quotes or when the command's name is too long to be one. */
static bool find_word(const struct editor *e, struct completion *word)
{
    size_t name_start = 0, name_end = 0;
    bool in_word = false;
    char quote = 0;

    word->index = 0;
    for (size_t i = 0; i < e->cursor; i++) {
        char c = e->line[i];
        bool ends_word = !quote && (c == ' ' || c == ';');

        if (quote ? c == quote : (c == '"' || c == '\''))
            quote = quote ? 0 : c;
        if (!in_word && !ends_word)
            word->start = i;
        if (in_word && ends_word && word->index++ == 0) {
            name_start = word->start;
            name_end = i;
        }
        in_word = !ends_word;
        if (c == ';' && ends_word)
            word->index = 0;
    }
    if (!in_word)
        word->start = e->cursor;
    word->length = e->cursor - word->start;
    size_t name_length = word->index ? name_end - name_start : 0;
    if (quote || name_length >= sizeof(word->command))
        return false;
    memcpy(word->command, e->line + name_start, name_length);
    word->command[name_length] = '\0';
    return true;
}

/* The next candidate from *n on that begins with the word, or NULL; *n moves behind it. */
static const char *next_match(const struct editor *e, const struct completion *word, unsigned *n)
{
    while (*n < CANDIDATES_MAX) {
        const char *name = e->ops->candidate(e->ctx, word->command, word->index, (*n)++);
        if (!name)
            break;
        if (strncmp(name, e->line + word->start, word->length) == 0)
            return name;
    }
    return NULL;
}

static size_t common_length(const char *a, const char *b, size_t at_most)
{
    size_t n = 0;
    while (n < at_most && a[n] == b[n])
        n++;
    return n;
}

/* Step 3, second half: all of them in columns below the line, then the prompt and the line again. */
static void list_matches(struct editor *e, const struct completion *word)
{
    size_t width = 0, column = 0;
    unsigned n = 0;
    const char *name;
    char cell[EDITOR_COLUMNS + 1];

    while ((name = next_match(e, word, &n)) != NULL)
        if (strlen(name) > width)
            width = strlen(name);
    width = width + 2 > EDITOR_COLUMNS ? EDITOR_COLUMNS : width + 2;
    editor_emit(e, "\n");
    for (n = 0; (name = next_match(e, word, &n)) != NULL; column += width) {
        if (column + width > EDITOR_COLUMNS) {
            editor_emit(e, "\n");
            column = 0;
        }
        format_to(cell, sizeof(cell), "%-*s", (int)width, name);
        editor_emit(e, cell);
    }
    editor_emit(e, "\n");
    editor_emit(e, e->prompt);
    e->column = 0;
    editor_redraw(e);
}

void editor_complete(struct editor *e)
{
    struct completion word;
    unsigned n = 0, matches = 0;
    size_t common = 0;
    const char *first = NULL, *name;

    if (find_word(e, &word)) {
        while ((name = next_match(e, &word, &n)) != NULL) {
            common = matches++ ? common_length(first, name, common) : strlen(name);
            first = first ? first : name;
        }
    }
    if (matches == 0) {
        editor_emit(e, "\a");
        return;
    }
    bool longer = common > word.length;
    if (longer && !editor_insert(e, first + word.length, common - word.length))
        return;
    /* "align=" waits for its value; any other finished word is followed by the next one. */
    if (matches == 1 && common > 0 && first[common - 1] != '=')
        editor_insert(e, " ", 1);
    else if (matches > 1 && !longer)
        list_matches(e, &word);
}
