// SPDX-License-Identifier: MIT
/*
 * The wrapper between callers and a design: validates arguments once, takes the lock, keeps the
 * counters that are the same for all designs, and runs the automatic checks. At check level 0 it adds
 * a handful of instructions to the design's own.
 *
 * Owns struct vmap_space. Lock: space->lock (irqsave), held around every call into the design.
 * Invariants: V1..V7 are checked in check.c. Read next: mm/vmap/check.c, mm/vmap/freetree.c.
 */
#include "lib/errno.h"
#include "lib/failpoint.h"
#include "mm/vmap/check.h"
#include "mm/vmap/lazy.h"
#include "mm/vmap/oracle.h"

/* Kernel text lives in the top 2 GiB, so 31 bits tell it; caller_unpack() of mm/page.h undoes this. */
static inline u32 pack_caller(vaddr_t caller)
{
    return caller > -(2 * GIB) ? (u32)caller & 0x7fffffffU : 0;
}

__noinline struct vmap_area *vmap_node_alloc_slow(struct vmap_space *space)
{
    struct vmap_area *area;

    if (should_fail(FAIL_NODE))
        return NULL;
    area = space->node_ops->alloc(space->node_ctx);
    if (likely(area))
        space->stats.nodes++;
    return area;
}

__noinline void vmap_node_free_slow(struct vmap_space *space, struct vmap_area *area)
{
    space->stats.nodes--;
    space->node_ops->free(space->node_ctx, area);
}

int vmap_space_init(struct vmap_space *space, const char *name, const struct vmap_design *design,
                    vaddr_t start, vaddr_t end, void *state, const struct vmap_node_ops *node_ops,
                    void *node_ctx)
{
    if (((start | end) & ~PAGE_MASK) || start >= end)
        return -EINVAL;
    *space = (struct vmap_space){
        .design = design,
        .name = name,
        .start = start,
        .end = end,
        .state = state,
        .node_ops = node_ops,
        .node_ctx = node_ctx,
        .stats.free_bytes = end - start,
    };
    spin_init(&space->lock, name);
    list_init(&space->lazy);
    list_init(&space->purging);
    return design->init(space);
}

static void drop_spares(struct vmap_space *space)
{
    while (space->spare) {
        struct vmap_area *area = space->spare;

        space->spare = (struct vmap_area *)area->list.next;
        space->spares--;
        space->node_ops->free(space->node_ctx, area);
    }
}

void vmap_space_fini(struct vmap_space *space)
{
    vmap_lazy_forget(space);
    space->design->fini(space);
    drop_spares(space);
    if (space->oracle)
        vmap_oracle_delete(space->oracle);
    space->oracle = NULL;
    ASSERT(space->stats.nodes == 0, "space %s: %lu descriptors lost", space->name,
           space->stats.nodes);
}

static __noinline void verify_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo,
                                    vaddr_t hi, int error, const struct vmap_area *area)
{
    struct vmap_operation op = {
        .what = VMAP_OP_ALLOC, .size = size, .align = align, .error = error};

    op.lo = max_u64(lo, space->start);
    op.hi = min_u64(hi, space->end);
    op.start = area ? area->va_start : 0;
    op.end = area ? area->va_end : 0;
    vmap_verify(space, &op);
}

int vmap_space_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                     vaddr_t caller, struct vmap_area **out)
{
    vaddr_t from = max_u64(lo, space->start), to = min_u64(hi, space->end);
    struct vmap_stats *stats = &space->stats;
    int error = -ENOSPC;

    *out = NULL;
    if (unlikely(size == 0 || ((size | align | lo | hi) & ~PAGE_MASK) || !is_power_of_two(align) ||
                 lo >= hi))
        return -EINVAL;
    if (unlikely(space->design->prepare))
        space->design->prepare(space);
    u64 flags = spin_lock_irqsave(&space->lock);
    space->operations++;
    if (likely(from < to && size <= to - from))
        error = VMAP_CALL(space, alloc, space, size, align, from, to, out);
    if (likely(!error)) {
        (*out)->vm = NULL;
        (*out)->caller = pack_caller(caller);
        stats->allocs++;
        stats->busy_areas++;
        stats->busy_bytes += size;
        stats->free_bytes -= size;
    } else {
        stats->failures++;
    }
    if (unlikely(space->check_level != VMAP_CHECK_OFF))
        verify_alloc(space, size, align, lo, hi, error, *out);
    spin_unlock_irqrestore(&space->lock, flags);
    return error;
}

void vmap_space_retire(struct vmap_space *space, struct vmap_area *area)
{
    u64 flags = spin_lock_irqsave(&space->lock);

    vmap_retire_alone(space, area);
    spin_unlock_irqrestore(&space->lock, flags);
}

