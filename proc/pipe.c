// SPDX-License-Identifier: MIT
/*
 * Pipes: a ring of 64 KiB whose pages come when they are written and go when they have been read. Writes of up to
 * PIPE_BUF bytes go in whole or not at all. No lock: nobody else is here between two waits (proc/inode.h).
 * P-1: tail <= head <= tail + PIPE_SIZE.  P-2: each page with unread bytes is there.
 */
#include "proc/pipe.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/inode.h"
#include "proc/task.h"

#define PIPE_PAGES 16u
#define PIPE_SIZE (PIPE_PAGES * PAGE_SIZE)
#define PIPE_BUF 4096u
#define FIONREAD 0x541bu

struct pipe {
    struct inode inode;
    u8 *pages[PIPE_PAGES];
    u64 tail, head; /* next byte to read, next to write; they run freely */
    u32 readers, writers;
    struct wait_queue queue;
};

static struct pipe *pipe_of(const struct file *file)
{
    return container_of(file->inode, struct pipe, inode);
}

static u64 filled(const struct pipe *pipe)
{
    return pipe->head - pipe->tail;
}

static void pipe_free(struct inode *inode)
{
    struct pipe *pipe = container_of(inode, struct pipe, inode);

    for (u32 i = 0; i < PIPE_PAGES; i++)
        kfree(pipe->pages[i]);
    kfree(pipe);
}

/* The page that the reader has just left goes, unless the writer has come round to it already. */
static void free_behind(struct pipe *pipe, u64 old_tail)
{
    u64 number = old_tail / PAGE_SIZE;

    if (pipe->tail / PAGE_SIZE == number || pipe->head > (number + PIPE_PAGES) * PAGE_SIZE)
        return;
    kfree(pipe->pages[number % PIPE_PAGES]);
    pipe->pages[number % PIPE_PAGES] = NULL;
}

static s64 take(struct pipe *pipe, struct io *io)
{
    u64 start = io->done;
    s64 n = 1;

    while (n > 0 && io->done < io->size && filled(pipe)) {
        u64 at = pipe->tail, here = min_u64(PAGE_SIZE - at % PAGE_SIZE, filled(pipe));
        n = io_put(io, pipe->pages[at / PAGE_SIZE % PIPE_PAGES] + at % PAGE_SIZE, here);
        if (n > 0)
            pipe->tail += (u64)n;
        free_behind(pipe, at);
    }
    return io->done > start ? (s64)(io->done - start) : n;
}

static s64 fill(struct pipe *pipe, struct io *io)
{
    u64 start = io->done;
    s64 n = 1;

    while (n > 0 && io->done < io->size && filled(pipe) < PIPE_SIZE) {
        u64 at = pipe->head;
        u8 **page = &pipe->pages[at / PAGE_SIZE % PIPE_PAGES];
        if (!*page && !(*page = kmalloc(PAGE_SIZE, GFP_KERNEL))) {
            n = -ENOMEM;
            break;
        }
        n = io_get(io, *page + at % PAGE_SIZE,
                   min_u64(PAGE_SIZE - at % PAGE_SIZE, PIPE_SIZE - filled(pipe)));
        if (n > 0)
            pipe->head += (u64)n;
    }
    return io->done > start ? (s64)(io->done - start) : n;
}

static bool can_read(void *arg)
{
    struct pipe *pipe = arg;
    return filled(pipe) || !pipe->writers;
}

/* wait_on(), and `ps` says what for. */
static int sleep(struct pipe *pipe, bool (*ready)(void *arg), void *arg)
{
    current_task()->waits_for = "pipe";
    int err = wait_on(&pipe->queue, ready, arg, 0);
    current_task()->waits_for = NULL;
    return err;
}

static s64 pipe_read(struct file *file, struct io *io, u64 *offset)
{
    struct pipe *pipe = pipe_of(file);

    (void)offset;
    while (!filled(pipe)) {
        if (!pipe->writers)
            return 0;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = sleep(pipe, can_read, pipe);
        if (err)
            return err;
    }
    s64 n = take(pipe, io);
    if (n > 0)
        files_wake(&pipe->queue);
    return n;
}

struct wish {
    struct pipe *pipe;
    u64 room;
};

