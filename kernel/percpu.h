// SPDX-License-Identifier: MIT
/*
 * Per-CPU data: one struct cpu for each processor, found through GS in one instruction. Fields are
 * touched only by their own CPU with interrupts off, unless the comment says otherwise.
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#include "lib/types.h"

#define MAX_CPUS 64
#define IST_STACKS 3 /* #DF, NMI, #MC */

struct cpu {
    struct cpu *self;    /* at %gs:0, so that this_cpu() is one load */
    u32 id;              /* dense index 0 .. cpu_count()-1 */
    u32 apic_id;         /* from the MADT */
    u32 irq_depth;       /* > 0 while serving an interrupt or NMI */
    u32 in_panic;        /* nested-panic detector */
    void *task;          /* struct task that runs; NULL before there are tasks */
    vaddr_t entry_stack; /* where ring 3 enters: top of that task's kernel stack (also TSS.rsp0) */
    u64 user_rsp;        /* for the few instructions of SYSCALL's entry and exit */
    u64 irq_count;       /* interrupts served */
    u64 nmi_count;       /* NMIs served */
    u64 spurious_count;
    bool online;       /* executes kernel code; written once at start-up */
    vaddr_t stack_low; /* usable part of the boot/idle stack, for backtraces and overflow reports */
    vaddr_t stack_high;
    vaddr_t ist_top[IST_STACKS]; /* set before gdt_init(): tops of the #DF, NMI, #MC stacks */
};

extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

static inline u32 cpu_id(void)
{
    u32 id;
    __asm__("movl %%gs:%c1, %0" : "=r"(id) : "i"(offsetof(struct cpu, id)));
    return id;
}

/* Is this CPU serving an interrupt? (vmalloc may sleep and must not be called; vfree defers.) */
static inline bool in_interrupt(void)
{
    return this_cpu()->irq_depth != 0;
}

/* CPUs that the firmware reported (at least 1, at most MAX_CPUS) / that execute kernel code. */
u32 cpu_count(void);
u32 cpu_online_count(void);

/* Add a processor found in the MADT; returns its id, or -ENOSPC. Boot CPU only, before SMP start. */
int cpu_add(u32 apic_id);

/* Make cpus[id] this processor's struct cpu (writes GS base). Interrupts off. */
void percpu_init(u32 id);

#endif
