// SPDX-License-Identifier: MIT
/*
 * Every design is compiled twice: NAME.c as it is, without a trace of its STEP() lines, and once more
 * with them, by NAME_traced.c, which includes this file and then NAME.c (lib/avl.c likewise). The two
 * share their state and differ in nothing else, so a space changes from one to the other between two
 * operations, and while the log is off its steps cost nothing. Here: what the second compilation calls
 * by another name, and the steps of lib/rbtree, which knows no events. Lock: none of its own. Read next:
 * mm/event.h, mm/vmap/traced.c.
 */
#ifndef MM_VMAP_TRACED_H
#define MM_VMAP_TRACED_H

#define EVENT_TRACED
#ifndef EVENTS
#define EVENTS 1
#endif

#define vmap_freetree vmap_freetree_traced
#define vmap_freetree52 vmap_freetree52_traced
#define vmap_freetree53 vmap_freetree53_traced
#define vmap_freetree517 vmap_freetree517_traced
#define vmap_nodes vmap_nodes_traced
#define vmap_freelist vmap_freelist_traced
#define vmap_busytree vmap_busytree_traced
#define vmap_busytree28 vmap_busytree28_traced
#define vmap_avlhash vmap_avlhash_traced
#define vmap_avlhash_pure vmap_avlhash_pure_traced
#define vmap_avlhash_split vmap_avlhash_split_traced
#define vmap_vmlist vmap_vmlist_traced

#define freetree_alloc freetree_alloc_traced
#define freetree_retire freetree_retire_traced
#define freetree_find freetree_find_traced
#define freetree_augment freetree_augment_traced
#define avlhash_alloc avlhash_alloc_traced
#define avlhash_free avlhash_free_traced
#define avlhash_shrink avlhash_shrink_traced
#define avlhash_grow avlhash_grow_traced
#define avlhash_set_policy avlhash_set_policy_traced
#define rb_insert_fixup_plain rb_insert_fixup_plain_traced
#define rb_erase_plain rb_erase_plain_traced
#define avl_link avl_link_traced
#define avl_insert_fixup avl_insert_fixup_traced
#define avl_erase avl_erase_traced

#define RB_TELL_ROTATE(top, up, side) vmap_tell_rotate(top, up, side)
#define RB_TELL_COLOR(node, color) vmap_tell_color(node, color)
#define RB_TELL_VALUE(node, old, value) vmap_tell_value(node, old, value)
#define RB_TELL_REPLACE(node, next) vmap_tell_replace(node, next)
#define AVL_TELL_ROTATE(top, up, side) vmap_tell_avl_rotate(top, up, side)
#define AVL_TELL_REPLACE(node, next) vmap_tell_avl_replace(node, next)

#include "lib/types.h"

struct rb_node;
struct avl_node;
void vmap_tell_rotate(const struct rb_node *top, const struct rb_node *up, u64 side);
void vmap_tell_color(const struct rb_node *node, u64 color); /* before the change, if it is one */
void vmap_tell_value(const struct rb_node *node, u64 old, u64 value);
void vmap_tell_replace(const struct rb_node *node, const struct rb_node *next);
void vmap_tell_avl_rotate(const struct avl_node *top, const struct avl_node *up, u64 side);
void vmap_tell_avl_replace(const struct avl_node *node, const struct avl_node *next);

#endif
