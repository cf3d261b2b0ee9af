// SPDX-License-Identifier: MIT
/*
 * ELF headers, one mistake at a time (RELIABILITY G5): a good file is made, one field is changed, and the parser must
 * say ENOEXEC; and a few that look odd and are fine. proc/elf.c; the random half is fuzz_elf.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/errno.h"
#include "lib/string.h"
#include "proc/elf.h"

#define LOWEST 0x10000UL
#define HIGHEST 0x7ffffffff000UL
#define FILE_SIZE 0x3000u

struct header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct segment {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, align;
};

/* The file: text at 0x400000, data with 0x2000 bytes of zeros behind it at 0x402000. */
static struct {
    struct header header;
    struct segment segment[3];
    u8 rest[FILE_SIZE];
} file;

static u64 size;

static s64 read_file(void *ctx, u64 offset, void *to, u64 count)
{
    (void)ctx;
    assert_true(offset <= size && count <= size - offset);
    memcpy(to, (const u8 *)&file + offset, count);
    return (s64)count;
}

static void make_good(void)
{
    memset(&file, 0, sizeof(file));
    size = FILE_SIZE;
    file.header = (struct header){.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                                  .type = 2,
                                  .machine = 62,
                                  .version = 1,
                                  .entry = 0x401000,
                                  .phoff = 64,
                                  .ehsize = 64,
                                  .phentsize = 56,
                                  .phnum = 3};
    file.segment[0] = (struct segment){1, 5, 0, 0x400000, 0, 0x1800, 0x1800, 4096};
    file.segment[1] = (struct segment){1, 6, 0x2000, 0x402000, 0, 0x900, 0x2900, 4096};
    file.segment[2] =
        (struct segment){.type = 0x6474e551, .flags = 7}; /* PT_GNU_STACK: a wish only */
}

static int parse(struct elf_image *image)
{
    struct elf_source source = {size, read_file, NULL, LOWEST, HIGHEST};
    return elf_parse(&source, image);
}

static void test_good(void **state)
{
    struct elf_image image;
    (void)state;
    make_good();
    assert_int_equal(parse(&image), 0);
    assert_int_equal(image.count, 2);
    assert_int_equal(image.entry, 0x401000);
    assert_int_equal(image.headers, 0x400040);
    assert_int_equal(image.header_count, 3);
    assert_int_equal(image.brk, 0x405000);
    assert_int_equal(image.segment[0].start, 0x400000);
    assert_int_equal(image.segment[0].end, 0x402000);
    assert_true(image.segment[0].executable && !image.segment[0].writable);
    assert_int_equal(image.segment[1].file_end, 0x402900);
    assert_int_equal(image.segment[1].end, 0x405000);
    assert_int_equal(image.segment[1].offset, 0x2000);
}

static void test_position_independent(void **state)
{
    struct elf_image image;
    (void)state;
    make_good();
    file.header.type = 3;
    file.header.entry = 0x1000;
    file.segment[0].address = 0;
    file.segment[1].address = 0x2000;
    assert_int_equal(parse(&image), 0);
    assert_int_equal(image.entry, ELF_PIE_BASE + 0x1000);
    assert_int_equal(image.segment[0].start, ELF_PIE_BASE);
    assert_int_equal(image.headers, ELF_PIE_BASE + 64);
}

/* Change a field of the good file; it must be refused. */
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct elf_image image_;                                                                   \
        make_good();                                                                               \
        change;                                                                                    \
        if (parse(&image_) != -ENOEXEC)                                                            \
            fail_msg("accepted: %s", #change);                                                     \
    } while (0)
