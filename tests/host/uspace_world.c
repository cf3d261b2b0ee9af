// SPDX-License-Identifier: MIT
/* See uspace_world.h. One thread, no lock. */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/errno.h"
#include "mm/uspace_internal.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/uspace_world.h"

static u32 *references; /* by PFN: entries that map it */
static struct uspace_counts at_open;

void uspace_world_open(u64 memory_pages)
{
    struct vmalloc_world config = {.memory_pages = memory_pages, .window_pages = 2048};

    world_open(&config);
    at_open = uspace_counts();
    references = calloc(memory_pages, sizeof(*references));
    assert_int_equal(uspace_init(), 0);
}

void uspace_world_close(void)
{
    uspace_activate(NULL);
    uspace_fini();
    free(references);
    world_quiet_counts();
    assert_same_counts(&at_open, "at the end");
    world_close();
}

/* ---- the processor -------------------------------------------------------------------------------- */

static int access_page(struct uspace *space, vaddr_t va, unsigned access, u64 **word)
{
    struct mmu_translation seen;

    uspace_activate(space);
    for (unsigned tries = 0; tries < 4; tries++) {
        if (mmu_access(space->pt.root, va, access | MMU_USER, &seen)) {
            *word = phys_to_virt(seen.physical);
            return 0;
        }
        int err = uspace_fault(space, va, seen.error);
        if (err)
            return err;
    }
    port_panic("%#lx: the page fault comes back (error code %#x)", va, seen.error);
}

int user_read(struct uspace *space, vaddr_t va, u64 *value)
{
    u64 *word;
    int err = access_page(space, align_down(va, PAGE_SIZE), MMU_READ, &word);

    if (err)
        return err;
    *value = word[0];
    if (word[200] != *value || word[511] != *value)
        port_panic("%#lx: the page has %#lx, %#lx and %#lx", va, word[0], word[200], word[511]);
    return 0;
}

int user_write(struct uspace *space, vaddr_t va, u64 value)
{
    u64 *word;
    int err = access_page(space, align_down(va, PAGE_SIZE), MMU_WRITE, &word);

    if (!err)
        word[0] = word[200] = word[511] = value;
    return err;
}

int user_execute(struct uspace *space, vaddr_t va)
{
    u64 *word;
    return access_page(space, va, MMU_EXECUTE, &word);
}

/* ---- counting --------------------------------------------------------------------------------------- */

static void sum_objects(struct kmem_cache *cache, void *sum)
{
    *(u64 *)sum += kmem_cache_in_use(cache);
}

struct uspace_counts uspace_counts(void)
{
    struct uspace_counts counts = {
        .user_pages = buddy_use_pages(&kernel_buddy, PAGE_USE_USER),
        .file_pages = buddy_use_pages(&kernel_buddy, PAGE_USE_FILE),
        .table_pages = buddy_use_pages(&kernel_buddy, PAGE_USE_TABLE),
    };

    slab_shrink_all();
    kmem_cache_for_each(sum_objects, &counts.slab_objects);
    counts.used_pages = kernel_buddy.managed - buddy_free_pages(&kernel_buddy) -
                        buddy_use_pages(&kernel_buddy, PAGE_USE_SLAB);
    return counts;
}

void assert_same_counts(const struct uspace_counts *before, const char *what)
{
    static const char *const names[] = {"used pages", "user pages", "file pages", "page tables",
                                        "slab objects"};
    struct uspace_counts after = uspace_counts();
    const u64 *a = (const u64 *)before, *b = (const u64 *)&after;

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (a[i] != b[i])
            port_panic("%s: %s: %lu -> %lu", what, names[i], a[i], b[i]);
}

static bool count_space(void *when, struct uspace *space)
{
    const char *wrong = uspace_check(space);
    struct pt_cursor c;

    if (wrong)
        port_panic("%s: %s", (const char *)when, wrong);
    for (pt_cursor_begin(&c, &space->pt, 0, USER_HALF_END - 1); !c.done; pt_cursor_next(&c)) {
        u64 n = c.level ? HUGE_PAGES : 1;
        pfn_t pfn = (c.value & PTE_FRAME & ~((n << PAGE_SHIFT) - 1)) >> PAGE_SHIFT;
        for (u64 i = 0; c.value && i < n; i++)
            references[pfn + i]++;
    }
    return true;
}

static void check_references(const char *when)
{
    for (pfn_t pfn = 0; pfn < kernel_buddy.end; pfn++) {
        struct page *page = pfn_to_page(pfn), *head = page;
        if (page->state == PAGE_USED_TAIL)
            head = buddy_block_head(&kernel_buddy, page);
        bool user = head && head->state == PAGE_USED && head->use == PAGE_USE_USER;
        bool file = head && head->state == PAGE_USED && head->use == PAGE_USE_FILE;
        u32 expected = references[pfn] + file;
        if (page == user_zero_page || head == NULL || head->use == PAGE_USE_VMALLOC)
            continue;
        if (!user && !file && references[pfn])
            port_panic("%s: pfn %#lx is mapped, but is no user page", when, pfn);
        if ((user || file) && head->refcount != expected)
            port_panic("%s: pfn %#lx has %u references, %u are known", when, pfn, head->refcount,
                       expected);
    }
}

void assert_uspace_sound(const char *when)
{
    const char *wrong = world_check();

    if (wrong)
        port_panic("%s: %s", when, wrong);
    memset(references, 0, kernel_buddy.end * sizeof(*references));
    uspace_for_each(count_space, (void *)when);
    check_references(when);
}
