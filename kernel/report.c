// SPDX-License-Identifier: MIT
/*
 * Complaints after which the kernel goes on: a caller's mistake that was refused. They go through
 * printk(), so that `log` still has them later. Own state: one atomic counter, which the test runner
 * compares. Read next: kernel/panic.c for the mistakes after which it does not go on.
 */
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "lib/format.h"

#define REPORT_FRAMES 16 /* fewer than a panic shows: many reports fit the log */

bool panic_on_report;
static u64 reports;

static int set_panic_on_report(const char *value)
{
    return param_bool(value, &panic_on_report);
}
PARAM(panic_on_report, "panic_on_report", set_panic_on_report,
      "on/off: a refused mistake (\"BUG: ...\") stops the machine like a panic");

u64 report_count(void)
{
    return __atomic_load_n(&reports, __ATOMIC_RELAXED);
}

static void log_backtrace(vaddr_t rip, vaddr_t rbp)
{
    char line[160];
    vaddr_t frames[REPORT_FRAMES] = {rip};
    size_t count = 1 + backtrace_capture(rbp, frames + 1, REPORT_FRAMES - 1);
    for (size_t i = 0; i < count; i++) {
        backtrace_describe(frames, i, line, sizeof(line));
        log_error("  #%-2zu %s", i, line);
    }
}

/* rip: inside the call that complains (a return address - 1), rbp: the frame of its function. */
static void report_from(vaddr_t rip, vaddr_t rbp, const char *format, va_list args)
{
    char what[512];
    vformat_to(what, sizeof(what), format, args);
    __atomic_add_fetch(&reports, 1, __ATOMIC_RELAXED);
    if (panic_on_report)
        panic_at(NULL, "boot without panic_on_report to go on after this", "BUG: %s", what);
    log_error("BUG: %s", what);
    log_backtrace(rip, rbp);
}

__noinline void report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_from(CALLER() - 1, *(const vaddr_t *)__builtin_frame_address(0), format, args);
    va_end(args);
}

__noinline void vreport(const char *format, va_list args)
{
    report_from(CALLER() - 1, *(const vaddr_t *)__builtin_frame_address(0), format, args);
}
