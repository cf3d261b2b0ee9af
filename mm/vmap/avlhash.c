// SPDX-License-Identifier: MIT
/*
 * The proposal of Reto Baettig to linux-kernel, February 2001 ("vmalloc/vfree are very slow"): his RPC
 * server kept thousands of buffers of 2 MB for a network card, and each vmalloc() and vfree() of Linux 2.2
 * walked the whole vmlist. An AVL tree finds a used area by address, a hash finds an unused one by size, one
 * list holds all in address order. It was never merged; Haiku's address spaces look much like it today.
 *
 * Owns struct avlhash. No lock of its own: space->lock is held around every call. Keeps V1, V2, V5; no V7,
 * on purpose. Read next: avlhash.h, the open questions; avlhash_designs.c; freetree.c, what was merged.
 */
#include "mm/vmap/avlhash.h"
#include "lib/errno.h"
#include "mm/vmap/gaps.h"

/*
 *  page  0    2       5        8  9      11              16
 *        |####|-------|########|--|######|...............|   # used  - unused  . behind the frontier
 *                                        ^ frontier
 *
 *   vm_avl_used, by address     vm_hash_unused, by size         vm_list, all by address
 *
 *           [5,8)               1 page:  [8,9)                  [0,2) [2,5) [5,8) [8,9) [9,11)
 *          /     \              3 pages: [2,5)                   used   -   used    -   used
 *     [0,2)       [9,11)
 *
 * Alloc looks for an unused area of exactly the size asked for. Three pages: [2,5) leaves the hash for the
 * tree, in O(1), whatever the number of areas. Two pages: no such size in the hash, so new space is
 * taken at the frontier, [11,13), though [2,5) has room: that is the price.
 * Free finds the area in the tree, and its neighbours in the list. Unused ones are taken out of the hash
 * and merged, and the result goes into the hash under its new size. [5,8): one unused area [2,9).
 *
 * What was wrong with it: holes are found by size and by nothing else, so those of other sizes are not used
 * until a neighbour is freed, and the address space leaks away upwards. On Alpha it was large; the x86 of
 * the time had 128 MB of it, as Ingo Molnar answered. And the message leaves open what to do about it,
 * about alignment, and about the topmost area. Each of these questions is a policy in avlhash.h: the
 * defaults are the least that makes the design complete, `vmap_avlhash_pure` is the message to the letter.
 */

static inline bool is_unused(const struct avlhash *hash, const struct list_head *pos)
{
    return pos != &hash->all && to_area(pos)->kind == VMAP_FREE;
}

/* ---- the three structures ------------------------------------------------------------------------ */

static void enter_hash(struct avlhash *hash, struct vmap_area *area)
{
    STEP(HASH_ADD, area->va_start, area->va_end, avlhash_bucket(hash, vmap_area_size(area)));
    area->kind = VMAP_FREE;
    hash_add(&area->hash_node, &hash->unused[avlhash_bucket(hash, vmap_area_size(area))]);
}

static void leave_hash(struct vmap_area *area)
{
    STEP(HASH_DROP, area->va_start, area->va_end);
    hash_del(&area->hash_node);
}

static void enter_tree(struct avlhash *hash, struct vmap_area *area)
{
    struct avl_node **link = &hash->used.node, *parent = NULL;

    area->kind = VMAP_BUSY;
    while (*link) {
        parent = *link;
        link = area->va_start < avl_to_va(parent)->va_start ? &parent->left : &parent->right;
    }
    STEP(LINK, area->va_start, area->va_end, parent ? avl_to_va(parent)->va_start : 0, 1);
    avl_link(&area->avl_node, parent, link);
    avl_insert_fixup(&hash->used, &area->avl_node);
}

static void leave_list(struct vmap_space *space, struct vmap_area *area)
{
    list_del(&area->list);
    vmap_node_free(space, area);
}

/* Where the free range ends of which an unused area is the lower part: what is behind the frontier is free
 * as well, but has no descriptor. */
