// SPDX-License-Identifier: MIT
/*
 * The same areas twice: a red-black tree by address to find one, a list by address to reach its
 * neighbours. Every design since Linux 2.6.28 keeps its areas like this, so what it takes to enter,
 * find, remove and verify them is written once, here. The hot parts are inline, and take the
 * augmentation of the tree as a constant: NULL, a plain tree, costs nothing.
 *
 * No lock of its own: space->lock is held. Invariants: V1, V2, V3. Read next: mm/vmap/freetree.c.
 */
#ifndef MM_VMAP_AREA_SET_H
#define MM_VMAP_AREA_SET_H

#include "mm/vmap/vmap.h"

struct area_set {
    struct rb_root root;
    struct list_head list;
};

static inline struct vmap_area *to_va(const struct rb_node *node)
{
    return rb_entry(node, struct vmap_area, rb_node);
}

static inline void area_set_init(struct area_set *set)
{
    set->root = RB_ROOT_INIT;
    list_init(&set->list);
}

/* Two areas claim the same bytes: some range has been given out or back twice. */
__noreturn void area_set_overlap(const struct vmap_area *va, const struct vmap_area *other);

/*
 * Where va belongs: the empty link to hang it on, and the node that link is in (*parent, NULL in an
 * empty tree). The descent starts at `from`, or at the root when that is NULL. Every node passed lies
 * entirely below or entirely above va.
 */
static inline struct rb_node **find_va_links(const struct vmap_area *va, struct rb_root *root,
                                             struct rb_node *from, struct rb_node **parent)
{
    struct rb_node **link = &root->node, *node = NULL;

    for (struct rb_node *next = from ? from : root->node; next;) {
        node = next;
        if (va->va_end <= to_va(node)->va_start) {
            next = node->left;
            if (!next)
                link = &node->left;
        } else if (likely(va->va_start >= to_va(node)->va_end)) {
            next = node->right;
            if (!next)
                link = &node->right;
        } else {
            area_set_overlap(va, to_va(node));
        }
    }
    *parent = node;
    return link;
}

/* Hang va on the link. Its neighbour in the list is the parent: a new leaf has nobody in between. */
static inline void link_va(struct vmap_area *va, struct area_set *set, struct rb_node *parent,
                           struct rb_node **link, const struct rb_augment *augment)
{
    STEP(LINK, va->va_start, va->va_end, parent ? to_va(parent)->va_start : 0,
         va->kind != VMAP_FREE);
    if (!parent)
        list_add(&va->list, &set->list);
    else if (link == &parent->right)
        list_add(&va->list, &to_va(parent)->list);
    else
        list_add_tail(&va->list, &to_va(parent)->list);
    rb_link(&va->rb_node, parent, link);
    rb_insert_fixup(&set->root, &va->rb_node, augment);
}

static inline void unlink_va(struct vmap_area *va, struct area_set *set,
                             const struct rb_augment *augment)
{
    STEP(UNLINK, va->va_start, va->va_end, 0, va->kind != VMAP_FREE);
    rb_erase(&set->root, &va->rb_node, augment);
    list_del(&va->list);
}

static inline void insert_vmap_area(struct vmap_area *va, struct area_set *busy)
{
    struct rb_node *parent, **link = find_va_links(va, &busy->root, NULL, &parent);

    link_va(va, busy, parent, link, NULL);
}

/* The area that contains addr, or NULL. O(log n). */
static inline struct vmap_area *area_set_find(const struct area_set *set, vaddr_t addr)
{
    struct rb_node *node = set->root.node;

    while (node) {
        struct vmap_area *va = to_va(node);

        if (addr < va->va_start)
            node = node->left;
        else if (addr >= va->va_end)
            node = node->right;
        else
            return va;
    }
    return NULL;
}

/*
 * The list position of the lowest area that ends above addr, or the head of the list when all end at or
 * below: where a walk for room from addr on begins. O(log n); adds the nodes looked at to *visited.
 */
static inline struct list_head *area_set_first_above(struct area_set *set, vaddr_t addr,
                                                     u64 *visited)
{
    struct rb_node *node = set->root.node;
    struct list_head *lowest = &set->list;

    while (node) {
        struct vmap_area *va = to_va(node);

        ++*visited;
        if (va->va_end > addr) {
            lowest = &va->list;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return lowest;
}

/* Ascending; until the visitor says stop. */
void area_set_for_each(const struct area_set *set,
                       bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx);

/* Every descriptor goes back; the set is empty then. */
void area_set_free_all(struct vmap_space *space, struct area_set *set);

/*
 * Parts of a design's check(): NULL or a sentence, which calls the set `name`. In this order, because
 * each may rely on what the one before has shown: however broken the set is, none of them hangs.
 */
/* V2, and V3 of an augmented tree. Bounded by the space's number of descriptors. */
const char *area_set_check_tree(const struct vmap_space *space, const char *name,
                                const struct area_set *set, const struct rb_augment *augment);
/* V1, and that no two neighbours overlap (V4). */
const char *area_set_check_order(const char *name, const struct area_set *set);
/* Every area is of a kind that belongs among the busy ones. */
const char *area_set_check_busy(const struct area_set *set);
/* ... among the free ones, and no two of these touch (V5). */
const char *area_set_check_free(const struct area_set *set);

#endif
