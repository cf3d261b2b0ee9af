// SPDX-License-Identifier: MIT
/*
 * The table of processors. CPU 0 is the boot CPU, known before the firmware's tables are read; the
 * others join in the order of the MADT. Written by the boot CPU before others start, so no lock.
 * Read next: kernel/gdt.c, which builds each CPU's descriptor tables from these entries.
 */
#include "kernel/percpu.h"
#include "kernel/cpu.h"
#include "kernel/stacks.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define CPUID_TOPOLOGY 0xbu

struct cpu cpus[MAX_CPUS];
static u32 cpus_known = 1;

u32 cpu_count(void)
{
    return cpus_known;
}

u32 cpu_online_count(void)
{
    u32 online = 0;
    for (u32 i = 0; i < cpus_known; i++)
        online += __atomic_load_n(&cpus[i].online, __ATOMIC_ACQUIRE);
    return online;
}

/* The MADT lists the boot CPU too, at any position: it stays number 0. */
int cpu_add(u32 apic_id)
{
    for (u32 i = 0; i < cpus_known; i++)
        if (cpus[i].apic_id == apic_id)
            return (int)i;
    if (cpus_known == MAX_CPUS)
        return -ENOSPC;
    cpus[cpus_known].id = cpus_known;
    cpus[cpus_known].apic_id = apic_id;
    return (int)cpus_known++;
}

/* The full 32-bit id where there is a topology leaf (EBX != 0), else the 8-bit one of leaf 1. */
static u32 own_apic_id(void)
{
    u32 eax, ebx, ecx, edx;
    cpuid(0, 0, &eax, &ebx, &ecx, &edx);
    if (eax >= CPUID_TOPOLOGY) {
        cpuid(CPUID_TOPOLOGY, 0, &eax, &ebx, &ecx, &edx);
        if (ebx != 0)
            return edx;
    }
    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    return ebx >> 24;
}

void percpu_init(u32 id)
{
    ASSERT(id < cpus_known, "cpu %u >= %u known", id, cpus_known);
    struct cpu *cpu = &cpus[id];
    cpu->self = cpu;
    cpu->id = id;
    cpu->apic_id = own_apic_id();
    if (id == 0) {
        cpu->stack_low = kernel_stacks[STACK_BOOT].low;
        cpu->stack_high = kernel_stacks[STACK_BOOT].high;
        for (unsigned i = 0; i < IST_STACKS; i++)
            cpu->ist_top[i] = kernel_stacks[STACK_IST + i].high;
    }
    wrmsr(MSR_GS_BASE, (u64)cpu);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    __atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
}
