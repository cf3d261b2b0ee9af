// SPDX-License-Identifier: MIT
/*
 * The armed fault sites: one countdown each. Owns fail_armed and nothing else; no lock, because a
 * test that arms a site runs alone (lib/failpoint.h).
 */
#include "lib/failpoint.h"
#include "lib/assert.h"

u32 fail_armed;

static struct {
    u64 calls_left; /* calls up to and including the one that fails */
    u64 failures;
    bool forever;
} sites[FAIL_SITES];

void fail_arm(enum fail_site site, u64 nth, bool forever)
{
    ASSERT(site < FAIL_SITES, "fail site %u of %u", site, FAIL_SITES);
    ASSERT(nth >= 1, "the next call is number 1, not %lu", nth);
    sites[site].calls_left = nth;
    sites[site].failures = 0;
    sites[site].forever = forever;
    fail_armed |= 1U << site;
}

void fail_disarm(enum fail_site site)
{
    fail_armed &= ~(1U << site);
}

u64 fail_count(enum fail_site site)
{
    ASSERT(site < FAIL_SITES, "fail site %u of %u", site, FAIL_SITES);
    return sites[site].failures;
}

const char *fail_site_name(enum fail_site site)
{
    static const char *const names[FAIL_SITES] = {
        [FAIL_PAGE] = "page",
        [FAIL_SLAB] = "slab",
        [FAIL_TABLE] = "table",
        [FAIL_NODE] = "node",
    };

    return site < FAIL_SITES ? names[site] : "?";
}

bool should_fail_slow(enum fail_site site)
{
    if (sites[site].calls_left > 1) {
        sites[site].calls_left--;
        return false;
    }
    sites[site].failures++;
    if (!sites[site].forever)
        fail_disarm(site);
    return true;
}
