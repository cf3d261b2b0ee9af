// SPDX-License-Identifier: MIT
/*
 * mmap, munmap, mprotect, mremap and brk, one after the other, each with the lines of /proc/self/maps that it made
 * (+) and unmade (-). Runs on Linux too, with other addresses.
 */
#include "user/lab.h"

#include <sys/syscall.h>

#define ROOM 16384

static char before[ROOM], now[ROOM];

static void read_maps(char *to)
{
    FILE *file = fopen("/proc/self/maps", "r");
    if (!file)
        die("/proc/self/maps");
    size_t n = fread(to, 1, ROOM - 1, file);
    to[n] = '\0';
    fclose(file);
}

/* The lines of `text` that `other` does not have, with a sign in front. */
static void print_lines_missing_in(const char *other, const char *text, char sign)
{
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        char copy[256];
        size_t length = strcspn(line, "\n");
        if (length == strlen(line) || length + 1 >= sizeof(copy))
            return;
        memcpy(copy, line, length + 1);
        copy[length + 1] = '\0';
        if (!strstr(other, copy))
            printf("  %c %s", sign, copy);
    }
}

static void step(const char *what)
{
    memcpy(before, now, ROOM);
    read_maps(now);
    printf("%s\n", what);
    print_lines_missing_in(now, before, '-');
    print_lines_missing_in(before, now, '+');
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0); /* no buffer that comes into being between two looks */
    read_maps(now);
    read_maps(now); /* the first may have grown the heap for the FILE */

    char *area = map_apart((void *)0x10000000, 8 * PAGE);
    step("mmap: 8 pages, read and write; no frame belongs to them yet");
    memset(area, 'x', 8 * PAGE);
    step("each written once: frames came by page faults, the areas are the same");
    if (mprotect(area + 2 * PAGE, 2 * PAGE, PROT_READ))
        die("mprotect");
    step("mprotect: pages 2 and 3 read only; one area has become three");
    if (mprotect(area + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE))
        die("mprotect");
    step("mprotect back: neighbours that are alike become one again");
    if (munmap(area + 5 * PAGE, PAGE))
        die("munmap");
    step("munmap of page 5: a hole");
    char *moved =
        mremap(area, 5 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x20000000);
    if (moved == MAP_FAILED)
        die("mremap");
    step("mremap to 64 pages elsewhere: page-table entries moved, bytes did not");
    if (moved[0] != 'x' || moved[4 * PAGE] != 'x' || moved[5 * PAGE] != 0)
        return puts("the content is not what it was"), 1;
    void *fixed = mmap(moved + PAGE, PAGE, PROT_READ,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("mmap there with MAP_FIXED_NOREPLACE: %s\n",
           fixed == MAP_FAILED ? strerror(errno) : "taken!");
    char *heap = (char *)syscall(
        SYS_brk, 0); /* musl's sbrk() refuses: its malloc wants the heap for itself */
    if ((char *)syscall(SYS_brk, heap + 3 * PAGE) != heap + 3 * PAGE)
        die("brk");
    step("brk: the heap has grown by three pages");
    if (munmap(moved, 64 * PAGE) || munmap(area + 6 * PAGE, 2 * PAGE) ||
        (char *)syscall(SYS_brk, heap) != heap)
        die("giving all back");
    step("all given back");
    return fixed != MAP_FAILED;
}