#define ACCEPTED(change)                                                                           \
    do {                                                                                           \
        struct elf_image image_;                                                                   \
        make_good();                                                                               \
        change;                                                                                    \
        if (parse(&image_) != 0)                                                                   \
            fail_msg("refused: %s", #change);                                                      \
    } while (0)

static void test_every_short_file(void **state)
{
    (void)state;
    for (u64 short_size = 0; short_size < 64 + 3 * 56; short_size++)
        REFUSED(size = short_size);
    REFUSED(size = 0x17ff);
    REFUSED(size = 0x28ff);
    ACCEPTED(size = 0x2900);
}

static void test_identity(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        REFUSED(file.header.ident[i] ^= 3);
    REFUSED(file.header.type = 0);
    REFUSED(file.header.type = 1);
    REFUSED(file.header.type = 4);
    REFUSED(file.header.machine = 3);
    REFUSED(file.header.machine = 183);
    REFUSED(file.header.version = 0);
}

static void test_program_headers(void **state)
{
    (void)state;
    REFUSED(file.header.phentsize = 0);
    REFUSED(file.header.phentsize = 55);
    REFUSED(file.header.phentsize = 57);
    REFUSED(file.header.phnum = 0);
    REFUSED(file.header.phnum = 65);
    REFUSED(file.header.phnum = 65535);
    REFUSED(file.header.phoff = FILE_SIZE - 55);
    REFUSED(file.header.phoff = ~0UL);
    REFUSED(file.header.phoff = ~0UL - 55);
    REFUSED(file.segment[2].type = 3); /* PT_INTERP */
    REFUSED(file.segment[0].type = file.segment[1].type = 0);
    ACCEPTED(file.segment[2].type = 0x12345678);
    ACCEPTED(file.header.shoff = ~0UL);
}

static void test_segments(void **state)
{
    (void)state;
    REFUSED(file.segment[1].file_size = 0x2901);
    REFUSED(file.segment[1].memory_size = ~0UL);
    REFUSED(file.segment[1].memory_size = HIGHEST);
    REFUSED(file.segment[1].offset = 0x2001);
    REFUSED(file.segment[1].offset = ~0xfffUL);
    REFUSED(file.segment[1].offset = FILE_SIZE);
    REFUSED(file.segment[1].address = 0x402001);
    REFUSED(file.segment[1].address = 0x401000); /* shares a page with the text */
    REFUSED(file.segment[1].address = 0x3ff000); /* before it */
    REFUSED(file.segment[1].address = HIGHEST - 0x1000);
    REFUSED(file.segment[1].address = 0xffffffff80000000UL);
    REFUSED(file.segment[1].address = 0x800000000000UL);
    REFUSED(file.segment[1].address = ~0xfffUL);
    REFUSED(file.segment[1].align = 3);
    REFUSED(file.segment[1].align = 1UL << 63);
    REFUSED(file.segment[1].align = 0x800000);
    REFUSED(file.segment[1].flags = 7);
    REFUSED(file.segment[1].flags = 4); /* zeros behind the file's bytes, read-only */
    REFUSED(file.segment[0].flags = 7);
    ACCEPTED(file.segment[1].align = 0);
    ACCEPTED(file.segment[1].align = 0x2000);
    ACCEPTED(file.segment[1].memory_size = 1UL << 40); /* large is mmap's business */
    ACCEPTED(file.segment[1].memory_size = file.segment[1].file_size = 0);
    ACCEPTED(file.segment[1].offset = file.segment[1].file_size = 0);
}

static void test_low_addresses(void **state)
{
    (void)state;
    REFUSED(file.segment[0].address = 0; file.header.entry = 0x1000);
    REFUSED(file.segment[0].address = LOWEST - 0x1000; file.header.entry = LOWEST);
    ACCEPTED(file.segment[0].address = LOWEST; file.header.entry = LOWEST + 8);
}

static void test_entry(void **state)
{
    (void)state;
    REFUSED(file.header.entry = 0);
    REFUSED(file.header.entry = 0x402000);
    REFUSED(file.header.entry = 0x3fffff);
    REFUSED(file.header.entry = ~0UL);
    REFUSED(file.header.type = 3; file.header.entry = ~0UL - ELF_PIE_BASE);
    REFUSED(file.segment[0].flags = 4);
    ACCEPTED(file.header.entry = 0x401fff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_position_independent),
        cmocka_unit_test(test_every_short_file),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_program_headers),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_low_addresses),
        cmocka_unit_test(test_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
