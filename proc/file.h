// SPDX-License-Identifier: MIT
/*
 * Files, as little as possible but real. An inode is a thing with a name (ramfs file, directory, symlink, device, /proc
 * entry); a file is one opening of it, or a pipe end; a descriptor table maps numbers to files.
 */
#ifndef PROC_FILE_H
#define PROC_FILE_H

#include "lib/types.h"
#include "proc/wait.h"

struct file;
struct inode;
struct pagestore;

/* A run of bytes in user memory or in the kernel's: what read and write move. */
struct io {
    vaddr_t base;
    u64 size, done;
    bool user;
};
/* Move up to n bytes and advance; bytes moved (short: end of the run), -EFAULT when none could be. */
s64 io_put(struct io *io, const void *from, u64 n);
s64 io_get(struct io *io, void *to, u64 n);

struct file_ops {
    const char *name;
    s64 (*read)(struct file *file, struct io *io, u64 *offset); /* bytes or -errno */
    s64 (*write)(struct file *file, struct io *io, u64 *offset);
    s64 (*ioctl)(struct file *file, u32 request, vaddr_t argument);
    u32 (*poll)(struct file *file);                 /* POLLIN.. ready now */
    struct wait_queue *(*queue)(struct file *file); /* where poll sleeps */
    void (*release)(struct file *file);             /* last reference gone */
    struct pagestore *(*pages)(
        struct file *file); /* what mmap maps; NULL: those of the inode, if any */
};

struct file {
    const struct file_ops *ops;
    struct inode *inode; /* NULL: pipe end */
    u32 refs, flags;     /* O_* */
    u64 offset;
    void *data;
};

void file_get(struct file *file);
void file_put(struct file *file);

/* Path lookup from the process' directory (or the root); follows links. Reference or error pointer by *err. */
struct inode *path_lookup(const char *path, bool follow, int *err);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
u32 inode_mode(const struct inode *inode); /* S_IFMT and permission bits */
struct pagestore *
inode_store(struct inode *inode); /* content of a regular file: what execve and mmap map */
void inode_path(struct inode *inode, char *out, u64 size); /* absolute */
/* What an area that maps it is called: its path when it was first asked for; lives as long as the content. NULL: no
 * memory. Regular files only. */
const char *inode_map_name(struct inode *inode);

/* The descriptor table of a process. */
struct fd_table *fd_table_create(void);
struct fd_table *fd_table_copy(struct fd_table *table); /* fork */
void fd_table_get(struct fd_table *table);              /* CLONE_FILES */
void fd_table_put(struct fd_table *table);
void fd_table_exec(struct fd_table *table);        /* close-on-exec */
int fd_table_open_console(struct fd_table *table); /* 0, 1, 2 */
struct file *fd_file(int fd); /* of the current process, borrowed; NULL: -EBADF */

/* Which process group the console's Ctrl-C goes to (tcsetpgrp); the kernel shell lends and takes it back. */
void tty_set_foreground(s32 pgid);
void tty_lend(
    bool
        to_programs); /* true: input goes to ring 3 with the line discipline; false: back to the shell */

/* The root file system: unpack a newc archive from memory. 0, or -EINVAL with the offset of the bad header logged. */
int ramfs_unpack(const void *archive, u64 size);
void files_init(void);

#endif
