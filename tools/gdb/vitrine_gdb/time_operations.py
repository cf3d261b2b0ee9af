# SPDX-License-Identifier: MIT
"""The allocator operations of a recording: where each begins.

An operation is a call of one of the functions in ENTRIES that is not inside another such call. They are
found once, in one run through the replay with a breakpoint on each; afterwards `goto`, `back` and
`forth` need no breakpoint, only an instruction number. Checkpoints are made on the way.
"""
import bisect

import gdb

from .kernel import Sentence, memory
from .time_checkpoints import go, store
from .time_machine import Expired, Limit, ctrl_c_ends, machine, session

ENTRIES = ("vmalloc_range", "vmap", "ioremap", "ioremap_wc", "ioremap_cache", "vm_map_ram", "vrealloc",
           "get_vm_area", "vfree", "vfree_from", "run_deferred", "vunmap", "iounmap", "vm_unmap_ram",
           "free_vm_area", "flush_purge")
FRAMES = 64
MAX_OPERATIONS = 200_000


def function(name):
    """The symbol of an entry function, or None: this kernel has none, or only inlined."""
    return gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)


def code_ranges():
    """[(first, last)] of the entry functions' code."""
    ranges = []
    for name in ENTRIES:
        symbol = function(name)
        if symbol:
            start = int(symbol.value().address)
            block = gdb.block_for_pc(start)
            ranges.append((start, block.end if block else start + 1))
    return ranges


def inside_another(ranges):
    """Does a caller of this function belong to an operation? By the chain of frame pointers."""
    memory.forget()
    frame = int(gdb.parse_and_eval("(unsigned long)$rbp"))
    try:
        for _ in range(FRAMES):
            back, older = memory.number(frame + 8), memory.number(frame)
            if any(first <= back < last for first, last in ranges):
                return True
            if older <= frame:
                return False
            frame = older
    except Sentence:
        pass
    return False


class EntryBreakpoints:
    """with EntryBreakpoints() as entries: the machine stops at every entry; entries.name() says which."""

    def __enter__(self):
        self.all, self.ranges = [], code_ranges()
        for name in ENTRIES:
            if function(name):
                breakpoint = gdb.Breakpoint(name, internal=True)
                breakpoint.silent = True
                self.all.append((name, breakpoint))
        if not self.all:
            raise Sentence("no symbols of the kernel: `file build/og/kernel.elf` first")
        self.hits = self.count()
        return self

    def count(self):
        return [breakpoint.hit_count for _, breakpoint in self.all]

    def name(self):
        """The entry that the machine has just stopped at, when it begins an operation."""
        hits, before = self.count(), self.hits
        self.hits = hits
        for (name, _), old, new in zip(self.all, before, hits):
            if new != old:
                return None if inside_another(self.ranges) else name
        return None

    def __exit__(self, *_):
        for _, breakpoint in self.all:
            breakpoint.delete()


class Operations:
    """starts, names: of the operations found so far, all that begin before instruction `known`."""

    def __init__(self):
        self.starts, self.names, self.known = [], [], 0

    def complete(self):
        return machine.end is not None and self.known >= machine.end

    def find(self, limit, until=None, count=None):
        """Look on, until an instruction is passed or so many are known; the machine ends up anywhere."""
        goal = machine.end if machine.end is not None else until
        if goal is None:
            raise Sentence("the end of this recording is not known: give an instruction number")
        if until is not None:
            goal = min(goal, until)
        if self.known >= goal or (count is not None and len(self.starts) >= count):
            return
        go(self.known, limit)
        with EntryBreakpoints() as entries:
            def stop(at):
                name = entries.name()
                self.known = max(self.known, at)
                if name and (not self.starts or at > self.starts[-1]):
                    self.starts.append(at)
                    self.names.append(name)
                    store.automatic(at)
                return len(self.starts) >= (MAX_OPERATIONS if count is None else count)
            machine.run_to(goal, limit, stop)
        self.known = max(self.known, machine.now())

    def number_at(self, at):
        """How many operations have begun at that instruction (included)."""
        return bisect.bisect_right(self.starts, at)

    def describe(self, at):
        number = self.number_at(at)
        if not number:
            return "before the first operation"
        since = at - self.starts[number - 1]
        where = "at the beginning of" if since == 0 else f"{since:,} instructions after the beginning of"
        return f"{where} operation {number} ({self.names[number - 1]})"


operations = Operations()


def find_all(limit, at):
    """Every operation up to an instruction, and back to it; what is missing when the limit is over."""
    if operations.known >= at:
        return
    try:
        with ctrl_c_ends():
            operations.find(limit, until=at)
    except Expired as expired:
        with Limit() as more:  # the same command again must mean the same
            go(at, more)
        raise Sentence(f"operations are known up to instruction {operations.known:,} only, "
                       f"{len(operations.starts):,} so far ({expired}); the same command again looks on. "
                       "`set time-limit SECONDS` allows more at once.") from None
    go(at, limit)


def command_at(at):
    """The shell command that runs at an instruction, or None."""
    for each in session.get("commands", ()):
        if each["start"] < at <= each["end"]:
            return each["text"]
    return None
