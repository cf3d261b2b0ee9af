// SPDX-License-Identifier: MIT
/*
 * `vmap tree`: the red-black tree lying on its left side. Rows are in address order (reading down
 * the page is the in-order walk, V1), the root is at the left edge, and colour is a letter as well
 * as a colour. A subtree_max_size that is not the maximum of its node and children (V3) is marked.
 * Gathered under space->lock into a table of its own (one shell), printed after it. Read next:
 * lib/rbtree.h.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/commands/vmap_views.h"

#define MAX_DEPTH 64    /* 2 log2(n + 1) with n < 2^31: a deeper tree is a broken one */
#define NODE_COLUMNS 47 /* addresses, size and blanks between branch lines and tail */
#define SHOWN_NODES 127 /* a full tree of seven levels fills four screens; more helps nobody */

struct tree_row {
    vaddr_t start, end;
    u64 stored, exact; /* subtree_max_size as it is and as it should be; 0 in a busy tree */
    u64 path;          /* bit d: the step from depth d to d + 1 was to the right */
    u64 below;         /* nodes of the subtrees that are not shown */
    vaddr_t caller;
    u8 depth;
    bool red, lazy, marked;
};

struct drawing {
    struct tree_row *rows;
    u64 count, capacity;
    unsigned show_depth; /* deeper nodes are only counted */
    bool busy, too_deep;
    const vaddr_t *mark;
};

static struct tree_row rows[SHOWN_NODES + MAX_DEPTH];

/* Nodes at each depth, by a bounded descent (a cycle ends at MAX_DEPTH). Space lock held. */
static void count_levels(const struct rb_node *node, unsigned depth, u64 *levels)
{
    if (!node || depth >= MAX_DEPTH)
        return;
    levels[depth]++;
    count_levels(node->left, depth + 1, levels);
    count_levels(node->right, depth + 1, levels);
}

static __noinline u64 count_nodes(const struct rb_node *subtree)
{
    u64 levels[MAX_DEPTH] = {0}, sum = 0;

    count_levels(subtree, 0, levels);
    for (unsigned i = 0; i < MAX_DEPTH; i++)
        sum += levels[i];
    return sum;
}

static u64 max_of(const struct rb_node *node)
{
    return node ? rb_entry(node, struct vmap_area, rb_node)->subtree_max_size : 0;
}

static void gather_row(struct drawing *d, const struct rb_node *node, unsigned depth, u64 path,
                       bool marked)
{
    const struct vmap_area *area = rb_entry(node, struct vmap_area, rb_node);
    struct tree_row *row = &d->rows[d->count++];

    *row = (struct tree_row){
        .start = area->va_start,
        .end = area->va_end,
        .path = path,
        .depth = (u8)depth,
        .red = rb_node_color(node) == RB_RED,
        .lazy = area->kind == VMAP_LAZY,
        .marked = marked,
    };
    if (d->busy) {
        row->caller = caller_unpack(area->caller);
        return;
    }
    row->stored = area->subtree_max_size;
    row->exact = max_u64(vmap_area_size(area), max_u64(max_of(node->left), max_of(node->right)));
}

/* In order, down to show_depth, and along the search path (`marked`: it comes through here)
 * further. */
static void gather(struct drawing *d, const struct rb_node *node, unsigned depth, u64 path,
                   bool marked)
{
    if (!node || d->count == d->capacity || depth >= MAX_DEPTH)
        return;
    const struct vmap_area *area = rb_entry(node, struct vmap_area, rb_node);
    bool path_left = marked && *d->mark < area->va_start;
    bool path_right = marked && *d->mark >= area->va_end;
    bool show_left = depth < d->show_depth || path_left;
    bool show_right = depth < d->show_depth || path_right;

    if (show_left)
        gather(d, node->left, depth + 1, path, path_left);
    if (d->count < d->capacity) {
        gather_row(d, node, depth, path, marked);
        d->rows[d->count - 1].below =
            (show_left ? 0 : count_nodes(node->left)) + (show_right ? 0 : count_nodes(node->right));
    }
    if (show_right)
        gather(d, node->right, depth + 1, path | 1UL << depth, path_right);
}

/* How deep to draw so that SHOWN_NODES are enough; totals into *nodes and *height. */
static unsigned choose_depth(const struct rb_node *root, u64 *nodes, unsigned *height)
{
    u64 levels[MAX_DEPTH] = {0}, shown = 0;
    unsigned depth = 0;

    count_levels(root, 0, levels);
    *nodes = 0;
    *height = 0;
    for (unsigned i = 0; i < MAX_DEPTH && levels[i]; i++) {
        *nodes += levels[i];
        *height = i + 1;
        shown += levels[i];
        if (shown <= SHOWN_NODES)
            depth = i;
    }
    return depth;
}

