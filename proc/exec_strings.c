// SPDX-License-Identifier: MIT
/* The arguments and the environment of a program to be, gathered in kernel memory before its space exists. */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "mm/vmalloc.h"
#include "proc/exec.h"

/* Room for `more` bytes; the buffer doubles. */
static int reserve(struct exec_strings *strings, u64 more)
{
    u64 need = strings->used + more, capacity = max_u64(strings->capacity, PAGE_SIZE);
    if (need > ARGUMENTS_MAX)
        return -E2BIG;
    while (capacity < need)
        capacity *= 2;
    if (capacity == strings->capacity)
        return 0;
    char *data = vrealloc(strings->data, capacity, GFP_KERNEL);
    if (!data)
        return -ENOMEM;
    strings->data = data;
    strings->capacity = capacity;
    return 0;
}

int exec_add_string(struct exec_strings *strings, const char *text, bool environment)
{
    u64 size = strlen(text) + 1;
    int error = reserve(strings, size);
    if (error)
        return error;
    memcpy(strings->data + strings->used, text, size);
    strings->used += size;
    if (environment)
        strings->envc++;
    else
        strings->argc++;
    return 0;
}

int exec_add_user_string(struct exec_strings *strings, vaddr_t text, bool environment)
{
    s64 length = -ENAMETOOLONG;
    int error = reserve(strings, 1);
    while (!error && length == -ENAMETOOLONG) {
        u64 room = strings->capacity - strings->used;
        length = strncpy_from_user(strings->data + strings->used, text, room);
        if (length == -ENAMETOOLONG)
            error = reserve(strings, room + 1);
    }
    if (error || length < 0)
        return error ? error : (int)length;
    strings->used += (u64)length + 1;
    strings->argc += !environment;
    strings->envc += environment;
    return 0;
}

int exec_replace_first(struct exec_strings *strings, const char *const *words, u32 count)
{
    u64 first = strings->argc ? strlen(strings->data) + 1 : 0, size = 0;
    for (u32 i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    int error = reserve(strings, size);
    if (error)
        return error;
    memmove(strings->data + size, strings->data + first, strings->used - first);
    strings->used += size - first;
    strings->argc += count - (first ? 1 : 0);
    char *at = strings->data;
    for (u32 i = 0; i < count; i++) {
        u64 length = strlen(words[i]) + 1;
        memcpy(at, words[i], length);
        at += length;
    }
    return 0;
}

void exec_strings_free(struct exec_strings *strings)
{
    vfree(strings->data);
    *strings = (struct exec_strings){0};
}
