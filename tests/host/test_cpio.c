// SPDX-License-Identifier: MIT
/*
 * The newc reader and what becomes of an archive: good ones give the files that are in them; of bad ones nothing stays,
 * and the reader says where it stopped. Archives lie in blocks of exactly their size, so that ASan sees every byte read
 * too many.
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/rng.h"
#include "mm/pagestore.h"
#include "proc/cpio.h"
#include "proc/path.h"
#include "tests/host/files_world.h"

static const struct archive_entry good[] = {
    {.name = ".", .mode = S_IFDIR | 0700},
    {.name = "bin", .mode = S_IFDIR | 0755},
    {.name = "bin/tool", .mode = S_IFREG | 0755, .content = "#!tool\n", .links = 2, .file = 7},
    {.name = "bin/sh", .mode = S_IFLNK | 0777, .content = "tool"},
    {.name = "bin/twin", .mode = S_IFREG | 0755, .links = 2, .file = 7},
    {.name = "dev", .mode = S_IFDIR | 0755},
    {.name = "dev/console", .mode = S_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1},
    {.name = "empty", .mode = S_IFREG | 0644},
};

static void make_good(struct archive *a)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        archive_add(a, &good[i]);
    archive_end(a);
}

/* Read to the end out of a block of exactly this size; the last result. */
static int read_all(const u8 *bytes, u64 size, struct cpio_reader *reader, u32 *count)
{
    u8 *exact = malloc(size ? size : 1);
    struct cpio_entry entry;
    int result;

    memcpy(exact, bytes, size);
    cpio_open(reader, exact, size);
    *count = 0;
    while ((result = cpio_next(reader, &entry)) > 0)
        ++*count;
    free(exact);
    return result;
}

static void a_good_archive_reads(void **state)
{
    struct archive a = {0};
    struct cpio_reader reader;
    struct cpio_entry entry;

    (void)state;
    make_good(&a);
    cpio_open(&reader, a.bytes, a.size);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        u32 length = i == 0 ? 0 : (u32)strlen(good[i].name);
        assert_int_equal(cpio_next(&reader, &entry), 1);
        assert_int_equal(entry.name_length, length);
        assert_memory_equal(entry.name, good[i].name, length);
        assert_int_equal(entry.mode, good[i].mode);
        assert_int_equal(entry.size, good[i].content ? strlen(good[i].content) : 0);
        assert_memory_equal(entry.content, good[i].content ? good[i].content : "", entry.size);
    }
    assert_int_equal(cpio_next(&reader, &entry), 0);
    archive_free(&a);
}

/* Cut anywhere, it is refused, at the header of the entry that is not whole. */
static void every_cut_is_refused(void **state)
{
    struct archive a = {0};
    struct cpio_reader reader;
    u32 count;

    (void)state;
    make_good(&a);
    u64 whole = a.size;
    while (a.bytes[whole - 1] == '\0') /* of the trailer's name and padding one NUL is needed */
        whole--;
    for (u64 size = 0; size <= whole; size++) {
        assert_int_equal(read_all(a.bytes, size, &reader, &count), -EINVAL);
        assert_non_null(reader.error);
        assert_true(reader.header <= size);
    }
    assert_int_equal(read_all(a.bytes, whole + 1, &reader, &count), 0);
    archive_free(&a);
}

struct bad_case {
    const char *why;
    u64 at; /* in the header */
    const char *text;
};

static void bad_headers_are_named(void **state)
{
    static const struct bad_case cases[] = {
        {"newc", 0, "070702"},
        {"newc", 0,
         "\x7f"
         "ELF"},
        {"hexadecimal", 6, "0000000g"},
        {"hexadecimal", 102, "       1"},
        {"name of that length", 94, "00000000"},
        {"name of that length", 94, "00000001"},
        {"name of that length", 94, "00001001"},
        {"name of that length", 94, "ffffffff"},
        {"NUL", 94, "00000003"},
        {"content that is cut off", 54, "ffffffff"},
        {"content that is cut off", 54, "00001000"},
        {"type", 14, "000001ff"},
        {"type", 14, "0000f1ff"},
        {"content where", 14, "000041ff"},
        {"content where", 14, "000011ff"},
    };
    struct cpio_reader reader;
    u32 count;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct archive a = {0};
        archive_add(&a, &(struct archive_entry){.name = "first", .mode = S_IFREG});
        u64 second = a.size;
        archive_add(&a, &(struct archive_entry){.name = "file", .mode = S_IFREG, .content = "abc"});
        archive_end(&a);
        memcpy(a.bytes + second + cases[i].at, cases[i].text, strlen(cases[i].text));
        assert_int_equal(read_all(a.bytes, a.size, &reader, &count), -EINVAL);
        assert_int_equal(reader.header, second);
        assert_int_equal(count, 1);
        if (!strstr(reader.error, cases[i].why))
            fail_msg("case %zu: '%s' does not say '%s'", i, reader.error, cases[i].why);
        archive_free(&a);
    }
}

static void bad_names_are_refused(void **state)
{
    static char component[FILE_NAME_MAX + 3];
    static const char *const names[] = {"..",   "../a", "a/..",   "a/../b", "a/./b",
                                        "a//b", "a/",   "./../x", "/..",    component};
    static const char *const fine[] = {"/abs", "./here", "..a", "...", ".hidden", "a/...b"};
    struct cpio_reader reader;
    u32 count;

    (void)state;
    memset(component, 'n', FILE_NAME_MAX + 1);
    for (size_t i = 0; i < ARRAY_SIZE(names) + ARRAY_SIZE(fine); i++) {
        bool bad = i < ARRAY_SIZE(names);
        struct archive a = {0};
        archive_add(&a, &(struct archive_entry){
                            .name = bad ? names[i] : fine[i - ARRAY_SIZE(names)], .mode = S_IFREG});
        archive_end(&a);
        assert_int_equal(read_all(a.bytes, a.size, &reader, &count), bad ? -EINVAL : 0);
        archive_free(&a);
    }
}

