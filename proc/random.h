// SPDX-License-Identifier: MIT
/* Random bytes for programs: getrandom(), /dev/random, AT_RANDOM. Not fit for cryptography, and said so. */
#ifndef PROC_RANDOM_H
#define PROC_RANDOM_H

#include "lib/types.h"

/* RDRAND where the CPU has it, mixed with the time stamp counter. Any context. */
void random_fill(void *to, u64 size);

#endif
