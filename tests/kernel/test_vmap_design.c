// SPDX-License-Identifier: MIT
/*
 * The vmap designs inside the running kernel: the cases of tests/shared/vmap_cases.c, which the host
 * runs too, each against every design, on private spaces with descriptors from the slab; and a random
 * run against the page-bitmap oracle. `selftest vmap` runs this.
 */
#include "kernel/ktest.h"
#include "mm/slab.h"
#include "tests/shared/vmap_cases.c"

#define RANDOM_OPS 20000

static void *slab_alloc(u64 size)
{
    return kmalloc(size, GFP_KERNEL);
}

static void slab_free(void *memory)
{
    kfree(memory);
}

const struct vmap_case_world vmap_case_world = {slab_alloc, slab_free};

#define KERNEL_CASE(case_name)                                                                     \
    KTEST(vmap, case_name)                                                                         \
    {                                                                                              \
        return vmap_case_every_design(vmap_case_##case_name);                                      \
    }
VMAP_CASES(KERNEL_CASE)

static const char *random_run(const struct vmap_design *design)
{
    ktest_note("%s: seed %#lx, %u operations at check level 3", design->name, ktest_seed(),
               RANDOM_OPS);
    return vmap_case_random(design, ktest_seed(), RANDOM_OPS);
}

KTEST(vmap, random_against_the_oracle)
{
    return vmap_case_every_design(random_run);
}
