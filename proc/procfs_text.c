// SPDX-License-Identifier: MIT
/*
 * Reading a file of /proc: its text is made as a whole by the first read (and again by one from offset 0), so that what
 * a program reads in pieces fits together. Making it may not allocate while it goes through the kernel's lists, so what
 * has no room is only counted, and a second try has a larger buffer. Buffers are kmalloc's while small.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "proc/procfs_internal.h"

#define FIRST_SIZE (2 * PAGE_SIZE)
#define KMALLOC_UP_TO (16 * PAGE_SIZE)
#define TRIES 4 /* between two of them a list may have grown */

void text_add(struct text *text, const char *bytes, u64 length)
{
    if (text->used < text->size)
        memcpy(text->bytes + text->used, bytes, min_u64(length, text->size - text->used));
    text->used += length;
}

void text_print(struct text *text, const char *format, ...)
{
    char *at = text->used < text->size ? text->bytes + text->used : NULL;
    va_list args;

    va_start(args, format);
    text->used += vformat_to(at, at ? text->size - text->used : 0, format, args);
    va_end(args);
}

static void text_free(struct text *text)
{
    if (is_vmalloc_addr(text->bytes))
        vfree(text->bytes);
    else
        kfree(text->bytes);
    text->bytes = NULL;
}

static bool text_reserve(struct text *text, u64 size)
{
    text_free(text);
    text->bytes = size <= KMALLOC_UP_TO ? kmalloc(size, GFP_KERNEL) : vmalloc(size);
    text->size = text->bytes ? size : 0;
    text->used = 0;
    return text->bytes != NULL;
}

static int make_text(const struct inode *inode, struct text *text)
{
    const struct procfs_file *file = inode->detail;
    u64 size = FIRST_SIZE;

    for (unsigned try = 0; try < TRIES; try++) {
        if (!text_reserve(text, size))
            return -ENOMEM;
        struct process *process = inode->pid ? process_find(inode->pid) : NULL;
        if (inode->pid && !process)
            return -ESRCH;
        file->make(text, process);
        if (text->used < text->size) /* one byte of room: the formatter's NUL */
            return 0;
        size = text->used + text->used / 8 + PAGE_SIZE;
    }
    text->used = text->size;
    return 0;
}

static s64 text_read(struct file *file, struct io *io, u64 *offset)
{
    struct text *text = file->data;

    if (!text)
        text = file->data = kzalloc(sizeof(*text), GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    if (!text->bytes || *offset == 0) {
        int err = make_text(file->inode, text);
        if (err)
            return err;
    }
    if (*offset >= text->used)
        return 0;
    s64 n = io_put(io, text->bytes + *offset, text->used - *offset);
    if (n > 0)
        *offset += (u64)n;
    return n;
}

static void text_release(struct file *file)
{
    if (file->data)
        text_free(file->data);
    kfree(file->data);
}

static u32 text_poll(struct file *file)
{
    (void)file;
    return POLLIN | POLLRDNORM;
}

const struct file_ops procfs_file_ops = {
    .name = "proc", .read = text_read, .poll = text_poll, .release = text_release};
