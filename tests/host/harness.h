// SPDX-License-Identifier: MIT
/*
 * What a host test sees of the world it runs in: cmocka, the captured panics and reports, fake
 * physical memory, fake CPUs. Each test is wrapped in host_test(), which starts from a clean world
 * and fails the test if it leaves a lock held, interrupts off, a fault armed or a report unread.
 *
 *     static void refuses_twice(void *buddy) { ... }
 *     expect_panic(refuses_twice, &buddy, "B2");       the panic's message contains "B2"
 *     expect_report("double free");                    exactly one report since the last look
 */
#ifndef TESTS_HOST_HARNESS_H
#define TESTS_HOST_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs the headers above, and all of them come before ours (lib/types.h has __unused). */
#include <cmocka.h>

#include "lib/types.h"

#define host_test(function) cmocka_unit_test_setup_teardown(function, host_setup, host_teardown)

/* cmocka fixtures; a test with a fixture of its own calls these from it. Return 0. */
int host_setup(void **state);
int host_teardown(void **state);

/* fn(arg) must end in port_panic() or a failed ASSERT whose text contains `substring`. The locks
 * and interrupt flags are then put back to what they were before the call. */
#define expect_panic(fn, arg, substring) host_expect_panic(fn, arg, substring, __FILE__, __LINE__)
void host_expect_panic(void (*fn)(void *), void *arg, const char *substring, const char *file,
                       int line);

/* Exactly one port_report() since the last look, and it contains `substring`. */
#define expect_report(substring) host_expect_report(substring, __FILE__, __LINE__)
void host_expect_report(const char *substring, const char *file, int line);

/* How many reports came since the last look. The text of the last one. */
u64 host_take_reports(void);
const char *host_last_report(void);

/* port_warn() and port_info() lines so far; they are shown on stderr when HOST_VERBOSE is set. */
u64 host_warnings(void);

/*
 * Physical memory [0, bytes): zeroed, at host_direct_map_base, with inaccessible pages before and
 * behind it, and a zeroed array of struct page at host_vmemmap_base. Replaces what was there.
 */
void host_memory_init(u64 bytes);
u64 host_memory_size(void);

/* Who is running from now on / how many CPUs port_cpu_count() says / inside an interrupt or not. */
void host_set_cpu(u32 cpu);
void host_set_cpu_count(u32 count);
void host_set_interrupt(bool inside);

u32 host_locks_held(void);

/*
 * Called by each port_tlb_flush_range() (start 0, end 0: by _all()) before it flushes, until the next
 * test or NULL; false: nothing is flushed. So a test can let flushes be forgotten, the positive control
 * of all that look for that, or let another CPU act while this one is in the middle of something.
 */
void host_flush_hook(bool (*hook)(vaddr_t start, vaddr_t end));

#endif
