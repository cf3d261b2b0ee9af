; SPDX-License-Identifier: MIT
;
; event_site_call: what EVENT() calls, see mm/event.h. The function to call and its six arguments are on
; the stack, the return address above them. Every register is as before when it returns, and the
; arguments are gone, so to the compiler the site is no call.
;
        bits 64
        section .text
        global event_site_call

%define SAVED 9
%define ARGUMENT(n) [rsp + 8 * (SAVED + 2 + n)]

event_site_call:
        push rax
        push rcx
        push rdx
        push rsi
        push rdi
        push r8
        push r9
        push r10
        push r11
        mov rdi, ARGUMENT(0)
        mov rsi, ARGUMENT(1)
        mov rdx, ARGUMENT(2)
        mov rcx, ARGUMENT(3)
        mov r8, ARGUMENT(4)
        mov r9, ARGUMENT(5)
        cld
        call [rsp + 8 * (SAVED + 1)]
        pop r11
        pop r10
        pop r9
        pop r8
        pop rdi
        pop rsi
        pop rdx
        pop rcx
        pop rax
        ret 7 * 8
