// SPDX-License-Identifier: MIT
/*
 * When something is wrong. report(): a caller's mistake that was refused ("BUG: ..."), with
 * backtrace, counted, the system goes on. panic(): proof of corruption; teaches (what, where, which
 * area, registers, backtrace with symbols, what to do next) and stops the machine.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "kernel/trap.h"
#include "lib/assert.h"
#include "lib/types.h"
#include <stdarg.h>

/* One sentence plus "what to do next" (may be NULL); prints registers from `frame` (may be NULL). */
__noreturn void panic_at(struct trap_frame *frame, const char *next_step, const char *format, ...)
    __printf(3, 4);
__noreturn void panic(const char *format, ...) __printf(1, 2);

/* "BUG: ..." block with backtrace; returns. report_count() is the number so far. Any context. */
void report(const char *format, ...) __printf(1, 2);
void vreport(const char *format, va_list args) __printf(1, 0);
u64 report_count(void);

/* panic_on_report=1 on the command line turns every report into a panic. */
extern bool panic_on_report;

/* Extra explanation printed inside a panic (mm/fault: the page-table chain of CR2; at most 4). */
void panic_hook_register(void (*hook)(struct trap_frame *frame));

/* Leaves QEMU through isa-debug-exit after a panic when set (tests: `panic=exit`), else halts. */
extern bool panic_exits;
#define EXIT_CODE_PANIC 3

/* Power: registered by drivers/power; code reaches QEMU's exit status. Falls back to hlt. */
struct power_ops {
    void (*off)(void);
    void (*reboot)(void);
    void (*exit)(u8 code); /* isa-debug-exit: QEMU ends with status (code << 1) | 1 */
};
void power_register(const struct power_ops *ops);
/* Called on every way out of the machine, also a panic's: must not wait for locks. Boot only. */
void exit_hook_register(void (*hook)(void));

__noreturn void machine_power_off(void);
__noreturn void machine_reboot(void);
__noreturn void machine_exit(u8 code);

#endif
