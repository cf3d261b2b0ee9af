// SPDX-License-Identifier: MIT
/*
 * What the system calls on files share: paths and structures from user memory, descriptors as starting points. In every
 * call the arguments are what a program likes to pass; nothing here trusts them.
 */
#ifndef PROC_SYS_FILE_H
#define PROC_SYS_FILE_H

#include "proc/path.h"

#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR 0x200u
#define AT_EACCESS 0x200u
#define AT_SYMLINK_FOLLOW 0x400u
#define AT_NO_AUTOMOUNT 0x800u
#define AT_EMPTY_PATH 0x1000u
#define IO_LIMIT 0x7ffff000UL /* bytes that one call moves at most, as in Linux */

#define IGNORE3 (void)d, (void)e, (void)f
#define IGNORE4 (void)c, IGNORE3
#define IGNORE5 (void)b, IGNORE4

/* A copy of a path from user memory, for kfree(). NULL and *err: -EFAULT, -ENAMETOOLONG, -ENOMEM. */
char *path_from_user(vaddr_t address, int *err);
/* Where the relative paths of an *at call begin, with a reference: the directory behind dirfd, or the current one. */
struct inode *start_from(int dirfd, const char *path, int *err);
/* As path_resolve() and path_walk(), from dirfd and user memory. AT_EMPTY_PATH in at_flags: "" names dirfd itself. */
int resolve_user(int dirfd, vaddr_t path, u32 flags, struct path_end *end);
struct inode *walk_user(int dirfd, vaddr_t path, u32 at_flags, bool follow, int *err);
/* Whole structures; -EFAULT or 0. */
int put_user(vaddr_t to, const void *from, u64 size);
int get_user(void *to, vaddr_t from, u64 size);
u32 current_umask(void);

#endif
