; SPDX-License-Identifier: MIT
;
; The first instructions: from the 32-bit world the loader leaves us in to 64-bit long mode.
;
;   on entry   protected mode, paging off, interrupts off, flat segments, A20 open
;              multiboot2: eax = 0x36d76289, ebx = physical address of the information block
;              PVH:        ebx = physical address of hvm_start_info, which starts with 0x336ec578
;   on exit    long mode at boot_entry64 (higher half): edi = magic, rsi = physical info address
;
; Everything in this file lives below 4 GiB at its physical address (sections .boot.*) and is given
; back to the page allocator later. No register but edi/esi survives a stage. Read next: entry64.asm.

%include "boot/layout.inc"

global boot_entry32:function, boot_pml4, boot_gdt
extern boot_entry64

section .boot.text progbits alloc exec nowrite align=16
bits 32

; ---- Stage 1: who loaded us? ---------------------------------------------------------------------
boot_entry32:
        cli
        cld
        mov     esp, boot_stack32.top
        mov     esi, ebx
        mov     edi, MULTIBOOT2_LOADED
        cmp     eax, edi
        je      .known_loader
        mov     edi, PVH_START_INFO
        cmp     [ebx], edi
        je      .known_loader
        mov     ebp, text_wrong_loader
        jmp     boot_fail
.known_loader:

; ---- Stage 2: can this CPU run us? ---------------------------------------------------------------
; CPUID exists if bit 21 (ID) of EFLAGS can be changed.
        pushfd
        pop     eax
        mov     ecx, eax
        xor     eax, EFLAGS_ID
        push    eax
        popfd
        pushfd
        pop     eax
        xor     eax, ecx
        mov     ebp, text_no_cpuid
        test    eax, EFLAGS_ID
        jz      boot_fail

        mov     eax, 0x80000000         ; highest extended leaf
        cpuid
        mov     ebp, text_no_long_mode
        cmp     eax, 0x80000001
        jb      boot_fail
        mov     eax, 0x80000001         ; extended features, in edx
        cpuid
        test    edx, CPUID_LONG_MODE
        jz      boot_fail
        mov     ebp, text_no_nx
        test    edx, CPUID_NX
        jz      boot_fail

