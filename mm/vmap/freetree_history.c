// SPDX-License-Identifier: MIT
/*
 * What happened to the free tree between its arrival and today: variants of freetree that differ from it
 * in one decision each, selectable as `vmap=freetree52` and so on, and by name in private spaces. Carving
 * and merging are those of freetree (free_areas.h); here are the length that the search looks for, and
 * when the descriptors are allocated.
 *
 * Owns struct freetree_history. Lock: space->lock is held around every call but prepare(). Keeps V1, V2,
 * V3, V5; not V7, and that is the point. Read next: freetree_search.h; freetree.c.
 */
#include "lib/errno.h"
#include "mm/vmap/free_areas.h"
#include "mm/vmap/freetree_search.h"

/*
 * 1. How long must a hole be? Two pages aligned to four (page 0 is aligned to everything):
 *
 *  page  0      4      8        12             16
 *        |######|..####|######...|......########|      free: [4,6) and [11,14)
 *                ^             ^
 *                4: exact      12: adjusted
 *
 *                 [11,14) max 3
 *                /
 *          [4,6) max 2
 *
 *   exact      looks for 2 pages. The left side has 2: go there, [4,6) fits. Page 4, the lowest (V7). But
 *              2 pages that start at page 5 would have looked the same from above, and would not do:
 *              with a large alignment many such holes are visited in vain.
 *   adjusted   looks for 2 + 4 - 1 pages' worth: what is so long holds two aligned pages wherever it
 *              begins, so the first one found will do. Nothing here is so long: no subtree is entered,
 *              only the root itself is tried, and it fits, at page 12: the lower answer is passed over.
 *              Were the root a third range, too small itself, the answer would be "no room".
 *
 *   5.2  (2019)  adjusted, always: size + align - 1 bytes.                               freetree52
 *   5.16 (2021)  exact, always (9f531973dff3): memory hot-add under KASAN asks for a range of exactly its
 *                size with a large alignment, and was refused.                           freetree
 *   5.17 (2022)  exact only where the window is exactly the size, and where the alignment is a page,
 *                which is no alignment; adjusted otherwise, for the sake of speed. As it is today.
 *                                                                                        freetree517
 *
 * 2. When is the second descriptor allocated? Cutting from the middle of a hole (NE) needs one more. 5.2
 * asked the slab for it inside the spinlock, where nobody may wait: it could fail while there was memory,
 * and a kernel with PREEMPT_RT must not do it at all. 5.3 (82dd23e84be3) has one ready before it takes the
 * lock, whatever the fit will be, and asks under the lock only when somebody else was faster.
 *                                              freetree53: as 5.2, with the preload; freetree517 has it, too
 */

struct freetree_history {
    struct freetree tree; /* first: what free_areas.h works on */
    const struct vmap_node_ops *ops;
    void *ctx; /* the space's own, behind the reserve */
    struct vmap_area *reserve[2];
    u32 reserved, wanted; /* 1: the busy area's descriptor; 2: and one for the NE case */
};

static inline struct freetree_history *history_of(const struct vmap_space *space)
{
    return space->state;
}

/* ---- descriptors: from the reserve first -------------------------------------------------------------- */

static void *reserve_take(void *ctx)
{
    struct freetree_history *history = history_of(ctx);

    return history->reserved ? history->reserve[--history->reserved]
                             : history->ops->alloc(history->ctx);
}

static void give_back(void *ctx, void *node)
{
    struct freetree_history *history = history_of(ctx);

    history->ops->free(history->ctx, node);
}

static const struct vmap_node_ops reserve_ops = {reserve_take, give_back};

/* Before the lock. Without memory the reserve stays short: whoever needs it asks once more under the lock. */
static void fill_reserve(struct vmap_space *space)
{
    struct freetree_history *history = history_of(space);

    while (history->reserved < history->wanted) {
        void *node = history->ops->alloc(history->ctx);
        if (!node)
            return;
        u64 flags = spin_lock_irqsave(&space->lock);
        if (history->reserved < history->wanted) {
            history->reserve[history->reserved++] = node;
            node = NULL;
        }
        spin_unlock_irqrestore(&space->lock, flags);
        if (node)
            history->ops->free(history->ctx, node);
    }
}

static int init_with(struct vmap_space *space, u32 wanted)
{
    struct freetree_history *history = history_of(space);
    int error;

    *history =
        (struct freetree_history){.ops = space->node_ops, .ctx = space->node_ctx, .wanted = wanted};
    error = free_areas_init(space, &freetree_augment);
    if (error)
        return error;
    space->node_ops = &reserve_ops;
    space->node_ctx = space;
    return 0;
}

