# SPDX-License-Identifier: MIT
"""`now`, `time-begin`, and the moment in GDB's prompt."""
import contextlib

import gdb

from .event_log import recorded
from .kernel import KernelCommand, Sentence, memory, plural
from .time_checkpoints import go, store
from .time_events import describe_event
from .time_machine import Expired, Limit, TimeCommand, ctrl_c_ends, machine, session, show_position
from .time_operations import command_at, operations


class Now(KernelCommand):
    """now

The moment at which the machine stands: instruction, allocator operation, event (how many the event log
has recorded) and the shell command that runs. The prompt shows the first three.

    (gdb 11,288,913 op 29 ev 14)"""

    def __init__(self):
        super().__init__("now")

    def run(self, words):
        if words:
            raise Sentence("usage: now")
        at = machine.need_replay()
        of = f" of {machine.end:,}" if machine.end else ""
        print(f"instruction {at:,}{of}")
        if operations.known >= at:
            total = f" (of {len(operations.starts)})" if operations.complete() else ""
            print(f"{operations.describe(at)}{total}")
        else:
            print("the operations up to here are not counted yet: `back` or `goto op N` does it")
        print(describe_event(at) or "no event is recorded yet (`trace` tells whether the log is on)")
        command = command_at(at)
        if command:
            print(f"during `{command}`")


class TimeBegin(TimeCommand):
    """time-begin

How `make gdb-reverse` begins: counts the recording's operations, makes checkpoints on the way, and goes
to the first operation of the shell command (OP=), else to the end."""

    def __init__(self):
        super().__init__("time-begin")

    def so_far(self):
        return f"{plural(len(operations.starts), 'operation')} up to instruction {operations.known:,} are known"

    def travel(self, words, limit):
        if session.get("mode") != "replay":
            raise Sentence("this is for `make gdb-reverse`")
        print("Looking for the allocator operations in the recording; Ctrl-C puts that off.")
        with contextlib.suppress(Expired), ctrl_c_ends():
            operations.find(limit)
        limit.__exit__()
        commands = session.get("commands", [])
        so_far = "" if operations.complete() else \
            f" up to instruction {operations.known:,} (later ones are counted when they are needed)"
        print(f"Recorded: {plural(machine.end, 'instruction')}, "
              f"{plural(len(operations.starts), 'allocator operation')}{so_far}, "
              f"{plural(len(commands), 'shell command')}; {plural(len(store.all()), 'checkpoint')}.")
        with Limit() as another:
            self.go_there(commands, another)
        show_position()

    @staticmethod
    def go_there(commands, limit):
        if session.get("at") == "command" and commands:
            first = operations.number_at(commands[0]["start"])
            if first < len(operations.starts) and operations.starts[first] <= commands[0]["end"]:
                go(operations.starts[first], limit)
                return
            print(f"`{commands[0]['text']}` makes no allocator operation; this is the end.")
        go(machine.end, limit)


def prompt(_current):
    """(gdb 11,436,848 op 31 ev 214) on a replay."""
    memory.forget()
    try:
        at, event = machine.now(), recorded()
    except (Sentence, KeyboardInterrupt):
        return None
    if at is None:
        return None
    number = operations.number_at(at) if operations.known >= at else 0
    return f"(gdb {at:,}{f' op {number}' if number else ''}{f' ev {event}' if event else ''}) "


Now()
TimeBegin()
if session.get("mode") == "replay":
    gdb.prompt_hook = prompt
