// SPDX-License-Identifier: MIT
/* What there is to know about a file: stat in its four forms, statx, access, statfs. Structures are Linux's for x86-64;
 * each is zeroed first, so that no hole carries anything of the kernel's to a program. */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "proc/fd.h"
#include "proc/ramfs.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

#define NS_PER_SECOND 1000000000UL
#define SECTOR 512u
#define DEVICE_ROOT DEVICE(0, 1)
#define DEVICE_PROC DEVICE(0, 2)

struct stat_time {
    u64 seconds, nanoseconds;
};

struct stat {
    u64 device, number, links;
    u32 mode, uid, gid, hole;
    u64 rdev, size, block_size, blocks;
    struct stat_time atime, mtime, ctime;
    u64 reserved[3];
};
_Static_assert(sizeof(struct stat) == 144, "struct stat is Linux's");

static struct stat_time split(u64 ns)
{
    return (struct stat_time){ns / NS_PER_SECOND, ns % NS_PER_SECOND};
}

static u64 size_of(struct inode *inode)
{
    if (inode_store(inode))
        return pagestore_size(inode_store(inode));
    return inode_is(inode, S_IFLNK) && !inode->virtual ? strlen(inode->target) : 0;
}

static void fill_stat(struct inode *inode, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    out->device = inode->virtual ? DEVICE_PROC : DEVICE_ROOT;
    out->number = inode->number;
    out->links = inode->links;
    out->mode = inode->mode;
    out->uid = inode->uid;
    out->gid = inode->gid;
    out->rdev = inode->rdev;
    out->size = size_of(inode);
    out->block_size = PAGE_SIZE;
    out->blocks =
        inode_store(inode) ? pagestore_pages(inode_store(inode)) * (PAGE_SIZE / SECTOR) : 0;
    out->atime = split(inode->atime);
    out->mtime = split(inode->mtime);
    out->ctime = split(inode->ctime);
}

static s64 stat_to(struct inode *inode, vaddr_t to, int err)
{
    struct stat stat;

    if (!inode)
        return err;
    fill_stat(inode, &stat);
    inode_put(inode);
    return put_user(to, &stat, sizeof(stat));
}

/* The inode behind a descriptor, with a reference. */
static struct inode *inode_of(int fd, int *err)
{
    struct file *file = fd_file(fd);

    *err = -EBADF;
    if (!file || !file->inode)
        return NULL;
    *err = 0;
    inode_get(file->inode);
    return file->inode;
}

static s64 sys_stat(u64 path, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE4;
    struct inode *inode = walk_user(AT_FDCWD, path, 0, true, &err);
    return stat_to(inode, to, err);
}
SYSCALL(stat, 4, "sp");

static s64 sys_lstat(u64 path, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE4;
    struct inode *inode = walk_user(AT_FDCWD, path, 0, false, &err);
    return stat_to(inode, to, err);
}
SYSCALL(lstat, 6, "sp");

static s64 sys_fstat(u64 fd, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE4;
    struct inode *inode = inode_of((int)fd, &err);
    return stat_to(inode, to, err);
}
SYSCALL(fstat, 5, "dp");

/* The empty path with AT_EMPTY_PATH is the descriptor's own file, whatever it is. */
static struct inode *inode_at(int dirfd, vaddr_t path, u32 flags, int *err)
{
    char first;

    *err = -EINVAL;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | 0x6000u))
        return NULL;
    if ((flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD && !get_user(&first, path, 1) && !first)
        return inode_of(dirfd, err);
    return walk_user(dirfd, path, flags, !(flags & AT_SYMLINK_NOFOLLOW), err);
}

static s64 sys_newfstatat(u64 dirfd, u64 path, u64 to, u64 flags, u64 e, u64 f)
{
    int err = 0;

    (void)e, (void)f;
    struct inode *inode = inode_at((int)dirfd, path, (u32)flags, &err);
    return stat_to(inode, to, err);
}
SYSCALL(newfstatat, 262, "aspx");

struct statx_time {
    s64 seconds;
    u32 nanoseconds;
    s32 hole;
};

struct statx {
    u32 mask, block_size;
    u64 attributes;
    u32 links, uid, gid;
    u16 mode, hole;
    u64 number, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    u32 rdev_major, rdev_minor, major, minor;
    u64 reserved[14];
};
_Static_assert(sizeof(struct statx) == 256, "struct statx is Linux's");
#define STATX_BASIC 0x7ffu

