// SPDX-License-Identifier: MIT
/*
 * The two options that make a boot do something by itself: exec= and selftest. A run passes only on
 * positive evidence: at least one test ran, none failed, nobody interrupted.
 */
#include "kernel/boot_actions.h"
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/ktest.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/types.h"

static char exec_line[1024];
static char selftest_name[64]; /* "" = all */
static bool selftest_wanted;

const char *boot_exec_line(void)
{
    return exec_line;
}

void boot_actions_run(void)
{
    console_check_option();
    if (exec_line[0] != '\0') {
        log_info("exec: %s", exec_line);
        command_run_line(exec_line);
    }
    if (!selftest_wanted)
        return;
    int failed = ktest_run(selftest_name[0] ? selftest_name : NULL);
    struct ktest_totals totals = ktest_totals();
    bool passed = failed == 0 && totals.passed > 0 && !totals.interrupted;
    machine_exit(passed ? KTEST_EXIT_PASS : KTEST_EXIT_FAIL);
}

static int set_exec(const char *value)
{
    size_t used = strlen(exec_line);
    const char *joint = used ? "; " : "";

    if (value[0] == '\0' || used + strlen(joint) + strlen(value) >= sizeof(exec_line))
        return -EINVAL;
    string_copy(exec_line + used, sizeof(exec_line) - used, joint);
    used += strlen(joint);
    string_copy(exec_line + used, sizeof(exec_line) - used, value);
    return 0;
}
PARAM(exec, "exec", set_exec,
      "\"COMMAND; COMMAND\": shell commands to run after the boot (up to 1023 characters)");

static int set_selftest(const char *value)
{
    if (strlen(value) >= sizeof(selftest_name))
        return -EINVAL;
    string_copy(selftest_name, sizeof(selftest_name), value);
    selftest_wanted = true;
    return 0;
}
PARAM(selftest, "selftest", set_selftest,
      "[SUITE|SUITE.TEST]: run the self-tests after the boot, then leave QEMU (status 33 or 35)");
