// SPDX-License-Identifier: MIT
/*
 * Gather under the lock, print after it (as HelenOS does). Memory for the copy is taken before the
 * locks, with slack; if the space grew meanwhile, once more with more. Locks: vmalloc->lock (keeps
 * each vm_struct alive), then space->lock (keeps the areas). Read next: mm/commands/vmap_table.c.
 */
#include "mm/commands/snapshot.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmap/lazy.h"

#define ATTEMPTS 4
#define SLACK 64
#define MAX_BYTES (4 * MIB) /* kmalloc gives no more */

static const enum vmap_kind kinds[SNAPSHOT_KINDS] = {VMAP_BUSY, VMAP_FREE, VMAP_CACHED};

struct copying {
    struct snapshot *s;
    u64 next, limit; /* slots of ranges[] for this kind */
    u64 seen;        /* how many there are, also those without a slot */
};

static void copy_range(struct range *to, const struct vmap_area *area)
{
    /* Only a busy area has a vm: in a free one the same bytes are subtree_max_size. */
    const struct vm_struct *vm = area->kind == VMAP_BUSY ? area->vm : NULL;

    *to = (struct range){
        .start = area->va_start,
        .end = area->va_end,
        .caller = area->kind == VMAP_FREE ? 0 : caller_unpack(area->caller),
        .kind = (u8)area->kind,
        .has_vm = vm != NULL,
    };
    if (!vm)
        return;
    to->caller = vm->caller;
    to->phys = vm->phys_addr;
    to->nr_pages = vm->nr_pages;
    to->requested = vm->requested_size;
    to->flags = vm->flags;
    to->has_pages = vm->pages != NULL;
    to->array_is_vmalloc = is_vmalloc_addr(vm->pages);
    to->huge = vm->page_order != 0;
}

static bool copy_visit(void *ctx, const struct vmap_area *area)
{
    struct copying *c = ctx;

    c->seen++;
    if (c->next < c->limit)
        copy_range(&c->s->ranges[c->next++], area);
    else
        c->s->complete_to = min_u64(c->s->complete_to, area->va_start);
    return true;
}

/*
 * One copy of all kinds into what room there is; returns how many ranges exist. Where room is
 * short, each kind gets at most half of what is left, so that the lowest addresses of each are
 * there.
 */
static u64 copy_all(struct snapshot *s, struct vmalloc *v)
{
    struct vmap_space *space = &v->space;
    struct copying c = {.s = s};
    u64 total = 0;

    s->complete_to = s->end;
    u64 flags = spin_lock_irqsave(&space->lock);
    bool enough = space->stats.busy_areas + space->stats.free_extents + SLACK <= s->capacity;
    for (unsigned k = 0; k < SNAPSHOT_KINDS; k++) {
        u64 room = s->capacity - c.next;
        s->from[k] = s->first[k] = c.next;
        c.limit = c.next + (enough ? room : room / 2);
        c.seen = 0;
        vmap_for_each_locked(space, kinds[k], copy_visit, &c);
        total += c.seen;
    }
    s->from[SNAPSHOT_KINDS] = c.next;
    spin_unlock_irqrestore(&space->lock, flags);
    s->lost = total - c.next;
    return total;
}

/* Room for `wanted` ranges, or for as many as memory allows. */
static void make_room(struct snapshot *s, u64 wanted)
{
    u64 bytes = min_u64(wanted * sizeof(struct range), MAX_BYTES);

    for (; bytes > sizeof(s->few); bytes /= 2) {
        s->ranges = kmalloc(bytes, GFP_KERNEL | __GFP_NOWARN | __GFP_NOFAULT);
        if (s->ranges) {
            s->capacity = bytes / sizeof(struct range);
            return;
        }
    }
    s->ranges = s->few;
    s->capacity = ARRAY_SIZE(s->few);
}

void snapshot_take(struct snapshot *s, struct vmalloc *v)
{
    u64 wanted = ARRAY_SIZE(s->few);

    s->start = v->space.start;
    s->end = v->space.end;
    s->ranges = NULL;
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        make_room(s, wanted);
        u64 exist = copy_all(s, v);
        bool last = attempt + 1 == ATTEMPTS || s->capacity < wanted;
        if (s->lost == 0 || last)
            return;
        wanted = exist + exist / 4 + SLACK;
        snapshot_release(s);
    }
}

void snapshot_release(struct snapshot *s)
{
    if (s->ranges != s->few)
        kfree(s->ranges);
    s->ranges = NULL;
}

void snapshot_clip(struct snapshot *s, vaddr_t from)
{
    struct snapshot_cursor cursor;
    const struct range *range;
    u64 skipped[SNAPSHOT_KINDS];

    snapshot_begin(s, &cursor);
    do {
        memcpy(skipped, cursor.next, sizeof(skipped));
        range = snapshot_next(&cursor);
    } while (range && range->end <= from);
    memcpy(s->first, skipped, sizeof(skipped));
    if (range)
        s->start = range->start;
}

void snapshot_begin(const struct snapshot *s, struct snapshot_cursor *cursor)
{
    cursor->snapshot = s;
    for (unsigned k = 0; k < SNAPSHOT_KINDS; k++)
        cursor->next[k] = s->first[k];
}

const struct range *snapshot_next(struct snapshot_cursor *cursor)
{
    const struct snapshot *s = cursor->snapshot;
    const struct range *lowest = NULL;
    unsigned from = 0;

    for (unsigned k = 0; k < SNAPSHOT_KINDS; k++) {
        if (cursor->next[k] == s->from[k + 1])
            continue;
        const struct range *candidate = &s->ranges[cursor->next[k]];
        if (!lowest || candidate->start < lowest->start) {
            lowest = candidate;
            from = k;
        }
    }
    /* Beyond this address ranges are missing, and a gap would be a lie. */
    if (!lowest || lowest->start >= s->complete_to)
        return NULL;
    cursor->next[from]++;
    return lowest;
}

u64 range_guard(const struct range *range)
{
    bool guarded = range->has_vm && !(range->flags & VM_NO_GUARD);
    return range->kind == VMAP_BUSY && guarded ? PAGE_SIZE : 0;
}
