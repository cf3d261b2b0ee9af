; SPDX-License-Identifier: MIT
;
; Between ring 3 and the kernel by SYSCALL, and from one task to the next. The CPU gives rcx = rip and
; r11 = rflags, has cleared the flags in SFMASK (IF DF TF AC NT), and leaves rsp and GS to us.
;
;   fast   the function is in syscall_fast[]: it needs no frame, so only what C may destroy is kept;
;          the way back is SYSRET. rcx cannot be non-canonical there: no page ends at the border.
;   slow   everything else gets a whole struct trap_frame and leaves by IRETQ, which takes any frame
;          whose rip is canonical; user_leave() in proc/trap_user.c sees to that.
;
; The frame lies at the very top of the task's stack: the offsets are asserted in proc/syscall.c.

bits 64
default rel

F_R15     equ 0
F_R14     equ 8
F_R13     equ 16
F_R12     equ 24
F_R11     equ 32
F_R10     equ 40
F_R9      equ 48
F_R8      equ 56
F_RBP     equ 64
F_RDI     equ 72
F_RSI     equ 80
F_RDX     equ 88
F_RCX     equ 96
F_RBX     equ 104
F_RAX     equ 112
F_VECTOR  equ 120
F_NUMBER  equ 128                       ; error_code: here the number of the call
F_RIP     equ 136
F_CS      equ 144
F_RFLAGS  equ 152
F_RSP     equ 160
F_SS      equ 168
FRAME     equ 176

CPU_TASK     equ 24
CPU_ENTRY    equ 32
CPU_USER_RSP equ 40
TASK_WORK    equ 0

GDT_KERNEL_DATA equ 0x10
USER_DATA      equ 0x1b
USER_CODE      equ 0x23
SYSCALL_VECTOR equ 256
FAST_CALLS     equ 512

extern syscall_fast, syscall_slow, user_leave, task_started

section .text

; What the fast way leaves out. rbx, rbp, r12..r15 are still the caller's: C preserves them.
%macro COMPLETE_FRAME 0
    mov [rsp + F_RBX], rbx
    mov [rsp + F_RBP], rbp
    mov [rsp + F_R12], r12
    mov [rsp + F_R13], r13
    mov [rsp + F_R14], r14
    mov [rsp + F_R15], r15
    mov rcx, [rsp + F_RIP]
    mov [rsp + F_RCX], rcx
    mov rcx, [rsp + F_RFLAGS]
    mov [rsp + F_R11], rcx
    mov qword [rsp + F_VECTOR], SYSCALL_VECTOR
    mov qword [rsp + F_CS], USER_CODE
    mov qword [rsp + F_SS], USER_DATA
%endmacro

global syscall_entry:function (syscall_entry.end - syscall_entry)
syscall_entry:
    swapgs
    mov [gs:CPU_USER_RSP], rsp
    mov rsp, [gs:CPU_ENTRY]
    sub rsp, FRAME
    mov [rsp + F_RIP], rcx
    mov [rsp + F_RFLAGS], r11
    mov rcx, [gs:CPU_USER_RSP]
    mov [rsp + F_RSP], rcx
    sti
    mov [rsp + F_RDI], rdi
    mov [rsp + F_RSI], rsi
    mov [rsp + F_RDX], rdx
    mov [rsp + F_R10], r10
    mov [rsp + F_R8], r8
    mov [rsp + F_R9], r9
    mov [rsp + F_NUMBER], rax
    cmp rax, FAST_CALLS
    jae .slow
    mov rax, [syscall_fast + rax * 8]
    test rax, rax
    jz .slow
    mov rcx, r10                        ; the C convention's fourth argument
    call rax
    cli
    mov rcx, [gs:CPU_TASK]
    cmp dword [rcx + TASK_WORK], 0
    jne .work
    mov rdi, [rsp + F_RDI]
    mov rsi, [rsp + F_RSI]
    mov rdx, [rsp + F_RDX]
    mov r10, [rsp + F_R10]
    mov r8, [rsp + F_R8]
    mov r9, [rsp + F_R9]
    mov rcx, [rsp + F_RIP]
    mov r11, [rsp + F_RFLAGS]
    mov rsp, [rsp + F_RSP]
    swapgs
    o64 sysret
.slow:
    COMPLETE_FRAME
    mov rdi, rsp
    call syscall_slow
    jmp .leave
.work:
    COMPLETE_FRAME
    mov [rsp + F_RAX], rax
.leave:
    mov rdi, rsp
    call user_leave                     ; comes back with interrupts off
    jmp user_resume
.end:

; The first instruction of a new task: switch_stacks() "returns" here with rsp at its frame.
global task_enter:function (task_enter.end - task_enter)
task_enter:
    mov rdi, rsp
    call task_started
    mov rdi, rsp
    call user_leave
    jmp user_resume
.end:

; rsp: a whole frame of ring 3; interrupts off.
global user_resume:function (user_resume.end - user_resume)
user_resume:
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    swapgs
    iretq
.end:

; void switch_stacks(vaddr_t *save, vaddr_t load): what C expects to survive a call, and the stack. An exception
; out of ring 3 leaves the null selector in ss, which must not spread to who was not interrupted by one.
global switch_stacks:function (switch_stacks.end - switch_stacks)
switch_stacks:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov eax, GDT_KERNEL_DATA
    mov ss, eax
    mov rsp, rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
.end:
