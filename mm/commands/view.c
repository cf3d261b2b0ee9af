// SPDX-License-Identifier: MIT
/*
 * Arguments in, text out: the small helpers of the memory commands, and `columns`. No lock: only
 * the shell calls them. Read next: mm/commands/vmap.c.
 */
#include "mm/commands/view.h"
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/param.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define BARE_HEX_MIN 9 /* shorter words without 0x are decimal numbers or names */

static unsigned columns = VIEW_COLUMNS_MIN;

unsigned view_columns(void)
{
    return columns;
}

/* "ffffc90000000000", as the tables print addresses. */
static bool parse_bare_hex(const char *text, u64 *out)
{
    u64 value = 0;
    size_t digits = 0;

    for (; text[digits]; digits++) {
        char c = text[digits];
        bool decimal = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!decimal && !letter)
            return false;
        value = value << 4 | (u64)(decimal ? c - '0' : c - 'a' + 10);
    }
    *out = value;
    return digits >= BARE_HEX_MIN && digits <= 16;
}

int view_parse_address(const char *text, vaddr_t *out)
{
    if (parse_bare_hex(text, out))
        return 0;
    int err = parse_size(text, out);
    if (err == -ERANGE) {
        print("%s: more than 64 bits\n", text);
        return -EINVAL;
    }
    if (err == 0)
        return 0;
    *out = symbol_address(text);
    if (*out)
        return 0;
    print("%s: neither an address (0xffffc90000000000) nor a kernel symbol\n", text);
    return -EINVAL;
}

int view_parse_number(const char *what, const char *text, u64 low, u64 high, u64 *out)
{
    u64 value;
    int err = parse_size(text, &value);

    if (err == -EINVAL) {
        print("%s '%s' is not a number (4096, 0x1000, 4K and 1p mean the same)\n", what, text);
        return -EINVAL;
    }
    if (err || value < low || value > high) {
        print("%s %s is out of range: %lu to %lu\n", what, text, low, high);
        return -EINVAL;
    }
    *out = value;
    return 0;
}

const char *view_option(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

const char *view_number(char *buf, u64 n)
{
    char digits[24];
    size_t length = format_to(digits, sizeof(digits), "%lu", n), at = 0;

    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

const char *view_plural(u64 n)
{
    return n == 1 ? "" : "s";
}

void view_caller(char *buf, size_t size, vaddr_t caller, size_t room)
{
    struct symbol symbol;

    if (!caller) {
        string_copy(buf, size, "-");
        return;
    }
    if (format_to(buf, size, "%pS", (void *)caller) <= room || !symbol_lookup(caller, &symbol))
        return;
    string_copy(buf, size, symbol.name);
    if (strlen(buf) > room && room >= 4)
        string_copy(buf + room - 2, 3, "..");
}

const char *view_use(bool has_vm, u32 flags)
{
    if (!has_vm)
        return "vm_map_ram";
    if (flags & VM_IOREMAP)
        return "ioremap";
    if (flags & VM_ALLOC)
        return flags & VM_USERMAP ? "user" : "vmalloc";
    return flags & VM_MAP ? "vmap" : "reserved";
}

const char *view_complete(const char *const *words, unsigned n)
{
    for (unsigned i = 0; words[i]; i++)
        if (i == n)
            return words[i];
    return NULL;
}

bool view_stopped(void)
{
    if (!console_interrupted())
        return false;
    print("(stopped)\n");
    return true;
}

static int set_columns(const char *value)
{
    u64 n;
    int err = param_number(value, VIEW_COLUMNS_MIN, VIEW_COLUMNS_MAX, &n);
    if (err)
        return err;
    columns = (unsigned)n;
    return 0;
}
PARAM(columns, "columns", set_columns, "80..240: width of the terminal, for tables (default 80)");

static int columns_run(int argc, char **argv)
{
    u64 n;

    if (argc > 2)
        return COMMAND_USAGE;
    if (argc == 2) {
        if (view_parse_number("width", argv[1], VIEW_COLUMNS_MIN, VIEW_COLUMNS_MAX, &n))
            return -EINVAL;
        columns = (unsigned)n;
    }
    print("tables are %u columns wide\n", columns);
    return 0;
}
COMMAND(columns, "columns", columns_run, NULL, "columns [80..240]",
        "tell the tables how wide your terminal is");
