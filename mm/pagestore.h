// SPDX-License-Identifier: MIT
/*
 * The pages of a file in memory, or of shared anonymous memory, by page index: what a ramfs file keeps its content in
 * and what mmap maps. Pages come when first touched (zeroed) and carry a reference for the store itself.
 */
#ifndef MM_PAGESTORE_H
#define MM_PAGESTORE_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/page.h"

struct pagestore;

/* Somebody who maps pages of a store. unmap(): pages [first, last] are about to go (last may be ~0). */
struct store_mapping {
    struct list_head link;
    void (*unmap)(struct store_mapping *mapping, u64 first, u64 last);
};

struct pagestore *pagestore_create(void); /* size 0, one reference; NULL: no memory */
void pagestore_get(struct pagestore *store);
void pagestore_put(struct pagestore *store);       /* the last put frees the pages */
u64 pagestore_size(const struct pagestore *store); /* bytes */
/* Shrinking frees whole pages past the end, zeroes the tail of the last, and unmaps what maps them. 0 or -ENOMEM. */
int pagestore_resize(struct pagestore *store, u64 size);
/* The page with this index, made (zeroed) when `create`; NULL: not there, or no memory. The store keeps the reference. */
struct page *pagestore_page(struct pagestore *store, u64 index, bool create);
/* Content by copying; write extends the size. Bytes done, or -ENOMEM. Holes read as zeros. */
s64 pagestore_read(struct pagestore *store, u64 offset, void *to, u64 size);
s64 pagestore_write(struct pagestore *store, u64 offset, const void *from, u64 size);
u64 pagestore_pages(const struct pagestore *store); /* pages present */
/* A store that lends the pages of an area of vmalloc_user(): what remap_vmalloc_range maps. The area must outlive it. */
struct pagestore *pagestore_of_vmalloc(const void *area);
/* Called with the last put: when such an area is not needed any more. */
void pagestore_on_end(struct pagestore *store, void (*ended)(void));
/* A copy of this text that lives as long as the store, or the one made before; NULL: no memory. For struct vma. */
const char *pagestore_name(struct pagestore *store, const char *text);

/* Each mapping holds a reference to the store. */
void pagestore_attach(struct pagestore *store, struct store_mapping *mapping);
void pagestore_detach(struct pagestore *store, struct store_mapping *mapping);

#endif
