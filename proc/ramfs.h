// SPDX-License-Identifier: MIT
/*
 * The root file system: directories, files, links and device nodes in memory. Content is in a pagestore for each file,
 * so that mmap shows the same pages. Limits as tmpfs has them: pages of content, and inodes and further names (-ENOSPC).
 * All calls in task context, no lock (proc/inode.h).
 */
#ifndef PROC_RAMFS_H
#define PROC_RAMFS_H

#include "proc/inode.h"

struct ramfs_usage {
    u64 pages, page_limit, inodes, inode_limit;
};

/* The empty root. Once (tests: again after ramfs_destroy). 0 or -ENOMEM. */
int ramfs_init(u64 page_limit, u64 inode_limit);
struct inode *ramfs_root(void); /* borrowed */
/* Take every name out of the tree below the root; what is open lives on until it is closed. */
void ramfs_clear(void);
void ramfs_destroy(void);
struct ramfs_usage ramfs_usage(void);

/* A new inode without a name; mode with its type. NULL and *err: -ENOMEM, -ENOSPC. */
struct inode *ramfs_make(u32 mode, u64 rdev, int *err);
struct inode *ramfs_make_symlink(const char *target, u64 length, int *err);

/* Name an inode / take a name away / move one. 0 or -errno as link(2), unlink(2), rmdir(2), rename(2) say. */
int ramfs_link(struct inode *dir, const char *name, u32 length, struct inode *inode);
int ramfs_unlink(struct inode *dir, const char *name, u32 length);
int ramfs_rmdir(struct inode *dir, const char *name, u32 length);
#define RENAME_NOREPLACE 1u
int ramfs_rename(struct inode *from, const char *name, u32 length, struct inode *to,
                 const char *new_name, u32 new_length, u32 flags);
/* Can names be made in it? 0, -ENOTDIR, -EPERM (/proc), -ENOENT (removed). */
int ramfs_writable(const struct inode *dir);
struct inode *ramfs_lookup(struct inode *dir, const char *name, u32 length, int *err);

/* Content of a regular file. Bytes or -errno (-ENOSPC, -EFBIG). */
s64 ramfs_read(struct inode *inode, u64 offset, struct io *io);
s64 ramfs_write(struct inode *inode, u64 offset, struct io *io);
int ramfs_resize(struct inode *inode, u64 size);
extern const struct file_ops ramfs_file_ops, ramfs_dir_ops;

/* /dev, /proc, /tmp and what is in them: after ramfs_init() and after a clear. The kernel's is in proc/files.c. */
int files_populate(void);
/* NULL, or the first broken invariant as a sentence. */
const char *ramfs_check(void);

#endif
