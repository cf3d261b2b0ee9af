# SPDX-License-Identifier: MIT
"""The kernel's vmap space from outside: which design serves it, and its areas in address order."""
from .kernel import MAX_NODES, NOT_YET, Record, Sentence, layout, list_nodes, memory, symbol_address

FREE, BUSY, LAZY, CACHED = range(4)
KINDS = {FREE: "free", BUSY: "busy", LAZY: "lazy", CACHED: "cached"}
VM_FLAGS = {0x1: "ioremap", 0x2: "vmalloc", 0x4: "vmap", 0x8: "user", 0x20: "starting", 0x40: "no-guard",
            0x200: "put-pages", 0x400: "huge"}
VM_NO_GUARD = 0x40


class Design:
    """Where a design keeps its areas: fields of its state. busy, free: a set, which is an rbtree and a list
    of the same areas; everything: a list of all, or of the used ones only. Where no range is described,
    it is free from the field `rest` on (from the start of the space if that is empty)."""

    def __init__(self, state, busy=None, free=None, everything=None, augmented=False, rest=""):
        self.state, self.everything, self.augmented, self.rest = state, everything, augmented, rest
        self.sets = {True: busy, False: free}


DESIGNS = {
    "freetree": Design("struct freetree", busy="busy", free="free", augmented=True, rest=None),
    "freelist": Design("struct freetree", busy="busy", free="free", rest=None),
    "busytree": Design("struct busytree", busy="busy"),
    "busytree28": Design("struct busytree", busy="busy"),
    "avlhash": Design("struct avlhash", everything="all", rest="frontier"),
    "vmlist": Design("struct vmlist", everything="areas"),
}


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
        if self.design not in DESIGNS:
            raise Sentence(f"design {self.design}: these helpers do not know its structures")
        self.kept = DESIGNS[self.design]

    def has_tree(self, busy):
        """A red-black tree, that is."""
        return self.kept.sets[busy] is not None

    @property
    def augmented(self):
        return self.kept.augmented

    def stat(self, name):
        return self.record[f"stats.{name}"]

    def flush(self, name):
        flush = layout("struct vmalloc").offset("flush")
        return Record("struct flush_queue", self.vmalloc + flush)[name]

    def field(self, name):
        return self.state + layout(self.kept.state).offset(name)

    def root(self, busy):
        """The root node's address, 0 for an empty tree."""
        return memory.number(self.field(f"{self.kept.sets[busy]}.root.node"))

    def listed(self, busy):
        """Areas in list order; no free ones where the design does not describe these."""
        name = f"{self.kept.sets[busy]}.list" if self.has_tree(busy) else self.kept.everything
        if not name:
            return
        for address in list_nodes(self.field(name), layout("struct vmap_area").offset("list")):
            area = Area(address)
            if self.has_tree(busy) or (area.kind == FREE) != busy:
                yield area

    def undescribed_from(self):
        """From here on, what no area describes is free; below, it is an error."""
        if self.kept.rest is None:
            return self.end
        return memory.number(self.field(self.kept.rest)) if self.kept.rest else self.start

    def ranges(self):
        """(start, end, area or None) in address order; None where free space has no descriptor."""
        areas = sorted([*self.listed(True), *self.listed(False)], key=lambda area: area.start)
        at, rest = self.start, self.undescribed_from()
        for area in areas:
            if area.start > at >= rest:
                yield at, area.start, None
            yield area.start, area.end, area
            at = area.end
        if self.end > at >= rest:
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
