// SPDX-License-Identifier: MIT
/*
 * The search of Linux's free tree as Linux writes it, with the length to look for as an argument of its
 * own: that is what 5.2, 5.16 and 5.17 disagree about (freetree_history.c). It asks for the lower limit
 * only; the upper one is compared with the answer. freetree.c has a search of ours beside it, which gives
 * the same answer for length = size, stops at the upper limit, and never looks at a node again on its
 * way up.
 *
 * No lock of its own: space->lock is held. Needs V2 and V3. Read next: mm/vmap/freetree_history.c.
 */
#ifndef MM_VMAP_FREETREE_SEARCH_H
#define MM_VMAP_FREETREE_SEARCH_H

#include "mm/vmap/freetree.h"

static inline u64 subtree_max_below(const struct rb_node *node)
{
    return node ? to_va(node)->subtree_max_size : 0;
}

/* Why a side is not entered: word number ... of PRUNE_LEFT and PRUNE_RIGHT. */
static inline u64 why_pruned(const struct rb_node *side, u64 length, u64 size, u64 otherwise)
{
    if (!side)
        return 0;
    if (subtree_max_below(side) >= length)
        return otherwise;
    return subtree_max_below(side) < size ? 1 : 3;
}

/*
 * The first free range in address order, among those that are reached by following subtrees of at least
 * `length`, in which `size` bytes aligned to `align` fit at or above lo.
 *   1. Left, if there is enough on that side and it does not lie below lo altogether.
 *   2. Otherwise this node, if it fits. 3. Otherwise right, if there is enough.
 *   4. Otherwise climb. Each ancestor may fit itself, or have enough on its right; then lo moves behind
 *      its start, so that step 1 does not lead down its left side again.
 * With length = size it is the lowest fit (V7), but a large `align` makes it look at many in vain. With
 * length = size + align - 1 whatever is long enough fits, and what would fit exactly is passed over.
 */
static inline struct vmap_area *search_free_tree(const struct area_set *free, u64 length, u64 size,
                                                 u64 align, vaddr_t lo, u64 *visited,
                                                 vaddr_t *start)
{
    struct rb_node *node = free->root.node;

    while (node) {
        struct vmap_area *va = to_va(node);

        ++*visited;
        STEP(VISIT, va->va_start, va->va_end, va->subtree_max_size);
        if (subtree_max_below(node->left) >= length && lo < va->va_start) {
            STEP(GO_LEFT, va->va_start, subtree_max_below(node->left));
            node = node->left;
            continue;
        }
        STEP(PRUNE_LEFT, va->va_start, subtree_max_below(node->left),
             why_pruned(node->left, length, size, 2));
        if (vmap_fit(va->va_start, va->va_end, size, align, lo, va->va_end, start))
            return va;
        STEP(NO_FIT, va->va_start, va->va_end, vmap_area_size(va) >= size);
        if (subtree_max_below(node->right) >= length) {
            STEP(GO_RIGHT, va->va_start, subtree_max_below(node->right));
            node = node->right;
            continue;
        }
        STEP(PRUNE_RIGHT, va->va_start, subtree_max_below(node->right),
             why_pruned(node->right, length, size, 2));
        while ((node = rb_parent(node))) {
            va = to_va(node);
            ++*visited;
            STEP(CLIMB, va->va_start);
            STEP(VISIT, va->va_start, va->va_end, va->subtree_max_size);
            if (vmap_fit(va->va_start, va->va_end, size, align, lo, va->va_end, start))
                return va;
            STEP(NO_FIT, va->va_start, va->va_end, vmap_area_size(va) >= size);
            if (subtree_max_below(node->right) >= length && lo <= va->va_start) {
                STEP(GO_RIGHT, va->va_start, subtree_max_below(node->right));
                lo = va->va_start + 1;
                node = node->right;
                break;
            }
            STEP(PRUNE_RIGHT, va->va_start, subtree_max_below(node->right),
                 why_pruned(node->right, length, size, 2));
        }
    }
    return NULL;
}

#endif
