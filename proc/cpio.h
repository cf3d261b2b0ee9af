// SPDX-License-Identifier: MIT
/*
 * Reader of newc cpio archives, one entry after the other, for archives that nobody vouches for: everything is
 * checked against the archive's end before it is looked at. Pure: no state but the reader's, no allocation.
 *
 *   "070701" and 13 numbers of 8 hexadecimal digits   110 bytes, at a multiple of 4
 *   name with its NUL, padded to a multiple of 4       the last is "TRAILER!!!"
 *   content, padded to a multiple of 4                 a symbolic link's is its target
 */
#ifndef PROC_CPIO_H
#define PROC_CPIO_H

#include "lib/types.h"

struct cpio_reader {
    const u8 *bytes;
    u64 size;
    u64 at;            /* the next header */
    u64 header;        /* of the entry that was read last */
    const char *error; /* why the last call said -EINVAL */
};

struct cpio_entry {
    const char
        *name;       /* without leading "/" and "./"; not terminated at name_length, but by a NUL */
    u32 name_length; /* 0: the root itself */
    u32 mode, uid, gid, links, mtime;
    u64 file; /* device and inode number: entries with the same one are the same file */
    u64 rdev;
    const u8 *content;
    u64 size;
};

void cpio_open(struct cpio_reader *reader, const void *bytes, u64 size);
/* The next entry. 1; 0 at the trailer; -EINVAL with reader->header and ->error. */
int cpio_next(struct cpio_reader *reader, struct cpio_entry *entry);

#endif
