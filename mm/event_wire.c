// SPDX-License-Identifier: MIT
/*
 * The encoder of the event stream, see mm/event_wire.h for the format. Differences, because neighbouring
 * records are about neighbouring addresses at neighbouring times. No lock: the caller owns the struct.
 * Read next: tools/eventlog/wire.py, which reads it.
 */
#include "mm/event_wire.h"
#include "lib/string.h"

#define RECORD_MAX 96 /* bytes, at worst */
enum { SHAPE_OPERATION = 0x10, SHAPE_CALLER = 0x20, SHAPE_PLACE = 0x40 };

static void put_u8(struct event_wire *wire, u8 byte)
{
    wire->block[wire->used++] = byte;
    wire->check = (u8)(wire->check * 31 + byte);
}

static void put_u32(u8 *at, u64 value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (u8)(value >> (8 * i));
}

/* Seven bits a byte, the lowest first; bit 7: more follow. */
static void put_varint(struct event_wire *wire, u64 value)
{
    for (; value >= 0x80; value >>= 7)
        put_u8(wire, (u8)(value | 0x80));
    put_u8(wire, (u8)value);
}

/* Small numbers of either sign become small numbers: 0, -1, 1, -2 ... are 0, 1, 2, 3 ... */
static void put_zigzag(struct event_wire *wire, u64 difference)
{
    put_varint(wire, difference >> 63 ? ~(difference << 1) : difference << 1);
}

static void begin(struct event_wire *wire, u8 type)
{
    memset(wire->block, 0, EVENT_WIRE_HEADER);
    wire->block[0] = 'V';
    wire->block[1] = 'T';
    wire->block[2] = type;
    wire->block[3] = EVENT_WIRE_VERSION;
    wire->used = EVENT_WIRE_HEADER;
    wire->records = 0;
    wire->check = 0;
    wire->last = (struct event){.seq = 0};
}

void event_wire_begin(struct event_wire *wire)
{
    begin(wire, 'E');
}

static u8 shape_of(const struct event *event, const struct event *last)
{
    u8 shape =
        (u8)((event->a != 0) | (event->b != 0) << 1 | (event->c != 0) << 2 | (event->d != 0) << 3);

    if (event->operation != last->operation)
        shape |= SHAPE_OPERATION;
    if (event->caller != last->caller)
        shape |= SHAPE_CALLER;
    if (event->cpu != last->cpu || event->design != last->design || event->depth != last->depth)
        shape |= SHAPE_PLACE;
    return shape;
}

bool event_wire_add(struct event_wire *wire, const struct event *event)
{
    const struct event *last = &wire->last;
    u8 shape = shape_of(event, last);

    if (wire->used + RECORD_MAX > EVENT_WIRE_BLOCK)
        return false;
    put_u8(wire, (u8)event->kind);
    put_u8(wire, shape);
    put_varint(wire, event->seq - last->seq);
    put_zigzag(wire, event->ns - last->ns);
    if (shape & SHAPE_OPERATION)
        put_varint(wire, event->operation);
    if (shape & SHAPE_CALLER)
        put_varint(wire, event->caller);
    if (shape & SHAPE_PLACE) {
        put_varint(wire, event->cpu);
        put_varint(wire, event->design);
        put_varint(wire, event->depth);
    }
    const u64 now[] = {event->a, event->b, event->c, event->d};
    const u64 before[] = {last->a, last->b, last->c, last->d};
    for (unsigned i = 0; i < ARRAY_SIZE(now); i++)
        if (now[i])
            put_zigzag(wire, now[i] - before[i]);
    put_u8(wire, wire->check);
    wire->records++;
    wire->last = *event;
    return true;
}

void event_wire_lost(struct event_wire *wire, u32 cpu, u64 count)
{
    begin(wire, 'L');
    put_u32(&wire->block[wire->used], cpu);
    put_u32(&wire->block[wire->used + 4], count);
    put_u32(&wire->block[wire->used + 8], count >> 32);
    wire->used += 12;
}

static void put_text(struct event_wire *wire, const char *text, u8 end)
{
    while (*text)
        wire->block[wire->used++] = (u8)*text++;
    wire->block[wire->used++] = end;
}

unsigned event_wire_table(struct event_wire *wire, unsigned kind)
{
    begin(wire, 'T');
    for (; kind < EVENT_KIND_COUNT; kind++) {
        const char *name = event_kind_name(kind), *group = event_kind_group(kind);
        const char *sentence = event_sentence(kind);
        u64 length = strlen(name) + strlen(group) + strlen(sentence) + 3;
        if (wire->used + length > EVENT_WIRE_BLOCK)
            break;
        put_text(wire, name, ' ');
        put_text(wire, group, ' ');
        put_text(wire, sentence, '\n');
    }
    return kind;
}

/* The polynomial of Ethernet and zip, bit by bit: the stream is a few megabytes at most. */
static u32 crc32(u32 crc, const u8 *bytes, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return crc;
}

u64 event_wire_end(struct event_wire *wire)
{
    u64 payload = wire->used - EVENT_WIRE_HEADER;

    if (payload == 0)
        return 0;
    put_u32(&wire->block[4], payload);
    put_u32(&wire->block[8], wire->next);
    put_u32(&wire->block[12], wire->records);
    u32 crc = crc32(~0U, wire->block, 16);
    put_u32(&wire->block[16], ~crc32(crc, &wire->block[EVENT_WIRE_HEADER], payload));
    wire->next += wire->records;
    return wire->used;
}
