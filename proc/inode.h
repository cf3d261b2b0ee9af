// SPDX-License-Identifier: MIT
/*
 * What the file floor shares below the system calls: the inode, its operations, names in directories. Everything
 * here is compiled for the host, too. Kernel code is not preempted and nothing here sleeps except in a copy from or to
 * user memory, so there is no lock: between two such points nobody else is here.
 *
 * I1: an inode lives while refs > 0; each name and each opening holds one.  I2: a directory's `parent` is the
 * directory that names it, and NULL once it has been removed (and for the root).  I3: links counts the names.
 */
#ifndef PROC_INODE_H
#define PROC_INODE_H

#include "lib/list.h"
#include "lib/types.h"
#include "proc/file.h"

/* Linux's numbers: programs and archives carry them. */
#define S_IFMT 0170000u
#define S_IFSOCK 0140000u
#define S_IFLNK 0120000u
#define S_IFREG 0100000u
#define S_IFBLK 0060000u
#define S_IFDIR 0040000u
#define S_IFCHR 0020000u
#define S_IFIFO 0010000u
#define S_PERMISSIONS 07777u

#define O_ACCMODE 03u
#define O_RDONLY 00u
#define O_WRONLY 01u
#define O_RDWR 02u
#define O_CREAT 0100u
#define O_EXCL 0200u
#define O_NOCTTY 0400u
#define O_TRUNC 01000u
#define O_APPEND 02000u
#define O_NONBLOCK 04000u
#define O_DIRECTORY 0200000u
#define O_NOFOLLOW 0400000u
#define O_CLOEXEC 02000000u
#define O_PATH 010000000u

#define POLLIN 0x001u
#define POLLPRI 0x002u
#define POLLOUT 0x004u
#define POLLERR 0x008u
#define POLLHUP 0x010u
#define POLLNVAL 0x020u
#define POLLRDNORM 0x040u
#define POLLWRNORM 0x100u

#define FILE_NAME_MAX 255u
#define PATH_LIMIT 4096u /* bytes of a path with its NUL */
#define DEVICE(major, minor) ((u64)(major) << 8 | (minor))

/* Receives the entries of a directory; false: no room, the entry is offered again next time. */
struct dir_sink {
    bool (*take)(struct dir_sink *sink, const char *name, u32 length, u64 number, u32 mode,
                 u64 next_position);
};

struct inode_ops {
    const char *name;
    /* A directory's entry, with a reference; NULL and *err (-ENOENT, -ENOMEM). Never "." or "..". */
    struct inode *(*lookup)(struct inode *dir, const char *name, u32 length, int *err);
    /* Entries from `position` on (2 is the first), until the sink is full. */
    void (*iterate)(struct inode *dir, u64 position, struct dir_sink *sink);
    /* A symbolic link's target without NUL: its length, cut to size; or -errno. */
    s64 (*readlink)(struct inode *link, char *out, u64 size);
    /* A link that leads to an object and not to a path: that, with a reference; NULL without *err: this one has a path.
     * May be NULL. */
    struct inode *(*follow)(struct inode *link, int *err);
    int (*open)(struct inode *inode, struct file *file); /* sets file->ops and data */
    void (*release)(struct inode *inode);                /* last reference gone: frees it */
};

struct inode {
    const struct inode_ops *ops;
    u32 refs, mode, links, uid, gid;
    u64 number, rdev;
    u64 atime, mtime, ctime; /* nanoseconds since 1970 */
    struct inode *parent;    /* directory of `label`; not counted (procfs: counted) */
    const char *label;       /* one of its names, NULL: none left */
    union {
        struct pagestore *store;  /* regular file */
        char *target;             /* symbolic link */
        struct list_head entries; /* directory of the ramfs: struct dirent, in order of cookies */
        const void *detail;       /* procfs: which file */
    };
    u64 charged;   /* pages counted against the ramfs' limit */
    bool virtual;  /* its content is made when it is read (/proc) */
    s32 pid;       /* procfs: of which process, 0: none */
    char text[16]; /* procfs: room for the label */
};

static inline bool inode_is(const struct inode *inode, u32 type)
{
    return (inode->mode & S_IFMT) == type;
}

/* A zeroed inode with one reference and times of now, or NULL. */
struct inode *inode_new(const struct inode_ops *ops, u32 mode);
/* The same for an inode that is part of something larger; zeroed before. */
void inode_init(struct inode *inode, const struct inode_ops *ops, u32 mode);
/* Nanoseconds since 1970, which is when this machine was started: what the times of an inode are. */
u64 files_now(void);

/* The driver behind a device number, or NULL: proc/devices.c registers. */
struct device {
    u64 rdev;
    const char *name; /* in /dev */
    u32 permissions;
    const struct file_ops *ops;
};
void device_register(const struct device *device);
const struct device *device_find(u64 rdev);
const struct device *device_nth(u32 n);

/* Ready for read or write? -EBADF when this opening may not. */
bool file_may_read(const struct file *file);
bool file_may_write(const struct file *file);
/* An opening of the inode with O_* flags. NULL and *err. Takes a reference of its own. */
struct file *file_open(struct inode *inode, u32 flags, int *err);
/* An opening without an inode (pipe ends). NULL: no memory. */
struct file *file_new(const struct file_ops *ops, struct inode *inode, u32 flags);

/* Whoever makes a file ready calls this: wakes its own sleepers and those in poll(). IRQ-safe. */
void files_wake(struct wait_queue *queue);
struct wait_queue *files_poll_queue(void);

#endif
