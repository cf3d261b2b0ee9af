// SPDX-License-Identifier: MIT
/* syslog(2), reading only: the kernel's log for dmesg, as "<LEVEL>[SECONDS.MICROSECONDS] TEXT" lines, the newest that
 * have room. Levels are Linux's. */
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/vmalloc.h"
#include "proc/procfs_internal.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"

enum { LOG_CLOSE, LOG_OPEN, LOG_READ_ALL = 3, LOG_UNREAD = 9, LOG_SIZE = 10 };
#define LOG_BYTES (128 * KIB) /* the ring of kernel/printk.c with what is put before each line */

static void add_line(const struct log_line *line, void *ctx)
{
    static const u8 levels[] = {[LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7};
    u64 us = line->time_ns / 1000;

    text_print(ctx, "<%u>[%5lu.%06lu] %s\n", levels[line->level], us / 1000000, us % 1000000,
               line->text);
}

static s64 read_all(vaddr_t out, u64 size)
{
    struct text text = {.bytes = vmalloc(LOG_BYTES), .size = LOG_BYTES};

    if (!text.bytes)
        return -ENOMEM;
    printk_for_each(add_line, &text);
    u64 used = min_u64(text.used, text.size), n = min_u64(used, size);
    s64 result = put_user(out, text.bytes + (used - n), n) ? -EFAULT : (s64)n;
    vfree(text.bytes);
    return result;
}

static s64 sys_syslog(u64 action, u64 out, u64 size, u64 d, u64 e, u64 f)
{
    IGNORE3;
    switch ((u32)action) {
    case LOG_CLOSE:
    case LOG_OPEN:
    case LOG_UNREAD:
        return 0;
    case LOG_SIZE:
        return LOG_BYTES;
    case LOG_READ_ALL:
        return (s32)size < 0 ? -EINVAL : read_all(out, (u32)size);
    default:
        return -EPERM; /* clearing and muting are the kernel shell's */
    }
}
SYSCALL(syslog, 103, "dpu");
