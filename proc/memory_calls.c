// SPDX-License-Identifier: MIT
/* The system calls about memory: arguments checked as Linux does, the work in mm/uspace. */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pagestore.h"
#include "proc/inode.h"
#include "proc/syscall.h"
#include "proc/task.h"

#define MAP_TYPE 0xfUL
#define MAP_SHARED_VALIDATE 3UL

/* The pages behind a descriptor, if this kind of mapping of them is allowed, and under which name. */
static int mappable_store(u64 fd, u64 prot, u64 *flags, struct pagestore **out, const char **name)
{
    char path[256];
    struct file *file = fd_file((int)fd);
    if (!file || file->flags & O_PATH)
        return -EBADF;
    *out = file->ops->pages ? file->ops->pages(file)
           : file->inode    ? inode_store(file->inode)
                            : NULL;
    if (!*out)
        return -ENODEV;
    u32 mode = file->flags & O_ACCMODE;
    bool writes = *flags & MAP_SHARED && prot & PROT_WRITE;
    if ((mode != O_RDONLY && mode != O_RDWR) || (writes && mode != O_RDWR))
        return -EACCES;
    if (*flags & MAP_SHARED && mode != O_RDWR)
        *flags |= MAP_NEVER_WRITE;
    inode_path(file->inode, path, sizeof(path));
    *name = pagestore_name(*out, path); /* a device's pages, too, so not inode_map_name() */
    return *name ? 0 : -ENOMEM;
}

static s64 sys_mmap(u64 address, u64 size, u64 prot, u64 flags, u64 fd, u64 offset)
{
    struct pagestore *store = NULL;
    const char *name = NULL;
    flags &= ~(u64)(MAP_NEVER_WRITE | MAP_NO_HUGE);
    if (offset % PAGE_SIZE || !size)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        int error = mappable_store(fd, prot, &flags, &store, &name);
        if (error)
            return error;
    }
    u64 type = flags & MAP_TYPE;
    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    return uspace_mmap(current_process()->space, address, size, (u32)prot, (u32)flags, store,
                       store ? offset / PAGE_SIZE : 0, name);
}
SYSCALL(mmap, 9, "pumfdx");

static s64 sys_munmap(u64 address, u64 size, u64 c __unused, u64 d __unused, u64 e __unused,
                      u64 f __unused)
{
    return uspace_munmap(current_process()->space, address, size);
}
SYSCALL(munmap, 11, "pu");

static s64 sys_mprotect(u64 address, u64 size, u64 prot, u64 d __unused, u64 e __unused,
                        u64 f __unused)
{
    if (prot & ~7UL)
        return -EINVAL;
    return uspace_mprotect(current_process()->space, address, size, (u32)prot);
}
SYSCALL(mprotect, 10, "pum");

static s64 sys_mremap(u64 old, u64 old_size, u64 new_size, u64 flags, u64 wanted, u64 f __unused)
{
    return uspace_mremap(current_process()->space, old, old_size, new_size, (u32)flags, wanted);
}
SYSCALL(mremap, 25, "puuxp");

static s64 sys_madvise(u64 address, u64 size, u64 advice, u64 d __unused, u64 e __unused,
                       u64 f __unused)
{
    return uspace_madvise(current_process()->space, address, size, (int)advice);
}
SYSCALL(madvise, 28, "pud");

static s64 sys_brk(u64 address, u64 b __unused, u64 c __unused, u64 d __unused, u64 e __unused,
                   u64 f __unused)
{
    return (s64)uspace_brk(current_process()->space, address);
}
SYSCALL(brk, 12, "p");

/* Stores are memory: nothing is behind them that could be late. */
static s64 sys_msync(u64 address, u64 size, u64 flags, u64 d __unused, u64 e __unused,
                     u64 f __unused)
{
    if (address % PAGE_SIZE || flags & ~7UL)
        return -EINVAL;
    return size && !uspace_find(current_process()->space, address) ? -ENOMEM : 0;
}
SYSCALL(msync, 26, "pux");
