// SPDX-License-Identifier: MIT
/*
 * Content of regular files. Bytes go through one page of the kernel's between user memory and the store: copied once,
 * so that a program that changes its buffer meanwhile gets what it deserves and no more. Each page that a write may
 * add is counted against the limit before; pages that a shared mapping brought are found by the next count.
 * Read next: mm/pagestore.h.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "proc/ramfs_internal.h"

#define SIZE_LIMIT ((1UL << 63) - PAGE_SIZE) /* an offset is signed */

static void recount(struct inode *inode)
{
    u64 now = pagestore_pages(inode->store);

    ramfs_counts.pages += now - inode->charged;
    inode->charged = now;
}

/* Bytes of [offset, offset + size) that lie in one page. */
static u64 in_page(u64 offset, u64 size)
{
    return min_u64(size, PAGE_SIZE - offset % PAGE_SIZE);
}

static s64 read_part(struct inode *inode, u64 offset, struct io *io, u8 *page)
{
    u64 size = pagestore_size(inode->store);

    if (offset >= size)
        return 0;
    u64 n = min_u64(in_page(offset, io->size - io->done), size - offset);
    s64 got = pagestore_read(inode->store, offset, page, n);
    return got <= 0 ? got : io_put(io, page, (u64)got);
}

static s64 write_part(struct inode *inode, u64 offset, struct io *io, u8 *page)
{
    u64 n = in_page(offset, io->size - io->done);
    bool there = pagestore_page(inode->store, offset / PAGE_SIZE, false) != NULL;

    if (!there && ramfs_counts.pages >= ramfs_counts.page_limit)
        return -ENOSPC;
    s64 got = io_get(io, page, n);
    if (got <= 0)
        return got;
    s64 put = pagestore_write(inode->store, offset, page, (u64)got);
    if (put < got) /* what was taken from the caller's buffer and not kept was not written */
        io->done -= (u64)got - (put > 0 ? (u64)put : 0);
    recount(inode);
    return put;
}

/* Part after part until one comes short; its error counts only when nothing was moved before. */
static s64 move(struct inode *inode, u64 offset, struct io *io,
                s64 (*part)(struct inode *inode, u64 offset, struct io *io, u8 *page))
{
    u64 start = io->done;
    s64 n = 1;
    u8 *page;

    if (io->done == io->size)
        return 0;
    page = kmalloc(PAGE_SIZE, GFP_KERNEL);
    if (!page)
        return -ENOMEM;
    while (n > 0 && io->done < io->size)
        n = part(inode, offset + (io->done - start), io, page);
    kfree(page);
    return io->done > start ? (s64)(io->done - start) : n;
}

s64 ramfs_read(struct inode *inode, u64 offset, struct io *io)
{
    inode->atime = files_now();
    return move(inode, offset, io, read_part);
}

s64 ramfs_write(struct inode *inode, u64 offset, struct io *io)
{
    u64 left = io->size - io->done;

    if (offset >= SIZE_LIMIT || left > SIZE_LIMIT - offset)
        return -EFBIG;
    s64 n = move(inode, offset, io, write_part);
    if (n > 0)
        inode->mtime = inode->ctime = files_now();
    return n;
}

int ramfs_resize(struct inode *inode, u64 size)
{
    if (size >= SIZE_LIMIT)
        return -EFBIG;
    int err = pagestore_resize(inode->store, size);
    recount(inode);
    if (!err)
        inode->mtime = inode->ctime = files_now();
    return err;
}

static s64 file_read(struct file *file, struct io *io, u64 *offset)
{
    s64 n = ramfs_read(file->inode, *offset, io);

    if (n > 0)
        *offset += (u64)n;
    return n;
}

static s64 file_write(struct file *file, struct io *io, u64 *offset)
{
    if (file->flags & O_APPEND)
        *offset = pagestore_size(file->inode->store);
    s64 n = ramfs_write(file->inode, *offset, io);
    if (n > 0)
        *offset += (u64)n;
    return n;
}

static u32 always_ready(struct file *file)
{
    (void)file;
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

const struct file_ops ramfs_file_ops = {
    .name = "file",
    .read = file_read,
    .write = file_write,
    .poll = always_ready,
};

static s64 dir_read(struct file *file, struct io *io, u64 *offset)
{
    (void)file, (void)io, (void)offset;
    return -EISDIR;
}

const struct file_ops ramfs_dir_ops = {
    .name = "directory",
    .read = dir_read,
    .poll = always_ready,
};
