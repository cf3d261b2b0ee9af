// SPDX-License-Identifier: MIT
/* Names: made, taken away, moved. Each call once for the current directory and once for any (…at). Contracts: mkdir(2),
 * unlink(2), link(2), rename(2), symlink(2), mknod(2). */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/ramfs.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

/* Give the new inode its name; takes over its reference. */
static int name_it(const struct path_end *end, struct inode *inode, int err)
{
    if (!inode)
        return err;
    err = ramfs_link(end->dir, end->name, end->length, inode);
    inode_put(inode);
    return err;
}

/* May something new be made where the path ends? Only a directory may be asked for with a slash behind it. */
static int may_make(const struct path_end *end, bool directory)
{
    if (end->inode)
        return -EEXIST;
    if (end->slash && !directory)
        return -ENOENT;
    return ramfs_writable(end->dir);
}

static s64 make_node(int dirfd, vaddr_t path, u32 mode, u64 rdev)
{
    struct path_end end;
    struct inode *inode = NULL;
    int err = resolve_user(dirfd, path, 0, &end);

    if (err)
        return err;
    err = may_make(&end, (mode & S_IFMT) == S_IFDIR);
    if (!err)
        inode = ramfs_make(mode & ~current_umask(), rdev, &err);
    err = name_it(&end, inode, err);
    path_release(&end);
    return err;
}

static s64 sys_mkdir(u64 path, u64 mode, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return make_node(AT_FDCWD, path, S_IFDIR | ((u32)mode & 01777), 0);
}
SYSCALL(mkdir, 83, "so");

static s64 sys_mkdirat(u64 dirfd, u64 path, u64 mode, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return make_node((int)dirfd, path, S_IFDIR | ((u32)mode & 01777), 0);
}
SYSCALL(mkdirat, 258, "aso");

/* Device numbers come in Linux's encoding: 12 bits of major at 8, minor around them. */
static s64 make_special(int dirfd, vaddr_t path, u32 mode, u64 number)
{
    u64 major = number >> 8 & 0xfff, minor = (number & 0xff) | (number >> 12 & 0xfff00);

    switch (mode & S_IFMT) {
    case 0:
        return make_node(dirfd, path, S_IFREG | (mode & S_PERMISSIONS), 0);
    case S_IFREG:
    case S_IFSOCK:
    case S_IFIFO:
        return make_node(dirfd, path, mode, 0);
    case S_IFCHR:
    case S_IFBLK:
        return minor > 0xff ? -EINVAL : make_node(dirfd, path, mode, DEVICE(major, minor));
    default:
        return -EINVAL;
    }
}

static s64 sys_mknod(u64 path, u64 mode, u64 number, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return make_special(AT_FDCWD, path, (u32)mode, number);
}
SYSCALL(mknod, 133, "sox");

static s64 sys_mknodat(u64 dirfd, u64 path, u64 mode, u64 number, u64 e, u64 f)
{
    (void)e, (void)f;
    return make_special((int)dirfd, path, (u32)mode, number);
}
SYSCALL(mknodat, 259, "asox");

static s64 make_symlink(vaddr_t target, int dirfd, vaddr_t path)
{
    struct path_end end;
    struct inode *link = NULL;
    int err;
    char *text = path_from_user(target, &err);

    if (text && !*text)
        err = -ENOENT;
    err = err ? err : resolve_user(dirfd, path, 0, &end);
    if (!err) {
        err = may_make(&end, false);
        if (!err)
            link = ramfs_make_symlink(text, strlen(text), &err);
        err = name_it(&end, link, err);
        path_release(&end);
    }
    kfree(text);
    return err;
}

static s64 sys_symlink(u64 target, u64 path, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return make_symlink(target, AT_FDCWD, path);
}
SYSCALL(symlink, 88, "ss");

static s64 sys_symlinkat(u64 target, u64 dirfd, u64 path, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return make_symlink(target, (int)dirfd, path);
}
SYSCALL(symlinkat, 266, "sas");

static s64 make_link(int old_dirfd, vaddr_t old, int dirfd, vaddr_t path, u32 flags)
{
    struct path_end end;
    int err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    struct inode *inode = walk_user(old_dirfd, old, flags, flags & AT_SYMLINK_FOLLOW, &err);
    if (!inode)
        return err;
    err = inode_is(inode, S_IFDIR) ? -EPERM : resolve_user(dirfd, path, 0, &end);
    if (!err) {
        err = may_make(&end, false);
        if (!err && inode->ops != ramfs_root()->ops)
            err = -EXDEV;
        err = err ? err : ramfs_link(end.dir, end.name, end.length, inode);
        path_release(&end);
    }
    inode_put(inode);
    return err;
}

static s64 sys_link(u64 old, u64 path, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return make_link(AT_FDCWD, old, AT_FDCWD, path, 0);
}
SYSCALL(link, 86, "ss");

