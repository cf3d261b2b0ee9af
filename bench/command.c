// SPDX-License-Identifier: MIT
/*
 * The shell's `bench`: one workload or all of them, the layer on the design that serves the kernel,
 * address space alone on every design; a table for people, or a line `@bench {...}` per figure for
 * bench/run, which makes JSON, tables and plots of them. bench/README.md describes the fields.
 * No locks. Read next: bench/measure.h.
 */
#include "kernel/command.h"
#include "bench/measure.h"
#include "kernel/console.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define SHELL_LIVE_MAX 10000u /* areas of a sweep, unless `live=` says more */

struct wish {
    const char *word; /* "all", "layer", "space", a workload's name or a word of it */
    bool exact;       /* the name must be the word and not only contain it */
    bool json;
    u64 loops, live_most;
    const struct vmap_design *design; /* NULL: every one */
    bool stopped;
};

static const struct bench_workload *workload_nth(unsigned n)
{
    if (n < bench_suite_count)
        return &bench_suite[n];
    n -= bench_suite_count;
    if (n < bench_part_count)
        return &bench_parts[n];
    n -= bench_part_count;
    return n < bench_sweep_count ? &bench_sweeps[n] : NULL;
}

/* Is `word` one of the words of `name`? */
static bool has_word(const char *name, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = name; (at = strstr(at, word)) != NULL; at++)
        if ((at == name || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

static bool is_wanted(const struct wish *wish, const struct bench_workload *workload)
{
    if (strcmp(wish->word, workload->name) == 0 || strcmp(wish->word, "all") == 0)
        return true;
    if (wish->exact)
        return false;
    if (strcmp(wish->word, "layer") == 0 || strcmp(wish->word, "space") == 0)
        return (workload->world == BENCH_LAYER) == (wish->word[0] == 'l');
    return has_word(workload->name, wish->word);
}

/* Output ---------------------------------------------------------------------------------------------- */

static void print_json(const struct bench_result *r)
{
    print("@bench {\"workload\":\"%s\",\"world\":\"%s\",\"design\":\"%s\",\"flush\":\"%s\","
          "\"live\":%lu,",
          r->workload->name, r->workload->world == BENCH_LAYER ? "layer" : "space", r->design->name,
          r->flush, r->live);
    if (r->problem) {
        print("\"problem\":\"%s\"}\n", r->problem);
        return;
    }
    print("\"operations\":%lu,\"ticks\":%lu,\"executed\":%lu,\"scale\":%lu,\"visited_tenths\":%lu,",
          r->operations, r->ticks, r->executed, r->scale, r->visited_tenths);
    print("\"failures\":%lu,\"failures_of\":%lu,\"live_bytes\":%lu,\"peak_bytes\":%lu,"
          "\"span_bytes\":%lu,\"metadata_bytes\":%lu}\n",
          r->failures, r->failures_of, r->live_bytes, r->peak_bytes, r->span_bytes,
          r->metadata_bytes);
}

static void print_head(const char *unit)
{
    print("%s%-25s %-10s %8s %8s %13s %7s %9s %9s%s\n", color(COLOR_BOLD), "workload", "design",
          "alive", "loops", unit, "nodes", "live", "metadata", color(COLOR_RESET));
}

/* What the figures of this boot have in common. */
static void print_json_head(const char *unit)
{
    print(
        "@bench {\"unit\":\"%s\",\"kernel_design\":\"%s\",\"debug\":%s,\"poison\":%s,\"designs\":[",
        unit, kernel_vmalloc.space.design->name, kernel_vmalloc.debug ? "true" : "false",
        kernel_buddy.poison ? "true" : "false");
    for (unsigned i = 0; vmap_designs[i]; i++)
        print("%s\"%s\"", i ? "," : "", vmap_designs[i]->name);
    print("]}\n");
}

static void print_row(const struct bench_result *r)
{
    print("%-25s %-10s %8lu ", r->workload->name, r->design->name, r->live);
    if (r->problem) {
        print("%8s %s\n", "-", r->problem);
        return;
    }
    print("%8lu %13lu %5lu.%lu %9pM %9pM", r->operations,
          (r->ticks + r->operations / 2) / r->operations, r->visited_tenths / 10,
          r->visited_tenths % 10, (void *)&r->live_bytes, (void *)&r->metadata_bytes);
    if (r->failures)
        print("  %lu refused in %lu", r->failures, r->failures_of);
    if (r->scale > 1)
        print("  (1/%lu of the loops)", r->scale);
    print("\n");
}

/* Running ----------------------------------------------------------------------------------------------- */

static void print_result(const struct wish *wish, const struct bench_result *result)
{
    if (wish->json)
        print_json(result);
    else
        print_row(result);
}

static void run_one(struct wish *wish, const struct bench_workload *workload,
                    const struct vmap_design *design, u64 live, struct bench_result *result)
{
    if (!wish->json)
        print("\r%s%s, %s ...\x1b[K%s", color(COLOR_DIM), workload->name, design->name,
              color(COLOR_RESET));
    bench_measure(workload, design, live, wish->loops, result);
    if (!wish->json)
        print("\r\x1b[K");
    wish->stopped = result->problem == bench_interrupted || console_interrupted();
    print_result(wish, result);
}

/* The setup for N = live repeats the operation N times, and that gets no cheaper as N grows. */
static bool setup_will_fail(const struct bench_workload *workload, const struct bench_result *last,
                            u64 live)
{
    return workload->churns && last->operations &&
           last->ticks / last->operations > BENCH_SETUP_TICKS / live;
}

/* N = 0 where that makes sense, then ten times as many each, until that takes too long. */
static void run_sweep(struct wish *wish, const struct bench_workload *workload,
                      const struct vmap_design *design)
{
    u64 most = wish->live_most < workload->live_to ? wish->live_most : workload->live_to;
    static struct bench_result result;

    result = (struct bench_result){.problem = NULL};
    if (!workload->churns)
        run_one(wish, workload, design, 0, &result);
    for (u64 live = workload->live_from; live && live <= most && !result.problem && !wish->stopped;
         live *= 10) {
        if (!setup_will_fail(workload, &result, live)) {
            run_one(wish, workload, design, live, &result);
            continue;
        }
        result.live = live;
        result.problem = bench_too_slow;
        print_result(wish, &result);
    }
}

static void run_workload(struct wish *wish, const struct bench_workload *workload)
{
    if (workload->world == BENCH_LAYER) {
        if (!wish->design || wish->design == kernel_vmalloc.space.design)
            run_sweep(wish, workload, kernel_vmalloc.space.design);
        return;
    }
    if (wish->design) { /* a variant, too */
        run_sweep(wish, workload, wish->design);
        return;
    }
    for (unsigned i = 0; vmap_designs[i] && !wish->stopped; i++)
        run_sweep(wish, workload, vmap_designs[i]);
}

static int list_workloads(void)
{
    const struct bench_workload *workload;

    for (unsigned n = 0; (workload = workload_nth(n)) != NULL; n++)
        print("  %s%-26s%s %s\n", color(COLOR_CYAN), workload->name, color(COLOR_RESET),
              workload->what);
    print("`bench fix_size` takes all whose name has that word; `bench layer`, `bench space`, "
          "`bench all`.\n");
    return 0;
}

static int run_wish(struct wish *wish)
{
    const char *unit =
        bench_ticks_are_instructions() ? "instructions" : "ticks"; /* of the time stamp counter */
    const struct bench_workload *workload;
    unsigned wanted = 0;

    for (unsigned n = 0; (workload = workload_nth(n)) != NULL; n++)
        wanted += is_wanted(wish, workload);
    if (!wanted) {
        print("bench: no workload '%.40s'; `bench list` shows all\n", wish->word);
        return -ENOENT;
    }
    if (wish->json)
        print_json_head(unit);
    else
        print_head(unit);
    for (unsigned n = 0; (workload = workload_nth(n)) != NULL && !wish->stopped; n++)
        if (is_wanted(wish, workload))
            run_workload(wish, workload);
    if (wish->json)
        return 0;
    if (wish->stopped)
        print("interrupted\n");
    if (kernel_vmalloc.debug || kernel_buddy.poison)
        print("With debugging on; as shipped for measuring: vmalloc.debug=off page_poison=off\n");
    return 0;
}

/* Arguments ------------------------------------------------------------------------------------------------ */

static bool parse_option(struct wish *wish, const char *word)
{
    if (strcmp(word, "json") == 0)
        return wish->json = true;
    if (strcmp(word, "exact") == 0)
        return wish->exact = true;
    if (strncmp(word, "live=", 5) == 0)
        return parse_size(word + 5, &wish->live_most) == 0;
    if (strncmp(word, "design=", 7) == 0)
        return (wish->design = vmap_design_find(word + 7)) != NULL;
    return false;
}

static int bench_run(int argc, char **argv)
{
    struct wish wish = {.word = "all", .live_most = SHELL_LIVE_MAX};
    int i = 1;

    if (argc == 1 || (argc == 2 && strcmp(argv[1], "list") == 0))
        return list_workloads();
    wish.word = argv[i++];
    if (i < argc && parse_size(argv[i], &wish.loops) == 0) {
        if (wish.loops == 0 || wish.loops > UINT32_MAX)
            return COMMAND_USAGE;
        i++;
    }
    for (; i < argc; i++)
        if (!parse_option(&wish, argv[i]))
            return COMMAND_USAGE;
    return run_wish(&wish);
}

/* The first words of the names, each once, then the groups. */
static const char *bench_complete(int index, unsigned n)
{
    static const char *const words[] = {"fix_size",    "full_fit",  "long_busy_list",
                                        "random_size", "fix_align", "random_size_align",
                                        "align_shift", "vmap",      "vm_map_ram",
                                        "vrealloc",    "vzalloc",   "va_only",
                                        "live_sweep",  "frag",      "exhaust",
                                        "dense",       "holes1",    "holes2",
                                        "alloc_page",  "kmalloc",   "vmalloc_to_page",
                                        "list",        "layer",     "space",
                                        "all"};

    return index == 1 && n < ARRAY_SIZE(words) ? words[n] : NULL;
}
COMMAND(bench, "bench", bench_run, bench_complete,
        "bench [list|WORKLOAD|layer|space|all [LOOPS] [design=NAME] [live=N] [exact] [json]]",
        "instructions per operation of vmalloc and of the designs behind it\n"
        "  LOOPS    operations to time; default: the workload's own, fewer where a design is slow\n"
        "  design=  one design only; live=: most areas alive in a sweep (10000)\n"
        "  exact    the workload of this very name only; json: lines for bench/run\n"
        "The counter counts instructions under QEMU's -icount shift=0 (`make bench`),\n"
        "otherwise time: then only large differences mean something.");