static vaddr_t end_of_free(const struct vmap_space *space, const struct vmap_area *unused)
{
    return unused->va_end == hash_of(space)->frontier ? space->end : unused->va_end;
}

/* ---- alloc ---------------------------------------------------------------------------------------- */

struct request {
    u64 size, align;
    vaddr_t lo, hi;
};

static bool fits(const struct avlhash *hash, const struct vmap_area *area,
                 const struct request *request, vaddr_t *start)
{
    if (hash->policy.hit == AVLHASH_HIT_EXACT && vmap_area_size(area) != request->size)
        return false;
    return vmap_fit(area->va_start, area->va_end, request->size, request->align, request->lo,
                    request->hi, start);
}

/*
 * A hit, the newest first; NULL when there is none.
 *   1. The bucket of this size. Its chain may hold other sizes, ranges outside of [lo, hi), badly aligned
 *      ones: so it is followed, for policy.probes steps at most.
 *   2. With larger hits, the buckets above it, too: what is in there is large enough.
 */
static struct vmap_area *look_in_hash(struct vmap_space *space, const struct request *request,
                                      vaddr_t *start)
{
    struct avlhash *hash = hash_of(space);
    bool larger = hash->policy.hit == AVLHASH_HIT_LARGER;
    unsigned first = avlhash_bucket(hash, request->size);
    u64 left = hash->policy.probes ? hash->policy.probes : ~0UL;

    if (request->align > PAGE_SIZE && hash->policy.align == AVLHASH_ALIGN_FRONTIER)
        return NULL;
    for (unsigned i = first; i < (larger ? AVLHASH_BUCKETS : first + 1); i++) {
        struct hash_node *node = hash->unused[i].first;

        for (; node && left > 0; node = node->next, left--) {
            struct vmap_area *area = hash_entry(node, struct vmap_area, hash_node);

            space->stats.visited++;
            STEP(LOOK, area->va_start, area->va_end);
            if (fits(hash, area, request, start))
                return area;
        }
    }
    return NULL;
}

/* The way out when the frontier has no room: the first unused area that has, wherever it is. */
static struct vmap_area *walk_list(struct vmap_space *space, const struct request *request,
                                   vaddr_t *start)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area *area;

    hash->counts.walks++;
    list_for_each_entry(area, &hash->all, list) {
        if (area->va_start >= request->hi)
            break;
        space->stats.visited++;
        hash->counts.walked++;
        if (area->kind == VMAP_FREE)
            STEP(LOOK, area->va_start, area->va_end);
        if (area->kind == VMAP_FREE && vmap_fit(area->va_start, area->va_end, request->size,
                                                request->align, request->lo, request->hi, start))
            return area;
    }
    return NULL;
}

/* Make [start, end) an unused area right before a list position. */
static void add_unused(struct avlhash *hash, struct vmap_area *piece, vaddr_t start, vaddr_t end,
                       struct list_head *pos)
{
    piece->va_start = start;
    piece->va_end = end;
    list_add_tail(&piece->list, pos);
    enter_hash(hash, piece);
}

/*
 * Use [start, start + size) of an unused area. Its descriptor becomes that of the used one; what remains on
 * either side needs one each, and these come first. 0, or -ENOMEM with nothing changed.
 */
static int use_unused(struct vmap_space *space, struct vmap_area *area, vaddr_t start, u64 size)
{
    struct avlhash *hash = hash_of(space);
    vaddr_t old_start = area->va_start, old_end = area->va_end, end = start + size;
    struct vmap_area *left = NULL, *right = NULL;

    if (start != old_start) {
        left = vmap_node_alloc(space);
        if (!left)
            return -ENOMEM;
    }
    if (end != old_end) {
        right = vmap_node_alloc(space);
        if (!right && left)
            vmap_node_free(space, left);
        if (!right)
            return -ENOMEM;
    }
    STEP(TAKE, old_start, end_of_free(space, area), start, size);
    tell_carve(old_start, end_of_free(space, area), start, end);
    count_fit(&space->stats, start == old_start, end == end_of_free(space, area));
    hash->counts.splits += left || right;
    leave_hash(area);
    area->va_start = start;
    area->va_end = end;
    if (left)
        add_unused(hash, left, old_start, start, &area->list);
    if (right)
        add_unused(hash, right, end, old_end, area->list.next);
    enter_tree(hash, area);
    return 0;
}

