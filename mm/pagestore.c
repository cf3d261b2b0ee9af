// SPDX-License-Identifier: MIT
/*
 * Pages by index: a tree of 64-way nodes, as high as the largest index needs, so that a small file is one
 * page and a sparse one costs what it has. A node of height 0 is the page itself. The store has one
 * reference to each page; every mapping has one more. A store that lends pages of vmalloc_user() has no tree
 * and owns nothing. No lock, see mm/uspace.h.
 */
#include "mm/pagestore.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define NODE_SHIFT 6
#define NODE_SLOTS (1u << NODE_SHIFT)
#define SIZE_MAX_BYTES                                                                             \
    (1UL << 62) /* file offsets are signed, and the tree stays below eleven levels */

struct pagestore {
    u32 refs;
    unsigned height; /* levels of nodes above the pages */
    void *root;      /* height 0: struct page *, else a node: void *[NODE_SLOTS] */
    u64 size, pages;
    const u8 *lent; /* area of vmalloc_user(), or NULL */
    struct list_head mappings;
    void (*ended)(void); /* may be NULL */
    char *name;          /* likewise */
};

struct pagestore *pagestore_create(void)
{
    struct pagestore *store = kzalloc(sizeof(*store), GFP_KERNEL | __GFP_NOWARN);

    if (!store)
        return NULL;
    store->refs = 1;
    list_init(&store->mappings);
    return store;
}

struct pagestore *pagestore_of_vmalloc(const void *area)
{
    const struct vm_struct *vm = find_vm_area(area);
    struct pagestore *store;

    if (!vm || !(vm->flags & VM_USERMAP) || vm->addr != (vaddr_t)area)
        return NULL;
    store = pagestore_create();
    if (!store)
        return NULL;
    store->lent = area;
    store->pages = vm->nr_pages;
    store->size = vm->nr_pages << PAGE_SHIFT;
    return store;
}

void pagestore_on_end(struct pagestore *store, void (*ended)(void))
{
    store->ended = ended;
}

const char *pagestore_name(struct pagestore *store, const char *text)
{
    if (!store->name) {
        u64 size = strlen(text) + 1;
        store->name = kmalloc(size, GFP_KERNEL | __GFP_NOWARN);
        if (store->name)
            memcpy(store->name, text, size);
    }
    return store->name;
}

void pagestore_get(struct pagestore *store)
{
    ASSERT(store->refs > 0, "a store without users is used again");
    store->refs++;
}

void pagestore_attach(struct pagestore *store, struct store_mapping *mapping)
{
    pagestore_get(store);
    list_add_tail(&mapping->link, &store->mappings);
}

void pagestore_detach(struct pagestore *store, struct store_mapping *mapping)
{
    list_del(&mapping->link);
    pagestore_put(store);
}

u64 pagestore_size(const struct pagestore *store)
{
    return store->size;
}

u64 pagestore_pages(const struct pagestore *store)
{
    return store->pages;
}

/* ---- the tree -------------------------------------------------------------------------------------- */

static bool index_fits(const struct pagestore *store, u64 index)
{
    unsigned bits = store->height * NODE_SHIFT;
    return bits >= 64 || index >> bits == 0;
}

static void **slot_below(void *node, u64 index, unsigned height)
{
    return (void **)node + (index >> ((height - 1) * NODE_SHIFT) & (NODE_SLOTS - 1));
}

/* One level more on top. False: no memory. */
static bool grow_tree(struct pagestore *store)
{
    if (store->root) {
        void **node = kzalloc(NODE_SLOTS * sizeof(void *), GFP_KERNEL | __GFP_NOWARN);
        if (!node)
            return false;
        node[0] = store->root;
        store->root = node;
    }
    store->height++;
    return true;
}

static void **find_slot(struct pagestore *store, u64 index, bool create)
{
    while (!index_fits(store, index))
        if (!create || !grow_tree(store))
            return NULL;
    void **slot = &store->root;
    for (unsigned height = store->height; height > 0; height--) {
        if (!*slot && create)
            *slot = kzalloc(NODE_SLOTS * sizeof(void *), GFP_KERNEL | __GFP_NOWARN);
        if (!*slot)
            return NULL;
        slot = slot_below(*slot, index, height);
    }
    return slot;
}

static bool node_is_empty(void *const *node)
{
    for (u64 i = 0; i < NODE_SLOTS; i++)
        if (node[i])
            return false;
    return true;
}

/* Nodes that an unlucky call has made on the way to this index go again. */
static void *drop_empty_nodes(void *node, u64 index, unsigned height)
{
    if (!node || height == 0)
        return node;
    void **slot = slot_below(node, index, height);
    *slot = drop_empty_nodes(*slot, index, height - 1);
    if (!node_is_empty(node))
        return node;
    kfree(node);
    return NULL;
}

/* No level more than the largest index needs. */
static void drop_levels(struct pagestore *store)
{
    while (store->height > 0) {
        void **top = store->root;
        for (u64 i = 1; top && i < NODE_SLOTS; i++)
            if (top[i])
                return;
        store->root = top ? top[0] : NULL;
        store->height--;
        kfree(top);
    }
}

