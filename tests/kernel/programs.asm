; SPDX-License-Identifier: MIT
;
; Tiny programs for ring 3, position-independent, without a C library: what the suites "proc" and "ring3" start.
; Each is wrapped into an ELF file by tests/kernel/programs.c. Exit status 0 means: as it should be.
; Read next: programs_hostile.asm.

%include "tests/kernel/programs.inc"

section .rodata align=16

PROGRAM exit42
    EXIT 42
PROGRAM_END exit42

; A system call changes rax, rcx and r11 and nothing else; rcx is the next instruction, r11 the flags.
PROGRAM registers
    mov rbx, 0x1111111111111111
    mov rbp, 0x2222222222222222
    mov rdi, 0x3333333333333333
    mov rsi, 0x4444444444444444
    mov rdx, 0x5555555555555555
    mov r8, 0x6666666666666666
    mov r9, 0x7777777777777777
    mov r10, 0x8888888888888888
    mov r12, 0x9999999999999999
    mov r13, 0xaaaaaaaaaaaaaaaa
    mov r14, 0xbbbbbbbbbbbbbbbb
    mov r15, rsp
    mov eax, SYS_GETPPID
    syscall
.after:
    push r11
    pushfq
    pop r11
    cmp [rsp], r11
    lea rsp, [rsp + 8]
    jne .bad
    lea r11, [.after]
    cmp rcx, r11
    jne .bad
    cmp r15, rsp
    jne .bad
    mov rax, 0x1111111111111111
    cmp rbx, rax
    jne .bad
    add rax, rax
    cmp rbp, rax
    jne .bad
    mov rcx, 0x1111111111111111
    add rax, rcx
    cmp rdi, rax
    jne .bad
    add rax, rcx
    cmp rsi, rax
    jne .bad
    add rax, rcx
    cmp rdx, rax
    jne .bad
    add rax, rcx
    cmp r8, rax
    jne .bad
    add rax, rcx
    cmp r9, rax
    jne .bad
    add rax, rcx
    cmp r10, rax
    jne .bad
    add rax, rcx
    cmp r12, rax
    jne .bad
    add rax, rcx
    cmp r13, rax
    jne .bad
    add rax, rcx
    cmp r14, rax
    jne .bad
    EXIT 0
.bad:
    EXIT 1
PROGRAM_END registers

; Flags that a kernel must not inherit: a fast call, a slow one (fork), and an exception with them set.
PROGRAM flags
    push FLAG_DF | FLAG_NT | FLAG_AC | 2
    popfq
    mov eax, SYS_GETPPID
    syscall
    pushfq
    pop rbx
    and ebx, FLAG_DF | FLAG_NT | FLAG_AC
    cmp ebx, FLAG_DF | FLAG_NT | FLAG_AC
    jne .bad
    mov eax, SYS_FORK
    syscall
    test eax, eax
    js .bad
    jz .child
    mov edi, eax
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    mov eax, SYS_WAIT4
    syscall
    test eax, eax
    js .bad
    EXIT 0
.child:
    ud2
.bad:
    EXIT 1
PROGRAM_END flags

; Every call single-stepped: SIGTRAP, behind the SYSCALL and never in the kernel.
PROGRAM single_step
    push FLAG_TF | 2
    popfq
    mov eax, SYS_GETPPID
    syscall
    EXIT 1
PROGRAM_END single_step

PROGRAM jump_noncanonical
    mov rax, NON_CANONICAL
    jmp rax
PROGRAM_END jump_noncanonical

; rsp from argv[0][0]: '0' zero, 'k' kernel, 'n' non-canonical, 'u' unmapped; what then from argv[0][1]: 's' a system
; call and out, 'b' int3, 'u' ud2, 'p' push.
PROGRAM bad_stack
    mov rsi, [rsp + 8]
    mov al, [rsi]
    mov bl, [rsi + 1]
    xor esp, esp
    cmp al, '0'
    je .deed
    mov rsp, 0x10000000
    cmp al, 'u'
    je .deed
    mov rsp, 0xffffffff80200000
    cmp al, 'k'
    je .deed
    mov rsp, NON_CANONICAL
.deed:
    cmp bl, 'b'
    je .break
    cmp bl, 'u'
    je .undefined
    cmp bl, 'p'
    je .push
    mov eax, SYS_GETPID
    syscall
    mov eax, SYS_FORK                   ; the slow way, too
    syscall
    EXIT 0
.break:
    int3
    EXIT 1
.undefined:
    ud2
.push:
    push rax
    EXIT 1
PROGRAM_END bad_stack

; At the start every register that a program can see is as promised.
PROGRAM clean_start
    or rax, rbx
    or rax, rcx
    or rax, rdx
    or rax, rsi
    or rax, rdi
    or rax, rbp
    or rax, r8
    or rax, r9
    or rax, r10
    or rax, r11
    or rax, r12
    or rax, r13
    or rax, r14
    or rax, r15
    jnz .bad
    test rsp, 15
    jnz .bad
    push rax
    stmxcsr [rsp]
    cmp dword [rsp], MXCSR_DEFAULT
    jne .bad
    movdqa xmm0, xmm0
    %assign n 1
    %rep 15
    por xmm0, xmm%+n
    %assign n n + 1
    %endrep
    movq rax, xmm0
    psrldq xmm0, 8
    movq rbx, xmm0
    or rax, rbx
    jnz .bad
    EXIT 0
.bad:
    EXIT 1
PROGRAM_END clean_start

; argv[0][0] into every byte of xmm7 and st0; gives way a thousand times and looks whether it is still there.
PROGRAM keeps_fpu
    mov rsi, [rsp + 8]
    movzx eax, byte [rsi]
    mov rbx, 0x0101010101010101
    imul rbx, rax
    movq xmm7, rbx
    push rbx
    fild qword [rsp]
    mov r12d, 1000
.again:
    mov eax, SYS_SCHED_YIELD
    syscall
    movq rax, xmm7
    cmp rax, rbx
    jne .bad
    dec r12d
    jnz .again
    fistp qword [rsp]
    pop rax
    cmp rax, rbx
    jne .bad
    EXIT 0
.bad:
    EXIT 1
PROGRAM_END keeps_fpu

; Two generations, all waited for but the grandchildren: orphans.
PROGRAM family
    mov r12d, 8
.again:
    mov eax, SYS_FORK
    syscall
    test eax, eax
    js .bad
    jz .child
    mov edi, eax
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    mov eax, SYS_WAIT4
    syscall
    test eax, eax
    js .bad
    dec r12d
    jnz .again
    EXIT 0
.child:
    mov eax, SYS_FORK
    syscall
    mov eax, SYS_SCHED_YIELD
    syscall
    EXIT 3
.bad:
    EXIT 1
PROGRAM_END family

; Forks until it cannot, then ends; the children, too.
PROGRAM bomb
    mov eax, SYS_FORK
    syscall
    test eax, eax
    jns program_bomb
    EXIT 0
PROGRAM_END bomb

PROGRAM spin
    jmp program_spin
PROGRAM_END spin

PROGRAM pauses
    mov eax, SYS_PAUSE
    syscall
    EXIT 5
PROGRAM_END pauses
