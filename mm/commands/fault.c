// SPDX-License-Identifier: MIT
/*
 * `fault KIND`: make every mistake once, on purpose, and read what the kernel says about it. Each
 * trigger is a function of its own with a telling name (it shows up in the backtrace), and goes
 * through volatile so that the compiler cannot see the mistake coming. The first group ends the
 * system, as the real mistake would; the second is refused with a report and the system goes on.
 * Read next: mm/fault.c, which explains what is caused here.
 */
#include "kernel/command.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/vmalloc_internal.h"

/* Keeps its name in every backtrace: not inlined, not merged with a twin that has the same body. */
#ifdef __clang__
#define __trigger __noinline
#else
#define __trigger __attribute__((noipa))
#endif

static volatile u64 sink; /* what is read goes here, so that the read happens */
static volatile u64 zero; /* a 0 that no analyser can see through */

/* Inlined, so that the area's recorded caller is the function that makes the mistake. */
static inline __attribute__((always_inline)) void *need_area(u64 pages)
{
    void *area = vmalloc(pages << PAGE_SHIFT);

    if (!area)
        print("no memory for the area that this fault needs\n");
    return area;
}

/* ---- faults: none of these returns ---------------------------------------------------------- */

/* Deeper than any stack, but an end, so that a compiler does not refuse to build it. */
static volatile u64 deepest = ~0UL;

/* Each frame takes 1 KiB and the guard page is 4: no frame can step over it. */
static __trigger u64 recurse_until_the_stack_ends(u64 depth)
{
    volatile u8 frame[1024];

    if (depth == deepest)
        return 0;
    memset((u8 *)frame, (int)depth, sizeof(frame));
    u64 below = recurse_until_the_stack_ends(depth + 1);
    return below + frame[depth % sizeof(frame)];
}

static void fault_stack(void)
{
    sink = recurse_until_the_stack_ends(0);
}

static __trigger void write_behind_the_end(volatile u8 *area, u64 size)
{
    area[size] = 1;
}

static void fault_guard(void)
{
    u8 *area = need_area(2);
    if (area)
        write_behind_the_end(area, 2 * PAGE_SIZE);
}

static __trigger void write_before_the_start(volatile u8 *area)
{
    area[-1] = 1;
}

/* Alone in its window: elsewhere the byte before it would lie in its neighbour's guard page. */
static void *need_lonely_area(void)
{
    void *area = __vmalloc_node_range(PAGE_SIZE, PAGE_SIZE, VMALLOC_BASE + 16 * GIB, VMALLOC_END,
                                      GFP_KERNEL, PROT_KERNEL_RW, 0, CALLER());

    if (!area)
        print("no memory for the area that this fault needs\n");
    return area;
}

static void fault_under(void)
{
    u8 *area = need_lonely_area();
    if (area)
        write_before_the_start(area);
}

static __trigger void read_after_vfree(const volatile u64 *area)
{
    sink = *area;
}

/* The area is never touched while it lives, so no TLB holds a translation that hides the fault. */
static void fault_use_after_free(void)
{
    void *volatile area = need_area(3);
    if (!area)
        return;
    vfree(area);
    read_after_vfree(area);
}

static __trigger void read_through_null(const volatile u64 *pointer)
{
    sink = *pointer;
}

static void fault_null(void)
{
    read_through_null((const u64 *)zero);
}

static __trigger void write_to_kernel_text(volatile u8 *text)
{
    *text = 0xcc;
}

static void fault_write_text(void)
{
    write_to_kernel_text((u8 *)__text_start);
}

static __trigger void write_to_read_only_data(volatile u8 *data)
{
    *data = 1;
}

static void fault_write_rodata(void)
{
    write_to_read_only_data((u8 *)__rodata_start);
}

static __trigger void jump_into_data(void *target)
{
    ((void (*)(void))target)();
}

static void fault_execute_data(void)
{
    u8 *area = need_area(1);
    if (!area)
        return;
    memset(area, 0xc3, PAGE_SIZE); /* ret: harmless if it ran, which it must not */
    jump_into_data(area);
}

static __trigger void read_non_canonical(const volatile u64 *pointer)
{
    sink = *pointer;
}

static void fault_non_canonical(void)
{
    read_non_canonical((const u64 *)(NON_CANONICAL_LOW + 0x1000));
}

static __trigger void execute_undefined_instruction(void)
{
    __asm__ volatile("ud2");
}

static __trigger u64 divide_by(volatile u64 *divisor)
{
    return 1000 / *divisor;
}

static void fault_divide(void)
{
    sink = divide_by(&zero);
}

static __trigger void panic_on_request(void)
{
    panic("asked for with `fault panic`");
}

static __trigger void assert_on_request(void)
{
    volatile u64 order = MAX_ORDER + 1;
    ASSERT(order <= MAX_ORDER, "order %lu > %u", order, MAX_ORDER);
}

/* ---- refused: reported, and the system goes on ---------------------------------------------- */

static __trigger void vfree_twice(void *area)
{
    vfree(area);
    vfree(area);
}

static void misuse_double(void)
{
    void *area = need_area(3);
    if (area)
        vfree_twice(area);
}

/* vfree() of an address that the area does not start at; then the right one. */
static __trigger void vfree_at_offset(u64 offset)
{
    u8 *volatile area = need_area(3);

    if (!area)
        return;
    vfree(area + offset);
    vfree(area);
}

static void misuse_unaligned(void)
{
    vfree_at_offset(1);
}

static void misuse_middle(void)
{
    vfree_at_offset(PAGE_SIZE);
}

static __trigger void misuse_foreign(void)
{
    u64 on_the_stack = 0;
    void *volatile address = &on_the_stack;
    vfree(address);
}

static __trigger void free_page_twice(struct page *page)
{
    free_pages(page, 0);
    free_pages(page, 0);
}

static void misuse_page(void)
{
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    if (page)
        free_page_twice(page);
    else
        print("no free page\n");
}

struct kind {
    const char *name;
    void (*trigger)(void);
    bool fatal;
    const char *what;
};

static const struct kind kinds[] = {
    {"stack", fault_stack, true, "recurse until the stack's guard page"},
    {"guard", fault_guard, true, "write one byte behind a vmalloc area, into its guard page"},
    {"under", fault_under, true, "write one byte before an area"},
    {"uaf", fault_use_after_free, true, "read an area after vfree"},
    {"null", fault_null, true, "read through a NULL pointer"},
    {"wx", fault_write_text, true, "write to the kernel's own code"},
    {"rodata", fault_write_rodata, true, "write to read-only data"},
    {"exec", fault_execute_data, true, "jump into vmalloc'ed data"},
    {"noncanonical", fault_non_canonical, true, "read an address that no page table can map"},
    {"ud", execute_undefined_instruction, true, "execute an undefined instruction"},
    {"div", fault_divide, true, "divide by zero"},
    {"panic", panic_on_request, true, "call panic()"},
    {"assert", assert_on_request, true, "break an assertion"},
    {"double", misuse_double, false, "vfree the same area twice"},
    {"unaligned", misuse_unaligned, false, "vfree an address inside a page"},
    {"middle", misuse_middle, false, "vfree the second page of an area"},
    {"foreign", misuse_foreign, false, "vfree an address of the stack"},
    {"badpage", misuse_page, false, "free the same page frame twice"},
};

static void list_kinds(bool fatal)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].fatal == fatal)
            print("  %-13s %s\n", kinds[i].name, kinds[i].what);
}

static int fault_run(int argc, char **argv)
{
    if (argc == 1) {
        print("These stop the system, with an explanation:\n");
        list_kinds(true);
        print("These are refused or harmless, and the system goes on:\n");
        list_kinds(false);
        return 0;
    }
    if (argc != 2)
        return COMMAND_USAGE;
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        kinds[i].trigger();
        return kinds[i].fatal ? -EFAULT : 0;
    }
    print("no fault '%.40s'; `fault` lists them\n", argv[1]);
    return -ENOENT;
}

static const char *fault_complete(int index, unsigned n)
{
    return index == 1 && n < ARRAY_SIZE(kinds) ? kinds[n].name : NULL;
}
COMMAND(fault, "fault", fault_run, fault_complete, "fault [KIND]",
        "make a mistake on purpose and read the explanation; alone: list the kinds");

/* --- neither: what a stale TLB entry does --------------------------------------------------- */

static __trigger void read_in_trial(void *area)
{
    sink = *(const volatile u64 *)area;
}

/* Twice through a dead address: before the flush the processor may still allow it. */
static int tlb_demo_run(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    u64 *volatile area = need_area(1);
    if (!area)
        return -ENOMEM;
    /* The aid that flushes at each vfree, so that a use after free faults, would spoil it. */
    bool debug = kernel_vmalloc.debug;
    kernel_vmalloc.debug = false;
    *area = 42; /* now this CPU's TLB holds the translation */
    vfree(area);
    kernel_vmalloc.debug = debug;
    bool early = expect_fault(read_in_trial, area).happened;
    vm_unmap_aliases();
    bool late = expect_fault(read_in_trial, area).happened;
    print("read after vfree, before the flush: %s\nread after the flush:               %s\n",
          early ? "fault (the TLB had forgotten, or the policy is eager)"
                : "NO fault: a stale TLB entry still leads to the freed frame",
          late ? "fault" : "NO fault: P3 is broken");
    print("This is why a range is not handed out again before the flush (invariant P3).\n");
    return late ? 0 : -EIO;
}
COMMAND(tlb_demo, "tlb-demo", tlb_demo_run, NULL, "tlb-demo",
        "read a freed area twice, before and after its TLB flush: why freed ranges wait");
