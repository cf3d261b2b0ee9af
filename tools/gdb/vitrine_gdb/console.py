# SPDX-License-Identifier: MIT
"""`console`: the guest's serial line, seen from GDB. And `operation`, which types there."""
import os
import socket

import gdb

from .kernel import KernelCommand, Sentence
from .time_machine import TimeCommand, machine, session, show_position
from .time_operations import EntryBreakpoints

LINES = 20
NEXT_PROMPT, WAITING, RUN_LINE = "editor_start", "console_input_wait", "command_run_line"  # of the kernel's shell


def send(text):
    """Type a line at the guest's shell; it reads it when the machine runs."""
    if "console" not in session:
        raise Sentence("typing needs the live machine of `make gdb`" if session.get("mode") == "replay" else
                       "typing needs a session of `make gdb`; type at the terminal where QEMU runs")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(session["console"])
            line.sendall(text.encode() + b"\r")
    except OSError as error:
        raise Sentence(f"the machine's console is gone ({error.strerror}): QEMU has ended") from None


class Console(KernelCommand):
    """console [N]
console type TEXT

The last N (20) lines that the kernel has written to its serial console; `console type` types a command
for its shell, which runs it when you continue. On a replay: what the whole recording wrote."""

    needs_machine = False

    def __init__(self):
        super().__init__("console")

    def invoke(self, argument, from_tty):
        self.text = argument.strip()
        super().invoke("", from_tty)

    def run(self, words):
        if self.text.startswith("type "):
            send(self.text[5:].strip())
            return
        if self.text and not self.text.isdigit():
            raise Sentence("usage: console [N] | console type TEXT")
        if "log" not in session:
            raise Sentence("the console is on the terminal where QEMU runs")
        try:
            with open(os.path.abspath(session["log"]), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError as error:
            raise Sentence(f"{session['log']}: {error.strerror}") from None
        lines = text.replace("\r", "").splitlines()
        print("\n".join(lines[-int(self.text or LINES):]) if lines else "nothing was written yet")


class Operation(TimeCommand):
    """operation COMMAND

Let the kernel's shell run a command and stop at the first line of the first allocator operation that it
makes. `make gdb OP='vmalloc 3p'` begins with it; again for the next command."""

    def __init__(self):
        super().__init__("operation")

    def invoke(self, argument, from_tty):
        self.text = argument.strip()
        super().invoke("", from_tty)

    def so_far(self):
        show_position()
        return "the machine is where the frame shows; `console` shows what it said"

    def travel(self, words, limit):
        if not self.text:
            raise Sentence("usage: operation COMMAND")
        if session.get("mode") == "replay":
            raise Sentence("a recording runs no new commands: `make gdb OP=...`, or record another")
        if not self.at_the_prompt(limit):
            raise Sentence("the machine did not reach its shell: `console` shows what it said")
        send(self.text)
        if not self.stop_at(RUN_LINE, limit):
            raise Sentence("the shell did not take the line: `console` shows what it said")
        self.next_operation(limit)
        show_position()

    @staticmethod
    def breakpoint(name):
        breakpoint = gdb.Breakpoint(name, internal=True)
        breakpoint.silent = True
        return breakpoint

    def at_the_prompt(self, limit):
        """Up to where the shell waits for a line, unless it does already."""
        if self.shell_waits():
            return True
        return self.stop_at(NEXT_PROMPT, limit)

    def stop_at(self, function, limit):
        """Run to the next call of a function; whether the machine got there."""
        there = self.breakpoint(function)
        try:
            machine.run(limit)
            return there.hit_count > 0
        finally:
            there.delete()

    @staticmethod
    def shell_waits():
        """By the boot CPU's stack."""
        gdb.selected_inferior().threads()[-1].switch()
        frame = gdb.newest_frame()
        while frame:
            if frame.name() in (NEXT_PROMPT, WAITING):
                return True
            frame = frame.older()
        return False

    def next_operation(self, limit):
        """The first entry of an operation, or the prompt again."""
        with EntryBreakpoints() as entries:
            prompt = self.breakpoint(NEXT_PROMPT)
            try:
                machine.run(limit)
                while not entries.name():
                    if prompt.hit_count:
                        raise Sentence(f"`{self.text}` has run without an allocator operation; "
                                       "`console` shows what it said")
                    machine.run(limit)
            finally:
                prompt.delete()


Console()
Operation()
