// SPDX-License-Identifier: MIT
/*
 * badfiles: every system call about files, given what no program should: pointers to nowhere, to the kernel, to memory
 * of the wrong kind, across the end of what is mapped; descriptors that are none; paths and counts that are too long.
 * The wanted answers are Linux's: there, the program says the same. At the end it looks through what the structures of
 * successful calls brought along: an address of the kernel's in there would be a leak.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "lab.h"

#undef pread64 /* musl renames them; here they are names of system calls */
#undef pwrite64

#define BAD 0x7e57c0de7e57c0deL /* stands for the pointer under test */
#define ANY INT_MIN             /* any answer will do as long as there is one */

enum kind { PATH, IN, OUT, BULK_IN, BULK_OUT }; /* BULK: may stop half-way with a count */
enum { NULL_IS_FINE = 1 };

static int file, directory, reader, writer, nulls;
static long a_path, a_link, a_new, a_buffer;
static unsigned done, wrong;

/* errno or the result, as the kernel gives it: negative numbers are errors. */
static long call(long number, const long *a)
{
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result < 0 ? -errno : result;
}

static void expect(const char *name, const char *what, long got, long want)
{
    done++;
    if (got == want || want == ANY)
        return;
    wrong++;
    printf("WRONG %s, %s: %ld instead of %ld (%s)\n", name, what, got, want,
           strerror((int)(want < 0 ? -want : 0)));
}

/* ---- pointers ---------------------------------------------------------------------------------------- */

struct pointer {
    const char *what;
    long address;
};

static struct pointer nowhere[] = {
    {"1", 1},
    {"an unmapped page", 0x20000},
    {"the last page below the hole", 0x7ffffffff000},
    {"the first address of the hole", 0x800000000000},
    {"the last address of the hole", (long)0xffff7fffffffffff},
    {"the direct map", (long)0xffff888000000000},
    {"vmalloc space", (long)0xffffc90000000000},
    {"kernel text", (long)0xffffffff80200000},
    {"the last byte there is", -1},
    {"the last page there is", -4096},
    {"PROT_NONE", 0},
};
static long read_only, last_byte; /* the latter: mapped, and nothing behind it */

static void prepare_pointers(void)
{
    char *pages = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    memset(pages, 'x', 4 * PAGE);
    mprotect(pages, PAGE, PROT_NONE);
    mprotect(pages + PAGE, PAGE, PROT_READ);
    munmap(pages + 3 * PAGE, PAGE);
    nowhere[sizeof(nowhere) / sizeof(nowhere[0]) - 1].address = (long)pages;
    read_only = (long)pages + PAGE;
    last_byte = (long)pages + 3 * PAGE - 1;
}

static void try_pointer(const char *name, long number, const long *args,
                        const struct pointer *pointer, long want)
{
    long filled[6];

    for (int i = 0; i < 6; i++)
        filled[i] = args[i] == BAD ? pointer->address : args[i];
    expect(name, pointer->what, call(number, filled), want);
}

static void pointers(const char *name, long number, enum kind kind, unsigned flags, long a, long b,
                     long c, long d, long e)
{
    const long args[6] = {a, b, c, d, e, 0};

    if (!(flags & NULL_IS_FINE))
        try_pointer(name, number, args, &(struct pointer){"NULL", 0}, -EFAULT);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        try_pointer(name, number, args, &nowhere[i], -EFAULT);
    if (kind == OUT || kind == BULK_OUT)
        try_pointer(name, number, args, &(struct pointer){"read-only memory", read_only}, -EFAULT);
    long cut = kind == BULK_IN || kind == BULK_OUT ? ANY : -EFAULT;
    try_pointer(name, number, args, &(struct pointer){"the last byte of a page", last_byte}, cut);
}

