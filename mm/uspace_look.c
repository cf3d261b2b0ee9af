// SPDX-License-Identifier: MIT
/*
 * Looking at a user space without changing it: how much of an area is present and who else has it (smaps),
 * the content of another process, and the invariants
 *
 *   U1 areas are sorted, apart, page-aligned and inside [USER_START, USER_END); list and tree agree
 *   U2 red-black rules; gap and subtree_max_gap exact
 *   U3 no area continues its neighbour
 *   U4 every entry lies in an area and grants no more than that does; no private page that somebody else
 *      has, and never the zero page, is writable
 *   U5 areas, pages and tables are as many as counted
 *   U6 each table has a part of an area in its range
 *   U7 every page that is mapped is used, with at least one reference
 *   U8 the kernel half is the kernel's
 */
#include "lib/bits.h"
#include "lib/format.h"
#include "mm/uspace_internal.h"

/* ---- smaps ------------------------------------------------------------------------------------------- */

/* Who maps a page: the store of a file has a reference too, but no mapping. */
static u64 mappers(const struct page *page)
{
    return page->use == PAGE_USE_USER ? page->refcount : max_u64(page->refcount, 2) - 1;
}

static void add_page(struct vma_usage *out, const struct page *page, bool dirty)
{
    u64 users = mappers(page);

    if (page == user_zero_page)
        return;
    out->rss += PAGE_SIZE;
    out->pss += PAGE_SIZE / users;
    if (page->use == PAGE_USE_USER)
        out->anonymous += PAGE_SIZE;
    u64 *kind = users > 1 ? (dirty ? &out->shared_dirty : &out->shared_clean)
                          : (dirty ? &out->private_dirty : &out->private_clean);
    *kind += PAGE_SIZE;
}

void uspace_usage(struct uspace *space, const struct vma *vma, struct vma_usage *out)
{
    struct pt_cursor cursor;

    *out = (struct vma_usage){0};
    for (pt_cursor_begin(&cursor, &space->pt, vma->start, vma->end - 1); !cursor.done;
         pt_cursor_next(&cursor)) {
        if (!cursor.value)
            continue;
        const struct page *page = user_entry_page(cursor.value);
        bool dirty = cursor.value & PTE_D || page->use == PAGE_USE_USER;
        if (cursor.level == 0) {
            add_page(out, page, dirty);
            continue;
        }
        page = user_entry_page(cursor.value & ~(HUGE_SIZE - 1));
        for (u64 i = 0; i < HUGE_PAGES; i++) /* the head counts for a block that is whole */
            add_page(out, page->order == HUGE_ORDER ? page : page + i, dirty);
        out->huge += HUGE_SIZE;
    }
}

u64 uspace_peek(struct uspace *space, vaddr_t address, void *out, u64 size)
{
    u64 done = 0;

    while (done < size && address + done < USER_END) {
        vaddr_t at = address + done;
        u64 n = min_u64(size - done, PAGE_SIZE - (at & ~PAGE_MASK));
        paddr_t physical;
        if (!pt_translate(&space->pt, at, &physical))
            break;
        memcpy((u8 *)out + done, phys_to_virt(physical), n);
        done += n;
    }
    return done;
}

/* ---- U4..U8 -------------------------------------------------------------------------------------------- */

struct count {
    u64 anon, file, huge, tables;
    const struct vma *vma; /* the first area that ends above the entry */
    const char *wrong;
    vaddr_t at;
};

static const char *check_page(const struct page *page, bool writable, const struct vma *vma)
{
    const struct page *head = page->order == HUGE_ORDER ? page : NULL;

    if (page->state != PAGE_USED && page->state != PAGE_USED_TAIL)
        return "U7: a page that is free is mapped";
    if (page->state == PAGE_USED && page->refcount == 0)
        return "U7: a page without references is mapped";
    if (!writable || vma->flags & MAP_SHARED)
        return NULL;
    if (page == user_zero_page)
        return "U4: the zero page is writable";
    if (page->use != PAGE_USE_USER || page->refcount != 1 || (head && head->refcount != 1))
        return "U4: a page that somebody else has is writable";
    return NULL;
}

