// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The workloads of bench/ as a module for an unmodified Linux, through exported functions only: same
 * names, same counts, same random numbers, a figure made in the same way. Loading it measures them all and
 * prints one line of JSON each ("@bench {...}").
 *
 * Not here: fix_align, random_size_align and align_shift need an aligned vmalloc, and Linux exports none.
 * Read next: bench/suite.c, bench/sweep.c, of which this is the twin; bench/linux/run, which boots it.
 */
#include <asm/msr.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rbtree_augmented.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define SEED 1
#define LONG_BUSY 15000u
#define RANDOM_PAGES 100u
#define HOLES1_PAGES 65u
#define FIRST_LIVE 100u
#define TREE_NODES 1000u

static unsigned long live_max = 100000;
module_param(live_max, ulong, 0444);
MODULE_PARM_DESC(live_max, "most areas that the sweeps keep alive");

/* What one workload needs between its setup and its end. */
struct bench {
    u64 random;
    void **kept;
    unsigned long kept_count;
    bool kept_are_maps; /* vmap()ped, not vmalloc()ed */
    struct page *page;
    struct page *pages[HOLES1_PAGES + 1]; /* the same page again and again */
    void *one;
};

struct workload {
    const char *name;
    unsigned long loops;
    int (*setup)(struct bench *b, unsigned long live);
    int (*loop)(struct bench *b, unsigned long loops);
    bool sweep;
};

/* ---- random numbers: lib/rng.c ------------------------------------------------------------------- */

static void rng_seed(struct bench *b, u64 seed)
{
    u64 x = seed + 0x9e3779b97f4a7c15ULL;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    x ^= x >> 31;
    b->random = x ? x : 1;
}

static u64 rng_next(struct bench *b)
{
    u64 x = b->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    b->random = x;
    return x * 0x2545f4914f6cdd1dULL;
}

static u64 rng_below(struct bench *b, u64 n)
{
    u64 surplus = -n % n, value;

    do
        value = rng_next(b);
    while (value < surplus);
    return value % n;
}

/* ---- loops --------------------------------------------------------------------------------------- */

static __always_inline int fixed(unsigned long loops, unsigned long pages)
{
    while (loops--) {
        u8 *what = vmalloc(pages << PAGE_SHIFT);
        if (!what)
            return -ENOMEM;
        WRITE_ONCE(*what, 0);
        vfree(what);
    }
    return 0;
}

static int fix_1(struct bench *b, unsigned long loops)
{
    return fixed(loops, 1);
}

static int fix_4(struct bench *b, unsigned long loops)
{
    return fixed(loops, 4);
}

static int fix_10(struct bench *b, unsigned long loops)
{
    return fixed(loops, 10);
}

static int long_busy(struct bench *b, unsigned long loops)
{
    while (loops--) {
        u8 *large = vmalloc(100 << PAGE_SHIFT), *one = vmalloc(PAGE_SIZE);
        if (!large || !one) {
            vfree(large);
            vfree(one);
            return -ENOMEM;
        }
        WRITE_ONCE(*large, 0);
        WRITE_ONCE(*one, 0);
        vfree(large);
        vfree(one);
    }
    return 0;
}

static int random_size(struct bench *b, unsigned long loops)
{
    while (loops--) {
        u8 *what = vmalloc((1 + rng_below(b, RANDOM_PAGES)) << PAGE_SHIFT);
        if (!what)
            return -ENOMEM;
        WRITE_ONCE(*what, 0);
        vfree(what);
    }
    return 0;
}

static int map_ram(struct bench *b, unsigned long loops)
{
    while (loops--) {
        u8 *what = vm_map_ram(&b->page, 1, NUMA_NO_NODE);
        if (!what)
            return -ENOMEM;
        WRITE_ONCE(*what, 0);
        vm_unmap_ram(what, 1);
    }
    return 0;
}

static int map(struct bench *b, unsigned long loops)
{
    while (loops--) {
        void *what = vmap(&b->page, 1, VM_MAP, PAGE_KERNEL);
        if (!what)
            return -ENOMEM;
        vunmap(what);
    }
    return 0;
}

static int zeroed(struct bench *b, unsigned long loops)
{
    while (loops--) {
        void *what = vzalloc(PAGE_SIZE);
        if (!what)
            return -ENOMEM;
        vfree(what);
    }
    return 0;
}

static int to_page(struct bench *b, unsigned long loops)
{
    while (loops--)
        if (!vmalloc_to_page(b->one))
            return -ENOENT;
    return 0;
}

static __always_inline int page_pairs(unsigned long loops, gfp_t gfp)
{
    while (loops--) {
        struct page *page = alloc_pages(gfp, 0);
        if (!page)
            return -ENOMEM;
        __free_pages(page, 0);
    }
    return 0;
}

static int one_page(struct bench *b, unsigned long loops)
{
    return page_pairs(loops, GFP_KERNEL);
}

static int zeroed_page(struct bench *b, unsigned long loops)
{
    return page_pairs(loops, GFP_KERNEL | __GFP_ZERO);
}

static int small_object(struct bench *b, unsigned long loops)
{
    while (loops--) {
        void *what = kmalloc(64, GFP_KERNEL);
        if (!what)
            return -ENOMEM;
        kfree(what);
    }
    return 0;
}

/* ---- red-black trees: insert all, erase all; an operation is one node ----------------------------- */

struct tree_node {
    struct rb_node rb;
    u64 key, size, max;
};

static inline u64 size_of_node(struct tree_node *node)
{
    return node->size;
}

RB_DECLARE_CALLBACKS_MAX(static, max_callbacks, struct tree_node, rb, u64, max, size_of_node)

static __always_inline void tree_insert(struct rb_root *root, struct tree_node *node,
                                        bool augmented)
{
    struct rb_node **link = &root->rb_node, *parent = NULL;

    for (struct rb_node *next = root->rb_node; next;) {
        struct tree_node *at = rb_entry(next, struct tree_node, rb);

        parent = next;
        if (augmented && at->max < node->size)
            at->max = node->size;
        if (node->key < at->key) {
            next = parent->rb_left;
            if (!next)
                link = &parent->rb_left;
        } else {
            next = parent->rb_right;
            if (!next)
                link = &parent->rb_right;
        }
    }
    node->max = node->size;
    rb_link_node(&node->rb, parent, link);
    if (augmented)
        rb_insert_augmented(&node->rb, root, &max_callbacks);
    else
        rb_insert_color(&node->rb, root);
}

static __always_inline int tree_pairs(struct bench *b, unsigned long loops, bool augmented)
{
    struct tree_node *nodes = b->one;

    while (loops) {
        struct rb_root root = RB_ROOT;
        unsigned long i, n = min_t(unsigned long, loops, TREE_NODES);

        for (i = 0; i < n; i++)
            tree_insert(&root, &nodes[i], augmented);
        for (i = 0; i < n; i++) {
            if (augmented)
                rb_erase_augmented(&nodes[i].rb, &root, &max_callbacks);
            else
                rb_erase(&nodes[i].rb, &root);
        }
        loops -= n;
    }
    return 0;
}

static int tree_plain(struct bench *b, unsigned long loops)
{
    return tree_pairs(b, loops, false);
}

static int tree_augmented(struct bench *b, unsigned long loops)
{
    return tree_pairs(b, loops, true);
}

/* ---- setups ---------------------------------------------------------------------------------------- */

static int keep_room(struct bench *b, unsigned long count)
{
    b->kept = kvcalloc(count, sizeof(b->kept[0]), GFP_KERNEL);
    return b->kept ? 0 : -ENOMEM;
}

static int keep(struct bench *b, void *what)
{
    if (!what)
        return -ENOMEM;
    b->kept[b->kept_count++] = what;
    return 0;
}

static int keep_ones(struct bench *b, unsigned long count)
{
    int err = keep_room(b, count);

    while (!err && b->kept_count < count)
        err = keep(b, vmalloc(PAGE_SIZE));
    return err;
}

static int setup_long_busy(struct bench *b, unsigned long live)
{
    return keep_ones(b, LONG_BUSY);
}

/* As many exact holes as fit into the threshold of the lazy flush: 32 MiB for one CPU. */
static int setup_full_fit(struct bench *b, unsigned long live)
{
    unsigned long i, pairs = fls(num_online_cpus()) * ((32UL << 20) >> PAGE_SHIFT);
    int err = keep_ones(b, 2 * pairs);

    for (i = 1; !err && i < 2 * pairs; i += 2) {
        vfree(b->kept[i]);
        b->kept[i] = NULL;
    }
    return err;
}

static int setup_one(struct bench *b, unsigned long live)
{
    b->one = vmalloc(PAGE_SIZE);
    return b->one ? 0 : -ENOMEM;
}

static int setup_tree(struct bench *b, unsigned long live)
{
    struct tree_node *nodes = b->one = vmalloc(TREE_NODES * sizeof(*nodes));
    unsigned long i;

    for (i = 0; nodes && i < TREE_NODES; i++) {
        nodes[i].key = rng_next(b);
        nodes[i].size = rng_next(b);
    }
    return nodes ? 0 : -ENOMEM;
}

/* N areas of `pages` pages, all of them the same page; a hole after every n-th. The hole is kept open by
 * an area without a guard page, as large as the hole, that goes at the end. */
