// SPDX-License-Identifier: MIT
/*
 * Event records on their way out: a stream of blocks, about 14 bytes a record instead of 64.
 *
 *   block   'V' 'T', type, version 1, then four little-endian u32: bytes of payload, number of the first
 *           record in the stream, number of records, CRC-32 of the 16 bytes before it and the payload
 *   'T'     text: one line "NAME group sentence" for each kind, in order of their numbers, from 1 on
 *   'E'     records of one CPU
 *   'L'     u32 CPU, u64 records that were overwritten before they could be sent
 *
 * A record is told by what differs from the one before it in the block (the first one: from zeros):
 *   u8 kind, u8 shape, varint seq, zigzag ns; if shape & 0x10 varint operation; & 0x20 varint caller;
 *   & 0x40 varints cpu, design, depth; for each of a, b, c, d whose bit 0..3 is set its zigzag
 *   difference (else it is 0); u8 check, over all bytes of the block so far: it tells at which record a
 *   damaged block went wrong. Pure: no lock, no allocation. The reader is tools/eventlog/wire.py.
 */
#ifndef MM_EVENT_WIRE_H
#define MM_EVENT_WIRE_H

#include "mm/event.h"

#define EVENT_WIRE_VERSION 1
#define EVENT_WIRE_HEADER 20
#define EVENT_WIRE_BLOCK 4096 /* bytes, header included */

struct event_wire {
    u64 next; /* number of the next record in the stream */
    u64 used; /* bytes of block[] */
    u32 records;
    u8 check;
    bool table_sent;
    struct event last;
    u8 block[EVENT_WIRE_BLOCK];
};

/* An empty block of records. */
void event_wire_begin(struct event_wire *wire);

/* Append; false: the block is full, and as it was. */
bool event_wire_add(struct event_wire *wire, const struct event *event);

/* A block of its own: records were lost. */
void event_wire_lost(struct event_wire *wire, u32 cpu, u64 count);

/* A block of the table of kinds, from `kind` on; returns the first kind that did not fit. */
unsigned event_wire_table(struct event_wire *wire, unsigned kind);

/* Complete the block: how many bytes of wire->block to send; 0 when there is nothing in it. */
u64 event_wire_end(struct event_wire *wire);

#endif
