// SPDX-License-Identifier: MIT
/*
 * What happens to an exception that nobody handled. Private to kernel/trap.c.
 */
#ifndef KERNEL_TRAP_DEFAULT_H
#define KERNEL_TRAP_DEFAULT_H

#include "kernel/trap.h"

/* Returns only for exceptions after which the interrupted code may simply go on (#BP). */
void trap_default(struct trap_frame *frame);

#endif
