# SPDX-License-Identifier: MIT
"""`klog [N]`: the ring that printk() fills, also what never reached a console."""
import gdb

from .drawing import paint
from .kernel import KernelCommand, Sentence, layout, memory, symbol_address

RING = "'kernel/printk.c'::ring"
COLORS = {0: "red", 1: "yellow", 3: "dim"}
POSITIONS = 24  # first, end, next_sequence come before the bytes


def records(first, end, data):
    """(sequence, time, level, text) from the ring; stops where it makes no sense."""
    record = layout("struct log_record")
    size = len(data)

    def take(at, length):
        at %= size
        return (data + data)[at:at + length] if at + length <= 2 * size else b""

    while first < end:
        header = take(first, record.size)
        value = {name: int.from_bytes(header[offset:offset + width], "little")
                 for name, (offset, width) in record.fields.items()}
        step = record.size + value["length"]
        if first + step > end:
            print(paint("(a record is half written: the kernel was stopped inside printk)", "dim"))
            return
        text = take(first + record.size, value["length"]).decode("utf-8", "replace")
        yield value["sequence"], value["time_ns"], value["level"], text
        first += step


class Klog(KernelCommand):
    """klog [N]

The kernel's log, or its last N lines. Level error is red, warn yellow, debug dim.

  ring:  ...|header|text|header|text|...     header: time, sequence, level, length
            ^ first                 ^ end    the oldest are overwritten"""

    def __init__(self):
        super().__init__("klog")

    def run(self, words):
        if len(words) > 1 or (words and not words[0].isdigit()):
            raise Sentence("usage: klog [N]")
        base = symbol_address(RING)
        try:
            first, end = memory.number(base), memory.number(base + 8)
            size = self.ring_size()
            if end - first > size or first > end:
                raise Sentence("the log ring makes no sense: it is overwritten, or not yet zeroed")
            data = memory.read(base + POSITIONS, size)
        except Sentence as sentence:
            raise Sentence(f"no log to read ({sentence})") from None
        lines = list(records(first, end, data))
        if not lines:
            print("the log is empty")
        for _sequence, time, level, text in lines[-int(words[0]):] if words else lines:
            stamp = f"[{time // 10**9:5}.{time // 1000 % 10**6:06}] "
            print(paint(stamp + text, *([COLORS[level]] if level in COLORS else [])))

    @staticmethod
    def ring_size():
        return int(gdb.parse_and_eval(f"sizeof({RING}.bytes)"))


Klog()
