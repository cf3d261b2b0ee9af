// SPDX-License-Identifier: MIT
/*
 * Openings: struct file, counted by descriptors and by the calls that use one. The queue that poll() sleeps on is one
 * for all files: whoever becomes ready wakes everybody, and each looks again. With a dozen programs that is cheaper
 * than a list of waiters for each file, and there is nothing to get wrong.
 */
#include "proc/file.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/ramfs.h"

static struct wait_queue poll_queue = WAIT_QUEUE_INIT(poll_queue);

struct wait_queue *files_poll_queue(void)
{
    return &poll_queue;
}

void files_wake(struct wait_queue *queue)
{
    wake_all(queue);
    wake_all(&poll_queue);
}

struct file *file_new(const struct file_ops *ops, struct inode *inode, u32 flags)
{
    struct file *file = kzalloc(sizeof(*file), GFP_KERNEL);

    if (!file)
        return NULL;
    file->ops = ops;
    file->refs = 1;
    file->flags = flags & ~O_CLOEXEC;
    file->inode = inode;
    if (inode)
        inode_get(inode);
    return file;
}

void file_get(struct file *file)
{
    ASSERT(file->refs > 0, "file %p is taken with %u references", (void *)file, file->refs);
    file->refs++;
}

void file_put(struct file *file)
{
    if (!file)
        return;
    ASSERT(file->refs > 0, "file %p is put with %u references", (void *)file, file->refs);
    if (--file->refs)
        return;
    if (file->ops && file->ops->release)
        file->ops->release(file);
    inode_put(file->inode);
    kfree(file);
}

bool file_may_read(const struct file *file)
{
    return (file->flags & O_ACCMODE) != O_WRONLY && !(file->flags & O_PATH);
}

bool file_may_write(const struct file *file)
{
    return (file->flags & O_ACCMODE) != O_RDONLY && !(file->flags & O_PATH);
}

static s64 no_content(struct file *file, struct io *io, u64 *offset)
{
    (void)file, (void)io, (void)offset;
    return -EBADF;
}

/* O_PATH: a place in the tree, for fstat and the *at calls, without anything behind it. */
static const struct file_ops path_ops = {.name = "path", .read = no_content, .write = no_content};

static int open_error(const struct inode *inode, u32 flags)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;

    if (inode_is(inode, S_IFLNK) && !(flags & O_PATH))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && !inode_is(inode, S_IFDIR))
        return -ENOTDIR;
    if (inode_is(inode, S_IFDIR) && (writes || (flags & O_CREAT)) && !(flags & O_PATH))
        return -EISDIR;
    return 0;
}

struct file *file_open(struct inode *inode, u32 flags, int *err)
{
    struct file *file;

    *err = open_error(inode, flags);
    if (*err)
        return NULL;
    file = file_new(flags & O_PATH ? &path_ops : NULL, inode, flags);
    *err = -ENOMEM;
    if (!file)
        return NULL;
    *err = flags & O_PATH ? 0 : inode->ops->open(inode, file);
    if (!*err && (flags & O_TRUNC) && inode_store(inode) && file_may_write(file))
        *err = ramfs_resize(inode, 0);
    if (!*err)
        return file;
    file_put(file);
    return NULL;
}
