# SPDX-License-Identifier: MIT
"""Records in words: the sentences of mm/event_kinds.h, which the stream carries, with the numbers filled
in as the kernel's `trace show` does. A test compares the two."""
import bisect
import re
import subprocess

PAGE = 4096
KERNEL_BASE = 0xffffffff80000000
PLACEHOLDER = re.compile(r"\{([a-d])([a-d])?(?::([xzoy])|((?:\|[^|}]*)+))?\}")


class Symbols:
    """Names for code addresses, from the kernel's ELF file; without one, plain addresses."""

    def __init__(self, kernel=None):
        self.starts, self.rows = [], []
        if kernel:
            listing = subprocess.run(["nm", "-n", "-S", kernel], check=True, stdout=subprocess.PIPE,
                                     text=True).stdout
            rows = [line.split() for line in listing.splitlines()]
            self.rows = [(int(row[0], 16), int(row[1], 16), row[3]) for row in rows
                         if len(row) == 4 and row[2] in "tT"]
            self.starts = [row[0] for row in self.rows]

    def name(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        if at >= 0 and address < self.rows[at][0] + self.rows[at][1]:
            start, size, name = self.rows[at]
            return f"{name}+{address - start:#x}/{size:#x}"
        return f"{address:#018x}"

    def caller(self, packed):
        return self.name(KERNEL_BASE + packed) if packed else "nobody"


def hexadecimal(value):
    return f"{value:#x}" if value else "0"


def size(value):
    """As the kernel writes it: whole pages; from 1 GiB on the largest unit, rounded to a tenth."""
    if value % PAGE:
        return f"{value} bytes"
    if value < 1 << 30:
        return f"{value // PAGE} page{'s'[:value != PAGE]}"
    unit = (value.bit_length() - 1) // 10
    whole, tenths = divmod((value * 10 + (1 << unit * 10) // 2) >> unit * 10, 10)
    if whole == 1024:
        whole, unit = 1, unit + 1
    return f"{whole}{f'.{tenths}' if tenths else ''} {' KMGTPE'[unit]}iB"


def explain(event, kinds, symbols=None):
    values = dict(zip("abcd", event.args))

    def fill(match):
        first, second, how, words = match.groups()
        value = values[first]
        if second and not how:
            return f"[{hexadecimal(value)}, {hexadecimal(values[second])})"
        if second:
            value = (values[second] - value) & (1 << 64) - 1
        if words:
            choices = words[1:].split("|")
            return choices[value] if value < len(choices) else "?"
        if how == "x":
            return hexadecimal(value)
        if how == "z":
            return size(value)
        if how == "y":
            return (symbols or Symbols()).name(value)
        return f"a block of order {value}" if how == "o" else str(value)

    return PLACEHOLDER.sub(fill, kinds[event.kind].sentence)


def step(number, event, kinds, symbols=None):
    """One line of `trace show`."""
    indent = "  " * (event.depth - 1 if event.depth > 1 else 0)
    return f"{number:4}  {indent}{event.name:13} {explain(event, kinds, symbols)}"


def operations(events):
    """Lists of records: each a call of the public API, with the calls that it makes itself, or what lies
    between two calls (their operation is 0). In order of their beginnings."""
    open_, groups = {}, []
    for event in events:
        current = open_.get(event.cpu)
        top = event.operation and event.depth == 1
        if current is None or (top and current[0].operation != event.operation) or \
                (event.depth == 0 and current[0].operation):
            current = open_[event.cpu] = []
            groups.append(current)
        current.append(event)
        if top and event.name == "END":
            open_[event.cpu] = None
    return groups


def narrative(log, symbols, only=None, wanted=None):
    """Yield the lines of the whole log, or of operation `only`, of kinds in `wanted`."""
    for group in operations(log.events):
        number = group[0].operation
        if only and number != only:
            continue
        spent = group[-1].ns - group[0].ns
        if number:
            yield (f"operation {number}, called from {symbols.caller(group[0].caller)}; "
                   f"CPU {group[0].cpu}: {len(group)} step{'s'[:len(group) != 1]} in {spent:,} ns")
        else:
            yield f"between operations, CPU {group[0].cpu}"
        for index, event in enumerate(group, 1):
            if not wanted or log.kinds[event.kind].group in wanted or event.name in wanted:
                yield step(index, event, log.kinds, symbols)
