// SPDX-License-Identifier: MIT
/*
 * Edit distance by dynamic programming over three rows, and the judgement what is close enough: two
 * errors, but never so many that half of a short name would be replaced.
 */
#include "kernel/suggest.h"
#include "lib/string.h"
#include "lib/types.h"

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

unsigned edit_distance(const char *a, const char *b)
{
    unsigned rows[3][SUGGEST_MAX + 1];
    size_t a_len = strnlen(a, SUGGEST_MAX + 1), b_len = strnlen(b, SUGGEST_MAX + 1);

    if (a_len > SUGGEST_MAX || b_len > SUGGEST_MAX)
        return SUGGEST_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = min3(above[j] + 1, row[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min3(row[j], two_above[j - 2] + 1, row[j]);
        }
    }
    return rows[a_len % 3][b_len];
}

void suggest_consider(struct suggestion *suggestion, const char *name)
{
    unsigned distance = edit_distance(suggestion->typed, name);
    size_t typed = strlen(suggestion->typed);
    unsigned allowed = typed <= 3 ? 1 : 2;

    /* An unfinished name is as good a hint as a mistyped one, but only when nothing is nearer. */
    if (distance > allowed && typed >= 2 && strncmp(name, suggestion->typed, typed) == 0)
        distance = allowed;
    if (distance > allowed || distance >= strlen(name))
        return;
    if (suggestion->best && distance >= suggestion->distance)
        return;
    suggestion->best = name;
    suggestion->distance = distance;
}
