// SPDX-License-Identifier: MIT
/*
 * The list of what the shell's user has allocated, and `areas`, which shows it. The nodes are
 * kmalloc objects. Read next: mm/commands/alloc.c.
 */
#include "mm/commands/owned.h"
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/commands/view.h"
#include "mm/slab.h"

static struct list_head all = LIST_HEAD_INIT(all);
static u64 numbers;

struct owned *owned_add(enum owned_kind kind, vaddr_t address, u64 size, unsigned order)
{
    struct owned *owned = kmalloc(sizeof(*owned), GFP_KERNEL);

    if (!owned)
        return NULL;
    *owned = (struct owned){
        .number = ++numbers, .kind = kind, .address = address, .size = size, .order = order};
    list_add_tail(&owned->link, &all);
    return owned;
}

struct owned *owned_at(enum owned_kind kind, vaddr_t address)
{
    struct owned *owned;

    list_for_each_entry(owned, &all, link)
        if (owned->kind == kind && owned->address == address)
            return owned;
    return NULL;
}

static struct owned *owned_numbered(enum owned_kind kind, u64 number)
{
    struct owned *owned;

    list_for_each_entry(owned, &all, link)
        if (owned->kind == kind && owned->number == number)
            return owned;
    return NULL;
}

int owned_parse(enum owned_kind kind, const char *text, struct owned **out, vaddr_t *address)
{
    u64 number;
    const char *digits = *text == '#' ? text + 1 : text;

    /* No address that anybody could free lies in the first page: small numbers are ordinals. */
    if (parse_size(digits, &number) == 0 && (number < PAGE_SIZE || digits != text)) {
        *out = owned_numbered(kind, number);
        if (*out) {
            *address = (*out)->address;
            return 0;
        }
        print("nothing of that kind has number %lu; `areas` lists what the shell has allocated\n",
              number);
        return -EINVAL;
    }
    if (view_parse_address(text, address))
        return -EINVAL;
    *out = owned_at(kind, *address);
    return 0;
}

struct owned *owned_first(enum owned_kind kind)
{
    struct owned *owned;

    list_for_each_entry(owned, &all, link)
        if (owned->kind == kind)
            return owned;
    return NULL;
}

void owned_forget(struct owned *owned)
{
    list_del(&owned->link);
    kfree(owned);
}

static int areas_run(int argc, char **argv)
{
    static const char *const kinds[] = {"vmalloc", "pages", "kmalloc"};
    struct owned *owned;
    u64 count = 0;

    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    list_for_each_entry(owned, &all, link) {
        if (view_stopped())
            return 0;
        print("%6lu  %-7s  0x%016lx  %8pM", owned->number, kinds[owned->kind], owned->address,
              (void *)&owned->size);
        if (owned->kind == OWNED_PAGES)
            print("  order %u, free with `free-pages %lu`", owned->order, owned->number);
        print("\n");
        count++;
    }
    if (!count)
        print("the shell owns nothing; try `vmalloc 3p`\n");
    return 0;
}
COMMAND(areas, "areas", areas_run, NULL, "areas",
        "what vmalloc, pages and kmalloc have allocated from this shell");
