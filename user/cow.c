// SPDX-License-Identifier: MIT
/*
 * Watch pages being shared and copied. A process fills sixteen pages and forks; nothing is copied then, both page tables
 * point to the same frames, read-only. Who writes first gets a copy of that page; who writes last, when nobody shares it
 * any more, keeps the frame. The figures are those of /proc/self/smaps for this one area. Runs on Linux too.
 *
 *   Rss      pages that are here             Shared    ... and mapped by another process as well
 *   Pss      each page divided by its users  Private   ... and mapped by nobody else
 */
#include "user/lab.h"

#include <sys/wait.h>

#define PAGES 16

static void show(const char *who, const char *when, const void *area)
{
    long shared = smaps_field(area, "Shared_Dirty:") + smaps_field(area, "Shared_Clean:");
    long private = smaps_field(area, "Private_Dirty:") + smaps_field(area, "Private_Clean:");

    printf("%-6s  %-28s %4ld KiB  %4ld KiB  %4ld KiB  %4ld KiB\n", who, when,
           smaps_field(area, "Rss:"), smaps_field(area, "Pss:"), shared, private);
    fflush(stdout);
}

/* One byte through a pipe: "your turn". */
static void signal_to(int pipe_end)
{
    if (write(pipe_end, "", 1) != 1)
        die("write");
}

static void wait_for(int pipe_end)
{
    char byte;
    if (read(pipe_end, &byte, 1) != 1)
        die("read");
}

static void child(char *area, int from_parent, int to_parent)
{
    show("child", "just forked", area);
    for (int i = 0; i < 4; i++)
        area[i * PAGE] = 'c';
    show("child", "has written 4 pages", area);
    signal_to(to_parent);
    wait_for(from_parent);
    if (area[0] != 'c' || area[8 * PAGE] != 'p') {
        printf("child   sees what the parent wrote: the pages are not private!\n");
        _exit(1);
    }
    show("child", "parent has written 4 others", area);
    _exit(0);
}

int main(void)
{
    char *area = map_apart((void *)0x10000000, PAGES * PAGE);
    int down[2], up[2], status;

    printf("%-6s  %-28s %8s  %8s  %8s  %8s\n", "who", "when", "Rss", "Pss", "Shared", "Private");
    show("parent", "nothing touched yet", area);
    for (int i = 0; i < PAGES; i++)
        area[i * PAGE] = 'p';
    show("parent", "has written 16 pages", area);
    if (pipe(down) || pipe(up))
        die("pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        child(area, down[0], up[1]);
    wait_for(up[0]);
    show("parent", "child has written 4", area);
    for (int i = 8; i < 12; i++)
        area[i * PAGE] = 'P';
    show("parent", "has written 4 others", area);
    signal_to(down[1]);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    show("parent", "child is gone", area);
    for (int i = 0; i < PAGES; i++)
        area[i * PAGE] = 'P';
    show("parent", "has written all, no copy", area);
    return status != 0;
}
