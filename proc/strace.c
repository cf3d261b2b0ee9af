// SPDX-License-Identifier: MIT
/*
 * strace=1: one line per call in the format of strace(1), so that the two can be laid side by side. How an
 * argument is shown is one letter in the call's registration:
 *
 *   d int   u unsigned   x hex   o octal   p pointer   s string   b buffer whose length is the next argument
 *   m PROT_*   f MAP_*   S signal   a descriptor or AT_FDCWD   (the end: no more arguments)
 *
 * A call's arguments are printed before it runs: other programs may speak before its result comes.
 */
#include "kernel/command.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "proc/signal.h"
#include "proc/syscall.h"
#include "proc/task.h"

#define STRING_SHOWN 32
#define AT_FDCWD (-100)

struct line {
    char text[320];
    u64 used;
};

static void put(struct line *line, const char *format, ...) __printf(2, 3);

static void put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line->used +=
        vformat_to(line->text + line->used, sizeof(line->text) - line->used, format, args);
    va_end(args);
    line->used = min_u64(line->used, sizeof(line->text) - 1);
}

static void put_bytes(struct line *line, const char *bytes, u64 count, bool more)
{
    put(line, "\"");
    for (u64 i = 0; i < count; i++) {
        char c = bytes[i];
        if (c == '\n')
            put(line, "\\n");
        else if (c == '\t')
            put(line, "\\t");
        else if (c == '"' || c == '\\')
            put(line, "\\%c", c);
        else if (c < ' ' || c > '~')
            put(line, "\\%o", (u8)c);
        else
            put(line, "%c", c);
    }
    put(line, "\"%s", more ? "..." : "");
}

static void put_string(struct line *line, vaddr_t address)
{
    char text[STRING_SHOWN + 1];
    s64 length = address ? strncpy_from_user(text, address, sizeof(text)) : 0;
    if (!address)
        put(line, "NULL");
    else if (length == -EFAULT)
        put(line, "%#lx", address);
    else
        put_bytes(line, text, length < 0 ? STRING_SHOWN : (u64)length, length < 0);
}

static void put_buffer(struct line *line, vaddr_t address, u64 size)
{
    char bytes[STRING_SHOWN];
    u64 shown = min_u64(size, sizeof(bytes));
    if (!address || copy_from_user(bytes, address, shown))
        put(line, address ? "%#lx" : "NULL", address);
    else
        put_bytes(line, bytes, shown, size > shown);
}

struct flag_name {
    u64 bit;
    const char *name;
};

static void put_flags(struct line *line, u64 value, const char *none, const struct flag_name *names,
                      unsigned count)
{
    const char *joint = "";
    for (unsigned i = 0; i < count; i++) {
        if (!(value & names[i].bit))
            continue;
        put(line, "%s%s", joint, names[i].name);
        value &= ~names[i].bit;
        joint = "|";
    }
    if (value)
        put(line, "%s%#lx", joint, value);
    else if (!joint[0])
        put(line, "%s", none);
}

static const struct flag_name prot_names[] = {
    {1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}};
static const struct flag_name map_names[] = {
    {1, "MAP_SHARED"},        {2, "MAP_PRIVATE"},       {0x10, "MAP_FIXED"},
    {0x20, "MAP_ANONYMOUS"},  {0x100, "MAP_GROWSDOWN"}, {0x4000, "MAP_NORESERVE"},
    {0x8000, "MAP_POPULATE"}, {0x20000, "MAP_STACK"},   {0x100000, "MAP_FIXED_NOREPLACE"}};

static void put_argument(struct line *line, char letter, u64 value, u64 next)
{
    if (letter == 's')
        put_string(line, value);
    else if (letter == 'b')
        put_buffer(line, value, next);
    else if (letter == 'm')
        put_flags(line, value, "PROT_NONE", prot_names, ARRAY_SIZE(prot_names));
    else if (letter == 'f')
        put_flags(line, value, "0", map_names, ARRAY_SIZE(map_names));
    else if (letter == 'S' && value >= 1 && value <= SIGNALS)
        put(line, "%s", signal_name((int)value));
    else if (letter == 'a' && (s32)value == AT_FDCWD)
        put(line, "AT_FDCWD");
    else if (letter == 'd' || letter == 'a' || letter == 'S')
        put(line, "%d", (s32)value);
    else if (letter == 'u')
        put(line, "%lu", value);
    else if (letter == 'o')
        put(line, "%#lo", value);
    else if (letter == 'p' && !value)
        put(line, "NULL");
    else
        put(line, "%#lx", value);
}

static s32 open_line; /* tid whose line has no result yet */

void strace_enter(const struct syscall *call, const struct trap_frame *frame)
{
    const u64 values[7] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9, 0};
    struct line line = {.used = 0};
    for (unsigned i = 0; i < 6 && call->args[i]; i++) {
        put(&line, i ? ", " : "");
        put_argument(&line, call->args[i], values[i], values[i + 1]);
    }
    if (open_line)
        print(" <unfinished ...>\n");
    print("%d %s(%s)", current_task()->tid, call->name, line.text);
    open_line = current_task()->tid;
}

void strace_leave(const struct syscall *call, s64 result)
{
    bool resumed = open_line != current_task()->tid;
    if (resumed && open_line)
        print(" <unfinished ...>\n");
    if (resumed)
        print("%d <... %s resumed>)", current_task()->tid, call->name);
    open_line = 0;
    if (result < 0 && result >= -4095)
        print(" = -1 %s\n", errno_name((int)result));
    else if ((u64)result > 0xffffffff)
        print(" = %#lx\n", (u64)result);
    else
        print(" = %ld\n", result);
}