; ---- Stage 3: the first page tables --------------------------------------------------------------
; Three views of the same low memory, made of 2 MiB pages. They are replaced by mm/pgtable as soon as
; there is an allocator; until then everything low is writable and executable.
;
;   boot_pml4                    boot_pdpt_low            boot_pd (4 tables, 2048 entries)
;   [  0] identity map   ------> [0] 0..1 GiB    -------> [   0] 0x00000000  2 MiB
;   [273] direct map, NX -----^  [1] 1..2 GiB    ---.     [   1] 0x00200000
;   [511] kernel image   --.     [2] 2..3 GiB       .      ...
;                          |     [3] 3..4 GiB       .     [2047] 0xffe00000
;                          |
;                          `---> boot_pdpt_high
;                                [510] first GiB -------> boot_pd
;
; One entry of any level, as the hardware reads it:
;
;    63  62..52   51 ............... 12   11..9   8   7   6   5   4   3   2   1   0
;   +---+-------+-----------------------+------+---+---+---+---+---+---+---+---+---+
;   |NX | free  | physical page address | free | G |PS | D | A |PCD|PWT| U | W | P |
;   +---+-------+-----------------------+------+---+---+---+---+---+---+---+---+---+
;    P present, W writable, U user, A accessed, D dirty, G global,
;    PS = 1: this entry maps a large page itself instead of pointing to the next table
        push    edi
        mov     edi, boot_tables        ; 1. start from empty tables
        mov     ecx, (boot_tables.end - boot_tables) / 4
        xor     eax, eax
        rep stosd
        pop     edi

        mov     eax, boot_pdpt_low + PTE_PRESENT_WRITABLE       ; 2. the three top-level entries
        mov     [boot_pml4 + 8 * PML4_INDEX(0)], eax
        mov     [boot_pml4 + 8 * PML4_INDEX(DIRECT_MAP_BASE)], eax
        mov     dword [boot_pml4 + 8 * PML4_INDEX(DIRECT_MAP_BASE) + 4], PTE_NX_HIGH
        mov     dword [boot_pml4 + 8 * PML4_INDEX(KERNEL_BASE)], \
                boot_pdpt_high + PTE_PRESENT_WRITABLE

        mov     eax, boot_pd + PTE_PRESENT_WRITABLE             ; 3. four page directories, 1 GiB each
        mov     [boot_pdpt_high + 8 * PDPT_INDEX(KERNEL_BASE)], eax
        xor     ecx, ecx
.next_directory:
        mov     [boot_pdpt_low + 8 * ecx], eax
        add     eax, 0x1000
        inc     ecx
        cmp     ecx, 4
        jne     .next_directory

        mov     eax, PTE_PRESENT_WRITABLE | PTE_LARGE           ; 4. 2048 pages of 2 MiB
        xor     ecx, ecx
.next_page:
        mov     [boot_pd + 8 * ecx], eax
        add     eax, 0x200000
        inc     ecx
        cmp     ecx, 2048
        jne     .next_page

; ---- Stage 4: paging and long mode on -----------------------------------------------------------
        mov     eax, cr4
        or      eax, CR4_PAE            ; 64-bit page-table entries
        mov     cr4, eax
        mov     eax, boot_pml4
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE
        wrmsr
        mov     eax, cr0                ; WP: read-only pages are read-only for the kernel too
        or      eax, CR0_PG | CR0_WP | CR0_PE
        mov     cr0, eax                ; from here on: long mode, still running 32-bit code

; ---- Stage 5: 64-bit code -----------------------------------------------------------------------
; A far jump reloads CS; the descriptor with L = 1 makes the CPU decode 64-bit instructions. The
; offset has 32 bits only, hence the landing place down here before the jump to the higher half.
        lgdt    [boot_gdt.pointer]
        jmp     CODE_SELECTOR:.landing
bits 64
.landing:
        mov     eax, DATA_SELECTOR
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, edi                ; upper halves of edi and esi are undefined after the switch
        mov     esi, esi
        mov     rax, boot_entry64
        jmp     rax
bits 32

; ---- When it cannot work: say why on the serial line and on the screen, then stop ----------------
; ebp = the sentence. VGA text memory only shows if the loader left the screen in text mode.
boot_fail:
        mov     esi, text_fail          ; "Vitrine cannot start: "
        mov     edi, VGA_TEXT
        call    serial_init
        call    print
        mov     esi, ebp
        call    print
.stop:
        cli
        hlt
        jmp     .stop

; 115200 baud, 8N1, no interrupts.
serial_init:
        mov     ebx, serial_settings
.next:
        movzx   edx, byte [ebx]
        add     edx, COM1
        mov     al, [ebx + 1]
        out     dx, al
        add     ebx, 2
        cmp     ebx, serial_settings.end
        jne     .next
        ret

; esi = NUL-terminated text, edi = place in VGA memory (advanced).
print:
        lodsb
        test    al, al
        jz      .done
        mov     ah, VGA_WHITE_ON_RED
        cmp     al, ' '
        jb      .serial                 ; control characters are for the serial line only
        stosw
.serial:
        mov     bl, al
        mov     ecx, 100000             ; a missing port must not hang us
        mov     edx, COM1 + UART_LINE_STATUS
.wait:
        in      al, dx
        test    al, UART_TRANSMIT_EMPTY
        loopz   .wait
        mov     al, bl
        mov     edx, COM1
        out     dx, al
        jmp     print
.done:
        ret

section .boot.rodata progbits alloc noexec nowrite align=8
text_fail:         db 13, 10, "Vitrine cannot start: ", 0
text_wrong_loader: db "not loaded by a multiboot2 or PVH loader (bad magic number).", 13, 10, 0
text_no_cpuid:     db "this CPU has no CPUID instruction; an x86-64 CPU is needed.", 13, 10, 0
text_no_long_mode: db "this CPU has no 64-bit long mode; an x86-64 CPU is needed.", 13, 10, 0
text_no_nx:        db "this CPU has no NX (no-execute) bit, or the firmware hides it.", 13, 10, 0

serial_settings:                        ; register, value
        db      1, 0x00                 ; no interrupts
        db      3, 0x80                 ; next two registers are the divisor
        db      0, 0x01                 ; 115200 / 1
        db      1, 0x00
        db      3, 0x03                 ; 8 bits, no parity, one stop bit
        db      2, 0xc7                 ; FIFO on, emptied
        db      4, 0x03                 ; DTR, RTS
.end:

; A segment descriptor. In long mode base and limit are ignored for code and data.
;
;    63....56  55 54 53 52 51..48  47 46 45 44 43 42 41 40  39.......16  15.......0
;   +--------+---+--+--+--+-------+--+-----+--+--+--+--+--+-------------+-----------+
;   | base   | G |DB| L|  | limit | P| DPL | S|EX|DC|RW| A| base        | limit     |
;   +--------+---+--+--+--+-------+--+-----+--+--+--+--+--+-------------+-----------+
;    L = 64-bit code, S = code or data, EX = executable, A = accessed (set, so the CPU need not write)
        align 8, db 0
boot_gdt:
        dq      0                       ; the null descriptor
        dq      0x00af9b000000ffff      ; 0x08: code, L=1 P=1 S=1 EX=1 RW=1 A=1
        dq      0x00cf93000000ffff      ; 0x10: data, P=1 S=1 RW=1 A=1
.end:
.pointer:
        dw      boot_gdt.end - boot_gdt - 1
        dd      boot_gdt

section .boot.bss nobits alloc noexec write align=4096
boot_tables:
boot_pml4:      resb 0x1000
boot_pdpt_low:  resb 0x1000
boot_pdpt_high: resb 0x1000
boot_pd:        resb 0x4000
.end:
boot_tables.end equ boot_pd.end
boot_stack32:   resb 0x1000
.top:
