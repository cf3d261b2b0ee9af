// SPDX-License-Identifier: MIT
/*
 * The design of Linux 5.2 as merged (Rezki, 2019; commit 68ad4a330433): the free ranges are the data
 * structure. Allocation finds the lowest free range that fits in O(log f) instead of walking over the
 * busy ones. Function names are Linux's where the step is Linux's.
 *
 * Owns struct freetree. No lock of its own: space->lock is held around every call. Keeps V1 (tree
 * and list agree), V2, V3 (subtree_max_size exact), V5 (free neighbours merged), V7 (lowest fit).
 * Read next: free_areas.h, carve and merge; space.c, which wraps it; freelist.c, its draft.
 */
#include "lib/rbtree_augmented.h"
#include "mm/vmap/free_areas.h"

/*
 *  page  0    2       5        8  9      11              16
 *        |####|.......|########|..|######|...............|      # busy    . free
 *
 *   free, a tree by address ...                     busy, a tree by address ...
 *
 *             [8,9) max 5                                   [5,8)
 *            /           \                                 /     \
 *    [2,5) max 3     [11,16) max 5                     [0,2)     [9,11)
 *
 *   ... and a list by address                       ... and a list by address
 *
 *    [2,5) <-> [8,9) <-> [11,16)                     [0,2) <-> [5,8) <-> [9,11)
 *
 * "max" is subtree_max_size: the largest free range in this subtree, the node itself included. It is
 * what makes the search short: a subtree whose max is too small holds no room, and is not entered.
 * Four pages: at the root, the left side has max 3 and is pruned, the root itself is too small, the
 * right side has max 5: [11,16) it is, of which [11,15) is carved from the left edge (LE).
 */

static inline u64 get_subtree_max_size(const struct rb_node *node)
{
    return node ? to_va(node)->subtree_max_size : 0;
}

static inline u64 compute_subtree_max_size(const struct rb_node *node)
{
    return max_u64(vmap_area_size(to_va(node)),
                   max_u64(get_subtree_max_size(node->left), get_subtree_max_size(node->right)));
}

static void set_subtree_max_size(struct rb_node *node, u64 value)
{
    to_va(node)->subtree_max_size = value;
}

RB_DEFINE_AUGMENT(freetree_augment, compute_subtree_max_size, get_subtree_max_size,
                  set_subtree_max_size);

/* The next node above in address order whose left side has just been finished, or NULL. */
static struct rb_node *climb(struct rb_node *node)
{
    struct rb_node *parent = rb_parent(node);

    while (parent && node == parent->right) {
        node = parent;
        parent = rb_parent(node);
    }
    if (parent)
        STEP(CLIMB, to_va(parent)->va_start);
    return parent;
}

/* Why the left side is not entered: word number ... of PRUNE_LEFT. */
static inline u64 why_not_left(const struct rb_node *node, u64 size)
{
    if (!node->left)
        return 0;
    return get_subtree_max_size(node->left) < size ? 1 : 2;
}

/*
 * The lowest place for `size` bytes aligned to `align` in [lo, hi): an in-order walk of the tree that
 * skips what cannot fit.
 *   1. Left first, if something there is large enough, and not all of it lies below lo.
 *   2. Then this node itself. Coming in address order, the first fit is the lowest (V7).
 *   3. A node that reaches up to hi ends the search: all that follow lie above it.
 *   4. Then right, if something there is large enough.
 *   5. Otherwise climb, to the first ancestor that has this subtree on its left; go on with 2 there.
 * No subtree is entered twice, so the search is O(log f) when size alone decides. A large enough
 * range may still not fit because of align, lo or hi; each such range costs up to O(log f) more.
 *
 * Linux 5.2 pruned with size + align - 1 instead of size. Then whatever is large enough fits at any
 * alignment, and steps 3 and 5 are (nearly) never needed; but it passes over ranges that fit exactly,
 * e.g. a 2 MiB-aligned request in a window of just 2 MiB. We prefer the exact answer, always.
 */
static struct vmap_area *find_vmap_lowest_match(struct vmap_space *space, u64 size, u64 align,
                                                vaddr_t lo, vaddr_t hi, vaddr_t *start)
{
    struct freetree *tree = space->state;
    struct rb_node *node = tree->free.root.node;
    struct vmap_area *match = NULL;
    bool left_is_done = false;
    u64 visited = 0;

    STEP(SEARCH, size, align, lo, hi);
    while (node) {
        struct vmap_area *va = to_va(node);

        visited++;
        STEP(VISIT, va->va_start, va->va_end, va->subtree_max_size);
        if (!left_is_done && get_subtree_max_size(node->left) >= size && lo < va->va_start) {
            STEP(GO_LEFT, va->va_start, get_subtree_max_size(node->left));
            node = node->left;
            continue;
        }
        if (!left_is_done)
            STEP(PRUNE_LEFT, va->va_start, get_subtree_max_size(node->left),
                 why_not_left(node, size));
        if (vmap_fit(va->va_start, va->va_end, size, align, lo, hi, start)) {
            STEP(TAKE, va->va_start, va->va_end, *start, size);
            match = va;
            break;
        }
        STEP(NO_FIT, va->va_start, va->va_end, vmap_area_size(va) >= size);
        if (va->va_end >= hi) {
            STEP(STOP, va->va_start, va->va_end);
            break;
        }
        left_is_done = get_subtree_max_size(node->right) < size;
        if (left_is_done)
            STEP(PRUNE_RIGHT, va->va_start, get_subtree_max_size(node->right), node->right != NULL);
        else
            STEP(GO_RIGHT, va->va_start, get_subtree_max_size(node->right));
        node = left_is_done ? climb(node) : node->right;
    }
    if (!match)
        STEP(NO_ROOM, size);
    space->stats.visited = visited;
    return match;
}

static int freetree_init(struct vmap_space *space)
{
    return free_areas_init(space, &freetree_augment);
}

int freetree_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                   struct vmap_area **out)
{
    return free_areas_alloc(space, size, align, lo, hi, out, find_vmap_lowest_match,
                            &freetree_augment);
}

void freetree_retire(struct vmap_space *space, struct vmap_area *area)
{
    free_areas_retire(space, area);
}

struct vmap_area *freetree_find(struct vmap_space *space, vaddr_t addr)
{
    return free_areas_find(space, addr);
}

static void freetree_free(struct vmap_space *space, struct vmap_area *area)
{
    free_areas_free(space, area, &freetree_augment);
}

static int freetree_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return free_areas_shrink(space, area, new_end, &freetree_augment);
}

static int freetree_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return free_areas_grow(space, area, new_end, &freetree_augment);
}

static const char *freetree_check(struct vmap_space *space)
{
    return free_areas_check(space, &freetree_augment);
}

const struct vmap_design vmap_freetree = {
    .name = "freetree",
    .since = "Linux 5.2, 2019",
    .origin = "free ranges in an rbtree augmented with subtree_max_size (Rezki, 68ad4a330433)",
    .caps = VMAP_CAP_LOWEST_FIT | VMAP_CAP_AUGMENTED | VMAP_CAP_FREE_TREE | VMAP_CAP_JOINS_LAZY,
    .state_size = sizeof(struct freetree),
    .init = freetree_init,
    .fini = free_areas_fini,
    .alloc = freetree_alloc,
    .retire = freetree_retire,
    .free = freetree_free,
    .find = freetree_find,
    .for_each = free_areas_for_each,
    .check = freetree_check,
    .shrink = freetree_shrink,
    .grow = freetree_grow,
    .free_root = free_areas_free_root,
    .busy_root = free_areas_busy_root,
};
