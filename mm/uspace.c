// SPDX-License-Identifier: MIT
/*
 * The life of a user space: made with the kernel's half of the top-level table, loaded, and taken apart
 * when the last user has gone. The kernel's top-level entries never change after the boot, so copying them
 * once is enough. Owns the list of all spaces and which one is loaded. No lock, see uspace.h. Read next:
 * vma.c, uspace_map.c.
 */
#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/pgtable_source.h"
#include "mm/uspace_internal.h"

struct page *user_zero_page;
static struct kmem_cache uspace_cache;
static struct list_head spaces;
static struct uspace *current;

int uspace_init(void)
{
    list_init(&spaces);
    int err = kmem_cache_init(&uspace_cache, "uspace", sizeof(struct uspace), 0, &kernel_buddy);
    if (err == 0)
        err = vma_init();
    user_zero_page = err ? NULL : alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
    return user_zero_page ? 0 : -ENOMEM;
}

void uspace_fini(void)
{
    int err = kmem_cache_destroy(&uspace_cache);

    ASSERT(err == 0, "%lu spaces are left", kmem_cache_in_use(&uspace_cache));
    vma_fini();
    free_pages(user_zero_page, 0);
    user_zero_page = NULL;
}

struct uspace *uspace_create(void)
{
    struct uspace *space = kmem_cache_alloc(&uspace_cache, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);

    if (!space)
        return NULL;
    if (pt_init(&space->pt, &pt_user_ops, &kernel_buddy) != 0) {
        kmem_cache_free(&uspace_cache, space);
        return NULL;
    }
    memcpy(pt_root(&space->pt) + PT_ENTRIES / 2, pt_root(&kernel_pagetable) + PT_ENTRIES / 2,
           PT_ENTRIES / 2 * sizeof(pte_t));
    space->refs = 1;
    list_init(&space->list);
    list_add_tail(&space->link, &spaces);
    return space;
}

void uspace_get(struct uspace *space)
{
    ASSERT(space->refs > 0, "a space without users is used again");
    space->refs++;
}

static void free_areas(struct uspace *space)
{
    struct vma *vma, *next;

    list_for_each_entry_safe(vma, next, &space->list, link) {
        if (vma->store)
            pagestore_detach(vma->store, &vma->mapping);
        vma_free(vma);
    }
}

/* The tables are walked once, from one end to the other; the areas need not be unlinked one by one. */
void uspace_put(struct uspace *space)
{
    if (!space)
        return;
    ASSERT(space->refs > 0, "a space is put once too often");
    if (--space->refs > 0)
        return;
    if (space == current)
        uspace_activate(NULL);
    user_zap(space, 0, USER_HALF_END, 0, USER_HALF_END);
    free_areas(space);
    ASSERT(space->stats.anon_pages == 0 && space->stats.file_pages == 0 && space->pt.tables == 1,
           "U5: %lu anonymous pages, %lu of files, %lu tables are left", space->stats.anon_pages,
           space->stats.file_pages, space->pt.tables);
    pt_table_free(&space->pt, space->pt.root);
    list_del(&space->link);
    kmem_cache_free(&uspace_cache, space);
}

void uspace_activate(struct uspace *space)
{
    if (space == current)
        return;
    current = space;
    port_load_root(space ? space->pt.root : kernel_pagetable.root);
}

struct uspace *uspace_current(void)
{
    return current;
}

void uspace_for_each(bool (*visit)(void *ctx, struct uspace *space), void *ctx)
{
    struct uspace *space;

    list_for_each_entry(space, &spaces, link)
        if (!visit(ctx, space))
            return;
}

const struct pagetable *uspace_pagetable(const struct uspace *space)
{
    return &space->pt;
}

void uspace_read_stats(const struct uspace *space, struct uspace_stats *out)
{
    *out = space->stats;
    out->tables = space->pt.tables;
}
