// SPDX-License-Identifier: MIT
/*
 * The console behind the line discipline. Bytes arrive in interrupts, in the console's queue (kernel/console.c), and
 * are worked on as soon as echoing them cannot meet a print() that is under way on this CPU: at once as a rule,
 * otherwise by the next reader, writer or idle moment. Lock: tty.lock (irqsave) around the discipline; the output lock
 * is taken inside it, never the other way round. T1: while the kernel shell has the input, the discipline is empty.
 * Read next: proc/ldisc.c (what keys do), proc/tty_ioctl.c (settings and job control).
 */
#include "kernel/console.h"
#include "kernel/lock.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/inode.h"
#include "proc/task.h"
#include "proc/tty_internal.h"

#define CHUNK 512u
#define TENTH_NS 100000000UL
#define CTRL_C 0x03

struct tty tty = {.lock = SPINLOCK_INIT("tty"), .rows = 25, .columns = 80};

static void echo(void *ctx, const char *text, u64 length)
{
    (void)ctx;
    print_bytes(text, length);
}

static void send_signal(void *ctx, int signal)
{
    (void)ctx;
    if (tty.foreground > 0)
        signal_group(tty.foreground, signal);
}

static const struct ldisc_ops ops = {echo, send_signal};

void tty_drain(void)
{
    int byte;

    if (!tty.lent || print_in_progress() || spin_held(&tty.lock))
        return;
    u64 flags = spin_lock_irqsave(&tty.lock);
    while ((byte = console_input_poll()) >= 0)
        ldisc_input(&tty.ldisc, (u8)byte);
    spin_unlock_irqrestore(&tty.lock, flags);
}

static void arrived(void)
{
    tty_drain();
    files_wake(&tty.queue);
}

void tty_init(void)
{
    wait_queue_init(&tty.queue);
    ldisc_init(&tty.ldisc, &ops, NULL);
    idle_hook_register(tty_drain);
}

s32 tty_foreground(void)
{
    return tty.foreground;
}

void tty_set_foreground(s32 pgid)
{
    tty.foreground = pgid;
}

/* What was typed ahead and nobody has read is the shell's; but no Ctrl-C, which was meant for a program. */
static void give_back(void)
{
    static u8 left[LDISC_SIZE];
    u32 count = ldisc_take_all(&tty.ldisc, left, sizeof(left)), kept = 0;

    for (u32 i = 0; i < count; i++)
        if (left[i] != CTRL_C)
            left[kept++] = left[i];
    console_input_unread(left, kept);
}

void tty_lend(bool to_programs)
{
    tty_drain();
    u64 flags = spin_lock_irqsave(&tty.lock);
    tty.lent = to_programs;
    if (to_programs)
        ldisc_init(&tty.ldisc, &ops, NULL);
    else
        give_back();
    tty.foreground = 0;
    console_input_lend(to_programs ? arrived : NULL);
    spin_unlock_irqrestore(&tty.lock, flags);
}

/* Somebody else's group has the console: the caller is stopped until it is in front again. */
static int background_error(void)
{
    struct process *process = current_process();

    if (!process || !tty.foreground || process->pgid == tty.foreground)
        return 0;
    if (signal_is_ignored(SIGTTIN) || signal_group_is_orphaned(process->pgid))
        return -EIO;
    signal_group(process->pgid, SIGTTIN);
    return -EINTR;
}

/* How many bytes a read waits for, and no longer than until when after the first (0: for ever). */
static bool enough(void *arg)
{
    const u32 *wanted = arg;
    return console_input_waits() || ldisc_available(&tty.ldisc) >= *wanted;
}

/* Canonical: a line. Raw: as MIN and TIME say; MIN with TIME counts from the beginning of the wait. */
static int wait_for_input(u64 size)
{
    const struct termios *t = &tty.ldisc.termios;
    bool raw = !(t->local & TERM_ICANON);
    u32 least = raw ? (u32)min_u64(t->keys[KEY_MIN], size) : 1;
    u32 wanted = least ? least : 1;
    u64 patience = raw ? t->keys[KEY_TIME] * TENTH_NS : 0;
    bool timed = patience && (!t->keys[KEY_MIN] || ldisc_available(&tty.ldisc));

    if (ldisc_available(&tty.ldisc) >= wanted)
        return 0;
    if (raw && !least && !patience)
        return -ETIMEDOUT;
    current_task()->waits_for = "terminal";
    int err = wait_on(&tty.queue, enough, &wanted, timed ? clock_ns() + patience : 0);
    current_task()->waits_for = NULL;
    return err;
}

static s64 read_now(u8 *bytes, u64 size)
{
    u64 flags = spin_lock_irqsave(&tty.lock);
    s64 n = ldisc_read(&tty.ldisc, bytes, size);
    spin_unlock_irqrestore(&tty.lock, flags);
    return n;
}

/* Until there is as much as the settings want; -ETIMEDOUT: what there is will have to do. */
static int await(struct file *file, u64 size)
{
    int err = 0;

    for (;;) {
        tty_drain();
        err = background_error();
        u32 available = ldisc_available(&tty.ldisc);
        bool raw = !(tty.ldisc.termios.local & TERM_ICANON);
        u64 least = raw ? min_u64(tty.ldisc.termios.keys[KEY_MIN], size) : 1;
        if (err || (available && available >= least))
            return err;
        if (file->flags & O_NONBLOCK)
            return available ? 0 : -EAGAIN;
        err = wait_for_input(size);
        if (err)
            return err == -EINTR && available && raw ? 0 : err;
    }
}

static s64 tty_read(struct file *file, struct io *io, u64 *offset)
{
    u8 bytes[CHUNK];
    u64 size = min_u64(io->size - io->done, sizeof(bytes));

    (void)offset;
    if (!size)
        return 0;
    int err = await(file, size);
    if (err && err != -ETIMEDOUT)
        return err;
    s64 n = read_now(bytes, size);
    if (n == -EAGAIN)
        return 0;
    return n > 0 ? io_put(io, bytes, (u64)n) : n;
}

static s64 tty_write(struct file *file, struct io *io, u64 *offset)
{
    char bytes[CHUNK];
    u64 start = io->done;
    s64 n = 0;

    (void)file, (void)offset;
    while (io->done < io->size && !(io->done > start && signal_pending())) {
        n = io_get(io, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        print_bytes(bytes, (u64)n);
        tty_drain();
    }
    return io->done > start ? (s64)(io->done - start) : n;
}

static u32 tty_poll(struct file *file)
{
    (void)file;
    tty_drain();
    return POLLOUT | POLLWRNORM | (ldisc_available(&tty.ldisc) ? POLLIN | POLLRDNORM : 0);
}

static struct wait_queue *tty_queue(struct file *file)
{
    (void)file;
    return &tty.queue;
}

const struct file_ops tty_file_ops = {
    .name = "console",
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .queue = tty_queue,
};
