// SPDX-License-Identifier: MIT
/*
 * The event log: numbering, overwriting, filter, nested calls, sentences, the stream's blocks; and that
 * the second compilation of a design (mm/vmap/traced.h) does exactly what the first one does. That a
 * stream can be read back is for tests/machine/test_trace.py, whose reader is another program.
 */
#include "tests/host/harness.h"

#include "lib/rng.h"
#include "mm/event_wire.h"
#include "mm/vmap/avlhash.h"

#define RECORDS 64

static struct event ring[RECORDS], other_ring[RECORDS];

static int log_setup(void **state)
{
    host_setup(state);
    event_ring_set(0, ring, RECORDS);
    event_clear();
    event_watch(NULL, 0);
    event_start(~0UL, 0);
    return 0;
}

static int log_teardown(void **state)
{
    event_stop();
    event_sink_register(NULL);
    event_ring_set(0, NULL, 0);
    event_ring_set(1, NULL, 0);
    return host_teardown(state);
}

static void records_are_numbered_and_overwritten(void **state)
{
    struct event event;

    for (u64 i = 0; i < RECORDS + 10; i++)
        EVENT(NULL, FLUSH_RANGE, i, i + 1);
    assert_int_equal(event_log.cpu[0].head, RECORDS + 10);
    assert_false(event_read(0, 9, &event));
    assert_true(event_read(0, 10, &event));
    assert_int_equal(event.seq, 11);
    assert_int_equal(event.a, 10);
    assert_int_equal(event.kind, EVENT_FLUSH_RANGE);
    assert_false(event_read(0, RECORDS + 10, &event));
    assert_false(event_read(1, 0, &event)); /* this CPU has no ring */
}

static void only_what_is_asked_for(void **state)
{
    static int mine, foreign;
    const void *const watched[] = {&mine};

    event_start(event_mask("buddy"), 0);
    EVENT(NULL, FLUSH_ALL);
    assert_int_equal(event_log.cpu[0].head, 0);
    event_stop();
    event_watch(watched, 1);
    event_start(event_mask("buddy"), 0);
    EVENT(&foreign, BLOCK_PUT, 1, 0);
    EVENT(&mine, BLOCK_PUT, 2, 0);
    EVENT(NULL, BLOCK_PUT, 3, 0);
    assert_int_equal(event_log.cpu[0].head, 2);
    event_stop();
    EVENT(&mine, BLOCK_PUT, 4, 0);
    assert_int_equal(event_log.cpu[0].head, 2);
}

static void calls_nest_and_cpus_are_apart(void **state)
{
    struct event event;

    event_stop();
    event_ring_set(1, other_ring, RECORDS);
    event_start(~0UL, 3);
    EVENT_END(VFREE, 0); /* began before the log did */
    EVENT_BEGIN(VMALLOC, 5, 6, 0xffffffff80001234UL);
    EVENT_BEGIN(VMALLOC, 7, 8, 0xffffffff80005678UL);
    host_set_cpu(1);
    EVENT(NULL, FLUSH_ALL);
    host_set_cpu(0);
    EVENT_END(VMALLOC, 0);
    EVENT(NULL, FLUSH_ALL);
    EVENT_END(VMALLOC, 0);
    assert_int_equal(event_log.cpu[0].head, 5);
    assert_true(event_read(0, 1, &event));
    assert_int_equal(event.operation, 2);
    assert_int_equal(event.depth, 2);
    assert_int_equal(event.caller, 0x5678);
    assert_true(event_read(0, 3, &event));
    assert_int_equal(event.operation, 1);
    assert_int_equal(event.depth, 1);
    assert_int_equal(event.design, 3);
    assert_true(event_read(1, 0, &event));
    assert_int_equal(event.operation, 0);
    assert_int_equal(event.cpu, 1);
}

static void too_deep_is_no_harm(void **state)
{
    for (unsigned i = 0; i < 3 * EVENT_DEPTH; i++)
        EVENT_BEGIN(VMALLOC, i, 0, 0);
    for (unsigned i = 0; i < 3 * EVENT_DEPTH; i++)
        EVENT_END(VMALLOC, i);
    assert_int_equal(event_log.cpu[0].depth, 0);
}