static int freetree52_init(struct vmap_space *space)
{
    return init_with(space, 1);
}

static int preload_init(struct vmap_space *space)
{
    return init_with(space, 2);
}

static void drain_reserve(struct vmap_space *space)
{
    struct freetree_history *history = history_of(space);

    while (history->reserved)
        history->ops->free(history->ctx, history->reserve[--history->reserved]);
}

static void history_fini(struct vmap_space *space)
{
    struct freetree_history *history = history_of(space);

    free_areas_fini(space);
    drain_reserve(space);
    space->node_ops = history->ops;
    space->node_ctx = history->ctx;
}

/* ---- searches ----------------------------------------------------------------------------------------- */

static struct vmap_area *search_for(struct vmap_space *space, u64 length, u64 size, u64 align,
                                    vaddr_t lo, vaddr_t hi, vaddr_t *start)
{
    struct vmap_area *va;

    space->stats.visited = 0;
    STEP(SEARCH, size, align, lo, hi);
    va = search_free_tree(&history_of(space)->tree.free, length, size, align, lo,
                          &space->stats.visited, start);
    /* What is found above the window is no answer, and there is no second look. */
    if (va && (*start >= hi || hi - *start < size))
        va = NULL;
    if (va)
        STEP(TAKE, va->va_start, va->va_end, *start, size);
    else
        STEP(NO_ROOM, size);
    return va;
}

/* A page's alignment costs nothing, since all sizes are pages. ~0: no range is so long. */
static u64 adjusted_length(u64 size, u64 align)
{
    u64 length = size;

    if (align > PAGE_SIZE && !add_checked(size, align - 1, &length))
        return ~0UL;
    return length;
}

static struct vmap_area *adjusted_search(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                         vaddr_t hi, vaddr_t *start)
{
    return search_for(space, adjusted_length(size, align), size, align, lo, hi, start);
}

static struct vmap_area *search517(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                   vaddr_t hi, vaddr_t *start)
{
    u64 length = hi - lo == size ? size : adjusted_length(size, align);

    return search_for(space, length, size, align, lo, hi, start);
}

/* ---- the designs -------------------------------------------------------------------------------------- */

static int adjusted_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                          struct vmap_area **out)
{
    return free_areas_alloc(space, size, align, lo, hi, out, adjusted_search, &freetree_augment);
}

static int freetree517_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                             struct vmap_area **out)
{
    return free_areas_alloc(space, size, align, lo, hi, out, search517, &freetree_augment);
}

static void history_retire(struct vmap_space *space, struct vmap_area *area)
{
    free_areas_retire(space, area);
}

static void history_free(struct vmap_space *space, struct vmap_area *area)
{
    free_areas_free(space, area, &freetree_augment);
}

static int history_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return free_areas_shrink(space, area, new_end, &freetree_augment);
}

static int history_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return free_areas_grow(space, area, new_end, &freetree_augment);
}

static const char *history_check(struct vmap_space *space)
{
    return free_areas_check(space, &freetree_augment);
}

#define HISTORY_OPERATIONS                                                                         \
    .caps = VMAP_CAP_AUGMENTED | VMAP_CAP_FREE_TREE | VMAP_CAP_GIVES_UP | VMAP_CAP_JOINS_LAZY,     \
    .state_size = sizeof(struct freetree_history), .fini = history_fini, .prepare = fill_reserve,  \
    .drain = drain_reserve, .retire = history_retire, .free = history_free,                        \
    .find = free_areas_find, .for_each = free_areas_for_each, .check = history_check,              \
    .shrink = history_shrink, .grow = history_grow, .free_root = free_areas_free_root,             \
    .busy_root = free_areas_busy_root

const struct vmap_design vmap_freetree52 = {
    .name = "freetree52",
    .since = "Linux 5.2, May 2019",
    .origin = "freetree, but looks for size + align - 1; NE descriptor under the lock",
    .init = freetree52_init,
    .alloc = adjusted_alloc,
    HISTORY_OPERATIONS,
};

const struct vmap_design vmap_freetree53 = {
    .name = "freetree53",
    .since = "Linux 5.3 to 5.15, 2019",
    .origin = "the same with the NE descriptor preloaded before the lock (82dd23e84be3)",
    .init = preload_init,
    .alloc = adjusted_alloc,
    HISTORY_OPERATIONS,
};

const struct vmap_design vmap_freetree517 = {
    .name = "freetree517",
    .since = "Linux 5.17, 2022",
    .origin = "the same, exact where the window is the size; before: always (9f531973dff3)",
    .init = preload_init,
    .alloc = freetree517_alloc,
    HISTORY_OPERATIONS,
};
