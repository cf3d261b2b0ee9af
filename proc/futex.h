// SPDX-License-Identifier: MIT
/* Futexes, as far as others need them: the end of a thread wakes who joins it. */
#ifndef PROC_FUTEX_H
#define PROC_FUTEX_H

#include "proc/task.h"

/* Wake one waiter on this address of the current space. */
void futex_wake_address(vaddr_t address);

#endif
