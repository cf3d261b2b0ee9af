// SPDX-License-Identifier: MIT
/* Names of signals, both ways. Constant data. */
#include "lib/format.h"
#include "lib/string.h"
#include "proc/signal.h"

static const char *const names[] = {
    "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

const char *signal_name(int signal)
{
    static char name[16];
    if (signal > 0 && signal < (int)ARRAY_SIZE(names))
        format_to(name, sizeof(name), "SIG%s", names[signal]);
    else
        format_to(name, sizeof(name), "SIG%d", signal);
    return name;
}

int signal_parse(const char *text)
{
    u64 number;
    if (parse_size(text, &number) == 0)
        return number >= 1 && number <= SIGNALS ? (int)number : 0;
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < (int)ARRAY_SIZE(names); i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return 0;
}
