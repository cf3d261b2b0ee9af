// SPDX-License-Identifier: MIT
/*
 * Between "given back" and "reusable". Owns space->lazy and space->purging. Lock: the caller holds
 * space->lock. Part of V4: these ranges belong to nobody, and still no gap may open where they are;
 * so check() and the views walk them together with the used areas. Read next: mm/flush.c.
 */
#include "mm/vmap/lazy.h"

static inline struct vmap_area *to_lazy(const struct list_head *link)
{
    return list_entry(link, struct vmap_area, purge);
}

/* Out of the structures of the used areas, if the design wants that. */
static inline void take_out(struct vmap_space *space, struct vmap_area *area)
{
    ASSERT(area->kind == VMAP_BUSY, "retire of [%#lx, %#lx), which is of kind %u", area->va_start,
           area->va_end, area->kind);
    area->kind = VMAP_LAZY;
    area->vm = NULL;
    if (likely(space->design->retire))
        VMAP_CALL(space, retire, space, area);
}

/* One descriptor for two ranges: in no tree, so nobody is told but the one on the list. */
static inline bool join_newest(struct vmap_space *space, struct vmap_area *area)
{
    struct vmap_area *newest = to_lazy(space->lazy.prev);

    if (unlikely(list_empty(&space->lazy) || !(space->design->caps & VMAP_CAP_JOINS_LAZY)))
        return false;
    if (area->va_start == newest->va_end)
        newest->va_end = area->va_end;
    else if (area->va_end == newest->va_start)
        newest->va_start = area->va_start;
    else
        return false;
    space->stats.busy_areas--;
    EVENT(space, LAZY_JOIN, area->va_start, area->va_end, newest->va_start, newest->va_end);
    vmap_node_free(space, area);
    return true;
}

bool vmap_retire(struct vmap_space *space, struct vmap_area *area)
{
    take_out(space, area);
    if (join_newest(space, area))
        return false;
    EVENT(space, LAZY_QUEUE, area->va_start, area->va_end);
    list_add_tail(&area->purge, &space->lazy);
    return true;
}

void vmap_retire_alone(struct vmap_space *space, struct vmap_area *area)
{
    take_out(space, area);
    EVENT(space, LAZY_QUEUE, area->va_start, area->va_end);
    list_add_tail(&area->purge, &space->lazy);
}

bool vmap_purge_begin(struct vmap_space *space, vaddr_t *start, vaddr_t *end)
{
    const struct vmap_area *area;

    if (space->design->purge)
        space->design->purge(space);
    *start = ~0UL;
    *end = 0;
    list_for_each_entry(area, &space->lazy, purge) {
        *start = min_u64(*start, area->va_start);
        *end = max_u64(*end, area->va_end);
    }
    list_splice_tail_init(&space->lazy, &space->purging);
    return *end != 0;
}

u64 vmap_purge_some(struct vmap_space *space, u64 limit)
{
    u64 done = 0;

    for (; done < limit && !list_empty(&space->purging); done++)
        vmap_free_locked(space, to_lazy(space->purging.next));
    return done;
}

void vmap_lazy_forget(struct vmap_space *space)
{
    struct vmap_area *area, *next;

    list_splice_tail_init(&space->purging, &space->lazy);
    if (space->design->retire) /* otherwise the design still holds them */
        list_for_each_entry_safe(area, next, &space->lazy, purge)
            vmap_node_free(space, area);
    list_init(&space->lazy);
}

/* Merge the sorted `from` into the sorted `to`. */
static void merge(struct list_head *from, struct list_head *to)
{
    struct list_head *at = to->next;

    while (!list_empty(from)) {
        struct list_head *node = from->next;
        while (at != to && to_lazy(at)->va_start < to_lazy(node)->va_start)
            at = at->next;
        list_del(node);
        list_add_tail(node, at);
    }
}

static bool is_sorted(const struct list_head *list)
{
    for (const struct list_head *at = list->next; at->next != list && at != list; at = at->next)
        if (to_lazy(at)->va_start > to_lazy(at->next)->va_start)
            return false;
    return true;
}

