// SPDX-License-Identifier: MIT
/* The console as programs see it: /dev/console and /dev/tty. See proc/file.h for lending it. */
#ifndef PROC_TTY_H
#define PROC_TTY_H

#include "proc/file.h"

extern const struct file_ops tty_file_ops;
void tty_init(void);
/* Bytes that have arrived go through the line discipline: from the idle loop, and whoever has time. IRQ-safe. */
void tty_drain(void);
s32 tty_foreground(void);

#endif
