; SPDX-License-Identifier: MIT
;
; How a boot loader recognises this kernel. No code here, only two labels stuck on the ELF file:
;
;   multiboot2 header   GRUB searches the first 32 KiB of the file for it (ISO and disk image)
;   PVH note            `qemu -kernel` and Xen look for this ELF note (the quick way, `make fast`)
;
; Both end up at the same 32-bit entry point. A multiboot *1* header must not be added: QEMU tries
; that magic first and then refuses a 64-bit ELF file. Read next: boot/entry.asm.

extern boot_entry32

MULTIBOOT2_MAGIC equ 0xe85250d6
ARCH_I386        equ 0              ; "start me in 32-bit protected mode"

TAG_END          equ 0
TAG_FRAMEBUFFER  equ 5
TAG_OPTIONAL     equ 1              ; flag: the loader may ignore this tag

section .boot.header progbits alloc noexec nowrite align=8
multiboot2_header:
        dd MULTIBOOT2_MAGIC
        dd ARCH_I386
        dd multiboot2_header.end - multiboot2_header
        dd -(MULTIBOOT2_MAGIC + ARCH_I386 + (multiboot2_header.end - multiboot2_header))

        ; We would like pixels, 1024x768 at 32 bits each; text mode will do as well.
        align 8, db 0
        dw TAG_FRAMEBUFFER, TAG_OPTIONAL
        dd 20                       ; size of this tag
        dd 1024, 768, 32

        align 8, db 0
        dw TAG_END, 0
        dd 8
.end:

XEN_ELFNOTE_PHYS32_ENTRY equ 18

section .note.pvh note alloc noexec nowrite align=4
        dd 4                        ; size of the name
        dd 4                        ; size of the content
        dd XEN_ELFNOTE_PHYS32_ENTRY ; kind of note
        db 'Xen', 0
        dd boot_entry32             ; content: physical address to jump to
