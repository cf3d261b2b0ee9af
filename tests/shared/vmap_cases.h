// SPDX-License-Identifier: MIT
/*
 * Test cases for the vmap designs that run in both worlds: tests/kernel/test_vmap_design.c and
 * tests/host/test_vmap_basic.c include vmap_cases.c and run every case against every design. A case
 * returns NULL, or a sentence that says what went wrong. It works on a private space of its own and
 * leaves nothing behind when it passes. "Bug n" is one that Linux's vmalloc had, retold in its case.
 */
#ifndef TESTS_SHARED_VMAP_CASES_H
#define TESTS_SHARED_VMAP_CASES_H

#include "mm/vmap/vmap.h"

/* What the world lends: memory, any size up to a page. Set before the first case. */
struct vmap_case_world {
    void *(*alloc)(u64 size);
    void (*free)(void *memory);
};
extern const struct vmap_case_world vmap_case_world;

#define VMAP_CASES(X)                                                                              \
    X(refuses_bad_requests)                                                                        \
    X(refuses_bad_spaces)                                                                          \
    X(exact_window_large_alignment)                                                                \
    X(one_aligned_hole)                                                                            \
    X(last_page_of_the_address_space)                                                              \
    X(sizes_near_the_top_do_not_wrap)                                                              \
    X(lowest_again_after_a_lazy_free)                                                              \
    X(small_after_large_alignment)                                                                 \
    X(every_fit_type)                                                                              \
    X(every_alignment_shift)                                                                       \
    X(merges_left_right_both_none)                                                                 \
    X(descriptor_failure_changes_nothing)                                                          \
    X(spare_descriptors)                                                                           \
    X(windows)                                                                                     \
    X(find_at_every_edge)                                                                          \
    X(retired_is_hidden_and_kept)                                                                  \
    X(cached_is_free_and_drained)                                                                  \
    X(visits_in_ascending_order)                                                                   \
    X(shrink_and_grow)                                                                             \
    X(one_page_space)                                                                              \
    X(full_space_and_back)                                                                         \
    X(statistics)                                                                                  \
    X(caller_is_kept)                                                                              \
    X(check_levels)

#define VMAP_CASE_DECLARE(name) const char *vmap_case_##name(const struct vmap_design *design);
VMAP_CASES(VMAP_CASE_DECLARE)

/*
 * `ops` random operations at check level 3: every answer is compared to the page-bitmap oracle, and
 * every invariant verified, after each of them; a broken one is a panic that cites the operation.
 */
const char *vmap_case_random(const struct vmap_design *design, u64 seed, u64 ops);

/* Run one case against every design; its sentence is led by the design's name. */
const char *vmap_case_every_design(const char *(*run)(const struct vmap_design *design));

#endif
