// SPDX-License-Identifier: MIT
/*
 * Every stack that exists before there is memory management, each above its guard page, and the
 * register of stacks that are made later. mm leaves the guard pages unmapped; stack_find() (trap.h)
 * and the backtrace ask here whether an address may be followed.
 */
#ifndef KERNEL_STACKS_H
#define KERNEL_STACKS_H

#include "lib/types.h"

/* [guard, low) must fault, [low, high) is usable. All are page-aligned kernel-image addresses. */
struct stack_area {
    const char *name;
    vaddr_t guard, low, high;
};

enum { STACK_BOOT = 0, STACK_IST = 1, STACK_IST_DF = 1, STACK_IST_NMI = 2, STACK_IST_MC = 3 };

/* The last entry is a guard page without a stack: it protects the top of the one before. */
extern const struct stack_area kernel_stacks[];
extern const u32 kernel_stack_count;

/*
 * Make a stack in [low, high) with its guard page(s) [guard, low) known. The name is kept by
 * reference. 0; -ENOSPC table full; -EINVAL not guard <= low < high. Any context.
 */
int stack_range_register(const char *name, vaddr_t guard, vaddr_t low, vaddr_t high);

/* Forget the stack that was registered with this `low`, before its memory is freed. */
void stack_range_unregister(vaddr_t low);

#endif
