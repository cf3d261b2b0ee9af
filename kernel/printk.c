// SPDX-License-Identifier: MIT
/*
 * The kernel's voice: formats, keeps log lines in a 64 KiB ring of variable-length records, and hands
 * text to the consoles. One lock (`output`, taken with interrupts off) guards ring and consoles, so
 * that lines never mix; the CPU that panics speaks without it and all others fall silent.
 * Text is formatted before the lock is taken: a bad %s pointer faults without holding it.
 * Read next: kernel/console.c (where the text goes), lib/format.h (what formats it).
 */
#include "kernel/printk.h"
#include "kernel/command.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/lock.h"
#include "kernel/param.h"
#include "kernel/time.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define RING_SIZE (64 * KIB)
#define LOG_TEXT_MAX 512 /* bytes of one printk() text with its NUL; longer is cut visibly */
#define PRINT_SMALL 512  /* print() texts up to here are formatted outside the lock */
#define PRINT_LARGE 4096 /* print() texts beyond are cut visibly */
#define CUT_MARK "...[cut]"

enum log_level printk_console_level = LOG_INFO;

/* A record lies at position % RING_SIZE, may wrap, and is followed by `length` bytes of text. */
struct log_record {
    u64 sequence, time_ns;
    u16 length;
    u8 level;
};

/* Positions count bytes since boot and never wrap: first <= end <= first + RING_SIZE. */
static struct {
    u64 first; /* oldest record */
    u64 end;   /* behind the newest record */
    u64 next_sequence;
    u8 bytes[RING_SIZE];
} ring;

static struct spinlock output = SPINLOCK_INIT("output");
static u32 panic_owner; /* CPU id + 1 of the CPU that panicked first, 0 = none */

/* False: another CPU is dying and this one must not talk into its last words. */
static bool output_lock(u64 *flags)
{
    *flags = irq_save();
    u32 owner = __atomic_load_n(&panic_owner, __ATOMIC_RELAXED);
    if (owner == 0)
        spin_lock(&output);
    else if (owner != cpu_id() + 1) {
        irq_restore(*flags);
        return false;
    }
    return true;
}

/* After a panic the lock may be anybody's: it is left as it was found. */
static void output_unlock(u64 flags)
{
    if (__atomic_load_n(&panic_owner, __ATOMIC_RELAXED) == 0)
        spin_unlock(&output);
    irq_restore(flags);
}

void printk_enter_panic(void)
{
    u32 nobody = 0;
    __atomic_compare_exchange_n(&panic_owner, &nobody, cpu_id() + 1, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
}

static void ring_copy_out(u64 position, void *to, size_t n)
{
    size_t at = position % RING_SIZE;
    size_t head = min_u64(n, RING_SIZE - at);
    memcpy(to, ring.bytes + at, head);
    memcpy((u8 *)to + head, ring.bytes, n - head);
}

static void ring_append(const void *from, size_t n)
{
    size_t at = ring.end % RING_SIZE;
    size_t head = min_u64(n, RING_SIZE - at);
    memcpy(ring.bytes + at, from, head);
    memcpy(ring.bytes, (const u8 *)from + head, n - head);
    ring.end += n;
}

/* Store a line, dropping as many of the oldest as its room takes. Output lock held. */
static void ring_store(const struct log_line *line, size_t length)
{
    struct log_record record = {line->sequence, line->time_ns, (u16)length, (u8)line->level};

    while (ring.end + sizeof(record) + length - ring.first > RING_SIZE) {
        struct log_record oldest;
        ring_copy_out(ring.first, &oldest, sizeof(oldest));
        ring.first += sizeof(oldest) + oldest.length;
    }
    ring_append(&record, sizeof(record));
    ring_append(line->text, length);
}

size_t printk_format_line(char *buf, size_t size, const struct log_line *line)
{
    static const enum color colors[] = {
        [LOG_ERROR] = COLOR_RED, [LOG_WARN] = COLOR_YELLOW, [LOG_DEBUG] = COLOR_DIM};
    bool plain = line->level == LOG_INFO || line->level > LOG_DEBUG;
    u64 us = line->time_ns / 1000;
    size_t length =
        format_to(buf, size, "%s[%5lu.%06lu] %s%s\n", plain ? "" : color(colors[line->level]),
                  us / 1000000, us % 1000000, line->text, plain ? "" : color(COLOR_RESET));
    return min_u64(length, size - 1);
}

/* One line without newline to the ring and, if loud enough, to the consoles. Output lock held. */
static void log_one_line(enum log_level level, u64 now, const char *text, size_t length)
{
    static char rendered[LOG_TEXT_MAX + 64];
    struct log_line line = {ring.next_sequence++, now, level, text};

    ring_store(&line, length);
    if (level > printk_console_level)
        return;
    /* A log line that interrupts a half-written one starts on its own line. */
    if (!console_at_line_start())
        console_write("\n", 1);
    console_write(rendered, printk_format_line(rendered, sizeof(rendered), &line));
}

void vprintk(enum log_level level, const char *format, va_list args)
{
    char text[LOG_TEXT_MAX];
    u64 flags, now = clock_ns();

    if (vformat_to(text, sizeof(text), format, args) >= sizeof(text))
        string_copy(text + sizeof(text) - sizeof(CUT_MARK), sizeof(CUT_MARK), CUT_MARK);
    if (!output_lock(&flags))
        return;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        /* A newline at the very end closes the line and does not open another. */
        if (next && *next == '\0')
            next = NULL;
        log_one_line(level, now, line, strlen(line));
    }
    output_unlock(flags);
}

