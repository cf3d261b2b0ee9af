// SPDX-License-Identifier: MIT
/*
 * mm/port.h for the host: the types and calls that kernel/lock.h and kernel/percpu.h supply in the
 * kernel. One thread plays all CPUs (host_set_cpu() in harness.h says which one is running), so a
 * lock that is found taken can never become free: each misuse is a panic that a test can expect.
 * Included by mm/port.h only; tests include tests/host/harness.h. Implementation: port_host.c.
 */
#ifndef TESTS_HOST_PORT_HOST_H
#define TESTS_HOST_PORT_HOST_H

#include "lib/types.h"

#define MAX_CPUS 8

/* All zero is a valid, free lock without a name. */
struct spinlock {
    u32 holder; /* CPU id + 1, 0 = free */
    u32 uses;   /* how it has been taken so far: LOCK_IRQ_* in port_host.c */
    const char *name;
};

#define SPINLOCK_INIT(lock_name)                                                                   \
    {                                                                                              \
        .name = (lock_name)                                                                        \
    }

void spin_init(struct spinlock *lock, const char *name);

/*
 * Panics when the lock is taken already (by this CPU: twice; by another: it would wait for ever),
 * when two locks are taken in the opposite order of an earlier time, and when a lock that is taken
 * by spin_lock_irqsave() elsewhere is taken while interrupts are on.
 */
void spin_lock(struct spinlock *lock);
bool spin_trylock(struct spinlock *lock);

/* Panics when this CPU does not hold the lock. */
void spin_unlock(struct spinlock *lock);
u64 spin_lock_irqsave(struct spinlock *lock);
void spin_unlock_irqrestore(struct spinlock *lock, u64 flags);
bool spin_held(const struct spinlock *lock);

/* Interrupts of the CPU that is running, as a flag. Turning them on below an irqsave lock
 * panics. */
u64 irq_save(void);
void irq_restore(u64 flags);

u32 cpu_id(void);
bool in_interrupt(void);

#endif
