// SPDX-License-Identifier: MIT
/* What the files of the ramfs share. Invariants and locks: proc/ramfs.c. */
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

/* The entry, or NULL. */
struct dirent *ramfs_find(const struct inode *dir, const char *name, u32 length);
/* Give an entry another name, in the place of `there` if that is not NULL. 0, -ENOMEM: nothing has changed. */
int ramfs_move(struct dirent *old, struct dirent *there, struct inode *to, const char *new_name,
               u32 new_length);

#endif
