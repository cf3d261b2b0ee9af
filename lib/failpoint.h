// SPDX-License-Identifier: MIT
/*
 * Fault injection in the manner of SQLite's out-of-memory loop and Linux's fail-nth: a test arms a
 * site ("the k-th page allocation from now fails") and repeats with k = 1, 2, 3 ... until the call
 * under test succeeds without having consumed the fault. Disarmed it costs one predicted branch.
 * Not per CPU: a test that arms a site runs alone.
 */
#ifndef LIB_FAILPOINT_H
#define LIB_FAILPOINT_H

#include "lib/types.h"

enum fail_site { FAIL_PAGE, FAIL_SLAB, FAIL_TABLE, FAIL_NODE, FAIL_SITES };

extern u32 fail_armed; /* bit per site */

/* The nth call (1 = next) of should_fail(site) answers true; with `forever` all later ones too. */
void fail_arm(enum fail_site site, u64 nth, bool forever);
void fail_disarm(enum fail_site site);

/* How often the site has answered "fail" since it was armed. */
u64 fail_count(enum fail_site site);
const char *fail_site_name(enum fail_site site);

bool should_fail_slow(enum fail_site site);

/* To be asked exactly once per attempt at the head of an allocation of that kind. Any context. */
static inline bool should_fail(enum fail_site site)
{
    return unlikely(fail_armed & (1U << site)) && should_fail_slow(site);
}

#endif
