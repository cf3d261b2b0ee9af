// SPDX-License-Identifier: MIT
/*
 * The slow side of spinlocks: waiting, and noticing that waiting is in vain. The fast side is inline
 * in kernel/lock.h. A spinning CPU reads only, so the lock's cache line is shared until the unlock.
 */
#include "kernel/lock.h"
#include "kernel/panic.h"

/* Minutes at the slowest, seconds at the fastest: no critical section of this kernel comes near. */
#define SPIN_LIMIT (1UL << 30)

static __noreturn void self_deadlock(const struct spinlock *lock)
{
    panic_at(NULL,
             in_interrupt()
                 ? "the lock is also taken in an interrupt: take it with spin_lock_irqsave()"
                 : "do not call a function that takes this lock while holding it",
             "self-deadlock: CPU %u waits for lock \"%s\", which it took itself at %pS", cpu_id(),
             lock->name ? lock->name : "?", (void *)lock->taken_at);
}

void spin_wait(struct spinlock *lock, u32 ticket)
{
    for (u64 spins = 0; spins < SPIN_LIMIT; spins++) {
        if (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) == ticket)
            return;
        if (__atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == cpu_id() + 1)
            self_deadlock(lock);
        cpu_relax();
    }
    u32 holder = __atomic_load_n(&lock->holder, __ATOMIC_RELAXED);
    panic_at(NULL, "look for a holder that loops or sleeps: gdb: thread apply all bt",
             "lock \"%s\" was not released in %lu spins (ticket %u, serving %u, holder CPU %d, "
             "taken at %pS)",
             lock->name ? lock->name : "?", SPIN_LIMIT, ticket, lock->owner, (int)holder - 1,
             (void *)lock->taken_at);
}

__noreturn void spin_unlock_bug(struct spinlock *lock)
{
    panic_at(NULL, "each unlock needs its own lock, on the same CPU",
             "CPU %u releases lock \"%s\", which %s (holder CPU %d, last taken at %pS)", cpu_id(),
             lock->name ? lock->name : "?", lock->holder ? "another CPU holds" : "nobody holds",
             (int)lock->holder - 1, (void *)lock->taken_at);
}
