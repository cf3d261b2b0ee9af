// SPDX-License-Identifier: MIT
/*
 * The ANSI colours that every printer shares, and the one switch that turns all of them into empty
 * strings (`color=off`, for dumb terminals and for output that is compared byte by byte).
 */
#include "kernel/command.h"
#include "kernel/param.h"
#include "lib/types.h"

static bool enabled = true;

static const char *const codes[] = {
    [COLOR_RESET] = "\x1b[0m",  [COLOR_BOLD] = "\x1b[1m",     [COLOR_DIM] = "\x1b[2m",
    [COLOR_RED] = "\x1b[31m",   [COLOR_GREEN] = "\x1b[32m",   [COLOR_YELLOW] = "\x1b[33m",
    [COLOR_BLUE] = "\x1b[34m",  [COLOR_MAGENTA] = "\x1b[35m", [COLOR_CYAN] = "\x1b[36m",
    [COLOR_WHITE] = "\x1b[37m",
};

const char *color(enum color c)
{
    if (!enabled || (unsigned)c >= ARRAY_SIZE(codes))
        return "";
    return codes[c];
}

void color_enable(bool on)
{
    enabled = on;
}

static int set_color(const char *value)
{
    return param_bool(value, &enabled);
}
PARAM(color, "color", set_color, "on|off: ANSI colours in the output (default on)");
