// SPDX-License-Identifier: MIT
/*
 * The page-bitmap oracle: one bit for each page of a window, set = not free. So simple that it is
 * obviously right, and written without a line in common with any design. It is a radix tree of 512
 * x 512 entries over leaf pages of 32,768 bits, which covers exactly the 32 TiB of the vmalloc
 * region; absent leaves mean "all free". No lock: the space's lock guards it.
 */
#ifndef MM_VMAP_ORACLE_H
#define MM_VMAP_ORACLE_H

#include "lib/types.h"

struct vmap_oracle;

struct vmap_oracle_ops {
    void *(*alloc_page)(void *ctx); /* a zeroed page or NULL */
    void (*free_page)(void *ctx, void *page);
};

/* Window [start, end), at most 32 TiB. NULL when no memory. */
struct vmap_oracle *vmap_oracle_new(vaddr_t start, vaddr_t end, const struct vmap_oracle_ops *ops,
                                    void *ctx);
void vmap_oracle_delete(struct vmap_oracle *oracle);

/* Mark [start, end) used / free. -EEXIST (-ENOENT) when a page of it already is; nothing changes
 * then; -ENOMEM; -EINVAL outside of the window. */
int vmap_oracle_take(struct vmap_oracle *oracle, vaddr_t start, vaddr_t end);
int vmap_oracle_give(struct vmap_oracle *oracle, vaddr_t start, vaddr_t end);

/* The lowest aligned start in [lo, hi) where size bytes are free; false when there is none. */
bool vmap_oracle_lowest(const struct vmap_oracle *oracle, u64 size, u64 align, vaddr_t lo,
                        vaddr_t hi, vaddr_t *out);
bool vmap_oracle_is_free(const struct vmap_oracle *oracle, vaddr_t start, vaddr_t end);
u64 vmap_oracle_used_pages(const struct vmap_oracle *oracle);

/* The operations that a space uses at check level 3: set once by the owner of pages (mm/vmalloc in
 * the kernel, the harness on the host). */
extern const struct vmap_oracle_ops *vmap_oracle_default_ops;
extern void *vmap_oracle_default_ctx;

#endif
