// SPDX-License-Identifier: MIT
/* What the two halves of the console share. Lock and order: proc/tty.c. */
#ifndef PROC_TTY_INTERNAL_H
#define PROC_TTY_INTERNAL_H

#include "kernel/lock.h"
#include "proc/ldisc.h"
#include "proc/tty.h"

struct tty {
    struct spinlock lock;
    struct ldisc ldisc;
    struct wait_queue queue;
    bool lent;      /* input is for programs */
    s32 foreground; /* the process group that reads and gets the signals; 0: none */
    u16 rows, columns;
};
extern struct tty tty;

s64 tty_ioctl(struct file *file, u32 request, vaddr_t argument);

#endif
