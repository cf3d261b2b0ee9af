// SPDX-License-Identifier: MIT
/*
 * The line discipline. L1: tail - head <= LDISC_SIZE, head <= done <= tail (as differences).  L2: a bit in eofs has one
 * in ends.  L3: when raw, done == tail. Differs from Linux's in two points, on purpose: a tab is echoed as ^I, so
 * that it can be erased without knowing the cursor's column; XON/XOFF keys do nothing special.
 * Reference: POSIX.1-2017, chapter 11. Tested against a model: tests/host/test_tty.c.
 */
#include "proc/ldisc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/signal.h"

#define KEY_OFF 0 /* a key with this value is not there */
#define DELETE 0x7f
#define BELL "\a"

static bool has(const struct ldisc *l, u32 local)
{
    return (l->termios.local & local) == local;
}

static bool is_key(const struct ldisc *l, unsigned key, u8 byte)
{
    return l->termios.keys[key] != KEY_OFF && l->termios.keys[key] == byte;
}

static bool marked(const u64 *bits, u32 position)
{
    u32 at = position % LDISC_SIZE;
    return bits[at / 64] >> (at % 64) & 1;
}

static void mark(u64 *bits, u32 position, bool on)
{
    u32 at = position % LDISC_SIZE;
    u64 bit = 1UL << (at % 64);
    bits[at / 64] = on ? bits[at / 64] | bit : bits[at / 64] & ~bit;
}

static void append(struct ldisc *l, u8 byte, bool ends, bool eof)
{
    l->bytes[l->tail % LDISC_SIZE] = byte;
    mark(l->ends, l->tail, ends);
    mark(l->eofs, l->tail, eof);
    l->tail++;
}

/* One place is kept for the end of the line, or a full buffer could never be read. */
static bool has_room(const struct ldisc *l, bool ends)
{
    return l->tail - l->head < LDISC_SIZE - (ends ? 0 : 1);
}

/* Echo --------------------------------------------------------------------------------------- */

static void echo_text(struct ldisc *l, const char *text)
{
    l->ops->echo(l->ctx, text, strlen(text));
}

static bool is_control(u8 byte)
{
    return byte < ' ' || byte == DELETE;
}

static void echo_byte(struct ldisc *l, u8 byte)
{
    char caret[3] = {'^', (char)(byte ^ 0x40), '\0'};

    if (is_control(byte) && byte != '\n' && has(l, TERM_ECHOCTL))
        echo_text(l, caret);
    else
        l->ops->echo(l->ctx, (const char *)&byte, 1);
}

static bool is_continuation(const struct ldisc *l, u8 byte)
{
    return (l->termios.input & TERM_IUTF8) && (byte & 0xc0) == 0x80;
}

/* Columns that the echo of this byte has taken. */
static u32 width(const struct ldisc *l, u8 byte)
{
    if (is_control(byte))
        return has(l, TERM_ECHOCTL) ? 2 : 0;
    return is_continuation(l, byte) ? 0 : 1;
}

/* Editing ------------------------------------------------------------------------------------ */

static u8 last_byte(const struct ldisc *l)
{
    return l->bytes[(l->tail - 1) % LDISC_SIZE];
}

/* Take the last character off the line, all its bytes, and off the screen. */
static void erase_one(struct ldisc *l)
{
    u32 columns = 0;
    bool more = true;

    while (more && l->tail != l->done) {
        more = is_continuation(l, last_byte(l));
        columns += width(l, last_byte(l));
        l->tail--;
    }
    while (has(l, TERM_ECHO | TERM_ECHOE) && columns--)
        echo_text(l, "\b \b");
}

static bool is_blank(u8 byte)
{
    return byte == ' ' || byte == '\t';
}

static void erase_word(struct ldisc *l)
{
    while (l->tail != l->done && is_blank(last_byte(l)))
        erase_one(l);
    while (l->tail != l->done && !is_blank(last_byte(l)))
        erase_one(l);
}

static void kill_line(struct ldisc *l)
{
    if (has(l, TERM_ECHO | TERM_ECHOE | TERM_ECHOKE)) {
        while (l->tail != l->done)
            erase_one(l);
        return;
    }
    l->tail = l->done;
    if (!has(l, TERM_ECHO))
        return;
    echo_byte(l, l->termios.keys[KEY_KILL]);
    if (has(l, TERM_ECHOK))
        echo_text(l, "\n");
}

static void reprint(struct ldisc *l)
{
    echo_byte(l, l->termios.keys[KEY_REPRINT]);
    echo_text(l, "\n");
    for (u32 at = l->done; at != l->tail; at++)
        echo_byte(l, l->bytes[at % LDISC_SIZE]);
}

/* Keys --------------------------------------------------------------------------------------- */

static int signal_of(const struct ldisc *l, u8 byte)
{
    if (!has(l, TERM_ISIG))
        return 0;
    if (is_key(l, KEY_INTR, byte))
        return SIGINT;
    if (is_key(l, KEY_QUIT, byte))
        return SIGQUIT;
    return is_key(l, KEY_SUSP, byte) ? SIGTSTP : 0;
}

static void send_signal(struct ldisc *l, u8 byte, int signal)
{
    if (!has(l, TERM_NOFLSH))
        ldisc_flush(l);
    if (has(l, TERM_ECHO))
        echo_byte(l, byte);
    l->ops->signal(l->ctx, signal);
}

