// SPDX-License-Identifier: MIT
/*
 * `storm`: many random calls of the public API, for whoever wants a long life to look at: a trace to
 * replay, a worn address space, a run under vmap.check=3. The same seed makes the same calls. Owns the
 * slots; everything is given back at the end, also after Ctrl-C. Read next: docs/trace.md.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/rng.h"
#include "mm/commands/view.h"
#include "mm/vmalloc.h"

#define SLOTS 1024
#define MAX_OPERATIONS 10000000
#define MAX_PAGES 16      /* of an area, mostly */
#define MAX_ALIGN_SHIFT 6 /* 1 to 64 pages, for one in eight */
#define PURGE_EVERY 256   /* on average */
#define SEED 0x5eed

static struct storm {
    struct rng rng;
    u64 operations, live, seed;
    u64 done, allocated, refused, resized, freed, purged;
    void *slots[SLOTS];
} storm;

static __noinline void storm_alloc(void **slot)
{
    u64 size = (1 + rng_below(&storm.rng, MAX_PAGES)) << PAGE_SHIFT;
    u64 shift = rng_below(&storm.rng, 8) ? 0 : rng_below(&storm.rng, MAX_ALIGN_SHIFT + 1);

    *slot = __vmalloc_node_range(size - rng_below(&storm.rng, PAGE_SIZE), PAGE_SIZE << shift,
                                 VMALLOC_BASE, VMALLOC_END, GFP_KERNEL | __GFP_NOWARN,
                                 PROT_KERNEL_RW, 0, CALLER());
    storm.allocated += *slot != NULL;
    storm.refused += *slot == NULL;
}

static void storm_resize(void **slot)
{
    void *now = vrealloc(*slot, (1 + rng_below(&storm.rng, MAX_PAGES)) << PAGE_SHIFT,
                         GFP_KERNEL | __GFP_NOWARN);

    if (now)
        *slot = now;
    storm.resized += now != NULL;
    storm.refused += now == NULL;
}

static void storm_free(void **slot)
{
    vfree(*slot);
    *slot = NULL;
    storm.freed++;
}

static void storm_step(void)
{
    void **slot = &storm.slots[rng_below(&storm.rng, storm.live)];

    if (rng_below(&storm.rng, PURGE_EVERY) == 0) {
        vm_unmap_aliases();
        storm.purged++;
    } else if (!*slot) {
        storm_alloc(slot);
    } else if (rng_below(&storm.rng, 8) == 0) {
        storm_resize(slot);
    } else {
        storm_free(slot);
    }
}

static int parse(int argc, char **argv)
{
    const char *value;

    storm = (struct storm){.operations = 1000, .live = 256, .seed = SEED};
    for (int i = 1; i < argc; i++) {
        int err;
        if ((value = view_option(argv[i], "live")) != NULL)
            err = view_parse_number("live", value, 1, SLOTS, &storm.live);
        else if ((value = view_option(argv[i], "seed")) != NULL)
            err = view_parse_number("seed", value, 0, ~0UL, &storm.seed);
        else if (i == 1)
            err = view_parse_number("operations", argv[i], 1, MAX_OPERATIONS, &storm.operations);
        else
            return COMMAND_USAGE;
        if (err)
            return err;
    }
    return 0;
}

static int storm_run(int argc, char **argv)
{
    int err = parse(argc, argv);

    if (err)
        return err;
    rng_seed(&storm.rng, storm.seed);
    while (storm.done < storm.operations && !view_stopped()) {
        storm_step();
        storm.done++;
    }
    u64 during = storm.freed;
    for (u64 i = 0; i < storm.live; i++)
        if (storm.slots[i])
            storm_free(&storm.slots[i]);
    print("%lu operations with seed %#lx: %lu allocated, %lu resized, %lu freed, %lu refused, "
          "%lu purges; the %lu that were left are freed\n",
          storm.done, storm.seed, storm.allocated, storm.resized, during, storm.refused,
          storm.purged, storm.freed - during);
    return 0;
}

static const char *storm_complete(int index, unsigned n)
{
    static const char *const words[] = {"live=", "seed=", NULL};
    return index >= 1 ? view_complete(words, n) : NULL;
}
COMMAND(storm, "storm", storm_run, storm_complete, "storm [OPERATIONS] [live=N] [seed=N]",
        "random vmalloc, vfree, vrealloc and purges, with at most live= areas (256) at a time;\n"
        "the same seed makes the same calls. With `make run TRACE=file`: a trace to replay");
