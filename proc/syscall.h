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
    u32 number;
    const char *name;
    const char *args; /* for strace=1, one letter an argument: d int, u unsigned, x hex, s string, p pointer, ... */
    syscall_fn run;
};
#define SYSCALL(ident, nr, arg_letters)                                                            \
    static const struct syscall syscall_##ident __section(".table.syscall")                        \
        __attribute__((used, aligned(8))) = {nr, #ident, arg_letters, sys_##ident}

#endif
