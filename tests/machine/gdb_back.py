# SPDX-License-Identifier: MIT
"""Sourced by GDB on a recording (test_gdb_time.py): what `back`, `forth` and the reverse commands do there, told
in JSON lines that begin with the word for the test. The kernel's own counters say where the machine is."""
import json
import os
import signal

import gdb
from vitrine_gdb.time_checkpoints import store
from vitrine_gdb.time_machine import machine
from vitrine_gdb.time_operations import operations

NUMBERS = {"operations": "event_log.operations", "allocs": "kernel_vmalloc.space.stats.allocs", "size": "size"}
REVERSE = ["reverse-stepi"] * 25 + ["reverse-step"] * 25 + ["reverse-next"] * 25 + ["reverse-finish"] * 5 + \
    ["back", "forth event", "reverse-stepi", "back event"] * 5
KNOWN = 20  # operations that stay counted when others are forgotten


def read(expression):
    try:
        return int(gdb.parse_and_eval(expression))
    except gdb.error:
        return None


def execute(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as error:
        return f"error: {error}"


def say(word, **facts):
    print(f"{word} {json.dumps(facts)}")


def stand():
    return {name: read(expression) for name, expression in NUMBERS.items()} | {
        "function": gdb.selected_frame().name(), "at": machine.now()}


def backwards(times):
    """`back` from the end."""
    execute("goto end")
    say("end", **stand())
    for _ in range(times):
        said = execute("back")
        say("back", said=said, **stand())


def events():
    """Every event of the last operation by `forth event`, and what the log has of it in the end."""
    execute("goto end")
    say("told", said=execute("trace show"))
    execute("back")
    while True:
        said = execute("forth event")
        if "comes now" not in said:
            say("last", said=said)
            return
        say("event", said=said, line=execute("frame"))


def reverse():
    """A hundred of them, each from where the last one ended; each is bounded by time-limit."""
    execute("goto end")
    execute("back 3")
    execute("forth event 4")
    for command in REVERSE:
        before = machine.now()
        said = execute(command)
        say("reverse", command=command, before=before, after=machine.now(), said=said)
        if machine.now() < 1000:
            execute("goto end")


def from_the_end():
    """Forwards nothing happens, backwards everything does."""
    for command in ("continue", "stepi", "reverse-stepi", "reverse-step", "reverse-next", "reverse-finish",
                    "reverse-continue"):
        execute("goto end")
        before, said = machine.now(), execute(command)
        say("leave", command=command, said=said, gone=before - machine.now())


def forget_operations():
    operations.known = operations.starts[KNOWN - 1]
    del operations.starts[KNOWN:], operations.names[KNOWN:]


def interrupted(command, after):
    """A command, with Ctrl-C pressed after so many operations that it counts."""
    automatic, left = store.automatic, [after]

    def press(at):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGINT)
        automatic(at)
    store.automatic = press
    try:
        return execute(command)
    finally:
        store.automatic = automatic


def cut_short():
    starts = list(operations.starts)
    forget_operations()
    execute("goto end")
    say("cut", said=interrupted("back 2 op", 3), at=machine.now(), end=machine.end, known=len(operations.starts))
    say("again", said=execute("back 2 op"), at=machine.now(), wanted=starts[-2], same=operations.starts == starts)
    forget_operations()
    say("goto", said=execute(f"goto {KNOWN + 3}"), at=machine.now(), wanted=starts[KNOWN + 2])


def watched_write():
    """Back to a write, before it, and forward over it again: GDB must not compare with the value of later."""
    execute("goto end")
    watch = gdb.Breakpoint("kernel_vmalloc.space.stats.allocs", type=gdb.BP_WATCHPOINT)
    say("watch", said=execute("reverse-continue") + execute("reverse-stepi") + execute("continue") + execute("stepi"))
    watch.delete()


def edges():
    from_the_end()
    watched_write()
    cut_short()
    execute("goto op 30")
    say("register", said=execute("last-write size"))


for task in os.environ["VITRINE_TASKS"].split():
    {"back": lambda: backwards(50), "events": events, "reverse": reverse, "edges": edges}[task]()
