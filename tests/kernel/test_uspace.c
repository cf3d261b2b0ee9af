// SPDX-License-Identifier: MIT
/*
 * User spaces on the real page tables and TLB: programs of three instructions that page in their memory from
 * ring 3, the kernel's copies that page in theirs, copy on write between two spaces, stacks that grow, and
 * the same page of vmalloc_user() seen from both sides. The model tests are on the host.
 */
#include "kernel/ktest.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "mm/uspace_internal.h"
#include "mm/vmalloc.h"
#include "tests/kernel/ring3.h"

#define AREA 0x50000000UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define RW (PROT_READ | PROT_WRITE)

static u64 value_at(struct uspace *space, vaddr_t address)
{
    struct uspace *before = uspace_current();
    u64 value = ~0UL;

    uspace_activate(space);
    copy_from_user(&value, address, sizeof(value));
    uspace_activate(before);
    return value;
}

static bool put_value(struct uspace *space, vaddr_t address, u64 value)
{
    struct uspace *before = uspace_current();

    uspace_activate(space);
    bool done = copy_to_user(address, &value, sizeof(value)) == 0;
    uspace_activate(before);
    return done;
}

static bool fine(struct fault_info info)
{
    return info.vector == TRAP_BREAKPOINT;
}

KTEST(uspace, ring3_pages_in_what_it_touches)
{
    struct uspace *space = ring3_space();
    struct uspace_stats stats;

    KEXPECT(space, "no memory");
    uspace_mmap(space, AREA, 16 * PAGE_SIZE, RW, ANON, NULL, 0, NULL);
    bool read = fine(ring3_try(space, RING3_READ, AREA, true));
    bool wrote = fine(ring3_try(space, RING3_WRITE, AREA, true)) &&
                 fine(ring3_try(space, RING3_WRITE, AREA + PAGE_SIZE, true));
    struct fault_info jump = ring3_try(space, RING3_JUMP, AREA, true);
    struct fault_info wild = ring3_try(space, RING3_READ, AREA + 16 * PAGE_SIZE, true);
    struct fault_info kernel = ring3_try(space, RING3_READ, (vaddr_t)value_at, true);
    uspace_read_stats(space, &stats);
    const char *broken = uspace_check(space);
    uspace_put(space);
    KEXPECT(read && wrote, "read %d, wrote %d", read, wrote);
    KEXPECT(jump.vector == TRAP_PAGE_FAULT && jump.error_code & PF_FETCH, "data was executed");
    KEXPECT(wild.vector == TRAP_PAGE_FAULT && wild.address == AREA + 16 * PAGE_SIZE, "wild read");
    KEXPECT(kernel.vector == TRAP_PAGE_FAULT && kernel.error_code == (PF_USER | PF_PRESENT),
            "the kernel can be read: error code %#lx", kernel.error_code);
    KEXPECT(stats.anon_pages == 3 && stats.zero_page_maps == 1, "%lu pages, %lu zero maps",
            stats.anon_pages, stats.zero_page_maps);
    KEXPECT(!broken, "%s", broken);
    return NULL;
}

KTEST(uspace, fork_copies_on_write)
{
    struct uspace *parent = uspace_create(), *child, *grandchild;

    KEXPECT(parent, "no memory");
    uspace_mmap(parent, AREA, 8 * PAGE_SIZE, RW, ANON, NULL, 0, NULL);
    bool written = put_value(parent, AREA, 1) && put_value(parent, AREA + PAGE_SIZE, 2);
    child = uspace_fork(parent);
    grandchild = child ? uspace_fork(child) : NULL;
    KEXPECT(written && grandchild, "no memory");
    u64 pages = buddy_use_pages(&kernel_buddy, PAGE_USE_USER);
    uspace_activate(parent); /* with translations in the TLB that must be forgotten */
    u64 seen = value_at(parent, AREA);
    struct uspace *fourth = uspace_fork(parent);
    put_value(parent, AREA, 10);
    uspace_activate(NULL);
    put_value(child, AREA, 20);
    bool apart = value_at(parent, AREA) == 10 && value_at(child, AREA) == 20 &&
                 value_at(grandchild, AREA) == 1 && fourth && value_at(fourth, AREA) == 1;
    bool shared = value_at(child, AREA + PAGE_SIZE) == 2 && value_at(parent, AREA + PAGE_SIZE) == 2;
    u64 copies = buddy_use_pages(&kernel_buddy, PAGE_USE_USER) - pages;
    const char *broken = uspace_check(parent) ?: uspace_check(child);
    uspace_put(parent);
    uspace_put(fourth);
    uspace_put(child);
    put_value(grandchild, AREA, 30); /* nobody else has the page any more: no copy */
    u64 left = buddy_use_pages(&kernel_buddy, PAGE_USE_USER);
    uspace_put(grandchild);
    KEXPECT(seen == 1 && apart && shared, "content: %lu, %d, %d", seen, apart, shared);
    KEXPECT(copies == 2, "%lu pages were copied, not 2", copies);
    KEXPECT(left == 2, "the last space has %lu pages, not 2", left);
    KEXPECT(!broken, "%s", broken);
    return NULL;
}

