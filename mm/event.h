// SPDX-License-Identifier: MIT
/*
 * The allocator event log: one record per step, written where the step happens. Two kinds of sites:
 *   EVENT(pt, PTE_SET, va, pte);  anywhere. While the log is off it costs one instruction: a TEST whose
 *                       opcode byte is exchanged for that of a JMP when the log goes on.
 *   STEP(VISIT, start, end);  in the designs of mm/vmap/ and in lib/rbtree: nothing at all while the log
 *                       is off, because every design is compiled twice, see mm/vmap/traced.h.
 * Records go to a ring of this CPU, without a lock, interrupts off for a moment; the oldest is
 * overwritten, and counted. Any context. Read next: mm/event_kinds.h, mm/event.c.
 */
#ifndef MM_EVENT_H
#define MM_EVENT_H

#include "lib/types.h"
#include "mm/event_kinds.h"
#include "mm/port.h"

/* `make EVENTS=0` compiles every site out. */
#ifndef EVENTS
#define EVENTS 1
#endif

enum event_kind {
    EVENT_NONE,
#define EVENT_ENUM(name, group, sentence) EVENT_##name,
    EVENT_KINDS(EVENT_ENUM)
#undef EVENT_ENUM
        EVENT_KIND_COUNT
};
_Static_assert(EVENT_KIND_COUNT <= 64, "a set of kinds is 64 bits");

/* What a BEGIN begins. */
enum event_call {
    EVENT_CALL_VMALLOC,
    EVENT_CALL_VFREE,
    EVENT_CALL_VMAP,
    EVENT_CALL_VUNMAP,
    EVENT_CALL_VM_MAP_RAM,
    EVENT_CALL_VM_UNMAP_RAM,
    EVENT_CALL_IOREMAP,
    EVENT_CALL_IOUNMAP,
    EVENT_CALL_VREALLOC,
    EVENT_CALL_GET_VM_AREA,
    EVENT_CALL_FREE_VM_AREA,
    EVENT_CALL_PURGE,
    EVENT_CALL_FAULT, /* of a program, address and error code; END: 0 or -errno */
    EVENT_CALL_FORK,  /* tables of the parent and of the child */
};

/* One step. A cache line. */
struct event {
    u64 seq;       /* 1, 2, 3 ... over all CPUs; 0 while it is being written */
    u64 ns;        /* port_clock_ns() */
    u32 operation; /* the call of the public API that it is part of; 0: none */
    u32 caller;    /* who made that call, packed as in struct page */
    u16 kind;      /* enum event_kind */
    u16 cpu;
    u16 design; /* of the space that is being logged: index in vmap_designs[], then vmap_variants[] */
    u16 depth; /* calls within calls: 1 is the outermost */
    u64 a, b, c, d;
};
_Static_assert(sizeof(struct event) == 64, "GDB and the docs say so");

#define EVENT_DEPTH 8 /* calls within calls that are told apart */

/* The ring of one CPU: event number n (from 0 on) is at ring[n % size]. */
struct event_cpu {
    struct event *ring; /* NULL: this CPU records nothing */
    u64 size;           /* records, a power of two */
    u64 head;           /* ever recorded */
    u64 sent;           /* ... of which the channel has these */
    u64 lost;           /* overwritten before the channel had them */
    u32 depth;          /* calls that have begun */
    struct {
        u32 operation, caller;
    } stack[EVENT_DEPTH];
};

#define EVENT_WATCHED 4
struct event_log {
    bool on;
    u64 mask;       /* 1 << kind: is recorded */
    u64 seq;        /* of the last record */
    u32 operations; /* number of the last operation */
    u16 design;
    const void *watched[EVENT_WATCHED]; /* instances whose EVENT()s count; all NULL: any */
    struct event_cpu cpu[MAX_CPUS];
};
extern struct event_log event_log;

/* ---- sites ------------------------------------------------------------------------------------ */

/* whose: the instance that it happens to (NULL: the machine); those of tests are nobody's business.
 * BEGIN and END also open and close an operation; d of BEGIN is the caller. */
void event_record(const void *whose, enum event_kind kind, u64 a, u64 b, u64 c, u64 d);

#define EVENT_SITE_OFF 0xa9 /* test $imm32, %eax */
#define EVENT_SITE_ON 0xe9  /* jmp rel32 */

#if !EVENTS || defined(VITRINE_HOST) || defined(__CHECKER__) || defined(__cppcheck__)
static inline bool event_on(void)
{
    return EVENTS && unlikely(event_log.on);
}
#define EVENT_CALL(fn, a, b, c, d, e, f) fn(a, b, c, d, e, f)
#else
/*
 * TEST imm32, %eax and JMP rel32 are both one byte of opcode and four of operand: the operand is that
 * of the jump in either case, so a site is switched by one byte, atomically, whoever executes it.
 */
