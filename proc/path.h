// SPDX-License-Identifier: MIT
/*
 * From a path to an inode. Pure: where to start is an argument.
 *
 *   component   what stands between slashes; "." and ".." are resolved here, not in the directories
 *   last        the component that the call is about: it may be missing, and may be a link that is not followed
 */
#ifndef PROC_PATH_H
#define PROC_PATH_H

#include "proc/inode.h"

#define PATH_MAX_LINKS 40u /* links followed in one walk: -ELOOP beyond, as in Linux */
#define PATH_FOLLOW 1u     /* a link as the last component is followed */

struct path_end {
    struct inode *dir;   /* where the last component stands; a reference */
    struct inode *inode; /* what it names, a reference; NULL: nothing yet */
    u32 length;          /* 0: the path ends in "/", "." or "..": inode == dir, there is no name */
    bool slash;          /* "name/": only a directory will do */
    char name[FILE_NAME_MAX + 1];
};

/* 0 or -errno (ENOENT for all but a missing last component, ENOTDIR, ELOOP, ENAMETOOLONG, ENOMEM): then nothing is
 * held. `start` is where relative paths begin. */
int path_resolve(struct inode *start, const char *path, u32 flags, struct path_end *end);
void path_release(struct path_end *end);

/* Where relative paths of the current process begin (the root, for the kernel shell); borrowed. */
struct inode *files_cwd(void);

/* What the path names, with a reference; NULL and *err. */
struct inode *path_walk(struct inode *start, const char *path, u32 flags, int *err);

#endif
