// SPDX-License-Identifier: MIT
/*
 * In-kernel tests, reported as KTAP (docs.kernel.org/dev-tools/ktap.html). A test returns NULL when
 * all is well, or a sentence that says what went wrong (HelenOS's idiom). Suites gather in a linker
 * table; the runner knows nobody. After each test the runner compares page, area, slab and table
 * counts (through the baseline hook that mm registers) and fails a test that leaked.
 */
#ifndef KERNEL_KTEST_H
#define KERNEL_KTEST_H

#include "lib/types.h"

struct ktest {
    const char *suite;
    const char *name;
    const char *(*run)(void);
    const char *file; /* within a suite, tests run in the order of the source: the compiler may */
    int order;        /* lay tables out backwards, and a macro has all its tests on one line */
};

/* KTEST(vmap, carve_ne) { ...; return NULL; } */
#define KTEST(suite_id, test_id)                                                                   \
    static const char *ktest_##suite_id##_##test_id(void);                                         \
    static const struct ktest ktest_entry_##suite_id##_##test_id __section(".table.ktest")         \
        __attribute__((used, aligned(8))) = {#suite_id, #test_id, ktest_##suite_id##_##test_id,    \
                                             __FILE__, __COUNTER__};                               \
    static const char *ktest_##suite_id##_##test_id(void)

/* Leave the test with a formatted sentence (in a static buffer) unless cond holds. */
#define KEXPECT(cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return ktest_fail(__FILE__, __LINE__, #cond, __VA_ARGS__);                             \
    } while (0)
const char *ktest_fail(const char *file, int line, const char *cond, const char *format, ...)
    __printf(4, 5);

/* Print "# ..." inside a test: seeds, figures. */
void ktest_note(const char *format, ...) __printf(1, 2);

/* The test says that it could not run here (too little memory, no such device): KTAP "# SKIP why". */
const char *ktest_skip(const char *format, ...) __printf(1, 2);

/* Tests whose reports ("BUG: ...") are expected say how many; the runner fails on any other count. */
void ktest_expect_reports(u64 count);

/* The seed of random tests: `seed=` on the command line or a fixed default; printed by the runner. */
u64 ktest_seed(void);

/* How many operations a random test shall do: `ops=` on the command line, or `usual`. */
u64 ktest_ops(u64 usual);

/* Leak detector: returns a snapshot as numbers; mm registers it. names[i] labels value[i]. */
#define KTEST_BASELINE_MAX 12
struct ktest_baseline {
    const char *names[KTEST_BASELINE_MAX];
    u64 values[KTEST_BASELINE_MAX];
    unsigned count;
};
void ktest_baseline_register(void (*snapshot)(struct ktest_baseline *out));

/*
 * Run all suites (NULL), one ("vmap") or one test ("vmap.carve_ne"); prints KTAP. Returns the number
 * of failed tests; -ENOENT no such suite or test (the user has been told). Ctrl-C stops between tests.
 */
int ktest_run(const char *suite);

/* Result of the last run: for the exit status. */
struct ktest_totals {
    u64 passed, failed, skipped;
    bool interrupted; /* by Ctrl-C: what came after was not run */
};
struct ktest_totals ktest_totals(void);

/* The n-th suite by name order and how many tests it has; NULL past the end. */
const char *ktest_suite_nth(unsigned n, u64 *tests);

/* machine_exit() codes of a boot with `selftest`: QEMU ends with status 33 and 35. */
#define KTEST_EXIT_PASS 0x10
#define KTEST_EXIT_FAIL 0x11

#endif
