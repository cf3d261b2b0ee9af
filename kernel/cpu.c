// SPDX-License-Identifier: MIT
/*
 * What this processor can do (CPUID) and the protections that are switched on because of it. No lock:
 * the table is written once by the boot CPU and read ever after. Numbers of leaves and bits: Intel
 * SDM volume 2A, CPUID; volume 3A, 2.5 (control registers). Read next: kernel/gdt.c.
 */
#include "kernel/cpu.h"
#include "kernel/trap.h"
#include "lib/string.h"

#define BASIC_FEATURES 0x1u
#define STRUCTURED_FEATURES 0x7u
#define EXTENDED_BASE 0x80000000u
#define EXTENDED_FEATURES 0x80000001u
#define BRAND_FIRST 0x80000002u
#define POWER_FEATURES 0x80000007u
#define ADDRESS_SIZES 0x80000008u

struct cpu_features cpu_features;

struct cpuid_regs {
    u32 eax, ebx, ecx, edx;
};

void cpuid(u32 leaf, u32 subleaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
    __asm__ volatile("cpuid"
                     : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx)
                     : "a"(leaf), "c"(subleaf));
}

/* A leaf that this CPU does not have answers with another leaf's data (Intel): ask for the limit. */
static struct cpuid_regs cpuid_leaf(u32 leaf)
{
    struct cpuid_regs limit, regs = {0};
    cpuid(leaf & EXTENDED_BASE, 0, &limit.eax, &limit.ebx, &limit.ecx, &limit.edx);
    if (leaf <= limit.eax)
        cpuid(leaf, 0, &regs.eax, &regs.ebx, &regs.ecx, &regs.edx);
    return regs;
}

static bool bit(u32 word, unsigned n)
{
    return (word >> n) & 1;
}

static void read_names(void)
{
    struct cpuid_regs r = cpuid_leaf(0);
    memcpy(cpu_features.vendor, &r.ebx, 4);
    memcpy(cpu_features.vendor + 4, &r.edx, 4);
    memcpy(cpu_features.vendor + 8, &r.ecx, 4);
    for (u32 i = 0; i < 3; i++) {
        r = cpuid_leaf(BRAND_FIRST + i);
        memcpy(cpu_features.brand + 16 * i, &r, sizeof(r));
    }
}

void cpu_features_init(void)
{
    cpu_features.boot_tsc = rdtsc();
    read_names();

    struct cpuid_regs r = cpuid_leaf(BASIC_FEATURES);
    cpu_features.pge = bit(r.edx, 13);
    cpu_features.pcid = bit(r.ecx, 17);
    cpu_features.x2apic = bit(r.ecx, 21);
    cpu_features.rdrand = bit(r.ecx, 30);

    r = cpuid_leaf(STRUCTURED_FEATURES);
    cpu_features.smep = bit(r.ebx, 7);
    cpu_features.erms = bit(r.ebx, 9);
    cpu_features.smap = bit(r.ebx, 20);
    cpu_features.umip = bit(r.ecx, 2);
    cpu_features.la57 = bit(r.ecx, 16);

    r = cpuid_leaf(EXTENDED_FEATURES);
    cpu_features.nx = bit(r.edx, 20);
    cpu_features.gib_pages = bit(r.edx, 26);
    cpu_features.invariant_tsc = bit(cpuid_leaf(POWER_FEATURES).edx, 8);

    r = cpuid_leaf(ADDRESS_SIZES);
    cpu_features.physical_bits = r.eax & 0xff ? r.eax & 0xff : 36;
    cpu_features.linear_bits = (r.eax >> 8) & 0xff ? (r.eax >> 8) & 0xff : 48;
}

/* WP makes ring 0 obey read-only pages; without it a write to kernel text would just succeed. */
void cpu_protections_enable(void)
{
    write_cr0(read_cr0() | CR0_WP);
    if (cpu_features.nx)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);

    u64 cr4 = read_cr4();
    cr4 |= cpu_features.pge ? CR4_PGE : 0;
    cr4 |= cpu_features.smep ? CR4_SMEP : 0;
    cr4 |= cpu_features.smap ? CR4_SMAP : 0;
    cr4 |= cpu_features.umip ? CR4_UMIP : 0;
    /* Setting PCIDE while CR3[11:0] != 0 is a #GP (SDM 3A, 4.10.1). */
    if (cpu_features.pcid && (read_cr3() & ~PAGE_MASK) == 0)
        cr4 |= CR4_PCIDE;
    write_cr4(cr4);
    if (cr4 & CR4_SMAP)
        trap_clac_enabled = 1;
}

__noreturn void cpu_halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}
