// SPDX-License-Identifier: MIT
/*
 * The registers that only programs use: x87, SSE, and AVX where the CPU has it. Saved and loaded at every
 * switch between tasks, whether used or not: nothing of one program is ever seen by another.
 */
#ifndef PROC_FPU_H
#define PROC_FPU_H

#include "lib/types.h"

/* Find out what there is and switch it on. Boot, after the slab. */
void fpu_init(void);

/* A save area with the state that a new program starts with; NULL: no memory. */
void *fpu_create(void);
void fpu_free(void *area);
void fpu_reset(void *area); /* to the state that a new program starts with */
u32 fpu_size(void);         /* bytes of an area */

void fpu_save(void *area);
void fpu_load(const void *area);

/* Make an area that came from a program safe to load: no reserved bit may be set. */
void fpu_sanitise(void *area);

#endif
