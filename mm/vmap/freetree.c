// SPDX-License-Identifier: MIT
/*
 * The design of Linux 5.2 as merged (Rezki, 2019; commit 68ad4a330433): the free ranges are the data
 * structure. Allocation finds the lowest free range that fits in O(log f) instead of walking over the
 * busy ones. Function names are Linux's where the step is Linux's.
 *
 * Owns struct freetree. No lock of its own: space->lock is held around every call. Keeps V1 (tree
 * and list agree), V2, V3 (subtree_max_size exact), V5 (free neighbours merged), V7 (lowest fit).
 * Read next: freetree_check.c, how they are verified; space.c, which wraps it; vmlist.c, its ancestor.
 */
#include "mm/vmap/freetree.h"
#include "lib/errno.h"

/*
 *  page  0    2       5        8  9      11              16
 *        |####|.......|########|..|######|...............|      # busy    . free
 *
 *   free, a tree by address ...                     busy, a tree by address ...
 *
 *             [8,9) max 5                                   [5,8)
 *            /           \                                 /     \
 *    [2,5) max 3     [11,16) max 5                     [0,2)     [9,11)
 *
 *   ... and a list by address                       ... and a list by address
 *
 *    [2,5) <-> [8,9) <-> [11,16)                     [0,2) <-> [5,8) <-> [9,11)
 *
 * "max" is subtree_max_size: the largest free range in this subtree, the node itself included. It is
 * what makes the search short: a subtree whose max is too small holds no room, and is not entered.
 * Four pages: at the root, the left side has max 3 and is pruned, the root itself is too small, the
 * right side has max 5: [11,16) it is, of which [11,15) is carved from the left edge (LE).
 */

/* Where the request lies inside the free range that it is carved from. */
enum fit_type {
    FL_FIT_TYPE, /* full: |#####|   both edges, nothing remains */
    LE_FIT_TYPE, /* left edge: |###..|   the right part remains */
    RE_FIT_TYPE, /* right edge: |..###|   the left part remains */
    NE_FIT_TYPE, /* no edge: |.###.|   two parts remain, which costs one more descriptor */
};

static inline u64 get_subtree_max_size(const struct rb_node *node)
{
    return node ? to_va(node)->subtree_max_size : 0;
}

static inline u64 compute_subtree_max_size(const struct rb_node *node)
{
    return max_u64(vmap_area_size(to_va(node)),
                   max_u64(get_subtree_max_size(node->left), get_subtree_max_size(node->right)));
}

static void set_subtree_max_size(struct rb_node *node, u64 value)
{
    to_va(node)->subtree_max_size = value;
}

const struct rb_augment freetree_augment = {
    .compute = compute_subtree_max_size,
    .get = get_subtree_max_size,
    .set = set_subtree_max_size,
};

/*
 * The size of va changed: bring subtree_max_size up to date from va to the root. An ancestor whose
 * value does not change ends it, because everything above was computed from that value.
 */
static void augment_tree_propagate_from(struct vmap_area *va)
{
    for (struct rb_node *node = &va->rb_node; node; node = rb_parent(node)) {
        u64 value = compute_subtree_max_size(node);

        if (to_va(node)->subtree_max_size == value)
            return;
        to_va(node)->subtree_max_size = value;
    }
}

static __noreturn __noinline void overlap(const struct vmap_area *va, const struct vmap_area *other)
{
    port_panic("V4: [%#lx, %#lx) overlaps [%#lx, %#lx), which is there already", va->va_start,
               va->va_end, other->va_start, other->va_end);
}

/*
 * Where va belongs: the empty link to hang it on, and the node that link is in (*parent, NULL in an
 * empty tree). The descent starts at `from`, or at the root when that is NULL. Every node passed lies
 * entirely below or entirely above va; if one does not, some range has been given out or back twice.
 */
static struct rb_node **find_va_links(const struct vmap_area *va, struct rb_root *root,
                                      struct rb_node *from, struct rb_node **parent)
{
    struct rb_node *node = from ? from : root->node;
    struct rb_node **link = &root->node;

