// SPDX-License-Identifier: MIT
/*
 * System calls register like shell commands do: SYSCALL(read, 0, sys_read, "dpu") beside the code that does the work.
 * The table is Linux's numbering for x86-64. Results: >= 0, or a negative error.
 */
#ifndef PROC_SYSCALL_H
#define PROC_SYSCALL_H

#include "lib/types.h"

typedef s64 (*syscall_fn)(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
struct syscall {
    u32 number, flags; /* SYSCALL_* */
    const char *name;
    const char *args; /* for strace=1, one letter an argument: see proc/strace.c */
    syscall_fn run;
};
/* It reads or writes the caller's whole frame, or may not return: all registers are saved first. */
#define SYSCALL_WHOLE_FRAME 1u
#define SYSCALL_FLAGS(ident, nr, flags, arg_letters)                                               \
    static const struct syscall syscall_##ident __section(".table.syscall")                        \
        __attribute__((used, aligned(8))) = {nr, flags, #ident, arg_letters, sys_##ident}
#define SYSCALL(ident, nr, arg_letters) SYSCALL_FLAGS(ident, nr, 0, arg_letters)

struct trap_frame;

/* SYSCALL's registers and the table of fast calls; the floor that ring 3 traps to. Boot. */
void syscall_init(void);
void trap_user_init(void);

/* "read", also for numbers that are not implemented; NULL: Linux has none either. */
const char *syscall_name(u64 number);
/* The n-th implemented call by number; NULL past the end. */
const struct syscall *syscall_find(u64 number);

/* strace=1: before the call and after it. */
extern bool strace_enabled;
void strace_enter(const struct syscall *call, const struct trap_frame *frame);
void strace_leave(const struct syscall *call, s64 result);
/* And what else strace tells: a call that is not there, a signal, the end of a process. */
void strace_unknown(u64 number);
void strace_signal(int signal);
void strace_end(s32 status);

/* On the way to ring 3: reschedule, deliver signals, refuse a frame that IRETQ would not take. Comes back
 * with interrupts off. */
void user_leave(struct trap_frame *frame);

#define SYSCALL_VECTOR 256 /* trap_frame.vector of a system call; error_code is its number */
#define NO_VECTOR                                                                                  \
    257 /* of a frame that neither a trap nor a call has filled, or whose call is over */

#endif
