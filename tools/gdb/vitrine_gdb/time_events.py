# SPDX-License-Identifier: MIT
"""The events inside an operation of a recording: where each is about to be recorded.

    vmalloc_range()                       vfree()
    ----|--------x-----x---x--x-----x------|----         x: EVENT(...) or STEP(...) in the source
      BEGIN   SEARCH VISIT TAKE  ...  END

Found once per operation, with one breakpoint on event_record(): who calls it, with what. An event's moment
is the first instruction of its site, so that the frame shows the line in the source that tells the step.
"""
import bisect

import gdb

from .event_log import Event, EventLog, explain, recorded
from .kernel import Sentence, memory, symbol_address
from .time_checkpoints import go
from .time_machine import END, Expired, ctrl_c_ends, machine
from .time_operations import code_ranges, inside_another, operations

RECORDER, TRAMPOLINE = "event_record", "event_site_call"
AT_STEP = 1  # instructions from the site to the recorder: the call itself
AT_EVENT = 25  # seven arguments pushed, the call, 16 instructions of mm/event_site.asm, its call
ARGUMENTS = ("rsi", "rdx", "rcx", "r8", "r9")  # kind, a, b, c, d
BEGINS, ENDS = "BEGIN", "END"
OFF = "the event log was off during this operation, so it has no events: the log goes on at the end of the boot, " \
      "unless APPEND has trace=off. `back op` and `forth op` go by operations"


class Site:
    """An event that is about to be recorded: `at` is its moment, `number` its seq."""

    def __init__(self, at, number, event):
        self.at, self.number, self.event = at, number, event


class OperationEvents:
    """All events of the operation that begins at an instruction."""

    def __init__(self, start, limit):
        self.sites, self.depth = [], 0
        go(start, limit)
        self.log = EventLog()
        if not self.log.on:
            raise Sentence(OFF)
        self.trampoline = symbol_address(TRAMPOLINE)
        point = gdb.Breakpoint(RECORDER, internal=True)
        point.silent = True
        try:
            self.entry = symbol_address(RECORDER)
            machine.run_to(self.bound(start), limit, self.stop)
        finally:
            point.delete()
        self.moments = [site.at for site in self.sites]

    @staticmethod
    def bound(start):
        """An operation ends before the next begins."""
        number = operations.number_at(start)
        return operations.starts[number] if number < len(operations.starts) else machine.end

    def stop(self, at):
        """At a stop: take the event down; True behind the END that belongs to the first BEGIN."""
        if int(gdb.parse_and_eval("(unsigned long)$pc")) != self.entry:
            return False
        memory.forget()
        kind, *args = (int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in ARGUMENTS)
        caller = memory.number(int(gdb.parse_and_eval("(unsigned long)$rsp")))
        through = self.trampoline <= caller < self.trampoline + 128
        number = recorded() or 0
        if self.sites and number < self.sites[-1].number:
            self.sites.pop()  # a filter kept the one before out of the log
        fields = (number + 1, 0, 0, 0, kind & 0xffff, 0, 0, 0, *args)
        event = Event(fields, self.log.table)
        self.sites.append(Site(at - (AT_EVENT if through else AT_STEP), number + 1, event))
        self.depth += (event.name == BEGINS) - (event.name == ENDS)
        return event.name == ENDS and self.depth <= 0

    def index_after(self, at):
        return bisect.bisect_right(self.moments, at)

    def index_before(self, at):
        return bisect.bisect_left(self.moments, at) - 1


known = {}


def events_of(start, limit):
    if start not in known:
        known[start] = OperationEvents(start, limit)
    return known[start]


def stands_inside(at):
    """Is the machine in the middle of the operation that began last: in one of its calls, or theirs?"""
    number = operations.number_at(at)
    if not number or operations.starts[number - 1] == at:
        return False
    ranges, pc = code_ranges(), int(gdb.parse_and_eval("(unsigned long)$pc"))
    memory.forget()
    try:
        above = memory.number(int(gdb.parse_and_eval("(unsigned long)$rsp")))
    except Sentence:
        above = 0
    # at the first instructions of a function, its return address is not in the chain of frames yet
    return any(first <= place < last for first, last in ranges for place in (pc, above)) or \
        inside_another(ranges)


def tell(events, index):
    site = events.sites[index]
    print(f"event {site.number:,}, step {index + 1} of {len(events.sites)} of the operation, comes now:  "
          f"{site.event.name}  {explain(site.event, events.log.table)}")


def step_events(at, count, limit):
    """count events on (negative: back) inside the operation around an instruction."""
    start = operations.starts[operations.number_at(at) - 1]
    try:
        with ctrl_c_ends():
            events = events_of(start, limit)
    except Expired as expired:
        raise Sentence(f"its events were not all found {expired}; `goto instruction {at}` leads back to where you "
                       "were; `set time-limit SECONDS` allows more.") from None
    except Sentence:
        go(at, limit)
        raise
    first = events.index_after(at) if count > 0 else events.index_before(at)
    index = first + (count - 1 if count > 0 else count + 1)
    if index < 0:
        go(start, limit)
        return "the beginning of the operation"
    if index < len(events.sites):
        go(events.sites[index].at, limit)
        tell(events, index)
        return None
    go(OperationEvents.bound(start), limit)
    return END if machine.now() == machine.end else "the operation has no further event: this is the next one"


def describe_event(at):
    """"event 214" for `now`: records so far, and which step of its operation comes next, if known."""
    number = recorded()
    if number is None:
        return None
    begun = operations.number_at(at)
    events = known.get(operations.starts[begun - 1]) if begun else None
    text = f"event {number:,}: so many are recorded"
    if events and events.sites and at <= events.sites[-1].at:
        site = events.sites[min(events.index_before(at) + 1, len(events.sites) - 1)]
        text += f"; next comes {site.event.name}"
    return text
