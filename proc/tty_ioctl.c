// SPDX-License-Identifier: MIT
/*
 * The console's settings and who is in front, by ioctl. Numbers and layouts are Linux's. There is one session with one
 * console: taking it as the controlling terminal, or letting it go, is allowed and changes nothing.
 */
#include "lib/errno.h"
#include "proc/inode.h"
#include "proc/sys_file.h"
#include "proc/task.h"
#include "proc/tty_internal.h"

enum {
    TCGETS = 0x5401,
    TCSETS,
    TCSETSW,
    TCSETSF,
    TCSBRK = 0x5409,
    TCXONC,
    TCFLSH,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP,
    TIOCSPGRP,
    TIOCOUTQ,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ,
    FIONREAD = 0x541b,
    TIOCNOTTY = 0x5422,
    TIOCGSID = 0x5429,
};

struct window_size {
    u16 rows, columns, x_pixels, y_pixels;
};

static s64 set_termios(vaddr_t argument, bool flush)
{
    struct termios termios;
    s64 err = get_user(&termios, argument, sizeof(termios));

    if (err)
        return err;
    tty_drain();
    u64 flags = spin_lock_irqsave(&tty.lock);
    if (flush)
        ldisc_flush(&tty.ldisc);
    ldisc_set(&tty.ldisc, &termios);
    spin_unlock_irqrestore(&tty.lock, flags);
    files_wake(&tty.queue);
    return 0;
}

static s64 get_termios(vaddr_t argument)
{
    u64 flags = spin_lock_irqsave(&tty.lock);
    struct termios termios = tty.ldisc.termios;
    spin_unlock_irqrestore(&tty.lock, flags);
    return put_user(argument, &termios, sizeof(termios));
}

static bool is_member(void *ctx, struct process *process)
{
    s32 *pgid = ctx;

    if (process->pgid != *pgid)
        return true;
    *pgid = 0; /* found */
    return false;
}

static s64 set_foreground(vaddr_t argument)
{
    s32 pgid, wanted;
    s64 err = get_user(&pgid, argument, sizeof(pgid));

    if (err)
        return err;
    if (pgid <= 0)
        return -EINVAL;
    wanted = pgid;
    process_for_each(is_member, &wanted);
    if (wanted)
        return -ESRCH;
    tty_set_foreground(pgid);
    return 0;
}

static s64 get_number(vaddr_t argument, s32 number)
{
    return put_user(argument, &number, sizeof(number));
}

static s64 window(vaddr_t argument, bool set)
{
    struct window_size size = {.rows = tty.rows, .columns = tty.columns};
    s64 err =
        set ? get_user(&size, argument, sizeof(size)) : put_user(argument, &size, sizeof(size));

    if (err || !set)
        return err;
    bool changed = tty.rows != size.rows || tty.columns != size.columns;
    tty.rows = size.rows;
    tty.columns = size.columns;
    if (changed && tty.foreground > 0)
        signal_group(tty.foreground, SIGWINCH);
    return 0;
}

/* 0: input, 1: output (never waits), 2: both. */
static s64 flush(vaddr_t which)
{
    if (which > 2)
        return -EINVAL;
    if (which == 1)
        return 0;
    tty_drain();
    u64 flags = spin_lock_irqsave(&tty.lock);
    ldisc_flush(&tty.ldisc);
    spin_unlock_irqrestore(&tty.lock, flags);
    return 0;
}

static s64 job_control(u32 request, vaddr_t argument)
{
    struct process *process = current_process();

    switch (request) {
    case TIOCGPGRP:
        return get_number(argument, tty.foreground);
    case TIOCSPGRP:
        return set_foreground(argument);
    case TIOCGSID:
        return get_number(argument, process ? process->sid : 0);
    case TIOCSCTTY:
    case TIOCNOTTY:
        return 0;
    default:
        return -ENOTTY;
    }
}

s64 tty_ioctl(struct file *file, u32 request, vaddr_t argument)
{
    (void)file;
    switch (request) {
    case TCGETS:
        return get_termios(argument);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_termios(argument, request == TCSETSF);
    case TCSBRK:
    case TCXONC:
        return 0;
    case TCFLSH:
        return flush(argument);
    case TIOCOUTQ:
        return get_number(argument, 0);
    case TIOCGWINSZ:
    case TIOCSWINSZ:
        return window(argument, request == TIOCSWINSZ);
    case FIONREAD:
        tty_drain();
        return get_number(argument, (s32)ldisc_available(&tty.ldisc));
    default:
        return job_control(request, argument);
    }
}
