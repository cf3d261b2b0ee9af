// SPDX-License-Identifier: MIT
/*
 * Many areas: areas [N] makes N (100,000) one-page mappings, neighbours with different rights so that they stay apart,
 * and says what one mmap costs when there are 1,000, 10,000 and 100,000; then it unmaps every other one, fills a hole
 * again, and unmaps the rest. With a tree the cost grows with the logarithm. Runs on Linux too (which stops at 65,530
 * areas: sysctl vm.max_map_count). Ticks of the time stamp counter; under QEMU's -icount: instructions.
 */
#include "user/lab.h"

#define SAMPLE 500 /* mappings per figure */
#define STEP 20    /* even: only every other area is writable */

static void **area;

static void *map_page(unsigned long i)
{
    return mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
}

/* At powers of ten from 1,000 on. */
static int is_milestone(unsigned long n)
{
    while (n >= 10 && n % 10 == 0)
        n /= 10;
    return n == 1;
}

/* Make areas until there are `wanted`; returns how many there are. */
static unsigned long fill(unsigned long wanted)
{
    uint64_t spent = 0;

    for (unsigned long i = 0; i < wanted; i++) {
        uint64_t start = rdtsc();
        area[i] = map_page(i);
        spent += rdtsc() - start;
        if (area[i] == MAP_FAILED) {
            printf("area %lu: %s\n", i, strerror(errno));
            return i;
        }
        if ((i + 1) % SAMPLE)
            continue;
        if (i + 1 >= 1000 && is_milestone(i + 1))
            printf("@areas {\"what\": \"mmap\", \"areas\": %lu, \"ticks\": %lu}\n", i + 1,
                   (unsigned long)(spent / SAMPLE));
        spent = 0;
    }
    return wanted;
}

static void unmap(unsigned long i)
{
    if (munmap(area[i], PAGE))
        die("munmap");
}

int main(int argc, char **argv)
{
    unsigned long wanted = argument(argc, argv, 1, 100000);

    area = calloc(wanted ? wanted : 1, sizeof(*area));
    if (!area)
        die("calloc");
    unsigned long n = fill(wanted);
    for (unsigned long i = 0; i < n; i += STEP) /* are they memory, each its own? */
        *(unsigned long *)area[i] = i;
    for (unsigned long i = 0; i < n; i += STEP)
        if (*(unsigned long *)area[i] != i)
            return printf("area %lu holds %lu\n", i, *(unsigned long *)area[i]), 1;

    uint64_t start = rdtsc();
    for (unsigned long i = 1; i < n; i += 2)
        unmap(i);
    uint64_t holes = n / 2 ? (rdtsc() - start) / (n / 2) : 0;
    void *again = map_page(0);
    printf("@areas {\"what\": \"munmap\", \"areas\": %lu, \"ticks\": %lu}\n", n,
           (unsigned long)holes);
    if (again == MAP_FAILED || munmap(again, PAGE))
        die("filling a hole");
    for (unsigned long i = 0; i < n; i += 2)
        unmap(i);
    printf("%lu areas made and unmade\n", n);
    return n == wanted ? 0 : 1;
}