    *parent = NULL;
    while (node) {
        struct vmap_area *other = to_va(node);

        *parent = node;
        if (va->va_end <= other->va_start)
            link = &node->left;
        else if (va->va_start >= other->va_end)
            link = &node->right;
        else
            overlap(va, other);
        node = *link;
    }
    return link;
}

/* Hang va on the link. Its neighbour in the list is the parent: a new leaf has nobody in between. */
static void link_va(struct vmap_area *va, struct area_set *set, struct rb_node *parent,
                    struct rb_node **link, const struct rb_augment *augment)
{
    if (!parent)
        list_add(&va->list, &set->list);
    else if (link == &parent->right)
        list_add(&va->list, &to_va(parent)->list);
    else
        list_add_tail(&va->list, &to_va(parent)->list);
    rb_link(&va->rb_node, parent, link);
    rb_insert_fixup(&set->root, &va->rb_node, augment);
}

static void unlink_va(struct vmap_area *va, struct area_set *set, const struct rb_augment *augment)
{
    rb_erase(&set->root, &va->rb_node, augment);
    list_del(&va->list);
}

static void insert_vmap_area(struct vmap_area *va, struct area_set *busy)
{
    struct rb_node *parent, **link = find_va_links(va, &busy->root, NULL, &parent);

    link_va(va, busy, parent, link, NULL);
}

/* The same for the free tree, beginning the descent at a node that is known to be near. */
static void insert_vmap_area_augment(struct vmap_area *va, struct rb_node *from,
                                     struct area_set *free)
{
    struct rb_node *parent, **link = find_va_links(va, &free->root, from, &parent);

    va->kind = VMAP_FREE;
    link_va(va, free, parent, link, &freetree_augment);
}

/* The next node above in address order whose left side has just been finished, or NULL. */
static struct rb_node *climb(struct rb_node *node)
{
    struct rb_node *parent = rb_parent(node);

    while (parent && node == parent->right) {
        node = parent;
        parent = rb_parent(node);
    }
    return parent;
}

/*
 * The lowest place for `size` bytes aligned to `align` in [lo, hi): an in-order walk of the tree that
 * skips what cannot fit.
 *   1. Left first, if something there is large enough, and not all of it lies below lo.
 *   2. Then this node itself. Coming in address order, the first fit is the lowest (V7).
 *   3. A node that reaches up to hi ends the search: all that follow lie above it.
 *   4. Then right, if something there is large enough.
 *   5. Otherwise climb, to the first ancestor that has this subtree on its left; go on with 2 there.
 * No subtree is entered twice, so the search is O(log f) when size alone decides. A large enough
 * range may still not fit because of align, lo or hi; each such range costs up to O(log f) more.
 *
 * Linux 5.2 pruned with size + align - 1 instead of size. Then whatever is large enough fits at any
 * alignment, and steps 3 and 5 are (nearly) never needed; but it passes over ranges that fit exactly,
 * e.g. a 2 MiB-aligned request in a window of just 2 MiB. We prefer the exact answer, always.
 */
static struct vmap_area *find_vmap_lowest_match(struct vmap_space *space, u64 size, u64 align,
                                                vaddr_t lo, vaddr_t hi, vaddr_t *start)
{
    struct freetree *tree = space->state;
    struct rb_node *node = tree->free.root.node;
    struct vmap_area *match = NULL;
    bool left_is_done = false;
    u64 visited = 0;

    while (node) {
        struct vmap_area *va = to_va(node);

        visited++;
        if (!left_is_done && get_subtree_max_size(node->left) >= size && lo < va->va_start) {
            node = node->left;
            continue;
        }
        if (vmap_fit(va->va_start, va->va_end, size, align, lo, hi, start)) {
            match = va;
            break;
        }
        if (va->va_end >= hi)
            break;
        left_is_done = get_subtree_max_size(node->right) < size;
        node = left_is_done ? climb(node) : node->right;
    }
    space->stats.visited = visited;
    return match;
}

static inline enum fit_type classify_va_fit_type(const struct vmap_area *va, vaddr_t start,
                                                 u64 size)
{
    bool left_edge = va->va_start == start;
    bool right_edge = va->va_end == start + size;

    if (left_edge)
        return right_edge ? FL_FIT_TYPE : LE_FIT_TYPE;
    return right_edge ? RE_FIT_TYPE : NE_FIT_TYPE;
}