static struct statx_time split_x(struct stat_time time)
{
    return (struct statx_time){(s64)time.seconds, (u32)time.nanoseconds, 0};
}

static s64 sys_statx(u64 dirfd, u64 path, u64 flags, u64 mask, u64 to, u64 f)
{
    int err = 0;
    struct stat stat;
    struct statx x;

    (void)mask, (void)f;
    struct inode *inode = inode_at((int)dirfd, path, (u32)flags, &err);
    if (!inode)
        return err;
    fill_stat(inode, &stat);
    inode_put(inode);
    memset(&x, 0, sizeof(x));
    x.mask = STATX_BASIC;
    x.block_size = PAGE_SIZE;
    x.links = (u32)stat.links;
    x.uid = stat.uid;
    x.gid = stat.gid;
    x.mode = (u16)stat.mode;
    x.number = stat.number;
    x.size = stat.size;
    x.blocks = stat.blocks;
    x.atime = split_x(stat.atime);
    x.mtime = split_x(stat.mtime);
    x.ctime = split_x(stat.ctime);
    x.rdev_major = (u32)(stat.rdev >> 8);
    x.rdev_minor = stat.rdev & 0xff;
    x.minor = stat.device & 0xff;
    return put_user(to, &x, sizeof(x));
}
SYSCALL(statx, 332, "asxxp");

#define X_OK 1u
#define ACCESS_ALL 7u

/* Everybody is root: only what nobody may execute is refused. */
static s64 check_access(int dirfd, vaddr_t path, u32 wanted, u32 flags)
{
    int err;

    if ((wanted & ~ACCESS_ALL) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    struct inode *inode = walk_user(dirfd, path, flags, !(flags & AT_SYMLINK_NOFOLLOW), &err);
    if (!inode)
        return err;
    bool refused = (wanted & X_OK) && inode_is(inode, S_IFREG) && !(inode->mode & 0111);
    inode_put(inode);
    return refused ? -EACCES : 0;
}

static s64 sys_access(u64 path, u64 mode, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return check_access(AT_FDCWD, path, (u32)mode, 0);
}
SYSCALL(access, 21, "sx");

static s64 sys_faccessat(u64 dirfd, u64 path, u64 mode, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return check_access((int)dirfd, path, (u32)mode, 0);
}
SYSCALL(faccessat, 269, "asx");

static s64 sys_faccessat2(u64 dirfd, u64 path, u64 mode, u64 flags, u64 e, u64 f)
{
    (void)e, (void)f;
    return check_access((int)dirfd, path, (u32)mode, (u32)flags);
}
SYSCALL(faccessat2, 439, "asxx");

struct statfs {
    u64 type, block_size, blocks, free, available, files, files_free;
    s32 id[2];
    u64 name_length, fragment_size, flags, reserved[4];
};
_Static_assert(sizeof(struct statfs) == 120, "struct statfs is Linux's");
#define TMPFS_MAGIC 0x01021994u
#define PROC_MAGIC 0x9fa0u

static s64 statfs_to(struct inode *inode, vaddr_t to, int err)
{
    struct statfs out;
    struct ramfs_usage usage = ramfs_usage();

    if (!inode)
        return err;
    memset(&out, 0, sizeof(out));
    out.type = inode->virtual ? PROC_MAGIC : TMPFS_MAGIC;
    out.block_size = out.fragment_size = PAGE_SIZE;
    out.name_length = FILE_NAME_MAX;
    if (!inode->virtual) {
        out.blocks = usage.page_limit;
        out.free = usage.page_limit > usage.pages ? usage.page_limit - usage.pages : 0;
        out.available = out.free;
        out.files = usage.inode_limit;
        out.files_free = usage.inode_limit - usage.inodes;
    }
    inode_put(inode);
    return put_user(to, &out, sizeof(out));
}

static s64 sys_statfs(u64 path, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE4;
    struct inode *inode = walk_user(AT_FDCWD, path, 0, true, &err);
    return statfs_to(inode, to, err);
}
SYSCALL(statfs, 137, "sp");

static s64 sys_fstatfs(u64 fd, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE4;
    struct inode *inode = inode_of((int)fd, &err);
    return statfs_to(inode, to, err);
}
SYSCALL(fstatfs, 138, "dp");
