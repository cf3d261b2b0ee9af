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
#include "mm/vmap/gaps.h"

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

static inline struct list_head *areas_of(const struct vmap_space *space)
{
    return &((struct vmlist *)space->state)->areas;
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

    STEP(SEARCH, size, align, lo, hi);
    do {
        pos = pos->next;
        visited++;
        STEP(LOOK, gap, gap_end(space, areas, pos));
        if (vmap_fit(gap, gap_end(space, areas, pos), size, align, lo, hi, start)) {
            STEP(TAKE, gap, gap_end(space, areas, pos), *start, size);
            space->stats.visited = visited;
            return pos;
        }
        if (pos != areas)
            gap = to_area(pos)->va_end;
    } while (pos != areas && gap < hi);
    STEP(NO_ROOM, size);
    space->stats.visited = visited;
    return NULL;
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
    gap_count_take(space, areas_of(space), pos, start, size);
    area->va_start = start;
    area->va_end = start + size;
    area->kind = VMAP_BUSY;
    STEP(LINK, start, start + size, pos->prev == areas_of(space) ? 0 : to_area(pos->prev)->va_start,
         1);
    list_add_tail(&area->list, pos);
    *out = area;
    return 0;
}

/* Taking the area out is all: the gaps on its two sides are one gap then. */
static void vmlist_free(struct vmap_space *space, struct vmap_area *area)
{
    STEP(UNLINK, area->va_start, area->va_end, 0, 1);
    gap_count_give(space, areas_of(space), area);
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

static void vmlist_for_each(struct vmap_space *space, enum vmap_kind kind,
                            bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct vmap_area *area;

    if (kind == VMAP_FREE)
        gaps_for_each(space, areas_of(space), visit, ctx);
    if (kind != VMAP_BUSY)
        return;
    list_for_each_entry(area, areas_of(space), list)
        if (!visit(ctx, area))
            return;
}

static int vmlist_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    gaps_shrink(space, areas_of(space), area, new_end);
    return 0;
}

static int vmlist_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    return gaps_grow(space, areas_of(space), area, new_end);
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
