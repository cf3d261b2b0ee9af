// SPDX-License-Identifier: MIT
/* Descriptors as such: dup, fcntl, pipe, ioctl, and what flushes nothing, because nothing is behind memory. */
#include "lib/errno.h"
#include "proc/fd.h"
#include "proc/pipe.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

static s64 sys_dup(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    struct file *file = fd_get((int)fd);

    IGNORE5;
    return file ? fd_install(file, 0, false) : -EBADF;
}
SYSCALL(dup, 32, "d");

static s64 dup_to(int from, int to, bool close_on_exec)
{
    struct file *file = fd_get(from);
    return file ? fd_install_at(file, to, close_on_exec) : -EBADF;
}

static s64 sys_dup2(u64 from, u64 to, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    if (from == to)
        return fd_file((int)from) ? (s64)from : -EBADF;
    return dup_to((int)from, (int)to, false);
}
SYSCALL(dup2, 33, "dd");

static s64 sys_dup3(u64 from, u64 to, u64 flags, u64 d, u64 e, u64 f)
{
    IGNORE3;
    if ((int)from == (int)to || (flags & ~(u64)O_CLOEXEC))
        return -EINVAL;
    return dup_to((int)from, (int)to, flags & O_CLOEXEC);
}
SYSCALL(dup3, 292, "ddO");

enum {
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
    F_DUPFD_CLOEXEC = 1030
};
#define SETTABLE (O_APPEND | O_NONBLOCK)
#define F_UNLCK 2

static s64 set_status(struct file *file, u32 flags)
{
    file->flags = (file->flags & ~SETTABLE) | (flags & SETTABLE);
    return 0;
}

/* Record locks: nobody else is seen to hold one. Programs that ask politely may go on. */
static s64 get_lock(vaddr_t address)
{
    s32 type = F_UNLCK;
    return put_user(address, &type, sizeof(u16));
}

static s64 sys_fcntl(u64 fd, u64 command, u64 argument, u64 d, u64 e, u64 f)
{
    struct file *file = fd_file((int)fd);

    IGNORE3;
    if (!file)
        return -EBADF;
    switch ((u32)command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        file_get(file);
        return fd_install(file, (int)argument, (u32)command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_flags((int)fd);
    case F_SETFD:
        return fd_set_flags((int)fd, argument & 1);
    case F_GETFL:
        return file->flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
    case F_SETFL:
        return set_status(file, (u32)argument);
    case F_GETLK:
        return get_lock(argument);
    case F_SETLK:
    case F_SETLKW:
        return 0;
    default:
        return -EINVAL;
    }
}
SYSCALL(fcntl, 72, "ddx");

static s64 make_pipe(vaddr_t out, u32 flags)
{
    struct file *reader, *writer;
    int fds[2], err;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    err = pipe_create(&reader, &writer, flags & O_NONBLOCK);
    if (err)
        return err;
    fds[0] = fd_install(reader, 0, flags & O_CLOEXEC);
    if (fds[0] < 0) {
        file_put(writer);
        return fds[0];
    }
    fds[1] = fd_install(writer, 0, flags & O_CLOEXEC);
    err = fds[1] < 0 ? fds[1] : put_user(out, fds, sizeof(fds));
    if (!err)
        return 0;
    fd_close(fds[0]);
    if (fds[1] >= 0)
        fd_close(fds[1]);
    return err;
}

static s64 sys_pipe(u64 out, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return make_pipe(out, 0);
}
SYSCALL(pipe, 22, "p");

static s64 sys_pipe2(u64 out, u64 flags, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE4;
    return make_pipe(out, (u32)flags);
}
SYSCALL(pipe2, 293, "pO");

#define FIONCLEX 0x5450u
#define FIOCLEX 0x5451u
#define FIONBIO 0x5421u

static s64 set_nonblocking(struct file *file, vaddr_t address)
{
    s32 on;
    int err = get_user(&on, address, sizeof(on));

    if (!err)
        set_status(file, (file->flags & ~O_NONBLOCK) | (on ? O_NONBLOCK : 0));
    return err;
}

static s64 sys_ioctl(u64 fd, u64 request, u64 argument, u64 d, u64 e, u64 f)
{
    struct file *file = fd_get((int)fd);
    s64 result = -ENOTTY;

    IGNORE3;
    if (!file)
        return -EBADF;
    if (file->flags & O_PATH)
        result = -EBADF;
    else if ((u32)request == FIOCLEX || (u32)request == FIONCLEX)
        result = fd_set_flags((int)fd, (u32)request == FIOCLEX);
    else if ((u32)request == FIONBIO)
        result = set_nonblocking(file, argument);
    else if (file->ops->ioctl)
        result = file->ops->ioctl(file, (u32)request, argument);
    file_put(file);
    return result;
}
SYSCALL(ioctl, 16, "dxx");

static s64 check_fd(u64 fd)
{
    return fd_file((int)fd) ? 0 : -EBADF;
}

static s64 sys_fsync(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return check_fd(fd);
}
SYSCALL(fsync, 74, "d");

static s64 sys_fdatasync(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return check_fd(fd);
}
SYSCALL(fdatasync, 75, "d");

static s64 sys_flock(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return check_fd(fd);
}
SYSCALL(flock, 73, "dd");

static s64 sys_fadvise64(u64 fd, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    IGNORE5;
    return check_fd(fd);
}
SYSCALL(fadvise64, 221, "dddd");

static s64 sys_sync(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    (void)a;
    IGNORE5;
    return 0;
}
SYSCALL(sync, 162, "");
