// SPDX-License-Identifier: MIT
/*
 * The event log of the kernel's own space, buddy and page tables, switched on and off. Owns the memory
 * of the rings: a block of the buddy for each CPU, which stays until `trace clear`, so that what was
 * recorded can be read after `trace off`. Only the shell and the boot come here: no lock.
 * Read next: mm/event.c; mm/commands/trace.c, the command.
 */
#include "kernel/console.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/commands/trace.h"
#include "mm/vmalloc_internal.h"
#include "mm/vmap/lazy.h"

static struct page *ring_pages[MAX_CPUS];
static unsigned ring_order[MAX_CPUS];

/* ---- memory ------------------------------------------------------------------------------------ */

static int make_ring(u32 cpu)
{
    unsigned order = ilog2(TRACE_RECORDS * sizeof(struct event)) - PAGE_SHIFT;

    for (;; order--) {
        ring_pages[cpu] = alloc_pages(__GFP_ZERO | __GFP_NOWARN, order);
        if (ring_pages[cpu])
            break;
        if (order == 0)
            return -ENOMEM;
    }
    ring_order[cpu] = order;
    event_ring_set(cpu, page_address(ring_pages[cpu]), (PAGE_SIZE << order) / sizeof(struct event));
    return 0;
}

static void free_rings(void)
{
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
        event_ring_set(cpu, NULL, 0);
        free_pages(ring_pages[cpu], ring_order[cpu]);
        ring_pages[cpu] = NULL;
    }
}

static int make_rings(void)
{
    for (u32 cpu = 0; cpu < cpu_count(); cpu++)
        if (cpus[cpu].online && !ring_pages[cpu] && make_ring(cpu) != 0) {
            free_rings();
            return -ENOMEM;
        }
    return 0;
}

/* ---- how things stand -------------------------------------------------------------------------- */

static void tell_node(const struct rb_node *node)
{
    const struct vmap_area *va = rb_entry(node, struct vmap_area, rb_node);

    event_record(NULL, EVENT_STATE_NODE, va->va_start, va->va_end, rb_node_color(node),
                 va->subtree_max_size);
}

/* Parents before their children, left before right: a reader that enters each by address, without
 * balancing, gets this very tree. */
static void tell_tree(const struct rb_node *root)
{
    const struct rb_node *node = root, *from = NULL;

    while (node) {
        const struct rb_node *next = rb_parent(node);
        if (from == next) {
            tell_node(node);
            if (node->left || node->right)
                next = node->left ? node->left : node->right;
        } else if (from == node->left && node->right) {
            next = node->right;
        }
        from = node;
        node = next;
    }
}

static bool tell_range(void *ctx __unused, const struct vmap_area *area)
{
    event_record(NULL, EVENT_STATE_RANGE, area->va_start, area->va_end, area->kind, 0);
    return true;
}

static void tell_space(struct vmap_space *space)
{
    u64 flags = spin_lock_irqsave(&space->lock);
    const struct vmap_design *design = space->design;

    event_record(NULL, EVENT_STATE_SPACE, space->start, space->end, design->caps,
                 space->stats.busy_areas);
    vmap_for_each_locked(space, VMAP_BUSY, tell_range, NULL);
    vmap_for_each_locked(space, VMAP_FREE, tell_range, NULL);
    vmap_for_each_locked(space, VMAP_CACHED, tell_range, NULL);
    if (design->caps & VMAP_CAP_AUGMENTED)
        tell_tree(design->free_root(space)->node);
    spin_unlock_irqrestore(&space->lock, flags);
}

static void tell_buddy(struct buddy *buddy)
{
    u64 flags = spin_lock_irqsave(&buddy->lock);
    u64 waiting = 0;

    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        waiting += buddy->cpu[cpu].count + buddy->cpu[cpu].block_pages;
    event_record(NULL, EVENT_STATE_PAGES, buddy->managed, buddy->free, waiting, 0);
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        event_record(NULL, EVENT_STATE_BLOCKS, order, buddy->areas[order].count, 0, 0);
    spin_unlock_irqrestore(&buddy->lock, flags);
}

/* ---- on and off -------------------------------------------------------------------------------- */

