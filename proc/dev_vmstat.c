// SPDX-License-Identifier: MIT
/*
 * /dev/vmstat, what vmtop reads. Opening it brings the ring into being; read() takes a sample and gives its number, eight
 * bytes; mmap() maps the ring, so that the sample is seen without being copied. The ring ends with the last opening or
 * mapping. Read next: mm/vmstat.c.
 */
#include "lib/errno.h"
#include "mm/pagestore.h"
#include "mm/vmstat.h"
#include "proc/devices.h"
#include "proc/inode.h"

static struct pagestore *vmstat_pages(struct file *file)
{
    if (!file->data)
        file->data = vmstat_get();
    return file->data;
}

static s64 vmstat_read(struct file *file, struct io *io, u64 *offset)
{
    (void)offset;
    if (io->size - io->done < sizeof(u64))
        return -EINVAL;
    if (!vmstat_pages(file))
        return -ENOMEM;
    u64 number = vmstat_sample();
    return io_put(io, &number, sizeof(number));
}

static u32 vmstat_poll(struct file *file)
{
    (void)file;
    return POLLIN | POLLRDNORM;
}

static void vmstat_release(struct file *file)
{
    pagestore_put(file->data);
}

const struct file_ops vmstat_file_ops = {.name = "vmstat",
                                         .read = vmstat_read,
                                         .poll = vmstat_poll,
                                         .release = vmstat_release,
                                         .pages = vmstat_pages};
