// SPDX-License-Identifier: MIT
/*
 * Inodes: birth, references, times, and the way back from an inode to a path. No lock (proc/inode.h).
 * Read next: proc/ramfs.c (those with content), proc/path.c (from a path to an inode).
 */
#include "proc/inode.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/port.h"
#include "mm/slab.h"

#define DEVICES_MAX 16u

static u64 last_number;
static const struct device *devices[DEVICES_MAX];
static u32 device_count;

u64 files_now(void)
{
    return port_clock_ns();
}

void inode_init(struct inode *inode, const struct inode_ops *ops, u32 mode)
{
    inode->ops = ops;
    inode->refs = 1;
    inode->mode = mode;
    inode->number = ++last_number;
    inode->atime = inode->mtime = inode->ctime = files_now();
}

struct inode *inode_new(const struct inode_ops *ops, u32 mode)
{
    struct inode *inode = kzalloc(sizeof(*inode), GFP_KERNEL);

    if (inode)
        inode_init(inode, ops, mode);
    return inode;
}

void inode_get(struct inode *inode)
{
    ASSERT(inode->refs > 0, "I1: inode %lu is taken with %u references", inode->number,
           inode->refs);
    inode->refs++;
}

void inode_put(struct inode *inode)
{
    if (!inode)
        return;
    ASSERT(inode->refs > 0, "I1: inode %lu is put with %u references", inode->number, inode->refs);
    if (--inode->refs == 0)
        inode->ops->release(inode);
}

u32 inode_mode(const struct inode *inode)
{
    return inode->mode;
}

struct pagestore *inode_store(struct inode *inode)
{
    return inode_is(inode, S_IFREG) && !inode->virtual ? inode->store : NULL;
}

/* Names are collected from the leaf up, so the text grows towards its front. */
void inode_path(struct inode *inode, char *out, u64 size)
{
    char *at = out + size - 1;
    const struct inode *step = inode;

    ASSERT(size >= 16, "inode_path: a buffer of %lu bytes", size);
    *at = '\0';
    for (; step->parent; step = step->parent) {
        u64 length = strlen(step->label);
        if ((u64)(at - out) < length + 1) {
            string_copy(out, size, "(too long)");
            return;
        }
        at -= length;
        memcpy(at, step->label, length);
        *--at = '/';
    }
    if (!inode->label && inode->links == 0)
        string_copy(out, size, "(deleted)");
    else if (*at == '\0')
        string_copy(out, size, "/");
    else
        memmove(out, at, strlen(at) + 1);
}

const char *inode_map_name(struct inode *inode)
{
    char path[512];

    inode_path(inode, path, sizeof(path));
    return pagestore_name(inode_store(inode), path);
}

void device_register(const struct device *device)
{
    ASSERT(device_count < DEVICES_MAX, "device %s is number %u of at most %u", device->name,
           device_count + 1, DEVICES_MAX);
    devices[device_count++] = device;
}

const struct device *device_find(u64 rdev)
{
    for (u32 i = 0; i < device_count; i++)
        if (devices[i]->rdev == rdev)
            return devices[i];
    return NULL;
}

const struct device *device_nth(u32 n)
{
    return n < device_count ? devices[n] : NULL;
}
