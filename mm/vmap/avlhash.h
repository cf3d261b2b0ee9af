// SPDX-License-Identifier: MIT
/*
 * The state of the avlhash designs, and the questions that the RFC of 2001 leaves open, each as a named
 * policy. A design of the table has fixed policies; a private space may be given others with
 * avlhash_set_policy(), to see what each decides. The space's lock guards it. Read next: avlhash.c.
 */
#ifndef MM_VMAP_AVLHASH_H
#define MM_VMAP_AVLHASH_H

#include "lib/avl.h"
#include "lib/hash.h"
#include "mm/vmap/vmap.h"

/* "Look in the hash": for which sizes? */
enum avlhash_hit {
    AVLHASH_HIT_EXACT, /* default: this size only; a hit is used whole. Buckets by hash of the size */
    AVLHASH_HIT_LARGER, /* this size or larger; the rest goes back. Buckets by power of two */
};

/* An aligned request: is a hit of the right size good enough to be looked at? */
enum avlhash_align {
    AVLHASH_ALIGN_HIT,      /* default: yes, if it holds an aligned start */
    AVLHASH_ALIGN_FRONTIER, /* no: above page alignment always new space */
};

/* "Take new space after the end of the used areas": where is that when the topmost area is freed? */
enum avlhash_frontier {
    AVLHASH_FRONTIER_LOWERED, /* default: where the topmost used area ends; unused ones above dissolve */
    AVLHASH_FRONTIER_STAYS, /* where it was; the freed area is unused like any other */
};

/* No hit, and no space behind the frontier: what then? */
enum avlhash_exhausted {
    AVLHASH_EXHAUSTED_WALK, /* default: first fit over the list of all areas, with split */
    AVLHASH_EXHAUSTED_FAIL, /* -ENOSPC, however much is unused: needs VMAP_CAP_GIVES_UP */
};

/*
 * Two more questions have one answer here. Guard pages are part of the size, as everywhere in this folder.
 * The piece that an aligned start at the frontier skips becomes an unused area, found by its size like
 * any other: anything else would lose it.
 */
struct avlhash_policy {
    enum avlhash_hit hit;
    enum avlhash_align align;
    enum avlhash_frontier frontier;
    enum avlhash_exhausted exhausted;
    u32 probes; /* unused areas looked at in the hash before giving up on a hit; 0: all in the bucket */
};

/* How often each way was taken, since init. */
struct avlhash_counts {
    u64 hits;      /* from the hash, whole or split */
    u64 frontiers; /* new space */
    u64 walks;     /* neither: the list was walked */
    u64 walked;    /* areas looked at in all walks */
    u64 splits;    /* unused areas that became two or three */
    u64 skips;     /* pieces skipped for alignment at the frontier */
    u64 lowered;   /* times the frontier came down */
};

#define AVLHASH_BITS 6
#define AVLHASH_BUCKETS (1U << AVLHASH_BITS)

struct avlhash {
    struct avl_root used; /* vm_avl_used: by address */
    struct list_head all; /* vm_list: used and unused, by address */
    vaddr_t frontier;     /* the areas tile [space->start, frontier) */
    struct avlhash_policy policy;
    struct avlhash_counts counts;
    struct hash_bucket unused[AVLHASH_BUCKETS]; /* vm_hash_unused: by size */
};

/* Beside vmap_avlhash, which has all defaults, and not in the table: the letter of the RFC and nothing more, and the repaired one with larger hits. */
extern const struct vmap_design vmap_avlhash_pure, vmap_avlhash_split;

/*
 * Give an empty space of an avlhash design other policies. The caller alone knows the space. 0; -EBUSY:
 * areas are in use or have been; -EINVAL: EXHAUSTED_FAIL in a design that promises never to give up.
 */
int avlhash_set_policy(struct vmap_space *space, const struct avlhash_policy *policy);

static inline struct vmap_area *avl_to_va(const struct avl_node *node)
{
    return avl_entry(node, struct vmap_area, avl_node);
}

static inline struct avlhash *hash_of(const struct vmap_space *space)
{
    return space->state;
}

/* The bucket of vm_hash_unused where an area of this size belongs. */
static inline unsigned avlhash_bucket(const struct avlhash *hash, u64 size)
{
    u64 pages = size >> PAGE_SHIFT;

    return hash->policy.hit == AVLHASH_HIT_LARGER ? fls(pages)
                                                  : (unsigned)hash_u64(pages, AVLHASH_BITS);
}

/* Operations of struct vmap_design, in avlhash.c. */
int avlhash_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                  struct vmap_area **out);
void avlhash_free(struct vmap_space *space, struct vmap_area *area);
int avlhash_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end);
int avlhash_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end);

/* V1, V2, V4, V5: NULL or a sentence. In avlhash_check.c. */
const char *avlhash_check(struct vmap_space *space);

#endif
