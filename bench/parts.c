// SPDX-License-Identifier: MIT
/*
 * More of the layer: mapping pages that exist already, vrealloc, and the parts that an allocation is
 * made of, to know where its cost comes from. What an operation is stands in the table at the end.
 * No locks, no invariants of its own. Read next: bench/sweep.c.
 */
#include "bench/workloads.h"
#include "lib/bits.h"
#include "lib/rbtree_augmented.h"

/* Mapping pages that exist already; layer only ---------------------------------------------------------- */

static bool page_setup(struct bench *b)
{
    b->page = alloc_pages(GFP_KERNEL, 0);
    return b->page || bench_fail(b, "no memory");
}

static void page_teardown(struct bench *b)
{
    free_pages(b->page, 0);
    b->page = NULL;
}

static bool loop_vm_map_ram(struct bench *b, u64 loops)
{
    while (loops--) {
        void *what = vm_map_ram(&b->page, 1);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        *(volatile u8 *)what = 0;
        vm_unmap_ram(what, 1);
    }
    return true;
}

static bool loop_vmap(struct bench *b, u64 loops)
{
    while (loops--) {
        void *what = vmap(&b->page, 1, VM_MAP, PROT_KERNEL_RW);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        vunmap(what);
    }
    return true;
}

/* 1 page, 4 pages, 1 page, half a page, 1 page: the byte written first survives it all. */
static bool loop_vrealloc(struct bench *b, u64 loops)
{
    static const u64 sizes[] = {4 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE / 2, PAGE_SIZE};

    while (loops--) {
        volatile u8 *what = vrealloc(NULL, PAGE_SIZE, GFP_KERNEL);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        *what = 'a';
        for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
            volatile u8 *now = vrealloc((const void *)what, sizes[i], GFP_KERNEL);
            if (unlikely(!now)) {
                vfree((const void *)what);
                return bench_fail(b, "no memory");
            }
            what = now;
        }
        ASSERT(*what == 'a', "vrealloc lost the content: %u", *what);
        vfree((const void *)what);
    }
    return true;
}

/* The parts, to know what the whole is made of -------------------------------------------------------- */

static inline __attribute__((always_inline)) bool page_pairs(struct bench *b, u64 loops, gfp_t gfp)
{
    while (loops--) {
        struct page *page = alloc_pages(gfp, 0);
        if (unlikely(!page))
            return bench_fail(b, "no memory");
        free_pages(page, 0);
    }
    return true;
}

static bool loop_alloc_page(struct bench *b, u64 loops)
{
    return page_pairs(b, loops, GFP_KERNEL);
}

static bool loop_alloc_page_zero(struct bench *b, u64 loops)
{
    return page_pairs(b, loops, GFP_KERNEL | __GFP_ZERO);
}

static bool loop_kmalloc(struct bench *b, u64 loops)
{
    while (loops--) {
        void *what = kmalloc(64, GFP_KERNEL);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        kfree(what);
    }
    return true;
}

static bool loop_vzalloc(struct bench *b, u64 loops)
{
    while (loops--) {
        void *what = vzalloc(PAGE_SIZE);
        if (unlikely(!what))
            return bench_fail(b, "no memory");
        vfree(what);
    }
    return true;
}

static bool to_page_setup(struct bench *b)
{
    if (!bench_keep_room(b, 1))
        return false;
    *bench_kept(b, 0) = vmalloc(PAGE_SIZE);
    return *bench_kept(b, 0) || bench_fail(b, "no memory");
}

static void to_page_teardown(struct bench *b)
{
    if (b->chunks[0])
        vfree(*bench_kept(b, 0));
    bench_keep_end(b);
}

static bool loop_to_page(struct bench *b, u64 loops)
{
    void *what = *bench_kept(b, 0);

    while (loops--)
        if (unlikely(!vmalloc_to_page(what)))
            return bench_fail(b, "vmalloc_to_page() found nothing");
    return true;
}

/* Red-black trees: insert all, erase all; an operation is one node ---------------------------------------- */

#define TREE_NODES 1000u

struct tree_node {
    struct rb_node rb;
    u64 key, size, max;
};

static inline u64 stored_max(const struct rb_node *node)
{
    return rb_entry(node, struct tree_node, rb)->max;
}

static inline u64 max_below(const struct rb_node *child)
{
    return child ? stored_max(child) : 0;
}

