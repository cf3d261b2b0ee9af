// SPDX-License-Identifier: MIT
/*
 * The ramfs: its inodes, what can be done with them, and the limits on how many there are and how much is in them.
 * Invariants: I1-I3 (proc/inode.h), R1, R2 (proc/ramfs_names.c); ramfs_counts is the sum over all inodes and names.
 * Read next: proc/ramfs_names.c (directories), proc/ramfs_file.c (content).
 */
#include "proc/ramfs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "proc/ramfs_internal.h"

#define LONG_TARGET 128 /* bytes from which on a link's target counts as a page */

static struct inode *root;
struct ramfs_usage ramfs_counts;

static void dir_iterate(struct inode *dir, u64 position, struct dir_sink *sink)
{
    struct dirent *entry;

    list_for_each_entry(entry, &dir->entries, link) {
        if (entry->cookie >= position &&
            !sink->take(sink, entry->name, entry->length, entry->inode->number, entry->inode->mode,
                        entry->cookie + 1))
            return;
    }
}

static s64 link_read(struct inode *link, char *out, u64 size)
{
    u64 length = strlen(link->target);

    length = length < size ? length : size;
    memcpy(out, link->target, length);
    return (s64)length;
}

static int ramfs_open(struct inode *inode, struct file *file)
{
    const struct device *device;

    switch (inode->mode & S_IFMT) {
    case S_IFREG:
        file->ops = &ramfs_file_ops;
        return 0;
    case S_IFDIR:
        file->ops = &ramfs_dir_ops;
        return 0;
    case S_IFCHR:
        device = device_find(inode->rdev);
        file->ops = device ? device->ops : NULL;
        return device ? 0 : -ENXIO;
    default:
        return -ENXIO;
    }
}

static void ramfs_release(struct inode *inode)
{
    ramfs_counts.pages -= inode->charged;
    if (inode_is(inode, S_IFREG)) {
        pagestore_put(inode->store);
    } else if (inode_is(inode, S_IFLNK)) {
        kfree(inode->target);
    } else if (inode_is(inode, S_IFDIR)) {
        ASSERT(list_empty(&inode->entries), "R2: directory %lu goes with entries in it",
               inode->number);
    }
    ramfs_counts.inodes--;
    kfree(inode);
}

const struct inode_ops ramfs_ops = {
    .name = "ramfs",
    .lookup = ramfs_lookup,
    .iterate = dir_iterate,
    .readlink = link_read,
    .open = ramfs_open,
    .release = ramfs_release,
};

struct inode *ramfs_make(u32 mode, u64 rdev, int *err)
{
    if (ramfs_counts.inodes >= ramfs_counts.inode_limit) {
        *err = -ENOSPC;
        return NULL;
    }
    struct inode *inode = inode_new(&ramfs_ops, mode);
    *err = -ENOMEM;
    if (!inode)
        return NULL;
    inode->rdev = rdev;
    if (inode_is(inode, S_IFDIR))
        list_init(&inode->entries);
    if (inode_is(inode, S_IFREG) && !(inode->store = pagestore_create())) {
        kfree(inode);
        return NULL;
    }
    ramfs_counts.inodes++;
    *err = 0;
    return inode;
}

struct inode *ramfs_make_symlink(const char *target, u64 length, int *err)
{
    u64 pages = length >= LONG_TARGET;
    struct inode *inode;

    *err = -ENOSPC;
    if (pages && ramfs_counts.pages >= ramfs_counts.page_limit)
        return NULL;
    char *copy = kmalloc(length + 1, GFP_KERNEL);
    *err = -ENOMEM;
    if (!copy)
        return NULL;
    inode = ramfs_make(S_IFLNK | 0777, 0, err);
    if (!inode) {
        kfree(copy);
        return NULL;
    }
    memcpy(copy, target, length);
    copy[length] = '\0';
    inode->target = copy;
    inode->charged = pages;
    ramfs_counts.pages += pages;
    return inode;
}

int ramfs_init(u64 page_limit, u64 inode_limit)
{
    int err;

    ramfs_counts = (struct ramfs_usage){.page_limit = page_limit, .inode_limit = inode_limit};
    root = ramfs_make(S_IFDIR | 0755, 0, &err);
    if (!root)
        return err;
    root->links = 2;
    return 0;
}

void ramfs_destroy(void)
{
    ramfs_clear();
    inode_put(root);
    root = NULL;
}

struct inode *ramfs_root(void)
{
    return root;
}

struct ramfs_usage ramfs_usage(void)
{
    return ramfs_counts;
}