static int fill(struct bench *b, unsigned long live, unsigned long pages, unsigned long hole,
                unsigned long every)
{
    unsigned long i, plugs = 0;
    void **plug = NULL;
    int err = keep_room(b, live + 1);

    b->kept_are_maps = true;
    if (!err && hole) {
        plug = kvcalloc(live + 1, sizeof(plug[0]), GFP_KERNEL);
        err = plug ? 0 : -ENOMEM;
    }
    for (i = 0; !err && i < live; i++) {
        err = keep(b, vmap(b->pages, pages, VM_MAP, PAGE_KERNEL));
        if (!err && hole && i % every == every - 1) {
            plug[plugs] = vmap(b->pages, hole, VM_MAP | VM_NO_GUARD, PAGE_KERNEL);
            err = plug[plugs++] ? 0 : -ENOMEM;
        }
        if (i % 1024 == 0)
            cond_resched();
    }
    while (plugs)
        vunmap(plug[--plugs]);
    kvfree(plug);
    return err;
}

static int setup_dense(struct bench *b, unsigned long live)
{
    return fill(b, live, 1, 0, 1);
}

static int setup_holes1(struct bench *b, unsigned long live)
{
    return fill(b, live, HOLES1_PAGES, 1, 2);
}

static int setup_holes2(struct bench *b, unsigned long live)
{
    return fill(b, live, 1, 2, 1);
}

static void teardown(struct bench *b)
{
    while (b->kept_count) {
        void *what = b->kept[--b->kept_count];

        if (b->kept_are_maps)
            vunmap(what);
        else
            vfree(what);
        if (b->kept_count % 1024 == 0)
            cond_resched();
    }
    kvfree(b->kept);
    vfree(b->one);
    b->kept = NULL;
    b->one = NULL;
    b->kept_are_maps = false;
    vm_unmap_aliases();
}

static const struct workload workloads[] = {
    {"fix_size", 40000, NULL, fix_1},
    {"fix_size 10p", 20000, NULL, fix_10},
    {"full_fit", 40000, setup_full_fit, fix_1},
    {"long_busy_list", 5000, setup_long_busy, long_busy},
    {"random_size", 10000, NULL, random_size},
    {"vm_map_ram", 40000, NULL, map_ram},
    {"vmap", 40000, NULL, map},
    {"vzalloc", 20000, NULL, zeroed},
    {"vmalloc_to_page", 40000, setup_one, to_page},
    {"alloc_page", 40000, NULL, one_page},
    {"alloc_page zeroed", 20000, NULL, zeroed_page},
    {"kmalloc 64", 40000, NULL, small_object},
    {"rbtree 1000", 40000, setup_tree, tree_plain},
    {"rbtree 1000 augmented", 40000, setup_tree, tree_augmented},
    {"live_sweep dense", 10000, setup_dense, fix_1, true},
    {"live_sweep holes1", 10000, setup_holes1, fix_1, true},
    {"live_sweep holes2", 10000, setup_holes2, fix_4, true},
};

/* ---- one figure ------------------------------------------------------------------------------------ */

/* Ticks for so many operations, the flush of what they left included; 0 when the loop failed. */
static u64 run_loop(struct bench *b, const struct workload *w, unsigned long loops)
{
    u64 start;

    vm_unmap_aliases();
    rng_seed(b, SEED);
    start = rdtsc();
    if (w->loop(b, loops))
        return 0;
    vm_unmap_aliases();
    return rdtsc() - start;
}

/* The difference of two loop counts: what happens once is out of it. */
static void measure(struct bench *b, const struct workload *w, unsigned long live)
{
    int err = w->setup ? w->setup(b, live) : 0;
    unsigned long less = w->loops / 4 + 1;
    u64 ticks_less = 0, ticks_more = 0;

    if (!err && run_loop(b, w, w->loops / 8)) {
        ticks_less = run_loop(b, w, less);
        ticks_more = run_loop(b, w, less + w->loops);
    }
    if (ticks_less && ticks_more)
        pr_info("@bench {\"workload\": \"%s\", \"areas_alive\": %lu, \"operations\": %lu, "
                "\"instructions\": %llu}\n",
                w->name, live, w->loops, ticks_more - ticks_less);
    else
        pr_info("@bench {\"workload\": \"%s\", \"areas_alive\": %lu, \"problem\": \"no memory\"}\n",
                w->name, live);
    teardown(b);
    cond_resched();
}

static int __init vitrine_bench_init(void)
{
    static struct bench b;
    unsigned long live;
    unsigned int i;

    b.page = alloc_page(GFP_KERNEL);
    if (!b.page)
        return -ENOMEM;
    for (i = 0; i < ARRAY_SIZE(b.pages); i++)
        b.pages[i] = b.page;
    for (i = 0; i < ARRAY_SIZE(workloads); i++) {
        measure(&b, &workloads[i], 0);
        for (live = FIRST_LIVE; workloads[i].sweep && live <= live_max; live *= 10)
            measure(&b, &workloads[i], live);
    }
    __free_page(b.page);
    pr_info("@bench {\"done\": true}\n");
    return 0;
}
module_init(vitrine_bench_init);

static void __exit vitrine_bench_exit(void)
{
}
module_exit(vitrine_bench_exit);

MODULE_DESCRIPTION("Vitrine's workloads on Linux's vmalloc");
MODULE_LICENSE("Dual MIT/GPL");