#define POINTERS(name, kind, flags, ...) POINTERS_(name, kind, flags, __VA_ARGS__, 0, 0, 0, 0, 0)
#define POINTERS_(name, kind, flags, a, b, c, d, e, ...)                                           \
    pointers(#name, SYS_##name, kind, flags, a, b, c, d, e)

static void path_pointers(void)
{
    POINTERS(open, PATH, 0, BAD, O_RDONLY);
    POINTERS(openat, PATH, 0, AT_FDCWD, BAD, O_RDONLY);
    POINTERS(creat, PATH, 0, BAD, 0600);
    POINTERS(stat, PATH, 0, BAD, a_buffer);
    POINTERS(lstat, PATH, 0, BAD, a_buffer);
    POINTERS(newfstatat, PATH, 0, AT_FDCWD, BAD, a_buffer, 0);
    POINTERS(statx, PATH, 0, AT_FDCWD, BAD, 0, 0x7ff, a_buffer);
    POINTERS(access, PATH, 0, BAD, 0);
    POINTERS(faccessat, PATH, 0, AT_FDCWD, BAD, 0);
    POINTERS(mkdir, PATH, 0, BAD, 0700);
    POINTERS(mkdirat, PATH, 0, directory, BAD, 0700);
    POINTERS(mknod, PATH, 0, BAD, S_IFREG, 0);
    POINTERS(rmdir, PATH, 0, BAD);
    POINTERS(unlink, PATH, 0, BAD);
    POINTERS(unlinkat, PATH, 0, AT_FDCWD, BAD, 0);
    POINTERS(link, PATH, 0, BAD, a_new);
    POINTERS(link, PATH, 0, a_path, BAD);
    POINTERS(symlink, PATH, 0, BAD, a_new);
    POINTERS(symlink, PATH, 0, a_path, BAD);
    POINTERS(rename, PATH, 0, BAD, a_new);
    POINTERS(rename, PATH, 0, a_path, BAD);
    POINTERS(renameat2, PATH, 0, AT_FDCWD, BAD, AT_FDCWD, a_new, 0);
    POINTERS(readlink, PATH, 0, BAD, a_buffer, 100);
    POINTERS(truncate, PATH, 0, BAD, 0);
    POINTERS(chdir, PATH, 0, BAD);
    POINTERS(chmod, PATH, 0, BAD, 0600);
    POINTERS(chown, PATH, 0, BAD, -1, -1);
    POINTERS(statfs, PATH, 0, BAD, a_buffer);
}

static void structure_pointers(void)
{
    POINTERS(stat, OUT, 0, a_path, BAD);
    POINTERS(lstat, OUT, 0, a_path, BAD);
    POINTERS(fstat, OUT, 0, file, BAD);
    POINTERS(newfstatat, OUT, 0, AT_FDCWD, a_path, BAD, 0);
    POINTERS(statx, OUT, 0, AT_FDCWD, a_path, 0, 0x7ff, BAD);
    POINTERS(statfs, OUT, 0, a_path, BAD);
    POINTERS(fstatfs, OUT, 0, file, BAD);
    POINTERS(readlink, OUT, 0, a_link, BAD, 100);
    POINTERS(getcwd, OUT, 0, BAD, 4096);
    POINTERS(pipe, OUT, 0, BAD);
    POINTERS(pipe2, OUT, 0, BAD, O_CLOEXEC);
    POINTERS(poll, OUT, 0, BAD, 1, 0);
    POINTERS(ppoll, IN, NULL_IS_FINE, a_buffer, 0, BAD, 0, 0);
    POINTERS(select, IN, NULL_IS_FINE, 1, BAD, 0, 0, 0);
    POINTERS(utimensat, IN, NULL_IS_FINE, AT_FDCWD, a_path, BAD, 0);
    POINTERS(sendfile, OUT, NULL_IS_FINE, nulls, file, BAD, 10);
    POINTERS(readv, IN, 0, file, BAD, 1);
    POINTERS(writev, IN, 0, nulls, BAD, 1);
    POINTERS(ioctl, OUT, 0, reader, FIONREAD, BAD);
}

/* /dev/null takes anything without a look, on Linux, too: what is written goes to a file and a pipe. */
static void bulk_pointers(void)
{
    POINTERS(read, BULK_OUT, 0, file, BAD, 100);
    POINTERS(pread64, BULK_OUT, 0, file, BAD, 100, 0);
    POINTERS(write, BULK_IN, 0, file, BAD, 100);
    POINTERS(pwrite64, BULK_IN, 0, file, BAD, 100, 0);
    POINTERS(write, BULK_IN, 0, writer, BAD, 100);
    POINTERS(read, BULK_OUT, 0, reader, BAD, 1);
    POINTERS(getrandom, BULK_OUT, 0, BAD, 100, 0);
    lseek(directory, 0, SEEK_SET);
    POINTERS(getdents64, OUT, 0, directory, BAD, 4096);
}

/* ---- descriptors --------------------------------------------------------------------------------------- */

static void descriptors(void)
{
    static const long none[] = {-1, 999, 1 << 30, INT_MAX, INT_MIN};
    static const struct {
        const char *name;
        long number, b, c, d;
    } calls[] = {
        {"read", SYS_read, 0, 0, 0},
        {"write", SYS_write, 0, 0, 0},
        {"close", SYS_close, 0, 0, 0},
        {"fstat", SYS_fstat, 0, 0, 0},
        {"lseek", SYS_lseek, 0, 0, 0},
        {"ioctl", SYS_ioctl, FIONREAD, 0, 0},
        {"dup", SYS_dup, 0, 0, 0},
        {"dup2", SYS_dup2, 5, 0, 0},
        {"fcntl", SYS_fcntl, F_GETFD, 0, 0},
        {"fsync", SYS_fsync, 0, 0, 0},
        {"ftruncate", SYS_ftruncate, 0, 0, 0},
        {"getdents64", SYS_getdents64, 0, 0, 0},
        {"fchdir", SYS_fchdir, 0, 0, 0},
        {"fchmod", SYS_fchmod, 0, 0, 0},
        {"readv", SYS_readv, 0, 0, 0},
        {"pread64", SYS_pread64, 0, 0, 0},
        {"sendfile", SYS_sendfile, 0, 0, 0},
        {"fstatfs", SYS_fstatfs, 0, 0, 0},
    };
    char what[32];

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
            const long args[6] = {none[k], calls[i].b, calls[i].c, calls[i].d};
            snprintf(what, sizeof(what), "descriptor %ld", none[k]);
            expect(calls[i].name, what, call(calls[i].number, args), -EBADF);
        }
}

