// SPDX-License-Identifier: MIT
/* Directories: what is in them (getdents64), where a process stands (chdir, getcwd), its umask. */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/fd.h"
#include "proc/ramfs.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"
#include "proc/task.h"

struct linux_dirent64 {
    u64 number;
    s64 next;
    u16 size;
    u8 type;
    char name[];
} __packed;

/* A sink that writes records to user memory. */
struct listing {
    struct dir_sink sink;
    vaddr_t at;
    u64 left, position;
    int err; /* -EFAULT; -EINVAL: not even one record has room */
    u8 record[sizeof(struct linux_dirent64) + FILE_NAME_MAX + 9];
};

static bool take(struct dir_sink *sink, const char *name, u32 length, u64 number, u32 mode,
                 u64 next)
{
    struct listing *l = container_of(sink, struct listing, sink);
    u64 size = (sizeof(struct linux_dirent64) + length + 1 + 7) & ~7UL;

    if (size > l->left) {
        l->err = -EINVAL;
        return false;
    }
    memset(l->record, 0, size);
    struct linux_dirent64 *record = (struct linux_dirent64 *)l->record;
    record->number = number;
    record->next = (s64)next;
    record->size = (u16)size;
    record->type = (u8)(mode >> 12 & 15);
    memcpy(record->name, name, length);
    l->err = put_user(l->at, l->record, size);
    if (l->err)
        return false;
    l->at += size;
    l->left -= size;
    l->position = next;
    return true;
}

/* "." and ".." are in no directory's list, but in every listing. */
static bool take_dots(struct listing *l, struct inode *dir)
{
    struct inode *parent = dir->parent ? dir->parent : dir;

    if (l->position == 0 && !take(&l->sink, ".", 1, dir->number, S_IFDIR, 1))
        return false;
    return l->position != 1 || take(&l->sink, "..", 2, parent->number, S_IFDIR, 2);
}

static s64 list(struct file *file, vaddr_t out, u64 size)
{
    struct inode *dir = file->inode;
    struct listing *l = kzalloc(sizeof(*l), GFP_KERNEL);

    if (!l)
        return -ENOMEM;
    l->sink.take = take;
    l->at = out;
    l->left = size;
    l->position = file->offset;
    if (take_dots(l, dir))
        dir->ops->iterate(dir, l->position, &l->sink);
    file->offset = l->position;
    s64 result = l->at > out ? (s64)(l->at - out) : l->err;
    kfree(l);
    return result;
}

static s64 sys_getdents64(u64 fd, u64 out, u64 size, u64 d, u64 e, u64 f)
{
    struct file *file = fd_get((int)fd);
    s64 result = -ENOTDIR;

    IGNORE3;
    if (!file)
        return -EBADF;
    if (file->flags & O_PATH)
        result = -EBADF;
    else if (file->inode && inode_is(file->inode, S_IFDIR))
        result = list(file, out, (u32)size);
    file_put(file);
    return result;
}
SYSCALL(getdents64, 217, "dpu");

static s64 sys_getcwd(u64 out, u64 size, u64 c, u64 d, u64 e, u64 f)
{
    char *path = kmalloc(PATH_LIMIT, GFP_KERNEL);
    s64 result = -ENOMEM;

    IGNORE4;
    if (!path)
        return result;
    struct inode *cwd = files_cwd();
    inode_path(cwd, path, PATH_LIMIT);
    u64 length = strlen(path) + 1;
    if (*path != '/')
        result = -ENOENT;
    else if (length > size)
        result = -ERANGE;
    else
        result = put_user(out, path, length) ? -EFAULT : (s64)length;
    kfree(path);
    return result;
}
SYSCALL(getcwd, 79, "pu");

/* Takes over the reference. */
static s64 change_to(struct inode *inode, int err)
{
    struct process *process = current_process();

    if (!inode)
        return err;
    if (!inode_is(inode, S_IFDIR)) {
        inode_put(inode);
        return -ENOTDIR;
    }
    inode_put(process->cwd);
    process->cwd = inode;
    return 0;
}

static s64 sys_chdir(u64 path, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    int err = 0;

    IGNORE5;
    struct inode *inode = walk_user(AT_FDCWD, path, 0, true, &err);
    return change_to(inode, err);
}
SYSCALL(chdir, 80, "s");

static s64 sys_fchdir(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    struct file *file = fd_file((int)fd);

    IGNORE5;
    if (!file)
        return -EBADF;
    if (!file->inode)
        return -ENOTDIR;
    inode_get(file->inode);
    return change_to(file->inode, 0);
}
SYSCALL(fchdir, 81, "d");

static s64 sys_umask(u64 mask, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    struct process *process = current_process();
    u32 old = current_umask();

    IGNORE5;
    process->umask = mask & 0777;
    return old;
}
SYSCALL(umask, 95, "o");
