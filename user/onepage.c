// SPDX-License-Identifier: MIT
/*
 * One page, from an address that means nothing to a frame of its own: asked for, read, written. For tour 8, which stops in
 * touch_read() and touch_write() and follows each instruction into the kernel. Runs on Linux too.
 */
#include "user/lab.h"

static __attribute__((noinline)) char touch_read(const volatile char *area, unsigned long page)
{
    return area[page * PAGE];
}

static __attribute__((noinline)) void touch_write(volatile char *area, unsigned long page,
                                                  char value)
{
    area[page * PAGE] = value;
}

int main(void)
{
    char *area = map_apart((void *)0x10000000, 4 * PAGE), before;

    printf("4 pages asked for: %ld KiB in memory\n", smaps_field(area, "Rss:"));
    before = touch_read(area, 1);
    touch_write(area, 1, 42);
    printf("page 1 read (%d) and written (%d): %ld KiB\n", before, touch_read(area, 1),
           smaps_field(area, "Rss:"));
    return 0;
}
