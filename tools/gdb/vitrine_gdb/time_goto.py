# SPDX-License-Identifier: MIT
"""`goto N`."""
from .kernel import Sentence
from .time_checkpoints import go
from .time_machine import END, TimeCommand, machine, show_position
from .time_operations import MAX_OPERATIONS, operations

USAGE = "usage: goto N | goto op N | goto instruction N | goto start | goto end"


class Goto(TimeCommand):
    """goto N
goto op N
goto instruction N
goto start, goto end

To the beginning of allocator operation N, or to instruction N: a number that no operation has is an
instruction. Forwards and backwards alike."""

    def __init__(self):
        super().__init__("goto")

    def travel(self, words, limit):
        machine.need_replay()
        target = self.target([word.replace(",", "") for word in words], limit)
        if machine.end is not None and target > machine.end:
            raise Sentence(f"the recording ends at instruction {machine.end:,}")
        go(target, limit)
        show_position()
        if target == machine.end:
            print(END)

    def target(self, words, limit):
        if words == ["start"]:
            return 0
        if words == ["end"] and machine.end is not None:
            return machine.end
        kinds = {"op": "op", "operation": "op", "instruction": "instruction"}
        kind = kinds.get(words[0]) if len(words) == 2 else None
        if not words or not words[-1].isdigit() or (len(words) != 1 and not kind):
            raise Sentence(USAGE)
        number = int(words[-1])
        uncounted = 0 if operations.complete() else MAX_OPERATIONS
        if kind == "op" or (not kind and number <= max(len(operations.starts), uncounted)):
            return self.operation(number, limit)
        return number

    @staticmethod
    def operation(number, limit):
        if number > len(operations.starts) and not operations.complete():
            operations.find(limit, count=number)
        if not 1 <= number <= len(operations.starts):
            raise Sentence(f"there are operations 1 to {len(operations.starts)}")
        return operations.starts[number - 1]


Goto()
