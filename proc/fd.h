// SPDX-License-Identifier: MIT
/*
 * Descriptor tables: small arrays of files, lowest free number first. Task context, no lock (proc/inode.h). A file
 * that a call uses is borrowed (fd_file) as long as nothing sleeps, and held (fd_get) where something may.
 */
#ifndef PROC_FD_H
#define PROC_FD_H

#include "proc/inode.h"

#define FD_LIMIT 1024 /* RLIMIT_NOFILE */

/* The same with a reference that the caller puts. NULL: -EBADF. */
struct file *fd_get(int fd);
/* Give the file the lowest free number >= least; takes over the caller's reference, also on failure. Number,
 * -EMFILE, -ENOMEM, -EINVAL. */
int fd_install(struct file *file, int least, bool close_on_exec);
/* Exactly this number, closing what has it. */
int fd_install_at(struct file *file, int fd, bool close_on_exec);
int fd_close(int fd);
int fd_flags(int fd); /* 1: close-on-exec; -EBADF */
int fd_set_flags(int fd, bool close_on_exec);
/* Of any process' table, for /proc/PID/fd: the n-th used number from `from` on, or -1. */
int fd_next(struct fd_table *table, int from);
struct file *fd_of(struct fd_table *table, int fd); /* borrowed, or NULL */

#endif
