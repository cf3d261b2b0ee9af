// SPDX-License-Identifier: MIT
/* What port_host.c does with the fake CPUs around a test and around an expected panic. */
#ifndef TESTS_HOST_CPU_HOST_H
#define TESTS_HOST_CPU_HOST_H

#include "lib/types.h"
#include "mm/port.h"

#define LOCKS_HELD_MAX 16

/* Everything about CPUs that a panic may leave in the middle of a change. */
struct host_cpus {
    u32 current;
    bool irqs_off[MAX_CPUS];
    bool in_interrupt;
    u32 depth;
    struct spinlock *held[LOCKS_HELD_MAX]; /* in order of acquisition, all CPUs */
};

/* Restoring lets the locks go that were taken since; those from before stay held. */
struct host_cpus host_cpus_save(void);
void host_cpus_restore(const struct host_cpus *before);

/* CPU 0, interrupts on, no locks. The known lock orders stay, for the life of the program. */
void host_cpus_reset(void);

/* NULL, or what a finished test must not leave behind. */
const char *host_cpus_complaint(void);

#endif
