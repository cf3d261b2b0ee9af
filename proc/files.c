// SPDX-License-Identifier: MIT
/*
 * The file floor comes up, and what the tree holds before any archive: /dev with its nodes, /proc, /tmp. Also the one
 * place where a path meets the process that says it. Read next: proc/path.c, proc/ramfs.c.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "proc/devices.h"
#include "proc/path.h"
#include "proc/procfs.h"
#include "proc/ramfs.h"
#include "proc/task.h"
#include "proc/tty.h"

#define SHARE 2 /* files may have one part in this many of memory: as tmpfs has it */

static int add(struct inode *dir, const char *name, struct inode *inode, int err)
{
    if (!inode)
        return err;
    err = ramfs_link(dir, name, (u32)strlen(name), inode);
    inode_put(inode);
    return err;
}

static int add_devices(struct inode *dev)
{
    const struct device *device;
    int err = 0;

    for (u32 i = 0; !err && (device = device_nth(i)) != NULL; i++) {
        struct inode *node = ramfs_make(S_IFCHR | device->permissions, device->rdev, &err);
        err = add(dev, device->name, node, err);
    }
    return err;
}

static int add_links(struct inode *dev)
{
    static const struct {
        const char *name, *target;
    } links[] = {{"fd", "/proc/self/fd"},
                 {"stdin", "/proc/self/fd/0"},
                 {"stdout", "/proc/self/fd/1"},
                 {"stderr", "/proc/self/fd/2"}};
    int err = 0;

    for (u32 i = 0; !err && i < ARRAY_SIZE(links); i++) {
        const char *target = links[i].target;
        struct inode *link = ramfs_make_symlink(target, strlen(target), &err);
        err = add(dev, links[i].name, link, err);
    }
    return err;
}

int files_populate(void)
{
    int err;
    struct inode *root = ramfs_root();
    struct inode *dev = ramfs_make(S_IFDIR | 0755, 0, &err);

    if (!dev)
        return err;
    err = ramfs_link(root, "dev", 3, dev);
    err = err ? err : add_devices(dev);
    err = err ? err : add_links(dev);
    inode_put(dev);
    if (err)
        return err;
    struct inode *tmp = ramfs_make(S_IFDIR | 01777, 0, &err);
    err = add(root, "tmp", tmp, err);
    return err ? err : ramfs_link(root, "proc", 4, procfs_root());
}

void files_init(void)
{
    u64 pages = kernel_buddy.managed / SHARE;

    devices_init();
    tty_init();
    int err = ramfs_init(pages, pages);
    err = err ? err : files_populate();
    if (err)
        port_warn("no memory for the root directory (%s): no programs", errno_name(err));
}

struct inode *files_cwd(void)
{
    struct process *process = current_process();
    return process && process->cwd ? process->cwd : ramfs_root();
}

struct inode *path_lookup(const char *path, bool follow, int *err)
{
    return path_walk(files_cwd(), path, follow ? PATH_FOLLOW : 0, err);
}
