// SPDX-License-Identifier: MIT
/* Time as programs write it. The wall clock starts at 1970 with the boot: this kernel reads no RTC. */
#ifndef PROC_CLOCK_H
#define PROC_CLOCK_H

#include "lib/types.h"

#define NS_PER_SECOND 1000000000UL

/* A struct timespec of the program as nanoseconds. 0, -EFAULT, -EINVAL (negative, or 10^9 ns and more). */
int timespec_from_user(vaddr_t from, u64 *ns);
int timespec_to_user(vaddr_t to, u64 ns);
/* A moment of CLOCK_REALTIME as one of clock_ns(). */
u64 realtime_to_clock(u64 ns);

#endif
