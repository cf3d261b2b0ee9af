// SPDX-License-Identifier: MIT
/*
 * The kernel command line. A subsystem declares its options beside the code that they steer with
 * PARAM(); they gather in a linker table, so this floor knows nobody. An option that nobody declared,
 * or a value that its owner refuses, is a warning with the list of what would have been valid.
 */
#ifndef KERNEL_PARAM_H
#define KERNEL_PARAM_H

#include "lib/types.h"

struct param {
    const char *name; /* "vmap.check" */
    const char *help; /* "0..3: how often the vmap invariants are verified" */
    /* value: text after '=', "" when there was none. 0, or -EINVAL with nothing changed. */
    int (*set)(const char *value);
};

#define PARAM(ident, param_name, set_fn, help_text)                                                \
    static const struct param param_##ident __section(".table.param")                              \
        __attribute__((used, aligned(8))) = {param_name, help_text, set_fn}

/*
 * Apply "a=1 b c=2" once, early: after the first console, before memory management. The text is
 * copied (4095 bytes kept; longer is cut with a warning).
 */
void params_apply(const char *command_line);
const char *kernel_command_line(void);
/* Every declared option, in link order. */
void params_for_each(void (*visit)(const struct param *param, void *ctx), void *ctx);

/* Helpers for set(): decimal/hex number in [low, high]; on/off ("", 1, on, yes / 0, off, no). */
int param_number(const char *value, u64 low, u64 high, u64 *out);
int param_bool(const char *value, bool *out);

#endif
