// SPDX-License-Identifier: MIT
/* The table that faults.c runs: each way a program can go wrong, with the signal that has to end it. */
#ifndef USER_FAULTS_H
#define USER_FAULTS_H

#define NO_SIGNAL 0 /* the program must survive it */
#define SS_FAULT -1 /* a processor raises #SS: SIGBUS; QEMU's TCG #GP: SIGSEGV */

struct wrong {
    const char *name, *what;
    int signal;
    void (*run)(void);
};

#endif
