// SPDX-License-Identifier: MIT
/*
 * Spinlocks (ticket locks: fair, FIFO). Every lock that an interrupt handler may take is taken with
 * spin_lock_irqsave(). A lock knows its owner CPU, so that taking it twice on one CPU is a panic with
 * a name and not a silent hang. The unlock is a plain store: x86-64 orders stores (SDM 3A, 8.2.2).
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "kernel/cpu.h"
#include "kernel/percpu.h"
#include "lib/types.h"

struct spinlock {
    u32 next;   /* ticket to hand out */
    u32 owner;  /* ticket being served */
    u32 holder; /* CPU id + 1 of the holder, 0 = free */
    const char *name;
    vaddr_t taken_at; /* code address of the last successful lock, for deadlock reports */
};

#define SPINLOCK_INIT(lock_name)                                                                   \
    {                                                                                              \
        .name = (lock_name)                                                                        \
    }

static inline void spin_init(struct spinlock *lock, const char *name)
{
    *lock = (struct spinlock){.name = name};
}

/* The taking functions are always inlined, so that "here" is a place in the function that locks. */
#define __lock_inline static inline __attribute__((always_inline))

/* The address of the code that is being executed: "who took it" for one lea. */
__lock_inline vaddr_t spin_here(void)
{
    vaddr_t here;
    __asm__("lea 0(%%rip), %0" : "=r"(here));
    return here;
}

/* Slow path: waits for the ticket; panics on a self-deadlock and after a bounded wait. */
void spin_wait(struct spinlock *lock, u32 ticket);

/* Reports and stops when a lock is released by a CPU that does not hold it. */
__noreturn void spin_unlock_bug(struct spinlock *lock);

__lock_inline void spin_lock(struct spinlock *lock)
{
    u32 ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);
    if (unlikely(__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket))
        spin_wait(lock, ticket);
    lock->holder = cpu_id() + 1;
    lock->taken_at = spin_here();
}

static inline void spin_unlock(struct spinlock *lock)
{
    if (unlikely(lock->holder != cpu_id() + 1))
        spin_unlock_bug(lock);
    lock->holder = 0;
    __atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

/* Take the lock if it is free now; for dumps that must not deadlock inside a crash. */
__lock_inline bool spin_trylock(struct spinlock *lock)
{
    u32 owner = __atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE);
    u32 expected = owner;
    if (!__atomic_compare_exchange_n(&lock->next, &expected, owner + 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    lock->holder = cpu_id() + 1;
    lock->taken_at = spin_here();
    return true;
}

__lock_inline u64 spin_lock_irqsave(struct spinlock *lock)
{
    u64 flags = irq_save();
    spin_lock(lock);
    return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, u64 flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

static inline bool spin_held(const struct spinlock *lock)
{
    return lock->holder == cpu_id() + 1;
}

#endif
