// SPDX-License-Identifier: MIT
/*
 * Making a program out of a file: address space, stack, first registers. Used by execve() and by the kernel
 * shell's `run`.
 */
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include "proc/elf.h"
#include "proc/process.h"

#define ARGUMENTS_MAX (128 * KIB) /* bytes of all strings, NULs included */

/* argv and envp as one run of strings, argv first; in kernel memory (vmalloc). */
struct exec_strings {
    char *data;
    u64 used, capacity;
    u32 argc, envc;
};

/* Append; 0, -E2BIG, -ENOMEM. The argv strings come before the first env string. */
int exec_add_string(struct exec_strings *strings, const char *text, bool environment);
/* The same from the current program's memory; also -EFAULT. */
int exec_add_user_string(struct exec_strings *strings, vaddr_t text, bool environment);
/* argv[0] goes; these words come in front (the interpreter of a script). */
int exec_replace_first(struct exec_strings *strings, const char *const *words, u32 count);
void exec_strings_free(struct exec_strings *strings);

/* A loaded program. */
struct program {
    struct uspace *space;
    vaddr_t entry, stack;
    vaddr_t args_start, args_end, env_start, env_end, stack_top;
    char name[16];
};

/*
 * Load the file at `path` (scripts: their interpreter) into a new space. 0 or -errno; the current space is
 * current again in both cases. ENOENT EACCES ENOEXEC E2BIG ENOMEM ELOOP.
 */
int program_load(struct program *out, const char *path, struct exec_strings *strings);

struct pagestore;
/* The bytes of a store as proc/elf.c and proc/elf_symbol.c read them. */
struct elf_source elf_source_of(struct pagestore *store);
/* The same for the bytes of an ELF file in a store, whatever its name. */
int program_load_store(struct program *out, struct pagestore *store, const char *path,
                       const struct exec_strings *strings);

/* proc/exec_stack.c: strings, pointers and auxiliary vector onto the new stack; space is active. */
int exec_build_stack(struct program *program, const struct elf_image *image, const char *path,
                     const struct exec_strings *strings);

#endif
