// SPDX-License-Identifier: MIT
/*
 * "Did you mean ...?": the closest known name to a mistyped one. Pure: only lib/.
 */
#ifndef KERNEL_SUGGEST_H
#define KERNEL_SUGGEST_H

#include "lib/types.h"

/*
 * Insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
 * alignment). Names longer than SUGGEST_MAX characters are "far": SUGGEST_MAX is answered.
 */
#define SUGGEST_MAX 32
unsigned edit_distance(const char *a, const char *b);

/* Feed every known name; best stays NULL unless one is near enough to be worth proposing. */
struct suggestion {
    const char *typed;
    const char *best;
    unsigned distance;
};
void suggest_consider(struct suggestion *suggestion, const char *name);

#endif
