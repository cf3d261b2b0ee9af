// SPDX-License-Identifier: MIT
/*
 * The only way to user memory. Each call checks the range against USER_END, opens SMAP's window for the copy alone, and
 * survives a fault in it (exception table): the demand-paging handler runs first, and when that says no the copy ends
 * early. Linux's conventions: the copies return how many bytes were NOT copied. May sleep; needs a current uspace.
 */
#ifndef MM_USERCOPY_H
#define MM_USERCOPY_H

#include "lib/types.h"

/* Does [address, address + size) lie in the user half? Overflow-safe; size 0 is always fine. */
bool user_range_ok(vaddr_t address, u64 size);
u64 copy_to_user(vaddr_t to, const void *from, u64 size);
u64 copy_from_user(void *to, vaddr_t from, u64 size);
u64 clear_user(vaddr_t to, u64 size);
/* Length without the NUL; -EFAULT; -ENAMETOOLONG when no NUL within size. */
s64 strncpy_from_user(char *to, vaddr_t from, u64 size);
/* 4-byte compare-exchange on user memory for futexes: 0 with *old, or -EFAULT. */
int user_cmpxchg32(vaddr_t address, u32 expected, u32 desired, u32 *old);

#endif
