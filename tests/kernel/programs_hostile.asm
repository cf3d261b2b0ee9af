; SPDX-License-Identifier: MIT
;
; Tiny programs that try to harm the kernel: forged signal frames, zombies, signals that nobody may take, listings
; from behind the end. As in programs.asm, exit status 0 means: as it should be.

%include "tests/kernel/programs.inc"

section .rodata align=16

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
    mov eax, 1
    cpuid                               ; rbx, rcx, rdx are free here
    mov edi, DATA_END - 600             ; behind FXSAVE's 512 bytes, in the middle of XSAVE's area
    test ecx, 1 << 26
    jnz .has_xsave
    mov edi, DATA_END - 304
.has_xsave:
    mov [rsp + CONTEXT_FPU], rdi
    mov rax, -1
    mov ecx, DATA_END
    sub ecx, edi
    shr ecx, 3
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

; A file of its own, opened as a place only (O_PATH): its content cannot be mapped. 0: -EBADF.
PROGRAM maps_a_place
    lea rdi, [.path]
    mov esi, 0o102                      ; O_RDWR | O_CREAT
    mov edx, 0o600
    mov eax, SYS_OPEN
    syscall
    lea rdi, [.path]
    mov esi, 0o10000000                 ; O_PATH
    mov eax, SYS_OPEN
    syscall
    mov r8d, eax
    xor edi, edi
    mov esi, 4096
    mov edx, 1                          ; PROT_READ
    mov r10d, 2                         ; MAP_PRIVATE
    xor r9d, r9d
    mov eax, SYS_MMAP
    syscall
    mov rbx, rax
    lea rdi, [.path]
    mov eax, SYS_UNLINK
    syscall
    xor edi, edi
    cmp rbx, -EBADF
    setne dil
    mov eax, SYS_EXIT_GROUP
    syscall
.path: db "/maps_a_place", 0
PROGRAM_END maps_a_place
