// SPDX-License-Identifier: MIT
/*
 * Descriptor tables. F1: slots[i] is NULL or a counted file.  F2: no number from `size` on is in use. A table grows by
 * doubling and never shrinks; processes share one after clone(CLONE_FILES).
 */
#include "proc/fd.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/path.h"
#include "proc/ramfs.h"
#include "proc/task.h"

#define FIRST_SIZE 32

struct fd_slot {
    struct file *file;
    bool close_on_exec;
};

struct fd_table {
    u32 refs;
    int size;
    struct fd_slot *slots;
};

static struct fd_table *table_of_size(int size)
{
    struct fd_table *table = kzalloc(sizeof(*table), GFP_KERNEL);

    if (!table)
        return NULL;
    table->refs = 1;
    table->size = size;
    table->slots = kzalloc((u64)size * sizeof(*table->slots), GFP_KERNEL);
    if (table->slots)
        return table;
    kfree(table);
    return NULL;
}

struct fd_table *fd_table_create(void)
{
    return table_of_size(FIRST_SIZE);
}

struct fd_table *fd_table_copy(struct fd_table *table)
{
    struct fd_table *copy = table_of_size(table->size);

    for (int fd = 0; copy && fd < table->size; fd++) {
        copy->slots[fd] = table->slots[fd];
        if (copy->slots[fd].file)
            file_get(copy->slots[fd].file);
    }
    return copy;
}

void fd_table_get(struct fd_table *table)
{
    table->refs++;
}

/* The slot is empty before the file is put: a release may look at this table. */
static void slot_close(struct fd_slot *slot)
{
    struct file *file = slot->file;

    slot->file = NULL;
    slot->close_on_exec = false;
    file_put(file);
}

void fd_table_put(struct fd_table *table)
{
    if (!table || --table->refs)
        return;
    for (int fd = 0; fd < table->size; fd++)
        slot_close(&table->slots[fd]);
    kfree(table->slots);
    kfree(table);
}

void fd_table_exec(struct fd_table *table)
{
    for (int fd = 0; fd < table->size; fd++)
        if (table->slots[fd].close_on_exec)
            slot_close(&table->slots[fd]);
}

static int grow(struct fd_table *table, int least)
{
    int size = table->size;

    while (size <= least)
        size *= 2;
    struct fd_slot *slots = kzalloc((u64)size * sizeof(*slots), GFP_KERNEL);
    if (!slots)
        return -ENOMEM;
    memcpy(slots, table->slots, (u64)table->size * sizeof(*slots));
    kfree(table->slots);
    table->slots = slots;
    table->size = size;
    return 0;
}

static struct fd_table *current_table(void)
{
    struct process *process = current_process();
    return process ? process->files : NULL;
}

struct file *fd_of(struct fd_table *table, int fd)
{
    return table && fd >= 0 && fd < table->size ? table->slots[fd].file : NULL;
}

struct file *fd_file(int fd)
{
    return fd_of(current_table(), fd);
}

struct file *fd_get(int fd)
{
    struct file *file = fd_file(fd);
    if (file)
        file_get(file);
    return file;
}

int fd_next(struct fd_table *table, int from)
{
    for (int fd = from; table && fd < table->size; fd++)
        if (table->slots[fd].file)
            return fd;
    return -1;
}

static int install(struct fd_table *table, struct file *file, int fd, bool close_on_exec)
{
    int err = fd < table->size ? 0 : grow(table, fd);

    if (err) {
        file_put(file);
        return err;
    }
    slot_close(&table->slots[fd]);
    table->slots[fd] = (struct fd_slot){file, close_on_exec};
    return fd;
}

static int install_lowest(struct fd_table *table, struct file *file, int least, bool close_on_exec)
{
    int fd = least;

    while (fd < table->size && table->slots[fd].file)
        fd++;
    if (fd < FD_LIMIT)
        return install(table, file, fd, close_on_exec);
    file_put(file);
    return -EMFILE;
}

int fd_install(struct file *file, int least, bool close_on_exec)
{
    if (least >= 0 && least < FD_LIMIT)
        return install_lowest(current_table(), file, least, close_on_exec);
    file_put(file);
    return -EINVAL;
}

int fd_install_at(struct file *file, int fd, bool close_on_exec)
{
    if (fd >= 0 && fd < FD_LIMIT)
        return install(current_table(), file, fd, close_on_exec);
    file_put(file);
    return -EBADF;
}

int fd_close(int fd)
{
    struct fd_table *table = current_table();

    if (!fd_of(table, fd))
        return -EBADF;
    slot_close(&table->slots[fd]);
    return 0;
}

int fd_flags(int fd)
{
    return fd_file(fd) ? current_table()->slots[fd].close_on_exec : -EBADF;
}

int fd_set_flags(int fd, bool close_on_exec)
{
    if (!fd_file(fd))
        return -EBADF;
    current_table()->slots[fd].close_on_exec = close_on_exec;
    return 0;
}

int fd_table_open_console(struct fd_table *table)
{
    int err;
    struct inode *console = path_walk(ramfs_root(), "/dev/console", PATH_FOLLOW, &err);
    struct file *file = console ? file_open(console, O_RDWR, &err) : NULL;

    inode_put(console);
    if (!file)
        return err;
    for (int fd = 0; fd < 3; fd++) {
        file_get(file);
        err = install_lowest(table, file, 0, false);
        if (err < 0)
            break;
    }
    file_put(file);
    return err < 0 ? err : 0;
}
