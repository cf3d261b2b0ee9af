// SPDX-License-Identifier: MIT
/*
 * A page fault becomes an explanation. Reads memory and takes locks only when they are free on this
 * CPU: a fault inside the allocator must be explained too. Order of the questions matters: the most
 * telling answer first (stack guard, then live area, then the dead one that was here before).
 */
#include "mm/fault.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/start.h"
#include "mm/uspace.h"
#include "mm/vmalloc_internal.h"

#define NULL_ZONE (64 * KIB) /* never mapped: NULL plus the offset of a field */

static void (*out_of_memory)(void);

static const char *access_name(u64 error)
{
    return error & PF_FETCH ? "execute" : error & PF_WRITE ? "write" : "read";
}

static void say(struct fault_explanation *out, enum fault_kind kind, const char *next,
                const char *format, ...) __printf(4, 5);

static void say(struct fault_explanation *out, enum fault_kind kind, const char *next,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vformat_to(out->what, sizeof(out->what), format, args);
    va_end(args);
    out->kind = kind;
    format_to(out->next, sizeof(out->next), "%s", next);
}

/* Mapped, but not for this: W^X, SMEP/SMAP, reserved bits. False when the page is not mapped at all. */
static bool explain_protection(vaddr_t address, u64 error, struct fault_explanation *out)
{
    const char *access = access_name(error);
    if (error & PF_RESERVED) {
        say(out, FAULT_RESERVED_BIT, "a page-table entry was overwritten: see the chain below",
            "%s at %#lx: a page-table entry has a reserved bit set", access, address);
        return true;
    }
    if (!(error & PF_PRESENT))
        return false;
    struct symbol symbol;
    bool known = symbol_lookup(address, &symbol);
    const char *where = address >= (vaddr_t)__text_start && address < (vaddr_t)__text_end
                            ? "kernel text (mapped read-execute)"
                        : address >= (vaddr_t)__rodata_start && address < (vaddr_t)__rodata_end
                            ? "kernel rodata (mapped read-only)"
                        : address < USER_HALF_END ? "user memory"
                                                  : "a page that is mapped without that right";
    if (address < USER_HALF_END)
        say(out, FAULT_USER_ACCESS, "the kernel reaches user memory only through copy functions",
            "the kernel tried to %s user memory at %#lx: SMEP/SMAP forbid it", access, address);
    else if (error & PF_FETCH)
        say(out, FAULT_EXEC, "data is never executable here (P2); look for a wild function pointer",
            "W^X violation: jump to %#lx%s%s, which is data (NX)", address,
            known ? ", symbol " : "", known ? symbol.name : "");
    else
        say(out, FAULT_WRITE_PROTECT, "code and constants are never writable here (P2)",
            "W^X violation: %s to %#lx in %s%s%s", access, address, where, known ? ", symbol " : "",
            known ? symbol.name : "");
    return true;
}

static void explain_live_area(const struct vm_struct *vm, vaddr_t address, u64 error,
                              struct fault_explanation *out)
{
    vaddr_t end = vm->addr + get_vm_area_size(vm);
    if (address >= end)
        say(out, FAULT_VMALLOC_GUARD, "compare the index with the size that was asked for",
            "out-of-bounds %s %lu bytes past the end of area [%#lx, %#lx): it hit the guard page. "
            "The area has %lu bytes (asked for: %lu), allocated by %pS",
            access_name(error), address - end, vm->addr, end, end - vm->addr, vm->requested_size,
            (void *)vm->caller);
    else
        say(out, FAULT_WILD, "reserved address space must be mapped before it is used",
            "%s at %#lx, %lu bytes into area [%#lx, %#lx) allocated by %pS, where no page is mapped",
            access_name(error), address, address - vm->addr, vm->addr, end, (void *)vm->caller);
}

static void explain_vmalloc(vaddr_t address, u64 error, struct fault_explanation *out)
{
    struct vmalloc *v = &kernel_vmalloc;
    struct vm_history dead;
    if (!v->ready || spin_held(&v->space.lock) || spin_held(&v->lock)) {
        say(out, FAULT_WILD, "the fault is inside the allocator itself: see the backtrace",
            "%s at %#lx in the vmalloc region while the allocator held its own lock",
            access_name(error), address);
        return;
    }
    const struct vm_struct *vm = vm_find(v, address);
    if (vm) {
        explain_live_area(vm, address, error, out);
        return;
    }
    if (vm_history_find(v, address, &dead)) {
        say(out, FAULT_USE_AFTER_FREE, "who kept the pointer? start at the function that freed it",
            "use after free: %s at %#lx, %lu bytes into the former area [%#lx, %#lx) of %lu bytes, "
            "allocated by %pS, freed by %pS %lu us ago",
            access_name(error), address, address - dead.start, dead.start, dead.end,
            dead.requested_size, (void *)dead.alloc_caller, (void *)dead.free_caller,
            (port_clock_ns() - dead.died_ns) / 1000);
        return;
    }
    const struct vm_struct *next = vm_find(v, align_up(address + 1, PAGE_SIZE));
    if (next)
        say(out, FAULT_VMALLOC_GUARD, "an index below zero? compare with the start of the area",
            "out-of-bounds %s at %#lx, %lu bytes before the start of area [%#lx, %#lx) allocated "
            "by %pS",
            access_name(error), address, next->addr - address, next->addr, next->addr + next->size,
            (void *)next->caller);
    else
        say(out, FAULT_WILD, "where did this pointer come from?",
            "wild %s at %#lx: it lies in the vmalloc region, but no area is or recently was here",
            access_name(error), address);
}