static void sentences(void **state)
{
    struct event event = {.kind = EVENT_VISIT, .a = 0x1000, .b = 0x4000, .c = 2 * GIB};
    char text[200], tiny[8];

    event_explain(&event, text, sizeof(text));
    assert_string_equal(
        text, "visit [0x1000, 0x4000): 3 pages long, the largest in its subtree is 2 GiB");
    assert_int_equal(event_explain(&event, tiny, sizeof(tiny)), strlen(text));
    assert_string_equal(tiny, "visit [");
    event = (struct event){.kind = EVENT_BEGIN, .a = EVENT_CALL_VUNMAP, .b = 0x2000};
    event_explain(&event, text, sizeof(text));
    assert_string_equal(text, "call vunmap(0x2000, 0)");
    event.a = 99; /* no such word */
    event_explain(&event, text, sizeof(text));
    assert_string_equal(text, "call ?(0x2000, 0)");
    event = (struct event){.kind = EVENT_BLOCK_SPLIT, .a = 0x80, .b = 3};
    event_explain(&event, text, sizeof(text));
    assert_string_equal(
        text, "split: the upper half, a block of order 3 at frame 0x80, goes to its list");
    event.kind = 999;
    event_explain(&event, text, sizeof(text));
    assert_string_equal(text, "nothing");
}

static void names_and_groups(void **state)
{
    assert_int_equal(event_mask("visit"), 1UL << EVENT_VISIT);
    assert_int_equal(event_mask("CARVE_NE"), 1UL << EVENT_CARVE_NE);
    assert_int_equal(event_mask("carve-ne"), 1UL << EVENT_CARVE_NE);
    assert_true(event_mask("search") & 1UL << EVENT_VISIT);
    assert_int_equal(event_mask("visi") | event_mask("visits") | event_mask(""), 0);
    for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++)
        assert_true(event_mask(event_kind_group(kind)) >> kind & 1);
}

/* ---- the stream ------------------------------------------------------------------------------- */

static u8 stream[1 << 20];
static u64 stream_length;
static bool stream_stuck;

static bool take_stream(const void *bytes, u64 count)
{
    if (stream_stuck || stream_length + count > sizeof(stream))
        return false;
    memcpy(stream + stream_length, bytes, count);
    stream_length += count;
    return true;
}

static u32 word_at(u64 at)
{
    return stream[at] | (u32)stream[at + 1] << 8 | (u32)stream[at + 2] << 16 |
           (u32)stream[at + 3] << 24;
}

/* Blocks follow each other without a gap, and count their records; returns how many records. */
static u64 walk_stream(u64 *lost)
{
    u64 records = 0;

    *lost = 0;
    for (u64 at = 0; at < stream_length; at += EVENT_WIRE_HEADER + word_at(at + 4)) {
        assert_int_equal(stream[at], 'V');
        assert_int_equal(stream[at + 1], 'T');
        assert_true(strchr("TEL", stream[at + 2]));
        assert_int_equal(word_at(at + 8), records);
        records += word_at(at + 12);
        if (stream[at + 2] == 'L')
            *lost += word_at(at + EVENT_WIRE_HEADER + 4);
    }
    return records;
}

static void the_stream_has_every_record(void **state)
{
    u64 lost;

    stream_length = 0;
    stream_stuck = false;
    event_sink_register(take_stream);
    for (u64 i = 0; i < 100 * RECORDS; i++)
        EVENT(NULL, PTE_SET, 0xffffc90000000000UL + i * PAGE_SIZE, i, 0);
    assert_true(event_drain());
    assert_int_equal(walk_stream(&lost), 100 * RECORDS);
    assert_int_equal(lost, 0);
    assert_true(stream_length < 100 * RECORDS * 16 + 8192); /* compact, the table included */
}

static void losses_are_counted(void **state)
{
    u64 lost;

    for (u64 i = 0; i < 3 * RECORDS; i++)
        EVENT(NULL, PTE_SET, i, i, 0);
    stream_length = 0;
    stream_stuck = false;
    event_sink_register(take_stream);
    assert_true(event_drain());
    assert_int_equal(walk_stream(&lost), RECORDS);
    assert_int_equal(lost, 2 * RECORDS);
    assert_int_equal(event_log.cpu[0].lost, 2 * RECORDS);
    stream_stuck = true;
    EVENT(NULL, FLUSH_ALL);
    assert_false(event_drain());
    assert_false(event_has_sink()); /* given up: the log goes on without */
}

/* ---- the twins --------------------------------------------------------------------------------- */

static void *node_alloc(void *ctx)
{
    return malloc(sizeof(struct vmap_area));
}

static void node_free(void *ctx, void *node)
{
    free(node);
}

static const struct vmap_node_ops node_ops = {node_alloc, node_free};

#define SPACE_PAGES 4096
#define HELD 200

struct pair {
    struct vmap_space plain, traced;
    struct vmap_area *held[2][HELD];
};

static void step_both(struct pair *p, struct rng *rng)
{
    u64 slot = rng_below(rng, HELD), size = (1 + rng_below(rng, 20)) << PAGE_SHIFT;
    u64 align = PAGE_SIZE << rng_below(rng, 4);

    if (rng_below(rng, 50) == 0)
        vmap_space_set_traced(&p->traced, rng_below(rng, 2));
    if (p->held[0][slot]) {
        vmap_space_free(&p->plain, p->held[0][slot]);
        vmap_space_free(&p->traced, p->held[1][slot]);
        p->held[0][slot] = p->held[1][slot] = NULL;
        return;
    }
    int error = vmap_space_alloc(&p->plain, size, align, 0, ~0UL & PAGE_MASK, 0, &p->held[0][slot]);
    assert_int_equal(error, vmap_space_alloc(&p->traced, size, align, 0, ~0UL & PAGE_MASK, 0,
                                             &p->held[1][slot]));
    if (!error)
        assert_int_equal(p->held[0][slot]->va_start, p->held[1][slot]->va_start);
}

static void run_twins(const struct vmap_design *design)
{
    struct pair p = {.held = {{NULL}}};
    struct vmap_space *spaces[] = {&p.plain, &p.traced};
    void *states[2];
    struct rng rng;

    rng_seed(&rng, 1);
    event_stop();
    event_clear();
    event_start(event_mask("search"), 0);
    for (unsigned i = 0; i < 2; i++) {
        states[i] = calloc(1, design->state_size);
        assert_int_equal(vmap_space_init(spaces[i], "twin", design, 16 * MIB,
                                         16 * MIB + (SPACE_PAGES << PAGE_SHIFT), states[i],
                                         &node_ops, NULL),
                         0);
        assert_int_equal(vmap_space_set_check(spaces[i], VMAP_CHECK_ALWAYS), 0);
    }
    for (unsigned i = 0; i < 3000; i++)
        step_both(&p, &rng);
    vmap_space_set_traced(&p.traced, false);
    assert_ptr_equal(p.traced.design, design);
    assert_true(event_log.cpu[0].head > 1000); /* it did tell its steps */
    for (unsigned i = 0; i < 2; i++) {
        vmap_space_fini(spaces[i]);
        free(states[i]);
    }
}

static void twins_do_the_same(void **state)
{
    for (unsigned i = 0; vmap_designs[i]; i++)
        run_twins(vmap_designs[i]);
    for (unsigned i = 0; vmap_variants[i]; i++)
        run_twins(vmap_variants[i]);
    run_twins(&vmap_avlhash_split);
}

#define log_test(function) cmocka_unit_test_setup_teardown(function, log_setup, log_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        log_test(records_are_numbered_and_overwritten),
        log_test(only_what_is_asked_for),
        log_test(calls_nest_and_cpus_are_apart),
        log_test(too_deep_is_no_harm),
        log_test(sentences),
        log_test(names_and_groups),
        log_test(the_stream_has_every_record),
        log_test(losses_are_counted),
        log_test(twins_do_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
