// SPDX-License-Identifier: MIT
/*
 * The commands that belong to the shell and to the machine below memory management. Each one only
 * prints what another file knows; those about memory live in mm/commands/.
 */
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "kernel/wrap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

/* help ---------------------------------------------------------------------------------------------- */

/* The floors of the house, in the order in which `help` shows them. */
static const struct floor {
    const char *directory, *title;
} floors[] = {
    {"mm/", "Memory"},       {"proc/", "Processes"},
    {"drivers/", "Devices"}, {"kernel/", "Machine and shell"},
    {"bench/", "Measuring"}, {"", "Others"},
};

#define HELP_INDENT 17u /* of the explanations in the list of commands */

static const struct floor *floor_of(const struct command *command)
{
    const struct floor *floor = floors;
    while (strncmp(command->file, floor->directory, strlen(floor->directory)) != 0)
        floor++;
    return floor;
}

static size_t line_length(const char *text)
{
    const char *newline = strchr(text, '\n');
    return newline ? (size_t)(newline - text) : strlen(text);
}

static void help_floor(const struct floor *floor)
{
    const struct command *command;
    bool titled = false;

    for (unsigned n = 0; (command = command_nth(n)) != NULL; n++) {
        if (floor_of(command) != floor)
            continue;
        if (!titled)
            print("%s%s%s\n", color(COLOR_BOLD), floor->title, color(COLOR_RESET));
        titled = true;
        print("  %s%-14s%s ", color(COLOR_CYAN), command->name, color(COLOR_RESET));
        print_wrapped(HELP_INDENT, HELP_INDENT, command->help, line_length(command->help));
    }
}

/* "  name   explanation": the column of the latter; 0 for prose, which begins at the left. */
static unsigned explanation_column(const char *line, size_t length)
{
    size_t at = 2;

    if (length < 2 || line[0] != ' ')
        return 0;
    while (at < length && !(line[at - 1] == ' ' && line[at] == ' '))
        at++;
    while (at < length && line[at] == ' ')
        at++;
    return at < length ? (unsigned)at : 0;
}

static int help_command(const char *name)
{
    const struct command *command = command_find(name);

    if (!command) {
        print("help: no command '%.40s'; `help` lists all.\n", name);
        return -ENOENT;
    }
    command_usage(command);
    for (const char *line = command->help; *line;) {
        size_t length = line_length(line);
        print_wrapped(0, explanation_column(line, length), line, length);
        line += length + (line[length] == '\n');
    }
    print("%ssource: %s%s\n", color(COLOR_DIM), command->file, color(COLOR_RESET));
    return 0;
}

static int run_help(int argc, char **argv)
{
    if (argc > 2)
        return COMMAND_USAGE;
    if (argc == 2)
        return help_command(argv[1]);
    for (size_t i = 0; i < ARRAY_SIZE(floors); i++)
        help_floor(&floors[i]);
    print("`help COMMAND` tells more; Tab completes; Ctrl-C stops; `a; b` runs both.\n");
    return 0;
}

static const char *complete_command_name(int index, unsigned n)
{
    const struct command *command = index == 1 ? command_nth(n) : NULL;
    return command ? command->name : NULL;
}
COMMAND(help, "help", run_help, complete_command_name, "help [COMMAND]",
        "list all commands, or explain one");

/* log ----------------------------------------------------------------------------------------------- */

static void show_log_line(const struct log_line *line, void *ctx)
{
    char text[640];
    const enum log_level *limit = ctx;

    if (line->level > *limit)
        return;
    printk_format_line(text, sizeof(text), line);
    print("%s", text);
}

static int run_log(int argc, char **argv)
{
    enum log_level limit = LOG_DEBUG;

    if (argc > 2 || (argc == 2 && log_level_parse(argv[1], &limit) < 0))
        return COMMAND_USAGE;
    u64 dropped = printk_for_each(show_log_line, &limit);
    if (dropped)
        print("(%lu older lines were overwritten)\n", dropped);
    return 0;
}

static const char *complete_log(int index, unsigned n)
{
    return index == 1 && n <= LOG_DEBUG ? log_level_name((enum log_level)n) : NULL;
}
COMMAND(log, "log", run_log, complete_log, "log [error|warn|info|debug]",
        "show the kernel log, lines up to that level (default: all)");

/* cpus ---------------------------------------------------------------------------------------------- */

static void show_features(void)
{
    const struct {
        const char *name;
        bool have;
    } features[] = {
        {"nx", cpu_features.nx},
        {"smep", cpu_features.smep},
        {"smap", cpu_features.smap},
        {"umip", cpu_features.umip},
        {"pge", cpu_features.pge},
        {"pcid", cpu_features.pcid},
        {"pdpe1gb", cpu_features.gib_pages},
        {"la57", cpu_features.la57},
        {"invariant_tsc", cpu_features.invariant_tsc},
        {"rdrand", cpu_features.rdrand},
        {"x2apic", cpu_features.x2apic},
        {"erms", cpu_features.erms},
    };

    print("%s (%s), %u physical and %u linear address bits\n", cpu_features.brand,
          cpu_features.vendor, cpu_features.physical_bits, cpu_features.linear_bits);
    print("features:");
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if (features[i].have)
            print(" %s", features[i].name);
    print("\nwithout: ");
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if (!features[i].have)
            print(" %s", features[i].name);
    print("\n");
}

static int run_cpus(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    print("cpu  apic  state   interrupts  nmi  spurious\n");
    for (u32 i = 0; i < cpu_count(); i++)
        print("%3u  %4u  %s  %10lu  %3lu  %8lu\n", cpus[i].id, cpus[i].apic_id,
              cpus[i].online ? "online" : "parked", cpus[i].irq_count, cpus[i].nmi_count,
              cpus[i].spurious_count);
    for (u32 vector = TRAP_IRQ_BASE; vector < TRAP_VECTORS; vector++)
        if (irq_vector_count(vector))
            print("vector %3u: %lu interrupts\n", vector, irq_vector_count(vector));
    show_features();
    return 0;
}
COMMAND(cpus, "cpus", run_cpus, NULL, "cpus",
        "the processors, their interrupts, and what they can do");

/* The shell's small change ----------------------------------------------------------------------------- */

static int run_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        print("%s%s", i > 1 ? " " : "", argv[i]);
    print("\n");
    return 0;
}
COMMAND(echo, "echo", run_echo, NULL, "echo [WORD...]", "print the words");

static int run_clear(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    print("\x1b[2J\x1b[H");
    return 0;
}
COMMAND(clear, "clear", run_clear, NULL, "clear", "clear the screen (as Ctrl-L)");

static int run_repeat(int argc, char **argv)
{
    u64 times;
    int result = 0;

    if (argc < 3 || param_number(argv[1], 1, UINT32_MAX, &times) < 0)
        return COMMAND_USAGE;
    u64 interrupts = console_interrupt_count();
    while (times-- && result == 0 && console_interrupt_count() == interrupts)
        result = command_run_words(argc - 2, argv + 2);
    return result == COMMAND_USAGE ? -EINVAL : result;
}

static const char *complete_repeat(int index, unsigned n)
{
    return index == 2 ? complete_command_name(1, n) : NULL;
}
COMMAND(repeat, "repeat", run_repeat, complete_repeat, "repeat N COMMAND [WORD...]",
        "run a command N times, until it fails or Ctrl-C");

#define PARAM_INDENT 19u

static void show_param(const struct param *param, void *ctx)
{
    (void)ctx;
    print("  %s%-16s%s ", color(COLOR_CYAN), param->name, color(COLOR_RESET));
    print_wrapped(PARAM_INDENT, PARAM_INDENT, param->help, strlen(param->help));
}

static int run_params(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    print("command line: %s\n", kernel_command_line());
    params_for_each(show_param, NULL);
    return 0;
}
COMMAND(params, "params", run_params, NULL, "params",
        "the kernel's command line, and every option it could have");

/* selftest -------------------------------------------------------------------------------------------- */

static int list_suites(void)
{
    const char *suite;
    u64 tests, all = 0;

    for (unsigned n = 0; (suite = ktest_suite_nth(n, &tests)) != NULL; n++, all += tests)
        print("  %-16s %4lu\n", suite, tests);
    print("  %-16s %4lu tests\n", "all", all);
    return 0;
}

static int run_selftest(int argc, char **argv)
{
    if (argc > 2)
        return COMMAND_USAGE;
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list_suites();
    int failed = ktest_run(argc == 2 ? argv[1] : NULL);
    return failed > 0 ? -EIO : failed;
}

static const char *complete_selftest(int index, unsigned n)
{
    if (index != 1)
        return NULL;
    return n == 0 ? "list" : ktest_suite_nth(n - 1, NULL);
}
COMMAND(selftest, "selftest", run_selftest, complete_selftest, "selftest [SUITE|SUITE.TEST|list]",
        "run the tests that are built into the kernel; the output is KTAP\n"
        "seed=NUMBER on the command line moves the random ones, ops=NUMBER sets how long;\n"
        "Ctrl-C stops after the current test.");

/* Time and power -------------------------------------------------------------------------------------- */

static int run_uptime(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    u64 us = clock_ns() / 1000;
    print("up %lu.%06lu s; clock: %s, %lu.%03lu MHz\n", us / 1000000, us % 1000000,
          clock_source_name(), clock_tsc_hz() / 1000000, clock_tsc_hz() / 1000 % 1000);
    if (console_input_dropped())
        print("input bytes dropped (queue full): %lu\n", console_input_dropped());
    return 0;
}
COMMAND(uptime, "uptime", run_uptime, NULL, "uptime",
        "time since the boot, and the clock that says so");

static int run_poweroff(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    machine_power_off();
}
COMMAND(poweroff, "poweroff", run_poweroff, NULL, "poweroff",
        "switch the machine off; leaves QEMU");

static int run_reboot(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return COMMAND_USAGE;
    machine_reboot();
}
COMMAND(reboot, "reboot", run_reboot, NULL, "reboot",
        "start the machine again (QEMU with -no-reboot ends instead)");
