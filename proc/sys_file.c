// SPDX-License-Identifier: MIT
/* Helpers of the file system calls, and open and close. Contracts: proc/sys_file.h, open(2). */
#include "proc/sys_file.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "proc/fd.h"
#include "proc/ramfs.h"
#include "proc/syscall.h"
#include "proc/task.h"

int put_user(vaddr_t to, const void *from, u64 size)
{
    return copy_to_user(to, from, size) ? -EFAULT : 0;
}

int get_user(void *to, vaddr_t from, u64 size)
{
    return copy_from_user(to, from, size) ? -EFAULT : 0;
}

u32 current_umask(void)
{
    struct process *process = current_process();
    return process ? process->umask & 0777 : 022;
}

char *path_from_user(vaddr_t address, int *err)
{
    char *path = kmalloc(PATH_LIMIT, GFP_KERNEL);

    *err = -ENOMEM;
    if (!path)
        return NULL;
    s64 length = strncpy_from_user(path, address, PATH_LIMIT);
    *err = length < 0 ? (int)length : 0;
    if (length >= 0)
        return path;
    kfree(path);
    return NULL;
}

struct inode *start_from(int dirfd, const char *path, int *err)
{
    struct inode *start = files_cwd();

    if (*path != '/' && dirfd != AT_FDCWD) {
        struct file *file = fd_file(dirfd);
        start = file ? file->inode : NULL;
        *err = file ? -ENOTDIR : -EBADF;
        if (!start || (*path && !inode_is(start, S_IFDIR)))
            return NULL;
    }
    *err = start ? 0 : -ENOENT; /* no root: there was no memory for one at boot */
    if (start)
        inode_get(start);
    return start;
}

int resolve_user(int dirfd, vaddr_t address, u32 flags, struct path_end *end)
{
    int err;
    char *path = path_from_user(address, &err);
    struct inode *start = path ? start_from(dirfd, path, &err) : NULL;

    *end = (struct path_end){0};
    if (start)
        err = path_resolve(start, path, flags, end);
    inode_put(start);
    kfree(path);
    return err;
}

struct inode *walk_user(int dirfd, vaddr_t address, u32 at_flags, bool follow, int *err)
{
    char *path = path_from_user(address, err);
    struct inode *start = path ? start_from(dirfd, path, err) : NULL;
    struct inode *found = start;

    if (start && !(*path == '\0' && (at_flags & AT_EMPTY_PATH))) {
        found = path_walk(start, path, follow ? PATH_FOLLOW : 0, err);
        inode_put(start);
    }
    kfree(path);
    return found;
}

/* The file that open(O_CREAT) asks for, made where there is none. NULL and *err; a reference. */
static struct inode *create(struct path_end *end, u32 flags, u32 mode, int *err)
{
    *err = flags & O_EXCL ? -EEXIST : 0;
    if (end->inode) {
        if (*err)
            return NULL;
        inode_get(end->inode);
        return end->inode;
    }
    *err = end->slash ? -EISDIR : ramfs_writable(end->dir);
    struct inode *inode =
        *err ? NULL : ramfs_make(S_IFREG | (mode & S_PERMISSIONS & ~current_umask()), 0, err);
    if (!inode)
        return NULL;
    *err = ramfs_link(end->dir, end->name, end->length, inode);
    if (!*err)
        return inode;
    inode_put(inode);
    return NULL;
}

static bool follows(u32 flags)
{
    return !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
}

static struct inode *inode_to_open(int dirfd, vaddr_t path, u32 flags, u32 mode, int *err)
{
    struct path_end end;
    struct inode *inode = NULL;

    *err = resolve_user(dirfd, path, follows(flags) ? PATH_FOLLOW : 0, &end);
    if (*err)
        return NULL;
    if (flags & O_CREAT) {
        inode = create(&end, flags, mode, err);
    } else if (end.inode) {
        inode = end.inode;
        inode_get(inode);
    } else {
        *err = -ENOENT;
    }
    path_release(&end);
    return inode;
}

static s64 open_at(int dirfd, vaddr_t path, u32 flags, u32 mode)
{
    int err;
    struct inode *inode;

    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    inode = inode_to_open(dirfd, path, flags, mode, &err);
    struct file *file = inode ? file_open(inode, flags, &err) : NULL;
    inode_put(inode);
    return file ? fd_install(file, 0, flags & O_CLOEXEC) : err;
}

static s64 sys_open(u64 path, u64 flags, u64 mode, u64 d, u64 e, u64 f)
{
    IGNORE3;
    return open_at(AT_FDCWD, path, (u32)flags, (u32)mode);
}
SYSCALL(open, 2, "sOo");

static s64 sys_openat(u64 dirfd, u64 path, u64 flags, u64 mode, u64 e, u64 f)
{
    (void)e, (void)f;
    return open_at((int)dirfd, path, (u32)flags, (u32)mode);
}
SYSCALL(openat, 257, "asOo");

static s64 sys_creat(u64 path, u64 mode, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, (u32)mode);
}
SYSCALL(creat, 85, "so");

static s64 sys_close(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return fd_close((int)fd);
}
SYSCALL(close, 3, "d");
