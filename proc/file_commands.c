// SPDX-License-Identifier: MIT
/*
 * `ls` and `cat`: the file tree as the kernel shell sees it, without any program. They read only. The first of them
 * unpacks the root file system, as the first program would.
 */
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "proc/inode.h"
#include "proc/rootfs.h"

static struct inode *look_up(const char *path, bool follow)
{
    int err = rootfs_mount();
    struct inode *inode;

    if (err && err != -ENOENT) /* without an archive there are still /dev and /proc */
        print("root file system: %s\n", errno_name(err));
    inode = path_lookup(path, follow, &err);
    if (!inode)
        print("%s: %s\n", path, errno_name(err));
    return inode;
}

/* "drwxr-xr-x" */
static void print_mode(u32 mode)
{
    static const char types[] = "?pc?d?b?-?l?s???", bits[] = "rwxrwxrwx";
    char text[11];

    text[0] = types[mode >> 12 & 15];
    for (u32 i = 0; i < 9; i++)
        text[i + 1] = mode >> (8 - i) & 1 ? bits[i] : '-';
    text[10] = '\0';
    print("%s", text);
}

static void print_entry(struct inode *inode, const char *name, u32 length)
{
    char target[128];

    print_mode(inode->mode);
    print(" %3u ", inode->links);
    if (inode_is(inode, S_IFCHR))
        print("%4lu, %4lu", inode->rdev >> 8, inode->rdev & 0xff);
    else
        print("%10lu", inode_store(inode) ? pagestore_size(inode_store(inode)) : 0);
    print(" %.*s", (int)length, name);
    if (inode_is(inode, S_IFLNK)) {
        s64 n = inode->ops->readlink(inode, target, sizeof(target));
        print(" -> %.*s", n > 0 ? (int)n : 0, target);
    }
    print("\n");
}

/* A sink that prints each entry as it comes. */
struct listing {
    struct dir_sink sink;
    struct inode *dir;
};

static bool take(struct dir_sink *sink, const char *name, u32 length, u64 number __unused,
                 u32 mode __unused, u64 next __unused)
{
    struct listing *listing = container_of(sink, struct listing, sink);
    int err;
    struct inode *inode = listing->dir->ops->lookup(listing->dir, name, length, &err);

    if (inode)
        print_entry(inode, name, length);
    inode_put(inode);
    return !console_interrupted();
}

static int run_ls(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/";

    if (argc > 2)
        return COMMAND_USAGE;
    struct inode *inode = look_up(path, true);
    if (!inode)
        return -ENOENT;
    struct listing listing = {{take}, inode};
    if (inode_is(inode, S_IFDIR))
        inode->ops->iterate(inode, 2, &listing.sink);
    else
        print_entry(inode, path, (u32)strlen(path));
    inode_put(inode);
    return 0;
}
COMMAND(ls, "ls", run_ls, NULL, "ls [PATH]",
        "what is in a directory of the root file system (/dev and /proc are always there)");

static int print_content(struct file *file)
{
    char *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
    s64 n = page ? 1 : -ENOMEM;

    while (n > 0 && !console_interrupted()) {
        struct io io = {.base = (vaddr_t)page, .size = PAGE_SIZE};
        n = file->ops->read(file, &io, &file->offset);
        if (n > 0)
            print_bytes(page, (u64)n);
    }
    kfree(page);
    return n < 0 ? (int)n : 0;
}

static int run_cat(int argc, char **argv)
{
    int err = -EINVAL;

    if (argc != 2)
        return COMMAND_USAGE;
    struct inode *inode = look_up(argv[1], true);
    if (!inode)
        return -ENOENT;
    /* A device would wait for input that the shell itself is to get. */
    struct file *file = inode_is(inode, S_IFREG) ? file_open(inode, O_RDONLY, &err) : NULL;
    inode_put(inode);
    err = file ? print_content(file) : err;
    file_put(file);
    if (err)
        print("%s: %s\n", argv[1], err == -EINVAL ? "not a regular file" : errno_name(err));
    return err;
}
COMMAND(cat, "cat", run_cat, NULL, "cat FILE",
        "the content of a regular file, such as /proc/1/maps or /etc/passwd");