static s64 sys_linkat(u64 old_dirfd, u64 old, u64 dirfd, u64 path, u64 flags, u64 f)
{
    (void)f;
    return make_link((int)old_dirfd, old, (int)dirfd, path, (u32)flags);
}
SYSCALL(linkat, 265, "asasx");

static int unlink_error(const struct path_end *end)
{
    if (!end->length)
        return -EISDIR;
    if (!end->inode)
        return -ENOENT;
    return end->slash ? -ENOTDIR : 0;
}

static int rmdir_error(const struct path_end *end)
{
    if (!end->length)
        return strcmp(end->name, ".") == 0 ? -EINVAL
               : end->dir == ramfs_root()  ? -EBUSY
                                           : -ENOTEMPTY;
    return end->inode ? 0 : -ENOENT;
}

static s64 take_away(int dirfd, vaddr_t path, bool directory)
{
    struct path_end end;
    int err = resolve_user(dirfd, path, 0, &end);

    if (err)
        return err;
    err = directory ? rmdir_error(&end) : unlink_error(&end);
    if (!err)
        err = directory ? ramfs_rmdir(end.dir, end.name, end.length)
                        : ramfs_unlink(end.dir, end.name, end.length);
    path_release(&end);
    return err;
}

static s64 sys_unlink(u64 path, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return take_away(AT_FDCWD, path, false);
}
SYSCALL(unlink, 87, "s");

static s64 sys_rmdir(u64 path, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return take_away(AT_FDCWD, path, true);
}
SYSCALL(rmdir, 84, "s");

static s64 sys_unlinkat(u64 dirfd, u64 path, u64 flags, u64 d, u64 e, u64 f)
{
    IGNORE3;
    if (flags & ~(u64)AT_REMOVEDIR)
        return -EINVAL;
    return take_away((int)dirfd, path, flags & AT_REMOVEDIR);
}
SYSCALL(unlinkat, 263, "asx");

static int move(const struct path_end *from, const struct path_end *to, u32 flags)
{
    if (!from->length || !to->length)
        return -EBUSY;
    if (!from->inode)
        return -ENOENT;
    if ((from->slash || to->slash) && !inode_is(from->inode, S_IFDIR))
        return -ENOTDIR;
    return ramfs_rename(from->dir, from->name, from->length, to->dir, to->name, to->length, flags);
}

static s64 rename_between(int old_dirfd, vaddr_t old, int dirfd, vaddr_t path, u32 flags)
{
    struct path_end from, to;
    int err = flags & ~RENAME_NOREPLACE ? -EINVAL : resolve_user(old_dirfd, old, 0, &from);

    if (err)
        return err;
    err = resolve_user(dirfd, path, 0, &to);
    if (!err) {
        err = move(&from, &to, flags);
        path_release(&to);
    }
    path_release(&from);
    return err;
}

static s64 sys_rename(u64 old, u64 path, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return rename_between(AT_FDCWD, old, AT_FDCWD, path, 0);
}
SYSCALL(rename, 82, "ss");

static s64 sys_renameat(u64 old_dirfd, u64 old, u64 dirfd, u64 path, u64 e, u64 f)
{
    (void)e, (void)f;
    return rename_between((int)old_dirfd, old, (int)dirfd, path, 0);
}
SYSCALL(renameat, 264, "asas");

static s64 sys_renameat2(u64 old_dirfd, u64 old, u64 dirfd, u64 path, u64 flags, u64 f)
{
    (void)f;
    return rename_between((int)old_dirfd, old, (int)dirfd, path, (u32)flags);
}
SYSCALL(renameat2, 316, "asasx");

/* The text goes through the kernel; a program's size may be anything, a link's is less than a path's. */
static s64 read_link(int dirfd, vaddr_t path, vaddr_t out, u64 size)
{
    int err;
    struct inode *link;

    if ((s32)size <= 0)
        return -EINVAL;
    link = walk_user(dirfd, path, 0, false, &err);
    if (!link)
        return err;
    char *text = kmalloc(PATH_LIMIT, GFP_KERNEL);
    s64 n = !text ? -ENOMEM
            : link->ops->readlink && inode_is(link, S_IFLNK)
                ? link->ops->readlink(link, text, size < PATH_LIMIT ? size : PATH_LIMIT)
                : -EINVAL;
    if (n > 0 && put_user(out, text, (u64)n))
        n = -EFAULT;
    kfree(text);
    inode_put(link);
    return n;
}

static s64 sys_readlink(u64 path, u64 out, u64 size, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return read_link(AT_FDCWD, path, out, size);
}
SYSCALL(readlink, 89, "spu");

static s64 sys_readlinkat(u64 dirfd, u64 path, u64 out, u64 size, u64 e, u64 f)
{
    (void)e, (void)f;
    return read_link((int)dirfd, path, out, size);
}
SYSCALL(readlinkat, 267, "aspu");
