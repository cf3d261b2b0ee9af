// SPDX-License-Identifier: MIT
/*
 * The walk, component by component. The rest of the path stands at the end of a buffer of twice a path's size, so
 * that a link's target can be put in front of it in place.
 *   1. take a component off the rest   2. "." stays, ".." goes to the parent   3. look it up
 *   4. a link (the last one: if asked) is replaced by its target   5. otherwise go there
 */
#include "proc/path.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/ramfs.h"

#define BUFFER_SIZE (2 * (u64)PATH_LIMIT)

struct walk {
    struct path_end *end; /* end->dir: where we are */
    char *buffer, *rest;
    u32 flags, links;
};

static void go_to(struct walk *w, struct inode *dir)
{
    inode_put(w->end->dir);
    w->end->dir = dir;
}

/* Step 1: false at the end of the path. A component that is too long is an error. */
static int next_component(struct walk *w)
{
    struct path_end *end = w->end;

    while (*w->rest == '/')
        w->rest++;
    u64 length = 0;
    while (w->rest[length] && w->rest[length] != '/')
        length++;
    if (length > FILE_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(end->name, w->rest, length);
    end->name[length] = '\0';
    end->length = (u32)length;
    w->rest += length;
    end->slash = *w->rest == '/';
    while (*w->rest == '/')
        w->rest++;
    return length > 0;
}

/* Put a link's target, which stands at the front of the buffer, before the rest. */
static int splice(struct walk *w, u64 length)
{
    u64 slash = w->end->slash ? 1 : 0;
    u64 rest = (u64)(w->buffer + BUFFER_SIZE - w->rest);

    if (length + slash + rest > PATH_LIMIT)
        return -ENAMETOOLONG;
    if (slash)
        *--w->rest = '/';
    w->rest -= length;
    memmove(w->rest, w->buffer, length);
    if (*w->rest == '/') {
        inode_get(ramfs_root());
        go_to(w, ramfs_root());
    }
    return 0;
}

/* Step 4. The link's reference is given back. 1: go on there (a link to an object); 0: go on with the rest. */
static int follow_link(struct walk *w, struct inode *link, struct inode **object)
{
    int err = 0;

    *object = NULL;
    if (++w->links > PATH_MAX_LINKS) {
        err = -ELOOP;
    } else if (link->ops->follow) {
        *object = link->ops->follow(link, &err);
    }
    if (!*object && !err) {
        u64 room = (u64)(w->rest - w->buffer);
        s64 length = link->ops->readlink(link, w->buffer, room < PATH_LIMIT ? room : PATH_LIMIT);
        if (length <= 0)
            err = length ? (int)length : -ENOENT;
        else
            err = splice(w, (u64)length);
    }
    inode_put(link);
    return err;
}

/* Steps 2 and 3 for one component: what it names, or NULL and *err. */
static struct inode *look(struct walk *w, int *err)
{
    struct path_end *end = w->end;
    struct inode *found = end->dir;

    *err = -ENOTDIR;
    if (!inode_is(end->dir, S_IFDIR))
        return NULL;
    *err = 0;
    bool up = strcmp(end->name, "..") == 0;
    if (!up && strcmp(end->name, ".") != 0)
        return end->dir->ops->lookup(end->dir, end->name, end->length, err);
    if (up && found->parent)
        found = found->parent;
    inode_get(found);
    end->length = 0;
    return found;
}

/* One component. 0: go on; 1: that was the last; -errno. */
static int step(struct walk *w)
{
    struct path_end *end = w->end;
    int err;
    struct inode *object, *found = look(w, &err);
    bool last = *w->rest == '\0';

    if (!found && err == -ENOENT && last)
        return 1;
    if (!found)
        return err;
    if (inode_is(found, S_IFLNK) && (!last || end->slash || (w->flags & PATH_FOLLOW))) {
        err = follow_link(w, found, &object);
        if (err || !object)
            return err;
        found = object;
        if (last)
            end->length = 0;
    }
    if (!last) {
        go_to(w, found);
        return 0;
    }
    end->inode = found;
    return end->slash && !inode_is(found, S_IFDIR) ? -ENOTDIR : 1;
}

/* The path ended where a directory is: "/", or a link to "/". */
static void end_at_directory(struct path_end *end)
{
    end->inode = end->dir;
    end->length = 0;
    inode_get(end->inode);
}

static int run(struct walk *w)
{
    int err;

    do {
        err = next_component(w);
        if (err == 0) {
            end_at_directory(w->end);
            return 0;
        }
        err = err < 0 ? err : step(w);
    } while (err == 0);
    if (err < 0)
        return err;
    if (w->end->inode && w->end->length == 0)
        go_to(w, w->end->inode), inode_get(w->end->inode);
    return 0;
}

int path_resolve(struct inode *start, const char *path, u32 flags, struct path_end *end)
{
    u64 length = strlen(path);
    struct walk w = {.end = end, .flags = flags};

    *end = (struct path_end){.dir = *path == '/' ? ramfs_root() : start};
    if (length == 0 || !end->dir)
        return -ENOENT;
    if (length >= PATH_LIMIT)
        return -ENAMETOOLONG;
    w.buffer = kmalloc(BUFFER_SIZE, GFP_KERNEL);
    if (!w.buffer)
        return -ENOMEM;
    w.rest = w.buffer + BUFFER_SIZE - length - 1;
    memcpy(w.rest, path, length + 1);
    inode_get(end->dir);
    int err = run(&w);
    kfree(w.buffer);
    if (err)
        path_release(end);
    return err;
}

void path_release(struct path_end *end)
{
    inode_put(end->inode);
    inode_put(end->dir);
    end->dir = end->inode = NULL;
}

struct inode *path_walk(struct inode *start, const char *path, u32 flags, int *err)
{
    struct path_end end;
    struct inode *inode = NULL;

    *err = path_resolve(start, path, flags, &end);
    if (*err)
        return NULL;
    if (end.inode) {
        inode = end.inode;
        inode_get(inode);
    } else {
        *err = -ENOENT;
    }
    path_release(&end);
    return inode;
}
