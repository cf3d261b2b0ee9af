// SPDX-License-Identifier: MIT
/*
 * The vmap designs inside the running kernel: the cases of tests/shared/vmap_cases.c, which the host
 * runs too, each against every design, on private spaces with descriptors from the slab; and a random
 * run against the page-bitmap oracle. `selftest vmap` runs this.
 */
#include "kernel/ktest.h"
#include "mm/slab.h"
#include "tests/shared/vmap_cases.c"
#include "tests/shared/vmap_differential.c"

#define RANDOM_OPS 20000       /* for the default design */
#define RANDOM_OPS_OTHERS 5000 /* the host runs a million */
#define TOGETHER_OPS 5000      /* each of them through all designs */

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
/* One a line, because tests run in the order of their lines; the same list as VMAP_CASES. */
KERNEL_CASE(refuses_bad_requests)
KERNEL_CASE(refuses_bad_spaces)
KERNEL_CASE(exact_window_large_alignment)
KERNEL_CASE(one_aligned_hole)
KERNEL_CASE(last_page_of_the_address_space)
KERNEL_CASE(sizes_near_the_top_do_not_wrap)
KERNEL_CASE(lowest_again_after_a_lazy_free)
KERNEL_CASE(small_after_large_alignment)
KERNEL_CASE(every_fit_type)
KERNEL_CASE(every_alignment_shift)
KERNEL_CASE(merges_left_right_both_none)
KERNEL_CASE(descriptor_failure_changes_nothing)
KERNEL_CASE(spare_descriptors)
KERNEL_CASE(windows)
KERNEL_CASE(find_at_every_edge)
KERNEL_CASE(retired_is_hidden_and_kept)
KERNEL_CASE(cached_is_free_and_drained)
KERNEL_CASE(visits_in_ascending_order)
KERNEL_CASE(shrink_and_grow)
KERNEL_CASE(one_page_space)
KERNEL_CASE(full_space_and_back)
KERNEL_CASE(statistics)
KERNEL_CASE(caller_is_kept)
KERNEL_CASE(check_levels)

static const char *random_run(const struct vmap_design *design)
{
    u64 ops = ktest_ops(design == vmap_designs[0] ? RANDOM_OPS : RANDOM_OPS_OTHERS);

    ktest_note("%s: seed %#lx, %lu operations at check level 3", design->name, ktest_seed(), ops);
    return vmap_case_random(design, ktest_seed(), ops);
}

#define COUNT_ONE(case_name) count_##case_name,
enum { VMAP_CASES(COUNT_ONE) CASE_COUNT };
_Static_assert(CASE_COUNT == 24, "a case of VMAP_CASES does not run in the kernel");

KTEST(vmap, random_against_the_oracle)
{
    return vmap_case_every_design(random_run);
}

KTEST(vmap, all_designs_agree)
{
    u64 ops = ktest_ops(TOGETHER_OPS);

    ktest_note("seed %#lx, %lu operations through all designs at once, check level 2", ktest_seed(),
               ops);
    return vmap_differential(ktest_seed(), ops);
}
