# SPDX-License-Identifier: MIT
"""The kernel's vmap space from outside: which design serves it, and its areas in address order.

  freetree   struct freetree: two area_sets (free, busy), each an rbtree and a list
  vmlist     struct vmlist: one list of used areas; free is what lies in between
"""
from .kernel import MAX_NODES, NOT_YET, Record, Sentence, layout, list_nodes, memory, symbol_address

FREE, BUSY, LAZY, CACHED = range(4)
KINDS = {FREE: "free", BUSY: "busy", LAZY: "lazy", CACHED: "cached"}
VM_FLAGS = {0x1: "ioremap", 0x2: "vmalloc", 0x4: "vmap", 0x8: "user", 0x20: "starting", 0x40: "no-guard",
            0x200: "put-pages", 0x400: "huge"}
VM_NO_GUARD = 0x40


class Area(Record):
    """A struct vmap_area."""

    def __init__(self, address):
        super().__init__("struct vmap_area", address)
        self.start, self.end, self.kind = self["va_start"], self["va_end"], self["kind"]
        self.size = self.end - self.start

    @classmethod
    def of_node(cls, node):
        return cls(node - layout("struct vmap_area").offset("rb_node"))

    @property
    def node(self):
        return self.at("rb_node")

    @property
    def red(self):
        return not self["rb_node.parent_color"] & 1

    @property
    def parent(self):
        return self["rb_node.parent_color"] & ~1

    def vm(self):
        """The struct vm_struct of a busy area, or None; a pointer that leads nowhere counts as none."""
        pointer = self["vm"] if self.kind == BUSY else 0
        try:
            return Record("struct vm_struct", pointer) if pointer else None
        except Sentence:
            return None

    def __str__(self):
        return f"[{self.start:#x}, {self.end:#x})"


def use_of(area, vm):
    if not vm:
        return "vm pointer not valid (yet)" if area["vm"] else "vm_map_ram"
    return " ".join(name for bit, name in VM_FLAGS.items() if vm["flags"] & bit) or "reserved"


def guard_of(area, vm):
    """Bytes of guard page at the end of the area."""
    return 4096 if vm and not vm["flags"] & VM_NO_GUARD else 0


class Space:
    """The kernel's struct vmap_space."""

    def __init__(self):
        base = symbol_address("kernel_vmalloc")
        whole = layout("struct vmalloc")
        try:
            ready = memory.number(base + whole.offset("ready"), 1)
        except Sentence:
            raise Sentence(f"{NOT_YET}: the kernel's memory is not mapped at this point") from None
        if not ready:
            raise Sentence(NOT_YET)
        self.vmalloc = base
        self.record = Record("struct vmap_space", base + whole.offset("space"))
        self.start, self.end = self.record["start"], self.record["end"]
        self.state = self.record["state"]
        design = Record("struct vmap_design", self.record["design"])
        self.design = memory.text(design["name"])
        self.since = memory.text(design["since"])
        self.locked = self.record["lock.holder"] != 0
        if self.design not in ("freetree", "vmlist"):
            raise Sentence(f"design {self.design}: these helpers do not know its structures")

    @property
    def has_trees(self):
        return self.design == "freetree"

    def stat(self, name):
        return self.record[f"stats.{name}"]

    def flush(self, name):
        flush = layout("struct vmalloc").offset("flush")
        return Record("struct flush_queue", self.vmalloc + flush)[name]

    def list_head(self, busy):
        if self.design == "vmlist":
            return self.state + layout("struct vmlist").offset("areas")
        return self.state + layout("struct freetree").offset("busy.list" if busy else "free.list")

    def root(self, busy):
        """The root node's address, 0 for an empty tree."""
        field = "busy.root.node" if busy else "free.root.node"
        return memory.number(self.state + layout("struct freetree").offset(field))

    def listed(self, busy):
        """Areas in list order. vmlist keeps no free ones."""
        if not busy and self.design == "vmlist":
            return
        offset = layout("struct vmap_area").offset("list")
        for address in list_nodes(self.list_head(busy), offset):
            yield Area(address)

    def ranges(self):
        """(start, end, area or None) in address order; None where free space has no descriptor."""
        areas = sorted([*self.listed(True), *self.listed(False)], key=lambda area: area.start)
        at = self.start
        for area in areas:
            if area.start > at and self.design == "vmlist":
                yield at, area.start, None
            yield area.start, area.end, area
            at = area.end
        if at < self.end and self.design == "vmlist":
            yield at, self.end, None

    def find(self, address):
        """The area of whatever kind that covers the address, or None."""
        for busy in (True, False):
            for area in self.listed(busy):
                if area.start <= address < area.end:
                    return area
        return None

    def in_order(self, busy):
        """(area, depth) of the tree in address order, without recursion; Sentence on nonsense."""
        stack, node, seen = [], self.root(busy), set()
        while stack or node:
            while node:
                if node in seen or len(seen) > MAX_NODES:
                    raise Sentence(f"V2: the tree comes back to node {node:#x}: it is no tree")
                seen.add(node)
                area = Area.of_node(node)
                stack.append((area, len(stack)))
                node = area["rb_node.left"]
            area, _ = stack.pop()
            yield area
            node = area["rb_node.right"]


def history_of(space, address):
    """The most recently freed area that covered the address, as a Record, or None."""
    entry = layout("struct vm_history")
    whole = layout("struct vmalloc")
    base = space.vmalloc + whole.offset("history")
    slots = whole.fields["history"][1] // entry.size
    total = memory.number(space.vmalloc + whole.offset("history_next"))
    for index in range(total - 1, max(total - slots, 0) - 1, -1):
        record = Record("struct vm_history", base + index % slots * entry.size)
        if record["start"] <= address < record["end"]:
            return record
    return None
