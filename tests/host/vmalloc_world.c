// SPDX-License-Identifier: MIT
/*
 * See vmalloc_world.h. Owns the instances behind the kernel's global names for as long as a world is
 * open. One thread, no lock.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/format.h"
#include "mm/pgtable_source.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/vmalloc_world.h"

static const struct vmap_design *spoken_to;
static struct vmap_design listening;
static void *state_memory;
static struct memmap ram;
static struct world_counts at_start;
static bool caches_listed;

/* ---- P3 at the moment when address space changes hands ----------------------------------------- */

static void assert_forgotten(vaddr_t start, vaddr_t end)
{
    u64 cached = mmu_cached_range(start, end);

    if (cached)
        port_panic("P3: [%#lx, %#lx) is handed out while TLBs hold %lu translations of it", start,
                   end, cached);
}

static int listening_alloc(struct vmap_space *space, u64 size, u64 align, vaddr_t lo, vaddr_t hi,
                           struct vmap_area **out)
{
    int error = spoken_to->alloc(space, size, align, lo, hi, out);

    if (!error)
        assert_forgotten((*out)->va_start, (*out)->va_end);
    return error;
}

static int listening_grow(struct vmap_space *space, struct vmap_area *area, vaddr_t new_end)
{
    vaddr_t old_end = area->va_end;
    int error = spoken_to->grow(space, area, new_end);

    if (!error)
        assert_forgotten(old_end, new_end);
    return error;
}

/* ---- up and down ------------------------------------------------------------------------------ */

static void open_lower_floors(const struct vmalloc_world *config, u64 pages)
{
    host_memory_init(pages << PAGE_SHIFT);
    buddy_init(&kernel_buddy, "Normal", (struct page *)VMEMMAP_BASE, 0, pages);
    buddy_add_range(&kernel_buddy, WORLD_FIRST_PFN, pages);
    kernel_buddy.use_pcp = true;
    kernel_buddy.poison = config->poison;
    slab_init(&kernel_buddy);
    assert_int_equal(pt_init(&kernel_pagetable, &pt_buddy_ops, &kernel_buddy), 0);
    ram = (struct memmap){.count = 1, .usable_bytes = (pages - WORLD_KEPT_PFN) << PAGE_SHIFT};
    ram.ranges[0] = (struct memmap_range){WORLD_KEPT_PFN << PAGE_SHIFT, pages << PAGE_SHIFT};
}

void world_open(const struct vmalloc_world *config)
{
    u64 window = config->window_pages ? config->window_pages : 12 * 1024;
    vaddr_t start = WORLD_BORDER - (align_down(window / 3, 1024) << PAGE_SHIFT);

    open_lower_floors(config, config->memory_pages ? config->memory_pages : 6 * 1024);
    spoken_to = config->design ? config->design : vmap_designs[0];
    listening = *spoken_to;
    listening.alloc = listening_alloc;
    if (spoken_to->grow)
        listening.grow = listening_grow;
    state_memory = calloc(1, listening.state_size);
    memset(&kernel_vmalloc, 0, sizeof(kernel_vmalloc));
    assert_int_equal(vmalloc_init(&kernel_vmalloc, &listening, start,
                                  start + (window << PAGE_SHIFT), state_memory, &kernel_pagetable,
                                  &kernel_buddy),
                     0);
    caches_listed = true;
    kernel_vmalloc.ram = &ram;
    kernel_vmalloc.debug = config->debug;
    kernel_vmalloc.flush.policy = config->eager ? FLUSH_EAGER : FLUSH_LAZY;
    if (config->threshold)
        kernel_vmalloc.flush.threshold = config->threshold;
    assert_int_equal(pt_populate_top(&kernel_pagetable, start, kernel_vmalloc.space.end), 0);
    at_start = world_quiet_counts();
}

void world_drop(void)
{
    if (caches_listed) {
        list_del(&kernel_vmalloc.area_cache.link);
    }
    caches_listed = false;
    free(state_memory);
    state_memory = NULL;
    memset(&kernel_vmalloc, 0, sizeof(kernel_vmalloc));
    mmu_flush_all();
}

void world_close(void)
{
    struct world_counts now = world_quiet_counts();
    const char *broken = world_check();

    if (!broken)
        broken = world_difference(&at_start, &now);
    if (broken)
        port_panic("at the end: %s", broken);
    vmap_space_fini(&kernel_vmalloc.space);
    assert_int_equal(kmem_cache_destroy(&kernel_vmalloc.area_cache), 0);
    caches_listed = false;
    pt_fini(&kernel_pagetable);
    slab_shrink_all();
    if (buddy_free_pages(&kernel_buddy) != kernel_buddy.managed)
        port_panic("B3: %lu of %lu pages free after everything has gone",
                   buddy_free_pages(&kernel_buddy), kernel_buddy.managed);
    world_drop();
}

int world_teardown(void **state)
{
    world_drop();
    return host_teardown(state);
}

/* ---- counting and checking -------------------------------------------------------------------- */

static void sum_objects(struct kmem_cache *cache, void *sum)
{
    *(u64 *)sum += kmem_cache_in_use(cache);
}

struct world_counts world_quiet_counts(void)
{
    struct vmalloc *v = &kernel_vmalloc;
    struct world_counts counts = {.blocks = 0};
    const struct list_head *link;

    vfree_deferred_run();
    vm_unmap_aliases();
    vmap_space_drain(&v->space);
    pt_trim(v->pt, v->space.start, v->space.end);
    slab_shrink_all();
    buddy_drain(v->buddy);
    kmem_cache_for_each(sum_objects, &counts.slab_objects);
    for (link = v->block_list.next; link != &v->block_list; link = link->next)
        counts.blocks++;
    counts.used_pages =
        v->buddy->managed - buddy_free_pages(v->buddy) - buddy_use_pages(v->buddy, PAGE_USE_SLAB);
    counts.tables = v->pt->tables;
    counts.vmalloc_pages = v->nr_pages;
    counts.areas = v->space.stats.busy_areas;
    counts.nodes = v->space.stats.nodes;
    counts.free_extents = v->space.stats.free_extents;
    counts.busy_bytes = v->space.stats.busy_bytes;
    counts.lazy_pages = v->flush.lazy_pages;
    return counts;
}

const char *world_difference(const struct world_counts *before, const struct world_counts *after)
{
    static const char *const names[] = {
        "used pages",   "page tables", "vmalloc pages", "areas",        "vmap nodes",
        "free extents", "lazy pages",  "busy bytes",    "slab objects", "vm_map_ram blocks"};
    static char text[120];
    const u64 *a = (const u64 *)before, *b = (const u64 *)after;

    _Static_assert(sizeof(*before) == ARRAY_SIZE(names) * sizeof(u64), "a name for each count");
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (a[i] != b[i]) {
            format_to(text, sizeof(text), "%s: %lu -> %lu", names[i], a[i], b[i]);
            return text;
        }
    return NULL;
}

static const char *broken_cache;

static void check_cache(struct kmem_cache *cache, void *unused)
{
    if (!broken_cache)
        broken_cache = kmem_cache_check(cache);
}

const char *world_check(void)
{
    const char *broken = vmalloc_check();

    broken_cache = NULL;
    kmem_cache_for_each(check_cache, NULL);
    return broken ? broken : broken_cache;
}
