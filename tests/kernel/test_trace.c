// SPDX-License-Identifier: MIT
/*
 * The event log on the running kernel: sites that are off are the instruction they claim to be, an
 * allocation and its free leave the records that mm/event_kinds.h promises, in this order, and the
 * addresses in them are those of the area. (Ring, filter and stream: tests/host/test_event.c.)
 */
#include "kernel/ktest.h"
#include "lib/string.h"
#include "mm/commands/trace.h"
#include "mm/start.h"
#include "mm/vmalloc_internal.h"

#define PAGES 3

/* Steps of one operation, in order; kinds in between do not matter. */
static const char *expect_steps(u32 operation, const u8 *kinds, unsigned count, vaddr_t address)
{
    struct trace_found found;
    struct event event;
    unsigned at = 0;

    KEXPECT(trace_find(operation, &found), "operation %u is not in the log", operation);
    KEXPECT(!found.cut, "its beginning is missing");
    for (u64 i = found.first; i <= found.last; i++) {
        KEXPECT(event_read(found.cpu, i, &event), "record %lu is gone", i);
        if (at == count || event.kind != kinds[at])
            continue;
        at++;
        if (event.kind == EVENT_PTE_SET || event.kind == EVENT_PTE_CLEAR) {
            u64 offset = event.a - address;
            KEXPECT(offset < PAGES * PAGE_SIZE, "the entry of %#lx, %#lx behind the area", event.a,
                    offset);
        }
    }
    KEXPECT(at == count, "step %u, %s, is missing", at, event_kind_name(kinds[at]));
    return NULL;
}

static const char *vmalloc_and_vfree(void)
{
    static const u8 in[] = {EVENT_BEGIN,   EVENT_SEARCH,  EVENT_VISIT,   EVENT_TAKE, EVENT_LINK,
                            EVENT_PTE_SET, EVENT_PTE_SET, EVENT_PTE_SET, EVENT_END};
    static const u8 out[] = {EVENT_BEGIN,     EVENT_PTE_CLEAR, EVENT_PTE_CLEAR,
                             EVENT_PTE_CLEAR, EVENT_UNLINK,    EVENT_END};
    bool is_freetree = strcmp(kernel_vmalloc.space.design->name, "freetree") == 0;
    u8 *area = vmalloc(PAGES * PAGE_SIZE);
    u32 first = event_log.operations;

    KEXPECT(area, "no area");
    vfree(area);
    KEXPECT(event_log.operations == first + 1, "vfree() is no operation");
    if (!is_freetree)
        return NULL;
    const char *wrong = expect_steps(first, in, ARRAY_SIZE(in), (vaddr_t)area);
    return wrong ? wrong : expect_steps(first + 1, out, ARRAY_SIZE(out), (vaddr_t)area);
}

/* The log as it was before the test. */
static const char *with_log(const char *(*test)(void))
{
    u64 mask = event_log.mask;
    bool was_on = event_log.on;

    if (!EVENTS)
        return ktest_skip("built with EVENTS=0");
    KEXPECT(trace_start(~0UL) == 0, "the log does not start");
    const char *wrong = test();
    trace_stop();
    if (was_on)
        trace_start(mask);
    else
        trace_clear();
    return wrong;
}

KTEST(trace, an_allocation_step_by_step)
{
    return with_log(vmalloc_and_vfree);
}

static const char *purge(void)
{
    static const u8 steps[] = {EVENT_BEGIN, EVENT_PURGE, EVENT_FREE, EVENT_END};
    void *area = vmalloc(PAGES * PAGE_SIZE);

    KEXPECT(area, "no area");
    vfree(area);
    if (kernel_vmalloc.flush.policy == FLUSH_EAGER)
        return ktest_skip("an eager flush leaves nothing to purge");
    flush_purge(&kernel_vmalloc.flush);
    return expect_steps(event_log.operations, steps, ARRAY_SIZE(steps), 0);
}

KTEST(trace, a_purge)
{
    return with_log(purge);
}

static const char *buddy(void)
{
    u64 before = event_log.seq;
    u64 splits = 0, merges = 0;
    struct event event;
    struct page *page = alloc_pages(GFP_KERNEL, 3);

    KEXPECT(page, "no page");
    free_pages(page, 3);
    for (u64 i = 0; i < event_log.cpu[0].head; i++) {
        if (!event_read(0, i, &event) || event.seq <= before)
            continue;
        splits += event.kind == EVENT_BLOCK_SPLIT;
        merges += event.kind == EVENT_BLOCK_MERGE;
    }
    KEXPECT(splits == merges, "%lu splits, %lu merges", splits, merges);
    return NULL;
}

KTEST(trace, the_buddy_merges_what_it_split)
{
    return with_log(buddy);
}

KTEST(trace, off_is_off)
{
    u64 head = event_log.cpu[0].head;

    if (event_log.on)
        return ktest_skip("the log is on");
    vfree(vmalloc(PAGE_SIZE));
    KEXPECT(event_log.cpu[0].head == head, "records while the log is off");
    KEXPECT(event_log.cpu[0].depth == 0, "a call that never ends");
    return NULL;
}