/*
 * [frontier, start) is skipped and becomes unused: a part of the topmost area if that is unused, otherwise
 * `piece`, which is not needed in the first case and goes back.
 */
static void skip_to(struct vmap_space *space, vaddr_t start, struct vmap_area *piece)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area *top = to_area(hash->all.prev);

    hash->counts.skips++;
    if (!is_unused(hash, hash->all.prev)) {
        add_unused(hash, piece, hash->frontier, start, &hash->all);
        return;
    }
    leave_hash(top);
    top->va_end = start;
    enter_hash(hash, top);
    vmap_node_free(space, piece);
}

/*
 * Under FRONTIER_STAYS, a request that fits neither into the topmost area, which is unused, nor behind the
 * frontier may fit into both together. The area is stretched over what it lacks, and used.
 */
static int use_both(struct vmap_space *space, vaddr_t start, u64 size, struct vmap_area **out)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area *top = to_area(hash->all.prev);
    vaddr_t old_frontier = hash->frontier;
    int error;

    top->va_end = hash->frontier = start + size;
    error = use_unused(space, top, start, size);
    if (error)
        top->va_end = hash->frontier = old_frontier;
    *out = top;
    return error;
}

/* New space, from start on. 0, or -ENOMEM with nothing changed. */
static int use_frontier(struct vmap_space *space, vaddr_t start, u64 size, struct vmap_area **out)
{
    struct avlhash *hash = hash_of(space);
    bool skips = start != hash->frontier;
    bool joins = is_unused(hash, hash->all.prev); /* the free range begins further down */
    struct vmap_area *area = vmap_node_alloc(space), *piece;

    if (!area)
        return -ENOMEM;
    piece = skips ? vmap_node_alloc(space) : NULL;
    if (skips && !piece) {
        vmap_node_free(space, area);
        return -ENOMEM;
    }
    vaddr_t free = joins ? to_area(hash->all.prev)->va_start : hash->frontier;
    STEP(TAKE, free, space->end, start, size);
    tell_carve(free, space->end, start, start + size);
    count_fit(&space->stats, !skips && !joins, start + size == space->end);
    STEP(FRONTIER, start + size, 0);
    if (skips)
        skip_to(space, start, piece);
    area->va_start = start;
    area->va_end = start + size;
    list_add_tail(&area->list, &hash->all);
    enter_tree(hash, area);
    hash->frontier = area->va_end;
    *out = area;
    return 0;
}

/* The way out: nothing in the hash, no room behind the frontier. */
static int use_any(struct vmap_space *space, const struct request *request, struct vmap_area **out)
{
    struct avlhash *hash = hash_of(space);
    vaddr_t start;

    if (hash->policy.exhausted == AVLHASH_EXHAUSTED_FAIL)
        return -ENOSPC;
    *out = walk_list(space, request, &start);
    if (*out)
        return use_unused(space, *out, start, request->size);
    if (is_unused(hash, hash->all.prev) &&
        vmap_fit(to_area(hash->all.prev)->va_start, space->end, request->size, request->align,
                 request->lo, request->hi, &start))
        return use_both(space, start, request->size, out);
    STEP(NO_ROOM, request->size);
    return -ENOSPC;
}

/* Behind the frontier, or when there is no room either, wherever there is. */
static int use_new(struct vmap_space *space, const struct request *request, struct vmap_area **out)
{
    struct avlhash *hash = hash_of(space);
    vaddr_t start;

    if (!vmap_fit(hash->frontier, space->end, request->size, request->align, request->lo,
                  request->hi, &start))
        return use_any(space, request, out);
    hash->counts.frontiers++;
    return use_frontier(space, start, request->size, out);
}

/*
 *   1. An unused area of this size, from the hash.
 *   2. Otherwise new space, behind the frontier.
 *   3. Otherwise a walk over all areas, unless the policy is to fail.
 */
