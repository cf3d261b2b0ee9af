// SPDX-License-Identifier: MIT
/*
 * Is the bookkeeping of a space true? Generic over designs: V4 (busy, lazy and free ranges tile the
 * space), V6 (find), V7 (placement, against the oracle); V1, V2, V3, V5 are asked from the design,
 * first, because the walks here rely on sound links. Iterative, without memory, and bounded: a broken
 * structure is an answer, never a hang.
 *
 * Lock: the caller holds space->lock. Read next: mm/vmap/oracle.c, the model that level 3 compares to.
 */
#include "mm/vmap/check.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "mm/vmap/lazy.h"
#include "mm/vmap/oracle.h"

static char broken_text[256];

const char *vmap_broken(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vformat_to(broken_text, sizeof(broken_text), format, args);
    va_end(args);
    return broken_text;
}

/* What the visitors of one check share. */
struct tiling {
    struct vmap_space *space;
    vaddr_t cursor; /* everything below is accounted for */
    u64 busy_areas, busy_bytes;
    u64 free_extents, free_bytes;
    u64 cached_areas, cached_bytes;
    struct vmap_lazy_walk lazy; /* retired ranges: between the others, in no structure */
    struct list_head cached;    /* CACHED ones, sorted: by area->purge */
    bool last_was_free;
    const char *broken;
};

/* A range must be a range: not empty, page-aligned, inside of the space. */
static const char *check_range(const struct vmap_space *space, const struct vmap_area *area,
                               const char *name)
{
    if (area->va_start >= area->va_end)
        return vmap_broken("V4: %s [%#lx, %#lx) is empty", name, area->va_start, area->va_end);
    if ((area->va_start | area->va_end) & ~PAGE_MASK)
        return vmap_broken("V4: %s [%#lx, %#lx) is not page-aligned", name, area->va_start,
                           area->va_end);
    if (area->va_start < space->start || area->va_end > space->end)
        return vmap_broken("V4: %s [%#lx, %#lx) lies outside of the space", name, area->va_start,
                           area->va_end);
    return NULL;
}

/* V6 for one busy area: found at both ends, not found right before and right behind. */
static const char *check_find(struct vmap_space *space, const struct vmap_area *area)
{
    const struct vmap_design *design = space->design;
    const vaddr_t inside[] = {area->va_start, area->va_end - 1};
    const vaddr_t outside[] = {area->va_start - 1, area->va_end};

    for (unsigned i = 0; i < ARRAY_SIZE(inside); i++) {
        if (design->find(space, inside[i]) != area)
            return vmap_broken("V6: find(%#lx) misses busy [%#lx, %#lx)", inside[i], area->va_start,
                               area->va_end);
        if (design->find(space, outside[i]) == area)
            return vmap_broken("V6: find(%#lx) answers with busy [%#lx, %#lx)", outside[i],
                               area->va_start, area->va_end);
    }
    return NULL;
}

/* ... and for a retired one: nobody finds it. */
static const char *check_not_found(struct vmap_space *space, const struct vmap_area *area)
{
    if (space->design->find(space, area->va_start) || space->design->find(space, area->va_end - 1))
        return vmap_broken("V6: find() answers inside of lazily freed [%#lx, %#lx)", area->va_start,
                           area->va_end);
    return NULL;
}

/* First pass: the busy areas alone, ascending and disjoint. An order that ascends strictly ends. */
static bool visit_busy(void *ctx, const struct vmap_area *area)
{
    struct tiling *tiling = ctx;

    tiling->broken = check_range(tiling->space, area, "busy");
    if (!tiling->broken && area->va_start < tiling->cursor)
        tiling->broken = vmap_broken("V4: busy [%#lx, %#lx) overlaps the one before it, which ends"
                                     " at %#lx",
                                     area->va_start, area->va_end, tiling->cursor);
    if (!tiling->broken)
        tiling->broken = area->kind == VMAP_LAZY && tiling->space->design->retire
                             ? check_not_found(tiling->space, area)
                             : check_find(tiling->space, area);
    tiling->cursor = area->va_end;
    tiling->busy_areas++;
    tiling->busy_bytes += vmap_area_size(area);
    return !tiling->broken;
}

/* The next cached range, if it begins at the cursor. It is as free as a free one: nobody may find it. */
static bool cover_with_cached(struct tiling *tiling, vaddr_t until)
{
    struct vmap_area *area = list_entry(tiling->cached.next, struct vmap_area, purge);
    struct vmap_space *space = tiling->space;

    if (list_empty(&tiling->cached) || area->va_start > tiling->cursor)
        return false;
    tiling->broken = check_range(space, area, "cached");
    if (!tiling->broken && (area->va_start != tiling->cursor || area->va_end > until ||
                            space->design->find(space, area->va_start) ||
                            space->design->find(space, area->va_end - 1)))
        tiling->broken = vmap_broken("V4: cached [%#lx, %#lx) overlaps another range",
                                     area->va_start, area->va_end);
    if (tiling->broken)
        return false;
    list_del(&area->purge);
    tiling->cursor = area->va_end;
    tiling->cached_areas++;
    tiling->cached_bytes += vmap_area_size(area);
    tiling->last_was_free = false;
    return true;
}

/*
 * Second pass, between two free ranges: busy areas must cover [cursor, until) without gap or overlap.
 * The first pass has shown that find() answers truly, so find(cursor) is "the area that starts here".
 */
static bool cover_with_busy(struct tiling *tiling, vaddr_t until)
{
    while (tiling->cursor < until) {
        const struct vmap_area *area = vmap_lazy_peek(&tiling->lazy);

        if (cover_with_cached(tiling, until))
            continue;
        if (tiling->broken)
            return false;
        if (area && area->va_start == tiling->cursor)
            vmap_lazy_take(&tiling->lazy);
        else
            area = tiling->space->design->find(tiling->space, tiling->cursor);
        if (!area) {
            tiling->broken =
                vmap_broken("V4: %#lx is in no busy and in no free range", tiling->cursor);
            return false;
        }
        if (area->va_start != tiling->cursor || area->va_end > until) {
            tiling->broken = vmap_broken("V4: busy [%#lx, %#lx) overlaps a free range",
                                         area->va_start, area->va_end);
            return false;
        }
        tiling->cursor = area->va_end;
        tiling->busy_areas--;
        tiling->last_was_free = false;
    }
    return true;
}

static bool visit_free(void *ctx, const struct vmap_area *area)
{
    struct tiling *tiling = ctx;
    struct vmap_space *space = tiling->space;

    tiling->broken = check_range(space, area, "free");
    if (!tiling->broken && area->va_start < tiling->cursor)
        tiling->broken = vmap_broken("V4: free [%#lx, %#lx) overlaps what ends at %#lx",
                                     area->va_start, area->va_end, tiling->cursor);
    if (tiling->broken || !cover_with_busy(tiling, area->va_start))
        return false;
    if (tiling->last_was_free)
        tiling->broken = vmap_broken("V5: free [%#lx, %#lx) touches the free range before it",
                                     area->va_start, area->va_end);
    if (space->design->find(space, area->va_start) || space->design->find(space, area->va_end - 1))
        tiling->broken =
            vmap_broken("V4: free [%#lx, %#lx) overlaps a busy area", area->va_start, area->va_end);
    tiling->last_was_free = true;
    tiling->cursor = area->va_end;
    tiling->free_extents++;
    tiling->free_bytes += vmap_area_size(area);
    return !tiling->broken;
}

/*
 * V4 and V6.
 *   1. All busy areas: sound, ascending, disjoint, and found by find().
 *   2. All free ranges, with busy and cached ones filling exactly what is between them and at both ends.
 *   3. Every busy area of step 1 was used in step 2, and every cached one: one more lies inside of a free
 *      range.
 */
