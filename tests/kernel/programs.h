// SPDX-License-Identifier: MIT
/*
 * Tiny programs without a root file system: machine code (tests/kernel/programs.asm) in an ELF file made by hand.
 * For the suites "proc" and "ring3". They run to their end, and what they were made of is given back.
 */
#ifndef TESTS_KERNEL_PROGRAMS_H
#define TESTS_KERNEL_PROGRAMS_H

#include "lib/types.h"

struct process;

#define DECLARE_PROGRAM(name) extern const u8 program_##name[], program_##name##_end[]
#define PROGRAM(name) program_##name, (u64)(program_##name##_end - program_##name)

/* One row of program_deeds. */
struct deed {
    u64 size;
    u8 code[24];
};

#define TINY_BASE 0x400000UL

/* An ELF file with this code into `out` (room for tiny_elf_size(size) bytes). */
#define TINY_CODE_OFFSET 256
#define TINY_HEADERS_SIZE (64 + 2 * 56)
#define TINY_ELF_SIZE(code_size) (TINY_CODE_OFFSET + (code_size))
void tiny_elf(u8 *out, const void *code, u64 size);

/* Start the code as a program whose argv[0] is `name`; NULL: it cannot be. */
struct process *tiny_start(const void *code, u64 size, const char *name);
/* The same for a whole file. */
struct process *tiny_start_file(const u8 *file, u64 size, const char *name);
/* Start it, wait for it and for all it left behind; its wait status, or -1 when it could not be started. */
s32 tiny_run(const void *code, u64 size, const char *name);
/* Give way until no process is left. */
void tiny_settle(void);

#endif