/* Carve [start, start + size) out of the free range va. 0, or -ENOMEM with nothing changed. */
static int adjust_va_to_fit_type(struct vmap_space *space, struct vmap_area *va, vaddr_t start,
                                 u64 size)
{
    struct freetree *tree = space->state;
    struct vmap_area *left;

    switch (classify_va_fit_type(va, start, size)) {
    case FL_FIT_TYPE:
        space->stats.fit_full++;
        space->stats.free_extents--;
        unlink_va(va, &tree->free, &freetree_augment);
        vmap_node_free(space, va);
        break;
    case LE_FIT_TYPE:
        space->stats.fit_left++;
        va->va_start += size;
        augment_tree_propagate_from(va);
        break;
    case RE_FIT_TYPE:
        space->stats.fit_right++;
        va->va_end = start;
        augment_tree_propagate_from(va);
        break;
    case NE_FIT_TYPE:
        /* va keeps the right part. It must have its new size, up to the root, before the left part
         * goes in: the rotations of the insertion compute from what their nodes say. */
        left = vmap_node_alloc(space);
        if (!left)
            return -ENOMEM;
        space->stats.fit_inner++;
        space->stats.free_extents++;
        left->va_start = va->va_start;
        left->va_end = start;
        va->va_start = start + size;
        augment_tree_propagate_from(va);
        insert_vmap_area_augment(left, &va->rb_node, &tree->free);
        break;
    }
    return 0;
}

/*
 * Make [va->va_start, va->va_end) free; va is in no structure. Its descriptor becomes the free range's
 * or goes back, so this needs no memory and cannot fail.
 *   1. Find the place; the neighbours are the parent there and the parent's neighbour in the list.
 *   2. Both touch: take `next` out first, while every stored size is still true, then widen `prev`
 *      over both. (The other order would let the rotations of the erase see a stale maximum.)
 *   3. One touches: widen it. 4. None does: va goes in as it is.
 */
static void merge_or_add_vmap_area(struct vmap_space *space, struct vmap_area *va)
{
    struct area_set *free = &((struct freetree *)space->state)->free;
    struct rb_node *parent, **link = find_va_links(va, &free->root, NULL, &parent);
    struct list_head *after = parent ? &to_va(parent)->list : &free->list;
    struct list_head *before;
    struct vmap_area *prev, *next;
    bool joins_prev, joins_next;

    if (parent && link == &parent->right)
        after = after->next;
    before = after->prev;
    prev = list_entry(before, struct vmap_area, list);
    next = list_entry(after, struct vmap_area, list);
    joins_prev = before != &free->list && prev->va_end == va->va_start;
    joins_next = after != &free->list && next->va_start == va->va_end;

    if (!joins_prev && !joins_next) {
        space->stats.free_extents++;
        va->kind = VMAP_FREE;
        link_va(va, free, parent, link, &freetree_augment);
        return;
    }
    space->stats.merges += (u64)joins_prev + joins_next;
    if (joins_prev && joins_next) {
        space->stats.free_extents--;
        unlink_va(next, free, &freetree_augment);
        prev->va_end = next->va_end;
        vmap_node_free(space, next);
    } else if (joins_prev) {
        prev->va_end = va->va_end;
    } else {
        next->va_start = va->va_start;
    }
    augment_tree_propagate_from(joins_prev ? prev : next);
    vmap_node_free(space, va);
}

static int freetree_init(struct vmap_space *space)
{
    struct freetree *tree = space->state;
    struct vmap_area *all = vmap_node_alloc(space);

    if (!all)
        return -ENOMEM;
    list_init(&tree->free.list);
    list_init(&tree->busy.list);
    all->va_start = space->start;
    all->va_end = space->end;
    insert_vmap_area_augment(all, NULL, &tree->free);
    space->stats.free_extents = 1;
    return 0;
}

static void free_all(struct vmap_space *space, struct area_set *set)
{
    struct vmap_area *va, *next;

    list_for_each_entry_safe(va, next, &set->list, list)
        vmap_node_free(space, va);
    list_init(&set->list);
    set->root = RB_ROOT_INIT;
}

