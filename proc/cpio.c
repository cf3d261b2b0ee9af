// SPDX-License-Identifier: MIT
/* The newc reader. Reference: cpio(5), "New ASCII Format". Fuzzed: tests/host/fuzz_cpio.c. */
#include "proc/cpio.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/inode.h"

#define HEADER_SIZE 110u
#define FIELDS 13u
#define FIELD_DIGITS 8u
#define MAGIC "070701"
#define MAGIC_SIZE 6u
#define TRAILER "TRAILER!!!"

enum field {
    FIELD_INODE,
    FIELD_MODE,
    FIELD_UID,
    FIELD_GID,
    FIELD_LINKS,
    FIELD_MTIME,
    FIELD_SIZE,
    FIELD_MAJOR,
    FIELD_MINOR,
    FIELD_RMAJOR,
    FIELD_RMINOR,
    FIELD_NAME_SIZE,
    FIELD_CHECK,
};

void cpio_open(struct cpio_reader *reader, const void *bytes, u64 size)
{
    *reader = (struct cpio_reader){.bytes = bytes, .size = size};
}

static int bad(struct cpio_reader *reader, const char *why)
{
    reader->error = why;
    return -EINVAL;
}

/* 0..15, or -1: both cases, because both are written. */
static int digit(u8 c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_fields(const u8 *text, u32 *fields)
{
    for (u32 f = 0; f < FIELDS; f++) {
        fields[f] = 0;
        for (u32 i = 0; i < FIELD_DIGITS; i++) {
            int value = digit(*text++);
            if (value < 0)
                return false;
            fields[f] = fields[f] << 4 | (u32)value;
        }
    }
    return true;
}

/* `size` bytes and their padding are taken; the padding may be missing at the very end. NULL: they are not there. */
static const u8 *take(struct cpio_reader *reader, u64 size)
{
    const u8 *start = reader->bytes + reader->at;

    if (size > reader->size - reader->at)
        return NULL;
    u64 end = (reader->at + size + 3) & ~3UL;
    reader->at = end < reader->size ? end : reader->size;
    return start;
}

static bool has_nul(const char *text, u64 length)
{
    return strnlen(text, length) < length;
}

static bool is_dots(const char *name, u32 length)
{
    return (length == 1 || length == 2) && name[0] == '.' && name[length - 1] == '.';
}

/* "." and ".." inside a path lead elsewhere, and a component has a longest length. */
static const char *name_error(const char *name, u32 length)
{
    for (u32 start = 0, end; length && start <= length; start = end + 1) {
        for (end = start; end < length && name[end] != '/';)
            end++;
        if (end == start)
            return "a name with an empty component";
        if (is_dots(name + start, end - start))
            return "a name that leaves its directory";
        if (end - start > FILE_NAME_MAX)
            return "a name that is too long";
    }
    return NULL;
}

static const char *read_name(struct cpio_entry *entry, const char *name, u32 size)
{
    u32 length = size - 1;

    if (name[length] != '\0' || has_nul(name, length))
        return "a name whose NUL is not its last byte";
    while (length && (name[0] == '/' || (name[0] == '.' && name[1] == '/'))) {
        length -= name[0] == '/' ? 1 : 2;
        name += name[0] == '/' ? 1 : 2;
    }
    if (length == 1 && name[0] == '.')
        length = 0;
    entry->name = name;
    entry->name_length = length;
    return name_error(name, length);
}

static const char *content_error(const struct cpio_entry *entry)
{
    switch (entry->mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFLNK:
        if (entry->size == 0 || entry->size >= PATH_LIMIT)
            return "a symbolic link with a target of that length";
        return has_nul((const char *)entry->content, entry->size)
                   ? "a symbolic link with a NUL in its target"
                   : NULL;
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        return entry->size ? "content where there can be none" : NULL;
    default:
        return "a file type that does not exist";
    }
}

static void read_fields(struct cpio_entry *entry, const u32 *fields)
{
    *entry = (struct cpio_entry){
        .mode = fields[FIELD_MODE],
        .uid = fields[FIELD_UID],
        .gid = fields[FIELD_GID],
        .links = fields[FIELD_LINKS],
        .mtime = fields[FIELD_MTIME],
        .size = fields[FIELD_SIZE],
        .file = (u64)(fields[FIELD_MAJOR] << 16 ^ fields[FIELD_MINOR]) << 32 | fields[FIELD_INODE],
        .rdev = DEVICE(fields[FIELD_RMAJOR] & 0xfff, fields[FIELD_RMINOR] & 0xff),
    };
}

/* 1. header  2. name  3. trailer?  4. content, each against what is left. */
int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry)
{
    u32 fields[FIELDS];
    u64 left = reader->size - reader->at;

    reader->header = reader->at;
    if (left < HEADER_SIZE)
        return bad(reader, left ? "a header that is cut off" : "no trailer at the end");
    const u8 *header = reader->bytes + reader->at;
    if (memcmp(header, MAGIC, MAGIC_SIZE) != 0)
        return bad(reader, "no header of a newc archive");
    if (!parse_fields(header + MAGIC_SIZE, fields))
        return bad(reader, "a header whose numbers are not hexadecimal");
    read_fields(entry, fields);
    u32 name_size = fields[FIELD_NAME_SIZE];
    if (name_size < 2 || name_size > PATH_LIMIT)
        return bad(reader, "a name of that length");
    header = take(reader, HEADER_SIZE + (u64)name_size);
    if (!header)
        return bad(reader, "a name that is cut off");
    const char *name = (const char *)header + HEADER_SIZE;
    if (name_size == sizeof(TRAILER) && memcmp(name, TRAILER, sizeof(TRAILER)) == 0)
        return 0;
    const char *error = read_name(entry, name, name_size);
    if (error)
        return bad(reader, error);
    entry->content = take(reader, entry->size);
    if (!entry->content)
        return bad(reader, "content that is cut off");
    error = content_error(entry);
    return error ? bad(reader, error) : 1;
}