static const char *check_tiling(struct tiling *tiling)
{
    struct vmap_space *space = tiling->space;
    u64 busy_areas;

    tiling->cursor = space->start;
    vmap_for_each_locked(space, VMAP_BUSY, visit_busy, tiling);
    if (tiling->broken)
        return tiling->broken;
    busy_areas = tiling->busy_areas;
    tiling->cursor = space->start;
    vmap_lazy_begin(&tiling->lazy, space);
    list_init(&tiling->cached);
    if (space->design->cached)
        space->design->cached(space, &tiling->cached);
    vmap_sort_by_address(&tiling->cached);
    space->design->for_each(space, VMAP_FREE, visit_free, tiling);
    if (tiling->broken || !cover_with_busy(tiling, space->end))
        return tiling->broken;
    if (tiling->busy_areas != 0 || !list_empty(&tiling->cached))
        return vmap_broken("V4: %lu busy areas and %s cached ones lie inside of free ranges",
                           tiling->busy_areas, list_empty(&tiling->cached) ? "no" : "some");
    tiling->busy_areas = busy_areas;
    return NULL;
}

/* The counters are part of the bookkeeping: they must say what the structures hold. */
static const char *check_counters(const struct tiling *tiling)
{
    const struct vmap_stats *stats = &tiling->space->stats;

    if (stats->busy_areas != tiling->busy_areas || stats->busy_bytes != tiling->busy_bytes)
        return vmap_broken("V4: counted %lu busy areas of %#lx bytes, there are %lu of %#lx",
                           stats->busy_areas, stats->busy_bytes, tiling->busy_areas,
                           tiling->busy_bytes);
    if (stats->free_extents != tiling->free_extents ||
        stats->free_bytes != tiling->free_bytes + tiling->cached_bytes)
        return vmap_broken("V4: counted %lu free ranges of %#lx bytes, there are %lu of %#lx",
                           stats->free_extents, stats->free_bytes, tiling->free_extents,
                           tiling->free_bytes + tiling->cached_bytes);
    if (stats->cached_areas != tiling->cached_areas || stats->cached_bytes != tiling->cached_bytes)
        return vmap_broken("V4: counted %lu cached ranges of %#lx bytes, there are %lu of %#lx",
                           stats->cached_areas, stats->cached_bytes, tiling->cached_areas,
                           tiling->cached_bytes);
    return NULL;
}

const char *vmap_check_locked(struct vmap_space *space)
{
    struct tiling tiling = {.space = space};
    const char *broken = space->design->check(space);

    if (!broken)
        broken = check_tiling(&tiling);
    return broken ? broken : check_counters(&tiling);
}

/* The operation as the shell would be told to repeat it, with its number and its result. */
static const char *describe(const struct vmap_space *space, const struct vmap_operation *op)
{
    static char text[192];
    size_t length = format_to(text, sizeof(text), "operation %lu: ", space->operations);

    if (op->what == VMAP_OP_FREE)
        format_to(text + length, sizeof(text) - length, "free [%#lx, %#lx)", op->start, op->end);
    else if (op->what == VMAP_OP_RESIZE)
        format_to(text + length, sizeof(text) - length, "resize [%#lx, %#lx) to %#lx = %s",
                  op->start, op->end, op->new_end, op->error ? errno_name(op->error) : "done");
    else if (op->error)
        format_to(text + length, sizeof(text) - length,
                  "alloc %#lx align %#lx in [%#lx, %#lx) = %s", op->size, op->align, op->lo, op->hi,
                  errno_name(op->error));
    else
        format_to(text + length, sizeof(text) - length,
                  "alloc %#lx align %#lx in [%#lx, %#lx) = %#lx", op->size, op->align, op->lo,
                  op->hi, op->start);
    return text;
}

static __noreturn void stop(struct vmap_space *space, const struct vmap_operation *op,
                            const char *broken)
{
    space->check_level = VMAP_CHECK_OFF; /* whoever looks at the remains must not panic again */
    port_panic("vmap space %s (%s): %s; after %s", space->name, space->design->name, broken,
               describe(space, op));
}

/* What an answer must be at least, whatever the design promises. */
static const char *check_answer(const struct vmap_operation *op)
{
    if (op->error || op->what != VMAP_OP_ALLOC)
        return NULL;
    if (op->start < op->lo || op->end > op->hi || op->end - op->start != op->size ||
        !is_aligned(op->start, op->align))
        return vmap_broken("V7: [%#lx, %#lx) is not what was asked for", op->start, op->end);
    return NULL;
}

