// SPDX-License-Identifier: MIT
/*
 * The kernel command line: splits it (same quoting as the shell, without `;` and `#`), hands each
 * `name=value` to whoever declared it, and warns about what nobody declared or the owner refused.
 * Runs once, on the boot CPU, before there is memory management: everything is static.
 */
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/suggest.h"
#include "kernel/words.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define COMMAND_LINE_MAX 4095

extern const struct param __params_start[], __params_end[];

static char saved_line[COMMAND_LINE_MAX + 1];
static char word[COMMAND_LINE_MAX + 1];

const char *kernel_command_line(void)
{
    return saved_line;
}

void params_for_each(void (*visit)(const struct param *param, void *ctx), void *ctx)
{
    for (const struct param *p = __params_start; p != __params_end; p++)
        visit(p, ctx);
}

static const struct param *param_find(const char *name)
{
    for (const struct param *p = __params_start; p != __params_end; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static void warn_unknown(const char *name)
{
    struct suggestion near = {.typed = name};

    for (const struct param *p = __params_start; p != __params_end; p++)
        suggest_consider(&near, p->name);
    if (near.best)
        log_warn("unknown option '%s'; did you mean '%s'? see `params`", name, near.best);
    else
        log_warn("unknown option '%.64s'; see `params`", name);
}

/* One option, "name" or "name=value"; the text is cut at the '='. */
static void apply(char *option)
{
    char *value = strchr(option, '=');

    if (value)
        *value++ = '\0';
    const struct param *param = param_find(option);
    if (!param)
        warn_unknown(option);
    else if (param->set(value ? value : "") < 0)
        log_warn("option '%s' does not take '%.64s'; it takes %s", option, value ? value : "",
                 param->help);
}

void params_apply(const char *command_line)
{
    const char *cursor = saved_line, *error;
    enum word_result found;

    if (!string_copy(saved_line, sizeof(saved_line), command_line))
        log_warn("the command line is longer than %d characters: cut", COMMAND_LINE_MAX);
    while ((found = word_next(&cursor, WORDS_PLAIN, word, sizeof(word), &error)) == WORD_FOUND) {
        /* Some loaders put the kernel's own path in front. */
        if (word[0] != '/' && word[0] != '\0')
            apply(word);
    }
    if (found == WORD_BAD)
        log_warn("command line: %s; what follows is ignored", error);
}

int param_number(const char *value, u64 low, u64 high, u64 *out)
{
    u64 number;

    if (parse_size(value, &number) < 0 || number < low || number > high)
        return -EINVAL;
    *out = number;
    return 0;
}

static bool is_one_of(const char *value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    return false;
}

int param_bool(const char *value, bool *out)
{
    static const char *const yes[] = {"", "1", "on", "yes"}, *const no[] = {"0", "off", "no"};

    if (is_one_of(value, yes, ARRAY_SIZE(yes)))
        *out = true;
    else if (is_one_of(value, no, ARRAY_SIZE(no)))
        *out = false;
    else
        return -EINVAL;
    return 0;
}
