// SPDX-License-Identifier: MIT
/*
 * Event records in words. Owns the table of names and sentences that mm/event_kinds.h spells out, and
 * fills the placeholders in. Pure: no lock, no state. tools/eventlog/story.py does the same on the
 * host with the table that it finds in the file.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "mm/event.h"

static const struct {
    const char *name, *group, *sentence;
} kinds[EVENT_KIND_COUNT] = {[EVENT_NONE] = {"NONE", "none", "nothing"},
#define EVENT_ROW(name, group, sentence) [EVENT_##name] = {#name, #group, sentence},
                             EVENT_KINDS(EVENT_ROW)
#undef EVENT_ROW
};

static unsigned known(unsigned kind)
{
    return kind < EVENT_KIND_COUNT ? kind : EVENT_NONE;
}

const char *event_kind_name(unsigned kind)
{
    return kinds[known(kind)].name;
}

const char *event_kind_group(unsigned kind)
{
    return kinds[known(kind)].group;
}

const char *event_sentence(unsigned kind)
{
    return kinds[known(kind)].sentence;
}

static bool same_word(const char *word, const char *name)
{
    for (; *word && *name; word++, name++) {
        char lower = *name >= 'A' && *name <= 'Z' ? (char)(*name + 'a' - 'A') : *name;
        char given = *word >= 'A' && *word <= 'Z' ? (char)(*word + 'a' - 'A') : *word;
        if (given != (lower == '_' && given == '-' ? '-' : lower))
            return false;
    }
    return *word == *name;
}

u64 event_mask(const char *word)
{
    u64 mask = 0;

    for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++)
        if (same_word(word, kinds[kind].name) || same_word(word, kinds[kind].group))
            mask |= 1UL << kind;
    return mask;
}

/* ---- sentences -------------------------------------------------------------------------------- */

struct text {
    char *buf;
    u64 size, length;
};

static void put(struct text *out, char c)
{
    if (out->length + 1 < out->size)
        out->buf[out->length] = c;
    out->length++;
}

static void put_word(struct text *out, const char *word)
{
    while (*word)
        put(out, *word++);
}

/* "3 pages"; bytes when it is not whole pages, and what is large as 1.5 GiB. */
static void put_size(struct text *out, u64 bytes)
{
    char word[40];

    if (bytes & ~PAGE_MASK)
        format_to(word, sizeof(word), "%lu bytes", bytes);
    else if (bytes >= GIB)
        format_to(word, sizeof(word), "%pM", (void *)&bytes);
    else if (bytes >> PAGE_SHIFT == 1)
        format_to(word, sizeof(word), "1 page");
    else
        format_to(word, sizeof(word), "%lu pages", bytes >> PAGE_SHIFT);
    put_word(out, word);
}

static void put_number(struct text *out, u64 value, char how)
{
    char word[96];

    if (how == 'z') {
        put_size(out, value);
        return;
    }
    if (how == 'y')
        format_to(word, sizeof(word), "%pS", (void *)value);
    else
        format_to(word, sizeof(word),
                  how == 'x'   ? "%#lx"
                  : how == 'o' ? "a block of order %lu"
                               : "%lu",
                  value);
    put_word(out, word);
}

/* `at` stands behind "{a": copy word number `value` of "|no|yes}". */
static void put_choice(struct text *out, const char *at, u64 value)
{
    for (; *at == '|' && value; value--)
        for (at++; *at && *at != '|' && *at != '}'; at++)
            ;
    if (*at != '|') {
        put(out, '?');
        return;
    }
    for (at++; *at && *at != '|' && *at != '}'; at++)
        put(out, *at);
}

/* One placeholder, from behind its '{'; returns where its '}' is. */
static const char *put_placeholder(struct text *out, const char *at, const u64 *values)
{
    const char *close = at;
    u64 first = values[(*at - 'a') & 3];

    while (*close && *close != '}')
        close++;
    at++;
    if (*at >= 'a' && *at <= 'd') {
        u64 second = values[(*at - 'a') & 3];
        if (at[1] == ':') {
            put_number(out, second - first, at[2]);
        } else {
            put(out, '[');
            put_number(out, first, 'x');
            put_word(out, ", ");
            put_number(out, second, 'x');
            put(out, ')');
        }
    } else if (*at == '|') {
        put_choice(out, at, first);
    } else {
        put_number(out, first, *at == ':' ? at[1] : 'd');
    }
    return close;
}

u64 event_explain(const struct event *event, char *buf, u64 size)
{
    const u64 values[] = {event->a, event->b, event->c, event->d};
    struct text out = {buf, size, 0};

    for (const char *at = event_sentence(event->kind); *at; at++) {
        if (*at != '{') {
            put(&out, *at);
            continue;
        }
        at = put_placeholder(&out, at + 1, values);
        if (!*at)
            break;
    }
    if (size)
        buf[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}
