// SPDX-License-Identifier: MIT
/*
 * The tokenizer of the shell and of the kernel command line. No state, no lock, no allocation; the
 * input is untrusted bytes, the output never exceeds the buffers it was given.
 * Read next: kernel/command.c, which runs what was split here.
 */
#include "kernel/words.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/types.h"

/* The word being built. One byte of room is always kept for the NUL. */
struct builder {
    char *out;
    size_t used, size;
    const char *error;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_control(char c)
{
    return ((u8)c < 0x20 && !is_blank(c)) || c == 0x7f;
}

static void append(struct builder *word, char c)
{
    if (is_control(c))
        word->error = "control character in the line";
    else if (word->used + 1 >= word->size)
        word->error = "the line is too long";
    else
        word->out[word->used++] = c;
}

/* What a backslash protects inside of double quotes. GRUB puts one before single quotes, too. */
static bool is_escapable(char c, enum word_style style)
{
    return c == '"' || c == '\\' || (style == WORDS_PLAIN && c == '\'');
}

/* From the opening quote to behind the closing one. */
static const char *take_quoted(const char *p, enum word_style style, struct builder *word)
{
    char quote = *p++;

    while (*p != quote && !word->error) {
        if (quote == '"' && *p == '\\' && is_escapable(p[1], style))
            p++;
        if (*p == '\0')
            word->error = quote == '"' ? "unmatched \" quote" : "unmatched ' quote";
        else
            append(word, *p++);
    }
    return word->error ? p : p + 1;
}

static const char *take_escaped(const char *p, struct builder *word)
{
    if (p[1] == '\0') {
        word->error = "backslash at the end of the line";
        return p;
    }
    append(word, p[1]);
    return p + 2;
}

static const char *take_word(const char *p, enum word_style style, struct builder *word)
{
    while (*p != '\0' && !is_blank(*p) && !word->error) {
        if (style == WORDS_SHELL && *p == ';')
            break;
        if (*p == '"' || *p == '\'')
            p = take_quoted(p, style, word);
        else if (*p == '\\')
            p = take_escaped(p, word);
        else
            append(word, *p++);
    }
    return p;
}

enum word_result word_next(const char **cursor, enum word_style style, char *out, size_t size,
                           const char **error)
{
    struct builder word = {.out = out, .size = size};
    const char *p = *cursor;

    while (is_blank(*p))
        p++;
    if (style == WORDS_SHELL && *p == '#')
        p += strlen(p);
    if (style == WORDS_SHELL && *p == ';') {
        *cursor = p + 1;
        return WORD_SEPARATOR;
    }
    if (*p == '\0') {
        *cursor = p;
        return WORD_END;
    }
    *cursor = take_word(p, style, &word);
    /* The empty word "" needs room for its NUL, too. */
    if (size == 0)
        word.error = "the line is too long";
    if (word.error) {
        *error = word.error;
        return WORD_BAD;
    }
    out[word.used] = '\0';
    return WORD_FOUND;
}

int words_split(const char **cursor, char *text, size_t size, char **argv, int max, bool *more,
                const char **error)
{
    size_t used = 0;
    int argc = 0;

    *more = false;
    for (;;) {
        char *out = text + used;
        enum word_result found = word_next(cursor, WORDS_SHELL, out, size - used, error);

        if (found == WORD_BAD)
            return -EINVAL;
        if (found != WORD_FOUND) {
            *more = found == WORD_SEPARATOR;
            break;
        }
        if (argc == max) {
            *error = "more words than a command may have (64)";
            return -EINVAL;
        }
        argv[argc++] = out;
        used += strlen(out) + 1;
    }
    argv[argc] = NULL;
    return argc;
}
