; SPDX-License-Identifier: MIT
;
; Tiny programs for ring 3, position-independent, without a C library: what the suites "proc" and "ring3" start.
; Each is wrapped into an ELF file by tests/kernel/programs.c. Exit status 0 means: as it should be.

bits 64
default rel

SYS_OPEN         equ 2
SYS_STAT         equ 4
SYS_LSEEK        equ 8
SYS_RT_SIGACTION equ 13
SYS_RT_SIGPROCMASK equ 14
SYS_RT_SIGRETURN equ 15
SYS_SCHED_YIELD  equ 24
SYS_PAUSE        equ 34
SYS_GETPID       equ 39
SYS_FORK         equ 57
SYS_EXIT         equ 60
SYS_WAIT4        equ 61
SYS_UNLINK       equ 87
SYS_SYMLINK      equ 88
SYS_GETPPID      equ 110
SYS_SIGTIMEDWAIT equ 128
SYS_GETDENTS64   equ 217
SYS_EXIT_GROUP   equ 231

FLAG_TF equ 1 << 8
FLAG_DF equ 1 << 10
FLAG_NT equ 1 << 14
FLAG_AC equ 1 << 18

ELOOP        equ 40
SIGSEGV      equ 11
SIGCHLD      equ 17
SA_RESTORER  equ 0x04000000
CONTEXT_FPU  equ 40 + 23 * 8
DATA_END     equ 0x400000 + (1 << 20) + 4096

NON_CANONICAL equ 0x8000000000000000
MXCSR_DEFAULT equ 0x1f80

; PROGRAM name ... PROGRAM_END name
%macro PROGRAM 1
    global program_%1:data, program_%1_end
    program_%1:
%endmacro
%macro PROGRAM_END 1
    program_%1_end:
%endmacro
%macro EXIT 1
    mov edi, %1
    mov eax, SYS_EXIT_GROUP
    syscall
%endmacro

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

; A frame for rt_sigreturn() made by the program: all ones but for the registers that argv[0][0] chooses.
; 'k' rip in the kernel, 'n' rip non-canonical, 'f' every flag and a good rip (which then exits with 0).
PROGRAM forged_frame
    mov rsi, [rsp + 8]
    mov bl, [rsi]
    sub rsp, 2048
    and rsp, -16
    mov rdi, rsp
    mov ecx, 2048 / 8
    xor eax, eax
    rep stosq
    lea rdi, [rsp + 1024]
    mov rax, rsp
    mov [rax + 40 + 15 * 8], rdi        ; rsp
    mov qword [rax + 40 + 17 * 8], -1   ; flags
    mov qword [rax + 40 + 18 * 8], 8    ; cs, gs, fs, ss: the kernel's code segment
    mov rdx, 0xffffffff80100000
    cmp bl, 'k'
    je .go
    mov rdx, NON_CANONICAL
    cmp bl, 'n'
    je .go
    lea rdx, [.good]
    mov qword [rax + 40 + 17 * 8], ~FLAG_TF
.go:
    mov [rax + 40 + 16 * 8], rdx
    mov eax, SYS_RT_SIGRETURN
    syscall
.good:
    pushfq
    pop rax
    test eax, 3 << 12                   ; IOPL
    jnz .bad
    mov ax, cs
    and eax, 3
    cmp eax, 3
    jne .bad
    cld
    EXIT 0
.bad:
    EXIT 1
PROGRAM_END forged_frame

; A frame whose FPU state ends at an unmapped page, behind a header of ones: the SIGSEGV that this brings is
; handled, and the handler lets others run, after which the state is loaded again.
PROGRAM torn_frame
    sub rsp, 2048
    and rsp, -16
    mov rdi, rsp
    mov ecx, 2048 / 8
    xor eax, eax
    rep stosq
    lea rax, [.handler]
    mov [rsp], rax
    mov qword [rsp + 8], SA_RESTORER
    mov edi, SIGSEGV
    mov rsi, rsp
    xor edx, edx
    mov r10d, 8
    mov eax, SYS_RT_SIGACTION
    syscall
    mov rdi, DATA_END - 600
    mov [rsp + CONTEXT_FPU], rdi
    mov ecx, 600 / 8
    mov rax, -1
    rep stosq
    mov eax, SYS_RT_SIGRETURN
    syscall
    EXIT 1
.handler:
    mov eax, SYS_FORK
    syscall
    test eax, eax
    jz .leave
    mov edi, -1
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    mov eax, SYS_WAIT4
    syscall
.leave:
    EXIT 0
PROGRAM_END torn_frame

; Children that end at once and that nobody asks for, until there can be no more. 0: -EAGAIN was the reason.
PROGRAM zombies
    mov eax, SYS_FORK
    syscall
    test eax, eax
    jg program_zombies
    jz .leave
    mov edi, eax
    add edi, 11                         ; EAGAIN
    mov eax, SYS_EXIT_GROUP
    syscall
