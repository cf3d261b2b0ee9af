// SPDX-License-Identifier: MIT
/*
 * The memory floors come up, bottom first. Each function here is one line of boot/main.c and leaves
 * the machine in a state that the next one relies on. Also here: the command-line options of mm, and
 * the way back to a state whose counts can be compared (mm_quiesce). Boot CPU only, no locks. Read
 * next: mm/start_pagetable.c.
 */
#include "mm/start.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/fault.h"
#include "mm/pgtable_source.h"
#include "mm/uspace.h"
#include "mm/vmalloc_internal.h"
#include "mm/vmap/oracle.h"

struct memmap boot_memmap;
struct memblock boot_memblock;

#define MINIMUM_RAM (4 * MIB)

static const struct vmap_design *chosen_design;
static enum vmap_check_level chosen_check;
static enum flush_policy chosen_flush = FLUSH_LAZY;
static bool page_poison = true;
static bool vmalloc_debug = true;

static int set_design(const char *value)
{
    const struct vmap_design *design = vmap_design_find(value);
    if (!design)
        return -EINVAL;
    chosen_design = design;
    return 0;
}
PARAM(vmap, "vmap", set_design, "design that finds address space (see `vmap designs`)");

static int set_check(const char *value)
{
    u64 level;
    int err = param_number(value, VMAP_CHECK_OFF, VMAP_CHECK_MODEL, &level);
    if (err == 0)
        chosen_check = (enum vmap_check_level)level;
    return err;
}
PARAM(vmap_check, "vmap.check", set_check,
      "0..3: invariants never, every 256th operation, always, always and against the page bitmap");

static int set_flush(const char *value)
{
    for (int policy = FLUSH_EAGER; policy <= FLUSH_LAZY; policy++) {
        if (strcmp(value, flush_policy_name((enum flush_policy)policy)) == 0) {
            chosen_flush = (enum flush_policy)policy;
            return 0;
        }
    }
    return -EINVAL;
}
PARAM(vmap_flush, "vmap.flush", set_flush, "eager or lazy: when freed ranges are flushed");

static int set_poison(const char *value)
{
    return param_bool(value, &page_poison);
}
PARAM(page_poison, "page_poison", set_poison, "on/off: fill freed pages and objects, verify later");

static int set_debug(const char *value)
{
    return param_bool(value, &vmalloc_debug);
}
PARAM(vmalloc_debug, "vmalloc.debug", set_debug,
      "on/off: flush translations at every vfree, so that a use after free faults at once");

void mm_start_memmap(const struct memmap_entry *raw, size_t count)
{
    int err = memmap_build(&boot_memmap, raw, count);
    if (err == -EINVAL)
        panic_at(NULL, "boot through GRUB with multiboot2, or through qemu -kernel",
                 "the boot loader gave no memory map");
    if (err || boot_memmap.usable_bytes < MINIMUM_RAM)
        panic_at(NULL, "give the machine more memory (QEMU: -m 32M)",
                 "need at least %lu MiB of usable RAM above 1 MiB, have %lu KiB", MINIMUM_RAM / MIB,
                 boot_memmap.usable_bytes / KIB);
    for (unsigned i = 0; i < boot_memmap.count; i++)
        log_debug("RAM %#014lx-%#014lx", boot_memmap.ranges[i].start, boot_memmap.ranges[i].end);
    if (boot_memmap.dropped)
        log_warn("memory map: %u entries did not fit and are not used", boot_memmap.dropped);
    log_info("memory map: %lu MiB usable in %u ranges", boot_memmap.usable_bytes / MIB,
             boot_memmap.count);

    memblock_init(&boot_memblock, &boot_memmap, EARLY_DIRECT_MAP_SIZE);
    mm_start_reserve(0, 1 * MIB, "firmware");
    mm_start_reserve((paddr_t)__boot_start, (vaddr_t)__kernel_end - KERNEL_BASE, "kernel image");
}

void mm_start_reserve(paddr_t start, paddr_t end, const char *what)
{
    if (memblock_reserve(&boot_memblock, start, end, what) != 0)
        panic("cannot reserve %s at [%#lx, %#lx)", what, start, end);
}

static void add_free_range(void *ctx, paddr_t start, paddr_t end)
{
    buddy_add_range(ctx, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* Page tables and metadata must still be had when everybody else has taken all: 1/128, at most 1 MiB. */
static u64 reserve_pages(u64 managed)
{
    return min_u64(managed / 128, 256);
}

void mm_start_buddy(void)
{
    buddy_init(&kernel_buddy, "Normal", (struct page *)VMEMMAP_BASE, 0,
               memmap_end(&boot_memmap) >> PAGE_SHIFT);
    memblock_for_each_free(&boot_memblock, add_free_range, &kernel_buddy);
    for (unsigned i = 0; i < boot_memmap.count; i++)
        buddy_cover(&kernel_buddy, boot_memmap.ranges[i].start >> PAGE_SHIFT,
                    boot_memmap.ranges[i].end >> PAGE_SHIFT);
    memblock_seal(&boot_memblock);
    kernel_buddy.reserve = reserve_pages(kernel_buddy.managed);
    kernel_buddy.use_pcp = true;
    kernel_buddy.poison = page_poison;
    pt_set_ops(&kernel_pagetable, &pt_buddy_ops, &kernel_buddy);
    log_info("buddy: %lu pages (%lu MiB) managed", kernel_buddy.managed,
             kernel_buddy.managed * PAGE_SIZE / MIB);
}

void mm_start_slab(void)
{
    slab_init(&kernel_buddy);
}

static void *oracle_page(void *ctx __unused)
{
    return get_free_page(__GFP_ZERO | __GFP_NOFAULT | GFP_ATOMIC);
}

static void oracle_page_free(void *ctx __unused, void *page)
{
    free_page(page);
}

static const struct vmap_oracle_ops kernel_oracle_ops = {oracle_page, oracle_page_free};

static int set_user_huge(const char *value)
{
    return param_bool(value, &uspace_huge);
}
PARAM(user_huge, "user.huge", set_user_huge,
      "on/off: 2 MiB pages for anonymous memory of programs, where they fit");

void mm_start_uspace(void)
{
    int err = uspace_init();
    if (err)
        panic("cannot start user spaces: %s", errno_name(err));
}

static void run_deferred_frees(void)
{
    vfree_deferred_run();
}

void mm_start_vmalloc(void)
{
    const struct vmap_design *design = chosen_design ? chosen_design : vmap_designs[0];
    void *state = kzalloc(design->state_size, GFP_KERNEL);
    vmap_oracle_default_ops = &kernel_oracle_ops;
    int err = state ? vmalloc_init(&kernel_vmalloc, design, VMALLOC_BASE, VMALLOC_END, state,
                                   &kernel_pagetable, &kernel_buddy)
                    : -ENOMEM;
    if (err)
        panic("cannot start vmalloc with the design %s: %s", design->name, errno_name(err));
    kernel_vmalloc.flush.policy = chosen_flush;
    kernel_vmalloc.ram = &boot_memmap;
    ioremap_limit = 1UL << cpu_features.physical_bits;
    kernel_vmalloc.debug = vmalloc_debug;
    err = vmap_space_set_check(&kernel_vmalloc.space, chosen_check);
    if (err)
        log_warn("vmap.check=%d not possible: %s", (int)chosen_check, errno_name(err));
    idle_hook_register(run_deferred_frees);
    log_info("vmalloc: design %s (%s), %s flush, check level %d", design->name, design->since,
             flush_policy_name(chosen_flush), (int)kernel_vmalloc.space.check_level);
}

void mm_quiesce(void)
{
    vfree_deferred_run();
    vm_unmap_aliases();
    vmap_space_drain(&kernel_vmalloc.space);
    pt_trim(&kernel_pagetable, VMALLOC_BASE, VMALLOC_END);
    slab_shrink_all();
    buddy_drain(&kernel_buddy);
}

static void add_value(struct ktest_baseline *out, const char *name, u64 value)
{
    out->names[out->count] = name;
    out->values[out->count++] = value;
}

static void sum_objects(struct kmem_cache *cache, void *ctx)
{
    *(u64 *)ctx += kmem_cache_in_use(cache);
}

/* What must be the same before and after every test. */
static void snapshot(struct ktest_baseline *out)
{
    u64 objects = 0;
    mm_quiesce();
    struct vmap_stats stats = vmap_space_stats(&kernel_vmalloc.space);
    kmem_cache_for_each(sum_objects, &objects);
    out->count = 0;
    /* Slab pages apart: a surviving descriptor may sit in another slab than before, so only their
     * objects can be compared. */
    add_value(out, "used pages",
              kernel_buddy.managed - buddy_free_pages(&kernel_buddy) -
                  kernel_buddy.use_pages[PAGE_USE_SLAB]);
    add_value(out, "page tables", kernel_pagetable.tables);
    add_value(out, "vmalloc pages", vmalloc_nr_pages());
    add_value(out, "areas", stats.busy_areas);
    add_value(out, "free extents", stats.free_extents);
    add_value(out, "vmap nodes", stats.nodes);
    add_value(out, "lazy pages", kernel_vmalloc.flush.lazy_pages);
    add_value(out, "slab objects", objects);
}

void mm_start_fault(void)
{
    fault_init();
    ktest_baseline_register(snapshot);
}

u64 mm_kernel_image_pages(void)
{
    return ((vaddr_t)__kernel_end - KERNEL_BASE - (paddr_t)__boot_start) >> PAGE_SHIFT;
}
