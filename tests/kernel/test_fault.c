// SPDX-License-Identifier: MIT
/*
 * Faults that really happen, caught and compared with their explanation: the right kind, the right
 * neighbour, the right culprit. The fatal forms of the same faults are death tests in tests/machine.
 */
#include "kernel/cpu.h"
#include "kernel/ktest.h"
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/string.h"
#include "mm/fault.h"
#include "mm/vmalloc_internal.h"

static void read_byte(void *at)
{
    (void)*(volatile u8 *)at;
}

static void write_byte(void *at)
{
    *(volatile u8 *)at = 1;
}

static void jump_to(void *at)
{
    ((void (*)(void))at)();
}

/* Do it, expect a page fault at that address, explain it. */
static const char *provoke(void (*deed)(void *), void *at, enum fault_kind kind, const char *words)
{
    static struct fault_explanation explanation;
    struct fault_info info = expect_fault(deed, at);
    KEXPECT(info.happened && info.vector == TRAP_PAGE_FAULT, "%s: happened %d, vector %lu", words,
            info.happened, info.vector);
    KEXPECT(info.address == (vaddr_t)at, "%s: cr2 %#lx, expected %p", words, info.address, at);
    fault_explain(info.address, info.error_code, &explanation);
    ktest_note("%s", explanation.what);
    KEXPECT(explanation.kind == kind, "kind %d instead of %d: %s", (int)explanation.kind, (int)kind,
            explanation.what);
    KEXPECT(strstr(explanation.what, words), "no \"%s\" in: %s", words, explanation.what);
    KEXPECT(explanation.next[0], "no next step");
    return NULL;
}

KTEST(fault, null_pointer)
{
    const char *wrong = provoke(read_byte, (void *)0xff8, FAULT_NULL, "NULL pointer read at 0xff8");
    if (!wrong)
        wrong = provoke(write_byte, (void *)0x0, FAULT_NULL, "NULL pointer write");
    return wrong ? wrong : provoke(jump_to, (void *)0x10, FAULT_NULL, "NULL pointer execute");
}

KTEST(fault, past_the_end_hits_the_guard)
{
    u8 *area = vmalloc(100);
    KEXPECT(area, "no memory");
    const char *wrong = provoke(write_byte, area + PAGE_SIZE + 16, FAULT_VMALLOC_GUARD,
                                "write 16 bytes past the end");
    vfree(area);
    return wrong;
}

KTEST(fault, before_the_start)
{
    vaddr_t lo = VMALLOC_BASE + 9 * GIB;
    u8 *area = __vmalloc_node_range(PAGE_SIZE, PAGE_SIZE, lo, lo + GIB, GFP_KERNEL, PROT_KERNEL_RW,
                                    0, CALLER());
    KEXPECT((vaddr_t)area == lo, "%p", (void *)area);
    const char *wrong =
        provoke(write_byte, area - 8, FAULT_VMALLOC_GUARD, "8 bytes before the start of area");
    vfree(area);
    return wrong;
}

KTEST(fault, use_after_free_names_both)
{
    if (!kernel_vmalloc.debug)
        return ktest_skip("vmalloc.debug=off: a stale translation may hide it");
    u8 *area = vmalloc(2 * PAGE_SIZE);
    KEXPECT(area, "no memory");
    area[PAGE_SIZE] = 1; /* the translation is cached now: the flush must drop it */
    vfree(area);
    return provoke(read_byte, area + PAGE_SIZE + 5, FAULT_USE_AFTER_FREE,
                   "use after free: read at");
}

KTEST(fault, never_mapped)
{
    return provoke(read_byte, (void *)(VMALLOC_END - 100), FAULT_WILD,
                   "no area is or recently was");
}

KTEST(fault, reserved_but_not_mapped)
{
    struct vm_struct *vm = get_vm_area(PAGE_SIZE, VM_MAP);
    KEXPECT(vm, "no reservation");
    const char *wrong = provoke(read_byte, (void *)(vm->addr + 1), FAULT_WILD, "no page is mapped");
    free_vm_area(vm);
    return wrong;
}

KTEST(fault, write_to_text_and_rodata)
{
    const char *wrong =
        provoke(write_byte, (void *)(vaddr_t)vfree, FAULT_WRITE_PROTECT, "kernel text");
    if (!wrong)
        wrong = provoke(write_byte, __rodata_start, FAULT_WRITE_PROTECT, "kernel rodata");
    /* ... and the same frames through the direct map. */
    if (!wrong)
        wrong = provoke(write_byte, phys_to_virt((vaddr_t)__text_start - KERNEL_BASE),
                        FAULT_WRITE_PROTECT, "W^X violation");
    return wrong;
}

KTEST(fault, data_is_not_executable)
{
    static u8 data[16] = {0xc3}; /* ret: would return quietly */
    const char *wrong = provoke(jump_to, data, FAULT_EXEC, "which is data (NX)");
    u8 *area = vmalloc(PAGE_SIZE);
    KEXPECT(area, "no memory");
    area[0] = 0xc3;
    if (!wrong)
        wrong = provoke(jump_to, area, FAULT_EXEC, "which is data (NX)");
    if (!wrong)
        wrong = provoke(jump_to, page_address(vmalloc_to_page(area)), FAULT_EXEC, "W^X violation");
    vfree(area);
    return wrong;
}

KTEST(fault, stack_guards_are_unmapped)
{
    for (u32 i = 0; i < kernel_stack_count; i++) {
        if (kernel_stacks[i].guard == kernel_stacks[i].low)
            continue;
        struct fault_info info = expect_fault(read_byte, (void *)(kernel_stacks[i].low - 8));
        KEXPECT(info.happened, "the guard of the %s stack is mapped", kernel_stacks[i].name);
    }
    return provoke(write_byte, (void *)(kernel_stacks[STACK_BOOT].low - 8), FAULT_STACK_GUARD,
                   "kernel stack overflow");
}

KTEST(fault, non_canonical_is_a_general_protection)
{
    struct fault_info info = expect_fault(read_byte, (void *)0x0000900000000000);
    KEXPECT(info.happened && info.vector == TRAP_PROTECTION, "vector %lu", info.vector);
    return NULL;
}

/* A user page: SMEP forbids to run it, SMAP to read it. */
KTEST(fault, user_pages_are_out_of_bounds)
{
    if (!cpu_features.smep || !cpu_features.smap)
        return ktest_skip("this CPU has no SMEP/SMAP");
    const vaddr_t user = 0x400000;
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    KEXPECT(page, "no memory");
    u64 prot = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
    KEXPECT(pt_map(&kernel_pagetable, user, page_to_phys(page), PAGE_SIZE, prot, PAGE_SHIFT) == 0,
            "cannot map a user page");
    *(u8 *)page_address(page) = 0xc3;
    const char *wrong = provoke(read_byte, (void *)user, FAULT_USER_ACCESS, "read user memory");
    if (!wrong)
        wrong = provoke(jump_to, (void *)user, FAULT_USER_ACCESS, "execute user memory");
    pt_unmap(&kernel_pagetable, user, PAGE_SIZE);
    port_tlb_flush_range(user, user + PAGE_SIZE);
    pt_trim(&kernel_pagetable, 0, GIB);
    free_pages(page, 0);
    return wrong;
}

KTEST(fault, nothing_is_writable_and_executable)
{
    return pt_check_wx(&kernel_pagetable, (vaddr_t)__text_start, (vaddr_t)__text_end);
}
