// SPDX-License-Identifier: MIT
/*
 * User spaces for host tests: a whole memory subsystem (vmalloc_world.h) with uspace on top, and a processor
 * that runs a program: each access goes through the software MMU with its never forgetting TLB, and a page
 * fault goes to uspace_fault(), as in the kernel. Also a count of every reference to every page.
 */
#ifndef TESTS_HOST_USPACE_WORLD_H
#define TESTS_HOST_USPACE_WORLD_H

#include "mm/uspace.h"
#include "tests/host/vmalloc_world.h"

#define uspace_test(function) world_test(function)

/* Up / down: closing needs every space and store put, and every page back. */
void uspace_world_open(u64 memory_pages);
void uspace_world_close(void);

/* Ring 3 reads, writes or executes the first word of the page at va. 0, or what uspace_fault() said. A value
 * stands in three places of its page, and reading compares them. The space is loaded first. */
int user_read(struct uspace *space, vaddr_t va, u64 *value);
int user_write(struct uspace *space, vaddr_t va, u64 value);
int user_execute(struct uspace *space, vaddr_t va);

/* Pages used by programs, stores, tables and descriptors now. */
struct uspace_counts {
    u64 used_pages, user_pages, file_pages, table_pages, slab_objects;
};
struct uspace_counts uspace_counts(void);
void assert_same_counts(const struct uspace_counts *before, const char *what);

/* uspace_check() of all spaces, the buddy's and the slabs' checks, and: every page has as many references as
 * there are entries that map it, plus one if it is a store's. Fails the test with the sentence. */
void assert_uspace_sound(const char *when);

#endif