/* Unpacking ------------------------------------------------------------------------------------ */

static struct inode *find(const char *path, u32 flags)
{
    int err;
    return path_walk(ramfs_root(), path, flags, &err);
}

static void assert_content(struct inode *inode, const char *text)
{
    char bytes[64] = {0};
    struct io io = {.base = (vaddr_t)bytes, .size = sizeof(bytes)};

    assert_non_null(inode);
    assert_int_equal(ramfs_read(inode, 0, &io), strlen(text));
    assert_string_equal(bytes, text);
}

static void unpacked_it_is_a_tree(void **state)
{
    struct archive a = {0};

    (void)state;
    files_world_open();
    make_good(&a);
    assert_int_equal(ramfs_unpack(a.bytes, a.size), 0);
    struct inode *tool = find("/bin/tool", 0), *twin = find("bin/twin", 0);
    struct inode *sh = find("/bin/sh", PATH_FOLLOW), *link = find("/bin/sh", 0);
    struct inode *console = find("/dev/console", 0), *empty = find("/empty", 0);
    assert_content(tool, "#!tool\n");
    assert_ptr_equal(tool, twin);
    assert_ptr_equal(tool, sh);
    assert_int_equal(tool->links, 2);
    assert_int_equal(tool->mode, S_IFREG | 0755);
    assert_int_equal(tool->uid, 10);
    assert_int_equal(tool->gid, 20);
    assert_int_equal(tool->mtime, 5000000000UL);
    assert_string_equal(link->target, "tool");
    assert_int_equal(console->rdev, DEVICE(5, 1));
    assert_content(empty, "");
    assert_int_equal(ramfs_root()->mode, S_IFDIR | 0700);
    struct inode *all[] = {tool, twin, sh, link, console, empty};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        inode_put(all[i]);
    archive_free(&a);
    files_world_close();
}

/* What cannot be: found only while it is unpacked, and nothing of the archive stays. */
static void impossible_trees_leave_nothing(void **state)
{
    static const struct archive_entry cases[][3] = {
        {{.name = "a/b", .mode = S_IFREG}},
        {{.name = "a", .mode = S_IFREG}, {.name = "a/b", .mode = S_IFREG}},
        {{.name = "a", .mode = S_IFLNK, .content = "dev"}, {.name = "a/b", .mode = S_IFREG}},
        {{.name = "a", .mode = S_IFDIR}, {.name = "a", .mode = S_IFREG}},
        {{.name = ".", .mode = S_IFREG}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct archive a = {0};
        files_world_open();
        struct ramfs_usage before = ramfs_usage();
        for (size_t e = 0; e < 3 && cases[i][e].name; e++)
            archive_add(&a, &cases[i][e]);
        archive_end(&a);
        u64 warnings = host_warnings();
        assert_int_equal(ramfs_unpack(a.bytes, a.size), -EINVAL);
        assert_int_equal(host_warnings(), warnings + 1);
        assert_null(find("/a", 0));
        assert_int_equal(ramfs_usage().inodes, before.inodes);
        archive_free(&a);
        files_world_close();
    }
}

static void too_large_is_refused(void **state)
{
    static char content[(FILES_PAGE_LIMIT + 1) * PAGE_SIZE];
    struct archive a = {0};

    (void)state;
    files_world_open();
    memset(content, 'x', sizeof(content));
    archive_add(&a,
                &(struct archive_entry){
                    .name = "big", .mode = S_IFREG, .content = content, .size = sizeof(content)});
    archive_end(&a);
    assert_int_equal(ramfs_unpack(a.bytes, a.size), -ENOSPC);
    assert_null(find("/big", 0));
    archive_free(&a);
    files_world_close();
}

/* The k-th allocation fails, for each k: -ENOMEM, and nothing is lost. */
static void unpack_out_of_memory(void **state, enum fail_site site)
{
    struct archive a = {0};
    int result = -ENOMEM;
    u64 k = 0;

    (void)state;
    make_good(&a);
    while (result) {
        files_world_open();
        fail_arm(site, ++k, false);
        result = ramfs_unpack(a.bytes, a.size);
        bool failed = fail_count(site) > 0;
        fail_disarm(site);
        assert_int_equal(result, failed ? -ENOMEM : 0);
        files_world_close();
    }
    assert_true(k > 3);
    archive_free(&a);
}

static void out_of_slabs(void **state)
{
    unpack_out_of_memory(state, FAIL_SLAB);
}

/* Damage anywhere: whatever the reader says, it says it without a fault, and the tree stays sound. */
static void random_damage(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 20260);
    for (unsigned round = 0; round < 3000; round++) {
        struct archive a = {0};
        files_world_open();
        make_good(&a);
        for (u64 n = 1 + rng_below(&rng, 4); n > 0; n--)
            a.bytes[rng_below(&rng, a.size)] = (u8)rng_next(&rng);
        u8 *exact = malloc(a.size);
        memcpy(exact, a.bytes, a.size);
        int result = ramfs_unpack(exact, a.size);
        assert_true(result == 0 || result == -EINVAL || result == -ENOSPC);
        free(exact);
        archive_free(&a);
        files_world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(a_good_archive_reads),  host_test(every_cut_is_refused),
        host_test(bad_headers_are_named), host_test(bad_names_are_refused),
        host_test(unpacked_it_is_a_tree), host_test(impossible_trees_leave_nothing),
        host_test(too_large_is_refused),  host_test(out_of_slabs),
        host_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