/* Of vmap_designs[], and after these of vmap_variants[]. */
static const struct vmap_design *numbered(u16 number)
{
    u16 count = 0;

    while (vmap_designs[count])
        count++;
    return number < count ? vmap_designs[number] : vmap_variants[number - count];
}

static u16 design_number(const struct vmap_space *space)
{
    u16 number = 0;

    while (strcmp(numbered(number)->name, space->design->name) != 0)
        number++;
    return number;
}

const char *trace_design_name(const struct event *event)
{
    return numbered(event->design)->name;
}

int trace_start(u64 mask)
{
    const void *const watched[] = {&kernel_vmalloc.space, &kernel_buddy, &kernel_pagetable};
    bool was_on = event_log.on;

    if (!EVENTS)
        return -ENOSYS;
    if (!was_on) {
        int err = make_rings();
        if (err)
            return err;
        event_watch(watched, ARRAY_SIZE(watched));
    }
    event_start(mask, design_number(&kernel_vmalloc.space));
    vmap_space_set_traced(&kernel_vmalloc.space, true);
    pt_cool(&kernel_pagetable);
    if (event_has_sink() && !was_on) {
        tell_space(&kernel_vmalloc.space);
        tell_buddy(&kernel_buddy);
        event_record(NULL, EVENT_STATE_DONE, 0, 0, 0, 0);
    }
    return 0;
}

void trace_stop(void)
{
    vmap_space_set_traced(&kernel_vmalloc.space, false);
    event_stop();
    event_drain();
}

void trace_clear(void)
{
    u64 mask = event_log.mask;
    bool on = event_log.on;

    if (on)
        trace_stop();
    event_clear();
    if (on)
        trace_start(mask);
    else
        free_rings();
}

/* ---- boot -------------------------------------------------------------------------------------- */

static u64 boot_mask;
static bool boot_asked;

static int set_boot_trace(const char *value)
{
    char word[32];
    u64 mask = 0;

    boot_asked = true;
    if (strcmp(value, "off") == 0)
        return 0;
    if (value[0] == '\0' || strcmp(value, "on") == 0)
        mask = ~0UL;
    while (*value && mask != ~0UL) {
        size_t length = 0;
        while (value[length] && value[length] != ',')
            length++;
        if (length >= sizeof(word))
            return -EINVAL;
        string_copy(word, length + 1, value);
        u64 kinds = event_mask(word);
        if (!kinds)
            return -EINVAL;
        mask |= kinds;
        value += length + (value[length] == ',');
    }
    boot_mask = mask;
    return 0;
}
PARAM(
    trace, "trace", set_boot_trace,
    "on, off or KIND,KIND...: the event log from the boot on (default: on when a console listens)");

static void drain_when_idle(void)
{
    event_drain();
}

void trace_boot(void)
{
    u64 mask = boot_asked ? boot_mask : event_has_sink() ? ~0UL : 0;

    idle_hook_register(drain_when_idle);
    exit_hook_register(drain_when_idle);
    if (!mask)
        return;
    int err = trace_start(mask);
    if (err)
        log_warn("trace: the event log does not start: %s", errno_name(err));
}

/* ---- search ------------------------------------------------------------------------------------ */

/* The operation, not one inside of another, that has the newest record on any CPU; 0: none. */
static u32 newest_operation(void)
{
    struct event event;
    u64 newest = 0;
    u32 operation = 0;

    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        for (u64 i = event_log.cpu[cpu].head; i-- > 0 && event_read(cpu, i, &event);)
            if (event.depth == 1 && event.operation) {
                if (event.seq > newest)
                    operation = event.operation;
                newest = max_u64(newest, event.seq);
                break;
            }
    return operation;
}

bool trace_find(u32 operation, struct trace_found *out)
{
    struct event event;
    bool found = false;

    if (operation == 0)
        operation = newest_operation();
    for (u32 cpu = 0; cpu < MAX_CPUS && operation && !found; cpu++)
        for (u64 i = event_log.cpu[cpu].head; i-- > 0 && event_read(cpu, i, &event);) {
            if (event.operation != operation)
                continue;
            if (!found)
                *out = (struct trace_found){.cpu = cpu, .operation = operation, .last = i};
            found = true;
            out->first = i;
            out->cut = event.kind != EVENT_BEGIN && (event_log.mask >> EVENT_BEGIN & 1);
        }
    return found;
}
