# SPDX-License-Identifier: MIT
"""`last-write EXPRESSION`."""
import gdb

from .kernel import Sentence
from .time_checkpoints import go
from .time_machine import Expired, Limit, TimeCommand, ctrl_c_ends, machine, show_position
from .time_operations import command_at, find_all, operations
from .time_search import Search, Variable


def find_last_write(text, limit):
    """Go to the instruction that last changed an expression's bytes and say what it did."""
    here = machine.need_replay()
    variable = Variable(text)
    search = Search(variable, here, 0)
    try:
        with ctrl_c_ends():
            find_all(limit, here)
            write = search.find(limit)
    except Expired as expired:
        with Limit() as more:  # it stands in the middle of an interval that was not looked through yet
            go(search.down_to, more)
        raise Sentence(f"not finished {expired}: nothing has changed {text} since instruction "
                       f"{search.down_to:,}. You are there: the same with the address goes on, "
                       f"`last-write *({variable.type} *) {variable.address:#x}`; "
                       "`set time-limit SECONDS` allows more.") from None
    if not write:
        go(here, limit)
        raise Sentence(f"nothing in the recording changed {text} before this")
    go(write.after - 1, limit)
    print(f"{text} at {variable.address:#x}: {variable.show(write.old)} -> {variable.show(write.new)}")
    during = command_at(write.after)
    print(f"by the next instruction, {write.after - 1:,}, {operations.describe(write.after - 1)}"
          f"{f', during `{during}`' if during else ''}")


class LastWrite(TimeCommand):
    """last-write EXPRESSION

Back to the instruction that last changed a variable, a field, or the eight bytes at an address; it is
the next to execute, so `stepi` lets you see it happen. A write of the same value is no change.

    last-write kernel_vmalloc.counters.frees
    last-write ((struct vmap_area *) 0xffff888007e90478)->subtree_max_size
    last-write 0xffffc90000000010"""

    def __init__(self):
        super().__init__("last-write")

    def invoke(self, argument, from_tty):
        self.text = argument.strip()  # as typed: quotes and spaces are part of an expression
        super().invoke("", from_tty)

    def travel(self, words, limit):
        if not self.text:
            raise Sentence("usage: last-write EXPRESSION")
        find_last_write(self.text, limit)
        show_position()
        gdb.execute("x/i $pc")


LastWrite()
