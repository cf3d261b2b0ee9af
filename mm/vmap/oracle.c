// SPDX-License-Identifier: MIT
/*
 * The page-bitmap oracle: one bit per page, set = used, and a search that looks at one candidate
 * after the other. No line in common with any design (bits.h apart).
 *
 * Owns struct vmap_oracle. No lock: the space's lock guards it. The model behind V4 and V7. A leaf that
 * is absent is all free; a leaf that is all used is not stored either, its slot points to one shared
 * page of ones. So a lowest_fit in 32 TiB skips what is empty or full, and a huge range costs no pages.
 */
#include "mm/vmap/oracle.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define WORD_BITS 64UL
#define LEAF_WORDS (PAGE_SIZE / sizeof(u64))
#define LEAF_PAGES (LEAF_WORDS * WORD_BITS) /* pages that one leaf tells about: 32,768 */
#define FANOUT (PAGE_SIZE / sizeof(void *)) /* slots of a directory page: 512 */
#define MID_PAGES (FANOUT * LEAF_PAGES)     /* 64 GiB */
#define ROOT_PAGES (FANOUT * MID_PAGES)     /* 32 TiB */

/*
 *   root[512] --> mid[512] --> leaf: 32,768 bits
 *            \             \-> full_leaf (shared, all ones)
 *             \-> NULL      \-> NULL: all free
 */
struct vmap_oracle {
    vaddr_t start, end;
    const struct vmap_oracle_ops *ops;
    void *ctx;
    u64 ***root;
    u64 *full_leaf;
    u64 used_pages;
};

const struct vmap_oracle_ops *vmap_oracle_default_ops;
void *vmap_oracle_default_ctx;

struct vmap_oracle *vmap_oracle_new(vaddr_t start, vaddr_t end, const struct vmap_oracle_ops *ops,
                                    void *ctx)
{
    struct vmap_oracle *oracle;

    if (((start | end) & ~PAGE_MASK) || start >= end || (end - start) >> PAGE_SHIFT > ROOT_PAGES)
        return NULL;
    oracle = ops->alloc_page(ctx);
    if (!oracle)
        return NULL;
    *oracle = (struct vmap_oracle){.start = start, .end = end, .ops = ops, .ctx = ctx};
    oracle->root = ops->alloc_page(ctx);
    oracle->full_leaf = ops->alloc_page(ctx);
    if (!oracle->root || !oracle->full_leaf) {
        vmap_oracle_delete(oracle);
        return NULL;
    }
    memset(oracle->full_leaf, 0xff, PAGE_SIZE);
    return oracle;
}

static void drop_leaf(struct vmap_oracle *oracle, u64 **slot)
{
    if (*slot && *slot != oracle->full_leaf)
        oracle->ops->free_page(oracle->ctx, *slot);
    *slot = NULL;
}

static void drop_mid(struct vmap_oracle *oracle, u64 **mid)
{
    for (u64 i = 0; i < FANOUT; i++)
        drop_leaf(oracle, &mid[i]);
    oracle->ops->free_page(oracle->ctx, mid);
}

void vmap_oracle_delete(struct vmap_oracle *oracle)
{
    for (u64 i = 0; oracle->root && i < FANOUT; i++)
        if (oracle->root[i])
            drop_mid(oracle, oracle->root[i]);
    if (oracle->root)
        oracle->ops->free_page(oracle->ctx, oracle->root);
    if (oracle->full_leaf)
        oracle->ops->free_page(oracle->ctx, oracle->full_leaf);
    oracle->ops->free_page(oracle->ctx, oracle);
}

/* The first page in [page, limit) that is used (or free); limit when there is none. */
static u64 next_page(const struct vmap_oracle *oracle, u64 page, u64 limit, bool used)
{
    while (page < limit) {
        u64 **mid = oracle->root[page / MID_PAGES];
        u64 *leaf = mid ? mid[page / LEAF_PAGES % FANOUT] : NULL;
        u64 bits;

        if (!leaf || leaf == oracle->full_leaf) { /* the whole leaf, or all of 64 GiB, is alike */
            if ((leaf != NULL) == used)
                return page;
            page = align_down(page, mid ? LEAF_PAGES : MID_PAGES) + (mid ? LEAF_PAGES : MID_PAGES);
            continue;
        }
        bits = leaf[page / WORD_BITS % LEAF_WORDS];
        bits = (used ? bits : ~bits) >> (page % WORD_BITS);
        if (bits)
            return min_u64(page + (u64)__builtin_ctzll(bits), limit);
        page = align_down(page, WORD_BITS) + WORD_BITS;
    }
    return limit;
}

/* The slot of the leaf that tells about `page`, its directory page created; NULL without memory. */
static u64 **leaf_slot(struct vmap_oracle *oracle, u64 page)
{
    u64 ***mid = &oracle->root[page / MID_PAGES];

    if (!*mid)
        *mid = oracle->ops->alloc_page(oracle->ctx);
    return *mid ? &(*mid)[page / LEAF_PAGES % FANOUT] : NULL;
}

/* Give the slot a leaf of its own, so that single bits can change. */
static int unshare_leaf(struct vmap_oracle *oracle, u64 **slot)
{
    u64 *leaf;

    if (*slot && *slot != oracle->full_leaf)
        return 0;
    leaf = oracle->ops->alloc_page(oracle->ctx);
    if (!leaf)
        return -ENOMEM;
    if (*slot)
        memset(leaf, 0xff, PAGE_SIZE);
    *slot = leaf;
    return 0;
}

