// SPDX-License-Identifier: MIT
/*
 * Fake CPUs, their interrupt flags, and debug locks: the host's side of what kernel/lock.h and
 * kernel/percpu.h are in the kernel. One thread plays every CPU, so a lock that is found taken is
 * an error by itself. Contract: port_host.h, harness.h; tested by test_port_host.c.
 */
#include "tests/host/harness.h"

#include "lib/format.h"
#include "tests/host/cpu_host.h"

#define LOCK_ORDERS_MAX 256
#define LOCK_IRQ_SAFE 1u   /* taken by spin_lock_irqsave() or inside an interrupt */
#define LOCK_IRQ_UNSAFE 2u /* taken while an interrupt could come and want it, too */

#define FLAG_INTERRUPTS 0x200u /* where IF is in the real flags register */

static struct host_cpus world;

/* "`second` was taken while `first` was held", by class name. */
static struct {
    const char *first, *second;
} lock_orders[LOCK_ORDERS_MAX];
static u32 lock_order_count;

u32 cpu_id(void)
{
    return world.current;
}

bool in_interrupt(void)
{
    return world.in_interrupt;
}

void host_set_cpu(u32 cpu)
{
    ASSERT(cpu < MAX_CPUS, "CPU %u of %u", cpu, MAX_CPUS);
    world.current = cpu;
}

void host_set_interrupt(bool inside)
{
    world.in_interrupt = inside;
}

u64 irq_save(void)
{
    u64 flags = world.irqs_off[world.current] ? 0 : FLAG_INTERRUPTS;

    world.irqs_off[world.current] = true;
    return flags;
}

void irq_restore(u64 flags)
{
    for (u32 i = 0; flags && i < world.depth; i++) {
        const struct spinlock *lock = world.held[i];

        if (lock->holder == world.current + 1 && (lock->uses & LOCK_IRQ_SAFE))
            port_panic("interrupts turned on while lock \"%s\" is held", lock->name);
    }
    world.irqs_off[world.current] = !flags;
}

static const char *lock_name(const struct spinlock *lock)
{
    return lock->name ? lock->name : "(no name)";
}

void spin_init(struct spinlock *lock, const char *name)
{
    *lock = (struct spinlock){.name = name};
}

static bool order_is_known(const char *first, const char *second)
{
    for (u32 i = 0; i < lock_order_count; i++)
        if (!strcmp(lock_orders[i].first, first) && !strcmp(lock_orders[i].second, second))
            return true;
    return false;
}

/* The first inversion of an order is a deadlock that waits to happen, whether it happens or not. */
static void check_lock_order(const struct spinlock *lock)
{
    const char *second = lock_name(lock);

    for (u32 i = 0; i < world.depth; i++) {
        const char *first = lock_name(world.held[i]);

        if (world.held[i]->holder != world.current + 1 || !strcmp(first, second))
            continue;
        if (order_is_known(second, first))
            port_panic("lock order: \"%s\" taken under \"%s\", earlier it was the other way round",
                       second, first);
        if (order_is_known(first, second))
            continue;
        ASSERT(lock_order_count < LOCK_ORDERS_MAX, "more than %u lock orders", lock_order_count);
        lock_orders[lock_order_count].first = first;
        lock_orders[lock_order_count++].second = second;
    }
}

static void check_lock_interrupts(struct spinlock *lock)
{
    if (world.in_interrupt)
        lock->uses |= LOCK_IRQ_SAFE;
    else if (!world.irqs_off[world.current])
        lock->uses |= LOCK_IRQ_UNSAFE;
    if (lock->uses == (LOCK_IRQ_SAFE | LOCK_IRQ_UNSAFE))
        port_panic("lock \"%s\" is taken with interrupts on here and off there", lock_name(lock));
}

static void hold(struct spinlock *lock)
{
    ASSERT(world.depth < LOCKS_HELD_MAX, "%u locks held at once", world.depth);
    lock->holder = world.current + 1;
    world.held[world.depth++] = lock;
}

void spin_lock(struct spinlock *lock)
{
    if (lock->holder == world.current + 1)
        port_panic("lock \"%s\" taken twice by CPU %u", lock_name(lock), world.current);
    if (lock->holder)
        port_panic("CPU %u waits for lock \"%s\" that CPU %u never lets go", world.current,
                   lock_name(lock), lock->holder - 1);
    check_lock_order(lock);
    check_lock_interrupts(lock);
    hold(lock);
}

bool spin_trylock(struct spinlock *lock)
{
    if (lock->holder)
        return false;
    hold(lock);
    return true;
}

void spin_unlock(struct spinlock *lock)
{
    u32 i = 0;

    if (lock->holder != world.current + 1)
        port_panic("lock \"%s\" released by CPU %u, which does not hold it", lock_name(lock),
                   world.current);
    while (world.held[i] != lock)
        i++;
    world.depth--;
    memmove(&world.held[i], &world.held[i + 1], (world.depth - i) * sizeof(world.held[0]));
    lock->holder = 0;
}

u64 spin_lock_irqsave(struct spinlock *lock)
{
    u64 flags = irq_save();

    lock->uses |= LOCK_IRQ_SAFE;
    spin_lock(lock);
    return flags;
}

void spin_unlock_irqrestore(struct spinlock *lock, u64 flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

bool spin_held(const struct spinlock *lock)
{
    return lock->holder == world.current + 1;
}

u32 host_locks_held(void)
{
    return world.depth;
}

struct host_cpus host_cpus_save(void)
{
    return world;
}

void host_cpus_restore(const struct host_cpus *before)
{
    while (world.depth > before->depth)
        world.held[--world.depth]->holder = 0;
    world.current = before->current;
    world.in_interrupt = before->in_interrupt;
    memcpy(world.irqs_off, before->irqs_off, sizeof(world.irqs_off));
}

void host_cpus_reset(void)
{
    world = (struct host_cpus){0};
}

const char *host_cpus_complaint(void)
{
    static char sentence[80];

    if (world.depth) {
        format_to(sentence, sizeof(sentence), "lock \"%s\" held", lock_name(world.held[0]));
        return sentence;
    }
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        if (world.irqs_off[cpu])
            return "interrupts off";
    return NULL;
}
