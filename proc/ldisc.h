// SPDX-License-Identifier: MIT
/*
 * The line discipline: what becomes of typed bytes before a program reads them. Pure: it knows neither who types nor
 * who reads; echo and signals go out through two functions. The caller has a lock around every call.
 *
 *   canonical   input comes line by line; erase, word erase, kill, reprint, literal next and end-of-file are keys
 *   raw         every byte at once (ICANON off): what line editors use
 *
 *   [head, done)   may be read     [done, tail)   the line that is being typed; empty when raw
 */
#ifndef PROC_LDISC_H
#define PROC_LDISC_H

#include "lib/types.h"

/* Linux's layout and numbers: programs pass this by ioctl. */
#define TERMIOS_KEYS 19
struct termios {
    u32 input, output, control, local;
    u8 line;
    u8 keys[TERMIOS_KEYS];
};
_Static_assert(sizeof(struct termios) == 36, "struct termios is Linux's: no hole, 36 bytes");

enum { /* .input */
       TERM_ISTRIP = 0000040,
       TERM_INLCR = 0000100,
       TERM_IGNCR = 0000200,
       TERM_ICRNL = 0000400,
       TERM_IUTF8 = 0040000,
};
enum { TERM_OPOST = 01, TERM_ONLCR = 04 }; /* .output */
enum {                                     /* .local */
       TERM_ISIG = 0000001,
       TERM_ICANON = 0000002,
       TERM_ECHO = 0000010,
       TERM_ECHOE = 0000020,
       TERM_ECHOK = 0000040,
       TERM_ECHONL = 0000100,
       TERM_NOFLSH = 0000200,
       TERM_ECHOCTL = 0001000,
       TERM_ECHOKE = 0004000,
       TERM_IEXTEN = 0100000,
};
enum { /* .keys */
       KEY_INTR,
       KEY_QUIT,
       KEY_ERASE,
       KEY_KILL,
       KEY_EOF,
       KEY_TIME,
       KEY_MIN,
       KEY_SWITCH,
       KEY_START,
       KEY_STOP,
       KEY_SUSP,
       KEY_EOL,
       KEY_REPRINT,
       KEY_DISCARD,
       KEY_WERASE,
       KEY_LNEXT,
       KEY_EOL2,
};

#define LDISC_SIZE 4096u /* a power of two; positions run freely and are reduced on use */

struct ldisc_ops {
    void (*echo)(void *ctx, const char *text, u64 length);
    void (*signal)(void *ctx, int signal);
};

struct ldisc {
    const struct ldisc_ops *ops;
    void *ctx;
    struct termios termios;
    u32 head, done, tail;
    bool literal; /* the next byte is text whatever it is */
    u8 bytes[LDISC_SIZE];
    u64 ends[LDISC_SIZE / 64]; /* this byte ends a line */
    u64 eofs[LDISC_SIZE / 64]; /* ... and is no byte, but where the end-of-file key was pressed */
};

/* Empty, with the settings that a Linux console starts with. */
void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *ctx);
/* One typed byte. */
void ldisc_input(struct ldisc *l, u8 byte);
/* What is there, at most one line when canonical: bytes; 0: end of file; -EAGAIN: nothing yet. */
s64 ldisc_read(struct ldisc *l, u8 *out, u64 size);
/* Bytes that a read could have now; an end of file counts as one, so that a reader wakes up. */
u32 ldisc_available(const struct ldisc *l);
/* Other settings; what was typed stays (a half line becomes readable when canonical mode ends). */
void ldisc_set(struct ldisc *l, const struct termios *termios);
void ldisc_flush(struct ldisc *l);
/* Take everything out, unfinished line included, end-of-file marks left out: bytes. */
u32 ldisc_take_all(struct ldisc *l, u8 *out, u32 size);

#endif
