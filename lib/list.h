// SPDX-License-Identifier: MIT
/*
 * Doubly linked circular list, intrusive. An empty list is a head that points to itself; a node off
 * every list has been poisoned by list_del() so that a second removal is noticed. No lock here: the
 * structure that embeds a list says which lock guards it.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/assert.h"
#include "lib/types.h"

struct list_head {
    struct list_head *next;
    struct list_head *prev;
};

#define LIST_HEAD_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }
/* What list_del() leaves behind: non-canonical, so following it faults at once. */
#define LIST_POISON ((struct list_head *)0xdead000000000100UL)

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
#define list_for_each_safe(pos, tmp, head)                                                         \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)
#define list_for_each_entry(pos, head, member)                                                     \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head);   \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member),                             \
        (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member);                        \
         &(pos)->member != (head);                                                                 \
         (pos) = (tmp), (tmp) = list_entry((tmp)->member.next, __typeof__(*(tmp)), member))

static inline void list_init(struct list_head *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

/* Insert between two neighbours; refuses to write through a chain that is already broken. */
static inline void list_insert(struct list_head *node, struct list_head *prev,
                               struct list_head *next)
{
    ASSERT(prev->next == next && next->prev == prev, "list corrupted: %p->next=%p, %p->prev=%p",
           (void *)prev, (void *)prev->next, (void *)next, (void *)next->prev);
    node->next = next;
    node->prev = prev;
    next->prev = node;
    prev->next = node;
}

/* Insert right behind `at`: at the front of the list if `at` is the head. */
static inline void list_add(struct list_head *node, struct list_head *at)
{
    list_insert(node, at, at->next);
}

/* Insert right before `at`: at the end of the list if `at` is the head. */
static inline void list_add_tail(struct list_head *node, struct list_head *at)
{
    list_insert(node, at->prev, at);
}

/* Take `node` off its list; a second list_del() of the same node is an assertion failure. */
static inline void list_del(struct list_head *node)
{
    ASSERT(node->next != LIST_POISON, "list_del: node %p was removed before", (void *)node);
    ASSERT(node->prev->next == node && node->next->prev == node, "list corrupted around node %p",
           (void *)node);
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = LIST_POISON;
    node->prev = LIST_POISON;
}

/* Move everything on `from` to the end of `to`; `from` is empty afterwards. O(1). */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
