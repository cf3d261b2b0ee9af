// SPDX-License-Identifier: MIT
/*
 * The processor as instructions: ports, control registers, MSRs, CPUID, TLB, interrupt flag, and the
 * table of features that this kernel uses where the CPU offers them. One-instruction wrappers only;
 * anything with state lives elsewhere. Reference: Intel SDM volumes 2 and 3A.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "lib/types.h"

static inline void outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline u32 inl(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u16 inw(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u64 rdmsr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return ((u64)high << 32) | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define DEFINE_CONTROL_REGISTER(reg)                                                               \
    static inline u64 read_##reg(void)                                                             \
    {                                                                                              \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory");                         \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##reg(u64 value)                                                      \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");                             \
    }
DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)

static inline u64 rdtsc(void)
{
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return ((u64)high << 32) | low;
}

static inline void invlpg(vaddr_t address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

#define RFLAGS_IF (1UL << 9)
#define RFLAGS_AC (1UL << 18) /* ring 0, with SMAP: user memory may be touched */

static inline u64 read_rflags(void)
{
    u64 flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline bool irqs_enabled(void)
{
    return read_rflags() & RFLAGS_IF;
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}

/* Disable interrupts; the return value goes to irq_restore(). Nests. */
static inline u64 irq_save(void)
{
    u64 flags;
    __asm__ volatile("pushfq; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void irq_restore(u64 flags)
{
    if (flags & RFLAGS_IF)
        irq_enable();
}

/* Sleep until the next interrupt; enables interrupts in the one instruction pair that cannot race. */
static inline void cpu_wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}

/* Interrupts off, hlt for ever: the last instruction of a panic. */
__noreturn void cpu_halt_forever(void);

#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_APIC_BASE 0x1bu
#define MSR_PAT 0x277u

#define CR0_WP (1UL << 16)
#define CR4_PGE (1UL << 7)
#define CR4_UMIP (1UL << 11)
#define CR4_PCIDE (1UL << 17)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)
#define EFER_NXE (1UL << 11)

/* What CPUID reported on the boot CPU; filled once by cpu_features_init(). */
struct cpu_features {
    char vendor[13];
    char brand[49];
    bool nx, smep, smap, umip, pge, pcid, gib_pages, la57, invariant_tsc, rdrand, x2apic, erms;
    u8 physical_bits;
    u8 linear_bits;
    u64 boot_tsc; /* time stamp counter when cpu_features_init() ran: the zero of clock_ns() */
};
extern struct cpu_features cpu_features;

/* Read CPUID into cpu_features. Boot CPU, first thing in C. */
void cpu_features_init(void);

/*
 * Turn on every protection this CPU has: CR0.WP, EFER.NXE, CR4.{PGE,SMEP,SMAP,UMIP,PCIDE}. On each
 * CPU, after its final page tables are loaded. PCIDE needs CR3[11:0] == 0 at that moment.
 */
void cpu_protections_enable(void);

void cpuid(u32 leaf, u32 subleaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

#endif
