// SPDX-License-Identifier: MIT
/*
 * Tests of the checker: a sound space is damaged in one way, and vmap_space_check() must say so, with
 * the number of the invariant, and must neither crash nor hang. Then designs that lie: each answers
 * wrongly in one way, and the automatic checks must stop it. The damaged space is never repaired, so
 * its descriptors come from an array.
 *
 *     page  0    4      8      12      16      20      24      28      32
 *           |aaaa|......|bbbb|........|cccc|......|dddd|........|        a b c d busy, the rest free
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "mm/vmap/busytree.h"
#include "mm/vmap/freetree.h"
#include "mm/vmap/oracle.h"

#define BASE 0x10000000UL
#define PAGES 64
#define NODES 64

static struct vmap_area nodes[NODES];
static unsigned nodes_used;
static u8 state[1024] __attribute__((aligned(16)));
static struct vmap_space space;
static struct vmap_area *busy[7]; /* each 4 pages, at page 8 * i; free between them and behind */

static void *node_alloc(void *ctx)
{
    return nodes_used < NODES ? &nodes[nodes_used++] : NULL;
}

static void node_free(void *ctx, void *node)
{
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

static void open_sound(const struct vmap_design *design)
{
    nodes_used = 0;
    memset(state, 0, sizeof(state));
    assert_int_equal(vmap_space_init(&space, "corrupt", design, BASE, BASE + PAGES * PAGE_SIZE,
                                     state, &node_ops, NULL),
                     0);
    for (unsigned i = 0; i < ARRAY_SIZE(busy); i++) {
        vaddr_t at = BASE + 8UL * i * PAGE_SIZE;
        assert_int_equal(
            vmap_space_alloc(&space, 4 * PAGE_SIZE, PAGE_SIZE, at, at + 4 * PAGE_SIZE, 0, &busy[i]),
            0);
    }
    assert_null(vmap_space_check(&space));
}

static struct freetree *tree(void)
{
    return (struct freetree *)state;
}

/* The busy areas, wherever the design under test keeps them. */
static struct area_set *busy_set(void)
{
    return container_of(space.design->busy_root(&space), struct area_set, root);
}

/* The free ranges: 0 is [4,8), 1 is [12,16) ... 6 is [52,64), the largest. */
static struct vmap_area *free_range(unsigned n)
{
    struct list_head *pos = tree()->free.list.next;

    while (n--)
        pos = pos->next;
    return list_entry(pos, struct vmap_area, list);
}

static struct vmap_area *root_of(const struct area_set *set)
{
    return to_va(set->root.node);
}

/* A leaf of the given colour. */
static struct rb_node *leaf(const struct area_set *set, enum rb_color color)
{
    struct rb_node *node = rb_first(&set->root);

    while (node && (node->left || node->right || rb_node_color(node) != color))
        node = rb_next(node);
    assert_non_null(node);
    return node;
}

static void cut_off(struct rb_node *node)
{
    struct rb_node *parent = rb_parent(node);

    if (parent->left == node)
        parent->left = NULL;
    else
        parent->right = NULL;
}

/* The stored maxima of the free tree made right again after a damage that is not about them. */
static void repair_maxima(void)
{
    for (struct rb_node *node = rb_first(&tree()->free.root); node; node = rb_next(node))
        for (struct rb_node *up = node; up; up = rb_parent(up))
            freetree_augment.set(up, freetree_augment.compute(up));
}

static void swap_ranges(struct vmap_area *a, struct vmap_area *b)
{
    vaddr_t start = a->va_start, end = a->va_end;

    a->va_start = b->va_start;
    a->va_end = b->va_end;
    b->va_start = start;
    b->va_end = end;
}

static void unlink_only(struct vmap_area *area)
{
    area->list.prev->next = area->list.next;
    area->list.next->prev = area->list.prev;
}

static void swap_in_list(struct list_head *first)
{
    struct list_head *second = first->next;

    first->prev->next = second;
    second->next->prev = first;
    second->prev = first->prev;
    first->next = second->next;
    second->next = first;
    first->prev = second;
}

/* ---- damages of the freetree ------------------------------------------------------------------ */

static void free_colour_flipped(void)
{
    leaf(&tree()->free, RB_BLACK)->parent_color ^= 1;
}

static void busy_colour_flipped(void)
{
    leaf(busy_set(), RB_BLACK)->parent_color ^= 1;
}

static void red_below_red(void)
{
    struct rb_node *node = leaf(&tree()->free, RB_RED);
    rb_parent(node)->parent_color &= ~1UL;
}

static void red_root(void)
{
    busy_set()->root.node->parent_color &= ~1UL;
}

static void root_with_parent(void)
{
    tree()->free.root.node->parent_color |= (u64)tree()->free.root.node->left;
}

static void parent_link_wrong(void)
{
    struct rb_node *node = leaf(&tree()->free, RB_RED);
    node->parent_color = (u64)tree()->free.root.node | rb_node_color(node);
}

static void tree_cycle(void)
{
    leaf(busy_set(), RB_RED)->left = busy_set()->root.node;
}

static void child_shared(void)
{
    struct rb_node *node = rb_first(&busy_set()->root), *root = busy_set()->root.node;
    node->left = root->right;
}

static void black_leaf_dropped(void)
{
    cut_off(leaf(busy_set(), RB_BLACK));
}

static void red_leaf_dropped(void)
{
    cut_off(leaf(busy_set(), RB_RED));
}

static void free_leaf_dropped(void)
{
    cut_off(leaf(&tree()->free, RB_RED)); /* [4,8) sizes all around: the maxima stay right */
}

static void busy_tree_lost(void)
{
    busy_set()->root.node = NULL;
}

static void free_keys_swapped(void)
{
    swap_ranges(free_range(1), free_range(3));
}

static void busy_keys_swapped(void)
{
    swap_ranges(busy[2], busy[4]);
}

static void max_too_large(void)
{
    root_of(&tree()->free)->subtree_max_size += PAGE_SIZE;
}

static void max_too_small(void)
{
    root_of(&tree()->free)->subtree_max_size -= PAGE_SIZE;
}

static void max_of_a_leaf_wrong(void)
{
    to_va(leaf(&tree()->free, RB_RED))->subtree_max_size = 0;
}

static void max_not_propagated(void)
{
    free_range(6)->va_end -= PAGE_SIZE;
    space.stats.free_bytes -= PAGE_SIZE;
}

static void free_list_cycle(void)
{
    free_range(4)->list.next = &free_range(2)->list;
}

static void busy_list_cycle(void)
{
    busy[5]->list.next = &busy[0]->list;
}

static void free_list_skips(void)
{
    unlink_only(free_range(3));
}

static void busy_list_skips_first(void)
{
    unlink_only(busy[0]);
}

static void busy_list_skips_last(void)
{
    unlink_only(busy[6]);
}

static void back_link_wrong(void)
{
    busy[3]->list.prev = &busy[1]->list;
}

static void list_head_wrong(void)
{
    busy_set()->list.prev = &busy[2]->list;
}

static void list_order_swapped(void)
{
    swap_in_list(&free_range(2)->list);
}

static void free_ranges_touch(void)
{
    struct vmap_area *first = free_range(0);
    vaddr_t middle = first->va_start + 2 * PAGE_SIZE;
    struct vmap_area *half = node_alloc(NULL);
    struct rb_node *at = &first->rb_node;

    /* [4,8) as [4,6) and [6,8), the second hung into the tree behind it */
    *half = (struct vmap_area){.va_start = middle, .va_end = first->va_end, .kind = VMAP_FREE};
    first->va_end = middle;
    list_add(&half->list, &first->list);
    if (at->right) {
        for (at = at->right; at->left;)
            at = at->left;
        rb_link(&half->rb_node, at, &at->left);
    } else {
        rb_link(&half->rb_node, at, &at->right);
    }
    repair_maxima();
    rb_insert_fixup(&tree()->free.root, &half->rb_node, &freetree_augment);
    repair_maxima();
    space.stats.free_extents++;
    space.stats.nodes++;
}

static void free_ranges_overlap(void)
{
    free_range(2)->va_end = free_range(3)->va_start + PAGE_SIZE;
    repair_maxima();
}

static void free_range_empty(void)
{
    free_range(2)->va_end = free_range(2)->va_start;
    repair_maxima();
}

static void free_range_inverted(void)
{
    free_range(5)->va_end = free_range(5)->va_start - PAGE_SIZE;
    repair_maxima();
}

static void free_range_unaligned(void)
{
    free_range(2)->va_end -= 16;
    repair_maxima();
}

static void free_range_outside(void)
{
    free_range(6)->va_end += PAGE_SIZE;
    repair_maxima();
}

static void free_covers_busy(void)
{
    free_range(2)->va_end = busy[3]->va_start + PAGE_SIZE;
    repair_maxima();
}

static void free_range_too_short(void)
{
    free_range(2)->va_start += PAGE_SIZE;
    repair_maxima();
}

static void free_kind_wrong(void)
{
    free_range(2)->kind = VMAP_BUSY;
}

static void descriptor_in_both_worlds(void)
{
    rb_erase(&tree()->free.root, &free_range(2)->rb_node, &freetree_augment);
    unlink_only(free_range(2));
    space.stats.free_extents--;
}

/* ---- damages that every design can have -------------------------------------------------------- */

static void busy_empty(void)
{
    busy[2]->va_end = busy[2]->va_start;
}

static void busy_unaligned(void)
{
    busy[2]->va_start += 8;
}

static void busy_outside(void)
{
    busy[6]->va_end = space.end + PAGE_SIZE;
}

static void busy_areas_overlap(void)
{
    busy[2]->va_end = busy[3]->va_start + PAGE_SIZE;
}

static void busy_kind_wrong(void)
{
    busy[2]->kind = VMAP_FREE;
}

static void busy_too_short(void)
{
    busy[2]->va_end -= PAGE_SIZE;
}

static void busy_too_long(void)
{
    busy[2]->va_end += PAGE_SIZE;
}

static void busy_count_wrong(void)
{
    space.stats.busy_areas++;
}

static void busy_bytes_wrong(void)
{
    space.stats.busy_bytes -= PAGE_SIZE;
}

static void free_count_wrong(void)
{
    space.stats.free_extents--;
}

static void free_bytes_wrong(void)
{
    space.stats.free_bytes += PAGE_SIZE;
}

struct damage {
    const char *name;
    void (*damage)(void);
    const char *found; /* how the sentence begins */
    const char *about; /* and what else it says */
};

static const struct damage freetree_damages[] = {
    {"free colour flipped", free_colour_flipped, "V2: free tree", "black nodes"},
    {"busy colour flipped", busy_colour_flipped, "V2: busy tree", ""},
    {"red below red", red_below_red, "V2: free tree", "red"},
    {"red root", red_root, "V2: busy tree", "root is red"},
    {"root with a parent", root_with_parent, "V2: free tree", "point back"},
    {"parent link wrong", parent_link_wrong, "V2: free tree", "point back"},
    {"tree cycle", tree_cycle, "V2: busy tree", ""},
    {"child of two parents", child_shared, "V2: busy tree", ""},
    {"black leaf dropped", black_leaf_dropped, "V2: busy tree", "black nodes"},
    {"red leaf dropped", red_leaf_dropped, "V1: busy", ""},
    {"free leaf dropped", free_leaf_dropped, "V1: free", ""},
    {"busy tree lost", busy_tree_lost, "V1: busy", "list goes on"},
    {"free keys swapped", free_keys_swapped, "V1: free", "comes before"},
    {"busy keys swapped", busy_keys_swapped, "V1: busy", "comes before"},
    {"max too large", max_too_large, "V3: free tree", "subtree_max_size 0xd000"},
    {"max too small", max_too_small, "V3: free tree", "subtree_max_size 0xb000"},
    {"max of a leaf wrong", max_of_a_leaf_wrong, "V3: free tree", "subtree_max_size 0,"},
    {"max not propagated", max_not_propagated, "V3: free tree", ""},
    {"free list cycle", free_list_cycle, "V1: free", "next element"},
    {"busy list cycle", busy_list_cycle, "V1: busy", "next element"},
    {"free list skips", free_list_skips, "V1: free", "next element"},
    {"busy list skips the first", busy_list_skips_first, "V1: busy", "next element"},
    {"busy list skips the last", busy_list_skips_last, "V1: busy", "next element"},
    {"back link wrong", back_link_wrong, "V1: busy", "next element"},
    {"list head wrong", list_head_wrong, "V1: busy", ""},
    {"list order swapped", list_order_swapped, "V1: free", "next element"},
    {"free ranges touch", free_ranges_touch, "V5: free", "not merged"},
    {"free ranges overlap", free_ranges_overlap, "V4: ", "overlaps"},
    {"free range empty", free_range_empty, "V4: free", "is empty"},
    {"free range inverted", free_range_inverted, "V4: free", "is empty"},
    {"free range unaligned", free_range_unaligned, "V4: free", "not page-aligned"},
    {"free range outside", free_range_outside, "V4: free", "outside"},
    {"free range covers busy", free_covers_busy, "V4: ", "overlaps"},
    {"free range too short", free_range_too_short, "V4: ", "no busy and in no free range"},
    {"free kind wrong", free_kind_wrong, "V1: free", "kind 1"},
    {"free range lost", descriptor_in_both_worlds, "V4: ", "no busy and in no free range"},
    {"busy empty", busy_empty, "V4: busy", "is empty"},
    {"busy unaligned", busy_unaligned, "V4: busy", "not page-aligned"},
    {"busy outside", busy_outside, "V4: busy", "outside"},
    {"busy areas overlap", busy_areas_overlap, "V4: busy", "overlaps"},
    {"busy kind wrong", busy_kind_wrong, "V1: busy", "kind 0"},
    {"busy too short", busy_too_short, "V4: ", "no busy and in no free range"},
    {"busy too long", busy_too_long, "V4: ", "overlaps"},
    {"busy count wrong", busy_count_wrong, "V4: counted 8 busy", ""},
    {"busy bytes wrong", busy_bytes_wrong, "V4: counted 7 busy", ""},
    {"free count wrong", free_count_wrong, "V4: counted 6 free", ""},
    {"free bytes wrong", free_bytes_wrong, "V4: counted 7 free", ""},
};

/* ---- damages of the busytree: those of its tree and list, and a hint that lies ------------------- */

static struct busytree *busytree(void)
{
    return (struct busytree *)state;
}

/* Five pages fit nowhere but behind all areas: now the hint speaks of all gaps, the largest of 4 pages. */
static void make_hint(void)
{
    struct vmap_area *area;

    assert_int_equal(vmap_space_alloc(&space, 5 * PAGE_SIZE, PAGE_SIZE, BASE, space.end, 0, &area),
                     0);
    assert_true(busytree()->cache == area && busytree()->cached_hole_size == 4 * PAGE_SIZE);
}

static void hint_promises_too_much(void)
{
    make_hint();
    busytree()->cached_hole_size -= PAGE_SIZE;
}

static void hint_not_pulled_back(void)
{
    struct vmap_area *cache;

    make_hint();
    cache = busytree()->cache;
    vmap_space_free(&space, busy[2]);
    busytree()->cache = cache;
}

static void hint_reaches_too_low(void)
{
    make_hint();
    busytree()->cached_vstart = BASE + 6 * PAGE_SIZE;
    busytree()->cached_hole_size = 2 * PAGE_SIZE;
}

static void hint_to_an_area_that_is_gone(void)
{
    static struct vmap_area gone;

    make_hint();
    gone = *busytree()->cache;
    busytree()->cache = &gone;
}

static void hint_without_alignment(void)
{
    make_hint();
    busytree()->cached_align = 0;
}

static const struct damage busytree_damages[] = {
    {"busy colour flipped", busy_colour_flipped, "V2: busy tree", ""},
    {"red root", red_root, "V2: busy tree", "root is red"},
    {"tree cycle", tree_cycle, "V2: busy tree", ""},
    {"child of two parents", child_shared, "V2: busy tree", ""},
    {"black leaf dropped", black_leaf_dropped, "V2: busy tree", "black nodes"},
    {"red leaf dropped", red_leaf_dropped, "V1: busy", ""},
    {"busy tree lost", busy_tree_lost, "V1: busy", "list goes on"},
    {"busy keys swapped", busy_keys_swapped, "V1: busy", "comes before"},
    {"busy list cycle", busy_list_cycle, "V1: busy", "next element"},
    {"busy list skips the first", busy_list_skips_first, "V1: busy", "next element"},
    {"busy list skips the last", busy_list_skips_last, "V1: busy", "next element"},
    {"back link wrong", back_link_wrong, "V1: busy", "next element"},
    {"list head wrong", list_head_wrong, "V1: busy", ""},
    {"hint promises too much", hint_promises_too_much, "V7: the hint", "0x10004000, 0x10008000"},
    {"hint not pulled back", hint_not_pulled_back, "V7: the hint", "0x1000c000, 0x10018000"},
    {"hint reaches too low", hint_reaches_too_low, "V7: the hint", "0x1000c000, 0x10010000"},
    {"hint to nowhere", hint_to_an_area_that_is_gone, "V1: the hint", "not on the list"},
    {"hint without alignment", hint_without_alignment, "V7: the hint", "alignment of 0"},
    {"busy empty", busy_empty, "V4: busy", "is empty"},
    {"busy unaligned", busy_unaligned, "V4: busy", "not page-aligned"},
    {"busy outside", busy_outside, "V4: busy", "outside"},
    {"busy areas overlap", busy_areas_overlap, "V4: busy", "overlaps"},
    {"busy kind wrong", busy_kind_wrong, "V1: busy", "kind 0"},
    {"busy too short", busy_too_short, "V4: counted 7 busy", ""},
    {"busy too long", busy_too_long, "V4: counted 7 busy", ""},
    {"busy count wrong", busy_count_wrong, "V4: counted 8 busy", ""},
    {"free count wrong", free_count_wrong, "V4: counted 6 free", ""},
    {"free bytes wrong", free_bytes_wrong, "V4: counted 7 free", ""},
};

/* In the list design the busy list is all there is; what it does not know is free, so V4 by counters. */
static void vmlist_cycle(void)
{
    busy[5]->list.next = &busy[1]->list;
}

static void vmlist_self_cycle(void)
{
    busy[5]->list.next = &busy[5]->list;
    busy[5]->list.prev = &busy[5]->list;
}

static void vmlist_whole_cycle(void)
{
    busy[6]->list.next = &busy[0]->list; /* consistent links, but the head is left out */
    busy[0]->list.prev = &busy[6]->list;
    ((struct list_head *)state)->prev = &busy[6]->list;
}

static void vmlist_swapped(void)
{
    swap_in_list(&busy[3]->list);
}

static void vmlist_head_wrong(void)
{
    ((struct list_head *)state)->prev = &busy[2]->list;
}

static const struct damage vmlist_damages[] = {
    {"list cycle", vmlist_cycle, "V1: ", "point back"},
    {"one element in a cycle", vmlist_self_cycle, "V1: ", ""},
    {"all elements in a cycle", vmlist_whole_cycle, "V1: ", ""},
    {"list order swapped", vmlist_swapped, "V1: ", "comes before"},
    {"back link wrong", back_link_wrong, "V1: ", "point back"},
    {"list head wrong", vmlist_head_wrong, "V1: ", ""},
    {"list skips one", busy_list_skips_first, "V4: counted 7 busy", ""},
    {"keys swapped", busy_keys_swapped, "V1: ", "comes before"},
    {"busy empty", busy_empty, "V4: busy", "is empty"},
    {"busy unaligned", busy_unaligned, "V4: busy", "not page-aligned"},
    {"busy outside", busy_outside, "V4: busy", "outside"},
    {"busy areas overlap", busy_areas_overlap, "V4: ", "overlaps"},
    {"busy kind wrong", busy_kind_wrong, "V1: ", "kind 0"},
    {"busy too short", busy_too_short, "V4: counted 7 busy", ""},
    {"busy too long", busy_too_long, "V4: counted 7 busy", ""},
    {"busy count wrong", busy_count_wrong, "V4: counted 8 busy", ""},
    {"free count wrong", free_count_wrong, "V4: counted 6 free", ""},
    {"free bytes wrong", free_bytes_wrong, "V4: counted 7 free", ""},
};

static void detect(const struct vmap_design *design, const struct damage *damages, unsigned count)
{
    unsigned detected = 0;

    for (unsigned i = 0; i < count; i++) {
        const char *sentence;

        if (strncmp(damages[i].found, "V3", 2) == 0 && !(design->caps & VMAP_CAP_AUGMENTED))
            continue;
        open_sound(design);
        damages[i].damage();
        sentence = vmap_space_check(&space);
        if (!sentence || strncmp(sentence, damages[i].found, strlen(damages[i].found)) != 0 ||
            !strstr(sentence, damages[i].about))
            fail_msg("%s, %s: the checker says \"%s\", not \"%s ... %s\"", design->name,
                     damages[i].name, sentence ? sentence : "all is well", damages[i].found,
                     damages[i].about);
        if (getenv("HOST_VERBOSE"))
            print_message("%-26s %s\n", damages[i].name, sentence);
        detected++;
    }
    print_message("%s: %u of %u damages detected and named\n", design->name, detected, detected);
}

static void freetree_is_checked(void **unused)
{
    detect(&vmap_freetree, freetree_damages, ARRAY_SIZE(freetree_damages));
}

static void freelist_is_checked(void **unused)
{
    detect(&vmap_freelist, freetree_damages, ARRAY_SIZE(freetree_damages));
}

static void busytree_is_checked(void **unused)
{
    detect(&vmap_busytree, busytree_damages, ARRAY_SIZE(busytree_damages));
}

static void vmlist_is_checked(void **unused)
{
    detect(&vmap_vmlist, vmlist_damages, ARRAY_SIZE(vmlist_damages));
}

/* ---- designs that lie --------------------------------------------------------------------------- */

static struct vmap_design liar;
static struct vmap_area *given;

/* Misses the last byte of an area. */
static struct vmap_area *find_too_short(struct vmap_space *s, vaddr_t addr)
{
    struct vmap_area *area = vmap_freetree.find(s, addr);

    return area && addr == area->va_end - 1 ? NULL : area;
}

/* Answers for the byte behind an area, too. */
static struct vmap_area *find_too_long(struct vmap_space *s, vaddr_t addr)
{
    struct vmap_area *area = vmap_freetree.find(s, addr);

    return area ? area : vmap_freetree.find(s, addr - 1);
}

/* Keeps away from the lowest page. */
static int alloc_not_lowest(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                            struct vmap_area **out)
{
    return vmap_freetree.alloc(s, size, align, lo + align, hi, out);
}

static int alloc_gives_up(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                          struct vmap_area **out)
{
    return -ENOSPC;
}

static int alloc_unaligned(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                           struct vmap_area **out)
{
    return vmap_freetree.alloc(s, size, PAGE_SIZE, lo + PAGE_SIZE, hi, out);
}

static int alloc_too_large(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                           struct vmap_area **out)
{
    return vmap_freetree.alloc(s, size + PAGE_SIZE, align, lo, hi, out);
}

static int alloc_outside_of_window(struct vmap_space *s, u64 size, u64 align, vaddr_t lo,
                                   vaddr_t hi, struct vmap_area **out)
{
    return vmap_freetree.alloc(s, size, align, s->start, s->end, out);
}

/* Hands out what is in use, and makes the structures agree: only the model can know. */
static int alloc_twice(struct vmap_space *s, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                       struct vmap_area **out)
{
    vmap_freetree.free(s, busy[2]);
    s->stats.busy_areas--;
    s->stats.busy_bytes -= 4 * PAGE_SIZE;
    s->stats.free_bytes += 4 * PAGE_SIZE;
    return vmap_freetree.alloc(s, size, align, BASE + 16 * PAGE_SIZE, hi, out);
}

static void free_nothing(struct vmap_space *s, struct vmap_area *area)
{
}

static int grow_over_neighbour(struct vmap_space *s, struct vmap_area *area, vaddr_t new_end)
{
    area->va_end = new_end;
    return 0;
}

static void ask(void *unused)
{
    vmap_space_alloc(&space, 2 * PAGE_SIZE, 2 * PAGE_SIZE, BASE + 12 * PAGE_SIZE, space.end, 0,
                     &given);
}

static void give(void *unused)
{
    vmap_space_free(&space, busy[3]);
}

static void grow(void *unused)
{
    vmap_space_resize(&space, busy[3], busy[4]->va_end);
}

static void open_liar(enum vmap_check_level level)
{
    liar = vmap_freetree;
    liar.name = "liar";
    open_sound(&liar);
    assert_int_equal(vmap_space_set_check(&space, level), 0);
}

static void *oracle_page(void *ctx)
{
    return calloc(1, PAGE_SIZE);
}

static void oracle_page_free(void *ctx, void *page)
{
    free(page);
}

static const struct vmap_oracle_ops oracle_ops = {oracle_page, oracle_page_free};

#define LIE(op, lie, at_level, act, text)                                                          \
    do {                                                                                           \
        open_liar(at_level);                                                                       \
        liar.op = lie;                                                                             \
        expect_panic(act, NULL, text);                                                             \
        vmap_space_set_check(&space, VMAP_CHECK_OFF);                                              \
    } while (0)

static void lies_are_found(void **unused)
{
    LIE(alloc, alloc_not_lowest, VMAP_CHECK_MODEL, ask, "V7: handed out");
    LIE(alloc, alloc_gives_up, VMAP_CHECK_MODEL, ask,
        "V7: no room found, but there is at 0x1000c000");
    LIE(alloc, alloc_unaligned, VMAP_CHECK_ALWAYS, ask, "V7: [");
    LIE(alloc, alloc_too_large, VMAP_CHECK_ALWAYS, ask, "V7: [");
    LIE(alloc, alloc_outside_of_window, VMAP_CHECK_ALWAYS, ask, "V7: [");
    LIE(alloc, alloc_twice, VMAP_CHECK_MODEL, ask, "was handed out, but is in use");
    LIE(free, free_nothing, VMAP_CHECK_ALWAYS, give, "V4: counted 6 busy areas");
    LIE(grow, grow_over_neighbour, VMAP_CHECK_MODEL, grow, "V4: grown over");
    LIE(grow, grow_over_neighbour, VMAP_CHECK_ALWAYS, grow, "V4: ");
    LIE(find, find_too_short, VMAP_CHECK_ALWAYS, give, "V6: find(0x10003fff) misses");
    LIE(find, find_too_long, VMAP_CHECK_ALWAYS, give, "V6: find(0x10004000) answers");
}

/* At level 1 a lie lives on until the next sample. */
static void samples(void **unused)
{
    open_liar(VMAP_CHECK_SAMPLED);
    liar.find = find_too_short;
    while (space.operations % VMAP_CHECK_EVERY != VMAP_CHECK_EVERY - 1) {
        nodes_used = 16; /* descriptors are never really given back: start over */
        assert_int_equal(
            vmap_space_alloc(&space, PAGES * PAGE_SIZE, PAGE_SIZE, BASE, space.end, 0, &given),
            -ENOSPC);
    }
    expect_panic(give, NULL, "operation 256");
}

static int group_setup(void **unused)
{
    vmap_oracle_default_ops = &oracle_ops;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(freetree_is_checked), host_test(freelist_is_checked),
        host_test(busytree_is_checked), host_test(vmlist_is_checked),
        host_test(lies_are_found),      host_test(samples),
    };

    return cmocka_run_group_tests_name("vmap_corrupt", tests, group_setup, NULL);
}
