; SPDX-License-Identifier: MIT
;
; How every trap and interrupt enters and leaves C: 256 stubs, one register frame, one call of
; trap_dispatch(frame) in kernel/trap.c. The offsets below are asserted there against struct trap_frame.
;
;   The frame, as trap_dispatch() sees it through rdi (offsets in bytes; the stack grows down):
;
;        +168  ss          \
;        +160  rsp          |  pushed by the CPU, after aligning rsp to 16
;        +152  rflags       |
;        +144  cs           |
;        +136  rip         /
;        +128  error_code      by the CPU for some exceptions, else 0 by the stub
;        +120  vector          by the stub
;        +112  rax         \
;        +104  rbx          |
;         ...               |  by SAVE_REGISTERS
;          +8  r14          |
;          +0  r15         /   <- rdi
;   Below it, a stack frame made by hand, so that a backtrace shows the interrupted instruction:
;          -8  rip again       "return address"
;         -16  rbp again       <- rbp
;
; GS. In the kernel GS base always points to struct cpu; in ring 3 the two bases are swapped. Most
; traps look at CS to see whether to swap. NMI, #DF and #MC can also strike between the entry from
; ring 3 and its swapgs, where CS says kernel and GS says user: these look at the base itself, which
; is negative for the kernel and never for a user program. They use their own stacks (IST).

bits 64
default rel

FRAME_VECTOR equ 120
FRAME_RIP    equ 136
FRAME_CS     equ 144
MSR_GS_BASE  equ 0xc0000101

extern trap_dispatch, trap_clac_enabled

%macro SAVE_REGISTERS 0
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
%endmacro

%macro RESTORE_REGISTERS 0
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
%endmacro

section .text

; The vectors with an error code: SDM 3A, table 6-1 (21, 29 and 30 are of newer CPUs).
%macro STUB 1
trap_stub_%1:
    %if %1 != 8 && (%1 < 10 || %1 > 14) && %1 != 17 && %1 != 21 && %1 != 29 && %1 != 30
    push qword 0
    %endif
    push qword %1
    %if %1 == 2 || %1 == 8 || %1 == 18
    jmp trap_enter_paranoid
    %else
    jmp trap_enter
    %endif
%endmacro

global trap_stubs_code:function (trap_enter - trap_stubs_code)
trap_stubs_code:
%assign vector 0
%rep 256
    STUB vector
    %assign vector vector + 1
%endrep

; rbx remembers over the call whether GS has to be swapped back: C preserves it.
global trap_enter:function (trap_enter_paranoid - trap_enter)
trap_enter:
    SAVE_REGISTERS
    xor ebx, ebx
    test byte [rsp + FRAME_CS], 3
    jz trap_prepare
    swapgs
    inc ebx
    jmp trap_prepare

global trap_enter_paranoid:function (trap_prepare - trap_enter_paranoid)
trap_enter_paranoid:
    SAVE_REGISTERS
    xor ebx, ebx
    mov ecx, MSR_GS_BASE
    rdmsr                               ; edx = upper half
    test edx, edx
    js trap_prepare
    swapgs
    inc ebx

global trap_prepare:function (trap_call - trap_prepare)
trap_prepare:
    cld
    cmp byte [trap_clac_enabled], 0     ; clac is #UD on a CPU without SMAP
    je .pretend_call
    clac
.pretend_call:
    mov rdi, rsp
    push qword [rsp + FRAME_RIP]

; From here it looks as if the interrupted instruction had called an ordinary function: the first two
; instructions are how GDB recognises one.
global trap_call:function (trap_call.end - trap_call)
trap_call:
    push rbp
    mov rbp, rsp
    call trap_dispatch
global trap_dispatched
trap_dispatched:                        ; kernel/backtrace.c knows this return address
    add rsp, 16
    test ebx, ebx
    jz .restore
    swapgs
.restore:
    RESTORE_REGISTERS
    add rsp, 16                         ; vector, error code
    iretq
trap_call.end:

; bool recovery_call(void (*fn)(void *arg), void *arg, u64 *saved_rsp)
; Calls fn(arg) and answers false. When fn traps, trap.c sends the CPU to recovery_resume with the
; rsp that was noted here: everything deeper is forgotten and the same call answers true.
RECOVERY_SAVED equ 48                   ; bytes between the noted rsp and the saved rbp

global recovery_call:function (recovery_call.end - recovery_call)
recovery_call:
    push rbp
    mov rbp, rsp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8                          ; calls want rsp aligned to 16
    mov [rdx], rsp
    mov rax, rdi
    mov rdi, rsi
    call rax
    xor eax, eax
    jmp recovery_return
global recovery_resume
recovery_resume:
    lea rbp, [rsp + RECOVERY_SAVED]
    mov eax, 1
recovery_return:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
recovery_call.end:

section .rodata align=8

global trap_stubs:data (trap_stubs.end - trap_stubs)
trap_stubs:
%assign vector 0
%rep 256
    dq trap_stub_%+vector
    %assign vector vector + 1
%endrep
trap_stubs.end:
