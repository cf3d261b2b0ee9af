// SPDX-License-Identifier: MIT
/*
 * The kernel's own string functions, compiled here under other names, against libc's. Every buffer
 * is a heap block of exactly the size that may be touched, so ASan sees one byte too many.
 */
#include "tests/host/harness.h"

#include "lib/rng.h"

/* libc's, kept under their names' function pointers before the names are taken away. */
static void *(*const libc_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*const libc_memmove)(void *, const void *, size_t) = memmove;
static void *(*const libc_memset)(void *, int, size_t) = memset;
static int (*const libc_memcmp)(const void *, const void *, size_t) = memcmp;
static size_t (*const libc_strlen)(const char *) = strlen;
static size_t (*const libc_strnlen)(const char *, size_t) = strnlen;
static int (*const libc_strcmp)(const char *, const char *) = strcmp;
static int (*const libc_strncmp)(const char *, const char *, size_t) = strncmp;
static char *(*const libc_strchr)(const char *, int) = strchr;
static char *(*const libc_strstr)(const char *, const char *) = strstr;

#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define strstr kernel_strstr
#define string_copy kernel_string_copy
#define memory_not_equal kernel_memory_not_equal
#undef VITRINE_HOST
#include "lib/string.c"
#define VITRINE_HOST

#define SIZE_MAX_TESTED 140 /* more than four unrolled rounds */

static u8 *random_block(struct rng *rng, size_t n)
{
    u8 *block = malloc(n ? n : 1);

    for (size_t i = 0; i < n; i++)
        block[i] = (u8)rng_next(rng);
    return block;
}

/* Every size x every misalignment of both sides. */
static void test_memcpy(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (size_t n = 0; n <= SIZE_MAX_TESTED; n++)
        for (unsigned offset = 0; offset < 64; offset++) {
            size_t to_offset = offset % 8, from_offset = offset / 8;
            u8 *from = random_block(&rng, from_offset + n);
            u8 *ours = random_block(&rng, to_offset + n);
            u8 *theirs = malloc(to_offset + n + 1);

            libc_memcpy(theirs, ours, to_offset + n);
            libc_memcpy(theirs + to_offset, from + from_offset, n);
            assert_ptr_equal(memcpy(ours + to_offset, from + from_offset, n), ours + to_offset);
            assert_int_equal(libc_memcmp(ours, theirs, to_offset + n), 0);
            free(from);
            free(ours);
            free(theirs);
        }
}

/* Every size x every distance of source and target, both directions, overlapping and not. */
static void test_memmove(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (size_t n = 0; n <= SIZE_MAX_TESTED; n += n < 70 ? 1 : 13)
        for (size_t to = 0; to <= 80; to++)
            for (size_t from = 0; from <= 80; from += from < 12 ? 1 : 17) {
                size_t size = n + (to > from ? to : from);
                u8 *ours = random_block(&rng, size), *theirs = malloc(size + 1);

                libc_memcpy(theirs, ours, size);
                libc_memmove(theirs + to, theirs + from, n);
                assert_ptr_equal(memmove(ours + to, ours + from, n), ours + to);
                assert_int_equal(libc_memcmp(ours, theirs, size), 0);
                free(ours);
                free(theirs);
            }
}

