# SPDX-License-Identifier: MIT
"""`back [N]` and `forth [N]`: by allocator operations; inside of one, by its events.

    operation     30              31                  32
    ---------------|---------------|--x--x-o-x--x----|------     o: here, x: events
                            back 2 <--'--'   '--'--> forth 2
              back op 2 <--------- | <- back op      forth op --> |
"""
from .kernel import Sentence
from .time_checkpoints import go
from .time_events import stands_inside, step_events
from .time_machine import BEGINNING, END, TimeCommand, machine, show_position
from .time_operations import find_all, operations

UNITS = {"op": "op", "ops": "op", "operation": "op", "operations": "op", "event": "event", "events": "event"}


class Step(TimeCommand):
    """Common to both; name and direction differ."""

    def __init__(self, name, direction):
        super().__init__(name)
        self.name, self.direction = name, direction

    def usage(self):
        return Sentence(f"usage: {self.name} [N] [op | event]")

    def parse(self, words):
        """(count, "op", "event" or None): in either order."""
        unit, count = None, None
        for word in words:
            if word in UNITS and not unit:
                unit = UNITS[word]
            elif word.isdigit() and int(word) and not count:
                count = int(word)
            else:
                raise self.usage()
        return count or 1, unit

    def travel(self, words, limit):
        count, unit = self.parse(words)
        at = machine.need_replay()
        find_all(limit, at)
        if unit == "event" and not operations.number_at(at):
            raise Sentence("no operation has begun yet: events belong to operations. `forth op` leads to one.")
        if unit == "event" or (not unit and stands_inside(at)):
            said = step_events(at, self.direction * count, limit)
            show_position()
            if said:
                print(said)
            return
        self.by_operations(count, at, limit)

    def by_operations(self, count, at, limit):
        raise NotImplementedError


class Back(Step):
    """back [N] [op | event]

At the beginning of an allocator operation, or between two: to the beginning of the one before. In the
middle of one: to its previous event, that is the step of the allocator that was told last. N times;
`op` and `event` say which."""

    def __init__(self):
        super().__init__("back", -1)

    def by_operations(self, count, at, limit):
        begun = operations.number_at(at - 1)
        if not begun:
            raise Sentence(f"no operation begins before this. {BEGINNING if at == 0 else ''}".rstrip())
        if count > begun:
            print(f"only {begun} operations back")
        go(operations.starts[max(begun - count, 0)], limit)
        show_position()


class Forth(Step):
    """forth [N] [op | event]

At the beginning of an allocator operation, or between two: to the beginning of the next. In the middle
of one: to its next event. N times; `op` and `event` say which: `forth event` enters an operation."""

    def __init__(self):
        super().__init__("forth", 1)

    def by_operations(self, count, at, limit):
        number = operations.number_at(at) + count
        operations.find(limit, count=number)
        if number <= len(operations.starts):
            go(operations.starts[number - 1], limit)
            show_position()
            return
        go(machine.end, limit)
        show_position()
        print(END)


Back()
Forth()
