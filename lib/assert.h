// SPDX-License-Identifier: MIT
/*
 * ASSERT: the statement of an invariant that the code below relies on. Always on. It prints the
 * expression and a sentence with both values, then hands over to assert_failed(), which the world
 * supplies: kernel/panic.c in the kernel, tests/host/port_host.c on the host.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/types.h"

__noreturn void assert_failed(const char *file, int line, const char *expression,
                              const char *format, ...) __printf(4, 5);

/* ASSERT(order <= MAX_ORDER, "order %u > %u, pfn %#lx", order, MAX_ORDER, pfn); */
#define ASSERT(cond, ...)                                                                          \
    do {                                                                                           \
        if (unlikely(!(cond)))                                                                     \
            assert_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);                                 \
    } while (0)

#endif