/* Give back the pages that tell nothing any more, so that the oracle of an empty space is small. */
static void trim(struct vmap_oracle *oracle, u64 first, u64 limit)
{
    for (u64 page = first; page < limit; page = align_down(page, MID_PAGES) + MID_PAGES) {
        u64 ***mid = &oracle->root[page / MID_PAGES];
        bool in_use = false;

        for (u64 i = 0; *mid && i < FANOUT; i++) {
            u64 **slot = &(*mid)[i];
            if (*slot && !memory_not_equal(*slot, 0, PAGE_SIZE))
                drop_leaf(oracle, slot);
            in_use |= *slot != NULL;
        }
        if (*mid && !in_use) {
            oracle->ops->free_page(oracle->ctx, *mid);
            *mid = NULL;
        }
    }
}

/* Everything that a change of [first, limit) needs memory for; the meaning of no bit changes. */
static int prepare(struct vmap_oracle *oracle, u64 first, u64 limit)
{
    for (u64 page = first; page < limit; page = align_down(page, LEAF_PAGES) + LEAF_PAGES) {
        u64 **slot = leaf_slot(oracle, page);
        bool whole = page % LEAF_PAGES == 0 && limit - page >= LEAF_PAGES;

        if (!slot || (!whole && unshare_leaf(oracle, slot)))
            return -ENOMEM;
    }
    return 0;
}

static void set_page(u64 *leaf, u64 page, bool used)
{
    u64 *word = &leaf[page / WORD_BITS % LEAF_WORDS];
    u64 bit = 1UL << (page % WORD_BITS);

    *word = used ? *word | bit : *word & ~bit;
}

/* All of [first, limit) becomes used (or free). 0 or -ENOMEM, and then nothing has. */
static int set_pages(struct vmap_oracle *oracle, u64 first, u64 limit, bool used)
{
    u64 page = first;

    if (prepare(oracle, first, limit)) {
        trim(oracle, first, limit);
        return -ENOMEM;
    }
    while (page < limit) {
        u64 **slot = leaf_slot(oracle, page);

        if (page % LEAF_PAGES == 0 && limit - page >= LEAF_PAGES) {
            drop_leaf(oracle, slot);
            *slot = used ? oracle->full_leaf : NULL;
            page += LEAF_PAGES;
        } else {
            set_page(*slot, page, used);
            page++;
        }
    }
    oracle->used_pages += used ? limit - first : first - limit;
    if (!used)
        trim(oracle, first, limit);
    return 0;
}

/* The pages of a range, counted from the start of the window; false when it is not a range in it. */
static bool to_pages(const struct vmap_oracle *oracle, vaddr_t start, vaddr_t end, u64 *first,
                     u64 *limit)
{
    if (((start | end) & ~PAGE_MASK) || start >= end || start < oracle->start || end > oracle->end)
        return false;
    *first = (start - oracle->start) >> PAGE_SHIFT;
    *limit = (end - oracle->start) >> PAGE_SHIFT;
    return true;
}

int vmap_oracle_take(struct vmap_oracle *oracle, vaddr_t start, vaddr_t end)
{
    u64 first, limit;

    if (!to_pages(oracle, start, end, &first, &limit))
        return -EINVAL;
    if (next_page(oracle, first, limit, true) != limit)
        return -EEXIST;
    return set_pages(oracle, first, limit, true);
}

int vmap_oracle_give(struct vmap_oracle *oracle, vaddr_t start, vaddr_t end)
{
    u64 first, limit;

    if (!to_pages(oracle, start, end, &first, &limit))
        return -EINVAL;
    if (next_page(oracle, first, limit, false) != limit)
        return -ENOENT;
    return set_pages(oracle, first, limit, false);
}

/*
 * Candidate by candidate: the lowest aligned start; if a page of it is used, the next candidate is the
 * lowest aligned start behind that used stretch. All starts that are skipped contain a used page.
 */
bool vmap_oracle_lowest(const struct vmap_oracle *oracle, u64 size, u64 align, vaddr_t lo,
                        vaddr_t hi, vaddr_t *out)
{
    u64 end_page = (oracle->end - oracle->start) >> PAGE_SHIFT;
    vaddr_t start = lo > oracle->start ? lo : oracle->start;

    if (hi > oracle->end)
        hi = oracle->end;
    while (align_up_checked(start, align, &start) && start < hi && size <= hi - start) {
        u64 first = (start - oracle->start) >> PAGE_SHIFT;
        u64 limit = first + (size >> PAGE_SHIFT);
        u64 used = next_page(oracle, first, limit, true);

        if (used == limit) {
            *out = start;
            return true;
        }
        start = oracle->start + (next_page(oracle, used, end_page, false) << PAGE_SHIFT);
    }
    return false;
}

bool vmap_oracle_is_free(const struct vmap_oracle *oracle, vaddr_t start, vaddr_t end)
{
    u64 first, limit;

    return to_pages(oracle, start, end, &first, &limit) &&
           next_page(oracle, first, limit, true) == limit;
}

u64 vmap_oracle_used_pages(const struct vmap_oracle *oracle)
{
    return oracle->used_pages;
}
