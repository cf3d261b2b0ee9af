// SPDX-License-Identifier: MIT
/*
 * The design of Linux 1.x to 2.6.27: one list of the used areas in address order, and nothing else.
 * Free space is what lies between two elements. Allocation walks from the start to the first gap that
 * fits, free and find walk too: O(n) each, which is what Baettig complained about in 2001. In return
 * it is the shortest design, needs one descriptor per allocation, always answers with the lowest
 * address, and serves as the reference for the others.
 *
 * Owns struct vmlist. No lock of its own: space->lock is held around every call. Keeps V1 (order) and
 * V7; V5 holds by construction, since a gap has no descriptor. Read next: mm/vmap/freetree.c.
 */
#include "lib/errno.h"
#include "mm/vmap/vmap.h"

/*
 *  page  0    2       5        8  9      11              16
 *        |####|.......|########|..|######|...............|      # used    . nobody's
 *
 *   areas:  [0,2) <-> [5,8) <-> [9,11)      gaps: [2,5) [8,9) [11,16), known to nobody
 *
 * Linux 2.4 asked for the end of the range inside of the loop only, so an over-large request into an
 * empty list was not refused; here every gap, the last one too, passes the same vmap_fit().
 */
struct vmlist {
    struct list_head areas; /* BUSY and LAZY */
};

static inline struct vmap_area *to_area(const struct list_head *pos)
{
    return list_entry(pos, struct vmap_area, list);
}

static inline struct list_head *areas_of(const struct vmap_space *space)
{
    return &((struct vmlist *)space->state)->areas;
}

/* The gap in front of a list position: from the end of the area before it, to its start. The head of
 * the list stands for the end of the space. */
static inline vaddr_t gap_start(const struct vmap_space *space, const struct list_head *pos)
{
    return pos->prev == areas_of(space) ? space->start : to_area(pos->prev)->va_end;
}

static inline vaddr_t gap_end(const struct vmap_space *space, const struct list_head *pos)
{
    return pos == areas_of(space) ? space->end : to_area(pos)->va_start;
}

static int vmlist_init(struct vmap_space *space)
{
    list_init(areas_of(space));
    space->stats.free_extents = 1;
    return 0;
}

static void vmlist_fini(struct vmap_space *space)
{
    struct vmap_area *area, *next;

    list_for_each_entry_safe(area, next, areas_of(space), list)
        vmap_node_free(space, area);
    list_init(areas_of(space));
}

/* First fit: the position whose gap has room for the request, the lowest such; NULL when none has. */
static struct list_head *find_gap(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                  vaddr_t hi, vaddr_t *start)
{
    struct list_head *areas = areas_of(space), *pos = areas;
    vaddr_t gap = space->start;
    u64 visited = 0;

    do {
        pos = pos->next;
        visited++;
        if (vmap_fit(gap, gap_end(space, pos), size, align, lo, hi, start)) {
            space->stats.visited = visited;
            return pos;
        }
        if (pos != areas)
            gap = to_area(pos)->va_end;
    } while (pos != areas && gap < hi);
    space->stats.visited = visited;
    return NULL;
}

/* The same four cases in which freetree carves; here they only tell how many gaps there are now. */
static void count_fit(struct vmap_space *space, bool left_edge, bool right_edge)
{
    struct vmap_stats *stats = &space->stats;

    if (left_edge && right_edge) {
        stats->fit_full++;
        stats->free_extents--;
    } else if (left_edge) {
        stats->fit_left++;
    } else if (right_edge) {
        stats->fit_right++;
    } else {
        stats->fit_inner++;
        stats->free_extents++;
    }
}

/* 1. The descriptor. 2. Walk to the first gap that fits. 3. Link the area into that gap. */
static int vmlist_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                        struct vmap_area **out)
{
    struct vmap_area *area = vmap_node_alloc(space);
    struct list_head *pos;
    vaddr_t start;

    if (!area)
        return -ENOMEM;
    pos = find_gap(space, size, align, lo, hi, &start);
    if (!pos) {
        vmap_node_free(space, area);
        return -ENOSPC;
    }
    count_fit(space, start == gap_start(space, pos), start + size == gap_end(space, pos));
    area->va_start = start;
    area->va_end = start + size;
    area->kind = VMAP_BUSY;
    list_add_tail(&area->list, pos);
    *out = area;
    return 0;
}

/* Taking the area out is all: the gaps on its two sides are one gap then. */
static void vmlist_free(struct vmap_space *space, struct vmap_area *area)
{
    struct list_head *next = area->list.next;
    bool gap_before = gap_start(space, &area->list) != area->va_start;
    bool gap_behind = gap_end(space, next) != area->va_end;

    space->stats.merges += (u64)gap_before + gap_behind;
    space->stats.free_extents += 1UL - gap_before - gap_behind;
    list_del(&area->list);
    vmap_node_free(space, area);
}

static struct vmap_area *vmlist_find(struct vmap_space *space, vaddr_t addr)
{
    struct vmap_area *area;

    list_for_each_entry(area, areas_of(space), list) {
        if (addr < area->va_start)
            return NULL;
        if (addr < area->va_end)
            return area;
    }
    return NULL;
}

/* Free ranges have no object; each is made up for the time of the visit. */
static void for_each_gap(struct vmap_space *space,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct list_head *areas = areas_of(space), *pos = areas;

    do {
        struct vmap_area gap = {.kind = VMAP_FREE};

        pos = pos->next;
        gap.va_start = gap_start(space, pos);
        gap.va_end = gap_end(space, pos);
        if (gap.va_start != gap.va_end && !visit(ctx, &gap))
            return;
    } while (pos != areas);
}

static void vmlist_for_each(struct vmap_space *space, enum vmap_kind kind,
                            bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct vmap_area *area;

    if (kind == VMAP_FREE)
        for_each_gap(space, visit, ctx);
    if (kind != VMAP_BUSY)
        return;
    list_for_each_entry(area, areas_of(space), list)
        if (!visit(ctx, area))
            return;
}

/* Moving the end changes the gap behind the area, and nothing else. */
static int vmlist_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    if (gap_end(space, area->list.next) == area->va_end)
        space->stats.free_extents++;
    else
        space->stats.merges++;
    area->va_end = new_end;
    return 0;
}

static int vmlist_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    vaddr_t limit = gap_end(space, area->list.next);

    if (new_end > limit)
        return -ENOSPC;
    count_fit(space, true, new_end == limit);
    area->va_end = new_end;
    return 0;
}

/*
 * V1: the links agree with each other and the addresses ascend. Bounded by the number of descriptors,
 * so a cycle is an answer. An area that reaches into the next one makes a gap of negative size: V4.
 */
static const char *vmlist_check(struct vmap_space *space)
{
    const struct list_head *areas = areas_of(space), *pos = areas;
    const struct vmap_area *area, *last = NULL;

    for (u64 left = space->stats.nodes; pos->next != areas; left--, pos = pos->next) {
        area = to_area(pos->next);
        if (left == 0)
            return vmap_broken("V1: the list has more elements than there are descriptors (%lu)",
                               space->stats.nodes);
        if (pos->next->prev != pos)
            return vmap_broken("V1: [%#lx, %#lx) does not point back to the element before it",
                               area->va_start, area->va_end);
        if (area->kind != VMAP_BUSY && area->kind != VMAP_LAZY)
            return vmap_broken("V1: [%#lx, %#lx) is of kind %u", area->va_start, area->va_end,
                               area->kind);
        if (last && last->va_start >= area->va_start)
            return vmap_broken("V1: [%#lx, %#lx) comes before [%#lx, %#lx)", last->va_start,
                               last->va_end, area->va_start, area->va_end);
        if (last && last->va_end > area->va_start)
            return vmap_broken("V4: [%#lx, %#lx) overlaps [%#lx, %#lx)", last->va_start,
                               last->va_end, area->va_start, area->va_end);
        last = area;
    }
    return areas->prev == pos ? NULL
                              : vmap_broken("V1: the head does not point to the last element");
}

static struct rb_root *no_root(struct vmap_space *space)
{
    (void)space;
    return NULL;
}

const struct vmap_design vmap_vmlist = {
    .name = "vmlist",
    .since = "Linux 1.x to 2.6.27",
    .origin = "first fit on one sorted list of used areas (mm/vmalloc.c of Linux 2.4)",
    .caps = VMAP_CAP_LOWEST_FIT,
    .state_size = sizeof(struct vmlist),
    .init = vmlist_init,
    .fini = vmlist_fini,
    .alloc = vmlist_alloc,
    .free = vmlist_free,
    .find = vmlist_find,
    .for_each = vmlist_for_each,
    .check = vmlist_check,
    .shrink = vmlist_shrink,
    .grow = vmlist_grow,
    .free_root = no_root,
    .busy_root = no_root,
};
