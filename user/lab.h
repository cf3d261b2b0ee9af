// SPDX-License-Identifier: MIT
/*
 * What several of these programs need: the time stamp counter, a way to give up, and a look into /proc/self. Everything
 * here works on Linux as well; that is how the programs were tried first.
 */
#ifndef USER_LAB_H
#define USER_LAB_H

#define _GNU_SOURCE

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
#define MIB (1UL << 20)

/* Under QEMU's -icount: instructions. The fence keeps the measured code inside. */
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* Say what failed and why, and end the process. */
static inline void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void *map_anonymous(size_t size, int prot, int flags)
{
    void *at = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

/* At an address of its own, where no neighbour can join it: what these programs show is easier to read then. */
static inline char *map_apart(void *at, size_t size)
{
    void *got = mmap(at, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got != at)
        die("mmap");
    return got;
}

/* A number from the command line, or what holds without one. */
static inline unsigned long argument(int argc, char **argv, int index, unsigned long otherwise)
{
    return argc > index ? strtoul(argv[index], NULL, 0) : otherwise;
}

/* A field such as "Pss:" of the area that contains `at`, in KiB, from /proc/self/smaps; -1: not there. */
static inline long smaps_field(const void *at, const char *field)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long start, end;
    long value = -1;
    int inside = 0;

    if (!file)
        die("/proc/self/smaps");
    while (value < 0 && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)at >= start && (unsigned long)at < end;
        else if (inside && strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field), NULL, 10);
    }
    fclose(file);
    return value;
}

#endif
