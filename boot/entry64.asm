; SPDX-License-Identifier: MIT
;
; The last assembly before C: higher half, real stack, cleared bss, then kernel_main(magic, info).
;
;   on entry   64-bit, edi = magic (multiboot2 or PVH), rsi = physical address of the loader's block
;   on exit    never; kernel_main does not return
;
; rbp = 0 ends every backtrace. Read next: boot/main.c, the table of contents of the kernel.

%include "boot/layout.inc"

global boot_entry64:function (boot_entry64.end - boot_entry64)
global boot_stack_guard, boot_stack_bottom, boot_stack_top
extern kernel_main, __bss_start, __bss_end

section .text
bits 64
boot_entry64:
        mov     rsp, boot_stack_top
        xor     ebp, ebp
        push    rbp                     ; keeps the stack aligned to 16 at the call below
        push    rbp                     ; "return address" 0: debuggers stop here, too

        mov     r8, rdi                 ; C says: static variables start as zero
        mov     rdi, __bss_start
        mov     rcx, __bss_end
        sub     rcx, rdi
        shr     rcx, 3
        xor     eax, eax
        rep stosq
        mov     rdi, r8

        call    kernel_main
.stop:                                  ; not reached
        cli
        hlt
        jmp     .stop
.end:

; The boot CPU's first stack, growing down towards a page that mm leaves unmapped.
section .stacks nobits alloc noexec write align=4096
boot_stack_guard:  resb 0x1000
boot_stack_bottom: resb BOOT_STACK_SIZE
boot_stack_top:
