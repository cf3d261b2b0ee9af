// SPDX-License-Identifier: MIT
/*
 * The ramfs' names: directory entries, which stand in their directory's list in the order of their cookies (the
 * position that getdents64 goes on from) and, all directories together, in one hash table by directory and name.
 * R1: an entry is in the list of its directory and in the bucket of its name, once each.  R2: a directory without
 * parent has no entries, the root excepted.  Also I1-I3 (proc/inode.h). No lock there either.
 * Read next: proc/path.c (who looks names up).
 */
#include "lib/errno.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/ramfs_internal.h"

#define HASH_BITS 10
#define FIRST_COOKIE 2 /* 0 and 1 are "." and ".." */

static struct hash_bucket names[1u << HASH_BITS];
static u64 last_cookie = FIRST_COOKIE - 1;

/* Fowler, Noll and Vo's hash of the name, mixed with the directory's number. */
static struct hash_bucket *bucket_of(const struct inode *dir, const char *name, u32 length)
{
    u64 h = 0xcbf29ce484222325UL ^ dir->number;

    for (u32 i = 0; i < length; i++)
        h = (h ^ (u8)name[i]) * 0x100000001b3UL;
    return &names[hash_u64(h, HASH_BITS)];
}

struct dirent *ramfs_find(const struct inode *dir, const char *name, u32 length)
{
    struct hash_node *node = bucket_of(dir, name, length)->first;

    for (; node; node = node->next) {
        struct dirent *entry = hash_entry(node, struct dirent, hash);
        if (entry->dir == dir && entry->length == length && memcmp(entry->name, name, length) == 0)
            return entry;
    }
    return NULL;
}

struct inode *ramfs_lookup(struct inode *dir, const char *name, u32 length, int *err)
{
    struct dirent *entry = ramfs_find(dir, name, length);

    *err = entry ? 0 : -ENOENT;
    if (!entry)
        return NULL;
    inode_get(entry->inode);
    return entry->inode;
}

int ramfs_writable(const struct inode *dir)
{
    if (!inode_is(dir, S_IFDIR))
        return -ENOTDIR;
    if (dir->ops != &ramfs_ops)
        return -EPERM;
    return dir->parent || dir == ramfs_root() ? 0 : -ENOENT;
}

static void touch(struct inode *dir)
{
    dir->mtime = dir->ctime = files_now();
}

/* The inode goes by this name now; a directory also counts in its parent, as the ".." in it. */
static void adopt(struct dirent *entry)
{
    entry->inode->parent = entry->dir;
    entry->inode->label = entry->name;
    if (inode_is(entry->inode, S_IFDIR))
        entry->dir->links++;
}

/* A second name of an inode takes memory, too, so it counts as one more inode. */
static int add_name(struct inode *dir, const char *name, u32 length, struct inode *inode)
{
    struct dirent *entry = kzalloc(sizeof(*entry) + length + 1, GFP_KERNEL);
    if (!entry)
        return -ENOMEM;
    entry->dir = dir;
    entry->inode = inode;
    entry->length = length;
    entry->cookie = ++last_cookie;
    memcpy(entry->name, name, length);
    list_add_tail(&entry->link, &dir->entries);
    hash_add(&entry->hash, bucket_of(dir, name, length));
    inode_get(inode);
    ramfs_counts.inodes += inode->links != 0;
    inode->links += inode_is(inode, S_IFDIR) ? 2 : 1;
    adopt(entry);
    inode->ctime = files_now();
    touch(dir);
    return 0;
}

int ramfs_link(struct inode *dir, const char *name, u32 length, struct inode *inode)
{
    int err = ramfs_writable(dir);

    if (err)
        return err;
    if (length > FILE_NAME_MAX)
        return -ENAMETOOLONG;
    if (ramfs_find(dir, name, length))
        return -EEXIST;
    if (inode->links && ramfs_counts.inodes >= ramfs_counts.inode_limit)
        return -ENOSPC;
    return add_name(dir, name, length, inode);
}

static void entry_remove(struct dirent *entry)
{
    struct inode *inode = entry->inode, *dir = entry->dir;

    list_del(&entry->link);
    hash_del(&entry->hash);
    if (inode->label == entry->name) {
        inode->label = NULL;
        inode->parent = NULL;
    }
    if (inode_is(inode, S_IFDIR))
        dir->links--;
    inode->links -= inode_is(inode, S_IFDIR) ? 2 : 1;
    ramfs_counts.inodes -= inode->links != 0;
    inode->ctime = files_now();
    touch(dir);
    kfree(entry);
    inode_put(inode);
}

