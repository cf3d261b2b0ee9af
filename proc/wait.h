// SPDX-License-Identifier: MIT
/* Sleeping until something is true. Wakers may be interrupt handlers (a key, a tick). */
#ifndef PROC_WAIT_H
#define PROC_WAIT_H

#include "lib/list.h"
#include "lib/types.h"

struct wait_queue {
    struct list_head waiters;
};
#define WAIT_QUEUE_INIT(queue)                                                                     \
    {                                                                                              \
        LIST_HEAD_INIT((queue).waiters)                                                            \
    }
void wait_queue_init(struct wait_queue *queue);
/* Sleep until ready(arg). 0; -EINTR when a signal that is not blocked or ignored is pending; -ETIMEDOUT after
 * `deadline_ns` of clock_ns() (0: never). */
int wait_on(struct wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 deadline_ns);
/* Everybody looks at his condition again. IRQ-safe. */
void wake_all(struct wait_queue *queue);

#endif
