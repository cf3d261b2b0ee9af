// SPDX-License-Identifier: MIT
/*
 * The way to user memory with every pointer that a program may think of (RELIABILITY.md, G1): what cannot be
 * copied is counted or -EFAULT, nothing is reported, and the kernel's memory is what it was. In the kernel's own
 * context, with a space loaded by hand; that system calls keep to it is tested from programs.
 */
#include "kernel/cpu.h"
#include "kernel/ktest.h"
#include "kernel/symbols.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "mm/uspace_internal.h"
#include "mm/vmalloc.h"
#include "tests/kernel/ring3.h"

#define AREA 0x50000000UL
#define PAGES 4 /* writable, read-only, PROT_NONE, nothing */
#define WRITABLE AREA
#define READABLE (AREA + PAGE_SIZE)
#define FORBIDDEN (AREA + 2 * PAGE_SIZE)
#define MISSING (AREA + 3 * PAGE_SIZE)

static struct uspace *space;

static const char *open_space(void)
{
    u32 flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    space = uspace_create();
    KEXPECT(space, "no memory");
    uspace_mmap(space, AREA, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, NULL, 0, NULL);
    uspace_activate(space);
    KEXPECT(clear_user(AREA, 3 * PAGE_SIZE) == 0, "three fresh pages cannot be written");
    KEXPECT(uspace_mprotect(space, READABLE, PAGE_SIZE, PROT_READ) == 0 &&
                uspace_mprotect(space, FORBIDDEN, PAGE_SIZE, PROT_NONE) == 0,
            "mprotect");
    return NULL;
}

static void close_space(void)
{
    uspace_activate(NULL);
    uspace_put(space);
}

static u64 checksum(const void *from, const void *to)
{
    u64 sum = 0;

    for (const u64 *word = from; word < (const u64 *)to; word++)
        sum = sum * 31 + *word;
    return sum;
}

static u64 kernel_checksum(void)
{
    return checksum(__text_start, __text_end) ^ checksum(__rodata_start, __rodata_end);
}

/* A pointer, how many bytes are asked for, and how many of them can be read and written. */
struct hostile {
    vaddr_t address;
    u64 size, readable, writable;
};

static const char *try_pointer(const struct hostile *h)
{
    static u8 buffer[64];
    u64 left = copy_from_user(buffer, h->address, h->size);

    KEXPECT(left == h->size - h->readable, "from %#lx, %#lx bytes: %#lx left, not %#lx", h->address,
            h->size, left, h->size - h->readable);
    left = copy_to_user(h->address, buffer, h->size);
    KEXPECT(left == h->size - h->writable, "to %#lx, %#lx bytes: %#lx left, not %#lx", h->address,
            h->size, left, h->size - h->writable);
    left = clear_user(h->address, h->size);
    KEXPECT(left == h->size - h->writable, "clear %#lx, %#lx bytes: %#lx left, not %#lx",
            h->address, h->size, left, h->size - h->writable);
    if (h->size >= 4 && h->size <= sizeof(buffer) && h->readable < 4) {
        u32 old;
        s64 got = strncpy_from_user((char *)buffer, h->address, h->size);
        KEXPECT(got == -EFAULT || h->readable, "string at %#lx: %ld", h->address, got);
        KEXPECT(user_cmpxchg32(h->address, 0, 0, &old) == -EFAULT, "cmpxchg at %#lx", h->address);
    }
    KEXPECT(!(read_rflags() & RFLAGS_AC), "AC is left on after %#lx", h->address);
    return NULL;
}

