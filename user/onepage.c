// SPDX-License-Identifier: MIT
/*
 * One page, from an address that means nothing to a frame of its own: asked for, read, written; `onepage fork` shares it
 * with a child then, which writes first. For tours 8 and 9, which stop in touch_read() and touch_write() and follow the
 * instruction into the kernel. Runs on Linux too.
 */
#include "user/lab.h"

#include <sys/wait.h>

static __attribute__((noinline)) char touch_read(const volatile char *area, unsigned long page)
{
    return area[page * PAGE];
}

static __attribute__((noinline)) void touch_write(volatile char *area, unsigned long page,
                                                  char value)
{
    area[page * PAGE] = value;
}

static void share(char *area)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        touch_write(area, 1, 43); /* a copy: the parent still has the frame */
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    touch_write(area, 1, 44); /* no copy: nobody else has it any more */
}

int main(int argc, char **argv)
{
    char *area = map_apart((void *)0x10000000, 4 * PAGE), before;

    printf("4 pages asked for: %ld KiB in memory\n", smaps_field(area, "Rss:"));
    before = touch_read(area, 1);
    touch_write(area, 1, 42);
    printf("page 1 read (%d) and written (%d): %ld KiB\n", before, touch_read(area, 1),
           smaps_field(area, "Rss:"));
    if (argc > 1 && strcmp(argv[1], "fork") == 0)
        share(area);
    return 0;
}
