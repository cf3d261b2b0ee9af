// SPDX-License-Identifier: MIT
/* Which function of a program an address is in: from the symbol table that the linker left in its file. */
#ifndef PROC_ELF_SYMBOL_H
#define PROC_ELF_SYMBOL_H

#include "proc/elf.h"

/*
 * The function that contains `address` (as the program sees it) and how far into it. False: no such function, no
 * symbol table, or a file that makes no sense; then *name is empty. The name is cut to fit. Reads the file only.
 */
bool elf_symbol(const struct elf_source *source, vaddr_t address, char *name, u64 size,
                u64 *offset);

#endif