static bool can_write(void *arg)
{
    const struct wish *wish = arg;
    return !wish->pipe->readers || PIPE_SIZE - filled(wish->pipe) >= wish->room;
}

/* Something of the run, or all of it when it is small: bytes, or why not. */
static s64 write_some(struct file *file, struct io *io, u64 room)
{
    struct pipe *pipe = pipe_of(file);
    struct wish wish = {pipe, room};

    while (PIPE_SIZE - filled(pipe) < room && pipe->readers) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = sleep(pipe, can_write, &wish);
        if (err)
            return err;
    }
    if (!pipe->readers)
        return -EPIPE;
    s64 n = fill(pipe, io);
    if (n > 0)
        files_wake(&pipe->queue);
    return n;
}

static s64 pipe_write(struct file *file, struct io *io, u64 *offset)
{
    u64 start = io->done, left = io->size - io->done;
    s64 n = 0;

    (void)offset;
    while (io->done < io->size) {
        n = write_some(file, io, left <= PIPE_BUF ? io->size - io->done : 1);
        if (n <= 0)
            break;
    }
    if (n == -EPIPE)
        signal_process(current_process(), SIGPIPE);
    return io->done > start ? (s64)(io->done - start) : n;
}

static u32 read_poll(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    return (filled(pipe) ? POLLIN | POLLRDNORM : 0) | (pipe->writers ? 0 : POLLHUP);
}

static u32 write_poll(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    if (!pipe->readers)
        return POLLOUT | POLLERR;
    return PIPE_SIZE - filled(pipe) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
}

static struct wait_queue *pipe_queue(struct file *file)
{
    return &pipe_of(file)->queue;
}

static s64 pipe_ioctl(struct file *file, u32 request, vaddr_t argument)
{
    u32 bytes = (u32)filled(pipe_of(file));
    struct io io = {.base = argument, .size = sizeof(bytes), .user = true};

    if (request != FIONREAD)
        return -ENOTTY;
    return io_put(&io, &bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : -EFAULT;
}

static void close_reader(struct file *file)
{
    pipe_of(file)->readers--;
    files_wake(&pipe_of(file)->queue);
}

static void close_writer(struct file *file)
{
    pipe_of(file)->writers--;
    files_wake(&pipe_of(file)->queue);
}

static const struct file_ops read_ops = {
    .name = "pipe",
    .read = pipe_read,
    .ioctl = pipe_ioctl,
    .poll = read_poll,
    .queue = pipe_queue,
    .release = close_reader,
};

static const struct file_ops write_ops = {
    .name = "pipe",
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = write_poll,
    .queue = pipe_queue,
    .release = close_writer,
};

/* By another name of it: /dev/stdin, /proc/PID/fd/N. */
static int pipe_reopen(struct inode *inode, struct file *file)
{
    struct pipe *pipe = container_of(inode, struct pipe, inode);

    switch (file->flags & O_ACCMODE) {
    case O_RDONLY:
        file->ops = &read_ops;
        pipe->readers++;
        return 0;
    case O_WRONLY:
        file->ops = &write_ops;
        pipe->writers++;
        return 0;
    default:
        return -ENXIO;
    }
}

static const struct inode_ops pipe_inode_ops = {
    .name = "pipe", .open = pipe_reopen, .release = pipe_free};

static struct pipe *pipe_new(void)
{
    struct pipe *pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);

    if (!pipe)
        return NULL;
    inode_init(&pipe->inode, &pipe_inode_ops, S_IFIFO | 0600);
    wait_queue_init(&pipe->queue);
    pipe->readers = pipe->writers = 1;
    return pipe;
}

/* The inode goes with the last of its two openings; one that could not be made counts as closed. */
int pipe_create(struct file **reader, struct file **writer, u32 flags)
{
    struct pipe *pipe = pipe_new();

    if (!pipe)
        return -ENOMEM;
    *reader = file_new(&read_ops, &pipe->inode, O_RDONLY | flags);
    *writer = *reader ? file_new(&write_ops, &pipe->inode, O_WRONLY | flags) : NULL;
    inode_put(&pipe->inode);
    if (*writer)
        return 0;
    file_put(*reader);
    return -ENOMEM;
}
