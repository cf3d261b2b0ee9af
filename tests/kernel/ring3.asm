; SPDX-License-Identifier: MIT
;
; Into ring 3 and out of it again, for tests that have no process: ring3_enter() notes where it is and
; leaves with iretq; whoever handles the trap that ends the visit calls ring3_leave(), and the call of
; ring3_enter() returns. Traps come onto the stack right below what was noted. Interrupts stay off.

bits 64
default rel

KERNEL_DATA equ 0x10                    ; these three: kernel/gdt.h, asserted in test_ring3.c
USER_CODE equ 0x20 | 3
USER_DATA equ 0x18 | 3
RFLAGS_FIXED equ 2

extern gdt_set_entry_stack

section .text

; u64 ring3_enter(vaddr_t rip, u64 rdi, u64 rsp)
global ring3_enter:function (ring3_enter.end - ring3_enter)
ring3_enter:
    push rbp
    mov rbp, rsp
    push rbx
    push r12
    push r13
    push r14
    push r15
    pushfq
    cli
    mov [ring3_noted], rsp
    mov r12, rdi
    mov r13, rsi
    mov r14, rdx
    mov rdi, rsp
    and rdi, -16
    mov rsp, rdi
    call gdt_set_entry_stack
    push qword USER_DATA
    push r14
    push qword RFLAGS_FIXED
    push qword USER_CODE
    push r12
    mov rdi, r13
    swapgs
    iretq
.end:

; void ring3_leave(u64 result): from the trap, with the kernel's GS; the trap has left the null selector in ss
global ring3_leave:function (ring3_leave.end - ring3_leave)
ring3_leave:
    mov rax, rdi
    mov ecx, KERNEL_DATA
    mov ss, ecx
    mov rsp, [ring3_noted]
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
.end:

section .bss
ring3_noted: resq 1
