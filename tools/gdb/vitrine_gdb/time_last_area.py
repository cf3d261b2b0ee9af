# SPDX-License-Identifier: MIT
"""`last-alloc ADDR` and `last-free ADDR`.

No breakpoint is needed: the kernel remembers its last frees (vm_history), and an area knows when it was
born. So at any moment it can be seen whether the operation that is looked for has happened already, and
between "no" and "yes" the search halves the operations.
"""
from .kernel import Record, Sentence, evaluate, layout, memory, symbolise
from .spaces import Space
from .time_checkpoints import go
from .time_machine import Expired, TimeCommand, ctrl_c_ends, machine, show_position
from .time_operations import find_all, operations


def frees():
    """How many areas the kernel has freed so far; 0 while there is no space."""
    try:
        space = Space()
    except Sentence:
        return 0
    return memory.number(space.vmalloc + layout("struct vmalloc").offset("history_next"))


def remembered(address):
    """(number, record) of the last free of an area that covered the address, or None."""
    space, whole, entry = Space(), layout("struct vmalloc"), layout("struct vm_history")
    base, slots = space.vmalloc + whole.offset("history"), whole.fields["history"][1] // entry.size
    total = frees()
    for index in range(total - 1, max(total - slots, 0) - 1, -1):
        record = Record("struct vm_history", base + index % slots * entry.size)
        if record["start"] <= address < record["end"]:
            return index, record
    return None


def living(address):
    """The vm_struct of the busy area there, or None."""
    try:
        area = Space().find(address)
    except Sentence:
        return None
    return area.vm() if area else None


class Area(TimeCommand):
    """What both have in common."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name

    def travel(self, words, limit):
        if len(words) != 1:
            raise Sentence(f"usage: {self.name} ADDR")
        address, here = evaluate(words[0]), machine.need_replay()
        find_all(limit, here)
        happened = self.question(address)
        try:
            with ctrl_c_ends():
                number = self.first(happened, here, limit)
        except Expired as expired:
            raise Sentence(f"not finished {expired}: `goto instruction {here}` leads back to where you "
                           "were; `set time-limit SECONDS` allows more.") from None
        go(operations.starts[number], limit)
        start, name = operations.starts[number], operations.names[number]
        print(f"operation {number + 1}, instruction {start:,}: {name}")
        show_position()

    def question(self, address):
        raise NotImplementedError

    @staticmethod
    def first(happened, here, limit):
        """The operation (from 0) that made happened() true: it was false at its beginning, and is true at
        the beginning of the next."""
        low, high = 0, operations.number_at(here)
        while low < high:
            middle = (low + high) // 2
            if middle + 1 < len(operations.starts) and operations.starts[middle + 1] <= here:
                go(operations.starts[middle + 1], limit)
            else:
                go(here, limit)
            memory.forget()
            if happened():
                high = middle
            else:
                low = middle + 1
        if low >= operations.number_at(here):
            go(here, limit)
            raise Sentence("no operation of the recording did that")
        return low


class LastFree(Area):
    """last-free ADDR

Back to the beginning of the operation that freed the area at ADDR the last time: where a use after free
began. The kernel remembers its last 256 frees."""

    def __init__(self):
        super().__init__("last-free")

    def question(self, address):
        found = remembered(address)
        if not found:
            raise Sentence(f"no free of an area at {address:#x} is remembered"
                           f"{' (the kernel remembers the last 256)' if frees() > 256 else ''}")
        number, record = found
        print(f"[{record['start']:#x}, {record['end']:#x}) was freed by {symbolise(record['free_caller'])}")
        return lambda: frees() > number


class LastAlloc(Area):
    """last-alloc ADDR

Back to the beginning of the operation that allocated the area at ADDR, or the area that was there last."""

    def __init__(self):
        super().__init__("last-alloc")

    def question(self, address):
        vm, found = living(address), remembered(address)
        if vm:
            born = vm["born_ns"]
            print(f"[{vm['addr']:#x}, {vm['addr'] + vm['size']:#x}) was allocated by "
                  f"{symbolise(vm['caller'])}")
            return lambda: self.born_is(address, born)
        if not found:
            raise Sentence(f"no area at {address:#x}, and no free of one is remembered")
        number, record = found
        born = record["born_ns"]
        print(f"[{record['start']:#x}, {record['end']:#x}) was allocated by "
              f"{symbolise(record['alloc_caller'])}, freed by {symbolise(record['free_caller'])}")
        return lambda: frees() > number or self.born_is(address, born)

    @staticmethod
    def born_is(address, born):
        vm = living(address)
        return vm is not None and vm["born_ns"] == born


LastFree()
LastAlloc()
