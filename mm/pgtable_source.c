// SPDX-License-Identifier: MIT
/*
 * The two sources of page-table pages. Called with pt->lock held: the order is page table, then buddy.
 */
#include "mm/pgtable_source.h"

#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/memblock.h"

static paddr_t table_from_memblock(void *ctx)
{
    return memblock_alloc(ctx, PAGE_SIZE, PAGE_SIZE, "page tables");
}

/* Stays reserved. It must be empty all the same: whoever follows a stale pointer finds nothing. */
static void table_to_memblock(void *ctx __unused, paddr_t table)
{
    memset(phys_to_virt(table), 0, PAGE_SIZE);
}

const struct pt_ops pt_memblock_ops = {table_from_memblock, table_to_memblock};

static paddr_t take_table(struct buddy *buddy, gfp_t gfp)
{
    struct page *page = buddy_alloc_for(buddy, gfp | __GFP_ZERO, PAGE_USE_TABLE, CALLER());

    return page ? (paddr_t)(page - buddy->pages) << PAGE_SHIFT : 0;
}

static paddr_t table_from_buddy(void *ctx)
{
    return take_table(ctx, GFP_ATOMIC);
}

static paddr_t table_for_user(void *ctx)
{
    return take_table(ctx, __GFP_NOWARN);
}

static void table_to_buddy(void *ctx, paddr_t table)
{
    struct buddy *buddy = ctx;
    pfn_t pfn = table >> PAGE_SHIFT;

    if (buddy->pages[pfn].state == PAGE_UNMANAGED)
        buddy_add_range(buddy, pfn, pfn + 1);
    else
        buddy_free_from(buddy, &buddy->pages[pfn], PAGE_USE_TABLE, CALLER());
}

const struct pt_ops pt_buddy_ops = {table_from_buddy, table_to_buddy};
const struct pt_ops pt_user_ops = {table_for_user, table_to_buddy};
