// SPDX-License-Identifier: MIT
/*
 * Owns which handler serves which interrupt vector. Registration takes `irq_lock` with interrupts off;
 * dispatch takes none: a handler is published after its argument and never withdrawn. Interrupts do
 * not nest (gates clear IF), so at most one is in service per CPU. Read next: drivers/ioapic.c.
 */
#include "kernel/irq.h"
#include "kernel/lock.h"
#include "kernel/printk.h"
#include "kernel/trap.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define ISA_LINES 16

struct irq_action {
    irq_handler handler;
    void *arg;
    u64 count; /* any CPU, atomic */
};

static struct irq_action actions[TRAP_VECTORS];
static const struct irq_chip *irq_chip;
static struct spinlock irq_lock = SPINLOCK_INIT("irq");

void irq_chip_register(const struct irq_chip *chip)
{
    ASSERT(!irq_chip, "irq chip %s registered while %s is in use", chip->name, irq_chip->name);
    irq_chip = chip;
    log_info("irq: interrupt controller %s", chip->name);
}

static int install(u32 vector, irq_handler handler, void *arg)
{
    int error = -EBUSY;
    u64 flags = spin_lock_irqsave(&irq_lock);
    if (!actions[vector].handler) {
        actions[vector].arg = arg;
        __atomic_store_n(&actions[vector].handler, handler, __ATOMIC_RELEASE);
        error = 0;
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return error;
}

int irq_request(u32 line, irq_handler handler, void *arg)
{
    if (line >= ISA_LINES)
        return -EINVAL;
    if (!irq_chip)
        return -ENODEV;
    int error = install(TRAP_IRQ_BASE + line, handler, arg);
    if (!error)
        irq_chip->enable(line, TRAP_IRQ_BASE + line);
    return error;
}

/* Exceptions, the vectors of the ISA lines and the spurious vector count as taken. */
int irq_vector_request(u32 vector, irq_handler handler, void *arg)
{
    if (vector < TRAP_IRQ_BASE + ISA_LINES || vector >= TRAP_SPURIOUS)
        return -EBUSY;
    return install(vector, handler, arg);
}

u64 irq_vector_count(u32 vector)
{
    return vector < TRAP_VECTORS ? __atomic_load_n(&actions[vector].count, __ATOMIC_RELAXED) : 0;
}

/* Nobody asked for it: a line that chattered while it was set up, or a stray `int N`. */
static void unexpected(struct cpu *cpu, u64 vector, u64 count)
{
    cpu->spurious_count++;
    if (count == 1)
        log_warn("irq: vector %lu has no handler; further ones are only counted", vector);
}

/*
 * The spurious vector is the LAPIC's way of saying "never mind": it has nothing in service, so an EOI
 * would acknowledge somebody else's interrupt (SDM 3A, 10.9).
 */
void irq_dispatch(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    struct irq_action *action = &actions[frame->vector];
    irq_handler handler = __atomic_load_n(&action->handler, __ATOMIC_ACQUIRE);
    u64 count = __atomic_add_fetch(&action->count, 1, __ATOMIC_RELAXED);

    cpu->irq_depth++;
    cpu->irq_count++;
    if (frame->vector == TRAP_SPURIOUS)
        cpu->spurious_count++;
    else if (handler)
        handler(action->arg);
    else
        unexpected(cpu, frame->vector, count);
    if (irq_chip && frame->vector != TRAP_SPURIOUS)
        irq_chip->eoi();
    cpu->irq_depth--;
}
