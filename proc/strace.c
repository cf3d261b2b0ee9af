// SPDX-License-Identifier: MIT
/*
 * strace=1: one line per call in the format of strace(1), so that the two can be laid side by side. How an
 * argument is shown is one letter in the call's registration:
 *
 *   d int   u unsigned   x hex   o octal   p pointer   s string   b buffer whose length is the next argument
 *   m PROT_*   f MAP_*   O O_*   C CLONE_*   W wait4()'s options   S signal   a descriptor or AT_FDCWD
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
#define RESULT_COLUMN 38 /* where " = " begins, if the call leaves room */
#define BRK 12

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

static const struct flag_name open_names[] = {{0x40, "O_CREAT"},       {0x80, "O_EXCL"},
                                              {0x100, "O_NOCTTY"},     {0x200, "O_TRUNC"},
                                              {0x400, "O_APPEND"},     {0x800, "O_NONBLOCK"},
                                              {0x8000, "O_LARGEFILE"}, {0x10000, "O_DIRECTORY"},
                                              {0x20000, "O_NOFOLLOW"}, {0x80000, "O_CLOEXEC"}};
static const struct flag_name clone_names[] = {{0x100, "CLONE_VM"},
                                               {0x200, "CLONE_FS"},
                                               {0x400, "CLONE_FILES"},
                                               {0x800, "CLONE_SIGHAND"},
                                               {0x4000, "CLONE_VFORK"},
                                               {0x10000, "CLONE_THREAD"},
                                               {0x40000, "CLONE_SYSVSEM"},
                                               {0x80000, "CLONE_SETTLS"},
                                               {0x100000, "CLONE_PARENT_SETTID"},
                                               {0x200000, "CLONE_CHILD_CLEARTID"},
                                               {0x400000, "CLONE_DETACHED"},
                                               {0x1000000, "CLONE_CHILD_SETTID"}};
static const struct flag_name wait_names[] = {{1, "WNOHANG"}, {2, "WUNTRACED"}, {8, "WCONTINUED"}};

/* The access mode is a number, not a bit. */
static void put_open_flags(struct line *line, u64 value)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    put(line, "%s%s", modes[value & 3], value & ~3UL ? "|" : "");
    if (value & ~3UL)
        put_flags(line, value & ~3UL, "", open_names, ARRAY_SIZE(open_names));
}

/* The lowest byte is the signal of the end. */
static void put_clone_flags(struct line *line, u64 value)
{
    put_flags(line, value & ~0xffUL, "0", clone_names, ARRAY_SIZE(clone_names));
    if (value & 0xff)
        put(line, "|%s", signal_name(value & 0xff));
}

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
    else if (letter == 'O')
        put_open_flags(line, value);
    else if (letter == 'C')
        put_clone_flags(line, value);
    else if (letter == 'W')
        put_flags(line, value, "0", wait_names, ARRAY_SIZE(wait_names));
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
    put(&line, "%s(", call->name);
    for (unsigned i = 0; i < 6 && call->args[i]; i++) {
        put(&line, i ? ", " : "");
        put_argument(&line, call->args[i], values[i], values[i + 1]);
    }
    if (open_line)
        print(" <unfinished ...>\n");
    put(&line, ")");
    print("%d %-*s", current_task()->tid, RESULT_COLUMN, line.text);
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
    else if ((u64)result > 0xffffffff || call->number == BRK)
        print(" = %#lx\n", (u64)result);
    else
        print(" = %ld\n", result);
}

/* On a line of its own, as strace tells of signals and ends. */
static void tell(const char *text)
{
    if (open_line)
        print(" <unfinished ...>\n");
    open_line = 0;
    print("%d %s\n", current_task()->tid, text);
}

void strace_unknown(u64 number)
{
    char text[64];
    const char *name = syscall_name(number);
    if (name)
        format_to(text, sizeof(text), "%s(...) = -1 ENOSYS", name);
    else
        format_to(text, sizeof(text), "syscall_%#lx(...) = -1 ENOSYS", number);
    tell(text);
}

void strace_signal(int signal)
{
    char text[32];
    format_to(text, sizeof(text), "--- %s ---", signal_name(signal));
    tell(text);
}

void strace_end(s32 status)
{
    char text[48];
    if (status & 0x7f)
        format_to(text, sizeof(text), "+++ killed by %s +++", signal_name(status & 0x7f));
    else
        format_to(text, sizeof(text), "+++ exited with %d +++", status >> 8 & 0xff);
    tell(text);
}