static const char *check_leaf(struct uspace *space, struct count *count, const struct pt_cursor *c)
{
    const struct vma *vma = uspace_find(space, pt_cursor_start(c));
    const struct page *page = user_entry_page(c->value);
    pte_t most = user_leaf_bits(vma ? vma : count->vma, true);

    if (!vma || pt_cursor_last(c) >= vma->end)
        return "U4: an entry lies outside of every area";
    if ((c->value & PTE_P) != (most & PTE_P) || (c->value & PTE_W && !(vma->prot & PROT_WRITE)) ||
        (c->value & PTE_NX) != (most & PTE_NX) || !(c->value & PTE_U) || c->value & PTE_G)
        return "U4: an entry does not grant what its area does";
    if (c->level == 1) {
        page = user_entry_page(c->value & ~(HUGE_SIZE - 1));
        count->huge++;
        count->anon += HUGE_PAGES;
        for (u64 i = 0; i < HUGE_PAGES && page->order != HUGE_ORDER; i++)
            if (page[i].refcount == 0 || page[i].use != PAGE_USE_USER)
                return "U7: part of a huge page is not used";
        return check_page(page, c->value & PTE_W && page->order == HUGE_ORDER, vma);
    }
    if (page != user_zero_page) {
        count->anon += page->use == PAGE_USE_USER;
        count->file += page->use != PAGE_USE_USER;
    }
    return check_page(page, c->value & PTE_W, vma);
}

static void check_tables(struct uspace *space, struct count *count, pte_t *table, unsigned level,
                         vaddr_t base)
{
    u64 entries = level == TOP_LEVEL ? PT_ENTRIES / 2 : PT_ENTRIES;

    count->tables++;
    for (u64 i = 0; i < entries && level > 0 && !count->wrong; i++) {
        vaddr_t at = base + i * pt_level_size(level);
        if (!entry_is_table(pte_load(&table[i]), level) || (level == 1 && table[i] & PTE_PS))
            continue;
        const struct vma *vma = vma_above(space, at);
        if (!vma || vma->start >= at + pt_level_size(level)) {
            count->wrong = "U6: a table has no area";
            count->at = at;
        }
        check_tables(space, count, entry_table(pte_load(&table[i])), level - 1, at);
    }
}

static const char *check_entries(struct uspace *space, struct count *count)
{
    struct pt_cursor cursor;

    for (pt_cursor_begin(&cursor, &space->pt, 0, USER_HALF_END - 1); !cursor.done;
         pt_cursor_next(&cursor)) {
        if (!cursor.value)
            continue;
        count->at = pt_cursor_start(&cursor);
        const char *wrong = check_leaf(space, count, &cursor);
        if (wrong)
            return wrong;
    }
    check_tables(space, count, pt_root(&space->pt), TOP_LEVEL, 0);
    return count->wrong;
}

static const char *check_counts(const struct uspace *space, const struct count *count)
{
    const pte_t *root = pt_root(&space->pt), *kernel = pt_root(&kernel_pagetable);

    if (count->anon != space->stats.anon_pages)
        return "U5: anonymous pages are counted wrong";
    if (count->file != space->stats.file_pages)
        return "U5: pages of files are counted wrong";
    if (count->huge != space->stats.huge_pages)
        return "U5: huge pages are counted wrong";
    if (count->tables != space->pt.tables)
        return "U5: tables are counted wrong";
    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
        if ((root[i] ^ kernel[i]) & ~(PTE_A | PTE_D))
            return "U8: the kernel half is not the kernel's";
    return NULL;
}

const char *uspace_check(struct uspace *space)
{
    static char sentence[160];
    struct count count = {.vma = uspace_first(space)};
    const char *wrong = vma_check(space, sentence, sizeof(sentence));

    if (wrong)
        return wrong;
    wrong = check_entries(space, &count);
    if (!wrong)
        wrong = check_counts(space, &count);
    if (!wrong)
        return NULL;
    format_to(sentence, sizeof(sentence), "%s (at %#lx; %lu anonymous, %lu of files, %lu tables)",
              wrong, count.at, count.anon, count.file, count.tables);
    return sentence;
}
