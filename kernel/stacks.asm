; SPDX-License-Identifier: MIT
;
; The exception stacks of the boot CPU, each above a page that mm leaves unmapped, so that running off
; the low end of one faults instead of eating its neighbour. Not part of the file on disk (nobits). The
; boot stack, on which everything else runs, is laid out where it is first used: boot/entry64.asm. The
; table that names them all for C is in kernel/stacks.c.
;
;   high addresses   stacks_end_guard   4 KiB   protects the top of the last stack
;                    ist_mc_stack      16 KiB   machine check
;                    (guard)            4 KiB
;                    ist_nmi_stack     16 KiB   non-maskable interrupt
;                    (guard)            4 KiB
;                    ist_df_stack      16 KiB   double fault: what runs when a stack is full
;   low addresses    (guard)            4 KiB

PAGE equ 4096

%macro STACK 2                          ; name, bytes
    global %1_guard, %1_bottom, %1_top
%1_guard:  resb PAGE
%1_bottom: resb %2
%1_top:
%endmacro

section .stacks nobits alloc noexec write align=4096

    STACK ist_df_stack, 16 * 1024
    STACK ist_nmi_stack, 16 * 1024
    STACK ist_mc_stack, 16 * 1024

global stacks_end_guard, stacks_end
stacks_end_guard: resb PAGE
stacks_end:
