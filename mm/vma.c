// SPDX-License-Identifier: MIT
/*
 * The areas of a user space, as ranges: a red-black tree and a list by address. Each area knows the gap
 * below it, each node the largest gap of its subtree; so a hole of a given size is found in O(log n), from
 * the top (Linux's default for mmap) or from the bottom. It is the search of mm/vmap/freetree.c and of
 * mm/vmap/gaps.c once more: there the free ranges are the nodes, here they lie between them.
 *
 * Owns the links, `gap` and `subtree_max_gap` of struct vma. No lock, see uspace.h. Keeps U1 (sorted,
 * apart, inside the user half), U2 (tree rules, gaps exact), U3 (neighbours that continue each other are
 * one). Read next: uspace_map.c.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/rbtree_augmented.h"
#include "mm/uspace_internal.h"

static struct kmem_cache vma_cache;

static inline u64 get_subtree_max_gap(const struct rb_node *node)
{
    return node ? vma_of(node)->subtree_max_gap : 0;
}

static inline u64 compute_subtree_max_gap(const struct rb_node *node)
{
    return max_u64(vma_of(node)->gap,
                   max_u64(get_subtree_max_gap(node->left), get_subtree_max_gap(node->right)));
}

static void set_subtree_max_gap(struct rb_node *node, u64 value)
{
    vma_of(node)->subtree_max_gap = value;
}

RB_DEFINE_AUGMENT(vma_augment, compute_subtree_max_gap, get_subtree_max_gap, set_subtree_max_gap);

int vma_init(void)
{
    return kmem_cache_init(&vma_cache, "vma", sizeof(struct vma), 0, &kernel_buddy);
}

void vma_fini(void)
{
    int err = kmem_cache_destroy(&vma_cache);
    ASSERT(err == 0, "%lu areas are left", kmem_cache_in_use(&vma_cache));
}

struct vma *vma_alloc(void)
{
    return kmem_cache_alloc(&vma_cache, GFP_KERNEL | __GFP_NOWARN);
}

void vma_free(struct vma *vma)
{
    kmem_cache_free(&vma_cache, vma);
}

/* ---- neighbours and gaps ----------------------------------------------------------------------- */

struct vma *vma_prev(struct uspace *space, struct vma *vma)
{
    return vma->link.prev == &space->list ? NULL : list_entry(vma->link.prev, struct vma, link);
}

struct vma *uspace_next(struct uspace *space, struct vma *vma)
{
    return vma->link.next == &space->list ? NULL : list_entry(vma->link.next, struct vma, link);
}

struct vma *uspace_first(struct uspace *space)
{
    return list_empty(&space->list) ? NULL : list_entry(space->list.next, struct vma, link);
}

struct vma *vma_last(struct uspace *space)
{
    return list_empty(&space->list) ? NULL : list_entry(space->list.prev, struct vma, link);
}

/* Where the gap below this area begins (NULL: the one above the last area). */
static vaddr_t gap_start(struct uspace *space, struct vma *vma)
{
    struct vma *below = vma ? vma_prev(space, vma) : vma_last(space);
    return below ? below->end : USER_START;
}

/* The room that a stack may still grow into is no gap, nor is its guard. */
static vaddr_t gap_end(const struct vma *vma)
{
    if (likely(!(vma->flags & MAP_GROWSDOWN)))
        return vma->start;
    u64 room = USER_STACK_MAX + USER_STACK_GUARD;
    vaddr_t grown = vma->end > room ? vma->end - room : 0;
    return vma->start > USER_STACK_GUARD ? min_u64(vma->start - USER_STACK_GUARD, grown) : 0;
}

static u64 gap_below(struct uspace *space, struct vma *vma)
{
    vaddr_t start = gap_start(space, vma), end = gap_end(vma);
    return end > start ? end - start : 0;
}

static void refresh_gap(struct uspace *space, struct vma *vma)
{
    if (!vma)
        return;
    vma->gap = gap_below(space, vma);
    rb_propagate(&vma->node, &vma_augment);
}

/* ---- in and out -------------------------------------------------------------------------------- */

void vma_link(struct uspace *space, struct vma *vma)
{
    struct rb_node **link = &space->areas.node, *parent = NULL;
    struct vma *above = NULL;

    ASSERT(vma->start < vma->end && vma->start >= USER_START && vma->end <= USER_END &&
               is_aligned(vma->start | vma->end, PAGE_SIZE),
           "U1: area [%#lx, %#lx)", vma->start, vma->end);
    while (*link) {
        parent = *link;
        struct vma *other = vma_of(parent);
        ASSERT(vma->end <= other->start || vma->start >= other->end,
               "U1: [%#lx, %#lx) overlaps [%#lx, %#lx)", vma->start, vma->end, other->start,
               other->end);
        if (vma->end <= other->start)
            above = other;
        link = vma->end <= other->start ? &parent->left : &parent->right;
    }
    list_add_tail(&vma->link, above ? &above->link : &space->list);
    vma->space = space;
    vma->gap = gap_below(space, vma);
    vma->subtree_max_gap = 0;
    rb_link(&vma->node, parent, link);
    rb_insert_fixup(&space->areas, &vma->node, &vma_augment);
    refresh_gap(space, above);
    space->stats.areas++;
    space->stats.mapped_pages += (vma->end - vma->start) >> PAGE_SHIFT;
}

void vma_unlink(struct uspace *space, struct vma *vma)
{
    struct vma *above = uspace_next(space, vma);

    if (space->hint == vma)
        space->hint = NULL;
    rb_erase(&space->areas, &vma->node, &vma_augment);
    list_del(&vma->link);
    refresh_gap(space, above);
    space->stats.areas--;
    space->stats.mapped_pages -= (vma->end - vma->start) >> PAGE_SHIFT;
}

void vma_set_bounds(struct uspace *space, struct vma *vma, vaddr_t start, vaddr_t end)
{
    struct vma *above = uspace_next(space, vma);

    ASSERT(start < end && start >= gap_start(space, vma) && (!above || end <= above->start),
           "U1: [%#lx, %#lx) cannot become [%#lx, %#lx)", vma->start, vma->end, start, end);
    space->stats.mapped_pages += (end - start) >> PAGE_SHIFT;
    space->stats.mapped_pages -= (vma->end - vma->start) >> PAGE_SHIFT;
    vma->start = start;
    vma->end = end;
    refresh_gap(space, vma);
    refresh_gap(space, above);
}

struct vma *vma_above(struct uspace *space, vaddr_t address)
{
    struct vma *best = NULL;

    for (struct rb_node *node = space->areas.node; node;) {
        struct vma *vma = vma_of(node);
        if (vma->end <= address) {
            node = node->right;
            continue;
        }
        best = vma;
        if (vma->start <= address)
            break;
        node = node->left;
    }
    return best;
}

struct vma *uspace_find(struct uspace *space, vaddr_t address)
{
    struct vma *vma = space->hint;

    if (likely(vma && address - vma->start < vma->end - vma->start))
        return vma;
    vma = vma_above(space, address);
    if (!vma || vma->start > address)
        return NULL;
    space->hint = vma;
    return vma;
}

bool vma_range_free(struct uspace *space, vaddr_t start, vaddr_t end)
{
    struct vma *above = vma_above(space, start);
    return !above || end <= gap_end(above);
}

/* ---- one becomes two, two become one ------------------------------------------------------------ */

void vma_split(struct uspace *space, struct vma *vma, vaddr_t at, struct vma *upper)
{
    vaddr_t end = vma->end;

    ASSERT(at > vma->start && at < end, "cut of [%#lx, %#lx) at %#lx", vma->start, end, at);
    *upper = *vma;
    upper->start = at;
    if (vma->store) {
        upper->pgoff += (at - vma->start) >> PAGE_SHIFT;
        pagestore_attach(vma->store, &upper->mapping);
    }
    vma_set_bounds(space, vma, vma->start, at);
    vma_link(space, upper);
}

bool vma_joins(const struct vma *lower, const struct vma *upper)
{
    return lower->end == upper->start && lower->prot == upper->prot &&
           lower->flags == upper->flags && lower->name == upper->name &&
           lower->store == upper->store && !(lower->flags & MAP_GROWSDOWN) &&
           (!lower->store ||
            lower->pgoff + ((lower->end - lower->start) >> PAGE_SHIFT) == upper->pgoff);
}

static void join(struct uspace *space, struct vma *lower, struct vma *upper)
{
    vaddr_t end = upper->end;

    vma_unlink(space, upper);
    if (upper->store)
        pagestore_detach(upper->store, &upper->mapping);
    vma_free(upper);
    vma_set_bounds(space, lower, lower->start, end);
}

struct vma *vma_merge(struct uspace *space, struct vma *vma)
{
    struct vma *below = vma_prev(space, vma), *above;

    while ((above = uspace_next(space, vma)) && vma_joins(vma, above))
        join(space, vma, above);
    if (!below || !vma_joins(below, vma))
        return vma;
    join(space, below, vma);
    return below;
}

/* ---- the search for a gap ------------------------------------------------------------------------ */

/* Does the gap [start, end), clipped to [lo, hi), have room? At its far end when we come from the top. */
static bool gap_fits(vaddr_t start, vaddr_t end, u64 size, vaddr_t lo, vaddr_t hi,
                     enum rb_side side, vaddr_t *out)
{
    start = max_u64(start, lo);
    end = min_u64(end, hi);
    if (end < start || end - start < size)
        return false;
    *out = side == RB_RIGHT ? end - size : start;
    return true;
}

