// SPDX-License-Identifier: MIT
/*
 * Hash table with chains, intrusive: an array of buckets that the user embeds, and in each object a node
 * that links it into one of them. A node knows who points to it, so it can be taken out without a search.
 * The newest is in front. No lock here: the structure that embeds the table says which lock guards it.
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include "lib/assert.h"
#include "lib/list.h"
#include "lib/types.h"

struct hash_node {
    struct hash_node *next;
    struct hash_node **link; /* what points to this node: a bucket, or the next of another one */
};

struct hash_bucket {
    struct hash_node *first;
};

#define hash_entry(ptr, type, member) container_of(ptr, type, member)

/* A number below 2^bits, 1 <= bits <= 64: the high bits of a product with 2^64 / golden ratio, on which
 * each bit of the key has an influence (Knuth, volume 3, section 6.4). */
static inline u64 hash_u64(u64 key, unsigned bits)
{
    return key * 0x9e3779b97f4a7c15UL >> (64 - bits);
}

static inline void hash_add(struct hash_node *node, struct hash_bucket *bucket)
{
    node->next = bucket->first;
    node->link = &bucket->first;
    if (node->next)
        node->next->link = &node->next;
    bucket->first = node;
}

/* Take `node` out of its bucket; a second hash_del() of the same node is an assertion failure. */
static inline void hash_del(struct hash_node *node)
{
    ASSERT(node->next != (void *)LIST_POISON, "hash_del: node %p was removed before", (void *)node);
    ASSERT(*node->link == node, "hash chain corrupted before node %p", (void *)node);
    *node->link = node->next;
    if (node->next)
        node->next->link = node->link;
    node->next = (void *)LIST_POISON;
    node->link = (void *)LIST_POISON;
}

#endif
