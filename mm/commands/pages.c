// SPDX-License-Identifier: MIT
/*
 * Commands that act on page frames and small objects: `pages`, `free-pages`, `kmalloc`, `kfree`.
 * What the buddy split or merged on the way is shown from its counters. Misuse goes through to the
 * allocators, which refuse it with a report. Read next: mm/buddy.h, mm/slab.h.
 */
#include "kernel/command.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/commands/owned.h"
#include "mm/commands/view.h"
#include "mm/slab.h"

static int allocate_pages(const char *text)
{
    u64 order, splits = kernel_buddy.stats.splits;

    if (view_parse_number("order", text, 0, MAX_ORDER, &order))
        return -EINVAL;
    struct page *page = alloc_pages(GFP_KERNEL, (unsigned)order);
    if (!page) {
        print("no free block of order %lu or above; `buddyinfo` shows what there is\n", order);
        return -ENOMEM;
    }
    struct owned *owned =
        owned_add(OWNED_PAGES, (vaddr_t)page_address(page), PAGE_SIZE << order, (unsigned)order);
    if (!owned) {
        free_pages(page, (unsigned)order);
        print("no memory to remember the block: freed again\n");
        return -ENOMEM;
    }
    pfn_t pfn = page_to_pfn(page);
    splits = kernel_buddy.stats.splits - splits;
    print("%6lu  frames [%#lx, %#lx), physical %#lx, direct map 0x%016lx; %lu block%s split\n",
          owned->number, pfn, pfn + (1UL << order), page_to_phys(page), owned->address, splits,
          view_plural(splits));
    if (order < MAX_ORDER)
        print("        its buddy starts at frame %#lx (%#lx with bit %lu flipped)\n",
              pfn ^ 1UL << order, pfn, order);
    return 0;
}

/* The block that the user means by frame number and order; freed as typed, right or wrong. */
static int free_frame(u64 pfn, u64 order)
{
    if (pfn < kernel_buddy.start || pfn >= kernel_buddy.end) {
        print("frame %#lx is outside of RAM: [%#lx, %#lx)\n", pfn, kernel_buddy.start,
              kernel_buddy.end);
        return -EINVAL;
    }
    struct page *page = pfn_to_page(pfn);
    struct owned *owned = owned_at(OWNED_PAGES, (vaddr_t)page_address(page));
    if (!owned && page->state == PAGE_USED) {
        print("frame %#lx serves %s and was not allocated by the shell\n", pfn,
              page_use_name(page->use));
        return -EPERM;
    }
    u64 reports = report_count(), merges = kernel_buddy.stats.merges;
    free_pages(page, (unsigned)order);
    if (report_count() != reports)
        return -EINVAL;
    if (owned)
        owned_forget(owned);
    merges = kernel_buddy.stats.merges - merges;
    print("freed; merged %lu time%s with a free buddy\n", merges, view_plural(merges));
    return 0;
}

/* free-pages N | PFN ORDER */
static int free_words(int argc, char **argv)
{
    struct owned *owned;
    vaddr_t address;
    u64 pfn, order;

    if (argc == 1) {
        if (owned_parse(OWNED_PAGES, argv[0], &owned, &address))
            return -EINVAL;
        if (owned)
            return free_frame(virt_to_phys((void *)address) >> PAGE_SHIFT, owned->order);
        print("%#lx is not a block of the shell; `areas` lists them\n", address);
        return -EINVAL;
    }
    if (argc != 2)
        return COMMAND_USAGE;
    if (view_parse_number("frame", argv[0], 0, ~0UL >> PAGE_SHIFT, &pfn) ||
        view_parse_number("order", argv[1], 0, MAX_ORDER, &order))
        return -EINVAL;
    return free_frame(pfn, order);
}

static int pages_run(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "free") == 0)
        return free_words(argc - 2, argv + 2);
    return argc == 2 ? allocate_pages(argv[1]) : COMMAND_USAGE;
}

static const char *pages_complete(int index, unsigned n)
{
    static const char *const words[] = {"free", NULL};
    return index == 1 ? view_complete(words, n) : NULL;
}
COMMAND(pages, "pages", pages_run, pages_complete,
        "pages ORDER | pages free N | pages free PFN ORDER",
        "allocate 2^ORDER page frames from the buddy (0..10), or give them back");

static int free_pages_run(int argc, char **argv)
{
    return free_words(argc - 1, argv + 1);
}
COMMAND(free_pages, "free-pages", free_pages_run, NULL, "free-pages N | free-pages PFN ORDER",
        "give a block of page frames back: by its number in `areas`, or by frame and order");

static int kmalloc_run(int argc, char **argv)
{
    u64 size;

    if (argc != 2)
        return COMMAND_USAGE;
    if (view_parse_number("size", argv[1], 0, ~0UL, &size))
        return -EINVAL;
    void *object = kmalloc(size, GFP_KERNEL);
    if (!object) {
        print("kmalloc returned NULL: %s\n", size == 0 ? "0 bytes are no object"
                                             : size > PAGE_SIZE << MAX_ORDER
                                                 ? "more than the largest block, 4 MiB"
                                                 : "no memory");
        return -ENOMEM;
    }
    struct owned *owned = owned_add(OWNED_KMALLOC, (vaddr_t)object, size, 0);
    if (!owned) {
        kfree(object);
        print("no memory to remember the object: freed again\n");
        return -ENOMEM;
    }
    u64 usable = ksize(object);
    print("%6lu  0x%016lx  %lu bytes asked for, %lu usable\n", owned->number, owned->address, size,
          usable);
    return 0;
}
COMMAND(kmalloc, "kmalloc", kmalloc_run, NULL, "kmalloc SIZE",
        "allocate a small object from the slab; `whatis ADDR` tells which cache it is from");

static int kfree_run(int argc, char **argv)
{
    struct owned *owned;
    vaddr_t address;

    if (argc != 2)
        return COMMAND_USAGE;
    if (owned_parse(OWNED_KMALLOC, argv[1], &owned, &address))
        return -EINVAL;
    if (!owned && ksize((void *)address)) {
        print("%#lx was not allocated by the shell; `areas` lists what was\n", address);
        return -EPERM;
    }
    u64 reports = report_count();
    kfree((void *)address);
    if (owned)
        owned_forget(owned);
    if (report_count() != reports)
        return -EINVAL;
    print("freed\n");
    return 0;
}
COMMAND(kfree, "kfree", kfree_run, NULL, "kfree ADDR|N", "free an object by address or number");
