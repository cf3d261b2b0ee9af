// SPDX-License-Identifier: MIT
/*
 * libFuzzer feeds the cpio reader and the unpacker (clang, ASan, UBSan). What is below the ramfs is libc's malloc here,
 * so that ASan sees every byte of every object; its first input byte says which allocation fails. After each input: the
 * reader has never looked outside the archive (ASan), the tree holds its invariants, and nothing is left of it.
 * Run: build/host/fuzz_cpio [-runs=N] [CORPUS].
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "proc/cpio.h"
#include "proc/ramfs.h"

#define LIMIT 1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u64 allocations_left;

static bool out_of_memory(void)
{
    return allocations_left && --allocations_left == 0;
}

void *kmalloc(u64 size, gfp_t gfp)
{
    (void)gfp;
    return out_of_memory() ? NULL : malloc(size);
}

void *kzalloc(u64 size, gfp_t gfp)
{
    (void)gfp;
    return out_of_memory() ? NULL : calloc(1, size);
}

void kfree(const void *object)
{
    free((void *)object);
}

/* A store as simple as can be: one block. */
struct pagestore {
    u8 *bytes;
    u64 size;
};

struct pagestore *pagestore_create(void)
{
    return kzalloc(sizeof(struct pagestore), 0);
}

void pagestore_put(struct pagestore *store)
{
    free(store->bytes);
    free(store);
}

u64 pagestore_size(const struct pagestore *store)
{
    return store->size;
}

u64 pagestore_pages(const struct pagestore *store)
{
    return (store->size + PAGE_SIZE - 1) / PAGE_SIZE;
}

struct page *pagestore_page(struct pagestore *store, u64 index, bool create)
{
    static struct page page;
    (void)create;
    return index < pagestore_pages(store) ? &page : NULL;
}

int pagestore_resize(struct pagestore *store, u64 size)
{
    u8 *bytes = out_of_memory() ? NULL : realloc(store->bytes, size + 1);

    if (!bytes)
        return -ENOMEM;
    store->bytes = bytes;
    store->size = size;
    return 0;
}

s64 pagestore_write(struct pagestore *store, u64 offset, const void *from, u64 size)
{
    int err = offset + size > store->size ? pagestore_resize(store, offset + size) : 0;

    if (err)
        return err;
    memcpy(store->bytes + offset, from, size);
    return (s64)size;
}

s64 pagestore_read(struct pagestore *store, u64 offset, void *to, u64 size)
{
    memcpy(to, store->bytes + offset, size);
    return (s64)size;
}

const char *pagestore_name(struct pagestore *store, const char *text)
{
    (void)store;
    return text;
}

u64 copy_to_user(vaddr_t to, const void *from, u64 size)
{
    (void)to, (void)from;
    return size;
}

u64 copy_from_user(void *to, vaddr_t from, u64 size)
{
    (void)to, (void)from;
    return size;
}

void wake_all(struct wait_queue *queue)
{
    (void)queue;
}

int files_populate(void)
{
    return 0;
}

u64 port_clock_ns(void)
{
    return 0;
}

void port_warn(const char *format, ...)
{
    (void)format;
}

void assert_failed(const char *file, int line, const char *expression, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, expression);
    vfprintf(stderr, format, args);
    va_end(args);
    abort();
}

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static int read_all(const u8 *bytes, u64 size)
{
    struct cpio_reader reader;
    struct cpio_entry entry;
    int more;

    cpio_open(&reader, bytes, size);
    while ((more = cpio_next(&reader, &entry)) > 0)
        require(entry.content >= bytes && entry.content + entry.size <= bytes + size,
                "content inside the archive");
    require(more == 0 || reader.error, "an error that says why");
    require(reader.header <= size, "an offset inside the archive");
    return more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    int readable = read_all(data + 1, size - 1);
    require(ramfs_init(LIMIT, LIMIT) == 0, "a root");
    allocations_left = data[0];
    int err = ramfs_unpack(data + 1, size - 1);
    allocations_left = 0;
    require(readable == 0 || err == readable, "the unpacker refuses what the reader refuses");
    const char *broken = ramfs_check();
    require(!broken, broken);
    ramfs_destroy();
    require(ramfs_usage().inodes == 0 && ramfs_usage().pages == 0, "nothing left");
    return 0;
}
