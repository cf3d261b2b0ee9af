// SPDX-License-Identifier: MIT
/*
 * Suite "proc_oom": programs started and run while memory is refused (RELIABILITY B4): the k-th page, object, table or
 * node, once and from then on, for each k until nobody asks any more. A program may not start, its fork may fail, a
 * fault may kill it; it always ends, and the runner finds every page and object again.
 */
#include "kernel/ktest.h"
#include "lib/failpoint.h"
#include "proc/launch.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "tests/kernel/programs.h"

#define EXITED(n) ((n) << 8)
#define MOST_STEPS 2000

DECLARE_PROGRAM(exit42);
DECLARE_PROGRAM(family);

struct attempt {
    const void *code;
    u64 size;
    s32 status; /* -1: it did not start */
    u64 refused;
};

static void try_with(struct attempt *attempt, enum fail_site site, u64 nth, bool forever)
{
    fail_arm(site, nth, forever);
    attempt->status = tiny_run(attempt->code, attempt->size, "starved");
    attempt->refused = fail_count(site);
    fail_disarm(site);
}

static bool is_an_end(s32 status, s32 good)
{
    return status == good || status == -1 || status == EXITED(1) || status == SIGKILL ||
           status == SIGSEGV;
}

static const char *starve(const void *code, u64 size, s32 good, bool forever)
{
    for (int site = 0; site < FAIL_SITES; site++) {
        struct attempt attempt = {.code = code, .size = size, .refused = 1};
        u64 k;
        for (k = 1; attempt.refused && k < MOST_STEPS; k++) {
            try_with(&attempt, (enum fail_site)site, k, forever);
            KEXPECT(is_an_end(attempt.status, good), "%s %lu refused: status %#x",
                    fail_site_name((enum fail_site)site), k, attempt.status);
            KEXPECT(process_count() == 0 && task_count() == 0, "%s %lu refused: %u tasks are left",
                    fail_site_name((enum fail_site)site), k, task_count());
        }
        KEXPECT(k < MOST_STEPS, "%s: still refused after %lu", fail_site_name((enum fail_site)site),
                k);
        KEXPECT(attempt.status == good, "nothing refused: status %#x", attempt.status);
        ktest_note("%s: %lu steps%s", fail_site_name((enum fail_site)site), k - 1,
                   forever ? ", each for good" : "");
    }
    return NULL;
}

KTEST(proc_oom, one_allocation_fails)
{
    return starve(PROGRAM(exit42), EXITED(42), false);
}

KTEST(proc_oom, all_allocations_fail)
{
    return starve(PROGRAM(exit42), EXITED(42), true);
}

KTEST(proc_oom, one_allocation_fails_around_fork)
{
    return starve(PROGRAM(family), 0, false);
}

KTEST(proc_oom, all_allocations_fail_around_fork)
{
    return starve(PROGRAM(family), 0, true);
}
