// SPDX-License-Identifier: MIT
/*
 * What an address is: parts of `whatis` that other commands use.
 */
#ifndef MM_COMMANDS_WHATIS_H
#define MM_COMMANDS_WHATIS_H

#include "lib/types.h"

struct pagetable;

/* Print which area an address of the vmalloc region is in, or which one was there, or nothing. */
void whatis_vmalloc(vaddr_t address);

/* "mapped to frame 0x..., RW NX, 4 KiB page" or where the walk stopped; then the frame's state. */
void whatis_mapping(const struct pagetable *tables, vaddr_t address);

/* State, order and owner of one page frame. */
void whatis_frame(pfn_t pfn);

#endif