void fault_explain(vaddr_t address, u64 error, struct fault_explanation *out)
{
    struct stack_info stack;
    const struct layout_region *region = layout_find(address);
    if (address < NULL_ZONE && !(error & PF_PRESENT))
        say(out, FAULT_NULL, "a pointer was NULL; the address is the offset of the field used",
            "NULL pointer %s at 0x%lx", access_name(error), address);
    else if (stack_find(address, &stack) && stack.is_guard)
        say(out, FAULT_STACK_GUARD, "endless recursion or large local variables? see the backtrace",
            "kernel stack overflow: %s at %#lx hit the guard page below the %s stack [%#lx, %#lx)",
            access_name(error), address, stack.name, stack.low, stack.high);
    else if (explain_protection(address, error, out))
        return;
    else if (is_vmalloc_addr((void *)address))
        explain_vmalloc(address, error, out);
    else
        say(out, FAULT_WILD, "where did this pointer come from?",
            "wild %s at %#lx: nothing is mapped there (%s)", access_name(error), address,
            region ? region->name : "outside every region of the kernel's layout");
}

void pte_describe(pte_t entry, unsigned level, char *buf, u64 size)
{
    bool leaf = level == 0 || (level < 3 && entry & PTE_PS);
    if (!(entry & PTE_P)) {
        format_to(buf, size, "not present");
        return;
    }
    u64 frame =
        entry & PTE_FRAME &
        (leaf ? ~(pt_level_shift(level) > PAGE_SHIFT ? (1UL << pt_level_shift(level)) - 1 : 0UL)
              : ~0UL);
    format_to(buf, size, "%s 0x%lx %s %s %s%s%s%s%s%s", leaf ? "frame" : "table", frame,
              entry & PTE_U ? "user" : "kernel", entry & PTE_W ? "RW" : "RO",
              entry & PTE_NX ? "NX" : "X", entry & PTE_G && leaf ? " global" : "",
              entry & PTE_PCD ? " PCD" : "", entry & PTE_PWT ? " PWT" : "",
              entry & PTE_A ? " accessed" : "", entry & PTE_D && leaf ? " dirty" : "");
}

void fault_print_chain(vaddr_t address)
{
    static const char *const level_names[PT_LEVELS] = {"PTE", "PMD", "PUD", "PGD"};
    struct pt_walk walk;
    char text[96];
    struct uspace *space = address < USER_HALF_END ? uspace_current() : NULL;
    pt_walk(space ? uspace_pagetable(space) : &kernel_pagetable, address, &walk);
    print("page-table chain of 0x%016lx:\n", address);
    for (unsigned level = PT_LEVELS; level-- > walk.stopped_at;) {
        pte_describe(walk.value[level], level, text, sizeof(text));
        print("  %s[%3u] at %p = 0x%016lx  %s%s\n", level_names[level], pt_index(address, level),
              (void *)walk.entry[level], walk.value[level], text,
              level == walk.stopped_at && !walk.present ? "   <-- stops here" : "");
    }
    if (walk.present)
        print("  effective: %s %s %s, physical %#lx\n", walk.user ? "user" : "kernel",
              walk.writable ? "RW" : "RO", walk.executable ? "X" : "NX", walk.physical);
}

/* ---- for programs ------------------------------------------------------------------------------------- */

/* With interrupts as they were: zeroing two megabytes takes its time. */
static int resolve(struct trap_frame *frame, vaddr_t address)
{
    struct uspace *space = uspace_current();

    if (!space || frame->error_code & PF_RESERVED)
        return -EFAULT;
    if (frame->rflags & RFLAGS_IF)
        irq_enable();
    int err = uspace_fault(space, address, frame->error_code);
    irq_disable();
    return err;
}

/* An access of the kernel's copy functions: with SMAP they are those that have opened the window. */
static bool page_in_for_kernel(struct trap_frame *frame)
{
    vaddr_t address = read_cr2();

    if (address >= USER_END || (trap_clac_enabled && !(frame->rflags & RFLAGS_AC)))
        return false;
    int err = resolve(frame, address);
    if (err == -ENOMEM && out_of_memory)
        out_of_memory();
    return err == 0;
}

void fault_set_out_of_memory(void (*hook)(void))
{
    out_of_memory = hook;
}

static bool handle_page_fault(struct trap_frame *frame)
{
    static struct fault_explanation explanation;
    fault_explain(read_cr2(), frame->error_code, &explanation);
    panic_at(frame, explanation.next, "%s", explanation.what);
}

/* A fault whose frame could not be pushed: almost always the stack pointer ran into a guard page. */
static bool handle_double_fault(struct trap_frame *frame)
{
    static struct fault_explanation explanation;
    struct stack_info stack;
    vaddr_t cr2 = read_cr2();
    bool overflow = stack_find(cr2, &stack) && stack.is_guard;
    if (!overflow && !(stack_find(frame->rsp, &stack) && stack.is_guard))
        panic_at(frame, "the CPU could not deliver an exception: see rsp and the backtrace",
                 "double fault, rsp %#lx, cr2 %#lx", frame->rsp, cr2);
    fault_explain(overflow ? cr2 : frame->rsp, PF_WRITE, &explanation);
    panic_at(frame, explanation.next, "%s", explanation.what);
}

static void print_chain_in_panic(struct trap_frame *frame)
{
    if (frame && (frame->vector == TRAP_PAGE_FAULT || frame->vector == TRAP_DOUBLE_FAULT))
        fault_print_chain(read_cr2());
}

void fault_init(void)
{
    trap_register(TRAP_PAGE_FAULT, handle_page_fault);
    trap_register_paging(page_in_for_kernel);
    trap_register(TRAP_DOUBLE_FAULT, handle_double_fault);
    panic_hook_register(print_chain_in_panic);
}
