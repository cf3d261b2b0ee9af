// SPDX-License-Identifier: MIT
/* Pipes: two openings of one ring of bytes. */
#ifndef PROC_PIPE_H
#define PROC_PIPE_H

#include "proc/file.h"

/* Both ends, one reference each; flags: O_NONBLOCK or 0. 0 or -ENOMEM. */
int pipe_create(struct file **reader, struct file **writer, u32 flags);

#endif
