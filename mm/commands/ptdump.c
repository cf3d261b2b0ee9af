// SPDX-License-Identifier: MIT
/*
 * `ptdump`: the kernel's page tables in the format of Linux's
 * /sys/kernel/debug/page_tables/current_kernel, to the column:
 *   0xSTART-0xEND   SIZE FLAGS LEVEL      FLAGS: USR RW PWT PCD PSE PAT GLB NX, 30 columns
 * Neighbours with equal flags, level and effective permission are one line; a region's beginning is
 * marked ---[ NAME ]---. The W^X verdict (P2) is the last line. Reads only, without the lock.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/layout.h"
#include "mm/pgtable.h"

/* The bits that have a column; accessed and dirty do not separate lines. */
#define SHOWN_BITS                                                                                 \
    (PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_PS | PTE_G | PTE_NX | PTE_PAT_HUGE)

struct marker {
    vaddr_t start;
    const char *name;
};

static const struct marker markers[] = {
    {0, "User Space"},
    {NON_CANONICAL_HIGH, "Kernel Space"},
    {DIRECT_MAP_BASE, "Low Kernel Mapping"},
    {VMALLOC_BASE, "vmalloc() Area"},
    {VMEMMAP_BASE, "Vmemmap"},
    {KERNEL_BASE, "High Kernel Mapping"},
};

struct dump {
    struct pt_run open; /* the line that still grows; size 0: none */
    unsigned marker;    /* the next one to print */
    bool stopped;
};

static void print_flags(char *buf, size_t size, const struct pt_run *run)
{
    pte_t e = run->entry;
    bool large = run->level == 1 || run->level == 2;
    bool pat = run->level == 0 ? e & PTE_PAT_4K : large && e & PTE_PAT_HUGE;

    if (!run->present) {
        format_to(buf, size, "%30s", "");
        return;
    }
    format_to(buf, size, "%s%s%s%s%s%s%s%s", e & PTE_U ? "USR " : "    ", e & PTE_W ? "RW " : "ro ",
              e & PTE_PWT ? "PWT " : "    ", e & PTE_PCD ? "PCD " : "    ",
              large && e & PTE_PS ? "PSE " : "    ", pat ? "PAT " : "    ",
              e & PTE_G ? "GLB " : "    ", e & PTE_NX ? "NX " : "x  ");
}

static void print_open(struct dump *d)
{
    static const char *const levels[PT_LEVELS] = {"pte", "pmd", "pud", "pgd"};
    const char *unit = "KMGTPE";
    u64 size = d->open.size >> 10;
    char flags[32];

    if (!d->open.size)
        return;
    while (!(size & 1023) && unit[1]) {
        size >>= 10;
        unit++;
    }
    print_flags(flags, sizeof(flags), &d->open);
    print("0x%016lx-0x%016lx   %9lu%c %s%s\n", d->open.start, d->open.start + d->open.size, size,
          *unit, flags, levels[d->open.level]);
    d->open.size = 0;
}

static bool same_line(const struct pt_run *a, const struct pt_run *b)
{
    return a->start + a->size == b->start && a->level == b->level && a->present == b->present &&
           (a->entry & SHOWN_BITS) == (b->entry & SHOWN_BITS) && a->writable == b->writable &&
           a->executable == b->executable && a->user == b->user;
}

/* Bit 12 of a 4 KiB entry is a frame bit, not PAT; absent entries have no flags at all. */
static struct pt_run normalised(const struct pt_run *run)
{
    struct pt_run copy = *run;

    if (!run->present)
        copy.entry = 0;
    else if (run->level == 0)
        copy.entry &= ~PTE_PAT_HUGE;
    return copy;
}

static void print_markers(struct dump *d, vaddr_t reached)
{
    bool due = d->marker < ARRAY_SIZE(markers) && reached >= markers[d->marker].start;

    if (due)
        print_open(d);
    for (; d->marker < ARRAY_SIZE(markers) && reached >= markers[d->marker].start; d->marker++)
        print("---[ %s ]---\n", markers[d->marker].name);
}

static bool visit(void *ctx, const struct pt_run *run)
{
    struct dump *d = ctx;
    struct pt_run now = normalised(run);

    print_markers(d, run->start);
    if (d->open.size && same_line(&d->open, &now)) {
        d->open.size += now.size;
        return true;
    }
    print_open(d);
    d->open = now;
    d->stopped = view_stopped();
    return !d->stopped;
}

/* Dump [start, end); end 0 means 2^64. False when the user stopped it. */
static bool dump_range(struct dump *d, vaddr_t start, vaddr_t end)
{
    pt_visit(&kernel_pagetable, start, end, visit, d);
    if (!d->stopped)
        print_open(d);
    return !d->stopped;
}

static void print_verdict(void)
{
    const char *broken = pt_check_wx(&kernel_pagetable, (vaddr_t)__text_start, (vaddr_t)__text_end);

    if (broken)
        print("Checked W+X mappings: FAILED, %s\n", broken);
    else
        print("Checked W+X mappings: passed, no W+X pages found.\n");
}

/* The non-canonical hole has no entries: the two halves are visited one after the other. */
static bool dump_everything(struct dump *d)
{
    return dump_range(d, 0, NON_CANONICAL_LOW) && dump_range(d, NON_CANONICAL_HIGH, 0);
}

static int ptdump_run(int argc, char **argv)
{
    struct dump d = {.marker = 0};
    bool complete;

    if (argc > 2)
        return COMMAND_USAGE;
    if (argc == 1) {
        complete = dump_everything(&d);
    } else if (strcmp(argv[1], "kernel") == 0) {
        d.marker = 1;
        complete = dump_range(&d, NON_CANONICAL_HIGH, 0);
    } else if (strcmp(argv[1], "vmalloc") == 0) {
        d.marker = 3;
        complete = dump_range(&d, VMALLOC_BASE, VMALLOC_END);
    } else {
        return COMMAND_USAGE;
    }
    if (complete)
        print_verdict();
    return 0;
}

static const char *ptdump_complete(int index, unsigned n)
{
    static const char *const words[] = {"kernel", "vmalloc", NULL};
    return index == 1 ? view_complete(words, n) : NULL;
}
COMMAND(ptdump, "ptdump", ptdump_run, ptdump_complete, "ptdump [kernel|vmalloc]",
        "the page tables in the format of Linux's debugfs page_tables, and the W^X verdict");
