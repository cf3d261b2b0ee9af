// SPDX-License-Identifier: MIT
/*
 * Traps: the register frame that kernel/trap_entry.asm pushes, and who handles which vector. The page
 * fault is registered by mm/fault, interrupts by irq.h users; what nobody handles becomes a panic
 * with decoded registers. In-kernel tests catch a fault on purpose with expect_fault().
 */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "lib/types.h"

/* A trap taken in ring 3, told from the frame's CS. */
#define trap_from_user(frame) (((frame)->cs & 3) == 3)

enum trap_vector {
    TRAP_DIVIDE = 0,
    TRAP_DEBUG = 1,
    TRAP_NMI = 2,
    TRAP_BREAKPOINT = 3,
    TRAP_OVERFLOW = 4,
    TRAP_BOUND = 5,
    TRAP_INVALID_OPCODE = 6,
    TRAP_NO_FPU = 7,
    TRAP_DOUBLE_FAULT = 8,
    TRAP_INVALID_TSS = 10,
    TRAP_NO_SEGMENT = 11,
    TRAP_STACK = 12,
    TRAP_PROTECTION = 13,
    TRAP_PAGE_FAULT = 14,
    TRAP_FPU = 16,
    TRAP_ALIGNMENT = 17,
    TRAP_MACHINE_CHECK = 18,
    TRAP_SIMD = 19,
    TRAP_EXCEPTIONS = 32, /* 32..255: interrupts */
    TRAP_IRQ_BASE = 32,
    TRAP_SPURIOUS = 255,
    TRAP_VECTORS = 256
};

/* As pushed by trap_entry.asm, lowest address first (static asserts in trap.c tie the offsets). */
struct trap_frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector;
    u64 error_code; /* 0 where the CPU pushes none */
    u64 rip, cs, rflags, rsp, ss;
};

/* Page-fault error code bits (SDM 3A, 4.7). */
#define PF_PRESENT (1UL << 0)
#define PF_WRITE (1UL << 1)
#define PF_USER (1UL << 2)
#define PF_RESERVED (1UL << 3)
#define PF_FETCH (1UL << 4)

/* Returns true when the trap was dealt with and the interrupted code may go on. */
typedef bool (*trap_handler)(struct trap_frame *frame);

/* GDT, TSS with IST stacks (#DF, NMI, #MC each their own), IDT with all 256 gates. Boot, per CPU. */
void gdt_init(void);
void trap_init(void);

/* 1 once CR4.SMAP is on: the entry code then clears AC, so that user pages stay out of reach. */
extern u8 trap_clac_enabled;

/* Become the handler of a vector; replaces the earlier one, which is returned (may be NULL). */
trap_handler trap_register(u32 vector, trap_handler handler);

/*
 * Who runs programs (proc/) registers here, once. `trap`: an exception of ring 3, before anybody else
 * is asked; true when dealt with. `leave`: on the way back to ring 3 from any trap or interrupt but
 * NMI; may sleep and may rewrite the frame; returns with interrupts off.
 */
struct trap_user_ops {
    bool (*trap)(struct trap_frame *frame);
    void (*leave)(struct trap_frame *frame);
};
/* The earlier one is returned. */
const struct trap_user_ops *trap_user_register(const struct trap_user_ops *ops);

/*
 * Asked when an instruction of the exception table (kernel/extable.h) has a page fault, before its fixup
 * counts: true, the page is there now, try again. That is how a copy from user memory pages it in.
 */
void trap_register_paging(trap_handler handler);

/* "page fault (#PF)"; "interrupt 33" for vectors >= 32. */
const char *trap_name(u64 vector);

/* The stack that holds `address`: name and usable range of a boot or IST stack, guard pages included
 * in the match (is_guard tells). False when it is no known stack. Any context. */
struct stack_info {
    const char *name;
    vaddr_t low, high; /* usable bytes [low, high) */
    bool is_guard;     /* the address lies in the guard page below `low` */
};
bool stack_find(vaddr_t address, struct stack_info *out);

/* Ask `find` too, after the fixed stacks and the registered ones (proc/: one for each task). Boot. */
void stack_finder_register(bool (*find)(vaddr_t address, struct stack_info *out));

/* What expect_fault() saw. */
struct fault_info {
    bool happened;
    u64 vector, error_code;
    vaddr_t rip, address; /* address: CR2 for page faults, else 0 */
};

/*
 * Run fn(arg); if it traps (any exception except NMI and #MC), abandon it and return with the trap
 * described. Not nestable; interrupts as they were. For self-tests: fn must hold no locks.
 */
struct fault_info expect_fault(void (*fn)(void *arg), void *arg);

#endif
