# SPDX-License-Identifier: MIT
"""The stream of the event log, block by block (mm/event_wire.h), into Event objects. Never raises on a
damaged file: what could be read is there, and Log.damage says what is wrong at which record."""
import struct
import zlib

HEADER = 20
MAX_PAYLOAD = 1 << 16


class Damaged(Exception):
    """What is wrong, while a block is being read."""


class Kind:
    """A row of the table that the stream begins with."""

    def __init__(self, number, name, group, sentence):
        self.number, self.name, self.group, self.sentence = number, name, group, sentence


class Event:
    """One record; args are its four numbers a, b, c, d."""
    __slots__ = ("number", "kind", "name", "seq", "ns", "operation", "caller", "cpu", "design", "depth",
                 "args")

    def __init__(self, kind, last):
        self.kind, self.name, self.number = kind, "", 0
        self.seq, self.ns = last.seq, last.ns
        self.operation, self.caller = last.operation, last.caller
        self.cpu, self.design, self.depth = last.cpu, last.design, last.depth
        self.args = list(last.args)


class Zero:
    """What the first record of a block differs from."""
    seq = ns = operation = caller = cpu = design = depth = 0
    args = (0, 0, 0, 0)


class Log:
    """kinds by number; events in order; losses as (number of the next record, CPU, count); segments:
    indices into events where the numbering began anew (`trace clear`); damage: a sentence or None."""

    def __init__(self):
        self.kinds, self.events, self.losses, self.segments = {}, [], [], [0]
        self.damage = None


class Payload:
    """Bytes of one block with a position, and the running check byte."""

    def __init__(self, data):
        self.data, self.at, self.check = data, 0, 0

    def byte(self):
        if self.at >= len(self.data):
            raise Damaged("the record is cut off")
        value = self.data[self.at]
        self.at += 1
        self.check = (self.check * 31 + value) & 0xff
        return value

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value & (1 << 64) - 1
            shift += 7
            if shift > 63:
                raise Damaged("a number has no end")

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)


def read_record(payload, last, kinds):
    event = Event(payload.byte(), last)
    if event.kind not in kinds:
        raise Damaged(f"there is no kind {event.kind}")
    event.name = kinds[event.kind].name
    shape = payload.byte()
    event.seq += payload.varint()
    event.ns = (event.ns + payload.zigzag()) & (1 << 64) - 1
    if shape & 0x10:
        event.operation = payload.varint()
    if shape & 0x20:
        event.caller = payload.varint()
    if shape & 0x40:
        event.cpu, event.design, event.depth = (payload.varint() for _ in range(3))
    for i in range(4):
        event.args[i] = (last.args[i] + payload.zigzag()) & (1 << 64) - 1 if shape >> i & 1 else 0
    wanted = payload.check
    if payload.byte() != wanted:
        raise Damaged("its check byte is wrong")
    return event


def read_records(log, data, count, first):
    """Append the records of one block. Damaged names the first record that makes no sense."""
    payload, last = Payload(data), Zero
    found = []
    for number in range(first, first + count):
        try:
            last = read_record(payload, last, log.kinds)
        except Damaged as why:
            log.events += found
            raise Damaged(f"record {number}: {why}") from None
        last.number = number
        found.append(last)
    if payload.at != len(data):
        raise Damaged(f"record {first + count}: bytes behind the last one of the block")
    log.events += found


def read_table(log, data):
    for line in data.decode("utf-8", "replace").splitlines():
        name, group, sentence = line.split(" ", 2)
        number = len(log.kinds) + 1
        log.kinds[number] = Kind(number, name, group, sentence)


def read_block(log, data, at, first):
    """One block at offset `at`; returns (offset of the next, number of the next record)."""
    head = data[at:at + HEADER]
    where = f"record {first}, at byte {at}"
    if len(head) < HEADER:
        raise Damaged(f"{where}: the file ends inside the head of a block")
    magic, kind, version, length, number, count, crc = struct.unpack("<2sBBIIII", head)
    if magic != b"VT" or chr(kind) not in "TEL":
        raise Damaged(f"{where}: no block begins here")
    if version != 1:
        raise Damaged(f"{where}: version {version} of the format, this program reads 1")
    body = data[at + HEADER:at + HEADER + length]
    whole = zlib.crc32(body, zlib.crc32(head[:16])) == crc
    if not whole and (number != first or length > MAX_PAYLOAD):
        raise Damaged(f"{where}: the head of the block has been altered")
    if number != first:
        raise Damaged(f"{where}: records {first} to {number - 1} are missing")
    if chr(kind) == "E":
        if not whole and count > length // 5:
            raise Damaged(f"{where}: the head of the block has been altered")
        read_records(log, body, count, first)
        first += count
    if not whole and len(body) == length:
        raise Damaged(f"record {number}, at byte {at}: the checksum of this block of {count} records is"
                      " wrong")
    if not whole:
        raise Damaged(f"record {first}: the file ends inside a block")
    if chr(kind) == "T":
        read_table(log, body)
    elif chr(kind) == "L":
        cpu, lost = struct.unpack("<IQ", body)
        log.losses.append((first, cpu, lost))
    return at + HEADER + length, first


def sort_segments(log):
    """Blocks come CPU by CPU: put the records of each segment into the order of their numbers."""
    highest, start, segments = {}, 0, [0]
    for index, event in enumerate(log.events):
        if event.seq <= highest.get(event.cpu, 0):
            segments.append(index)
            highest = {}
        highest[event.cpu] = event.seq
    log.segments = segments
    for start, end in zip(segments, segments[1:] + [len(log.events)]):
        log.events[start:end] = sorted(log.events[start:end], key=lambda event: event.seq)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    log, at, first = Log(), 0, 0
    try:
        if not data:
            raise Damaged("record 0: the file is empty")
        while at < len(data):
            at, first = read_block(log, data, at, first)
    except Damaged as why:
        log.damage = str(why)
    sort_segments(log)
    return log