/* ---- one by one ------------------------------------------------------------------------------------------ */

#define CALL(want, name, ...)                                                                      \
    expect(#name, #__VA_ARGS__, call(SYS_##name, (const long[6]){__VA_ARGS__}), want)

static char long_name[300], long_path[5000];
#define S(text) ((long)(text))

static void paths(void)
{
    memset(long_name, 'n', sizeof(long_name) - 1);
    memset(long_path, '/', sizeof(long_path) - 1);
    CALL(-ENOENT, open, S(""), 0);
    CALL(-ENOENT, open, S("none"), 0);
    CALL(-ENOENT, open, S("none/x"), O_CREAT, 0600);
    CALL(-ENAMETOOLONG, open, S(long_name), 0);
    CALL(-ENAMETOOLONG, open, S(long_name), O_CREAT, 0600);
    CALL(-ENAMETOOLONG, open, S(long_path), 0);
    CALL(-ENAMETOOLONG, mkdir, S(long_name), 0700);
    CALL(-ENOTDIR, open, S("file/x"), 0);
    CALL(-ENOTDIR, open, S("file/"), 0);
    CALL(-ENOTDIR, open, S("file"), O_DIRECTORY);
    CALL(-EISDIR, open, S("."), O_WRONLY);
    CALL(-EISDIR, open, S("new/"), O_CREAT | O_WRONLY, 0600);
    CALL(-EEXIST, open, S("file"), O_CREAT | O_EXCL, 0600);
    CALL(-EEXIST, open, S("link"), O_CREAT | O_EXCL, 0600);
    CALL(-ELOOP, open, S("link"), O_NOFOLLOW);
    CALL(-ELOOP, open, S("loop"), 0);
    CALL(-ELOOP, stat, S("loop"), a_buffer);
    CALL(-ENOTDIR, openat, file, S("x"), 0);
    CALL(-EBADF, openat, -1, S("x"), 0);
    CALL(-EEXIST, mkdir, S("/"), 0700);
    CALL(-EEXIST, mkdir, S("file"), 0700);
    CALL(-EEXIST, symlink, S("x"), S("file"));
    CALL(-ENOENT, symlink, S(""), S("new"));
    CALL(-EEXIST, link, S("file"), S("link"));
    CALL(-EPERM, link, S("."), S("new"));
    CALL(-EISDIR, unlink, S("/"));
    CALL(-ENOTDIR, rmdir, S("file"));
    CALL(-EINVAL, rmdir, S("."));
    CALL(-ENOTEMPTY, rmdir, S(".."));
    CALL(-ENOENT, rmdir, S("none"));
    CALL(-EBUSY, rename, S("."), S("new"));
    CALL(-EINVAL, rename, S("sub"), S("sub/x"));
    CALL(-ENOTDIR, rename, S("sub"), S("file"));
    CALL(-EISDIR, rename, S("file"), S("sub"));
    CALL(-EEXIST, renameat2, AT_FDCWD, S("file"), AT_FDCWD, S("link"), 1);
    CALL(-EINVAL, renameat2, AT_FDCWD, S("file"), AT_FDCWD, S("link"), 64);
    CALL(-ENOTDIR, chdir, S("file"));
    CALL(-EINVAL, readlink, S("file"), a_buffer, 100);
    CALL(-EINVAL, readlink, S("link"), a_buffer, 0);
    CALL(-EINVAL, readlink, S("link"), a_buffer, -1);
    CALL(-ERANGE, getcwd, a_buffer, 1);
    CALL(-EISDIR, truncate, S("."), 0);
    CALL(-EINVAL, truncate, S("file"), -1);
    CALL(-EINVAL, unlinkat, AT_FDCWD, S("file"), 0x55);
    CALL(-EINVAL, newfstatat, AT_FDCWD, S("file"), a_buffer, 0x55);
    CALL(-EINVAL, faccessat2, AT_FDCWD, S("file"), 8, 0);
}

static struct iovec too_much[2] = {{NULL, LONG_MAX}, {NULL, 2}}, negative[1] = {{NULL, SIZE_MAX}};

static void counts(void)
{
    CALL(-EINVAL, lseek, file, -1, SEEK_SET);
    CALL(-EINVAL, lseek, file, 0, 77);
    CALL(-EINVAL, lseek, file, LONG_MAX, SEEK_END);
    CALL(-ESPIPE, lseek, reader, 0, SEEK_CUR);
    CALL(-ESPIPE, pread64, reader, a_buffer, 1, 0);
    CALL(-ESPIPE, pwrite64, writer, a_buffer, 1, 0);
    CALL(-EINVAL, pread64, file, a_buffer, 1, -1);
    CALL(-EBADF, write, reader, a_buffer, 1);
    CALL(-EBADF, read, writer, a_buffer, 1);
    CALL(-EISDIR, read, directory, a_buffer, 1);
    CALL(0, read, file, a_buffer, 0);
    CALL(-EINVAL, readv, file, a_buffer, 1025);
    CALL(-EINVAL, readv, file, a_buffer, -1);
    CALL(-EFAULT, writev, file, S(too_much), 2);
    CALL(-EINVAL, writev, file, S(negative), 1);
    CALL(0, readv, file, 0, 0);
    CALL(-EFAULT, read, file, a_buffer, -1);
    CALL(-EINVAL, dup3, file, file, 0);
    CALL(-EINVAL, dup3, file, 50, 1);
    CALL(-EBADF, dup2, file, -1);
    CALL(-EBADF, dup2, file, 1 << 20);
    CALL(-EINVAL, fcntl, file, F_DUPFD, -1);
    CALL(-EINVAL, fcntl, file, 999, 0);
    CALL(-EINVAL, pipe2, a_buffer, 1);
    CALL(-ENOTTY, ioctl, file, TIOCGWINSZ, a_buffer);
    CALL(-ENOTTY, ioctl, reader, TIOCGWINSZ, a_buffer);
    CALL(-EINVAL, ftruncate, file, -1);
    CALL(-EINVAL, getdents64, directory, a_buffer, 1);
    CALL(-ENOTDIR, getdents64, file, a_buffer, 100);
    CALL(-EINVAL, poll, a_buffer, UINT_MAX, 0);
    CALL(-EINVAL, select, -1, 0, 0, 0, 0);
    CALL(-EINVAL, sendfile, nulls, reader, 0, 1);
    CALL(-EAGAIN, read, reader, a_buffer, 1);
}

/* 64 KiB go into a pipe that nobody reads, and then nothing; a small write goes in whole or not at all. */
static void full_pipe(void)
{
    static char bytes[8192];
    long put = 0, n;

    while ((n = write(writer, bytes, sizeof(bytes))) > 0)
        put += n;
    expect("write", "until the pipe is full", put, 65536);
    CALL(-EAGAIN, write, writer, S(bytes), 1);
    CALL(100, read, reader, S(bytes), 100);
    CALL(-EAGAIN, write, writer, S(bytes), 101);
    struct pollfd set[2] = {{reader, POLLIN, 0}, {writer, POLLOUT, 0}};
    CALL(1, poll, S(set), 2, 0);
    expect("poll", "the reader's end", set[0].revents, POLLIN);
    while (read(reader, bytes, sizeof(bytes)) > 0)
        continue;
}

/* As many descriptors as there may be: EMFILE, and each can be closed again. */
static void all_descriptors(void)
{
    long fd, last = -1;

    while ((fd = dup(file)) >= 0)
        last = fd;
    expect("dup", "one too many", -errno, -EMFILE);
    CALL(-EMFILE, open, S("file"), 0);
    CALL(-EMFILE, pipe, a_buffer);
    for (fd = last; fd > nulls; fd--)
        close((int)fd);
}

/* ---- leaks ----------------------------------------------------------------------------------------------- */

static void scan(const char *name, const void *bytes, size_t size)
{
    for (size_t at = 0; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, (const char *)bytes + at, 8);
        expect(name, "an address of the kernel's in its structure",
               word >= 0xffff800000000000UL && word != UINT64_MAX ? (long)word : 0, 0);
    }
}