.leave:
    EXIT 0
PROGRAM_END zombies

; Waits for every signal that there is, for ever.
PROGRAM takes_all
    push -1
.again:
    mov rdi, rsp
    xor esi, esi
    xor edx, edx
    mov r10d, 8
    mov eax, SYS_SIGTIMEDWAIT
    syscall
    jmp .again
PROGRAM_END takes_all

; Blocks SIGCHLD, has a child, and takes its signal: 0 when it comes within a minute.
PROGRAM takes_sigchld
    push 0
    push 60
    push 1 << (SIGCHLD - 1)
    xor edi, edi                        ; SIG_BLOCK
    mov rsi, rsp
    xor edx, edx
    mov r10d, 8
    mov eax, SYS_RT_SIGPROCMASK
    syscall
    mov eax, SYS_FORK
    syscall
    test eax, eax
    jz .child
    mov rdi, rsp
    xor esi, esi
    lea rdx, [rsp + 8]
    mov r10d, 8
    mov eax, SYS_SIGTIMEDWAIT
    syscall
    cmp eax, SIGCHLD
    je .leave
    EXIT 1
.child:
    mov eax, SYS_SCHED_YIELD            ; the parent waits first
    syscall
.leave:
    EXIT 0
PROGRAM_END takes_sigchld

; A listing of its descriptors that begins where no descriptor is, nor any int: nothing is listed.
PROGRAM far_listing
    lea rdi, [.path]
    xor esi, esi
    mov eax, SYS_OPEN
    syscall
    mov edi, eax
    mov esi, 0x80000002
    xor edx, edx
    mov eax, SYS_LSEEK
    syscall
    sub rsp, 1024
    mov rsi, rsp
    mov edx, 1024
    mov eax, SYS_GETDENTS64
    syscall
    mov edi, eax
    mov eax, SYS_EXIT_GROUP
    syscall
.path: db "/proc/self/fd", 0
PROGRAM_END far_listing

; Where the program was, there is a link to /proc/self/exe now, which leads to where the program was. 0: -ELOOP.
PROGRAM loop_of_exe
    mov rbx, [rsp + 8]
    lea rdi, [.exe]
    mov rsi, rbx
    mov eax, SYS_SYMLINK
    syscall
    test eax, eax
    jnz .bad
    lea rdi, [.exe]
    lea rsi, [rsp - 512]
    mov eax, SYS_STAT
    syscall
    mov ebp, eax
    mov rdi, rbx
    mov eax, SYS_UNLINK
    syscall
    cmp ebp, -ELOOP
    jne .bad
    EXIT 0
.bad:
    EXIT 1
.exe: db "/proc/self/exe", 0
PROGRAM_END loop_of_exe

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

; The byte-counted ones: program_deeds[] is a table of address and length, for instructions that must not work.
%macro DEED 1+
    %push deed
    dq %$end - %$start
    %$start:
    %1
    %$end:
    times 24 - (%$end - %$start) db 0
    %pop
%endmacro

; 32 bytes each: length, then the instruction.
global program_deeds:data, program_deeds_end
align 32
program_deeds:
    DEED hlt
    DEED cli
    DEED sti
    DEED in al, 0x60
    DEED out 0x80, al
    DEED in eax, dx
    DEED insb
    DEED rdmsr
    DEED wrmsr
    DEED mov rax, cr0
    DEED mov cr3, rax
    DEED mov rax, cr4
    DEED mov cr8, rax
    DEED mov rax, dr7
    DEED mov dr0, rax
    DEED lgdt [rsp]
    DEED lidt [rsp]
    DEED lldt ax
    DEED ltr ax
    DEED lmsw ax
    DEED clts
    DEED invd
    DEED wbinvd
    DEED invlpg [rsp]
    DEED swapgs
    DEED o64 sysret
    DEED rsm
    DEED monitor
    DEED vmcall
    DEED vmmcall
    DEED xsetbv
    DEED stac
    DEED clac
    DEED ud2
    DEED db 0xcd, 0x80                  ; int 0x80
    DEED db 0xf1                        ; int1
    DEED db 0xf0, 0x90                  ; lock nop
    DEED db 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x28 ; far jump through NULL
    DEED db 0x6a, 0x08, 0x6a, 0x00, 0x48, 0xcb             ; far return to the kernel's code segment
program_deeds_end:

; What needs UMIP to be refused.
global program_umip_deeds:data, program_umip_deeds_end
program_umip_deeds:
    DEED sgdt [rsp - 16]
    DEED sidt [rsp - 16]
    DEED sldt ax
    DEED str ax
    DEED smsw ax
program_umip_deeds_end:
