// SPDX-License-Identifier: MIT
/*
 * The whole vmalloc layer on its real floors against a model that knows for each page of the window
 * who owns it and which frame it must map. Random traces; after each operation: the software MMU finds
 * the model's frames, guards are unmapped, every page is accounted for (B3), refused calls were
 * reported; now and then every check of every floor and a scan of the window. P3: no address is handed
 * out while a TLB remembers it. A trace that fails is shrunk and printed. VMALLOC_MODEL_OPS and
 * VMALLOC_MODEL_SEED set length and seed.
 */
#include "tests/host/harness.h"

#include "lib/bits.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "lib/rng.h"
#include "tests/host/soft_mmu.h"
#include "tests/host/vmalloc_world.h"

#define DEFAULT_OPS 300000UL
#define TRACE_MAX 2000
#define SLOTS 40
#define POOL_PAGES 64     /* frames that vmap() and vm_map_ram() map */
#define AREA_PAGES 512    /* largest area: its page array then fits one page */
#define WINDOW_MAX 12288u /* pages */
#define DEVICE 0xfd000000UL
#define UNUSED 0xffffffffU
#define SCAN_EVERY 500
#define CHECK_EVERY 24

/* ---- the op language ------------------------------------------------------------------------- */

enum make { VMALLOC, HUGE, VMAP, PUT, RAM, DEVICE_MAP, RESERVE, MAKES };
enum use { FREE, FREE_IN_INTERRUPT, TOUCH, MISUSE, READ, SHRINK, GROW, USES };
enum global { NOTHING, ALIASES, TRIM, RUN_DEFERRED, IN_INTERRUPT };

static const char *const make_names[MAKES] = {"vmalloc", "huge",    "vmap",   "put",
                                              "ram",     "ioremap", "reserve"};
static const char *const use_names[USES] = {
    "free", "free-in-interrupt", "touch", "misuse", "read", "shrink", "grow"};
static const char *const global_names[] = {"", "unmap-aliases", "trim", "run-deferred",
                                           "call-in-interrupt"};

/* Names slots and sizes, never results, so that any part of a trace is a trace: an empty slot is
 * filled, a full one used. */
struct step {
    enum global global;
    enum make make;
    enum use use;
    u32 slot, cpu;
    u64 pages, align; /* pages */
    u64 salt;         /* decides what is left open */
    bool zero, forever;
    u32 fail_site, fail_at; /* fail_at 0: no failure */
};

static struct step trace[TRACE_MAX];
static u64 trace_length, at_step;
static bool shrinking; /* every check after every step, so that few are needed */
static struct vmalloc_world world;

/* ---- the model ------------------------------------------------------------------------------- */

struct owned {
    enum make kind;
    vaddr_t start;
    u64 pages, range; /* mapped; occupied, guard included. 0: the slot is empty */
    bool deferred, large_leaves;
    u64 tag;
    u64 array_pages; /* that the page array takes from the buddy as a block */
    struct page **array;
    paddr_t frames[AREA_PAGES];
};

static struct owned slots[SLOTS];
static u32 va_owner[WINDOW_MAX]; /* slot, or UNUSED */
static u32 frame_owner[8192];
static struct page *pool[POOL_PAGES];
static u64 serial;

static char sentence[400];

static __noreturn __printf(1, 2) void wrong(const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vformat_to(text, sizeof(text), format, args);
    va_end(args);
    format_to(sentence, sizeof(sentence), "step %lu: %s", at_step, text);
    port_panic("%s", sentence);
}

static bool has_vm(const struct owned *o)
{
    return o->range && o->kind != RAM;
}

static bool owns_pages(const struct owned *o)
{
    return o->kind == VMALLOC || o->kind == HUGE || o->kind == PUT;
}

static u64 window_index(vaddr_t address)
{
    return (address - kernel_vmalloc.space.start) >> PAGE_SHIFT;
}

/* One page as the hardware would see it: mapped to that frame, RW and NX, or not at all (frame 0). */
static void expect_page(vaddr_t address, paddr_t frame)
{
    struct mmu_translation seen;
    bool mapped = mmu_walk(kernel_pagetable.root, address, &seen);

    if (mapped != (frame != 0) || (mapped && seen.physical != frame))
        wrong("P1: %#lx is mapped to %#lx, must be %#lx", address, mapped ? seen.physical : 0,
              frame);
    if (mapped && (!seen.writable || seen.executable || seen.user))
        wrong("P2: %#lx: writable %d, executable %d, user %d", address, seen.writable,
              seen.executable, seen.user);
}

static paddr_t frame_of(const struct owned *o, u64 page)
{
    return o->kind == RESERVE || page >= o->pages ? 0 : o->frames[page];
}

static u64 *tag_of(const struct owned *o, u64 page)
{
    return phys_to_virt(o->frames[page]);
}

/* Every page and the guard of one area; what its owner wrote is still there. */
static void expect_area(const struct owned *o)
{
    for (u64 i = 0; i < o->range; i++)
        expect_page(o->start + (i << PAGE_SHIFT), frame_of(o, i));
    for (u64 i = 0; owns_pages(o) && i < o->pages; i++)
        if (*tag_of(o, i) != o->tag + i)
            wrong("page %lu of area %#lx has been overwritten", i, o->start);
    if (has_vm(o) && find_vm_area((void *)(o->start + (o->range << PAGE_SHIFT) - 1)) !=
                         find_vm_area((void *)o->start))
        wrong("area %#lx is not found at its last byte", o->start);
}

static void occupy(struct owned *o, u64 from_page, u32 slot)
{
    for (u64 i = from_page; i < o->range; i++) {
        u32 *owner = &va_owner[window_index(o->start) + i];

        if (slot != UNUSED && *owner != UNUSED)
            wrong("V4: page %lu of area %#lx belongs to slot %u", i, o->start, *owner);
        *owner = slot;
    }
}

/* Frames that an area has got from the buddy: nobody else's; from now on they carry its tag. */
static void own_frames(struct owned *o, u64 from_page, u32 slot, bool zero)
{
    static const u8 zeroes[PAGE_SIZE];
    struct mmu_translation seen;

    for (u64 i = from_page; i < o->pages; i++) {
        vaddr_t at = o->start + (i << PAGE_SHIFT);

        if (!mmu_walk(kernel_pagetable.root, at, &seen))
            wrong("P1: page %lu of the new area %#lx is not mapped", i, o->start);
        pfn_t pfn = seen.physical >> PAGE_SHIFT;
        if (pfn >= host_memory_size() >> PAGE_SHIFT ||
            !buddy_block_head(&kernel_buddy, pfn_to_page(pfn)))
            wrong("P1: %#lx maps pfn %#lx, which is not an allocated page", at, pfn);
        if (frame_owner[pfn] != UNUSED)
            wrong("P1: %#lx maps pfn %#lx, which slot %u owns", at, pfn, frame_owner[pfn]);
        frame_owner[pfn] = slot;
        o->frames[i] = seen.physical;
        o->large_leaves = seen.page_size > PAGE_SIZE;
        if (zero && memcmp(tag_of(o, i), zeroes, PAGE_SIZE) != 0)
            wrong("page %lu of area %#lx is not zeroed", i, o->start);
        *tag_of(o, i) = o->tag + i;
    }
}

static void disown_frames(const struct owned *o, u64 from_page)
{
    for (u64 i = from_page; owns_pages(o) && i < o->pages; i++)
        frame_owner[o->frames[i] >> PAGE_SHIFT] = UNUSED;
}

static u64 array_pages(u64 count)
{
    u64 bytes = count * sizeof(struct page *);

    return bytes <= 2048 ? 0 : 1UL << order_for_pages(bytes_to_pages(bytes));
}

/* ---- what must hold after every operation ----------------------------------------------------- */

static void expect_counts(void)
{
    u64 vmalloc_pages = 0, other = POOL_PAGES;

    for (u32 i = 0; i < SLOTS; i++) {
        const struct owned *o = &slots[i];

        if (!o->range)
            continue;
        vmalloc_pages += o->kind == VMALLOC || o->kind == HUGE ? o->pages : 0;
        other += o->array_pages + (o->kind == PUT ? o->pages : 0);
    }
    if (kernel_vmalloc.nr_pages != vmalloc_pages ||
        buddy_use_pages(&kernel_buddy, PAGE_USE_VMALLOC) != vmalloc_pages)
        wrong("B3: areas own %lu pages, the layer says %lu, the page array %lu", vmalloc_pages,
              kernel_vmalloc.nr_pages, buddy_use_pages(&kernel_buddy, PAGE_USE_VMALLOC));
    if (buddy_use_pages(&kernel_buddy, PAGE_USE_OTHER) != other)
        wrong("B3: %lu other pages in use, must be %lu",
              buddy_use_pages(&kernel_buddy, PAGE_USE_OTHER), other);
    if (buddy_use_pages(&kernel_buddy, PAGE_USE_TABLE) != kernel_pagetable.tables)
        wrong("B3: %lu table pages, %lu tables", buddy_use_pages(&kernel_buddy, PAGE_USE_TABLE),
              kernel_pagetable.tables);
    if (kmem_cache_in_use(&kernel_vmalloc.area_cache) !=
        kernel_vmalloc.space.stats.nodes + kernel_vmalloc.space.spares)
        wrong("%lu descriptors in use, the space has %lu and %u to spare",
              kmem_cache_in_use(&kernel_vmalloc.area_cache), kernel_vmalloc.space.stats.nodes,
              kernel_vmalloc.space.spares);
    if (host_locks_held())
        wrong("%u locks held", host_locks_held());
    if (host_take_reports())
        wrong("unexpected report: %s", host_last_report());
}

/* With debug on, whoever uses an area after its free must fault at once. */
static void expect_no_stale_translation(void)
{
    u64 stale = mmu_cached_stale();

    if (stale)
        wrong("P3: TLBs hold %lu translations that the tables have not", stale);
}

static void expect_all(bool scan)
{
    const char *broken = world_check();

    if (broken)
        wrong("%s", broken);
    if (!scan)
        return;
    for (u64 i = 0; i < world.window_pages; i++) {
        vaddr_t at = kernel_vmalloc.space.start + (i << PAGE_SHIFT);
        u32 owner = va_owner[i];

        expect_page(at, owner == UNUSED
                            ? 0
                            : frame_of(&slots[owner], (at - slots[owner].start) >> PAGE_SHIFT));
    }
}

static void expect_one_report(const char *words)
{
    u64 reports = host_take_reports();

    if (reports != 1 || !strstr(host_last_report(), words))
        wrong("%lu reports, wanted one with \"%s\"; the last: %s", reports, words,
              reports ? host_last_report() : "-");
}

/* ---- making ---------------------------------------------------------------------------------- */

/* With so much of everything a call without an injected failure has no excuse. */
static bool must_succeed(const struct step *s, u64 pages)
{
    u64 bytes = (pages + 1) << PAGE_SHIFT;
    u64 need = s->make == RAM ? 2 * VMAP_BLOCK_PAGES << PAGE_SHIFT
                              : bytes + (max_u64(s->align, roundup_pow2(pages)) << PAGE_SHIFT);

    return buddy_free_pages(&kernel_buddy) > pages + 64 &&
           vmap_space_stats(&kernel_vmalloc.space).largest_free >= need;
}

static void pick_pages(struct page **pages, u64 count, u64 salt)
{
    for (u64 i = 0; i < count; i++)
        pages[i] = pool[(salt + i * 7) % POOL_PAGES];
}

static gfp_t gfp_of(const struct step *s)
{
    return GFP_KERNEL | __GFP_NOWARN | (s->zero ? __GFP_ZERO : 0);
}

static struct page **make_array(u64 count)
{
    struct page **array = kmalloc(count * sizeof(*array), GFP_KERNEL);

    if (array && buddy_alloc_bulk(&kernel_buddy, GFP_KERNEL, count, array, 0) == count)
        return array;
    kfree(array);
    return NULL;
}

static void drop_array(struct page **array, u64 count)
{
    buddy_free_bulk(&kernel_buddy, array, count, 0);
    kfree(array);
}

static void *call(const struct step *s, struct owned *o)
{
    struct page *pages[AREA_PAGES];
    struct vmalloc *v = &kernel_vmalloc;
    struct vm_struct *vm;

    switch (s->make) {
    case VMALLOC:
    case HUGE:
        return __vmalloc_node_range(o->pages << PAGE_SHIFT, s->align << PAGE_SHIFT, v->space.start,
                                    v->space.end, gfp_of(s), PROT_KERNEL_RW,
                                    s->make == HUGE ? VM_ALLOW_HUGE : 0, 0);
    case VMAP:
        pick_pages(pages, o->pages, s->salt);
        return vmap(pages, o->pages, 0, PROT_KERNEL_RW);
    case PUT:
        return o->array ? vmap(o->array, o->pages, VM_MAP_PUT_PAGES, PROT_KERNEL_RW) : NULL;
    case RAM:
        pick_pages(pages, o->pages, s->salt);
        return vm_map_ram(pages, o->pages);
    case DEVICE_MAP:
        return ioremap(DEVICE + (s->salt % 64 << PAGE_SHIFT), o->pages << PAGE_SHIFT);
    default:
        vm = get_vm_area(o->pages << PAGE_SHIFT, VM_MAP);
        return vm ? (void *)vm->addr : NULL;
    }
}

/* Which frames the model wants there; those of vmalloc() are learnt from the software MMU. */
static void learn_frames(const struct step *s, struct owned *o)
{
    for (u64 i = 0; i < o->pages; i++) {
        if (o->kind == VMAP || o->kind == RAM)
            o->frames[i] = page_to_phys(pool[(s->salt + i * 7) % POOL_PAGES]);
        if (o->kind == DEVICE_MAP)
            o->frames[i] = DEVICE + ((s->salt % 64 + i) << PAGE_SHIFT);
    }
    if (owns_pages(o))
        own_frames(o, 0, s->slot, s->zero && o->kind != PUT);
}

/* Access one page the way a program does: through the TLB of the CPU that is running. */
static void touch(const struct owned *o, u64 page)
{
    vaddr_t at = o->start + (page << PAGE_SHIFT) + 8;
    paddr_t frame = frame_of(o, page);
    struct mmu_translation seen;
    bool done = mmu_access(kernel_pagetable.root, at, MMU_WRITE, &seen);

    if (done != (frame != 0) || (done && seen.physical != frame + 8))
        wrong("P3: CPU %u at %#lx reaches %#lx, must be %#lx", cpu_id(), at,
              done ? seen.physical : 0, frame);
}

static void begin_slot(const struct step *s, struct owned *o)
{
    static const u64 largest[MAKES] = {AREA_PAGES, AREA_PAGES, 40, 32, 80, AREA_PAGES, 40};

    *o = (struct owned){.kind = s->make, .tag = ++serial << 12};
    /* Half of the short-lived maps are large, so that blocks are used up and replaced. */
    u64 pages = s->make == RAM && s->salt & 2 ? s->pages * 9 : s->pages;
    o->pages = s->make == HUGE ? AREA_PAGES : min_u64(pages, largest[s->make]);
    if (s->make == PUT)
        o->array = make_array(o->pages);
}

static void made(const struct step *s, struct owned *o, void *address)
{
    const struct vmap_space *space = &kernel_vmalloc.space;

    o->start = (vaddr_t)address;
    o->range = o->pages + (o->kind != RAM);
    if (o->start < space->start || o->start + (o->range << PAGE_SHIFT) > space->end)
        wrong("%s gives %p, which is not in the window", make_names[s->make], address);
    if (o->kind == VMALLOC && !is_aligned(o->start, s->align << PAGE_SHIFT))
        wrong("%#lx is not aligned to %lu pages", o->start, s->align);
    if (mmu_cached_range(o->start, o->start + (o->range << PAGE_SHIFT)))
        wrong("P3: %s gives %#lx while a TLB remembers it", make_names[s->make], o->start);
    occupy(o, 0, s->slot);
    learn_frames(s, o);
    if (o->kind == VMALLOC || o->kind == HUGE)
        o->array_pages = array_pages(o->pages);
    struct vm_struct *vm = find_vm_area(address);
    if ((vm != NULL) != has_vm(o) || (vm && vm->size != o->range << PAGE_SHIFT))
        wrong("find_vm_area(%p) gives %p", address, (void *)vm);
    expect_area(o);
    if (s->salt & 1)
        touch(o, s->salt / 2 % o->pages);
}

static void do_make(const struct step *s)
{
    struct owned *o = &slots[s->slot];

    begin_slot(s, o);
    bool certain = must_succeed(s, o->pages) && (s->make != PUT || o->array);
    if (s->fail_at)
        fail_arm((enum fail_site)s->fail_site, s->fail_at, s->forever);
    void *address = call(s, o);
    bool injected = s->fail_at && fail_count((enum fail_site)s->fail_site);
    fail_disarm((enum fail_site)s->fail_site);
    if (address) {
        made(s, o, address);
        return;
    }
    if (o->array)
        drop_array(o->array, o->pages);
    *o = (struct owned){.range = 0};
    if (certain && !injected)
        wrong("%s fails with %lu pages and %lu bytes of address space free", make_names[s->make],
              buddy_free_pages(&kernel_buddy),
              vmap_space_stats(&kernel_vmalloc.space).largest_free);
}

/* ---- freeing --------------------------------------------------------------------------------- */

/* The call that frees the slot has been made: forget it, and make sure that the layer did. */
static void freed(struct owned *o)
{
    for (u64 i = 0; i < o->range; i++)
        expect_page(o->start + (i << PAGE_SHIFT), 0);
    if (find_vm_area((void *)o->start))
        wrong("area %#lx is still found after its free", o->start);
    occupy(o, 0, UNUSED);
    disown_frames(o, 0);
    *o = (struct owned){.range = 0};
}

/* Each vfree() outside of an interrupt finishes the deferred ones first. */
static void deferred_are_gone(void)
{
    for (u32 i = 0; i < SLOTS; i++)
        if (slots[i].deferred)
            freed(&slots[i]);
}

static void do_free(struct owned *o)
{
    void *address = (void *)o->start;
    bool by_vfree = owns_pages(o), double_free = o->deferred;

    expect_area(o);
    if (by_vfree)
        vfree(address);
    else if (o->kind == VMAP)
        vunmap(address);
    else if (o->kind == RAM)
        vm_unmap_ram(address, o->pages);
    else if (o->kind == DEVICE_MAP)
        iounmap((u8 *)address + 4);
    else
        free_vm_area(find_vm_area(address));
    if (double_free)
        expect_one_report("double free");
    if (by_vfree)
        deferred_are_gone();
    if (!double_free)
        freed(o);
}

static void do_free_in_interrupt(struct owned *o)
{
    bool again = o->deferred;

    host_set_interrupt(true);
    if (owns_pages(o))
        vfree((void *)o->start);
    host_set_interrupt(false);
    if (again)
        expect_one_report("double free");
    o->deferred = owns_pages(o);
    expect_area(o);
}

/* A free that must be refused: reported, and nothing else. */
static void do_misuse(const struct step *s, const struct owned *o)
{
    u8 *start = (void *)o->start;
    u64 middle = PAGE_SIZE * (1 + s->salt % max_u64(o->pages, 2));

    vfree_deferred_run(); /* or a vfree() below does it, before it looks at its argument */
    deferred_are_gone();
    if (!o->range)
        return;
    switch (s->salt / 64 % 6) {
    case 0:
        vfree(start + 1 + s->salt % 4094);
        expect_one_report("unaligned");
        break;
    case 1:
        vfree(o->range > 1 ? start + min_u64(middle, (o->range - 1) * PAGE_SIZE) : start + 1);
        expect_one_report(o->range == 1    ? "unaligned"
                          : o->kind == RAM ? "wrong kind"
                                           : "not the start");
        break;
    case 2:
        vm_unmap_ram(start, o->kind == RAM ? o->pages + 1 : o->pages);
        expect_one_report("no such mapping");
        break;
    case 3:
        vm_unmap_ram(start, o->pages - 1);
        expect_one_report("no such mapping");
        break;
    case 4:
        (o->kind == DEVICE_MAP ? vunmap : iounmap)(start);
        expect_one_report("wrong kind");
        break;
    default:
        (owns_pages(o) ? vunmap : vfree)(start);
        if (o->kind == PUT) /* vunmap() of such an area is allowed: pages and array stay */
            return;
        expect_one_report("wrong kind");
    }
    expect_area(o);
}

/* vunmap() leaves the pages of a VM_MAP_PUT_PAGES area to the caller. */
static void do_misuse_or_unmap(const struct step *s, struct owned *o)
{
    struct page **array = o->array;
    u64 pages = o->pages;

    do_misuse(s, o);
    if (o->range && o->kind == PUT && !find_vm_area((void *)o->start)) {
        freed(o);
        drop_array(array, pages);
    }
}

/* ---- reading and resizing --------------------------------------------------------------------- */

static void do_read(const struct step *s, const struct owned *o)
{
    static u8 got[8 * PAGE_SIZE];
    u64 from = s->salt % (o->range << PAGE_SHIFT), live = 0;
    u64 count = 1 + s->salt / 7 % (sizeof(got) - 1);

    count = min_u64(count, (o->range << PAGE_SHIFT) - from);
    u64 said = vread(got, (u8 *)o->start + from, count);
    for (u64 done = 0; done < count;) {
        u64 page = (from + done) >> PAGE_SHIFT, inside = (from + done) & ~PAGE_MASK;
        u64 chunk = min_u64(count - done, PAGE_SIZE - inside);
        paddr_t frame = o->kind == DEVICE_MAP ? 0 : frame_of(o, page);
        static const u8 zeroes[PAGE_SIZE];

        if (memcmp(got + done, frame ? (u8 *)phys_to_virt(frame) + inside : zeroes, chunk) != 0)
            wrong("vread(%#lx, %lu): other bytes at +%lu", o->start + from, count, done);
        live += frame ? chunk : 0;
        done += chunk;
    }
    if (said != live)
        wrong("vread(%#lx, %lu) says %lu bytes, must be %lu", o->start + from, count, said, live);
}

static void do_shrink(const struct step *s, struct owned *o)
{
    u64 keep = 1 + s->salt % o->pages;
    u64 old_range = o->range;
    bool may_keep_range = s->fail_at || keep == o->pages;

    if (s->fail_at)
        fail_arm((enum fail_site)s->fail_site, s->fail_at, s->forever);
    void *address = vrealloc((void *)o->start, keep << PAGE_SHIFT, GFP_KERNEL);
    fail_disarm((enum fail_site)s->fail_site);
    if ((vaddr_t)address != o->start)
        wrong("vrealloc(%#lx, %lu pages) shrinks to %p", o->start, keep, address);
    if (!o->large_leaves) {
        occupy(o, 0, UNUSED);
        disown_frames(o, keep);
        o->pages = keep;
        o->range = find_vm_area(address)->size >> PAGE_SHIFT;
        occupy(o, 0, s->slot);
        if (o->range != keep + 1 && !(may_keep_range && o->range == old_range))
            wrong("%lu pages of address space for %lu pages", o->range, keep);
    }
    expect_area(o);
}

static bool room_behind(const struct owned *o, u64 pages)
{
    vaddr_t end = o->start + (o->range << PAGE_SHIFT);

    if (end + (pages << PAGE_SHIFT) > kernel_vmalloc.space.end)
        return false;
    for (u64 i = 0; i < pages; i++)
        if (vmap_space_find(&kernel_vmalloc.space, end + (i << PAGE_SHIFT)))
            return false;
    return true;
}

/* In place only: a move copies through virtual addresses, which a host program does not have. */
static void do_grow(const struct step *s, struct owned *o)
{
    u64 pages = min_u64(o->pages + 1 + s->salt % 12, AREA_PAGES);
    u64 old = o->pages;

    if (pages <= old || o->large_leaves)
        return;
    vm_unmap_aliases();
    if (!room_behind(o, pages - old) || buddy_free_pages(&kernel_buddy) < pages + 64)
        return;
    void *address = vrealloc((void *)o->start, pages << PAGE_SHIFT, GFP_KERNEL);
    if ((vaddr_t)address != o->start)
        wrong("vrealloc(%#lx, %lu pages) grows to %p", o->start, pages, address);
    occupy(o, 0, UNUSED);
    o->pages = pages;
    o->range = pages + 1;
    o->array_pages = array_pages(pages);
    occupy(o, 0, s->slot);
    own_frames(o, old, s->slot, false);
    expect_area(o);
}

/* ---- one step -------------------------------------------------------------------------------- */

static void do_use(const struct step *s, struct owned *o)
{
    bool resizable = o->kind == VMALLOC && !o->deferred;

    if (s->use == FREE)
        do_free(o);
    else if (s->use == FREE_IN_INTERRUPT)
        do_free_in_interrupt(o);
    else if (s->use == TOUCH)
        touch(o, s->salt % o->range);
    else if (s->use == MISUSE)
        do_misuse_or_unmap(s, o);
    else if (s->use == READ)
        do_read(s, o);
    else if (s->use == SHRINK && (resizable || o->kind == HUGE) && !o->deferred)
        do_shrink(s, o);
    else if (s->use == GROW && resizable)
        do_grow(s, o);
}

static void do_global(const struct step *s)
{
    switch (s->global) {
    case ALIASES:
        vm_unmap_aliases();
        expect_no_stale_translation();
        break;
    case TRIM:
        pt_trim(&kernel_pagetable, kernel_vmalloc.space.start, kernel_vmalloc.space.end);
        slab_shrink_all();
        buddy_drain(&kernel_buddy);
        break;
    case RUN_DEFERRED:
        vfree_deferred_run();
        deferred_are_gone();
        break;
    default:
        host_set_interrupt(true);
        if (vmalloc(PAGE_SIZE))
            wrong("vmalloc works in an interrupt");
        host_set_interrupt(false);
        expect_one_report("in an interrupt");
    }
}

static void do_step(const struct step *s)
{
    struct owned *o = &slots[s->slot];

    host_set_cpu(s->cpu);
    if (s->global)
        do_global(s);
    else if (o->range)
        do_use(s, o);
    else
        do_make(s);
    expect_counts();
    if (world.debug)
        expect_no_stale_translation();
    if (shrinking || at_step % CHECK_EVERY == 0)
        expect_all(shrinking || at_step % SCAN_EVERY == 0);
}

/* ---- one run --------------------------------------------------------------------------------- */

static void open_model(void)
{
    memset(slots, 0, sizeof(slots));
    memset(va_owner, 0xff, sizeof(va_owner));
    memset(frame_owner, 0xff, sizeof(frame_owner));
    host_set_cpu_count(4);
    world_open(&world);
    for (unsigned i = 0; i < POOL_PAGES; i++)
        pool[i] = buddy_alloc(&kernel_buddy, GFP_KERNEL, 0, 0);
}

static void close_model(void)
{
    for (u32 i = 0; i < SLOTS; i++)
        if (slots[i].range && !slots[i].deferred)
            do_free(&slots[i]);
    vfree_deferred_run();
    deferred_are_gone();
    for (unsigned i = 0; i < POOL_PAGES; i++)
        buddy_free(&kernel_buddy, pool[i], 0, 0);
    world_close();
}

/* Ends in a panic in any case, for host_expect_panic(): with an empty `sentence` all went well. */
static void run_trace(void *unused)
{
    format_to(sentence, sizeof(sentence), "a panic");
    open_model();
    for (at_step = 0; at_step < trace_length; at_step++)
        do_step(&trace[at_step]);
    close_model();
    sentence[0] = '\0';
    port_panic("end of run");
}

static const char *run(void)
{
    expect_panic(run_trace, NULL, "");
    for (unsigned site = 0; site < FAIL_SITES; site++)
        fail_disarm(site);
    host_take_reports();
    world_drop();
    return sentence[0] ? sentence : NULL;
}

/* ---- making, shrinking and printing traces ----------------------------------------------------- */

static struct step random_step(struct rng *rng)
{
    static const u32 cpus[] = {0, 1, 3}; /* bug 18: a hole in the CPU numbers */
    static const enum make makes[] = {VMALLOC, VMALLOC, VMALLOC, VMALLOC,    VMAP,   RAM,
                                      RAM,     RAM,     PUT,     DEVICE_MAP, RESERVE};
    static const enum use uses[] = {FREE, FREE, FREE, FREE,   FREE,   FREE,
                                    FREE, READ, GROW, SHRINK, MISUSE, TOUCH};
    u64 dice = rng_below(rng, 1000);
    struct step s = {.slot = (u32)rng_below(rng, SLOTS), .salt = rng_next(rng) >> 8};

    s.cpu = cpus[rng_below(rng, ARRAY_SIZE(cpus))];
    s.global = dice < 3    ? ALIASES
               : dice < 5  ? TRIM
               : dice < 8  ? RUN_DEFERRED
               : dice < 10 ? IN_INTERRUPT
                           : NOTHING;
    s.make = rng_below(rng, 100) ? makes[rng_below(rng, ARRAY_SIZE(makes))] : HUGE;
    s.use = rng_below(rng, 30) ? uses[rng_below(rng, ARRAY_SIZE(uses))] : FREE_IN_INTERRUPT;
    s.pages = 1 + rng_below(rng, rng_below(rng, 24) ? 8 : rng_below(rng, 8) ? 100 : AREA_PAGES);
    s.align = 1UL << (rng_below(rng, 3) ? 0 : rng_below(rng, 10));
    s.zero = rng_below(rng, 8) == 0;
    if (rng_below(rng, 8) == 0) {
        s.fail_site = (u32)rng_below(rng, FAIL_SITES);
        s.fail_at = 1 + (u32)rng_below(rng, rng_below(rng, 2) ? 3 : s.pages + 3);
        s.forever = rng_below(rng, 2);
    }
    return s;
}

static void make_trace(struct rng *rng, u64 length)
{
    trace_length = length;
    for (u64 i = 0; i < length; i++)
        trace[i] = random_step(rng);
}

/* Leave out parts, halves first, down to single steps, as long as the rest still fails. */
static void shrink_trace(void)
{
    static struct step kept[TRACE_MAX];

    for (u64 part = trace_length / 2; part > 0; part /= 2) {
        for (u64 at = 0; at + part <= trace_length;) {
            u64 length = trace_length;

            memcpy(kept, trace, sizeof(trace));
            memmove(&trace[at], &trace[at + part], (length - at - part) * sizeof(trace[0]));
            trace_length = length - part;
            if (!run()) {
                memcpy(trace, kept, sizeof(trace));
                trace_length = length;
                at += part;
            }
        }
    }
}

static void print_trace(void)
{
    for (u64 i = 0; i < trace_length; i++) {
        const struct step *s = &trace[i];

        if (s->global)
            print_error("cpu%u: %s\n", s->cpu, global_names[s->global]);
        else
            print_error("cpu%u: a%u = %s %lup align=%lup%s | %s, salt %#lx, fail %s at %u%s\n",
                        s->cpu, s->slot, make_names[s->make], s->pages, s->align,
                        s->zero ? " zero" : "", use_names[s->use], s->salt,
                        fail_site_name((enum fail_site)s->fail_site), s->fail_at,
                        s->forever ? " for ever" : "");
    }
}

static void fail_with_shrunk_trace(u64 seed)
{
    shrinking = true;
    if (run()) /* the extra checks may have stopped it earlier, or not at all: a stray write */
        shrink_trace();
    print_error("seed %#lx, shrunk to %lu steps: %s\n", seed, trace_length, run());
    print_trace();
    run_trace(NULL); /* once more, so that the text of a panic is shown */
}

static u64 from_environment(const char *name, u64 otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void random_life(const struct vmalloc_world *config, u64 ops, u64 seed)
{
    struct rng rng;

    world = *config;
    seed = from_environment("VMALLOC_MODEL_SEED", seed);
    ops =
        min_u64(from_environment("VMALLOC_MODEL_OPS", DEFAULT_OPS), DEFAULT_OPS * 1000) * ops / 100;
    for (u64 done = 0, round = 0; done < ops; done += trace_length, round++) {
        rng_seed(&rng, seed + round);
        make_trace(&rng, min_u64(ops - done, TRACE_MAX));
        if (run())
            fail_with_shrunk_trace(seed + round);
    }
    print_message("%lu operations on %lu pages, %s, %s flush, debug %d, seed %#lx: as the model\n",
                  ops, world.window_pages, (world.design ? world.design : vmap_designs[0])->name,
                  world.eager ? "eager" : "lazy", world.debug, seed);
}

/* ---- the tests --------------------------------------------------------------------------------- */

/* Freed ranges wait until address space runs out, or until the default threshold, which is never. */
static void lazy_until_no_room(void **state)
{
    random_life(&(struct vmalloc_world){.window_pages = 4100}, 25, 1);
}

static void lazy_with_a_low_threshold(void **state)
{
    random_life(&(struct vmalloc_world){.window_pages = 12 * 1024, .threshold = 300}, 25, 1000);
}

static void debug_flushes_at_every_free(void **state)
{
    random_life(&(struct vmalloc_world){.window_pages = 6 * 1024, .threshold = 2000, .debug = true},
                25, 2000);
}

static void eager(void **state)
{
    random_life(&(struct vmalloc_world){.window_pages = 4 * 1024, .eager = true}, 15, 3000);
}

static void short_of_pages(void **state)
{
    random_life(
        &(struct vmalloc_world){
            .memory_pages = 1024, .window_pages = 8 * 1024, .threshold = 1500, .poison = true},
        4, 4000);
}

static void every_other_design(void **state)
{
    for (unsigned i = 1; vmap_designs[i]; i++)
        random_life(&(struct vmalloc_world){.design = vmap_designs[i],
                                            .window_pages = 5 * 1024,
                                            .threshold = 800},
                    6, 5000);
}

static bool forget(vaddr_t start, vaddr_t end)
{
    return false;
}

/* The positive control: with flushes that flush nothing, each of these must be caught, and as P3. */
static void forgotten_flushes_are_caught(void **state)
{
    static const struct vmalloc_world worlds[] = {
        {.window_pages = 4100},
        {.window_pages = 12 * 1024, .threshold = 300},
        {.window_pages = 4100, .debug = true},
        {.window_pages = 4100, .eager = true},
    };
    struct rng rng;

    rng_seed(&rng, 7);
    host_flush_hook(forget);
    for (unsigned i = 0; i < ARRAY_SIZE(worlds); i++) {
        world = worlds[i];
        make_trace(&rng, TRACE_MAX);
        expect_panic(run_trace, NULL, "P3: ");
        for (unsigned site = 0; site < FAIL_SITES; site++)
            fail_disarm(site);
        host_take_reports();
        world_drop();
    }
    host_flush_hook(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(forgotten_flushes_are_caught),
        world_test(lazy_until_no_room),
        world_test(lazy_with_a_low_threshold),
        world_test(debug_flushes_at_every_free),
        world_test(eager),
        world_test(short_of_pages),
        world_test(every_other_design),
    };

    return cmocka_run_group_tests_name("vmalloc_model", tests, NULL, NULL);
}