/* The answer of an alloc against the model; 0, or the model's -ENOMEM. */
static int model_alloc(struct vmap_space *space, const struct vmap_operation *op,
                       const char **broken)
{
    vaddr_t lowest = 0;
    bool room = op->lo < op->hi &&
                vmap_oracle_lowest(space->oracle, op->size, op->align, op->lo, op->hi, &lowest);
    int error;

    if (op->error == -ENOSPC && room && !(space->design->caps & VMAP_CAP_GIVES_UP))
        *broken = vmap_broken("V7: no room found, but there is at %#lx", lowest);
    if (op->error)
        return 0;
    error = vmap_oracle_take(space->oracle, op->start, op->end);
    if (error == -EEXIST)
        *broken = vmap_broken("V4: [%#lx, %#lx) was handed out, but is in use", op->start, op->end);
    else if (!error && (space->design->caps & VMAP_CAP_LOWEST_FIT) && op->start != lowest)
        *broken = vmap_broken("V7: handed out %#lx, but %#lx is free and lower", op->start, lowest);
    return error;
}

static int model_give(struct vmap_space *space, vaddr_t start, vaddr_t end, const char **broken)
{
    int error = vmap_oracle_give(space->oracle, start, end);

    if (error == -ENOENT)
        *broken = vmap_broken("V4: [%#lx, %#lx) was given back, but is not in use", start, end);
    return error;
}

static int model_resize(struct vmap_space *space, const struct vmap_operation *op,
                        const char **broken)
{
    int error;

    if (op->error)
        return 0;
    if (op->new_end < op->end)
        return model_give(space, op->new_end, op->end, broken);
    error = vmap_oracle_take(space->oracle, op->end, op->new_end);
    if (error == -EEXIST)
        *broken = vmap_broken("V4: grown over [%#lx, %#lx), which is in use", op->end, op->new_end);
    return error;
}

/* Let the model do the same operation. It may run out of memory: then level 2 has to do. */
static const char *check_model(struct vmap_space *space, const struct vmap_operation *op)
{
    const char *broken = NULL;
    int error;

    if (op->what == VMAP_OP_ALLOC)
        error = model_alloc(space, op, &broken);
    else if (op->what == VMAP_OP_FREE)
        error = model_give(space, op->start, op->end, &broken);
    else
        error = model_resize(space, op, &broken);
    if (error != -ENOMEM)
        return broken;
    port_warn("vmap space %s: no memory for the model, check level 2 from now on", space->name);
    vmap_oracle_delete(space->oracle);
    space->oracle = NULL;
    space->check_level = VMAP_CHECK_ALWAYS;
    return NULL;
}

void vmap_verify(struct vmap_space *space, const struct vmap_operation *op)
{
    const char *broken;

    if (space->check_level == VMAP_CHECK_SAMPLED && space->operations % VMAP_CHECK_EVERY != 0)
        return;
    broken = check_answer(op);
    if (!broken && space->check_level == VMAP_CHECK_MODEL)
        broken = check_model(space, op);
    if (!broken)
        broken = vmap_check_locked(space);
    if (broken)
        stop(space, op, broken);
}

struct take_all {
    struct vmap_oracle *oracle;
    int error;
};

static bool take_area(void *ctx, const struct vmap_area *area)
{
    struct take_all *all = ctx;

    all->error = vmap_oracle_take(all->oracle, area->va_start, area->va_end);
    return all->error == 0;
}

struct vmap_oracle *vmap_model_new(struct vmap_space *space)
{
    struct take_all all = {0};

    if (vmap_oracle_default_ops)
        all.oracle = vmap_oracle_new(space->start, space->end, vmap_oracle_default_ops,
                                     vmap_oracle_default_ctx);
    if (!all.oracle)
        return NULL;
    vmap_for_each_locked(space, VMAP_BUSY, take_area, &all);
    if (!all.error)
        return all.oracle;
    vmap_oracle_delete(all.oracle);
    return NULL;
}
