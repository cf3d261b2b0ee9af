// SPDX-License-Identifier: MIT
/* Changing what is known about a file: mode, owner, times, size. Owners are kept and ask for nothing: everybody is
 * root. In /proc nothing of this can be changed (-EPERM). */
#include "lib/errno.h"
#include "proc/fd.h"
#include "proc/ramfs.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

/* What a call does to one inode, in one function's arguments. */
struct change {
    u32 mode, uid, gid;
    u64 size, atime, mtime;
};
typedef int (*change_fn)(struct inode *inode, const struct change *change);

static int change_mode(struct inode *inode, const struct change *change)
{
    inode->mode = (inode->mode & S_IFMT) | (change->mode & S_PERMISSIONS);
    inode->ctime = files_now();
    return 0;
}

#define KEEP 0xffffffffu /* (uid_t)-1: as it is */

static int change_owner(struct inode *inode, const struct change *change)
{
    inode->uid = change->uid == KEEP ? inode->uid : change->uid;
    inode->gid = change->gid == KEEP ? inode->gid : change->gid;
    inode->ctime = files_now();
    return 0;
}

static int change_size(struct inode *inode, const struct change *change)
{
    if (inode_is(inode, S_IFDIR))
        return -EISDIR;
    return inode_is(inode, S_IFREG) ? ramfs_resize(inode, change->size) : -EINVAL;
}

#define OMIT UINT64_MAX

static int change_times(struct inode *inode, const struct change *change)
{
    inode->atime = change->atime == OMIT ? inode->atime : change->atime;
    inode->mtime = change->mtime == OMIT ? inode->mtime : change->mtime;
    inode->ctime = files_now();
    return 0;
}

static s64 apply(struct inode *inode, change_fn fn, const struct change *change, int err)
{
    if (!inode)
        return err;
    err = inode->virtual ? -EPERM : fn(inode, change);
    inode_put(inode);
    return err;
}

static s64 apply_at(int dirfd, vaddr_t path, u32 at_flags, change_fn fn,
                    const struct change *change)
{
    int err = 0;
    struct inode *inode;

    if (at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    inode = walk_user(dirfd, path, at_flags, !(at_flags & AT_SYMLINK_NOFOLLOW), &err);
    return apply(inode, fn, change, err);
}

static s64 apply_fd(int fd, change_fn fn, const struct change *change)
{
    struct file *file = fd_file(fd);

    if (!file || (file->flags & O_PATH))
        return -EBADF;
    if (!file->inode)
        return -EINVAL;
    inode_get(file->inode);
    return apply(file->inode, fn, change, 0);
}

static s64 sys_chmod(u64 path, u64 mode, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return apply_at(AT_FDCWD, path, 0, change_mode, &(struct change){.mode = (u32)mode});
}
SYSCALL(chmod, 90, "so");

static s64 sys_fchmod(u64 fd, u64 mode, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return apply_fd((int)fd, change_mode, &(struct change){.mode = (u32)mode});
}
SYSCALL(fchmod, 91, "do");

static s64 sys_fchmodat(u64 dirfd, u64 path, u64 mode, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return apply_at((int)dirfd, path, 0, change_mode, &(struct change){.mode = (u32)mode});
}
SYSCALL(fchmodat, 268, "aso");

static s64 chown_at(int dirfd, vaddr_t path, u64 uid, u64 gid, u32 flags)
{
    struct change change = {.uid = (u32)uid, .gid = (u32)gid};
    return apply_at(dirfd, path, flags, change_owner, &change);
}

static s64 sys_chown(u64 path, u64 uid, u64 gid, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return chown_at(AT_FDCWD, path, uid, gid, 0);
}
SYSCALL(chown, 92, "sdd");

static s64 sys_lchown(u64 path, u64 uid, u64 gid, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return chown_at(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
SYSCALL(lchown, 94, "sdd");

static s64 sys_fchown(u64 fd, u64 uid, u64 gid, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return apply_fd((int)fd, change_owner, &(struct change){.uid = (u32)uid, .gid = (u32)gid});
}
SYSCALL(fchown, 93, "ddd");

static s64 sys_fchownat(u64 dirfd, u64 path, u64 uid, u64 gid, u64 flags, u64 f)
{
    (void)f;
    return chown_at((int)dirfd, path, uid, gid, (u32)flags);
}
SYSCALL(fchownat, 260, "asddx");

static s64 sys_truncate(u64 path, u64 size, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    if ((s64)size < 0)
        return -EINVAL;
    return apply_at(AT_FDCWD, path, 0, change_size, &(struct change){.size = size});
}
SYSCALL(truncate, 76, "sd");

static s64 sys_ftruncate(u64 fd, u64 size, u64 c, u64 d, u64 e, u64 f)
{
    struct file *file = fd_file((int)fd);

    IGNORE4;
    if (!file)
        return -EBADF;
    if ((s64)size < 0 || !file_may_write(file) || !file->inode || !inode_is(file->inode, S_IFREG))
        return -EINVAL;
    return apply_fd((int)fd, change_size, &(struct change){.size = size});
}
SYSCALL(ftruncate, 77, "dd");

#define UTIME_NOW 0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL
#define NS_PER_SECOND 1000000000L

struct timespec {
    s64 seconds, nanoseconds;
};

/* 0 or -EINVAL. Times before 1970 become 1970: the counter has no sign. */
static int time_of(const struct timespec *t, u64 *out)
{
    if (t->nanoseconds == UTIME_NOW)
        *out = files_now();
    else if (t->nanoseconds == UTIME_OMIT)
        *out = OMIT;
    else if (t->nanoseconds < 0 || t->nanoseconds >= NS_PER_SECOND)
        return -EINVAL;
    else if (t->seconds < 0 || t->seconds > INT64_MAX / NS_PER_SECOND - 1)
        *out = 0;
    else
        *out = (u64)(t->seconds * NS_PER_SECOND + t->nanoseconds);
    return 0;
}

static int times_from_user(vaddr_t times, struct change *change)
{
    struct timespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    int err = times ? get_user(t, times, sizeof(t)) : 0;

    err = err ? err : time_of(&t[0], &change->atime);
    return err ? err : time_of(&t[1], &change->mtime);
}

static s64 sys_utimensat(u64 dirfd, u64 path, u64 times, u64 flags, u64 e, u64 f)
{
    struct change change = {0};
    int err = times_from_user(times, &change);

    (void)e, (void)f;
    if (err)
        return err;
    if (!path)
        return apply_fd((int)dirfd, change_times, &change);
    return apply_at((int)dirfd, path, (u32)flags, change_times, &change);
}
SYSCALL(utimensat, 280, "aspx");
