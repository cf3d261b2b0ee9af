// SPDX-License-Identifier: MIT
/* What the files of the ramfs share. Invariants and locks: proc/ramfs_names.c. */
#ifndef PROC_RAMFS_INTERNAL_H
#define PROC_RAMFS_INTERNAL_H

#include "lib/hash.h"
#include "lib/list.h"
#include "proc/ramfs.h"

struct dirent {
    struct hash_node hash;
    struct list_head link; /* dir->entries */
    struct inode *dir;     /* not counted: it cannot go before its entries */
    struct inode *inode;   /* counted */
    u64 cookie;            /* rises along the list */
    u32 length;
    char name[]; /* with a NUL */
};

extern struct ramfs_usage ramfs_counts;
extern const struct inode_ops ramfs_ops;

/* The entry, or NULL. */
struct dirent *ramfs_find(const struct inode *dir, const char *name, u32 length);
#endif