static void freetree_fini(struct vmap_space *space)
{
    struct freetree *tree = space->state;

    free_all(space, &tree->free);
    free_all(space, &tree->busy);
}

/*
 * 1. The descriptor of the busy area first: without it there is nothing to undo.
 * 2. Search. 3. Carve; the NE case may find no second descriptor. 4. Enter it as busy.
 */
static int freetree_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                          struct vmap_area **out)
{
    struct freetree *tree = space->state;
    struct vmap_area *busy = vmap_node_alloc(space);
    struct vmap_area *hole;
    vaddr_t start;
    int error;

    if (!busy)
        return -ENOMEM;
    hole = find_vmap_lowest_match(space, size, align, lo, hi, &start);
    error = hole ? adjust_va_to_fit_type(space, hole, start, size) : -ENOSPC;
    if (unlikely(error)) {
        vmap_node_free(space, busy);
        return error;
    }
    busy->va_start = start;
    busy->va_end = start + size;
    busy->kind = VMAP_BUSY;
    insert_vmap_area(busy, &tree->busy);
    *out = busy;
    return 0;
}

static void freetree_free(struct vmap_space *space, struct vmap_area *area)
{
    struct freetree *tree = space->state;

    unlink_va(area, &tree->busy, NULL);
    merge_or_add_vmap_area(space, area);
}

static struct vmap_area *find_containing(const struct area_set *set, vaddr_t addr)
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

static struct vmap_area *freetree_find(struct vmap_space *space, vaddr_t addr)
{
    return find_containing(&((struct freetree *)space->state)->busy, addr);
}

static void freetree_for_each(struct vmap_space *space, enum vmap_kind kind,
                              bool (*visit)(void *ctx, const struct vmap_area *area), void *ctx)
{
    struct freetree *tree = space->state;
    struct area_set *set = kind == VMAP_FREE ? &tree->free : &tree->busy;
    struct vmap_area *va;

    if (kind == VMAP_CACHED)
        return;
    list_for_each_entry(va, &set->list, list)
        if (!visit(ctx, va))
            return;
}

/* The tail needs a descriptor of its own; from there on it goes the way of every freed range. */
static int freetree_shrink(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    struct vmap_area *tail = vmap_node_alloc(space);

    if (!tail)
        return -ENOMEM;
    tail->va_start = new_end;
    tail->va_end = area->va_end;
    area->va_end = new_end;
    merge_or_add_vmap_area(space, tail);
    return 0;
}

/* What is wanted starts at the left edge of the free range (LE or FL), so no descriptor is needed. */
static int freetree_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    struct freetree *tree = space->state;
    struct vmap_area *hole = find_containing(&tree->free, area->va_end);
    int error;

    if (!hole || hole->va_end < new_end)
        return -ENOSPC;
    error = adjust_va_to_fit_type(space, hole, area->va_end, new_end - area->va_end);
    if (!error)
        area->va_end = new_end;
    return error;
}

static struct rb_root *freetree_free_root(struct vmap_space *space)
{
    return &((struct freetree *)space->state)->free.root;
}

static struct rb_root *freetree_busy_root(struct vmap_space *space)
{
    return &((struct freetree *)space->state)->busy.root;
}

const struct vmap_design vmap_freetree = {
    .name = "freetree",
    .since = "Linux 5.2, 2019",
    .origin = "free ranges in an rbtree augmented with subtree_max_size (Rezki, 68ad4a330433)",
    .caps = VMAP_CAP_LOWEST_FIT | VMAP_CAP_AUGMENTED | VMAP_CAP_FREE_TREE,
    .state_size = sizeof(struct freetree),
    .init = freetree_init,
    .fini = freetree_fini,
    .alloc = freetree_alloc,
    .free = freetree_free,
    .find = freetree_find,
    .for_each = freetree_for_each,
    .check = freetree_check,
    .shrink = freetree_shrink,
    .grow = freetree_grow,
    .free_root = freetree_free_root,
    .busy_root = freetree_busy_root,
};
