// SPDX-License-Identifier: MIT
/* ELF files made by hand, started and awaited. See the header. */
#include "tests/kernel/programs.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/slab.h"
#include "proc/launch.h"
#include "proc/task.h"

#define PHDR_OFFSET 64

struct tiny_headers {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    struct {
        u32 type, flags;
        u64 offset, address, physical, file_size, memory_size, align;
    } segment[2];
};
_Static_assert(offsetof(struct tiny_headers, segment) == PHDR_OFFSET, "Elf64_Ehdr");
_Static_assert(sizeof(struct tiny_headers) == TINY_HEADERS_SIZE, "Elf64_Ehdr and two Elf64_Phdr");

void tiny_elf(u8 *out, const void *code, u64 size)
{
    struct tiny_headers headers = {
        .ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
        .type = 2,
        .machine = 62,
        .version = 1,
        .entry = TINY_BASE + TINY_CODE_OFFSET,
        .phoff = PHDR_OFFSET,
        .ehsize = PHDR_OFFSET,
        .phentsize = sizeof(headers.segment[0]),
        .phnum = 2,
        .segment = {{1, 5, 0, TINY_BASE, 0, TINY_ELF_SIZE(size), TINY_ELF_SIZE(size), PAGE_SIZE},
                    {1, 6, 0, TINY_BASE + MIB, 0, 0, PAGE_SIZE, PAGE_SIZE}},
    };
    memset(out, 0, TINY_CODE_OFFSET);
    memcpy(out, &headers, sizeof(headers));
    memcpy(out + TINY_CODE_OFFSET, code, size);
}

struct process *tiny_start_file(const u8 *file, u64 size, const char *name)
{
    struct pagestore *store = pagestore_create();
    if (!store)
        return NULL;
    struct process *process = NULL;
    if (pagestore_write(store, 0, file, size) == (s64)size)
        process = process_launch_store(store, name);
    pagestore_put(store);
    return process;
}

struct process *tiny_start(const void *code, u64 size, const char *name)
{
    u8 *file = kmalloc(TINY_ELF_SIZE(size), GFP_KERNEL);
    if (!file)
        return NULL;
    tiny_elf(file, code, size);
    struct process *process = tiny_start_file(file, TINY_ELF_SIZE(size), name);
    kfree(file);
    return process;
}

void tiny_settle(void)
{
    while (process_count())
        schedule();
}

s32 tiny_run(const void *code, u64 size, const char *name)
{
    struct process *process = tiny_start(code, size, name);
    if (!process)
        return -1;
    s32 status = process_await(process);
    tiny_settle();
    return status;
}