int ramfs_unlink(struct inode *dir, const char *name, u32 length)
{
    int err = ramfs_writable(dir);
    struct dirent *entry = err ? NULL : ramfs_find(dir, name, length);

    if (err)
        return err;
    if (!entry)
        return -ENOENT;
    if (inode_is(entry->inode, S_IFDIR))
        return -EISDIR;
    entry_remove(entry);
    return 0;
}

int ramfs_rmdir(struct inode *dir, const char *name, u32 length)
{
    int err = ramfs_writable(dir);
    struct dirent *entry = err ? NULL : ramfs_find(dir, name, length);

    if (err)
        return err;
    if (!entry)
        return -ENOENT;
    if (!inode_is(entry->inode, S_IFDIR))
        return -ENOTDIR;
    if (entry->inode->ops != &ramfs_ops)
        return -EBUSY;
    if (!list_empty(&entry->inode->entries))
        return -ENOTEMPTY;
    entry_remove(entry);
    return 0;
}

static bool is_below(const struct inode *inode, const struct inode *ancestor)
{
    for (; inode; inode = inode->parent)
        if (inode == ancestor)
            return true;
    return false;
}

/* May `moving` take the place of `there`? */
static int may_replace(const struct inode *moving, const struct inode *there, u32 flags)
{
    if (flags & RENAME_NOREPLACE)
        return -EEXIST;
    if (!inode_is(there, S_IFDIR))
        return inode_is(moving, S_IFDIR) ? -ENOTDIR : 0;
    if (!inode_is(moving, S_IFDIR))
        return -EISDIR;
    if (there->ops != &ramfs_ops)
        return -EBUSY;
    return list_empty(&there->entries) ? 0 : -ENOTEMPTY;
}

/* `there` steps aside by its hash and list place only, so that it can come back. */
static int move_entry(struct dirent *old, struct dirent *there, struct inode *to,
                      const char *new_name, u32 new_length)
{
    struct inode *inode = old->inode;

    if (there)
        hash_del(&there->hash);
    int err = add_name(to, new_name, new_length, inode);
    if (there)
        hash_add(&there->hash, bucket_of(to, new_name, new_length));
    if (err)
        return err;
    if (there)
        entry_remove(there);
    entry_remove(old);
    return 0;
}

/* The new name is made first, beside the old one: when there is no memory for it, nothing has changed. */
int ramfs_rename(struct inode *from, const char *name, u32 length, struct inode *to,
                 const char *new_name, u32 new_length, u32 flags)
{
    int err = ramfs_writable(from);

    if (new_length > FILE_NAME_MAX)
        return -ENAMETOOLONG;
    err = err ? err : ramfs_writable(to);
    struct dirent *old = err ? NULL : ramfs_find(from, name, length);
    struct dirent *there = old ? ramfs_find(to, new_name, new_length) : NULL;
    if (err || !old)
        return err ? err : -ENOENT;
    struct inode *inode = old->inode;
    if (there && there->inode == inode)
        return flags & RENAME_NOREPLACE ? -EEXIST : 0;
    if (inode->ops != &ramfs_ops)
        return -EBUSY;
    if (inode_is(inode, S_IFDIR) && is_below(to, inode))
        return -EINVAL;
    err = there ? may_replace(inode, there->inode, flags) : 0;
    return err ? err : move_entry(old, there, to, new_name, new_length);
}

/* Down to what is empty, and away with it. Without recursion: a program decides how deep the tree is. */
void ramfs_clear(void)
{
    struct inode *root = ramfs_root(), *dir = root;

    while (dir != root || !list_empty(&dir->entries)) {
        if (list_empty(&dir->entries)) {
            dir = dir->parent;
            continue;
        }
        struct dirent *entry = list_entry(dir->entries.next, struct dirent, link);
        struct inode *inode = entry->inode;
        if (inode_is(inode, S_IFDIR) && inode->ops == &ramfs_ops && !list_empty(&inode->entries))
            dir = inode;
        else
            entry_remove(entry);
    }
}
