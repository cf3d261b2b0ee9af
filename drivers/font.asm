; SPDX-License-Identifier: MIT
;
; The console font, a PSF file from Debian's package console-setup-linux, as it is on disk. The
; Makefile unpacks it to font.psf; drivers/psf.c reads the header, glyphs and unicode table.

global font_psf_start, font_psf_end

section .rodata align=16
font_psf_start:
        incbin "font.psf"
font_psf_end:
