// SPDX-License-Identifier: MIT
/*
 * The test runner: suites by name, their tests in source order, results as nested KTAP 1. Each
 * test is bracketed: baseline counts before and after must agree, reports ("BUG: ...") must be as
 * many as the test announced, interrupts must be on. Diagnostics stand in front of the result line.
 * No lock: one CPU runs tests, from the shell or from the boot actions.
 * Read next: kernel/ktest.h (how to write a test), docs.kernel.org/dev-tools/ktap.html (the format).
 */
#include "kernel/ktest.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/suggest.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define INDENT "    " /* everything inside a suite */
#define DEFAULT_SEED 0x5eed

extern const struct ktest __ktests_start[], __ktests_end[];

static u64 seed = DEFAULT_SEED;
static u64 ops; /* 0: as many as the test thinks right */
static struct ktest_totals totals;
static void (*baseline_snapshot)(struct ktest_baseline *out);

/* State of the test that is running. */
static char failure[512], skip_reason[256];
static u64 expected_reports;

const char *ktest_fail(const char *file, int line, const char *cond, const char *format, ...)
{
    va_list args;
    size_t used = (size_t)format_to(failure, sizeof(failure), "%s:%d: %s: ", file, line, cond);

    if (used >= sizeof(failure))
        used = sizeof(failure) - 1;
    va_start(args, format);
    vformat_to(failure + used, sizeof(failure) - used, format, args);
    va_end(args);
    return failure;
}

const char *ktest_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vformat_to(skip_reason, sizeof(skip_reason), format, args);
    va_end(args);
    return skip_reason;
}

void ktest_note(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vformat_to(text, sizeof(text), format, args);
    va_end(args);
    print(INDENT "# %s\n", text);
}

void ktest_expect_reports(u64 count)
{
    expected_reports = count;
}

u64 ktest_seed(void)
{
    return seed;
}

u64 ktest_ops(u64 usual)
{
    return ops ? ops : usual;
}

void ktest_baseline_register(void (*snapshot)(struct ktest_baseline *out))
{
    baseline_snapshot = snapshot;
}

struct ktest_totals ktest_totals(void)
{
    return totals;
}

/* The table as suites ----------------------------------------------------------------------------- */

/* The least suite name above `after` (NULL: the least of all), or NULL. */
static const char *suite_after(const char *after)
{
    const char *best = NULL;

    for (const struct ktest *t = __ktests_start; t != __ktests_end; t++) {
        bool above = !after || strcmp(t->suite, after) > 0;
        if (above && (!best || strcmp(t->suite, best) < 0))
            best = t->suite;
    }
    return best;
}

/* "vmap" or "vmap.carve_ne"; no filter takes all. */
static bool matches(const struct ktest *test, const char *filter)
{
    if (!filter)
        return true;
    size_t length = strlen(test->suite);
    if (strncmp(filter, test->suite, length) != 0)
        return false;
    if (filter[length] == '\0')
        return true;
    return filter[length] == '.' && strcmp(filter + length + 1, test->name) == 0;
}

/* Negative when a comes before b. */
static int compare_places(const struct ktest *a, const struct ktest *b)
{
    int files = strcmp(a->file, b->file);
    return files ? files : a->order - b->order;
}

/* The first test of a suite behind `after` (NULL: the very first) that the filter takes, or NULL. */
static const struct ktest *test_after(const char *suite, const char *filter,
                                      const struct ktest *after)
{
    const struct ktest *best = NULL;

    for (const struct ktest *t = __ktests_start; t != __ktests_end; t++) {
        if (strcmp(t->suite, suite) != 0 || !matches(t, filter))
            continue;
        if (after && compare_places(t, after) <= 0)
            continue;
        if (!best || compare_places(t, best) < 0)
            best = t;
    }
    return best;
}

static u64 count_matches(const char *suite, const char *filter)
{
    u64 count = 0;
    for (const struct ktest *t = __ktests_start; t != __ktests_end; t++)
        count += strcmp(t->suite, suite) == 0 && matches(t, filter);
    return count;
}

const char *ktest_suite_nth(unsigned n, u64 *tests)
{
    const char *suite = suite_after(NULL);

    while (suite && n--)
        suite = suite_after(suite);
    if (suite && tests)
        *tests = count_matches(suite, NULL);
    return suite;
}

/* One test ---------------------------------------------------------------------------------------- */

static void take_baseline(struct ktest_baseline *baseline)
{
    *baseline = (struct ktest_baseline){0};
    /* What a test freed from an interrupt is given back on the way to sleep: do that first. */
    idle_hooks_run();
    if (baseline_snapshot)
        baseline_snapshot(baseline);
}

/* "leaked: pages 3, areas -1" into `failure`, or NULL when both snapshots agree. */
static const char *compare_baselines(const struct ktest_baseline *before,
                                     const struct ktest_baseline *after)
{
    size_t used = 0;

    for (unsigned i = 0; i < after->count && used < sizeof(failure); i++) {
        s64 grown = (s64)(after->values[i] - before->values[i]);
        if (grown)
            used += format_to(failure + used, sizeof(failure) - used, "%s %s %ld",
                              used ? "," : "leaked:", after->names[i], (long)grown);
    }
    return used ? failure : NULL;
}

/* What the runner itself objects to after a test that found nothing. NULL when all is well. */
static const char *aftermath(const struct ktest_baseline *before, u64 reports_before)
{
    struct ktest_baseline after;
    u64 reports = report_count() - reports_before;

    if (!irqs_enabled()) {
        irq_enable();
        return "the test left interrupts disabled";
    }
    if (reports != expected_reports) {
        format_to(failure, sizeof(failure), "reports: %lu, expected: %lu", reports,
                  expected_reports);
        return failure;
    }
    take_baseline(&after);
    return compare_baselines(before, &after);
}

static void run_one(const struct ktest *test, u64 number)
{
    struct ktest_baseline before;

    take_baseline(&before);
    expected_reports = 0;
    u64 reports_before = report_count();
    const char *result = test->run();
    const char *after = aftermath(&before, reports_before);

    if (result && result != skip_reason) {
        print(INDENT "# %s\n", result);
        totals.failed++;
    } else if (after) {
        print(INDENT "# %s\n", after);
        totals.failed++;
    } else if (result) {
        print(INDENT "ok %lu %s # SKIP %s\n", number, test->name, skip_reason);
        totals.skipped++;
        return;
    } else {
        print(INDENT "ok %lu %s\n", number, test->name);
        totals.passed++;
        return;
    }
    print(INDENT "not ok %lu %s\n", number, test->name);
}

/* All ------------------------------------------------------------------------------------------------ */

static void run_suite(const char *suite, const char *filter, u64 number)
{
    u64 done = 0, planned = count_matches(suite, filter), failed_before = totals.failed;

    print(INDENT "KTAP version 1\n");
    print(INDENT "# Subtest: %s\n", suite);
    print(INDENT "1..%lu\n", planned);
    const struct ktest *test = test_after(suite, filter, NULL);
    while (test && !totals.interrupted) {
        run_one(test, ++done);
        totals.interrupted = console_interrupted();
        test = test_after(suite, filter, test);
    }
    ASSERT(totals.interrupted || done == planned, "ran %lu of %lu tests", done, planned);
    bool ok = totals.failed == failed_before && !totals.interrupted;
    print("%s %lu %s\n", ok ? "ok" : "not ok", number, suite);
}

static void unknown_suite(const char *filter)
{
    struct suggestion near = {.typed = filter};

    for (const char *s = suite_after(NULL); s; s = suite_after(s))
        suggest_consider(&near, s);
    if (near.best)
        print("no suite or test '%s'; did you mean '%s'? `selftest list` shows all.\n", filter,
              near.best);
    else
        print("no suite or test '%.64s'; `selftest list` shows all.\n", filter);
}

int ktest_run(const char *suite)
{
    u64 suites = 0, number = 0;

    totals = (struct ktest_totals){0};
    for (const char *s = suite_after(NULL); s; s = suite_after(s))
        suites += count_matches(s, suite) != 0;
    if (suites == 0 && suite) {
        unknown_suite(suite);
        return -ENOENT;
    }
    print("KTAP version 1\n");
    print("1..%lu\n", suites);
    print("# seed=%#lx\n", seed);
    for (const char *s = suite_after(NULL); s && !totals.interrupted; s = suite_after(s))
        if (count_matches(s, suite) != 0)
            run_suite(s, suite, ++number);
    if (totals.interrupted)
        print("# interrupted by Ctrl-C\n");
    print("# Totals: pass:%lu fail:%lu skip:%lu total:%lu\n", totals.passed, totals.failed,
          totals.skipped, totals.passed + totals.failed + totals.skipped);
    return (int)totals.failed;
}

static int set_seed(const char *value)
{
    return param_number(value, 0, UINT64_MAX, &seed);
}

static int set_ops(const char *value)
{
    return param_number(value, 1, UINT64_MAX, &ops);
}
PARAM(ops, "ops", set_ops,
      "NUMBER: operations of each random test (default: a few seconds' worth)");
PARAM(seed, "seed", set_seed, "NUMBER: where the random tests start (default 0x5eed)");
