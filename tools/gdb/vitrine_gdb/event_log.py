# SPDX-License-Identifier: MIT
"""The kernel's event log (mm/event.h), read from its memory: the table of kinds, the rings, the records.

    event_log.cpu[n].ring:  |...|rec|rec|rec|...|     record i is at ring[i % size], for the last `size` of
                                        ^ head        them; a record whose seq is 0 is being written
"""
import struct

import gdb
from eventlog import story  # fills the sentences in, as it does for tools/trace

from .kernel import Sentence, astray, caller_name, layout, memory, symbol_address, symbolise

TABLE = "'mm/event_text.c'::kinds"
RECORD = struct.Struct("<QQIIHHHHQQQQ")
MAX_KINDS, MAX_CPUS, MAX_RECORDS, MAX_TEXT = 64, 64, 1 << 24, 1024


class Kind:
    """A row of the table."""

    def __init__(self, name, group, sentence):
        self.name, self.group, self.sentence = name, group, sentence


def kinds():
    """The kernel's own table, by number."""
    try:
        size = int(gdb.parse_and_eval(f"sizeof({TABLE})"))
    except gdb.error:
        raise Sentence("this kernel has no event log, or was built with other debug information") from None
    table = symbol_address(TABLE)
    data = memory.read(table, min(size, 24 * MAX_KINDS))
    return [Kind(*(memory.text(word, MAX_TEXT) for word in row)) for row in struct.iter_unpack("<3Q", data)]


class Event:
    """One record."""

    def __init__(self, fields, table):
        self.seq, self.ns, self.operation, self.caller, self.kind, self.cpu, self.design, self.depth = fields[:8]
        self.args = fields[8:]
        self.name = table[self.kind].name if self.kind < len(table) else f"?{self.kind}"


class Names:
    """Code addresses in sentences."""

    @staticmethod
    def name(address):
        return symbolise(address)


def explain(event, table):
    if event.kind >= len(table):
        return "a kind of record that this kernel does not know"
    return story.explain(event, table, Names)


class EventLog:
    """The rings. Each record is read once; those that are being written or overwritten do not count."""

    def __init__(self):
        self.log, self.kind = symbol_address("event_log"), layout("struct event_log")
        try:
            self.on = bool(self.number("on", 1))
        except Sentence:
            raise Sentence("the event log is not mapped yet: the kernel has not begun") from None
        self.seq, self.operations = self.number("seq"), self.number("operations", 4)
        self.table = kinds()
        self.lost = 0

    def number(self, field, size=8):
        return memory.number(self.log + self.kind.offset(field), size)

    def of_cpu(self, cpu):
        """[Event] of one CPU, oldest first."""
        kind = layout("struct event_cpu")
        base = self.log + self.kind.offset("cpu") + cpu * kind.size
        ring, size, head = (memory.number(base + kind.offset(name)) for name in ("ring", "size", "head"))
        if not ring:
            return []
        reason = astray(ring)
        if reason or not 0 < size <= MAX_RECORDS or size & (size - 1):
            raise Sentence(f"the ring of CPU {cpu}: " +
                           (f"`ring` is {reason}" if reason else f"`size` is {size}, which is no power of two"))
        data = memory.read(ring, size * RECORD.size)
        self.lost += max(head - size, 0)
        events = []
        for index in range(max(head - size, 0), head):
            event = Event(RECORD.unpack_from(data, index % size * RECORD.size), self.table)
            if event.seq:
                events.append(event)
        return events

    def events(self):
        """All, in the order in which they happened."""
        found = [event for cpu in range(MAX_CPUS) for event in self.of_cpu(cpu)]
        return sorted(found, key=lambda event: event.seq)


def recorded():
    """How many records the log has made so far; None while there is no log, or none was ever made."""
    try:
        kind = layout("struct event_log")
        return memory.number(symbol_address("event_log") + kind.offset("seq")) or None
    except Sentence:
        return None


def called_from(event):
    return caller_name(event.caller)
