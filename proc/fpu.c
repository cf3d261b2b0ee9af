// SPDX-License-Identifier: MIT
/*
 * Owns the cache of save areas. FXSAVE's 512 bytes, or XSAVE's standard format: the same 512, then 64
 * bytes that say which parts are there, then AVX. The kernel itself is compiled without these registers,
 * so that a trap leaves them alone. No lock: the size is written once. SDM 1, chapter 13 (XSAVE).
 */
#include "proc/fpu.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "lib/string.h"
#include "mm/slab.h"

#define CR0_MP (1UL << 1)
#define CR0_EM (1UL << 2)
#define CR0_TS (1UL << 3)
#define CR0_NE (1UL << 5)
#define CR4_OSFXSR (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_OSXSAVE (1UL << 18)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_XSAVE 0xdu
#define XSTATE_WANTED 7u /* x87, SSE, AVX */

#define FXSAVE_SIZE 512u
#define FCW_DEFAULT 0x37fu
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_MASK_DEFAULT 0xffbfu

struct fx_area {
    u16 fcw, fsw;
    u8 ftw, reserved0;
    u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 registers[384]; /* 8 of x87, 16 of SSE, 16 bytes each */
    u8 reserved1[96];
    u64 xstate_bv, xcomp_bv, reserved2[6]; /* only with XSAVE */
};
_Static_assert(offsetof(struct fx_area, xstate_bv) == FXSAVE_SIZE, "SDM 1, 13.4");

static struct kmem_cache areas;
static u32 area_size = FXSAVE_SIZE, mxcsr_mask = MXCSR_MASK_DEFAULT;
static u64 xstate; /* XCR0; 0: FXSAVE only */

static void enable_xsave(void)
{
    u32 eax, ebx, ecx, edx;
    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    if (!(ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    cpuid(CPUID_XSAVE, 0, &eax, &ebx, &ecx, &edx);
    xstate = eax & XSTATE_WANTED;
    __asm__ volatile("xsetbv" ::"c"(0), "a"((u32)xstate), "d"(0));
    cpuid(CPUID_XSAVE, 0, &eax, &ebx, &ecx, &edx);
    area_size = ebx; /* for what XCR0 has on now */
}

void fpu_init(void)
{
    static struct fx_area probe __aligned(64);
    write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    enable_xsave();
    __asm__ volatile("fninit; fxsave64 %0" : "+m"(probe));
    if (probe.mxcsr_mask)
        mxcsr_mask = probe.mxcsr_mask;
    if (kmem_cache_init(&areas, "fpu", area_size, 64, &kernel_buddy))
        panic("no cache for FPU areas of %u bytes", area_size);
    areas.poison = false; /* reset before use; the content of the old owner is overwritten there */
}

u32 fpu_size(void)
{
    return area_size;
}

void fpu_reset(void *area)
{
    struct fx_area *fx = area;
    memset(area, 0, area_size);
    fx->fcw = FCW_DEFAULT;
    fx->mxcsr = MXCSR_DEFAULT;
}

void *fpu_create(void)
{
    void *area = kmem_cache_alloc(&areas, GFP_KERNEL);
    if (area)
        fpu_reset(area);
    return area;
}

void fpu_free(void *area)
{
    kmem_cache_free(&areas, area);
}

void fpu_save(void *area)
{
    if (xstate)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)xstate), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_load(const void *area)
{
    if (xstate)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)xstate), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_sanitise(void *area)
{
    struct fx_area *fx = area;
    fx->mxcsr &= mxcsr_mask;
    if (!xstate)
        return;
    fx->xstate_bv &= xstate;
    fx->xcomp_bv = 0;
    memset(fx->reserved2, 0, sizeof(fx->reserved2));
}