static inline __attribute__((always_inline)) bool event_on(void)
{
    __asm__ inline goto("1: .byte 0xa9\n"
                        "   .long %l[on] - 2f\n"
                        "2: .pushsection .table.event_site, \"a\"\n"
                        "   .quad 1b\n"
                        "   .popsection"
                        :
                        :
                        : "cc"
                        : on);
    return false;
on:
#ifndef __clang__
    __attribute__((cold));
#endif
    return true;
}

/*
 * A call that the compiler does not see as one: the arguments go over the stack, every register is kept
 * (mm/event_site.asm). So a site that is off costs its function neither a spill nor a reload: with plain
 * calls a pair of vmalloc() and vfree() paid 43 instructions for its ten sites, now it pays ten.
 */
#define EVENT_CALL(fn, a, b, c, d, e, f)                                                           \
    __asm__ volatile("push %0; push %1; push %2; push %3; push %4; push %5; push %6\n"             \
                     "call event_site_call"                                                        \
                     :                                                                             \
                     : "re"((u64)(f)), "re"((u64)(e)), "re"((u64)(d)), "re"((u64)(c)),             \
                       "re"((u64)(b)), "re"((u64)(a)), "i"(fn)                                     \
                     : "cc")
#endif

#define EVENT_WRITE(whose, kind, a, b, c, d, ...)                                                  \
    EVENT_CALL(event_record, whose, kind, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
#define EVENT(whose, name, ...)                                                                    \
    do {                                                                                           \
        if (event_on())                                                                            \
            EVENT_WRITE(whose, EVENT_##name, ##__VA_ARGS__, 0, 0, 0, 0);                           \
    } while (0)

/* Around what a public function does. Every BEGIN has its END on every way out. */
#define EVENT_BEGIN(call, b, c, caller) EVENT(NULL, BEGIN, EVENT_CALL_##call, b, c, caller)
#define EVENT_END(call, result) EVENT(NULL, END, EVENT_CALL_##call, result)

/* In code that is compiled a second time for the log: there always, here never. */
#define STEP_WRITE(kind, a, b, c, d, ...)                                                          \
    event_record(NULL, kind, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
#ifdef EVENT_TRACED
#define STEP(name, ...) STEP_WRITE(EVENT_##name, ##__VA_ARGS__, 0, 0, 0, 0)
#else
#define STEP(name, ...)                                                                            \
    do {                                                                                           \
        if (0)                                                                                     \
            EVENT_WRITE(NULL, EVENT_##name, ##__VA_ARGS__, 0, 0, 0, 0);                            \
    } while (0)
#endif

/* ---- control ---------------------------------------------------------------------------------- */

/* Memory for the records of a CPU: `size` records, a power of two; NULL takes it away. Off only. */
void event_ring_set(u32 cpu, struct event *ring, u64 size);

/* Instances whose events are recorded; none: of all. Off only. */
void event_watch(const void *const *instances, unsigned count);

/* From here on kinds in `mask` are recorded; numbering goes on where it was. */
void event_start(u64 mask, u16 design);
void event_stop(void);

/* Forget all records; numbering starts again at 1. Off only. */
void event_clear(void);

/* Flip the sites: supplied by the port. */
void port_event_sites(bool on);

/*
 * Copy record number `index` (0 .. head-1) of a CPU. False when it has been overwritten or is being
 * written. Any context.
 */
bool event_read(u32 cpu, u64 index, struct event *out);

/* ---- channel ---------------------------------------------------------------------------------- */

/*
 * Where records go as they come: write() must take all bytes or say false (they are counted as lost);
 * it is called with interrupts off, below any lock, and must not allocate. NULL: no channel.
 */
typedef bool (*event_sink)(const void *bytes, u64 count);
void event_sink_register(event_sink write);
bool event_has_sink(void);

/* Send what waits on all CPUs. Any context. False: somebody else is sending, or the channel is stuck. */
bool event_drain(void);

/* ---- text (mm/event_text.c) ------------------------------------------------------------------- */

const char *event_kind_name(unsigned kind);  /* "VISIT" */
const char *event_kind_group(unsigned kind); /* "search" */
const char *event_sentence(unsigned kind);   /* with its placeholders */

/* The sentence for a record, at most size bytes with NUL; returns its length. */
u64 event_explain(const struct event *event, char *buf, u64 size);

/* The set of kinds that a name ("VISIT" in any case) or a group stands for; 0: neither. */
u64 event_mask(const char *word);

#endif
