# SPDX-License-Identifier: MIT
"""`ptdump`: all page tables in the format of Linux's debugfs page_tables, as the shell's ptdump prints
them; `ptdump --check` verifies P1 and P2 (pt_check.py).
"""
import struct

from . import pt
from .drawing import paint
from .kernel import KernelCommand, Sentence, memory
from .pages import DIRECT_MAP

TABLE_SIZE = 4096
PAT_HUGE = 1 << 12
SHOWN_BITS = pt.P | pt.W | pt.U | pt.PWT | pt.PCD | pt.PS | pt.G | pt.NX | PAT_HUGE
HIGH_HALF = 0xffff800000000000
MARKERS = [(0, "User Space"), (HIGH_HALF, "Kernel Space"), (DIRECT_MAP, "Low Kernel Mapping"),
           (0xffffc90000000000, "vmalloc() Area"), (0xffffea0000000000, "Vmemmap"),
           (0xffffffff80000000, "High Kernel Mapping")]
RANGES = {"kernel": (HIGH_HALF, 1 << 64), "vmalloc": (0xffffc90000000000, 0xffffe90000000000)}


class Run:
    """One entry that is a leaf or absent: where, of which level, and what holds for it effectively."""

    __slots__ = ("start", "size", "level", "value", "entry_at", "writable", "user", "executable")

    def __init__(self, start, size, level, value, entry_at, granted, denied):
        self.start, self.size, self.level, self.entry_at = start, size, level, entry_at
        self.value = value if value & pt.P else 0
        self.writable = bool(value & granted & pt.W) if self.value else False
        self.user = bool(value & granted & pt.U) if self.value else False
        self.executable = bool(self.value) and not (value | denied) & pt.NX

    @property
    def end(self):
        return self.start + self.size

    @property
    def frame(self):
        return (self.value & pt.FRAME & ~((1 << (12 + 9 * self.level)) - 1)) >> 12

    def alike(self):
        """What neighbours on one line have in common."""
        value = self.value & SHOWN_BITS & ~(PAT_HUGE if self.level == 0 else 0)
        return self.level, value, self.writable, self.user, self.executable


def read_table(table, who):
    try:
        return struct.unpack("<512Q", memory.read(DIRECT_MAP + table, TABLE_SIZE))
    except Sentence:
        raise Sentence(f"{who} leads to a table at {table:#x}, where no memory can be read") from None


def visit(start, end, troubles):
    """Runs of [start, end) in address order, unmerged. A table that cannot be read is a trouble."""
    yield from visit_table(pt.root_table(), "CR3", 3, 0, (start, end), pt.W | pt.U, 0, troubles)


def visit_table(table, who, level, base, limits, granted, denied, troubles):
    try:
        entries = read_table(table, who)
    except Sentence as sentence:
        troubles.append(str(sentence))
        return
    shift = 12 + 9 * level
    for index, value in enumerate(entries):
        at = base + (index << shift)
        if level == 3 and index >= 256:
            at += HIGH_HALF - (1 << 47)
        if at >= limits[1] or at + (1 << shift) <= limits[0]:
            continue
        leaf = level == 0 or (level < 3 and value & pt.PS)
        if not value & pt.P or leaf:
            yield Run(at, 1 << shift, level, value, DIRECT_MAP + table + 8 * index, granted, denied)
            continue
        who = f"{pt.LEVELS[level]}[{index}] at {DIRECT_MAP + table + 8 * index:#x}"
        yield from visit_table(value & pt.FRAME, who, level - 1, at, limits, granted & value,
                               denied | value, troubles)


def flags_of(run):
    if not run.value:
        return " " * 30
    large = run.level in (1, 2)
    pat = run.value & (pt.PS if run.level == 0 else PAT_HUGE if large else 0)
    return "".join([
        "USR " if run.value & pt.U else "    ", "RW " if run.value & pt.W else "ro ",
        "PWT " if run.value & pt.PWT else "    ", "PCD " if run.value & pt.PCD else "    ",
        "PSE " if large and run.value & pt.PS else "    ", "PAT " if pat else "    ",
        "GLB " if run.value & pt.G else "    ", "NX " if run.value & pt.NX else "x  "])


def print_line(start, end, run):
    size, unit = (end - start) >> 10, 0
    while not size & 1023 and unit < 5:
        size, unit = size >> 10, unit + 1
    print(f"0x{start:016x}-0x{end & (1 << 64) - 1:016x} {size:11}{'KMGTPE'[unit]} {flags_of(run)} "
          f"{pt.LEVELS[run.level].lower()}")


def dump(start, end, marker):
    """Neighbours that are alike on one line."""
    troubles, line = [], None  # [start, end, run]
    for run in visit(start, end, troubles):
        while marker < len(MARKERS) and run.start >= MARKERS[marker][0]:
            if line:
                print_line(*line)
                line = None
            print(f"---[ {MARKERS[marker][1]} ]---")
            marker += 1
        if line and line[1] == run.start and line[2].alike() == run.alike():
            line[1] = run.end
            continue
        if line:
            print_line(*line)
        line = [max(run.start, start), run.end, run]
    if line:
        print_line(line[0], min(line[1], end), line[2])
    for trouble in troubles:
        print(paint(trouble, "red"))


class PtDump(KernelCommand):
    """ptdump [kernel | vmalloc | --check]

All page tables, entries that are alike merged: range, size, flags, level. --check verifies:
  P1  each page of a live area has a PTE, to a frame that is allocated, and each guard page has none
  P2  no mapping is writable and executable; nothing outside kernel text is executable

  CR3 -> 512 PGD -> 512 PUD each -> 512 PMD -> 512 PTE       a leaf at PUD maps 1 GiB, at PMD 2 MiB"""

    def __init__(self):
        super().__init__("ptdump")

    def run(self, words):
        if words == ["--check"]:
            from .pt_check import command_check
            command_check()
        elif not words:
            dump(0, 1 << 47, 0)
            dump(HIGH_HALF, 1 << 64, 1)
        elif len(words) == 1 and words[0] in RANGES:
            dump(*RANGES[words[0]], {"kernel": 1, "vmalloc": 3}[words[0]])
        else:
            raise Sentence("usage: ptdump [kernel | vmalloc | --check]")


PtDump()