int avlhash_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                  struct vmap_area **out)
{
    const struct request request = {size, align, lo, hi};
    vaddr_t start;
    int error;

    space->stats.visited = 1; /* the frontier */
    STEP(SEARCH, size, align, lo, hi);
    *out = look_in_hash(space, &request, &start);
    if (*out) {
        STEP(HASH_HIT, (*out)->va_start, (*out)->va_end);
        hash_of(space)->counts.hits++;
        error = use_unused(space, *out, start, size);
    } else {
        STEP(HASH_MISS, size);
        error = use_new(space, &request, out);
    }
    if (error)
        *out = NULL;
    return error;
}

/* ---- free ----------------------------------------------------------------------------------------- */

/*
 * The area has left the tree, or is a new one: make it unused.
 *   1. Unused neighbours leave the hash; the one below takes over the range, the one above dissolves.
 *   2. If the result touches the frontier, the policy may be to lower that to its start; there is no
 *      unused area then. Otherwise it goes into the hash under its new size.
 */
static void merge_unused(struct vmap_space *space, struct vmap_area *area)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area *prev = to_area(area->list.prev), *next = to_area(area->list.next);
    bool joins_prev = is_unused(hash, area->list.prev);
    bool unused_above = is_unused(hash, area->list.next);
    bool joins_next = unused_above || end_of_free(space, area) != area->va_end;

    if (joins_prev)
        STEP(MERGE_LEFT, prev->va_start, prev->va_end, area->va_start, area->va_end);
    if (joins_next)
        STEP(MERGE_RIGHT, area->va_end, end_of_free(space, unused_above ? next : area),
             area->va_start, area->va_end);
    space->stats.merges += (u64)joins_prev + joins_next;
    space->stats.free_extents += 1UL - joins_prev - joins_next;
    if (unused_above) {
        leave_hash(next);
        area->va_end = next->va_end;
        leave_list(space, next);
    }
    if (joins_prev) {
        leave_hash(prev);
        prev->va_end = area->va_end;
        leave_list(space, area);
        area = prev;
    }
    if (area->va_end == hash->frontier && hash->policy.frontier == AVLHASH_FRONTIER_LOWERED) {
        STEP(FRONTIER, area->va_start, 1);
        hash->counts.lowered++;
        hash->frontier = area->va_start;
        leave_list(space, area);
    } else {
        enter_hash(hash, area);
    }
}

void avlhash_free(struct vmap_space *space, struct vmap_area *area)
{
    STEP(UNLINK, area->va_start, area->va_end, 0, 1);
    avl_erase(&hash_of(space)->used, &area->avl_node);
    merge_unused(space, area);
}

/* The tail needs a descriptor of its own; from there on it goes the way of every freed area. */
int avlhash_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    struct vmap_area *tail = vmap_node_alloc(space);

    if (!tail)
        return -ENOMEM;
    tail->va_start = new_end;
    tail->va_end = area->va_end;
    tail->kind = VMAP_LAZY; /* neither used nor unused yet */
    area->va_end = new_end;
    list_add(&tail->list, &area->list);
    merge_unused(space, tail);
    return 0;
}

/* From the unused area above, from behind the frontier, or from both when they touch. */
int avlhash_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    struct avlhash *hash = hash_of(space);
    struct vmap_area *next = to_area(area->list.next);
    bool unused_above = is_unused(hash, area->list.next);
    vaddr_t limit = end_of_free(space, unused_above ? next : area);

    if (new_end > limit)
        return -ENOSPC;
    tell_carve(area->va_end, limit, area->va_end, new_end);
    count_fit(&space->stats, true, new_end == limit);
    area->va_end = new_end;
    if (unused_above) {
        leave_hash(next);
        if (new_end < next->va_end) {
            next->va_start = new_end;
            enter_hash(hash, next);
        } else {
            leave_list(space, next);
        }
    }
    hash->frontier = max_u64(hash->frontier, new_end);
    return 0;
}
