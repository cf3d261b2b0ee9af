# SPDX-License-Identifier: MIT
"""Sourced by GDB (test_gdb_damage.py): the kernel is stopped at $stops events, taken at random; what do the
checks say there? Prints "stops N, between operations M, in the middle K", and each false alarm.

A false alarm is a law called BROKEN although nothing is wrong:
  - between two operations, whatever is called BROKEN;
  - inside of one, what is called BROKEN without the line that says who is at work there.
"""
import random

import gdb
from vitrine_gdb.event_log import EventLog, recorded
from vitrine_gdb.kernel import memory

COMMANDS = ("vmap check", "buddy", "slab")
UNDER_WAY = ("an operation is under way",)
MOST_SKIPPED = 5


def is_bad(line):
    return "BROKEN" in line or line[:3] in ("B1:", "B2:", "B3:", "S1:", "S2:") or \
        "makes no sense" in line or "GDB could not" in line


def alarms(text):
    """What is called broken, and nobody is said to be at work."""
    bad = [line for line in text.splitlines() if is_bad(line)]
    return bad, bool(bad) and not any(words in text for words in UNDER_WAY)


def between_operations():
    """Does event_record() open or close an outermost call right now? Then all laws must hold."""
    memory.forget()
    kind, names = int(gdb.parse_and_eval("(unsigned)$rsi")), EventLog().table
    depth = int(gdb.parse_and_eval("event_log.cpu[0].depth"))
    return (names[kind].name, depth) in (("BEGIN", 0), ("END", 1))


def run(wanted, seed):
    chance, stops, between, middle, false = random.Random(seed), 0, 0, 0, []
    point = gdb.Breakpoint("event_record", internal=True)
    point.silent = True
    while stops < wanted:
        point.ignore_count = chance.randrange(MOST_SKIPPED)
        before = recorded()
        gdb.execute("continue", to_string=True)
        if gdb.selected_frame().name() != "event_record":
            print(f"the workload is over after {before} events")
            break
        stops, outside = stops + 1, between_operations()
        between += outside
        for command in COMMANDS:
            bad, alarm = alarms(gdb.execute(command, to_string=True))
            middle += bool(bad) and not alarm
            if alarm or (outside and bad):
                false.append(f"false alarm of `{command}` at event {before}: {bad}")
    print("\n".join(false))
    print(f"stops {stops}, between operations {between}, broken in the middle {middle}, false {len(false)}")


run(int(gdb.parse_and_eval("$stops")), int(gdb.parse_and_eval("$seed")))
