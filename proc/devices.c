// SPDX-License-Identifier: MIT
/* The devices that need no driver: null, zero, full, random, urandom; and console and tty, which proc/tty.c drives. */
#include "proc/devices.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "proc/inode.h"
#include "proc/random.h"
#include "proc/task.h"
#include "proc/tty.h"

#define CHUNK 256u

static const u8 zeros[PAGE_SIZE];

static s64 read_nothing(struct file *file, struct io *io, u64 *offset)
{
    (void)file, (void)io, (void)offset;
    return 0;
}

static s64 write_away(struct file *file, struct io *io, u64 *offset)
{
    u64 n = io->size - io->done;

    (void)file, (void)offset;
    io->done = io->size;
    return (s64)n;
}

static s64 write_full(struct file *file, struct io *io, u64 *offset)
{
    (void)file, (void)offset;
    return io->size == io->done ? 0 : -ENOSPC;
}

/* A gigabyte of zeros is worth an interruption: Ctrl-C ends a read between two pages. */
static s64 read_zeros(struct file *file, struct io *io, u64 *offset)
{
    u64 start = io->done;
    s64 n = 0;

    (void)file, (void)offset;
    while (io->done < io->size && !(io->done > start && signal_pending())) {
        n = io_put(io, zeros, sizeof(zeros));
        if (n <= 0)
            break;
    }
    return io->done > start ? (s64)(io->done - start) : n;
}

static s64 read_random(struct file *file, struct io *io, u64 *offset)
{
    u8 bytes[CHUNK];
    u64 start = io->done;
    s64 n = 0;

    (void)file, (void)offset;
    while (io->done < io->size && !(io->done > start && signal_pending())) {
        random_fill(bytes, sizeof(bytes));
        n = io_put(io, bytes, sizeof(bytes));
        if (n <= 0)
            break;
    }
    return io->done > start ? (s64)(io->done - start) : n;
}

static u32 always_ready(struct file *file)
{
    (void)file;
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

static const struct file_ops null_ops = {
    .name = "null", .read = read_nothing, .write = write_away, .poll = always_ready};
static const struct file_ops zero_ops = {
    .name = "zero", .read = read_zeros, .write = write_away, .poll = always_ready};
static const struct file_ops full_ops = {
    .name = "full", .read = read_zeros, .write = write_full, .poll = always_ready};
static const struct file_ops random_ops = {
    .name = "random", .read = read_random, .write = write_away, .poll = always_ready};

/* Numbers as in Linux's devices.txt. */
static const struct device devices[] = {
    {DEVICE(1, 3), "null", 0666, &null_ops},
    {DEVICE(1, 5), "zero", 0666, &zero_ops},
    {DEVICE(1, 7), "full", 0666, &full_ops},
    {DEVICE(1, 8), "random", 0666, &random_ops},
    {DEVICE(1, 9), "urandom", 0666, &random_ops},
    {DEVICE(5, 0), "tty", 0666, &tty_file_ops},
    {DEVICE(5, 1), "console", 0600, &tty_file_ops},
    {DEVICE(10, 63), "vmstat", 0444, &vmstat_file_ops},
};

void devices_init(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(devices); i++)
        device_register(&devices[i]);
}
