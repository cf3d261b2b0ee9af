// SPDX-License-Identifier: MIT
/*
 * The kernel's memory, live: vmtop [-1]. What is shown is read from memory that the kernel writes and this program has
 * mapped: /dev/vmstat is a ring of samples in an area of vmalloc_user(), and mmap of it is remap_vmalloc_range(). read()
 * on the device asks for a sample and returns its number; the sample itself is not copied. -1: one picture, no terminal
 * control. Keys: q ends, any other takes a sample now. Only on Vitrine.
 */
#include "user/lab.h"

#include "mm/vmstat_wire.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>

#define COLUMNS 64

static const struct vmstat_ring *ring;
static int device;
static struct termios terminal;

static void map_ring(void)
{
    device = open("/dev/vmstat", O_RDONLY);
    if (device < 0)
        die("/dev/vmstat (there is one on Vitrine only)");
    void *at = mmap(NULL, sizeof(*ring), PROT_READ, MAP_SHARED, device, 0);
    if (at == MAP_FAILED)
        die("mmap of /dev/vmstat");
    ring = at;
    if (ring->magic != VMSTAT_MAGIC || ring->sample_size != sizeof(struct vmstat_sample)) {
        fprintf(stderr, "vmtop: the kernel's ring is another than the one I know\n");
        exit(1);
    }
}

/* The sample with that number, or NULL when it has been overwritten. */
static const struct vmstat_sample *sample_at(uint64_t number)
{
    const struct vmstat_sample *sample = &ring->sample[number % VMSTAT_SAMPLES];
    return __atomic_load_n(&sample->number, __ATOMIC_ACQUIRE) == number + 1 ? sample : NULL;
}

static const struct vmstat_sample *take_sample(void)
{
    uint64_t number;
    if (read(device, &number, sizeof(number)) != sizeof(number))
        die("read of /dev/vmstat");
    return sample_at(number);
}

static void bar(uint64_t part, uint64_t whole, int width)
{
    int full = whole ? (int)((part * (uint64_t)width + whole / 2) / whole) : 0;
    for (int i = 0; i < width; i++)
        putchar(i < full ? '#' : '.');
}

static void line_of(const char *name, uint64_t pages, uint64_t of)
{
    printf("  %-14s %8lu KiB  ", name, (unsigned long)(pages * 4));
    bar(pages, of, 32);
    printf("\n");
}

static void show_pages(const struct vmstat_sample *s)
{
    printf("frames: %lu managed, %lu splits and %lu merges since boot\n", (unsigned long)s->managed,
           (unsigned long)s->splits, (unsigned long)s->merges);
    line_of("free", s->free, s->managed);
    line_of("vmalloc", s->vmalloc, s->managed);
    line_of("slab", s->slab, s->managed);
    line_of("page tables", s->tables, s->managed);
    line_of("programs", s->user, s->managed);
    line_of("files", s->file, s->managed);
    line_of("rest", s->other, s->managed);
}

static void show_orders(const struct vmstat_sample *s)
{
    printf("buddy: free blocks of each order\n ");
    for (int order = 0; order < VMSTAT_ORDERS; order++)
        printf(" %5d", order);
    printf("\n ");
    for (int order = 0; order < VMSTAT_ORDERS; order++)
        printf(" %5lu", (unsigned long)s->blocks[order]);
    printf("\n");
}

/* The part of the region that is in use, a column for each piece of it: # busy, ~ lazy, . free. */
static void show_space(const struct vmstat_sample *s)
{
    char picture[COLUMNS + 1];
    uint64_t start = ring->space_start, end = start + PAGE;

    for (uint32_t i = 0; i < s->ranges; i++)
        if (s->range[i].end > end)
            end = s->range[i].end;
    uint64_t column = (end - start + COLUMNS - 1) / COLUMNS;
    memset(picture, '.', COLUMNS);
    picture[COLUMNS] = '\0';
    for (uint32_t i = 0; i < s->ranges; i++) {
        const struct vmstat_range *range = &s->range[i];
        for (uint64_t at = (range->start - start) / column;
             at * column < range->end - start && at < COLUMNS; at++)
            if (range->kind == VMSTAT_BUSY || picture[at] == '.')
                picture[at] = range->kind == VMSTAT_BUSY ? '#' : '~';
    }
    printf(
        "vmalloc: %lu areas, %lu KiB lazy, %lu free ranges; %lu allocated, %lu freed since boot\n",
        (unsigned long)s->areas, (unsigned long)s->lazy_pages * 4, (unsigned long)s->free_extents,
        (unsigned long)s->allocs, (unsigned long)s->frees);
    printf("  %#lx [%s] %#lx\n", (unsigned long)start, picture, (unsigned long)end);
    if (s->ranges_dropped)
        printf("  %u ranges more\n", s->ranges_dropped);
}

static void show_caches(const struct vmstat_sample *s)
{
    printf("caches: %-20s %8s %8s %8s\n", "", "size", "objects", "pages");
    for (uint32_t i = 0; i < s->caches; i++)
        if (s->cache[i].objects)
            printf("        %-20s %8u %8u %8u\n", s->cache[i].name, s->cache[i].size,
                   s->cache[i].objects, s->cache[i].pages);
}

/* Free memory in the samples that the ring still has, oldest first. */
static void show_history(uint64_t newest)
{
    static const char levels[] = "_.-:=+*#";
    uint64_t first = newest + 1 > VMSTAT_SAMPLES ? newest + 1 - VMSTAT_SAMPLES : 0;

    printf("free memory lately: ");
    for (uint64_t number = first; number <= newest; number++) {
        const struct vmstat_sample *s = sample_at(number);
        if (s)
            putchar(levels[s->managed ? s->free * (sizeof(levels) - 2) / s->managed : 0]);
    }
    printf("\n");
}

static void show(const struct vmstat_sample *sample)
{
    struct vmstat_sample copy = *sample; /* one moment, also while the next is being written */

    printf("vmtop: sample %lu, %lu.%03lu s after boot\n", (unsigned long)copy.number,
           (unsigned long)(copy.ns / 1000000000), (unsigned long)(copy.ns / 1000000 % 1000));
    show_pages(&copy);
    show_orders(&copy);
    show_space(&copy);
    show_caches(&copy);
    show_history(copy.number - 1);
    fflush(stdout);
}

static void restore_terminal(void)
{
    tcsetattr(0, TCSANOW, &terminal);
    printf("\033[?25h");
    fflush(stdout);
}

static void raw_terminal(void)
{
    if (tcgetattr(0, &terminal))
        die("the console");
    struct termios raw = terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    atexit(restore_terminal);
    tcsetattr(0, TCSANOW, &raw);
    printf("\033[?25l\033[2J");
}

int main(int argc, char **argv)
{
    int once = argc > 1 && strcmp(argv[1], "-1") == 0;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char key = 0;

    map_ring();
    if (!once)
        raw_terminal();
    do {
        const struct vmstat_sample *sample = take_sample();
        if (!once)
            printf("\033[H\033[J");
        if (sample)
            show(sample);
        if (once)
            break;
        if (poll(&input, 1, 1000) > 0 && read(0, &key, 1) != 1)
            break;
    } while (key != 'q' && key != 4);
    return 0;
}
