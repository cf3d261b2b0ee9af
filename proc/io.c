// SPDX-License-Identifier: MIT
/* The run of bytes that read and write move: in user memory through the one door there is, or in the kernel's own. */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "proc/file.h"

static s64 advance(struct io *io, u64 wanted, u64 failed)
{
    io->done += wanted - failed;
    return wanted && failed == wanted ? -EFAULT : (s64)(wanted - failed);
}

s64 io_put(struct io *io, const void *from, u64 n)
{
    u64 wanted = min_u64(n, io->size - io->done), failed = 0;

    if (io->user)
        failed = copy_to_user(io->base + io->done, from, wanted);
    else
        memcpy((void *)(io->base + io->done), from, wanted);
    return advance(io, wanted, failed);
}

s64 io_get(struct io *io, void *to, u64 n)
{
    u64 wanted = min_u64(n, io->size - io->done), failed = 0;

    if (io->user)
        failed = copy_from_user(to, io->base + io->done, wanted);
    else
        memcpy(to, (const void *)(io->base + io->done), wanted);
    return advance(io, wanted, failed);
}
