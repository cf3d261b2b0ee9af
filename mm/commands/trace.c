// SPDX-License-Identifier: MIT
/*
 * `trace`: the event log for a reader. `show` explains one operation in numbered sentences, with the
 * step names that stand in the sources (grep for STEP(CARVE_NE: that is the line), `last` the newest
 * records of all CPUs. Records are copied one by one, so nothing is held while printing.
 * Read next: mm/event_kinds.h, all kinds and their sentences; docs/trace.md.
 */
#include "mm/commands/trace.h"
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"

#define SENTENCE 192
#define LAST_DEFAULT 20

static void print_sentence(const struct event *event)
{
    char text[SENTENCE];

    event_explain(event, text, sizeof(text));
    print("%s%-13s%s %s\n", color(COLOR_CYAN), event_kind_name(event->kind), color(COLOR_RESET),
          text);
}

/* ---- show -------------------------------------------------------------------------------------- */

static void print_head(const struct trace_found *found, const struct event *begin,
                       const struct event *end)
{
    char steps[VIEW_NUMBER], ns[VIEW_NUMBER];

    print("operation %u, called from %pS; CPU %u, %s: %s step%s in %s ns\n", found->operation,
          (void *)caller_unpack(begin->caller), found->cpu, trace_design_name(begin),
          view_number(steps, found->last - found->first + 1),
          view_plural(found->last - found->first + 1), view_number(ns, end->ns - begin->ns));
    if (found->cut)
        print("its beginning has been overwritten; `trace on` with fewer kinds keeps more\n");
}

static int show(u32 operation)
{
    struct trace_found found;
    struct event begin, end, event;

    if (!trace_find(operation, &found) || !event_read(found.cpu, found.first, &begin) ||
        !event_read(found.cpu, found.last, &end)) {
        if (operation)
            print("operation %u is not in the log; `trace last` shows what is\n", operation);
        else
            print("the log has no operation; `trace on`, then for example `vmalloc 3p`\n");
        return -ENOENT;
    }
    print_head(&found, &begin, &end);
    for (u64 i = found.first; i <= found.last && !view_stopped(); i++) {
        if (!event_read(found.cpu, i, &event))
            continue;
        print("%4lu  %*s", i - found.first + 1, event.depth > 1 ? 2 * (event.depth - 1) : 0, "");
        print_sentence(&event);
    }
    return 0;
}

/* ---- last -------------------------------------------------------------------------------------- */

/* Which CPU has the newest record before its position; MAX_CPUS: none has one. */
static u32 newest_before(const u64 *at, struct event *out)
{
    u32 newest = MAX_CPUS;
    struct event event;

    out->seq = 0;
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        if (at[cpu] && event_read(cpu, at[cpu] - 1, &event) && event.seq > out->seq) {
            newest = cpu;
            *out = event;
        }
    return newest;
}

/* Back from the newest to where to begin, then forward by sequence numbers. */
static int last(u64 count)
{
    u64 at[MAX_CPUS], from = 0;
    struct event event;

    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
        at[cpu] = event_log.cpu[cpu].head;
    for (u64 i = 0; i < count; i++) {
        u32 cpu = newest_before(at, &event);
        if (cpu == MAX_CPUS)
            break;
        at[cpu]--;
        from = event.seq;
    }
    u64 end = event_log.seq;
    if (!from)
        print("the log is empty\n");
    for (u64 seq = from; from && seq <= end && !view_stopped(); seq++)
        for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
            if (event_read(cpu, at[cpu], &event) && event.seq == seq) {
                at[cpu]++;
                print("%7lu  CPU %u  op %-5u ", event.seq, event.cpu, event.operation);
                print_sentence(&event);
            }
    return 0;
}

/* ---- status and switches ----------------------------------------------------------------------- */

static void print_kinds(u64 mask)
{
    const char *group = "";
    u64 all = 0;

    for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
        if (strcmp(group, event_kind_group(kind)) == 0)
            continue;
        group = event_kind_group(kind);
        all = event_mask(group);
        print("  %-8s %s\n", group, (mask & all) == all ? "all" : mask & all ? "some" : "none");
    }
}

static int status(void)
{
    char number[VIEW_NUMBER], other[VIEW_NUMBER];
    u64 recorded = 0, kept = 0, lost = 0, sent = 0;

    if (!EVENTS) {
        print("there is no event log: this kernel was built with EVENTS=0\n");
        return 0;
    }
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
        const struct event_cpu *c = &event_log.cpu[cpu];
        recorded += c->head;
        kept += c->head < c->size ? c->head : c->size;
        lost += c->lost;
        sent += c->sent - c->lost;
    }
    print("the event log is %s: %s records, %s overwritten by newer ones\n",
          event_log.on ? "on" : "off", view_number(number, recorded),
          view_number(other, recorded - kept));
    if (event_has_sink())
        print("channel: %s records sent, %s lost\n", view_number(number, sent),
              view_number(other, lost));
    else
        print("channel: none (`make run TRACE=file` gives one)\n");
    if (event_log.on)
        print_kinds(event_log.mask);
    return 0;
}

static int switch_on(int argc, char **argv)
{
    u64 mask = argc > 2 ? 0 : ~0UL;

    for (int i = 2; i < argc; i++) {
        u64 kinds = event_mask(argv[i]);
        if (!kinds) {
            print("%s is neither a kind of step nor a group; `trace kinds` lists them\n", argv[i]);
            return -EINVAL;
        }
        mask |= kinds;
    }
    int err = trace_start(mask);
    if (err)
        print("the event log does not start: %s\n",
              err == -ENOSYS ? "this kernel was built with EVENTS=0" : "no memory for its records");
    return err;
}

static int kinds(void)
{
    for (unsigned kind = 1; kind < EVENT_KIND_COUNT && !view_stopped(); kind++)
        print("%-8s %s%-13s%s %s\n", event_kind_group(kind), color(COLOR_CYAN),
              event_kind_name(kind), color(COLOR_RESET), event_sentence(kind));
    return 0;
}

/* "show 7", "last 50": the number, or `usual` without one. */
static int number_after(const char *what, int argc, char **argv, u64 usual, u64 *out)
{
    *out = usual;
    if (argc > 3)
        return COMMAND_USAGE;
    return argc == 3 ? view_parse_number(what, argv[2], 1, ~0U, out) : 0;
}

static int trace_run(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "status";
    bool alone = argc <= 2;
    u64 number;
    int err;

    if (strcmp(verb, "on") == 0)
        return switch_on(argc, argv);
    if (strcmp(verb, "show") == 0) {
        err = number_after("operation", argc, argv, 0, &number);
        return err ? err : show((u32)number);
    }
    if (strcmp(verb, "last") == 0) {
        err = number_after("count", argc, argv, LAST_DEFAULT, &number);
        return err ? err : last(number);
    }
    if (alone && strcmp(verb, "off") == 0)
        trace_stop();
    else if (alone && strcmp(verb, "clear") == 0)
        trace_clear();
    else if (alone && strcmp(verb, "kinds") == 0)
        return kinds();
    else if (alone && strcmp(verb, "status") == 0)
        return status();
    else
        return COMMAND_USAGE;
    return 0;
}

/* Groups first, each once, then the kinds. */
static const char *trace_complete(int index, unsigned n)
{
    static const char *const verbs[] = {"on",    "off",    "show",  "last",
                                        "clear", "status", "kinds", NULL};
    unsigned seen = 0;

    if (index == 1)
        return view_complete(verbs, n);
    for (unsigned kind = 1; kind < EVENT_KIND_COUNT; kind++) {
        const char *group = event_kind_group(kind);
        if (strcmp(group, event_kind_group(kind - 1)) != 0 && seen++ == n)
            return group;
    }
    return n - seen < EVENT_KIND_COUNT - 1 ? event_kind_name(n - seen + 1) : NULL;
}
COMMAND(trace, "trace", trace_run, trace_complete,
        "trace [on [KIND ...] | off | show [OPERATION] | last [COUNT] | clear | status | kinds]",
        "the event log: every step of the allocator, recorded and explained\n"
        "`trace on`, `vmalloc 3p`, `trace show` explains that allocation step by step;\n"
        "KIND is a step or a group of `trace kinds`; `clear` while it is off frees the records");