KTEST(uspace, stack_grows_to_its_guard)
{
    struct uspace *space = uspace_create();
    vaddr_t top = AREA + USER_STACK_MAX + USER_STACK_GUARD + 64 * PAGE_SIZE;

    KEXPECT(space, "no memory");
    uspace_mmap(space, AREA, PAGE_SIZE, RW, ANON, NULL, 0, NULL);
    uspace_mmap(space, top - PAGE_SIZE, PAGE_SIZE, RW, ANON | MAP_GROWSDOWN, NULL, 0, "[stack]");
    bool grows = put_value(space, top - 100 * PAGE_SIZE, 1);
    bool too_far = put_value(space, top - USER_STACK_MAX - PAGE_SIZE, 1);
    uspace_mmap(space, top - 300 * PAGE_SIZE - USER_STACK_GUARD, PAGE_SIZE, RW, ANON, NULL, 0,
                NULL);
    bool last = put_value(space, top - 299 * PAGE_SIZE, 1);
    bool in_guard = put_value(space, top - 300 * PAGE_SIZE, 1);
    const char *broken = uspace_check(space);
    uspace_put(space);
    KEXPECT(grows && last, "the stack does not grow: %d %d", grows, last);
    KEXPECT(!too_far && !in_guard, "the stack grows too far: %d %d", too_far, in_guard);
    KEXPECT(!broken, "%s", broken);
    return NULL;
}

KTEST(uspace, vmalloc_user_from_both_sides)
{
    u64 *area = vmalloc_user(3 * PAGE_SIZE);
    struct pagestore *store = area ? pagestore_of_vmalloc(area) : NULL;
    struct uspace *space = uspace_create();

    KEXPECT(store && space, "no memory");
    s64 at = uspace_mmap(space, 0, 3 * PAGE_SIZE, RW, MAP_SHARED, store, 0, "[ring]");
    KEXPECT(at > 0, "mmap says %ld", at);
    pagestore_put(store);
    area[512] = 77;
    u64 seen = value_at(space, (vaddr_t)at + PAGE_SIZE);
    put_value(space, (vaddr_t)at + 2 * PAGE_SIZE, 88);
    u64 back = area[1024];
    bool beyond = put_value(space, (vaddr_t)at + 3 * PAGE_SIZE, 1);
    const char *broken = uspace_check(space);
    uspace_put(space);
    vfree(area);
    KEXPECT(seen == 77 && back == 88 && !beyond, "%lu, %lu, %d", seen, back, beyond);
    KEXPECT(!broken, "%s", broken);
    return NULL;
}

KTEST(uspace, large_areas_get_large_pages)
{
    bool before = uspace_huge;
    struct uspace_stats one, two;

    if (kernel_buddy.free < kernel_buddy.managed / 4 + HUGE_PAGES ||
        kernel_buddy.areas[9].count + kernel_buddy.areas[10].count == 0)
        return ktest_skip("memory is not plentiful here");
    struct uspace *space = uspace_create();
    KEXPECT(space, "no memory");
    uspace_huge = true;
    uspace_mmap(space, AREA & ~(HUGE_SIZE - 1), 2 * HUGE_SIZE, RW, ANON, NULL, 0, NULL);
    put_value(space, AREA + 5, 1);
    uspace_read_stats(space, &one);
    int err = uspace_munmap(space, AREA + 16 * PAGE_SIZE, PAGE_SIZE);
    bool kept = value_at(space, AREA + 5) == 1, gone = put_value(space, AREA + 16 * PAGE_SIZE, 1);
    uspace_read_stats(space, &two);
    const char *broken = uspace_check(space);
    uspace_put(space);
    uspace_huge = before;
    KEXPECT(one.huge_pages == 1 && one.anon_pages == HUGE_PAGES, "%lu huge pages", one.huge_pages);
    KEXPECT(err == 0 && kept && !gone, "a hole in it: %d, %d, %d", err, kept, gone);
    KEXPECT(two.huge_pages == 0 && two.anon_pages == HUGE_PAGES - 1, "%lu pages", two.anon_pages);
    KEXPECT(!broken, "%s", broken);
    return NULL;
}

KTEST(uspace, freed_content_is_never_seen)
{
    struct uspace *space = uspace_create();
    u64 *page = get_free_page(GFP_KERNEL);
    bool clean = true;

    KEXPECT(space && page, "no memory");
    memset(page, 0xa5, PAGE_SIZE);
    free_page(page);
    uspace_mmap(space, AREA, 64 * PAGE_SIZE, RW, ANON, NULL, 0, NULL);
    for (vaddr_t at = AREA; at < AREA + 64 * PAGE_SIZE; at += PAGE_SIZE) {
        put_value(space, at, 0);
        for (u64 i = 0; i < PAGE_SIZE; i += 8)
            clean = clean && value_at(space, at + i) == 0;
    }
    uspace_put(space);
    KEXPECT(clean, "a program sees what was in its memory before");
    return NULL;
}