static void test_memset(void **state)
{
    static const int bytes[] = {0, 1, 0x6b, 0xaa, 0xff, -1, 0x1234};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    for (size_t n = 0; n <= SIZE_MAX_TESTED; n++)
        for (size_t offset = 0; offset < 8; offset++)
            for (unsigned b = 0; b < ARRAY_SIZE(bytes); b++) {
                u8 *ours = random_block(&rng, offset + n), *theirs = malloc(offset + n + 1);

                libc_memcpy(theirs, ours, offset + n);
                libc_memset(theirs + offset, bytes[b], n);
                assert_ptr_equal(memset(ours + offset, bytes[b], n), ours + offset);
                assert_int_equal(libc_memcmp(ours, theirs, offset + n), 0);
                free(ours);
                free(theirs);
            }
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* Equal blocks, then one difference at every place, in both directions and with the top bit set. */
static void test_memcmp_and_memory_not_equal(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 70; n++) {
        u8 *a = malloc(n + 1), *b = malloc(n + 1);

        a = realloc(a, n ? n : 1);
        libc_memset(a, 0x6b, n);
        libc_memset(b, 0x6b, n);
        assert_int_equal(memcmp(a, b, n), 0);
        assert_null(memory_not_equal(a, 0x6b, n));
        for (size_t at = 0; at < n; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                a[at] ^= (u8)(1U << bit);
                assert_int_equal(sign(memcmp(a, b, n)), sign(libc_memcmp(a, b, n)));
                assert_int_equal(sign(memcmp(b, a, n)), sign(libc_memcmp(b, a, n)));
                assert_ptr_equal(memory_not_equal(a, 0x6b, n), a + at);
                a[at] = 0x6b;
            }
        free(a);
        free(b);
    }
}

/* All strings of up to 4 letters over a small alphabet (one letter above 127), in all pairs. */
static void test_strings(void **state)
{
    static const char letters[] = {'\0', 'a', 'b', '\xe9'};
    static char *texts[256];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char text[5] = {letters[i & 3], letters[i >> 2 & 3], letters[i >> 4 & 3], letters[i >> 6],
                        0};

        texts[i] = malloc(libc_strlen(text) + 1);
        libc_memcpy(texts[i], text, libc_strlen(text) + 1);
    }
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(strlen(texts[i]), libc_strlen(texts[i]));
        for (size_t max = 0; max < 6; max++)
            assert_int_equal(strnlen(texts[i], max), libc_strnlen(texts[i], max));
        for (unsigned c = 0; c < 4; c++)
            assert_ptr_equal(strchr(texts[i], letters[c]), libc_strchr(texts[i], letters[c]));
        assert_null(strchr(texts[i], 'z'));
        assert_ptr_equal(strchr(texts[i], 0x100), libc_strchr(texts[i], 0x100));
        for (unsigned j = 0; j < 256; j++) {
            assert_int_equal(sign(strcmp(texts[i], texts[j])),
                             sign(libc_strcmp(texts[i], texts[j])));
            assert_ptr_equal(strstr(texts[i], texts[j]), libc_strstr(texts[i], texts[j]));
            for (size_t n = 0; n < 6; n++)
                assert_int_equal(sign(strncmp(texts[i], texts[j], n)),
                                 sign(libc_strncmp(texts[i], texts[j], n)));
        }
    }
    for (unsigned i = 0; i < 256; i++)
        free(texts[i]);
}

/* strnlen() and strncmp() must not read behind their limit: there is no NUL here. */
static void test_limits_are_kept(void **state)
{
    char *a = malloc(3), *b = malloc(3);

    (void)state;
    libc_memcpy(a, "abc", 3);
    libc_memcpy(b, "abc", 3);
    assert_int_equal(strnlen(a, 3), 3);
    assert_int_equal(strncmp(a, b, 3), 0);
    free(a);
    free(b);
}

static void copy_into_nothing(void *from)
{
    char to = 'x';

    string_copy(&to, 0, from);
}

static void test_string_copy(void **state)
{
    static const char from[] = "subtree_max_size";

    (void)state;
    for (size_t size = 1; size < sizeof(from) + 3; size++) {
        char *to = malloc(size);
        bool fits = size >= sizeof(from);

        libc_memset(to, 'z', size);
        assert_int_equal(string_copy(to, size, from), fits);
        assert_int_equal(libc_strlen(to), fits ? sizeof(from) - 1 : size - 1);
        assert_int_equal(libc_strncmp(to, from, size - 1), 0);
        free(to);
    }
    expect_panic(copy_into_nothing, (void *)from, "no room for the NUL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_memcpy),      host_test(test_memmove),
        host_test(test_memset),      host_test(test_memcmp_and_memory_not_equal),
        host_test(test_strings),     host_test(test_limits_are_kept),
        host_test(test_string_copy),
    };

    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
