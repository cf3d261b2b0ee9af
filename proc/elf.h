// SPDX-License-Identifier: MIT
/*
 * What an ELF file wants to have loaded. A pure function from bytes to a checked description: nothing is mapped
 * here, so the same code is fuzzed on the host. Static programs only: ET_EXEC, and ET_DYN without an interpreter.
 */
#ifndef PROC_ELF_H
#define PROC_ELF_H

#include "lib/types.h"

#define ELF_SEGMENTS_MAX 16
#define ELF_HEADERS_MAX 64
#define ELF_PIE_BASE                                                                               \
    0x555555554000UL /* where Linux puts a position-independent program without ASLR */

/* The file: `read` gives the number of bytes, or less at its end. */
struct elf_source {
    u64 size;
    s64 (*read)(void *ctx, u64 offset, void *to, u64 size);
    void *ctx;
    vaddr_t lowest, highest; /* addresses a program may use: [lowest, highest) */
};

/* One PT_LOAD, at its final address. [start, end) is the page-aligned range that it occupies. */
struct elf_segment {
    vaddr_t start, end;
    vaddr_t file_end; /* bytes from here to the end of memory are zero */
    u64 offset;       /* of `start` in the file, page-aligned */
    bool writable, executable;
};

struct elf_image {
    vaddr_t entry;
    vaddr_t headers; /* where the program finds its own program headers; 0: not loaded */
    u16 header_count;
    u16 count;
    struct elf_segment segment[ELF_SEGMENTS_MAX]; /* ascending, no page in common */
    vaddr_t brk;                                  /* end of the last one, page-aligned */
};

/* 0; -ENOEXEC: not an ELF file that this machine runs, or one that contradicts itself; -EIO. */
int elf_parse(const struct elf_source *source, struct elf_image *out);

#endif
