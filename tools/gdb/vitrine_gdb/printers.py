# SPDX-License-Identifier: MIT
"""`print *area`, `print *node`, `print *page` with what they mean in front of the fields."""
import gdb
import gdb.printing

from .pages import STATES, USES
from .kernel import caller_name, human
from .spaces import KINDS

PAGE = 4096
VMEMMAP = 0xffffea0000000000


class Printer:
    """A summary line, then the fields as they are."""

    def __init__(self, value):
        self.value = value

    def number(self, field):
        return int(self.value[field])

    def to_string(self):
        try:
            return self.summary()
        except (gdb.error, gdb.MemoryError) as error:
            return f"<{error}>"

    def summary(self):
        raise NotImplementedError

    def children(self):
        for field in self.value.type.fields():
            if field.name:
                yield field.name, self.value[field]


class AreaPrinter(Printer):
    """struct vmap_area; of each union the half that means something."""

    def summary(self):
        start, end, kind = (self.number(field) for field in ("va_start", "va_end", "kind"))
        owner = f" by {caller_name(self.number('caller'))}" if kind in (1, 2, 3) else ""
        return f"[{start:#x}, {end:#x}) {human((end - start) & (1 << 64) - 1)} " \
               f"{KINDS.get(kind, f'?{kind}')}{owner}"

    def children(self):
        yield from super().children()
        yield "rb_node", self.value["rb_node"]
        if self.number("kind") == 2:
            yield "purge", self.value["purge"]
        half = "vm" if self.number("kind") == 1 else "subtree_max_size"
        if self.number("kind") < 2:
            yield half, self.value[half]


class NodePrinter(Printer):
    """struct rb_node: colour and parent are one word."""

    def summary(self):
        word = self.number("parent_color")
        return f"{'B' if word & 1 else 'R'} parent {word & ~1:#x}"

    def children(self):
        for name in ("left", "right"):
            yield name, self.value[name]


class PagePrinter(Printer):
    """struct page: its frame follows from its address."""

    def summary(self):
        state, use = self.number("state"), self.number("use")
        text = STATES[state] if state < len(STATES) else f"?{state}"
        if state in (1, 4):
            text += f" order {self.number('order')}"
        if state in (4, 5) and use < len(USES):
            text += f" ({USES[use]})"
        address = int(self.value.address) & (1 << 64) - 1 if self.value.address is not None else 0
        if address >= VMEMMAP:
            text = f"frame {(address - VMEMMAP) // self.value.type.sizeof:#x} {text}"
        return text

    def children(self):
        """A page in use is on no list, unless it is a slab: its link is what a list left there."""
        if self.number("state") in (1, 3) or (self.number("state") == 4 and self.number("use") == 2):
            yield from super().children()


collection = gdb.printing.RegexpCollectionPrettyPrinter("vitrine")
collection.add_printer("vmap_area", "^vmap_area$", AreaPrinter)
collection.add_printer("rb_node", "^rb_node$", NodePrinter)
collection.add_printer("page", "^page$", PagePrinter)
gdb.printing.register_pretty_printer(None, collection, replace=True)
