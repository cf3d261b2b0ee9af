// SPDX-License-Identifier: MIT
#ifndef PROC_RANDOM_H
#define PROC_RANDOM_H
#include "lib/types.h"
void random_fill(void *to, u64 size);
#endif