static const char *try_all_pointers(void *area, void *page)
{
    const struct hostile list[] = {
        {0, 8, 0, 0},
        {1, 8, 0, 0},
        {USER_START - 1, 1, 0, 0},
        {(vaddr_t)__text_start, 8, 0, 0},
        {(vaddr_t)page, 8, 0, 0},
        {(vaddr_t)area, 8, 0, 0},
        {VMEMMAP_BASE, 8, 0, 0},
        {USER_END - 8, 8, 0, 0},
        {USER_END - 4, 8, 0, 0},
        {USER_END, 1, 0, 0},
        {USER_END, 0, 0, 0},
        {0x0000800000000000UL, 8, 0, 0},
        {0xffff7fffffffffffUL, 8, 0, 0},
        {~0UL - 1, 1, 0, 0},
        {~0UL, 8, 0, 0},
        {~0UL, 0, 0, 0},
        {WRITABLE, ~0UL, 0, 0},
        {WRITABLE, 1UL << 63, 0, 0},
        {~0UL - 7, 16, 0, 0},
        {WRITABLE, 0, 0, 0},
        {WRITABLE, 63, 63, 63},
        {READABLE - 1, 1, 1, 1},
        {READABLE - 16, 32, 32, 16}, /* the second half is read-only */
        {READABLE - 3, 8, 8, 0},     /* a word across the edge is written as a whole, or not */
        {FORBIDDEN - 16, 32, 16, 0},
        {FORBIDDEN - 1, 1, 1, 0},
        {FORBIDDEN, 16, 0, 0},
        {MISSING, 16, 0, 0},
        {READABLE, 8, 8, 0},
    };

    for (u64 i = 0; i < ARRAY_SIZE(list); i++) {
        const char *wrong = try_pointer(&list[i]);
        if (wrong)
            return wrong;
    }
    return NULL;
}

KTEST(usercopy, every_hostile_pointer)
{
    void *area = vmalloc(PAGE_SIZE), *page = get_free_page(GFP_KERNEL | __GFP_ZERO);
    const char *wrong =
        area && page ? open_space() : ktest_fail(__FILE__, __LINE__, "", "no memory");

    if (wrong)
        return wrong;
    memset(area, 0x5a, PAGE_SIZE);
    u64 before = kernel_checksum();
    wrong = try_all_pointers(area, page);
    if (!wrong && (kernel_checksum() != before || memory_not_equal(area, 0x5a, PAGE_SIZE) ||
                   memory_not_equal(page, 0, PAGE_SIZE)))
        wrong = "the kernel's memory has changed";
    close_space();
    free_page(page);
    vfree(area);
    return wrong;
}

KTEST(usercopy, without_a_program_nothing_is_there)
{
    u8 buffer[8];

    KEXPECT(copy_from_user(buffer, WRITABLE, 8) == 8, "user memory without a user space");
    return NULL;
}

KTEST(usercopy, strings)
{
    char text[32];
    const char *wrong = open_space();

    if (wrong)
        return wrong;
    copy_to_user(READABLE - 6, "glass", 6); /* the NUL is the last byte that can be written */
    s64 whole = strncpy_from_user(text, READABLE - 6, sizeof(text));
    bool same = strcmp(text, "glass") == 0;
    s64 tight = strncpy_from_user(text, READABLE - 6, 3);
    uspace_mprotect(space, READABLE, PAGE_SIZE, PROT_READ | PROT_WRITE);
    bool filled = true;
    for (u64 at = 0; at < PAGE_SIZE; at += 8)
        filled = filled && copy_to_user(READABLE + at, "xxxxxxxx", 8) == 0;
    s64 across = strncpy_from_user(text, FORBIDDEN - 8, sizeof(text));
    close_space();
    KEXPECT(whole == 5 && same && filled, "%ld bytes: %s", whole, text);
    KEXPECT(tight == -ENAMETOOLONG, "%ld instead of -ENAMETOOLONG", tight);
    KEXPECT(across == -EFAULT, "%ld: ran across the end of the page", across);
    return NULL;
}

KTEST(usercopy, compare_and_exchange)
{
    const char *wrong = open_space();
    u32 old = 1, now = 0, forbidden;

    if (wrong)
        return wrong;
    int first = user_cmpxchg32(WRITABLE, 0, 7, &old);
    int second = user_cmpxchg32(WRITABLE, 0, 9, &now);
    int third = user_cmpxchg32(READABLE, 0, 9, &forbidden);
    close_space();
    KEXPECT(first == 0 && old == 0, "%d, %u", first, old);
    KEXPECT(second == 0 && now == 7, "%d, %u", second, now);
    KEXPECT(third == -EFAULT, "a read-only page: %d", third);
    return NULL;
}