static void leaks(void)
{
    static const char *const paths_to_see[] = {"file", "link", "sub", "/dev/null", "/proc/self"};
    char *buffer = (char *)a_buffer;

    for (size_t i = 0; i < sizeof(paths_to_see) / sizeof(paths_to_see[0]); i++) {
        memset(buffer, 0, PAGE);
        CALL(0, stat, S(paths_to_see[i]), a_buffer);
        scan("stat", buffer, 256);
        CALL(0, statfs, S(paths_to_see[i]), a_buffer);
        scan("statfs", buffer, 256);
        CALL(0, statx, AT_FDCWD, S(paths_to_see[i]), 0, 0x7ff, a_buffer);
        scan("statx", buffer, 512);
    }
    lseek(directory, 0, SEEK_SET);
    memset(buffer, 0, PAGE);
    syscall(SYS_getdents64, directory, buffer, PAGE);
    scan("getdents64", buffer, PAGE);
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static char place[] = "/tmp/badfiles.XXXXXX";

static void prepare(void)
{
    int ends[2];

    if (!mkdtemp(place) || chdir(place) || mkdir("sub", 0700) || symlink("file", "link") ||
        symlink("loop", "loop") || pipe2(ends, O_NONBLOCK))
        die("a place to work in");
    reader = ends[0];
    writer = ends[1];
    file = open("file", O_RDWR | O_CREAT, 0600);
    directory = open(".", O_RDONLY | O_DIRECTORY);
    nulls = open("/dev/null", O_RDWR);
    a_buffer = (long)map_anonymous(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (ftruncate(file, 4096) || write(writer, "pipe", 4) != 4)
        die("a file and a pipe");
    a_path = S("file");
    a_link = S("link");
    a_new = S("new");
    prepare_pointers();
}

static void clean_up(void)
{
    unlink("file");
    unlink("link");
    unlink("loop");
    rmdir("sub");
    expect("rmdir", "the place is empty again", chdir("/") || rmdir(place) ? -errno : 0, 0);
}

int main(void)
{
    prepare();
    path_pointers();
    structure_pointers();
    bulk_pointers();
    descriptors();
    while (read(reader, (void *)a_buffer, PAGE) > 0)
        continue;
    paths();
    counts();
    full_pipe();
    all_descriptors();
    leaks();
    clean_up();
    printf("%u of %u calls answered as they have to\n", done - wrong, done);
    return wrong != 0;
}