static struct page *make_page(struct pagestore *store, u64 index)
{
    void **slot = find_slot(store, index, true);
    struct page *page = slot ? *slot : NULL;

    if (slot && !page) {
        page = buddy_alloc_for(&kernel_buddy, __GFP_ZERO | __GFP_NOWARN, PAGE_USE_FILE, CALLER());
        *slot = page;
        store->pages += page != NULL;
    }
    if (!page) {
        store->root = drop_empty_nodes(store->root, index, store->height);
        drop_levels(store);
    }
    return page;
}

struct page *pagestore_page(struct pagestore *store, u64 index, bool create)
{
    if (store->lent)
        return index < store->pages ? vmalloc_to_page(store->lent + (index << PAGE_SHIFT)) : NULL;
    if (index >= SIZE_MAX_BYTES >> PAGE_SHIFT)
        return NULL;
    if (create)
        return make_page(store, index);
    struct page **slot = (struct page **)find_slot(store, index, false);
    return slot ? *slot : NULL;
}

static void put_store_page(struct pagestore *store, struct page *page)
{
    store->pages--;
    /* Nobody maps it any more, or the buddy complains. */
    buddy_free_from(&kernel_buddy, page, PAGE_USE_FILE, CALLER());
}

/* Free the pages with index >= first below this node, and the node if nothing is left; its new value. */
static void *cut_tree(struct pagestore *store, void *node, unsigned height, u64 base, u64 first)
{
    if (!node)
        return NULL;
    if (height == 0) {
        if (base < first)
            return node;
        put_store_page(store, node);
        return NULL;
    }
    for (u64 i = 0; i < NODE_SLOTS; i++) {
        void **slot = (void **)node + i;
        u64 from = base + (i << ((height - 1) * NODE_SHIFT));
        u64 last = from + (1UL << ((height - 1) * NODE_SHIFT)) - 1;
        if (last >= first)
            *slot = cut_tree(store, *slot, height - 1, from, first);
    }
    if (!node_is_empty(node))
        return node;
    kfree(node);
    return NULL;
}

static void cut_pages(struct pagestore *store, u64 first)
{
    struct store_mapping *mapping, *next;

    list_for_each_entry_safe(mapping, next, &store->mappings, link)
        mapping->unmap(mapping, first, ~0UL);
    store->root = cut_tree(store, store->root, store->height, 0, first);
    drop_levels(store);
}

void pagestore_put(struct pagestore *store)
{
    if (!store)
        return;
    ASSERT(store->refs > 0, "a store is put once too often");
    if (--store->refs > 0)
        return;
    ASSERT(list_empty(&store->mappings), "a store that is mapped has no user");
    if (!store->lent) {
        cut_pages(store, 0);
        ASSERT(store->pages == 0, "%lu pages are left", store->pages);
    }
    void (*ended)(void) = store->ended;
    kfree(store->name);
    kfree(store);
    if (ended)
        ended();
}

/* ---- size and content -------------------------------------------------------------------------------- */

int pagestore_resize(struct pagestore *store, u64 size)
{
    u64 old = store->size;

    if (store->lent || size > SIZE_MAX_BYTES)
        return size == old ? 0 : -ENOMEM;
    store->size = size;
    if (size >= old)
        return 0;
    cut_pages(store, bytes_to_pages(size));
    struct page *tail = size & ~PAGE_MASK ? pagestore_page(store, size >> PAGE_SHIFT, false) : NULL;
    if (tail)
        memset((u8 *)page_address(tail) + (size & ~PAGE_MASK), 0, PAGE_SIZE - (size & ~PAGE_MASK));
    return 0;
}

/* How much of [offset, offset + left) lies in one page. */
static u64 piece(u64 offset, u64 left)
{
    return min_u64(left, PAGE_SIZE - (offset & ~PAGE_MASK));
}

s64 pagestore_read(struct pagestore *store, u64 offset, void *to, u64 size)
{
    u64 done = 0;

    if (offset >= store->size)
        return 0;
    for (size = min_u64(size, store->size - offset); done < size;) {
        u64 n = piece(offset + done, size - done);
        struct page *page = pagestore_page(store, (offset + done) >> PAGE_SHIFT, false);
        if (page)
            memcpy((u8 *)to + done, (u8 *)page_address(page) + ((offset + done) & ~PAGE_MASK), n);
        else
            memset((u8 *)to + done, 0, n);
        done += n;
    }
    return (s64)done;
}

s64 pagestore_write(struct pagestore *store, u64 offset, const void *from, u64 size)
{
    u64 done = 0, end;

    if (store->lent || !add_checked(offset, size, &end) || end > SIZE_MAX_BYTES)
        return -ENOMEM;
    while (done < size) {
        u64 n = piece(offset + done, size - done);
        struct page *page = pagestore_page(store, (offset + done) >> PAGE_SHIFT, true);
        if (!page)
            break;
        memcpy((u8 *)page_address(page) + ((offset + done) & ~PAGE_MASK), (const u8 *)from + done,
               n);
        done += n;
        store->size = max_u64(store->size, offset + done);
    }
    return done || !size ? (s64)done : -ENOMEM;
}
