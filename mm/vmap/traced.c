// SPDX-License-Identifier: MIT
/*
 * What the second compilation of the designs shares: the plain red-black tree once more with its steps
 * told, and the telling. Lock: space->lock, as in every design. Read next: mm/vmap/traced.h.
 */
#include "mm/vmap/traced.h"

#include "lib/rbtree_augmented.h"
#include "mm/vmap/area_set.h"
#include "mm/vmap/avlhash.h"

void rb_insert_fixup_plain(struct rb_root *root, struct rb_node *node)
{
    rb_insert_fixup_with(root, node, NULL);
}

void rb_erase_plain(struct rb_root *root, struct rb_node *node)
{
    rb_erase_with(root, node, NULL);
}

void vmap_tell_rotate(const struct rb_node *top, const struct rb_node *up, u64 side)
{
    STEP(ROTATE, to_va(top)->va_start, to_va(up)->va_start, side);
}

void vmap_tell_color(const struct rb_node *node, u64 color)
{
    if (rb_node_color(node) != color)
        STEP(RECOLOUR, to_va(node)->va_start, color);
}

void vmap_tell_value(const struct rb_node *node, u64 old, u64 value)
{
    if (old != value)
        STEP(PROPAGATE, to_va(node)->va_start, old, value);
}

void vmap_tell_replace(const struct rb_node *node, const struct rb_node *next)
{
    STEP(REPLACE, to_va(node)->va_start, to_va(next)->va_start);
}

void vmap_tell_avl_rotate(const struct avl_node *top, const struct avl_node *up, u64 side)
{
    STEP(ROTATE, avl_to_va(top)->va_start, avl_to_va(up)->va_start, side);
}

void vmap_tell_avl_replace(const struct avl_node *node, const struct avl_node *next)
{
    STEP(REPLACE, avl_to_va(node)->va_start, avl_to_va(next)->va_start);
}
