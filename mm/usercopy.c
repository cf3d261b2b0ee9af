// SPDX-License-Identifier: MIT
/*
 * Copying from and to user memory. The only code that may set AC (stac), and only around the instructions
 * that touch user memory; those are in the exception table. A page fault there first goes to demand paging
 * (mm/fault.c); when that cannot help, the copy ends at the fixup and says how much is left. Eight bytes at
 * a time, since a repetition of `rep movsb` costs as much as one of `rep movsq`. No state, no lock.
 */
#include "mm/usercopy.h"

#include "kernel/extable.h"
#include "kernel/trap.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace.h"

static inline void open_window(void)
{
    if (likely(trap_clac_enabled))
        __asm__ volatile("stac" ::: "memory");
}

static inline void close_window(void)
{
    if (likely(trap_clac_enabled))
        __asm__ volatile("clac" ::: "memory");
}

bool user_range_ok(vaddr_t address, u64 size)
{
    return size == 0 || (address <= USER_END && size <= USER_END - address);
}

/* Words, then the rest by bytes. Returns what was not copied. */
static inline u64 copy_bytes(void *to, const void *from, u64 size)
{
    u64 words = size / 8, rest = size % 8;

    open_window();
    __asm__ volatile("1: rep movsq\n\t"
                     "mov %[rest], %%rcx\n\t"
                     "2: rep movsb\n\t"
                     "jmp 4f\n"
                     "3: lea (%[rest], %%rcx, 8), %%rcx\n"
                     "4:\n\t" EXTABLE("1b", "3b") EXTABLE("2b", "4b")
                     : "+c"(words), "+D"(to), "+S"(from)
                     : [rest] "r"(rest)
                     : "memory", "cc");
    close_window();
    return words;
}

u64 copy_to_user(vaddr_t to, const void *from, u64 size)
{
    return user_range_ok(to, size) ? copy_bytes((void *)to, from, size) : size;
}

u64 copy_from_user(void *to, vaddr_t from, u64 size)
{
    return user_range_ok(from, size) ? copy_bytes(to, (const void *)from, size) : size;
}

u64 clear_user(vaddr_t to, u64 size)
{
    u64 words = size / 8, rest = size % 8;

    if (!user_range_ok(to, size))
        return size;
    open_window();
    __asm__ volatile("1: rep stosq\n\t"
                     "mov %[rest], %%rcx\n\t"
                     "2: rep stosb\n\t"
                     "jmp 4f\n"
                     "3: lea (%[rest], %%rcx, 8), %%rcx\n"
                     "4:\n\t" EXTABLE("1b", "3b") EXTABLE("2b", "4b")
                     : "+c"(words), "+D"(to)
                     : [rest] "r"(rest), "a"(0UL)
                     : "memory", "cc");
    close_window();
    return words;
}

/* Byte by byte: nothing behind the NUL is touched. `left` ends as 0 when none was found in time. */
s64 strncpy_from_user(char *to, vaddr_t from, u64 size)
{
    u64 limit = from < USER_END ? min_u64(size, USER_END - from) : 0;
    u64 left = limit, failed = 1;

    if (size == 0)
        return -ENAMETOOLONG;
    if (limit == 0)
        return -EFAULT;
    open_window();
    __asm__ volatile("1: movb (%[from]), %%al\n\t"
                     "movb %%al, (%[to])\n\t"
                     "testb %%al, %%al\n\t"
                     "jz 2f\n\t"
                     "inc %[from]\n\t"
                     "inc %[to]\n\t"
                     "dec %[left]\n\t"
                     "jnz 1b\n"
                     "2: xor %k[failed], %k[failed]\n"
                     "3:\n\t" EXTABLE("1b", "3b")
                     : [left] "+r"(left), [from] "+r"(from), [to] "+r"(to), [failed] "+r"(failed)
                     :
                     : "rax", "memory", "cc");
    close_window();
    if (failed)
        return -EFAULT;
    if (left)
        return (s64)(limit - left);
    return limit == size ? -ENAMETOOLONG : -EFAULT; /* the user half ended first */
}

int user_cmpxchg32(vaddr_t address, u32 expected, u32 desired, u32 *old)
{
    u64 failed = 1;

    if (!user_range_ok(address, sizeof(u32)))
        return -EFAULT;
    open_window();
    __asm__ volatile("1: lock cmpxchgl %[desired], (%[at])\n\t"
                     "xor %k[failed], %k[failed]\n"
                     "2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(expected), [failed] "+r"(failed)
                     : [at] "r"(address), [desired] "r"(desired)
                     : "memory", "cc");
    close_window();
    *old = expected;
    return failed ? -EFAULT : 0;
}
