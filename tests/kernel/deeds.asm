; SPDX-License-Identifier: MIT
;
; Instructions that ring 3 must not get away with, one at a time: a table for tests/kernel/test_proc.c (struct deed).

%include "tests/kernel/programs.inc"

section .rodata align=16

; 32 bytes each: length, then the instruction.
%macro DEED 1+
    %push deed
    dq %$end - %$start
    %$start:
    %1
    %$end:
    times 24 - (%$end - %$start) db 0
    %pop
%endmacro

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