#define SORT_LEVELS 40 /* 2^40 ranges: more than pages */

/*
 * Merge sort by address, bottom up, the way a binary counter counts: part[k] is empty or holds 2^k
 * ranges in order. Links only, no memory. O(n log n), and O(n) when nothing is to be done.
 */
void vmap_sort_by_address(struct list_head *list)
{
    struct list_head part[SORT_LEVELS], run;

    if (is_sorted(list))
        return;
    for (unsigned k = 0; k < SORT_LEVELS; k++)
        list_init(&part[k]);
    list_init(&run);
    while (!list_empty(list)) {
        struct list_head *node = list->next;
        unsigned k = 0;

        list_del(node);
        list_add(node, &run);
        for (; !list_empty(&part[k]); k++)
            merge(&part[k], &run);
        list_splice_tail_init(&run, &part[k]);
    }
    for (unsigned k = 0; k < SORT_LEVELS; k++)
        merge(&part[k], list);
}

void vmap_lazy_begin(struct vmap_lazy_walk *walk, struct vmap_space *space)
{
    walk->head[0] = &space->lazy;
    walk->head[1] = &space->purging;
    for (unsigned i = 0; i < ARRAY_SIZE(walk->head); i++) {
        if (space->design->retire)
            vmap_sort_by_address(walk->head[i]);
        walk->at[i] = space->design->retire ? walk->head[i]->next : walk->head[i];
    }
}

/* Which list has the lower next range; -1: both are at their end. */
static int lower_list(const struct vmap_lazy_walk *walk)
{
    bool end0 = walk->at[0] == walk->head[0], end1 = walk->at[1] == walk->head[1];

    if (end0 || end1)
        return end0 && end1 ? -1 : end0;
    return to_lazy(walk->at[1])->va_start < to_lazy(walk->at[0])->va_start;
}

const struct vmap_area *vmap_lazy_peek(const struct vmap_lazy_walk *walk)
{
    int which = lower_list(walk);
    return which < 0 ? NULL : to_lazy(walk->at[which]);
}

void vmap_lazy_take(struct vmap_lazy_walk *walk)
{
    int which = lower_list(walk);

    ASSERT(which >= 0, "walked past the last lazy range");
    walk->at[which] = walk->at[which]->next;
}

/* The design's visitor and the lazy ranges, zipped. */
struct zip {
    struct vmap_lazy_walk walk;
    bool (*visit)(void *ctx, const struct vmap_area *area);
    void *ctx;
    bool stopped;
};

static bool visit_lazy_below(struct zip *zip, vaddr_t limit)
{
    const struct vmap_area *lazy;

    while (!zip->stopped && (lazy = vmap_lazy_peek(&zip->walk)) && lazy->va_start < limit) {
        vmap_lazy_take(&zip->walk);
        zip->stopped = !zip->visit(zip->ctx, lazy);
    }
    return !zip->stopped;
}

static bool visit_zipped(void *ctx, const struct vmap_area *area)
{
    struct zip *zip = ctx;

    if (!visit_lazy_below(zip, area->va_start))
        return false;
    zip->stopped = !zip->visit(zip->ctx, area);
    return !zip->stopped;
}

static void visit_cached(struct vmap_space *space,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct list_head list;
    const struct vmap_area *area;

    if (!space->design->cached)
        return;
    list_init(&list);
    space->design->cached(space, &list);
    vmap_sort_by_address(&list);
    list_for_each_entry(area, &list, purge)
        if (!visit(ctx, area))
            return;
}

void vmap_for_each_locked(struct vmap_space *space, enum vmap_kind kind,
                          bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct zip zip = {.visit = visit, .ctx = ctx};

    if (kind == VMAP_CACHED) {
        visit_cached(space, visit, ctx);
        return;
    }
    if (kind != VMAP_BUSY) {
        space->design->for_each(space, kind, visit, ctx);
        return;
    }
    vmap_lazy_begin(&zip.walk, space);
    space->design->for_each(space, kind, visit_zipped, &zip);
    visit_lazy_below(&zip, ~0UL);
}
