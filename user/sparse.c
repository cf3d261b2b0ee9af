// SPDX-License-Identifier: MIT
/*
 * malloc of far more than there is: sparse [MIB [STEP_MIB]], 1 GiB and one page every 4 MiB unless told otherwise. What
 * is not touched costs address space only. Runs on Linux too.
 */
#include "user/lab.h"

int main(int argc, char **argv)
{
    size_t size = argument(argc, argv, 1, 1024) * MIB;
    size_t step = argument(argc, argv, 2, 4) * MIB;
    char *area = malloc(size);

    if (!area)
        die("malloc");
    if (step == 0)
        return fprintf(stderr, "sparse: a step of 0\n"), 2;
    madvise((void *)(((size_t)area + PAGE - 1) & -PAGE), size - PAGE, MADV_NOHUGEPAGE);
    printf("%zu MiB at %p: %ld KiB of it are in memory\n", size / MIB, (void *)area,
           smaps_field(area + PAGE, "Rss:"));
    for (size_t at = 0; at < size; at += step)
        memcpy(area + at, &at, sizeof(at));
    for (size_t at = 0; at < size; at += step) {
        size_t found;
        memcpy(&found, area + at, sizeof(found));
        if (found != at)
            return printf("at %#zx stands %#zx\n", at, found), 1;
    }
    printf("one page in %zu MiB written, all as written: %ld KiB\n", step / MIB,
           smaps_field(area + PAGE, "Rss:"));
    free(area);
    return 0;
}
