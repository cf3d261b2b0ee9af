// SPDX-License-Identifier: MIT
/* Signal numbers and what a signal does: as in Linux on x86-64, because unmodified programs know them. */
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "lib/types.h"

enum {
    SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
    SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ,
    SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS, SIGNALS = 64
};

#endif
