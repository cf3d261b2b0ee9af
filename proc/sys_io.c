// SPDX-License-Identifier: MIT
/*
 * Moving bytes: read, write and their relatives. A file is held while it is used, because a sleeping read may outlive
 * its descriptor (another thread closes it). Counts are cut to IO_LIMIT before anything looks at them.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "proc/fd.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

#define IOV_LIMIT 1024u

struct iovec {
    u64 base, size;
};

static bool can_seek(const struct file *file)
{
    return file->inode && (inode_is(file->inode, S_IFREG) || inode_is(file->inode, S_IFDIR));
}

/* One run through the file's own function. */
static s64 transfer(struct file *file, struct io *io, u64 *offset, bool write)
{
    if (write ? !file_may_write(file) : !file_may_read(file))
        return -EBADF;
    s64 (*move)(struct file *, struct io *, u64 *) = write ? file->ops->write : file->ops->read;
    return move ? move(file, io, offset) : -EINVAL;
}

static s64 transfer_user(struct file *file, vaddr_t base, u64 size, u64 *offset, bool write)
{
    struct io io = {.base = base, .size = min_u64(size, IO_LIMIT), .user = true};

    if (!user_range_ok(base, io.size))
        return -EFAULT;
    return transfer(file, &io, offset, write);
}

static s64 read_write(int fd, vaddr_t base, u64 size, bool write)
{
    struct file *file = fd_get(fd);

    if (!file)
        return -EBADF;
    s64 n = transfer_user(file, base, size, &file->offset, write);
    file_put(file);
    return n;
}

static s64 sys_read(u64 fd, u64 buffer, u64 size, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return read_write((int)fd, buffer, size, false);
}
SYSCALL(read, 0, "dpu");

static s64 sys_write(u64 fd, u64 buffer, u64 size, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return read_write((int)fd, buffer, size, true);
}
SYSCALL(write, 1, "dbu");

static s64 at_offset(int fd, vaddr_t base, u64 size, u64 offset, bool write)
{
    struct file *file = fd_get(fd);
    s64 n = -ESPIPE;

    if (!file)
        return -EBADF;
    if ((s64)offset < 0)
        n = -EINVAL;
    else if (can_seek(file))
        n = transfer_user(file, base, size, &offset, write);
    file_put(file);
    return n;
}

static s64 sys_pread64(u64 fd, u64 buffer, u64 size, u64 offset, u64 e, u64 f)
{
    (void)e, (void)f;
    return at_offset((int)fd, buffer, size, offset, false);
}
SYSCALL(pread64, 17, "dpud");

static s64 sys_pwrite64(u64 fd, u64 buffer, u64 size, u64 offset, u64 e, u64 f)
{
    (void)e, (void)f;
    return at_offset((int)fd, buffer, size, offset, true);
}
SYSCALL(pwrite64, 18, "dbud");

/* The list itself, checked as a whole before the first byte moves: -EFAULT, -EINVAL (too many, or a negative size). */
static struct iovec *vector_from_user(vaddr_t address, u64 count, int *err)
{
    struct iovec *vector;

    *err = count > IOV_LIMIT ? -EINVAL : 0;
    if (*err || !count)
        return NULL;
    vector = kmalloc(count * sizeof(*vector), GFP_KERNEL);
    *err = vector ? get_user(vector, address, count * sizeof(*vector)) : -ENOMEM;
    for (u64 i = 0; !*err && i < count; i++)
        *err = (s64)vector[i].size < 0 ? -EINVAL : 0;
    if (!*err)
        return vector;
    kfree(vector);
    return NULL;
}

/* Piece after piece; the first that comes short is the last. */
static s64 transfer_vector(struct file *file, const struct iovec *vector, u64 count, u64 *offset,
                           bool write)
{
    u64 done = 0;

    for (u64 i = 0; i < count; i++) {
        if (!vector[i].size)
            continue;
        u64 size = min_u64(vector[i].size, IO_LIMIT - done);
        s64 n = size ? transfer_user(file, vector[i].base, size, offset, write) : 0;
        if (n < 0)
            return done ? (s64)done : n;
        done += (u64)n;
        if ((u64)n < vector[i].size)
            break;
    }
    return (s64)done;
}

/* at < 0: where the file stands. */
static s64 vector_call(int fd, vaddr_t address, u64 count, s64 at, bool write)
{
    int err;
    struct file *file = fd_get(fd);
    u64 offset = (u64)at;
    s64 n = -EBADF;

    if (!file)
        return n;
    struct iovec *vector = vector_from_user(address, (u32)count, &err);
    if (write ? file_may_write(file) : file_may_read(file))
        n = vector
                ? transfer_vector(file, vector, (u32)count, at < 0 ? &file->offset : &offset, write)
                : err;
    kfree(vector);
    file_put(file);
    return n;
}

