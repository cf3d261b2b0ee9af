// SPDX-License-Identifier: MIT
/*
 * The stack with which a program begins, as Linux and the System V ABI (3.4.1) lay it out, highest first:
 *
 *   8 zero bytes . path . environment strings . argument strings . "x86_64" . 16 random bytes . (align)
 *   auxiliary vector (AT_NULL last) . NULL . envp[] . NULL . argv[] . argc   <- rsp, a multiple of 16
 */
#include "kernel/cpu.h"
#include "kernel/time.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "mm/vmalloc.h"
#include "proc/elf.h"
#include "proc/exec.h"
#include "proc/random.h"
#include "proc/sched.h"

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31
};

#define PHENT_SIZE 56
#define RANDOM_BYTES 16
#define AUX_WORDS 40

/* Where the parts went. */
struct places {
    vaddr_t at; /* everything above is written */
    vaddr_t path, strings, platform, random;
};

static int push(struct places *places, const void *bytes, u64 size)
{
    places->at -= size;
    return copy_to_user(places->at, bytes, size) ? -ENOMEM : 0;
}

static int push_bytes(struct places *places, const char *path, const struct exec_strings *strings)
{
    u8 random[RANDOM_BYTES];
    u64 zero = 0;
    random_fill(random, sizeof(random));
    int error = push(places, &zero, sizeof(zero));
    error = error ? error : push(places, path, strlen(path) + 1);
    places->path = places->at;
    error = error ? error : push(places, strings->data, strings->used);
    places->strings = places->at;
    error = error ? error : push(places, "x86_64", sizeof("x86_64"));
    places->platform = places->at;
    error = error ? error : push(places, random, sizeof(random));
    places->random = places->at;
    return error;
}

static unsigned fill_aux(u64 *aux, const struct elf_image *image, const struct places *places)
{
    u32 eax, ebx, ecx, hwcap;
    cpuid(1, 0, &eax, &ebx, &ecx, &hwcap);
    const u64 pairs[][2] = {
        {AT_HWCAP, hwcap},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, USER_HZ},
        {AT_PHDR, image->headers},
        {AT_PHENT, PHENT_SIZE},
        {AT_PHNUM, image->header_count},
        {AT_BASE, 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->entry},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_SECURE, 0},
        {AT_RANDOM, places->random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, places->path},
        {AT_PLATFORM, places->platform},
        {AT_NULL, 0},
    };
    _Static_assert(ARRAY_SIZE(pairs) * 2 <= AUX_WORDS, "the auxiliary vector fits");
    memcpy(aux, pairs, sizeof(pairs));
    return ARRAY_SIZE(pairs) * 2;
}

/* n pointers to consecutive strings and a NULL; *address moves behind the strings. */
static u64 *fill_pointers(u64 *to, u32 n, vaddr_t *address, const char **text)
{
    for (u32 i = 0; i < n; i++) {
        u64 size = strlen(*text) + 1;
        *to++ = *address;
        *address += size;
        *text += size;
    }
    *to++ = 0;
    return to;
}

int exec_build_stack(struct program *program, const struct elf_image *image, const char *path,
                     const struct exec_strings *strings)
{
    struct places places = {.at = program->stack_top};
    int error = push_bytes(&places, path, strings);
    u64 words = 1 + strings->argc + 1 + strings->envc + 1 + AUX_WORDS;
    u64 *vector = error ? NULL : kvmalloc(words * sizeof(u64), GFP_KERNEL);
    if (!vector)
        return error ? error : -ENOMEM;
    const char *text = strings->data;
    vaddr_t address = places.strings;
    u64 *end = vector;
    *end++ = strings->argc;
    program->args_start = address;
    end = fill_pointers(end, strings->argc, &address, &text);
    program->args_end = program->env_start = address;
    end = fill_pointers(end, strings->envc, &address, &text);
    program->env_end = address;
    end += fill_aux(end, image, &places);
    u64 size = (u64)(end - vector) * sizeof(u64);
    places.at = align_down(places.at - size, 16) + size; /* so that rsp becomes a multiple of 16 */
    error = push(&places, vector, size);
    kvfree(vector);
    program->stack = places.at;
    return error;
}
