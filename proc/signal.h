// SPDX-License-Identifier: MIT
/* Signal numbers and what a signal does: as in Linux on x86-64, because unmodified programs know them. */
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "lib/types.h"

/* cppcheck-suppress syntaxError ; some of these names are macros to it */
enum {
    SIGHUP = 1,
    SIGINT,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGKILL,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGPIPE,
    SIGALRM,
    SIGTERM,
    SIGSTKFLT,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGXCPU,
    SIGXFSZ,
    SIGVTALRM,
    SIGPROF,
    SIGWINCH,
    SIGIO,
    SIGPWR,
    SIGSYS,
    SIGNALS = 64
};

#define SIGNAL_BIT(n) (1UL << ((n)-1))

/* "SIGINT"; "SIG40" for the real-time ones. */
const char *signal_name(int signal);
/* "INT", "SIGINT" or "2"; 0 when it is none. */
int signal_parse(const char *text);

#endif
