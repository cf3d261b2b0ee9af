// SPDX-License-Identifier: MIT
/*
 * Finding free address space: the interface that every design in this folder implements, and the
 * wrapper (vmap_space_*) that callers use. A design deals in addresses only: no pages, no page
 * tables, no TLB. All addresses and sizes are multiples of PAGE_SIZE; a range is [start, end); guard
 * pages are part of the size that the caller asks for.
 *
 * Lock: space->lock (irqsave), taken by the wrapper around every operation; designs take none.
 * Invariants: V1..V7 (docs/invariants.md). Read next: vmap/freetree.c.
 */
#ifndef MM_VMAP_VMAP_H
#define MM_VMAP_VMAP_H

#include "lib/avl.h"
#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/types.h"
#include "mm/port.h"

struct vm_struct;
struct vmap_space;
struct vmap_oracle;

enum vmap_kind {
    VMAP_FREE = 0,   /* in the free structures */
    VMAP_BUSY = 1,   /* handed out */
    VMAP_LAZY = 2,   /* given back, waits for its TLB flush; not to be reused */
    VMAP_CACHED = 3, /* held by the design for quick reuse */
};

/* One range. The same object describes a free and a busy range, at different times. */
struct vmap_area {
    vaddr_t va_start; /* first byte */
    vaddr_t va_end;   /* last byte + 1 */
    union {
        struct rb_node rb_node;
        struct avl_node avl_node; /* avlhash */
    };
    struct list_head list; /* address-ordered list */
    union {
        u64 subtree_max_size; /* FREE: largest free size in the subtree below (V3) */
        struct vm_struct *vm; /* BUSY: who uses it; NULL for vm_map_ram and bare reservations */
    };
    u16 kind;   /* enum vmap_kind */
    u16 node;   /* nodes: 1 + the node whose pool it returns to; 0: none */
    u32 caller; /* packed: who allocated (see mm/page.h caller_pack()) */
    union {
        struct list_head purge;     /* LAZY: on space->lazy or space->purging */
        struct hash_node hash_node; /* FREE, avlhash: among those of its size */
    };
};

static inline u64 vmap_area_size(const struct vmap_area *area)
{
    return area->va_end - area->va_start;
}

/* Where descriptors come from: the slab in the kernel, malloc with failure control in tests. */
struct vmap_node_ops {
    void *(*alloc)(void *ctx); /* one zeroed-or-not struct vmap_area, or NULL; must not sleep */
    void (*free)(void *ctx, void *node);
};

struct vmap_stats {
    u64 busy_areas, free_extents; /* current */
    u64 busy_bytes, free_bytes;   /* current; busy includes lazy, free includes cached */
    u64 cached_areas;             /* ready-made ranges that the design holds back (VMAP_CACHED) */
    u64 cached_bytes;
    u64 largest_free; /* bytes */
    u64 nodes;        /* descriptors allocated now */
    u64 metadata_bytes;
    u64 visited;                                  /* nodes looked at by the last alloc */
    u64 allocs, frees, failures;                  /* since init */
    u64 fit_full, fit_left, fit_right, fit_inner; /* FL, LE, RE, NE counts (designs that carve) */
    u64 merges;
};

/* Capabilities: which laws a design promises. */
#define VMAP_CAP_LOWEST_FIT 1u  /* V7: always the lowest address that fits */
#define VMAP_CAP_AUGMENTED 2u   /* V3 applies */
#define VMAP_CAP_FREE_TREE 4u   /* has a tree of free ranges: vmap_design.free_root() */
#define VMAP_CAP_GIVES_UP 8u    /* may answer -ENOSPC although there is room */
#define VMAP_CAP_JOINS_LAZY 16u /* neighbours that wait for their flush may do so as one range */

struct vmap_design {
    const char *name;   /* "freetree": the vmap= option */
    const char *since;  /* "Linux 5.2, 2019" */
    const char *origin; /* one line and a source */
    u32 caps;

    /* Bytes of private state that the space must embed (allocated by vmap_space_init's caller). */
    u64 state_size;