/* Keys that edit the line; false: the byte is none of them. */
static bool edit(struct ldisc *l, u8 byte)
{
    bool extended = has(l, TERM_IEXTEN);

    if (is_key(l, KEY_ERASE, byte))
        erase_one(l);
    else if (is_key(l, KEY_KILL, byte))
        kill_line(l);
    else if (extended && is_key(l, KEY_WERASE, byte))
        erase_word(l);
    else if (extended && is_key(l, KEY_REPRINT, byte) && has(l, TERM_ECHO))
        reprint(l);
    else if (extended && is_key(l, KEY_LNEXT, byte))
        l->literal = true;
    else
        return false;
    return true;
}

static void end_line(struct ldisc *l, u8 byte, bool eof)
{
    if (!has_room(l, true))
        return;
    append(l, byte, true, eof);
    l->done = l->tail;
}

static void add_text(struct ldisc *l, u8 byte)
{
    if (!has_room(l, false)) {
        if (has(l, TERM_ECHO))
            echo_text(l, BELL);
        return;
    }
    append(l, byte, false, false);
    if (has(l, TERM_ECHO))
        echo_byte(l, byte);
    if (!has(l, TERM_ICANON))
        l->done = l->tail;
}

static void input_canonical(struct ldisc *l, u8 byte)
{
    bool newline = byte == '\n';

    if (edit(l, byte))
        return;
    if (is_key(l, KEY_EOF, byte)) {
        end_line(l, 0, true);
    } else if (newline || is_key(l, KEY_EOL, byte) || is_key(l, KEY_EOL2, byte)) {
        if (has(l, TERM_ECHO) || (newline && has(l, TERM_ECHONL)))
            echo_byte(l, byte);
        end_line(l, byte, false);
    } else {
        add_text(l, byte);
    }
}

/* What the input flags make of a byte; -1: nothing. */
static int translate(const struct ldisc *l, u8 byte)
{
    u32 flags = l->termios.input;

    if (flags & TERM_ISTRIP)
        byte &= 0x7f;
    if (byte == '\r' && (flags & TERM_IGNCR))
        return -1;
    if (byte == '\r' && (flags & TERM_ICRNL))
        return '\n';
    return byte == '\n' && (flags & TERM_INLCR) ? '\r' : byte;
}

void ldisc_input(struct ldisc *l, u8 typed)
{
    if (l->literal) {
        l->literal = false;
        add_text(l, typed);
        return;
    }
    int byte = translate(l, typed);
    int signal = byte < 0 ? 0 : signal_of(l, (u8)byte);
    if (byte < 0)
        return;
    if (signal)
        send_signal(l, (u8)byte, signal);
    else if (has(l, TERM_ICANON))
        input_canonical(l, (u8)byte);
    else
        add_text(l, (u8)byte);
}

/* Reading and settings ------------------------------------------------------------------------- */

static s64 read_raw(struct ldisc *l, u8 *out, u64 size)
{
    u64 n = 0;

    while (n < size && l->head != l->done) {
        if (!marked(l->eofs, l->head))
            out[n++] = l->bytes[l->head % LDISC_SIZE];
        l->head++;
    }
    return n || size == 0 ? (s64)n : -EAGAIN;
}

s64 ldisc_read(struct ldisc *l, u8 *out, u64 size)
{
    u64 n = 0;

    if (!has(l, TERM_ICANON))
        return read_raw(l, out, size);
    if (l->head == l->done)
        return -EAGAIN;
    while (l->head != l->done) {
        bool ends = marked(l->ends, l->head), eof = marked(l->eofs, l->head);
        if (!eof && n == size)
            break;
        if (!eof)
            out[n++] = l->bytes[l->head % LDISC_SIZE];
        l->head++;
        if (ends)
            break;
    }
    return (s64)n;
}

u32 ldisc_available(const struct ldisc *l)
{
    return l->done - l->head;
}

/* Between the modes what is there stays, as bytes: without ends, a raw reader's bytes are one piece. */
void ldisc_set(struct ldisc *l, const struct termios *termios)
{
    u32 changed = l->termios.local ^ termios->local;

    l->termios = *termios;
    if (!(changed & TERM_ICANON))
        return;
    l->done = l->tail;
    l->literal = false;
}

void ldisc_flush(struct ldisc *l)
{
    l->head = l->done = l->tail;
    l->literal = false;
}

u32 ldisc_take_all(struct ldisc *l, u8 *out, u32 size)
{
    l->done = l->tail;
    s64 n = read_raw(l, out, size);
    ldisc_flush(l);
    return n > 0 ? (u32)n : 0;
}

static const struct termios defaults = {
    .input = TERM_ICRNL | TERM_IUTF8,
    .output = TERM_OPOST | TERM_ONLCR,
    .control =
        0002277, /* 38400 baud, 8 bits, receiver on, hang up: what stty shows for a console */
    .local = TERM_ISIG | TERM_ICANON | TERM_ECHO | TERM_ECHOE | TERM_ECHOK | TERM_ECHOCTL |
             TERM_ECHOKE | TERM_IEXTEN,
    .keys = {[KEY_INTR] = 3,
             [KEY_QUIT] = 28,
             [KEY_ERASE] = DELETE,
             [KEY_KILL] = 21,
             [KEY_EOF] = 4,
             [KEY_MIN] = 1,
             [KEY_START] = 17,
             [KEY_STOP] = 19,
             [KEY_SUSP] = 26,
             [KEY_REPRINT] = 18,
             [KEY_DISCARD] = 15,
             [KEY_WERASE] = 23,
             [KEY_LNEXT] = 22},
};

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *ctx)
{
    memset(l, 0, sizeof(*l));
    l->ops = ops;
    l->ctx = ctx;
    l->termios = defaults;
}