/*
 * The branch lines in front of a row. In column c a vertical line is needed where the row lies
 * between the node at depth c and its parent: exactly where the path turns (left after right or
 * back).
 */
static void branches(char *buf, size_t size, const struct tree_row *row)
{
    size_t at = 0;

    buf[0] = '\0';
    for (unsigned c = 1; c < row->depth; c++) {
        bool turn = (row->path >> (c - 1) & 1) != (row->path >> c & 1);
        at += format_to(buf + at, size - at, "%s", turn ? "│  " : "   ");
    }
    if (row->depth)
        format_to(buf + at, size - at, "%s", row->path >> (row->depth - 1) & 1 ? "└─ " : "┌─ ");
}

static void print_tree_row(const struct tree_row *row, bool busy)
{
    char lines[MAX_DEPTH * 5], tail[120], caller[100], number[VIEW_NUMBER];
    u64 size = row->end - row->start;

    branches(lines, sizeof(lines), row);
    if (busy) {
        unsigned taken = 3 + 3 * row->depth + NODE_COLUMNS + (row->lazy ? 5 : 0);
        view_caller(caller, sizeof(caller), row->caller,
                    view_columns() > taken ? view_columns() - taken : 0);
        format_to(tail, sizeof(tail), "%s%s", row->lazy ? "lazy " : "", caller);
    } else if (row->stored == row->exact) {
        format_to(tail, sizeof(tail), "max %pM", (void *)&row->stored);
    } else {
        format_to(tail, sizeof(tail), "%smax %pM, V3 broken: should be %pM%s", color(COLOR_RED),
                  (void *)&row->stored, (void *)&row->exact, color(COLOR_RESET));
    }
    print("%s%s%s%s%s%s%s%s %016lx-%016lx %pM  %s", row->marked ? color(COLOR_YELLOW) : "",
          row->marked ? "*" : " ", color(COLOR_DIM), lines, color(COLOR_RESET),
          color(row->red ? COLOR_RED : COLOR_BOLD), row->red ? "R" : "B", color(COLOR_RESET),
          row->start, row->end, (void *)&size, tail);
    print("%s%s", row->marked ? " <" : "", row->below ? "" : "\n");
    if (row->below)
        print("  %s(+%s below)%s\n", color(COLOR_DIM), view_number(number, row->below),
              color(COLOR_RESET));
}

static void print_tree(const struct drawing *d, u64 nodes, unsigned height, const char *design)
{
    char number[VIEW_NUMBER];

    print("%s tree of %s: %s node%s, %u level%s; rows in address order, root leftmost\n",
          d->busy ? "busy" : "free", design, view_number(number, nodes), view_plural(nodes), height,
          view_plural(height));
    print("%sR%s red  %sB%s black%s%s\n", color(COLOR_RED), color(COLOR_RESET), color(COLOR_BOLD),
          color(COLOR_RESET),
          d->busy ? "" : "  max = subtree_max_size, the largest free range below",
          d->mark ? "  * on the search path" : "");
    for (u64 i = 0; i < d->count && !view_stopped(); i++)
        print_tree_row(&d->rows[i], d->busy);
    if (height >= MAX_DEPTH)
        print("%sdeeper than %u levels: V2 is broken%s\n", color(COLOR_RED), MAX_DEPTH,
              color(COLOR_RESET));
    else if (height > d->show_depth + 1)
        print("the top %u of %u levels are drawn; `vmap tree ADDR` follows a search to the end\n",
              d->show_depth + 1, height);
}

int vmap_tree(struct vmalloc *v, bool busy, const vaddr_t *mark)
{
    const struct vmap_design *design = v->space.design;
    struct rb_root *(*root_of)(struct vmap_space *) = busy ? design->busy_root : design->free_root;
    struct drawing d = {.rows = rows, .capacity = ARRAY_SIZE(rows), .busy = busy, .mark = mark};
    unsigned height;
    u64 nodes;

    struct rb_root *root = root_of ? root_of(&v->space) : NULL;
    if (!root) {
        print("%s (%s) keeps no red-black tree of %s areas; `vmap designs` lists all\n",
              design->name, design->since, busy ? "busy" : "free");
        return -ENOENT;
    }
    u64 flags = spin_lock_irqsave(&v->space.lock);
    d.show_depth = choose_depth(root->node, &nodes, &height);
    gather(&d, root->node, 0, 0, mark != NULL);
    spin_unlock_irqrestore(&v->space.lock, flags);
    if (nodes == 0)
        print("the %s tree is empty\n", busy ? "busy" : "free");
    else
        print_tree(&d, nodes, height, design->name);
    return 0;
}