    /* Prepare an empty space that covers [space->start, space->end). 0 or -ENOMEM. */
    int (*init)(struct vmap_space *space);
    /* Give every descriptor back. */
    void (*fini)(struct vmap_space *space);
    /* About to alloc(), the lock not held yet: get ready what must not be asked for under it. May be NULL,
     * as in the default design, where the question costs two instructions. */
    void (*prepare)(struct vmap_space *space);
    /*
     * Find, reserve and describe a range: *out->kind == VMAP_BUSY, in the busy structures. size > 0,
     * align a power of two >= PAGE_SIZE, lo < hi inside the space: the wrapper has checked these.
     * 0; -ENOMEM no descriptor; -ENOSPC no room in [lo, hi).
     */
    int (*alloc)(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                 struct vmap_area **out);
    /* BUSY -> LAZY (the kind is set already): out of the structures that find() looks at. NULL: the
     * design keeps lazily freed areas among the busy ones, as Linux did from 2.6.28 to 5.3. */
    void (*retire)(struct vmap_space *space, struct vmap_area *area);
    /* Return a BUSY or LAZY area; never fails. Merges with free neighbours at once, or is CACHED. */
    void (*free)(struct vmap_space *space, struct vmap_area *area);
    /* The BUSY area that contains addr (without retire(): or LAZY), or NULL. */
    struct vmap_area *(*find)(struct vmap_space *space, vaddr_t addr);
    /* Ascending visit of one kind. Without retire(), BUSY includes LAZY ones: they carry their kind. */
    void (*for_each)(struct vmap_space *space, enum vmap_kind kind,
                     bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);
    /* Structure-specific invariants (V1, V2, V3, V5): NULL or a sentence. V4, V6 are generic. */
    const char *(*check)(struct vmap_space *space);
    /* Cut [start, end) out of a BUSY area's end: area shrinks to [va_start, new_end), the tail is
     * free. May be NULL (then vrealloc keeps the range). 0 or -ENOMEM. */
    int (*shrink)(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end);
    /* Grow a BUSY area to new_end if the range behind it is free. 0, -ENOSPC. May be NULL. */
    int (*grow)(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end);
    /* Give back what is held in reserve: CACHED ranges to the free structures, descriptors to where they
     * come from. May be NULL. */
    void (*drain)(struct vmap_space *space);
    /* A purge begins: what is LAZY will come back through free(). May be NULL. */
    void (*purge)(struct vmap_space *space);
    /* Chain every CACHED area to the list by area->purge, in any order. NULL: the design has none. */
    void (*cached)(struct vmap_space *space, struct list_head *out);
    /* Root of the tree of free areas for `vmap tree`; the function is always there, and answers
     * NULL when the design has no such tree. */
    struct rb_root *(*free_root)(struct vmap_space *space);
    /* ... and of the tree of busy areas. */
    struct rb_root *(*busy_root)(struct vmap_space *space);
};

extern const struct vmap_design vmap_freetree, vmap_freelist, vmap_busytree, vmap_busytree28,
    vmap_avlhash, vmap_vmlist, vmap_nodes, vmap_freetree52, vmap_freetree53, vmap_freetree517;
/* The same, compiled for the event log (mm/vmap/traced.h). */
extern const struct vmap_design vmap_freetree_traced, vmap_freelist_traced, vmap_busytree_traced,
    vmap_busytree28_traced, vmap_avlhash_traced, vmap_avlhash_pure_traced,
    vmap_avlhash_split_traced, vmap_vmlist_traced, vmap_nodes_traced, vmap_freetree52_traced,
    vmap_freetree53_traced, vmap_freetree517_traced;
int freetree_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                   struct vmap_area **out);
void freetree_retire(struct vmap_space *space, struct vmap_area *area);
struct vmap_area *freetree_find(struct vmap_space *space, vaddr_t addr);
/*
 * An operation of the space's design. Where mm/ is compiled as one program the default design is asked by
 * name, so that it becomes part of its callers; the comparison costs two instructions.
 */
#ifdef FUSED
#define VMAP_CALL(space, op, ...)                                                                  \
    (likely((space)->design == &vmap_freetree) ? freetree_##op(__VA_ARGS__)                        \
                                               : (space)->design->op(__VA_ARGS__))
#else
#define VMAP_CALL(space, op, ...) (space)->design->op(__VA_ARGS__)
#endif
extern const struct vmap_design *const vmap_designs[]; /* NULL-terminated, the default first */
/* ... and those that differ from one of these in a detail: found by name, but in no table of figures. */
extern const struct vmap_design *const vmap_variants[];
const struct vmap_design *vmap_design_find(const char *name); /* NULL: no such design */

enum vmap_check_level {
    VMAP_CHECK_OFF = 0,
    VMAP_CHECK_SAMPLED = 1, /* after every VMAP_CHECK_EVERY-th operation */
    VMAP_CHECK_ALWAYS = 2,  /* after every operation */
    VMAP_CHECK_MODEL = 3,   /* and against the page-bitmap oracle, placement included */
};
#define VMAP_CHECK_EVERY 256

struct vmap_space {
    const struct vmap_design *design;
    const char *name;
    vaddr_t start, end;
    struct spinlock lock;
    void *state; /* the design's own */
    const struct vmap_node_ops *node_ops;
    void *node_ctx;
    struct vmap_area *spare;        /* descriptors kept at hand, chained by list.next ... */
    u32 spares, spare_max;          /* ... how many, and at most; 0, as after init: none are kept */
    struct list_head lazy, purging; /* area->purge: waiting for a flush / being flushed, lazy.h */
    struct vmap_stats stats;
    enum vmap_check_level check_level;
    u64 operations;             /* allocs and frees: the operation number that checks cite */
    struct vmap_oracle *oracle; /* non-NULL at level 3 */
};

