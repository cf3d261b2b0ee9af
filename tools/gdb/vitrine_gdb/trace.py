# SPDX-License-Identifier: MIT
"""`trace`: the event log as the shell's command of that name tells it, read from memory. (GDB's own
`trace`, for tracepoints, which QEMU does not have, is called `tp`.)"""
from eventlog import story

from .event_log import EventLog, called_from, explain
from .kernel import KernelCommand, Sentence, plural
from .spaces import Space

LAST = 20
USAGE = "usage: trace [show [OPERATION] | last [COUNT]]"
OFF = "the log is empty; `trace on` at the kernel's shell, or trace=on on its command line, starts it"


def design_of(_event):
    try:
        return Space().design
    except Sentence:
        return "?"


def operation_of(events, wanted):
    """The records of an operation, calls that it makes itself included; the newest when wanted is 0."""
    if not wanted:
        tops = [event for event in events if event.depth == 1 and event.name in ("BEGIN", "END")]
        if not tops:
            raise Sentence("the log has no operation; " + OFF if not events else "the log has no operation yet")
        wanted = tops[-1].operation
    found = [event for event in events if event.operation == wanted]
    if not found:
        known = sorted({event.operation for event in events if event.operation})
        raise Sentence(f"operation {wanted} is not in the log" +
                       (f": it has {known[0]} to {known[-1]}" if known else f"; {OFF}"))
    first, last = found[0], found[-1]
    return [event for event in events if event.cpu == first.cpu and first.seq <= event.seq <= last.seq]


def show(log, wanted):
    events = operation_of(log.events(), wanted)
    first = events[0]
    print(f"operation {first.operation}, called from {called_from(first)}; CPU {first.cpu}, {design_of(first)}: "
          f"{plural(len(events), 'step')} in {events[-1].ns - first.ns:,} ns")
    if first.name != "BEGIN":
        print("its beginning has been overwritten; `trace on` with fewer kinds keeps more")
    if not (events[-1].name == "END" and events[-1].operation == first.operation):
        print("it is under way: its end is not recorded yet")
    for number, event in enumerate(events, 1):
        print(story.step(number, event, log.table))


def last(log, count):
    events = log.events()
    for event in events[-count:]:
        print(f"{event.seq:7}  CPU {event.cpu}  op {event.operation:<5} {event.name:13} {explain(event, log.table)}")
    if not events:
        print(OFF)


def status(log):
    events = log.events()
    print(f"the event log is {'on' if log.on else 'off'}: {plural(log.seq, 'record')}, {len(events):,} of them kept, "
          f"{log.lost:,} overwritten by newer ones; {plural(log.operations, 'operation')}")
    if not log.seq:
        print(OFF)


class Trace(KernelCommand):
    """trace [show [OPERATION] | last [COUNT]]

The kernel's event log, read from its memory: `show` explains an operation (the newest, also one that is
under way) step by step in the words of the shell's `trace show`, `last` the newest records of all CPUs.

  BEGIN -> SEARCH, VISIT, GO_LEFT, PRUNE_LEFT ... TAKE -> CARVE_LE -> PROPAGATE -> LINK, ROTATE -> PTE_SET -> END
   each 64 bytes: seq, clock, operation, caller, kind, CPU, design, depth, a, b, c, d"""

    def __init__(self):
        super().__init__("trace")

    def run(self, words):
        verb, rest = (words[0], words[1:]) if words else ("status", [])
        if len(rest) > 1 or (rest and not rest[0].isdigit()) or (verb == "status" and rest):
            raise Sentence(USAGE)
        if verb not in ("show", "last", "status"):
            raise Sentence(USAGE)
        log = EventLog()
        if verb == "show":
            show(log, int(rest[0]) if rest else 0)
        elif verb == "last":
            last(log, int(rest[0]) if rest else LAST)
        else:
            status(log)


Trace()