void vmap_free_locked(struct vmap_space *space, struct vmap_area *area)
{
    struct vmap_operation op = {.what = VMAP_OP_FREE, .start = area->va_start, .end = area->va_end};

    ASSERT(area->kind == VMAP_BUSY || area->kind == VMAP_LAZY,
           "free of [%#lx, %#lx), which is of kind %u: freed twice?", area->va_start, area->va_end,
           area->kind);
    if (area->kind == VMAP_LAZY)
        list_del(&area->purge);
    EVENT(space, FREE, area->va_start, area->va_end);
    space->design->free(space, area);
    space->operations++;
    space->stats.frees++;
    space->stats.busy_areas--;
    space->stats.busy_bytes -= op.end - op.start;
    space->stats.free_bytes += op.end - op.start;
    if (unlikely(space->check_level != VMAP_CHECK_OFF))
        vmap_verify(space, &op);
}

void vmap_space_free(struct vmap_space *space, struct vmap_area *area)
{
    u64 flags = spin_lock_irqsave(&space->lock);

    vmap_free_locked(space, area);
    spin_unlock_irqrestore(&space->lock, flags);
}

struct vmap_area *vmap_space_find(struct vmap_space *space, vaddr_t addr)
{
    u64 flags = spin_lock_irqsave(&space->lock);
    struct vmap_area *area = space->design->find(space, addr);

    if (area && area->kind != VMAP_BUSY)
        area = NULL;
    spin_unlock_irqrestore(&space->lock, flags);
    return area;
}

static int resize_locked(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    const struct vmap_design *design = space->design;
    struct vmap_operation op = {.what = VMAP_OP_RESIZE, .new_end = new_end};
    u64 grown = new_end - area->va_end; /* modulo 2^64: negative when it shrinks */

    ASSERT(area->kind == VMAP_BUSY, "resize of [%#lx, %#lx), which is of kind %u", area->va_start,
           area->va_end, area->kind);
    op.start = area->va_start;
    op.end = area->va_end;
    if (new_end == area->va_end)
        return 0;
    if (new_end <= area->va_start)
        return -EINVAL;
    if (new_end < area->va_end)
        op.error = design->shrink ? design->shrink(space, area, new_end) : -ENOSYS;
    else
        op.error = design->grow ? design->grow(space, area, new_end) : -ENOSYS;
    space->operations++;
    if (!op.error) {
        space->stats.busy_bytes += grown;
        space->stats.free_bytes -= grown;
    }
    if (unlikely(space->check_level != VMAP_CHECK_OFF))
        vmap_verify(space, &op);
    return op.error;
}

int vmap_space_resize(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    u64 flags;
    int error;

    if ((new_end & ~PAGE_MASK) || new_end > space->end)
        return -EINVAL;
    flags = spin_lock_irqsave(&space->lock);
    error = resize_locked(space, area, new_end);
    spin_unlock_irqrestore(&space->lock, flags);
    return error;
}

void vmap_space_drain(struct vmap_space *space)
{
    u64 flags = spin_lock_irqsave(&space->lock);

    if (space->design->drain)
        space->design->drain(space);
    drop_spares(space);
    spin_unlock_irqrestore(&space->lock, flags);
}

void vmap_space_for_each(struct vmap_space *space, enum vmap_kind kind,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    u64 flags = spin_lock_irqsave(&space->lock);

    vmap_for_each_locked(space, kind, visit, ctx);
    spin_unlock_irqrestore(&space->lock, flags);
}

const char *vmap_space_check(struct vmap_space *space)
{
    u64 flags = spin_lock_irqsave(&space->lock);
    const char *broken = vmap_check_locked(space);

    spin_unlock_irqrestore(&space->lock, flags);
    return broken;
}

int vmap_space_set_check(struct vmap_space *space, enum vmap_check_level level)
{
    struct vmap_oracle *unused = NULL;
    u64 flags;
    int error = 0;

    if (level > VMAP_CHECK_MODEL)
        return -EINVAL;
    flags = spin_lock_irqsave(&space->lock);
    if (level < VMAP_CHECK_MODEL) {
        unused = space->oracle;
        space->oracle = NULL;
    } else if (!space->oracle) {
        space->oracle = vmap_model_new(space);
        error = space->oracle ? 0 : -ENOMEM;
    }
    if (!error)
        space->check_level = level;
    spin_unlock_irqrestore(&space->lock, flags);
    if (unused)
        vmap_oracle_delete(unused);
    return error;
}

static bool keep_larger(void *ctx, const struct vmap_area *area)
{
    u64 *largest = ctx;

    *largest = max_u64(*largest, vmap_area_size(area));
    return true;
}

/* With the augmented tree the answer is at its root; everybody else has to look at each free range. */
static u64 largest_free(struct vmap_space *space)
{
    const struct vmap_design *design = space->design;
    u64 largest = 0;

    if (design->caps & VMAP_CAP_AUGMENTED) {
        struct rb_node *root = design->free_root(space)->node;
        return root ? rb_entry(root, struct vmap_area, rb_node)->subtree_max_size : 0;
    }
    design->for_each(space, VMAP_FREE, keep_larger, &largest);
    return largest;
}

struct vmap_stats vmap_space_stats(struct vmap_space *space)
{
    u64 flags = spin_lock_irqsave(&space->lock);
    struct vmap_stats stats = space->stats;

    stats.largest_free = largest_free(space);
    stats.metadata_bytes = stats.nodes * sizeof(struct vmap_area) + space->design->state_size;
    spin_unlock_irqrestore(&space->lock, flags);
    return stats;
}
