// SPDX-License-Identifier: MIT
/*
 * A newc archive becomes files. It is read twice: the first time only to see that all of it is well formed, so that
 * most of what is wrong with an archive is known before anything was made of it. What is found wrong later (a file
 * where a directory should be) or a lack of memory takes everything away again.
 * Read next: proc/cpio.h (the format), proc/ramfs.h (what it becomes).
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/port.h"
#include "mm/slab.h"
#include "proc/cpio.h"
#include "proc/ramfs.h"

#define NS_PER_SECOND 1000000000UL

/* Files with several names: content comes with the last of them, the others name the same inode. */
struct twin {
    struct list_head link;
    u64 file;
    struct inode *inode;
};

struct unpacker {
    struct cpio_reader reader;
    struct list_head twins;
};

static int refuse(struct unpacker *u, const char *why)
{
    u->reader.error = why;
    return -EINVAL;
}

/* The directory in which the entry's last component belongs, with a reference; *name is that component. */
static struct inode *parent_of(const struct cpio_entry *entry, const char **name, u32 *length)
{
    struct inode *dir = ramfs_root();
    u32 start = 0;
    int err = 0;

    inode_get(dir);
    for (u32 at = 0; at < entry->name_length; at++) {
        if (entry->name[at] != '/')
            continue;
        struct inode *next =
            ramfs_writable(dir) ? NULL : ramfs_lookup(dir, entry->name + start, at - start, &err);
        inode_put(dir);
        if (!next)
            return NULL;
        dir = next;
        start = at + 1;
    }
    *name = entry->name + start;
    *length = entry->name_length - start;
    return dir;
}

static void set_attributes(struct inode *inode, const struct cpio_entry *entry)
{
    inode->mode = (inode->mode & S_IFMT) | (entry->mode & S_PERMISSIONS);
    inode->uid = entry->uid;
    inode->gid = entry->gid;
    inode->atime = inode->mtime = inode->ctime = entry->mtime * NS_PER_SECOND;
}

static struct inode *find_twin(const struct unpacker *u, u64 file)
{
    struct twin *twin;

    list_for_each_entry(twin, &u->twins, link)
        if (twin->file == file)
            return twin->inode;
    return NULL;
}

static int remember_twin(struct unpacker *u, u64 file, struct inode *inode)
{
    struct twin *twin = kmalloc(sizeof(*twin), GFP_KERNEL);

    if (!twin)
        return -ENOMEM;
    twin->file = file;
    twin->inode = inode;
    inode_get(inode);
    list_add(&twin->link, &u->twins);
    return 0;
}

/* An inode for the entry, with a reference: a new one, or the one that another name of it made. */
static struct inode *inode_for(struct unpacker *u, const struct cpio_entry *entry, int *err)
{
    bool shared = entry->links > 1 && (entry->mode & S_IFMT) == S_IFREG;
    struct inode *inode = shared ? find_twin(u, entry->file) : NULL;

    *err = 0;
    if (inode) {
        inode_get(inode);
        return inode;
    }
    if ((entry->mode & S_IFMT) == S_IFLNK)
        inode = ramfs_make_symlink((const char *)entry->content, entry->size, err);
    else
        inode = ramfs_make(entry->mode & (S_IFMT | S_PERMISSIONS), entry->rdev, err);
    if (inode && shared && (*err = remember_twin(u, entry->file, inode))) {
        inode_put(inode);
        return NULL;
    }
    return inode;
}

static int write_content(struct inode *inode, const struct cpio_entry *entry)
{
    struct io io = {.base = (vaddr_t)entry->content, .size = entry->size};

    if (!inode_is(inode, S_IFREG) || entry->size == 0)
        return 0;
    int err = ramfs_resize(inode, 0);
    s64 n = err ? err : ramfs_write(inode, 0, &io);
    if (n < 0)
        return (int)n;
    return (u64)n < entry->size ? -ENOSPC : 0;
}

/* What has the name already: a directory stays, when another comes; anything else gives way, as in Linux. */
static int make_way(struct unpacker *u, struct inode *dir, const char *name, u32 length,
                    const struct cpio_entry *entry, bool *stays)
{
    int err;
    struct inode *there = ramfs_lookup(dir, name, length, &err);

    *stays = false;
    if (!there)
        return 0;
    err = 0;
    if (!inode_is(there, S_IFDIR))
        err = ramfs_unlink(dir, name, length);
    else if ((entry->mode & S_IFMT) != S_IFDIR)
        err = refuse(u, "a file with the name of a directory");
    else
        *stays = true;
    if (*stays && ramfs_writable(there) == 0)
        set_attributes(there, entry);
    inode_put(there);
    return err;
}

static int place(struct unpacker *u, struct inode *dir, const char *name, u32 length,
                 const struct cpio_entry *entry)
{
    bool stays;
    int err = make_way(u, dir, name, length, entry, &stays);

    if (err || stays)
        return err;
    struct inode *inode = inode_for(u, entry, &err);
    if (!inode)
        return err;
    u64 mtime = dir->mtime;
    err = ramfs_link(dir, name, length, inode);
    dir->mtime = mtime; /* the archive has said what it is */
    if (!err)
        err = write_content(inode, entry);
    if (!err)
        set_attributes(inode, entry);
    inode_put(inode);
    return err;
}

static int unpack_entry(struct unpacker *u, const struct cpio_entry *entry)
{
    const char *name;
    u32 length;

    if (entry->name_length == 0) {
        if ((entry->mode & S_IFMT) != S_IFDIR)
            return refuse(u, "a root that is no directory");
        set_attributes(ramfs_root(), entry);
        return 0;
    }
    struct inode *dir = parent_of(entry, &name, &length);
    if (!dir)
        return refuse(u, "a name whose directory is not there");
    int err = ramfs_writable(dir) ? refuse(u, "a name in something that is no directory")
                                  : place(u, dir, name, length, entry);
    inode_put(dir);
    return err;
}

static int walk(struct unpacker *u, const void *archive, u64 size,
                int (*visit)(struct unpacker *u, const struct cpio_entry *entry))
{
    struct cpio_entry entry;
    int more;

    cpio_open(&u->reader, archive, size);
    while ((more = cpio_next(&u->reader, &entry)) > 0) {
        int err = visit ? visit(u, &entry) : 0;
        if (err)
            return err;
    }
    return more;
}

static void forget_twins(struct unpacker *u)
{
    struct twin *twin, *next;

    list_for_each_entry_safe(twin, next, &u->twins, link) {
        list_del(&twin->link);
        inode_put(twin->inode);
        kfree(twin);
    }
}

int ramfs_unpack(const void *archive, u64 size)
{
    struct unpacker u;

    if (!ramfs_root())
        return -ENOMEM; /* there was not even enough for a root */
    list_init(&u.twins);
    int err = walk(&u, archive, size, NULL);
    if (!err) {
        err = walk(&u, archive, size, unpack_entry);
        forget_twins(&u);
        if (err) {
            ramfs_clear();
            files_populate();
        }
    }
    if (err == -EINVAL)
        port_warn("root file system: at offset %lu of the archive is %s", u.reader.header,
                  u.reader.error);
    else if (err)
        port_warn("root file system: no room for what is at offset %lu of the archive (%s)",
                  u.reader.header, errno_name(err));
    return err;
}
