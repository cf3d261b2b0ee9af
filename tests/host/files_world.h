// SPDX-License-Identifier: MIT
/*
 * The world that the pure half of proc/ (ramfs, cpio, paths) runs in on the host: a small memory, a root file system in
 * it, and user memory that is the test's own, up to a border behind which every copy fails.
 */
#ifndef TESTS_HOST_FILES_WORLD_H
#define TESTS_HOST_FILES_WORLD_H

#include "proc/ramfs.h"

#define FILES_PAGE_LIMIT 64u
#define FILES_INODE_LIMIT 200u

/* A fresh root, files_populate()d: /dev, /dev/null, /tmp. */
void files_world_open(void);
/* Everything is taken away and must be back where it came from. */
void files_world_close(void);
/* Copies from and to addresses at or above this fail, byte-exactly. 0: none does. */
void files_world_user_border(vaddr_t border);

/* An archive under construction, newc. */
struct archive {
    u8 *bytes;
    u64 size, capacity;
    u32 next_file;
};
struct archive_entry {
    const char *name;
    u32 mode;
    const char *content; /* NULL: none */
    u64 size;            /* of the content; 0: strlen */
    u32 links, file;     /* 0: 1, and a number of its own */
    u32 rdev_major, rdev_minor;
};
void archive_add(struct archive *archive, const struct archive_entry *entry);
void archive_end(struct archive *archive);
void archive_free(struct archive *archive);

#endif