/*
 * Make a space over [start, end), which may reach up to the last page of the address space but not
 * include it (end <= 2^64 - PAGE_SIZE): so no end of a range ever wraps to 0. `state` is design->state_size zeroed bytes that live as long as
 * the space. 0; -EINVAL unaligned or empty; -ENOMEM.
 */
int vmap_space_init(struct vmap_space *space, const char *name, const struct vmap_design *design,
                    vaddr_t start, vaddr_t end, void *state, const struct vmap_node_ops *node_ops,
                    void *node_ctx);
void vmap_space_fini(struct vmap_space *space);

/*
 * Reserve `size` bytes aligned to `align` inside [lo, hi), of which only the part inside the space
 * counts. Overflow-safe. *out is NULL on failure. 0; -EINVAL size 0 or not
 * page-aligned, align not a power of two or < PAGE_SIZE, lo/hi unaligned or lo >= hi; -ENOSPC;
 * -ENOMEM. Takes space->lock. IRQ-safe.
 */
int vmap_space_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                     vaddr_t caller, struct vmap_area **out);

/* BUSY -> LAZY: find() no longer returns it, the range is not reusable yet. Takes the lock. */
void vmap_space_retire(struct vmap_space *space, struct vmap_area *area);

/* BUSY or LAZY -> free. The range must be TLB-clean (P3). Never fails. Takes the lock. */
void vmap_space_free(struct vmap_space *space, struct vmap_area *area);
/* The same under the lock. */
void vmap_free_locked(struct vmap_space *space, struct vmap_area *area);

/* The BUSY area that contains addr (interior allowed), or NULL. Takes the lock. */
struct vmap_area *vmap_space_find(struct vmap_space *space, vaddr_t addr);

/* Shrink / grow a BUSY area in place, see the design operations; -ENOSYS when the design cannot;
 * -EINVAL new_end unaligned, not above the area's start, or outside of the space. Takes the lock. */
int vmap_space_resize(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end);

/* CACHED ranges become free ones, and merge; descriptors in reserve and spare ones go back to where they
 * come from. Takes the lock. */
void vmap_space_drain(struct vmap_space *space);

/* BUSY (LAZY ones included), FREE or CACHED ranges in ascending order, under the lock: the visitor
 * must not sleep nor call back into the space; it returns false to stop. */
void vmap_space_for_each(struct vmap_space *space, enum vmap_kind kind,
                         bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);

/* V1..V6: NULL or the first broken invariant as a sentence with its number and the addresses (in
 * a static buffer). Takes the lock. */
const char *vmap_space_check(struct vmap_space *space);

/* At run time. Level 3 builds the oracle from the present state (window at most 32 TiB); without
 * memory for it: -ENOMEM, the level stays. Takes the lock. A broken invariant found by the automatic
 * checks is a port_panic() that cites the operation; level 3 falls back to 2 when the oracle runs out
 * of memory later. */
int vmap_space_set_check(struct vmap_space *space, enum vmap_check_level level);

/* From now on the space runs the second compilation of its design, which tells its steps to the event
 * log (mm/vmap/traced.h), or the plain one again. Takes the lock. */
void vmap_space_set_traced(struct vmap_space *space, bool on);

/* Counters with largest_free and metadata_bytes computed now. Takes the lock. */
struct vmap_stats vmap_space_stats(struct vmap_space *space);

/*
 * For designs: descriptors, counted in space->stats.nodes; NULL when none (FAIL_NODE armed too). Spare
 * ones first: the lock is held anyhow, so one costs 5 instructions where the slab takes 110 and 130.
 */
struct vmap_area *vmap_node_alloc_slow(struct vmap_space *space);
void vmap_node_free_slow(struct vmap_space *space, struct vmap_area *area);

static inline struct vmap_area *vmap_node_alloc(struct vmap_space *space)
{
    struct vmap_area *area = space->spare;

    if (unlikely(!area || fail_armed))
        return vmap_node_alloc_slow(space);
    space->spare = (struct vmap_area *)area->list.next;
    space->spares--;
    space->stats.nodes++;
    return area;
}

static inline void vmap_node_free(struct vmap_space *space, struct vmap_area *area)
{
    if (unlikely(space->spares >= space->spare_max)) {
        vmap_node_free_slow(space, area);
        return;
    }
    area->list.next = (struct list_head *)space->spare;
    space->spare = area;
    space->spares++;
    space->stats.nodes--;
}

/* The one rule of a fit: the lowest aligned start in [max(area start, lo), min(area end, hi)) that
 * holds size bytes; false when there is none. Overflow-safe. Inline: the heart of every search. */
static inline bool vmap_fit(vaddr_t start, vaddr_t end, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                            vaddr_t *out)
{
    vaddr_t from, to = min_u64(end, hi);

    if (!align_up_checked(max_u64(start, lo), align, &from) || from > to || to - from < size)
        return false;
    *out = from;
    return true;
}

/* A sentence in the static check buffer, for check() functions: "V3: ...". */
const char *vmap_broken(const char *format, ...) __printf(1, 2);

#endif
