// SPDX-License-Identifier: MIT
/*
 * The tree of /proc: a root with the system's files, "self" and a directory for each process; in that its files and
 * "fd". Inodes are made by the lookup and gone with the last use; each holds its parent. Nothing is kept about a process
 * but its number, so one that has ended in the meantime is simply not found (-ESRCH). No lock (proc/inode.h).
 * Read next: proc/procfs_text.c (reading), proc/procfs_system.c, proc/procfs_process.c (what the files say).
 */
#include "proc/procfs.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/fd.h"
#include "proc/path.h"
#include "proc/procfs_internal.h"
#include "proc/ramfs.h"

#define FIRST_PROCESS                                                                              \
    1000 /* positions in a listing of /proc: files below, processes by number above */
#define FIRST_POSITION 2 /* after "." and ".." */

/* detail of the directories: which kind. */
static const char process_dir, fd_dir, fd_link;

static const struct inode_ops root_ops, process_ops, fd_ops, file_ops, link_ops;

static struct inode root = {
    .ops = &root_ops,
    .refs = 1,
    .mode = S_IFDIR | 0555,
    .links = 2,
    .number = 1,
    .label = "proc",
    .virtual = true,
};

struct inode *procfs_root(void)
{
    return &root;
}

static struct inode *make(const struct inode_ops *ops, u32 mode, struct inode *parent,
                          const char *label, const void *detail, int *err)
{
    struct inode *inode = inode_new(ops, mode);

    *err = inode ? 0 : -ENOMEM;
    if (!inode)
        return NULL;
    inode->virtual = true;
    inode->links = 1;
    inode->pid = parent->pid;
    inode->detail = detail;
    inode->parent = parent;
    inode_get(parent);
    string_copy(inode->text, sizeof(inode->text), label);
    inode->label = inode->text;
    return inode;
}

static void procfs_release(struct inode *inode)
{
    struct inode *parent = inode->parent;

    kfree(inode);
    inode_put(parent);
}

static struct inode *make_file(struct inode *dir, const struct procfs_file *file, int *err)
{
    bool link = (file->mode & S_IFMT) == S_IFLNK;
    return make(link ? &link_ops : &file_ops, file->mode, dir, file->name, file, err);
}

/* A number without leading zeros; -1: it is none. */
static s32 parse_number(const char *name, u32 length)
{
    u64 number = 0;

    if (length == 0 || length > 9 || (name[0] == '0' && length > 1))
        return -1;
    for (u32 i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        number = number * 10 + (u64)(name[i] - '0');
    }
    return (s32)number;
}

static const struct procfs_file *find(const struct procfs_file *files, u32 count, const char *name,
                                      u32 length)
{
    for (u32 i = 0; i < count; i++)
        if (strlen(files[i].name) == length && memcmp(files[i].name, name, length) == 0)
            return &files[i];
    return NULL;
}

static bool offer(struct dir_sink *sink, const struct procfs_file *file, u64 position, s32 pid)
{
    u64 number = ((u64)pid << 16) + position + 1;
    return sink->take(sink, file->name, (u32)strlen(file->name), number, file->mode, position + 1);
}

/* The root ------------------------------------------------------------------------------------ */

static struct inode *root_lookup(struct inode *dir, const char *name, u32 length, int *err)
{
    const struct procfs_file *file = find(procfs_system_files, procfs_system_count, name, length);
    char label[12];

    if (file)
        return make_file(dir, file, err);
    s32 pid = parse_number(name, length);
    *err = -ENOENT;
    if (pid < 0 || !process_find(pid))
        return NULL;
    format_to(label, sizeof(label), "%d", pid);
    struct inode *inode = make(&process_ops, S_IFDIR | 0555, dir, label, &process_dir, err);
    if (inode)
        inode->pid = pid;
    return inode;
}

struct visit {
    struct dir_sink *sink;
    u64 position;
};

static bool offer_process(void *ctx, struct process *process)
{
    struct visit *visit = ctx;
    u64 position = FIRST_PROCESS + (u64)process->pid;
    char name[12];

    if (position < visit->position)
        return true;
    u32 length = (u32)format_to(name, sizeof(name), "%d", process->pid);
    return visit->sink->take(visit->sink, name, length, (u64)process->pid << 16, S_IFDIR,
                             position + 1);
}

static void root_iterate(struct inode *dir, u64 position, struct dir_sink *sink)
{
    struct visit visit = {sink, position};

    (void)dir;
    for (u64 at = position; at < FIRST_POSITION + procfs_system_count; at++)
        if (!offer(sink, &procfs_system_files[at - FIRST_POSITION], at, 0))
            return;
    process_for_each(offer_process, &visit);
}

/* A process' directory ------------------------------------------------------------------------- */

static struct inode *process_lookup(struct inode *dir, const char *name, u32 length, int *err)
{
    const struct procfs_file *file = find(procfs_process_files, procfs_process_count, name, length);