/* The next node in our direction whose `side` is done: the first ancestor that has this subtree there. */
static struct rb_node *climb_from(struct rb_node *node, enum rb_side side)
{
    struct rb_node *parent = rb_parent(node);

    while (parent && node != rb_child_of(parent, side)) {
        node = parent;
        parent = rb_parent(node);
    }
    return parent;
}

/* May the window overlap a gap on that side of the area? */
static bool window_reaches(const struct vma *vma, vaddr_t lo, vaddr_t hi, enum rb_side side)
{
    return side == RB_RIGHT ? vma->end < hi : vma->start > lo;
}

/*
 * Gaps below areas, from the right (the top) or from the left. Of each node, in this order:
 *   1. the subtree on `side`, if a gap there is large enough, and the window reaches it;
 *   2. the gap below this area;
 *   3. the other subtree, likewise; else climb to the next ancestor, and go on with 2 there.
 * No subtree is entered twice. A gap that is large enough and still does not fit is cut by an end of the
 * window: there are two such at most, so the search is O(log n).
 */
static bool search_gaps(struct uspace *space, u64 size, vaddr_t lo, vaddr_t hi, enum rb_side side,
                        vaddr_t *out)
{
    struct rb_node *node = space->areas.node;
    bool side_is_done = false;

    while (node) {
        struct vma *vma = vma_of(node);
        struct rb_node *first = rb_child_of(node, side);
        struct rb_node *second = rb_child_of(node, rb_opposite(side));

        space->visited++;
        if (!side_is_done && get_subtree_max_gap(first) >= size &&
            window_reaches(vma, lo, hi, side)) {
            node = first;
            continue;
        }
        if (vma->gap >= size &&
            gap_fits(gap_start(space, vma), gap_end(vma), size, lo, hi, side, out))
            return true;
        side_is_done =
            get_subtree_max_gap(second) < size || !window_reaches(vma, lo, hi, rb_opposite(side));
        node = side_is_done ? climb_from(node, side) : second;
    }
    return false;
}

bool vma_topmost_gap(struct uspace *space, u64 size, vaddr_t lo, vaddr_t hi, vaddr_t *start)
{
    space->visited = 0;
    return gap_fits(gap_start(space, NULL), USER_END, size, lo, hi, RB_RIGHT, start) ||
           search_gaps(space, size, lo, hi, RB_RIGHT, start);
}

bool vma_lowest_gap(struct uspace *space, u64 size, vaddr_t lo, vaddr_t hi, vaddr_t *start)
{
    space->visited = 0;
    return search_gaps(space, size, lo, hi, RB_LEFT, start) ||
           gap_fits(gap_start(space, NULL), USER_END, size, lo, hi, RB_LEFT, start);
}

/* ---- U1, U2, U3 ---------------------------------------------------------------------------------- */

const char *vma_check(struct uspace *space, char *buf, u64 size)
{
    const struct rb_node *where, *node = rb_first(&space->areas);
    enum rb_problem problem = rb_check(&space->areas, &vma_augment, space->stats.areas, &where);
    struct vma *below = NULL, *vma;
    u64 areas = 0, pages = 0;

    if (problem != RB_OK) {
        format_to(buf, size, "U2: %s at area %#lx", rb_problem_name(problem),
                  where ? vma_of(where)->start : 0);
        return buf;
    }
    list_for_each_entry(vma, &space->list, link) {
        const char *wrong = NULL;
        if (node != &vma->node)
            wrong = "U1: list and tree differ";
        else if (vma->start >= vma->end || !is_aligned(vma->start | vma->end, PAGE_SIZE) ||
                 vma->start < (below ? below->end : USER_START) || vma->end > USER_END)
            wrong = "U1: an area overlaps its neighbour or sticks out of the user half";
        else if (vma->gap != gap_below(space, vma))
            wrong = "U2: a gap is wrong";
        else if (below && vma_joins(below, vma))
            wrong = "U3: an area continues its neighbour, but is not one with it";
        if (wrong) {
            format_to(buf, size, "%s: [%#lx, %#lx)", wrong, vma->start, vma->end);
            return buf;
        }
        areas++;
        pages += (vma->end - vma->start) >> PAGE_SHIFT;
        node = rb_next(node);
        below = vma;
    }
    if (areas == space->stats.areas && pages == space->stats.mapped_pages)
        return NULL;
    format_to(buf, size, "U5: %lu areas with %lu pages, counted %lu and %lu", areas, pages,
              space->stats.areas, space->stats.mapped_pages);
    return buf;
}