static inline u64 compute_max(const struct rb_node *node)
{
    u64 size = rb_entry(node, struct tree_node, rb)->size;
    return max_u64(size, max_u64(max_below(node->left), max_below(node->right)));
}

static inline void store_max(struct rb_node *node, u64 value)
{
    rb_entry(node, struct tree_node, rb)->max = value;
}

RB_DEFINE_AUGMENT(tree_augment, compute_max, stored_max, store_max);

static inline __attribute__((always_inline)) void
tree_insert(struct rb_root *root, struct tree_node *node, const struct rb_augment *augment)
{
    struct rb_node *parent = NULL, **link = &root->node;

    for (struct rb_node *next = root->node; next;) {
        parent = next;
        if (node->key < rb_entry(parent, struct tree_node, rb)->key) {
            next = parent->left;
            if (!next)
                link = &parent->left;
        } else {
            next = parent->right;
            if (!next)
                link = &parent->right;
        }
    }
    rb_link(&node->rb, parent, link);
    rb_insert_fixup(root, &node->rb, augment);
}

static inline __attribute__((always_inline)) bool tree_pairs(struct bench *b, u64 loops,
                                                             const struct rb_augment *augment)
{
    struct tree_node *nodes = *bench_kept(b, 0);

    while (loops) {
        struct rb_root root = RB_ROOT_INIT;
        u64 n = min_u64(loops, TREE_NODES);
        for (u64 i = 0; i < n; i++)
            tree_insert(&root, &nodes[i], augment);
        for (u64 i = 0; i < n; i++)
            rb_erase(&root, &nodes[i].rb, augment);
        loops -= n;
    }
    return true;
}

/* The keys and sizes are drawn beforehand, as Linux's lib/rbtree_test.c does. */
static bool tree_setup(struct bench *b)
{
    struct tree_node *nodes;

    if (!bench_keep_room(b, 1))
        return false;
    nodes = *bench_kept(b, 0) = vmalloc(TREE_NODES * sizeof(*nodes));
    for (u64 i = 0; nodes && i < TREE_NODES; i++)
        nodes[i] = (struct tree_node){.key = rng_next(&b->rng), .size = rng_next(&b->rng)};
    return nodes || bench_fail(b, "no memory");
}

static bool loop_tree(struct bench *b, u64 loops)
{
    return tree_pairs(b, loops, NULL);
}

static bool loop_tree_augmented(struct bench *b, u64 loops)
{
    return tree_pairs(b, loops, &tree_augment);
}

#define LAYER(workload_name, count, text, loop_fn, ...)                                            \
    {                                                                                              \
        .name = (workload_name), .what = (text), .world = BENCH_LAYER, .loops = (count),           \
        .loop = (loop_fn), __VA_ARGS__                                                             \
    }
#define PREPARED(setup_fn, teardown_fn) .setup = (setup_fn), .teardown = (teardown_fn)

const struct bench_workload bench_parts[] = {
    LAYER("vm_map_ram", 40000, "map 1 page, write a byte, unmap", loop_vm_map_ram,
          PREPARED(page_setup, page_teardown)),
    LAYER("vmap", 40000, "vmap 1 page, vunmap", loop_vmap, PREPARED(page_setup, page_teardown)),
    LAYER("vrealloc", 10000, "1, 4, 1, half a, 1 page, vfree", loop_vrealloc),
    LAYER("vzalloc", 20000, "vzalloc 1 page, vfree", loop_vzalloc),
    LAYER("vmalloc_to_page", 40000, "ask for one page", loop_to_page,
          PREPARED(to_page_setup, to_page_teardown)),
    LAYER("alloc_page", 40000, "alloc_pages order 0, free_pages", loop_alloc_page),
    LAYER("alloc_page zeroed", 20000, "the same with __GFP_ZERO", loop_alloc_page_zero),
    LAYER("kmalloc 64", 40000, "kmalloc 64 bytes, kfree", loop_kmalloc),
    LAYER("rbtree 1000", 40000, "insert and erase a node, 1000 in the tree", loop_tree,
          PREPARED(tree_setup, to_page_teardown)),
    LAYER("rbtree 1000 augmented", 40000, "the same with a maximum kept", loop_tree_augmented,
          PREPARED(tree_setup, to_page_teardown)),
};
const unsigned bench_part_count = ARRAY_SIZE(bench_parts);
