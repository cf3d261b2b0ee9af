// SPDX-License-Identifier: MIT
/*
 * Backtraces along the frame pointers (the kernel is built with -fno-omit-frame-pointer at every
 * level): [rbp] is the caller's rbp, [rbp+8] the return address. No lock, no state, any context. A
 * frame is read only inside a stack that kernel/stacks.c knows, and only upward within one stack, so a
 * smashed rbp ends the walk instead of faulting or looping.
 */
#include "kernel/printk.h"
#include "kernel/stacks.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/format.h"
#include "lib/string.h"

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
        return format_to(buf, size, "%#lx (not in the kernel image)", frames[n]);
    return format_to(buf, size, "%s+0x%lx/0x%lx%s", symbol.name, frames[n] - symbol.address,
                     symbol.size, exact && n ? " <- interrupted here" : "");
}

static bool in_kernel_text(vaddr_t address)
{
    return address >= (vaddr_t)__text_start && address < (vaddr_t)__text_end;
}

/* Does `address` lie behind a call instruction (E8 rel32, or FF /2 with 0, 1, 4 or 5 more bytes)? */
static bool follows_call(vaddr_t address)
{
    if (!in_kernel_text(address) || !in_kernel_text(address - 7))
        return false;
    const u8 *code = (const u8 *)address;
    return code[-5] == 0xe8 || code[-2] == 0xff || code[-3] == 0xff || code[-6] == 0xff ||
           code[-7] == 0xff;
}

/*
 * The caller that the rbp chain does not show, because the trapped function has not pushed rbp: it is
 * at its start or its end, or a leaf that does without (memcpy, small helpers), or no function at all
 * (a jump to nowhere). Then the return address is still on top of the stack. 0 when there is none.
 *
 * 1. Find the start of the function; `push rbp; mov rbp, rsp` there is the normal prologue (4 bytes).
 * 2. Behind it, rbp is good, except at the final `ret`. Between the two the address is one word up.
 * 3. What was found must look like a return address: a call instruction stands before it.
 */
static vaddr_t hidden_caller(const struct trap_frame *frame)
{
    static const u8 prologue[] = {0x55, 0x48, 0x89, 0xe5};
    struct stack_info stack;
    struct symbol symbol;
    vaddr_t at = frame->rsp;
    if (in_kernel_text(frame->rip) && symbol_lookup(frame->rip, &symbol) &&
        memcmp((const void *)symbol.address, prologue, sizeof(prologue)) == 0) {
        bool at_return = *(const u8 *)frame->rip == 0xc3;
        if (symbol.offset >= sizeof(prologue) && !at_return)
            return 0;
        if (symbol.offset > 0 && !at_return)
            at += sizeof(u64);
    }
    if (at % sizeof(u64) || !stack_find(at, &stack) || stack.is_guard)
        return 0;
    vaddr_t caller = *(const vaddr_t *)at;
    return follows_call(caller) ? caller : 0;
}

static void print_frames(const vaddr_t *frames, size_t count)
{
    char line[160];
    for (size_t i = 0; i < count; i++) {
        backtrace_describe(frames, i, line, sizeof(line));
        print("  #%-2zu %s\n", i, line);
    }
    if (count == MAX_FRAMES)
        print("  ... (more frames)\n");
}

void backtrace_print(vaddr_t rip, vaddr_t rbp)
{
    vaddr_t frames[MAX_FRAMES] = {rip};
    print_frames(frames, 1 + backtrace_capture(rbp, frames + 1, MAX_FRAMES - 1));
}

size_t backtrace_capture_trap(const struct trap_frame *frame, vaddr_t *out, size_t max)
{
    size_t count = 0;
    vaddr_t hidden = trap_from_user(frame) ? 0 : hidden_caller(frame);
    if (count < max)
        out[count++] = frame->rip;
    if (hidden && count < max)
        out[count++] = hidden;
    return count + backtrace_capture(frame->rbp, out + count, max - count);
}

void backtrace_print_trap(const struct trap_frame *frame)
{
    vaddr_t frames[MAX_FRAMES];
    print_frames(frames, backtrace_capture_trap(frame, frames, MAX_FRAMES));
}
