// SPDX-License-Identifier: MIT
/* See files_world.h. One thread, no lock. */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "proc/inode.h"
#include "tests/host/files_world.h"

#define MEMORY (8 * MIB)

static vaddr_t border;
static u64 free_at_start;

void files_world_user_border(vaddr_t at)
{
    border = at;
}

static u64 allowed(vaddr_t address, u64 size)
{
    if (!border)
        return size;
    return address >= border ? 0 : min_u64(size, border - address);
}

u64 copy_to_user(vaddr_t to, const void *from, u64 size)
{
    u64 n = allowed(to, size);
    memcpy((void *)to, from, n);
    return size - n;
}

u64 copy_from_user(void *to, vaddr_t from, u64 size)
{
    u64 n = allowed(from, size);
    memcpy(to, (const void *)from, n);
    return size - n;
}

/* Nobody sleeps here. */
void wake_all(struct wait_queue *queue)
{
    (void)queue;
}

static int add(struct inode *dir, const char *name, u32 mode, u64 rdev)
{
    int err;
    struct inode *inode = ramfs_make(mode, rdev, &err);

    if (!inode)
        return err;
    err = ramfs_link(dir, name, (u32)strlen(name), inode);
    inode_put(inode);
    return err;
}

int files_populate(void)
{
    int err = add(ramfs_root(), "dev", S_IFDIR | 0755, 0);
    struct inode *dev = err ? NULL : ramfs_lookup(ramfs_root(), "dev", 3, &err);

    err = err ? err : add(dev, "null", S_IFCHR | 0666, DEVICE(1, 3));
    inode_put(dev);
    return err ? err : add(ramfs_root(), "tmp", S_IFDIR | 01777, 0);
}

void files_world_open(void)
{
    host_memory_init(MEMORY);
    buddy_init(&kernel_buddy, "Normal", (struct page *)VMEMMAP_BASE, 0, MEMORY / PAGE_SIZE);
    buddy_add_range(&kernel_buddy, 1, MEMORY / PAGE_SIZE);
    slab_init(&kernel_buddy);
    free_at_start = buddy_free_pages(&kernel_buddy);
    border = 0;
    assert_int_equal(ramfs_init(FILES_PAGE_LIMIT, FILES_INODE_LIMIT), 0);
    assert_int_equal(files_populate(), 0);
}

void files_world_close(void)
{
    const char *broken = ramfs_check();

    if (broken)
        fail_msg("%s", broken);
    ramfs_destroy();
    assert_int_equal(ramfs_usage().inodes, 0);
    assert_int_equal(ramfs_usage().pages, 0);
    slab_shrink_all();
    assert_int_equal(buddy_free_pages(&kernel_buddy), free_at_start);
}

static void put(struct archive *a, const void *bytes, u64 size)
{
    if (a->size + size > a->capacity) {
        a->capacity = 2 * (a->size + size);
        a->bytes = realloc(a->bytes, a->capacity);
    }
    memcpy(a->bytes + a->size, bytes, size);
    a->size += size;
}

static void pad(struct archive *a)
{
    while (a->size % 4)
        put(a, "", 1);
}

void archive_add(struct archive *a, const struct archive_entry *entry)
{
    u64 size = entry->content ? entry->size ? entry->size : strlen(entry->content) : 0;
    u32 file = entry->file ? entry->file : ++a->next_file + 1000;
    char header[128];

    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08x%08X%08X%08X%08X%08X%08X%08X%08X",
             file, entry->mode, 10, 20, entry->links ? entry->links : 1, 5, (u32)size, 0, 1,
             entry->rdev_major, entry->rdev_minor, (u32)strlen(entry->name) + 1, 0);
    put(a, header, 110);
    put(a, entry->name, strlen(entry->name) + 1);
    pad(a);
    if (size)
        put(a, entry->content, size);
    pad(a);
}

void archive_end(struct archive *a)
{
    archive_add(a, &(struct archive_entry){.name = "TRAILER!!!"});
}

void archive_free(struct archive *a)
{
    free(a->bytes);
    *a = (struct archive){0};
}
