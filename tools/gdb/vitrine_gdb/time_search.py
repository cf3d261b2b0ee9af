# SPDX-License-Identifier: MIT
"""Who wrote that? The search behind `last-write` and `who-changed`.

    1 take the interval from the newest checkpoint to now, watch the bytes, run through it
    2 something wrote: the last of these writes is the answer
    3 nothing: the interval before it, and so on
    4 so many writes that reporting each takes long: the later half of the interval first
"""
import gdb

from .kernel import Sentence, memory
from .time_checkpoints import go, store
from .time_machine import machine

MAX_BYTES = 4096
MAX_STOPS = 200  # writes in one interval that are looked at one by one


class Variable:
    """The bytes behind an expression. Values are read with the type that it has now."""

    def __init__(self, text):
        self.text = text
        try:
            value = gdb.parse_and_eval(text)
        except gdb.error as error:
            raise Sentence(f"{text}: {error}") from None
        if value.address is None:
            value = self.at_address(value)
        self.address, self.type = int(value.address) & (1 << 64) - 1, value.type
        self.size = self.type.sizeof
        if not 0 < self.size <= MAX_BYTES:
            raise Sentence(f"{text} is {self.size} bytes: name one field of it (at most {MAX_BYTES} bytes)")

    def at_address(self, value):
        """A plain number is the address of eight bytes."""
        if value.type.strip_typedefs().code not in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_PTR) \
                or "$" in self.text or (self.text.isidentifier() and not value.is_optimized_out):
            raise Sentence(f"{self.text} is not in memory: it is a value, or in a register")
        try:
            number = int(value)
        except gdb.error:
            raise Sentence(f"{self.text} was optimised out: no memory holds it") from None
        word = gdb.lookup_type("unsigned long").pointer()
        return gdb.Value(number).cast(word).dereference()

    def bytes(self):
        memory.forget()
        try:
            return memory.read(self.address, self.size)
        except Sentence:
            return None

    def show(self, data):
        if data is None:
            return "<not mapped>"
        try:
            return gdb.Value(data, self.type).format_string(max_elements=8)
        except (gdb.error, TypeError, ValueError):
            return data[:16].hex()

    def watch(self):
        """A watchpoint of the hardware kind; the other kind would step instruction by instruction."""
        text = f"*(char (*)[{self.size}]) {self.address:#x}"
        try:
            watch = gdb.Breakpoint(text, type=gdb.BP_WATCHPOINT, internal=True)
        except gdb.error as error:
            raise Sentence(f"{self.text} cannot be watched: {error}") from None
        watch.silent = True
        if watch.type != gdb.BP_HARDWARE_WATCHPOINT:
            watch.delete()
            raise Sentence(f"{self.text} cannot be watched")
        return watch


class Write:
    """after: the instruction count right behind the writing instruction."""

    def __init__(self, after, old, new):
        self.after, self.old, self.new = after, old, new


class Search:
    """The last write before `end`. down_to: nothing after it is left to search, for who is interrupted."""

    def __init__(self, variable, end, floor):
        self.variable, self.down_to, self.floor = variable, end, floor

    def find(self, limit):
        while self.down_to > self.floor:
            start = max(store.before(self.down_to - 1)[0], self.floor)
            write = self.in_interval(start, self.down_to, limit)
            if write:
                return write
            self.down_to = start
        return None

    def in_interval(self, start, end, limit):
        """Step 4 as a loop: [start, end) shrinks from the front to what may hold the last write."""
        while True:
            writes, complete = self.run_through(start, end, limit)
            if complete or end - start < 2:
                return writes[-1] if writes else None
            middle = (start + end) // 2
            later = self.in_interval(middle, end, limit)
            if later:
                return later
            end = middle

    def run_through(self, start, end, limit):
        """The writes of an interval, or the first MAX_STOPS of them, and whether these are all."""
        go(start, limit)
        writes, last = [], self.variable.bytes()
        watch, hits = self.variable.watch(), 0

        def stop(at):
            nonlocal last, hits
            data, written = self.variable.bytes(), watch.hit_count > hits
            mapped = last is not None and data is not None  # else new page tables alone may make the difference
            if data != last and at <= end and (mapped or written):
                writes.append(Write(at, last, data))
            last, hits = data, watch.hit_count
            return len(writes) >= MAX_STOPS and at < end
        try:
            at = machine.run_to(end, limit, stop)
        finally:
            watch.delete()
        return writes, at >= end