static s64 sys_readv(u64 fd, u64 vector, u64 count, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return vector_call((int)fd, vector, count, -1, false);
}
SYSCALL(readv, 19, "dpd");

static s64 sys_writev(u64 fd, u64 vector, u64 count, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return vector_call((int)fd, vector, count, -1, true);
}
SYSCALL(writev, 20, "dpd");

static s64 vector_at(u64 fd, u64 vector, u64 count, u64 offset, bool write)
{
    struct file *file = fd_file((int)fd);

    if ((s64)offset < 0)
        return -EINVAL;
    if (file && !can_seek(file))
        return -ESPIPE;
    return vector_call((int)fd, vector, count, (s64)offset, write);
}

static s64 sys_preadv(u64 fd, u64 vector, u64 count, u64 offset, u64 e, u64 f)
{
    (void)e, (void)f;
    return vector_at(fd, vector, count, offset, false);
}
SYSCALL(preadv, 295, "dpdd");

static s64 sys_pwritev(u64 fd, u64 vector, u64 count, u64 offset, u64 e, u64 f)
{
    (void)e, (void)f;
    return vector_at(fd, vector, count, offset, true);
}
SYSCALL(pwritev, 296, "dpdd");

enum { WHENCE_SET, WHENCE_CUR, WHENCE_END };

static s64 new_offset(struct file *file, s64 offset, u32 whence)
{
    u64 base = 0;

    if (whence > WHENCE_END)
        return -EINVAL;
    if (whence == WHENCE_CUR)
        base = file->offset;
    else if (whence == WHENCE_END && inode_store(file->inode))
        base = pagestore_size(inode_store(file->inode));
    if (offset > 0 && base + (u64)offset > (u64)INT64_MAX)
        return -EINVAL;
    s64 result = (s64)base + offset;
    return result < 0 ? -EINVAL : result;
}

static s64 sys_lseek(u64 fd, u64 offset, u64 whence, u64 d, u64 e, u64 f)
{
    struct file *file = fd_file((int)fd);

    IGNORE3;
    if (!file)
        return -EBADF;
    if (!can_seek(file))
        return -ESPIPE;
    s64 at = new_offset(file, (s64)offset, (u32)whence);
    if (at >= 0)
        file->offset = (u64)at;
    return at;
}
SYSCALL(lseek, 8, "ddd");

/* One page at a time through the kernel: what was read and could not be written is read again next time. */
static s64 send_page(struct file *out, struct file *in, u64 *offset, u64 size, u8 *page)
{
    struct io from = {.base = (vaddr_t)page, .size = min_u64(size, PAGE_SIZE)};
    u64 start = *offset;
    s64 got = transfer(in, &from, offset, false);

    if (got <= 0)
        return got;
    struct io to = {.base = (vaddr_t)page, .size = (u64)got};
    s64 put = transfer(out, &to, &out->offset, true);
    *offset = start + (put > 0 ? (u64)put : 0);
    return put;
}

static s64 send_all(struct file *out, struct file *in, u64 *offset, u64 size)
{
    u8 *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
    u64 done = 0;
    s64 n = page ? 1 : -ENOMEM;

    while (n > 0 && done < size) {
        n = send_page(out, in, offset, size - done, page);
        done += n > 0 ? (u64)n : 0;
    }
    kfree(page);
    return done ? (s64)done : n;
}

static s64 send_between(struct file *out, struct file *in, vaddr_t where, u64 size)
{
    u64 offset = in->offset;
    int err = where ? get_user(&offset, where, sizeof(offset)) : 0;

    if (err)
        return err;
    if (!can_seek(in) || (s64)offset < 0)
        return -EINVAL;
    s64 n = send_all(out, in, &offset, min_u64(size, IO_LIMIT));
    if (!where)
        in->offset = offset;
    err = where ? put_user(where, &offset, sizeof(offset)) : 0;
    return err ? err : n;
}

static s64 sys_sendfile(u64 to, u64 from, u64 where, u64 size, u64 e, u64 f)
{
    struct file *in = fd_get((int)from), *out = fd_get((int)to);
    s64 n = -EBADF;

    (void)e, (void)f;
    if (in && out)
        n = send_between(out, in, where, size);
    file_put(in);
    file_put(out);
    return n;
}
SYSCALL(sendfile, 40, "ddpu");
