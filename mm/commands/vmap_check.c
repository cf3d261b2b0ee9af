// SPDX-License-Identifier: MIT
/*
 * `vmap check`: every numbered invariant of the kernel's own memory, one line each, with "ok" or
 * with the sentence that the check answers. A check stops at the first thing that is broken, so the
 * lines behind it say that they were not reached. Read next: docs/invariants.md, mm/vmap/vmap.h.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "lib/string.h"
#include "mm/commands/vmap_views.h"

struct law {
    const char *number, *text;
};

static const struct law vmap_laws[] = {
    {"V1", "list order is the in-order walk of the tree, same elements"},
    {"V2", "red-black rules: no red child of red, equal black heights"},
    {"V3", "subtree_max_size is exact at every node"},
    {"V4", "busy, free, lazy and cached ranges tile the space: no gap, no overlap"},
    {"V5", "no two free neighbours touch"},
    {"V6", "find answers at an area's first and last byte, and nowhere else"},
};
static const struct law buddy_laws[] = {
    {"B1", "a free block of order k is aligned to k and on the list of order k only"},
    {"B2", "a free block and its free buddy never coexist"},
    {"B3", "pages managed = free + per-CPU + allocated"},
};
static const struct law page_laws[] = {
    {"P1", "each page of an area has a PTE, each guard page none"}};
static const struct law wx_laws[] = {
    {"P2", "nothing is writable and executable; only text executes"}};
static const struct law slab_laws[] = {
    {"slab", "lists, counts, free chains and poison of every cache"}};

static void print_law(const struct law *law, enum color hue, const char *verdict)
{
    print("  %-4s  %s%s%s  %s\n", law->number, color(hue), verdict, color(COLOR_RESET), law->text);
}

/*
 * Print a group of laws that one check covers. `broken` begins with the number of one of them, or
 * is NULL. A sentence without a number of the group breaks the first. void_mask: bit i is set when
 * law i has no meaning here (no tree, no red and black).
 */
static unsigned print_group(const struct law *laws, unsigned count, const char *broken,
                            u32 void_mask)
{
    unsigned at = 0;

    for (unsigned i = 0; broken && i < count; i++)
        if (strncmp(broken, laws[i].number, strlen(laws[i].number)) == 0)
            at = i;
    for (unsigned i = 0; i < count; i++) {
        if (void_mask & 1U << i)
            print_law(&laws[i], COLOR_DIM, "none  ");
        else if (!broken)
            print_law(&laws[i], COLOR_GREEN, "ok    ");
        else if (i != at)
            print_law(&laws[i], COLOR_DIM, "?     ");
        else
            print_law(&laws[i], COLOR_RED, "BROKEN");
    }
    if (broken)
        print("        %s%s%s\n        (? = not decided: a check stops at what it finds first)\n",
              color(COLOR_RED), broken, color(COLOR_RESET));
    return broken != NULL;
}

static void first_broken_cache(struct kmem_cache *cache, void *ctx)
{
    const char **broken = ctx;
    if (!*broken)
        *broken = kmem_cache_check(cache);
}

/* V2 is about trees and V3 about augmented ones: bits 1 and 2 of vmap_laws. */
static u32 void_laws(const struct vmap_design *design)
{
    u32 mask = design->free_root || design->busy_root ? 0 : 1U << 1;

    return mask | (design->caps & VMAP_CAP_AUGMENTED ? 0 : 1U << 2);
}

unsigned vmap_check_print(struct vmalloc *v)
{
    const char *slab = NULL;
    unsigned broken = print_group(vmap_laws, ARRAY_SIZE(vmap_laws), vmap_space_check(&v->space),
                                  void_laws(v->space.design));

    broken += print_group(buddy_laws, ARRAY_SIZE(buddy_laws), buddy_check(v->buddy), 0);
    /* The instance's check begins with V1 to V6: if those are broken they have been told above. */
    const char *p1 = vmalloc_check_instance(v);
    broken += print_group(page_laws, 1, p1 && p1[0] == 'P' ? p1 : NULL, 0);
    broken +=
        print_group(wx_laws, 1, pt_check_wx(v->pt, (vaddr_t)__text_start, (vaddr_t)__text_end), 0);
    kmem_cache_for_each(first_broken_cache, &slab);
    broken += print_group(slab_laws, 1, slab, 0);
    return broken;
}
