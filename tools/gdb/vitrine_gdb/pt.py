# SPDX-License-Identifier: MIT
"""`pt [PID:]ADDR`: the page-table walk of one address, from CR3 or a process' root down, through the direct map."""
import re

import gdb

from .drawing import paint
from .kernel import KernelCommand, Sentence, evaluate, human, memory
from .pages import DIRECT_MAP
from .processes import process

LEVELS = ["PTE", "PMD", "PUD", "PGD"]
FRAME = 0x000ffffffffff000
P, W, U, PWT, PCD, A, D, PS, G, NX = (1 << bit for bit in (0, 1, 2, 3, 4, 5, 6, 7, 8, 63))


class Step:
    """One level of a walk."""

    def __init__(self, level, index, entry_at, value):
        self.level, self.index, self.entry_at, self.value = level, index, entry_at, value
        self.leaf = level == 0 or (level < 3 and bool(value & PS))

    def describe(self):
        if not self.value & P:
            return "not present" if not self.value else f"not present (other bits: {self.value:#x})"
        frame = self.value & FRAME & ~((1 << (12 + 9 * self.level)) - 1 if self.leaf else 0)
        what = f"{human(1 << (12 + 9 * self.level))} page at" if self.leaf else "table at"
        bits = ["RW" if self.value & W else "RO", "NX" if self.value & NX else "X"]
        names = {U: "USER", PWT: "PWT", PCD: "PCD", A: "accessed"}
        if self.leaf:
            names.update({D: "dirty", G: "global"})
        return f"{what} {frame:#x} " + " ".join(bits + [n for b, n in names.items() if self.value & b])


class Walk:
    """All levels of a translation; physical is None when something is not present."""

    def __init__(self, address, root):
        self.address, self.root, self.steps, self.physical = address, root, [], None
        self.astray = None  # an entry points to where no table can be read
        table, writable, user, executable = root, True, True, True
        for level in (3, 2, 1, 0):
            index = address >> (12 + 9 * level) & 511
            entry_at = DIRECT_MAP + table + 8 * index
            try:
                step = Step(level, index, entry_at, memory.number(entry_at))
            except Sentence:
                self.astray = self.no_table(table)
                return
            self.steps.append(step)
            if not step.value & P:
                return
            writable, user = writable and step.value & W, user and step.value & U
            executable = executable and not step.value & NX
            if step.leaf:
                mask = (1 << (12 + 9 * level)) - 1
                self.physical = (step.value & FRAME & ~mask) | (address & mask)
                break
            table = step.value & FRAME
        self.writable, self.user, self.executable = bool(writable), bool(user), executable

    def no_table(self, table):
        if not self.steps:
            return f"CR3 says that the root table is at {table:#x}, where no memory can be read"
        step = self.steps[-1]
        return f"{LEVELS[step.level]}[{step.index}] at {step.entry_at:#x} leads to a table at {table:#x}, " \
               "where no memory can be read"

    def why(self):
        """The sentence for an address without a translation."""
        return self.astray or f"the {LEVELS[self.steps[-1].level]} is not present"


def root_table():
    """Physical address of the root: CR3 when paging is on, else a Sentence."""
    try:
        cr0, cr3 = (int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in ("cr0", "cr3"))
    except gdb.error:
        raise Sentence("no processor to ask: the kernel is not running") from None
    if not cr0 & 1 << 31:
        raise Sentence("paging is still off (CR0.PG = 0): every address is physical")
    return cr3 & FRAME


def canonical(address):
    return address >> 47 in (0, 0x1ffff)


def walk(address, root=None):
    if not canonical(address):
        raise Sentence(f"{address:#x} is not canonical: bits 63..47 differ, no page table is asked")
    return Walk(address, root_table() if root is None else root)


def walk_text(text):
    """What the user typed: ADDR, or PID:ADDR for a process that need not be the current one. (Walk, its origin)"""
    match = re.fullmatch(r"(\d+):([^:].*)", text)
    if not match:
        return walk(evaluate(text)), "CR3"
    one = process(int(match[1]))
    return walk(evaluate(match[2]), one.root()), f"process {one.pid}, {one.name}"


class Pt(KernelCommand):
    """pt [PID:]ADDR

One translation, level by level: where each entry lies, its value, what it means.

  CR3 -> PGD[47:39] -> PUD[38:30] -> PMD[29:21] -> PTE[20:12] -> frame + [11:0]"""

    def __init__(self):
        super().__init__("pt")

    def run(self, words):
        if not words:
            raise Sentence("usage: pt [PID:]ADDR")
        result, origin = walk_text(" ".join(words))
        print(f"address {result.address:#x}, root table ({origin}) at {result.root:#x}")
        for step in result.steps:
            text = step.describe()
            print(f"{LEVELS[step.level]}[{step.index:3}] at {step.entry_at:#x} = {step.value:016x}  "
                  f"{text if step.value & P else paint(text, 'red')}")
        if result.physical is None:
            print(paint(f"not mapped: {result.why()}", "red" if result.astray else "dim"))
        else:
            print(f"physical {result.physical:#x}; effective: {'RW' if result.writable else 'RO'} "
                  f"{'X' if result.executable else 'NX'} {'user' if result.user else 'kernel only'}")


Pt()