    if (file)
        return make_file(dir, file, err);
    if (length == 2 && memcmp(name, "fd", 2) == 0)
        return make(&fd_ops, S_IFDIR | 0500, dir, "fd", &fd_dir, err);
    *err = -ENOENT;
    return NULL;
}

static void process_iterate(struct inode *dir, u64 position, struct dir_sink *sink)
{
    u64 end = FIRST_POSITION + procfs_process_count, at = position;

    if (!process_find(dir->pid))
        return;
    for (; at < end; at++)
        if (!offer(sink, &procfs_process_files[at - FIRST_POSITION], at, dir->pid))
            return;
    if (at == end)
        sink->take(sink, "fd", 2, ((u64)dir->pid << 16) + at + 1, S_IFDIR, at + 1);
}

/* fd ------------------------------------------------------------------------------------------- */

static struct file *file_behind(const struct inode *link)
{
    struct process *process = process_find(link->pid);
    return process ? fd_of(process->files, parse_number(link->label, (u32)strlen(link->label)))
                   : NULL;
}

static struct inode *fd_lookup(struct inode *dir, const char *name, u32 length, int *err)
{
    struct process *process = process_find(dir->pid);
    s32 fd = parse_number(name, length);
    char label[12];

    *err = -ENOENT;
    if (!process || !fd_of(process->files, fd))
        return NULL;
    format_to(label, sizeof(label), "%d", fd);
    return make(&fd_ops, S_IFLNK | 0700, dir, label, &fd_link, err);
}

static void fd_iterate(struct inode *dir, u64 position, struct dir_sink *sink)
{
    struct process *process = process_find(dir->pid);
    u64 from = min_u64(position - FIRST_POSITION, FD_LIMIT); /* lseek() lets it be anything */
    int fd = process ? fd_next(process->files, (int)from) : -1;
    char name[12];

    for (; fd >= 0; fd = fd_next(process->files, fd + 1)) {
        u32 length = (u32)format_to(name, sizeof(name), "%d", fd);
        u64 at = (u64)fd + FIRST_POSITION;
        if (!sink->take(sink, name, length, ((u64)dir->pid << 16) + FIRST_PROCESS + at, S_IFLNK,
                        at + 1))
            return;
    }
}

static s64 fd_readlink(struct inode *link, char *out, u64 size)
{
    struct file *file = file_behind(link);
    char path[512];

    if (!file)
        return -ENOENT;
    if (!file->inode)
        format_to(path, sizeof(path), "anon:[%s]", file->ops->name);
    else if (inode_is(file->inode, S_IFIFO) && !file->inode->label)
        format_to(path, sizeof(path), "pipe:[%lu]", file->inode->number);
    else
        inode_path(file->inode, path, sizeof(path));
    u64 length = strlen(path);
    length = length < size ? length : size;
    memcpy(out, path, length);
    return (s64)length;
}

static struct inode *fd_follow(struct inode *link, int *err)
{
    struct file *file = file_behind(link);

    *err = file && file->inode ? 0 : -ENOENT;
    if (*err)
        return NULL;
    inode_get(file->inode);
    return file->inode;
}

/* Files and links -------------------------------------------------------------------------------- */

static s64 link_read(struct inode *link, char *out, u64 size)
{
    const struct procfs_file *file = link->detail;
    struct process *process = link->pid ? process_find(link->pid) : NULL;

    if (link->pid && !process)
        return -ESRCH;
    return file->link(process, out, size);
}

static struct inode *link_follow(struct inode *link, int *err)
{
    const struct procfs_file *file = link->detail;
    struct process *process = link->pid ? process_find(link->pid) : NULL;
    struct inode *inode = NULL;

    *err = link->pid && !process ? -ENOENT : 0;
    if (*err || !file->follow)
        return NULL;
    inode = file->follow(process);
    *err = inode ? 0 : -ENOENT;
    return inode;
}

static int open_dir(struct inode *inode, struct file *file)
{
    (void)inode;
    file->ops = &ramfs_dir_ops;
    return 0;
}

static int open_file(struct inode *inode, struct file *file)
{
    (void)inode;
    if (file_may_write(file))
        return -EACCES;
    file->ops = &procfs_file_ops;
    return 0;
}

static const struct inode_ops root_ops = {.name = "proc",
                                          .lookup = root_lookup,
                                          .iterate = root_iterate,
                                          .open = open_dir,
                                          .release = procfs_release};
static const struct inode_ops process_ops = {.name = "process",
                                             .lookup = process_lookup,
                                             .iterate = process_iterate,
                                             .open = open_dir,
                                             .release = procfs_release};
static const struct inode_ops fd_ops = {.name = "fd",
                                        .lookup = fd_lookup,
                                        .iterate = fd_iterate,
                                        .readlink = fd_readlink,
                                        .follow = fd_follow,
                                        .open = open_dir,
                                        .release = procfs_release};
static const struct inode_ops file_ops = {
    .name = "text", .open = open_file, .release = procfs_release};
static const struct inode_ops link_ops = {
    .name = "link", .readlink = link_read, .follow = link_follow, .release = procfs_release};
