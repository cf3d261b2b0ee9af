// SPDX-License-Identifier: MIT
/*
 * The checker of avlhash is checked: a sound space is damaged in one way, and vmap_space_check() must say
 * so, with the number of the invariant, and must neither crash nor hang. The other designs: see
 * test_vmap_corrupt.c.
 *
 *     page  0  3  6  9  12 15 18 21
 *           #--#--#--#--#--#--#--#.....    # used  - unused  . behind the frontier
 */
#include "tests/host/harness.h"

#include "mm/vmap/avlhash.h"
#include "mm/vmap/gaps.h"

#define BASE 0x40000000UL

static struct vmap_space space;
static struct vmap_area nodes[64];
static unsigned nodes_used;
static struct avlhash damaged;
static struct vmap_area
    *used[8]; /* used[i] is the page 3 * i; the two pages behind each are unused */

static void *damaged_node(void *ctx)
{
    return &nodes[nodes_used++];
}

static void damaged_node_free(void *ctx, void *node)
{
}

static const struct vmap_node_ops damaged_ops = {damaged_node, damaged_node_free};

static struct vmap_area *take(u64 pages)
{
    struct vmap_area *area;

    assert_int_equal(
        vmap_space_alloc(&space, pages * PAGE_SIZE, PAGE_SIZE, BASE, space.end, 0, &area), 0);
    return area;
}

/* The descriptors come from an array, since a damaged space is never repaired. */
static void open_sound(void)
{
    struct vmap_area *holes[7];

    nodes_used = 0;
    assert_int_equal(vmap_space_init(&space, "damaged", &vmap_avlhash, BASE, BASE + 64 * PAGE_SIZE,
                                     &damaged, &damaged_ops, NULL),
                     0);
    for (unsigned i = 0; i < ARRAY_SIZE(used); i++) {
        used[i] = take(1);
        if (i < ARRAY_SIZE(holes))
            holes[i] = take(2);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(holes); i++)
        vmap_space_free(&space, holes[i]);
    assert_null(vmap_space_check(&space));
}

static struct vmap_area *hole_behind(unsigned i)
{
    return to_area(used[i]->list.next);
}

static struct avl_node *avl_leaf(void)
{
    return avl_first(&damaged.used);
}

static void lean_wrong(void)
{
    damaged.used.node->parent_lean ^= 2;
}

static void lean_of_a_leaf_wrong(void)
{
    avl_leaf()->parent_lean ^= 1;
}

static void tree_link_wrong(void)
{
    avl_leaf()->parent_lean = 0 | AVL_EVEN;
}

static void tree_cycle(void)
{
    avl_leaf()->left = damaged.used.node;
}

static void tree_loses_a_node(void)
{
    avl_erase(&damaged.used, &used[3]->avl_node);
}

static void tree_lost(void)
{
    damaged.used.node = NULL;
}

static void tree_has_a_stranger(void)
{
    hole_behind(2)->kind = VMAP_BUSY; /* out of the hash and used, but not in the tree */
    hash_del(&hole_behind(2)->hash_node);
}

static void used_swapped_in_the_tree(void)
{
    struct avl_node *node = damaged.used.node, *left = node->left;

    /* the root's left child and right child change places */
    node->left = node->right;
    node->right = left;
    node->parent_lean = AVL_RIGHT_HIGHER - node->parent_lean; /* a sound tree, of another order */
}

static void list_cycle(void)
{
    used[5]->list.next = &used[2]->list;
}

static void list_back_link_wrong(void)
{
    used[5]->list.prev = &used[2]->list;
}

static void list_head_wrong(void)
{
    damaged.all.prev = &used[2]->list;
}

static void list_closed_without_its_head(void)
{
    used[7]->list.next = &used[0]->list;
    used[0]->list.prev = &used[7]->list;
}

static void list_skips_one(void)
{
    used[3]->list.prev->next = used[3]->list.next;
    used[3]->list.next->prev = used[3]->list.prev;
}

static void list_out_of_order(void)
{
    vaddr_t start = used[2]->va_start, end = used[2]->va_end;

    used[2]->va_start = used[4]->va_start;
    used[2]->va_end = used[4]->va_end;
    used[4]->va_start = start;
    used[4]->va_end = end;
}

static void used_too_long(void)
{
    used[3]->va_end += PAGE_SIZE;
}

static void unused_too_short(void)
{
    hole_behind(3)->va_start += PAGE_SIZE;
}

static void used_empty(void)
{
    used[3]->va_end = used[3]->va_start;
}

static void kind_wrong(void)
{
    used[3]->kind = VMAP_CACHED;
}

static void used_marked_unused(void)
{
    used[3]->kind = VMAP_FREE;
}

static void not_merged(void)
{
    struct vmap_area *hole = hole_behind(3), *half = vmap_node_alloc(&space);

    *half = (struct vmap_area){.va_start = hole->va_start + PAGE_SIZE, .va_end = hole->va_end};
    hash_del(&hole->hash_node);
    hole->va_end = half->va_start;
    list_add(&half->list, &hole->list);
    hash_add(&hole->hash_node, &damaged.unused[avlhash_bucket(&damaged, PAGE_SIZE)]);
    hash_add(&half->hash_node, &damaged.unused[avlhash_bucket(&damaged, PAGE_SIZE)]);
}

static void frontier_too_high(void)
{
    damaged.frontier += PAGE_SIZE;
}