void printk(enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintk(level, format, args);
    va_end(args);
}

static struct {
    void (*take)(void *ctx, const char *text, size_t length);
    void *ctx;
} capture;

void print_capture(void (*take)(void *ctx, const char *text, size_t length), void *ctx)
{
    capture.ctx = ctx;
    capture.take = take;
}

/* Where print()'s text goes. Output lock held; an interrupt's text is never part of a command's. */
static void emit(const char *text, size_t length)
{
    if (capture.take && !in_interrupt())
        capture.take(capture.ctx, text, length);
    else
        console_write(text, length);
}

/* Text that outgrew the stack buffer: the one large buffer belongs to the lock's holder. */
static void print_large(const char *format, va_list args)
{
    static char large[PRINT_LARGE];
    size_t length = vformat_to(large, sizeof(large), format, args);

    emit(large, min_u64(length, sizeof(large) - 1));
    if (length >= sizeof(large))
        emit(CUT_MARK "\n", sizeof(CUT_MARK));
}

void vprint(const char *format, va_list args)
{
    char small[PRINT_SMALL];
    u64 flags;
    va_list again;

    va_copy(again, args);
    size_t length = vformat_to(small, sizeof(small), format, args);
    if (output_lock(&flags)) {
        if (length < sizeof(small))
            emit(small, length);
        else
            print_large(format, again);
        output_unlock(flags);
    }
    va_end(again);
}

void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprint(format, args);
    va_end(args);
}

void print_bytes(const char *text, size_t length)
{
    u64 flags;

    if (!output_lock(&flags))
        return;
    console_write(text, length);
    output_unlock(flags);
}

bool print_in_progress(void)
{
    return spin_held(&output) || __atomic_load_n(&panic_owner, __ATOMIC_RELAXED) != 0;
}

/*
 * Copy one record at *position out of the ring and step over it. False at `stop`. The visitor runs
 * between two calls without the lock, so the ring may have moved on: then continue with the oldest.
 */
static bool ring_read(u64 *position, u64 stop, struct log_line *line, char *text)
{
    struct log_record record;
    u64 flags;

    if (!output_lock(&flags))
        return false;
    *position = max_u64(*position, ring.first);
    bool found = *position < stop;
    if (found) {
        ring_copy_out(*position, &record, sizeof(record));
        ring_copy_out(*position + sizeof(record), text, record.length);
        text[record.length] = '\0';
        *position += sizeof(record) + record.length;
        *line =
            (struct log_line){record.sequence, record.time_ns, (enum log_level)record.level, text};
    }
    output_unlock(flags);
    return found;
}

u64 printk_for_each(void (*visit)(const struct log_line *line, void *ctx), void *ctx)
{
    char text[LOG_TEXT_MAX];
    struct log_line line;
    u64 position = 0, dropped = 0, next = 0;
    /* A visitor may log; it shall not be shown its own lines, for ever. */
    u64 stop = __atomic_load_n(&ring.end, __ATOMIC_RELAXED);

    while (ring_read(&position, stop, &line, text)) {
        dropped += line.sequence - next;
        next = line.sequence + 1;
        visit(&line, ctx);
    }
    return dropped;
}

int log_level_parse(const char *text, enum log_level *out)
{
    u64 number;

    for (unsigned i = 0; i <= LOG_DEBUG; i++) {
        if (strcmp(text, log_level_name((enum log_level)i)) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    if (param_number(text, LOG_ERROR, LOG_DEBUG, &number) < 0)
        return -EINVAL;
    *out = (enum log_level)number;
    return 0;
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return (unsigned)level < ARRAY_SIZE(names) ? names[level] : "?";
}

static int set_loglevel(const char *value)
{
    return log_level_parse(value, &printk_console_level);
}
PARAM(loglevel, "loglevel", set_loglevel,
      "error|warn|info|debug or 0..3: how loud the log is on the consoles (default info)");
