// SPDX-License-Identifier: MIT
/*
 * Addresses to names, from the symbol table that the build links into the kernel, and backtraces
 * along the frame pointers. Any context; no locks; nothing is allocated.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include "lib/types.h"

struct symbol {
    const char *name;
    vaddr_t address;
    u64 offset, size;
};

/* The symbol that contains `address`; false when none does. */
bool symbol_lookup(vaddr_t address, struct symbol *out);

/* The address of a symbol by exact name, or 0. */
vaddr_t symbol_address(const char *name);

/* Installs the %pS formatter. First thing in kernel_main. */
void symbols_init(void);

/*
 * Walk frame pointers from `rbp` (0 = the caller's own frame): fills at most `max` return addresses,
 * returns how many. Stops at a frame outside the known stacks, so a smashed rbp is safe.
 */
size_t backtrace_capture(vaddr_t rbp, vaddr_t *out, size_t max);

/* The n-th frame of a captured backtrace as "vfree+0x1a/0x40"; returns its length. */
size_t backtrace_describe(const vaddr_t *frames, size_t n, char *buf, size_t size);

/* Print one line per frame: "  #0 vfree+0x1a/0x40". */
void backtrace_print(vaddr_t rip, vaddr_t rbp);

/* The same from a trap: out[0] is the trapped instruction; a caller that has no frame yet is found. */
struct trap_frame;
size_t backtrace_capture_trap(const struct trap_frame *frame, vaddr_t *out, size_t max);
void backtrace_print_trap(const struct trap_frame *frame);

/* Linker-script edges, for everyone who needs the kernel's own extent. */
extern u8 __boot_start[], __boot_end[], __kernel_start[], __kernel_end[], __text_start[],
    __text_end[];
extern u8 __rodata_start[], __rodata_end[], __data_start[], __data_end[], __bss_start[],
    __bss_end[];
extern u8 __stacks_start[], __stacks_end[];

#endif