static void frontier_not_lowered(void)
{
    struct vmap_area *top = used[7];

    avl_erase(&damaged.used, &top->avl_node);
    top->kind = VMAP_FREE;
    hash_del(&hole_behind(6)->hash_node);
    hole_behind(6)->va_end = top->va_end;
    list_del(&top->list);
    hash_add(&hole_behind(6)->hash_node, &damaged.unused[avlhash_bucket(&damaged, 3 * PAGE_SIZE)]);
}

static void hash_loses_one(void)
{
    hash_del(&hole_behind(3)->hash_node);
}

static void hash_has_one_in_anothers_place(void)
{
    struct hash_node *node = &hole_behind(3)->hash_node;

    hash_del(node);
    *node = hole_behind(4)->hash_node;
    *node->link = node;
    if (node->next)
        node->next->link = &node->next;
}

static void hash_cycle(void)
{
    struct hash_node *first = damaged.unused[avlhash_bucket(&damaged, 2 * PAGE_SIZE)].first;

    first->next->next->next = first;
}

static void hash_closed_cycle(void)
{
    struct hash_node *first = damaged.unused[avlhash_bucket(&damaged, 2 * PAGE_SIZE)].first;

    first->next->next->next = first->next;
}

static void hash_back_link_wrong(void)
{
    damaged.unused[avlhash_bucket(&damaged, 2 * PAGE_SIZE)].first->link = NULL;
}

static void hash_wrong_bucket(void)
{
    struct hash_node *node = &hole_behind(3)->hash_node;

    hash_del(node);
    hash_add(node, &damaged.unused[avlhash_bucket(&damaged, 3 * PAGE_SIZE)]);
}

static void hash_has_a_used_one(void)
{
    hash_add(&used[3]->hash_node, &damaged.unused[avlhash_bucket(&damaged, PAGE_SIZE)]);
}

static void hash_has_a_stranger(void)
{
    struct vmap_area *stranger = vmap_node_alloc(&space);

    *stranger = *hole_behind(3);
    hash_del(&hole_behind(3)->hash_node);
    hash_add(&stranger->hash_node, &damaged.unused[avlhash_bucket(&damaged, 2 * PAGE_SIZE)]);
}

static void free_count_wrong(void)
{
    space.stats.free_extents--;
}

static const struct {
    const char *name;
    void (*damage)(void);
    const char *found, *about; /* how the sentence begins, and what else it says */
} damages[] = {
    {"lean wrong", lean_wrong, "V2: used tree", "lean"},
    {"lean of a leaf wrong", lean_of_a_leaf_wrong, "V2: used tree", "lean"},
    {"tree link wrong", tree_link_wrong, "V2: used tree", "point back"},
    {"tree cycle", tree_cycle, "V2: used tree", "point back"},
    {"tree loses a node", tree_loses_a_node, "V1: ", "not the tree's next"},
    {"tree lost", tree_lost, "V1: ", "not the tree's next"},
    {"used and not in the tree", tree_has_a_stranger, "V1: ", "not the tree's next"},
    {"children swapped", used_swapped_in_the_tree, "V1: ", "not the tree's next"},
    {"list cycle", list_cycle, "V1: list", "point back"},
    {"back link wrong", list_back_link_wrong, "V1: list", "point back"},
    {"list head wrong", list_head_wrong, "V1: the head", ""},
    {"list without its head", list_closed_without_its_head, "V1: list", "point back"},
    {"list skips one", list_skips_one, "V4: list", "does not begin"},
    {"list out of order", list_out_of_order, "V4: list", "does not begin"},
    {"used too long", used_too_long, "V4: list", "does not begin"},
    {"unused too short", unused_too_short, "V4: list", "does not begin"},
    {"used empty", used_empty, "V4: list", "is empty"},
    {"kind wrong", kind_wrong, "V1: list", "kind 3"},
    {"used marked unused", used_marked_unused, "V5: unused", "not merged"},
    {"not merged", not_merged, "V5: unused", "not merged"},
    {"frontier too high", frontier_too_high, "V4: the areas end", "frontier"},
    {"frontier not lowered", frontier_not_lowered, "V5: unused", "frontier"},
    {"hash loses one", hash_loses_one, "V1: 7 unused areas on the list, 6 in the hash", ""},
    {"one in another's place", hash_has_one_in_anothers_place, "V1: 7 unused areas",
     "6 in the hash"},
    {"hash cycle", hash_cycle, "V1: hash", "point back"},
    {"hash cycle inside", hash_closed_cycle, "V1: hash", "point back"},
    {"hash back link wrong", hash_back_link_wrong, "V1: hash", "point back"},
    {"wrong bucket", hash_wrong_bucket, "V1: hash", "in bucket"},
    {"used one in the hash", hash_has_a_used_one, "V1: ", ""},
    {"stranger in the hash", hash_has_a_stranger, "V1: 7 unused", "not the same ones"},
    {"free count wrong", free_count_wrong, "V4: counted", ""},
};

static void is_checked(void **unused)
{
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        const char *answer;

        open_sound();
        damages[i].damage();
        answer = vmap_space_check(&space);
        if (!answer || strncmp(answer, damages[i].found, strlen(damages[i].found)) != 0 ||
            !strstr(answer, damages[i].about))
            fail_msg("%s: the checker says \"%s\", not \"%s ... %s\"", damages[i].name,
                     answer ? answer : "all is well", damages[i].found, damages[i].about);
        if (getenv("HOST_VERBOSE"))
            print_message("%-26s %s\n", damages[i].name, answer);
    }
    print_message("avlhash: %zu of %zu damages detected and named\n", ARRAY_SIZE(damages),
                  ARRAY_SIZE(damages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {host_test(is_checked)};

    return cmocka_run_group_tests_name("vmap_avlhash_check", tests, NULL, NULL);
}
