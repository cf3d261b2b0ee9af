// SPDX-License-Identifier: MIT
/*
 * Backtraces along the frame pointers (the kernel is built with -fno-omit-frame-pointer at every
 * level): [rbp] is the caller's rbp, [rbp+8] the return address. No lock, no state, any context. A
 * frame is read only inside a stack that kernel/stacks.c knows, and only upward within one stack, so a
 * smashed rbp ends the walk instead of faulting or looping.
 */
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "kernel/printk.h"
#include "kernel/trap.h"
#include "lib/format.h"

#define MAX_FRAMES 32
#define FRAME_BYTES 16

extern u8 trap_dispatched[]; /* kernel/trap_entry.asm: where trap_dispatch() returns to */

/* Is there a whole frame at rbp, in the stack `*stack` (found here) and above the previous one? */
static bool frame_is_readable(vaddr_t rbp, vaddr_t previous, struct stack_info *stack)
{
    struct stack_info here;
    if (rbp % sizeof(u64) || !stack_find(rbp, &here) || here.is_guard ||
        here.high - rbp < FRAME_BYTES)
        return false;
    bool same_stack = here.low == stack->low;
    *stack = here;
    return !same_stack || rbp > previous;
}

__noinline size_t backtrace_capture(vaddr_t rbp, vaddr_t *out, size_t max)
{
    struct stack_info stack = {0};
    vaddr_t previous = 0;
    size_t count = 0;
    if (rbp == 0)
        rbp = *(const vaddr_t *)__builtin_frame_address(0);
    while (count < max && frame_is_readable(rbp, previous, &stack)) {
        const vaddr_t *frame = (const vaddr_t *)rbp;
        if (frame[1] == 0)
            break;
        out[count++] = frame[1];
        previous = rbp;
        rbp = frame[0];
    }
    return count;
}

/*
 * A return address may already belong to the next function (when the call never returns), so the call
 * one byte before it is looked up. The address after a trap is exact: that instruction was next.
 */
size_t backtrace_describe(const vaddr_t *frames, size_t n, char *buf, size_t size)
{
    bool exact = n == 0 || frames[n - 1] == (vaddr_t)trap_dispatched;
    struct symbol symbol;
    if (!symbol_lookup(frames[n] - !exact, &symbol))
        return format_to(buf, size, "%#lx%s", frames[n],
                         frames[n] >> 63 ? " (not kernel text)" : " (user mode)");
    return format_to(buf, size, "%s+%#lx/%#lx%s", symbol.name, frames[n] - symbol.address,
                     symbol.size, exact && n ? " <- interrupted here" : "");
}

void backtrace_print(vaddr_t rip, vaddr_t rbp)
{
    char line[160];
    vaddr_t frames[MAX_FRAMES] = {rip};
    size_t count = 1 + backtrace_capture(rbp, frames + 1, MAX_FRAMES - 1);
    for (size_t i = 0; i < count; i++) {
        backtrace_describe(frames, i, line, sizeof(line));
        print("  #%-2zu %s\n", i, line);
    }
    if (count == MAX_FRAMES)
        print("  ... (more frames)\n");
}
