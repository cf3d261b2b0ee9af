# SPDX-License-Identifier: MIT
"""The kernel's vmap space from outside: which design serves it, and its areas in address order.

Each structure is read once per command, as far as it can be followed: (areas, what broke it off or
None). So a view shows what there is and then names the pointer that is wrong; `vmap check` judges.
"""
import functools

from .kernel import NOT_YET, PAGE_SHIFT, Record, Sentence, astray, collect, layout, \
    list_nodes, lock_state, memory, symbol_address
from .pages import is_sealed, kernel_buddy, slab_object

FREE, BUSY, LAZY, CACHED = range(4)
KINDS = {FREE: "free", BUSY: "busy", LAZY: "lazy", CACHED: "cached"}
VM_FLAGS = {0x1: "ioremap", 0x2: "vmalloc", 0x4: "vmap", 0x8: "user", 0x20: "starting", 0x40: "no-guard",
            0x200: "put-pages", 0x400: "huge"}
VM_NO_GUARD = 0x40
MAX_DEPTH = 128  # more levels than any balanced tree in 64 bits of addresses


def once(method):
    """The answer for these arguments is kept as long as the object."""
    @functools.wraps(method)
    def kept(self, *arguments):
        key = (method.__name__, *arguments)
        if key not in self.answers:
            self.answers[key] = method(self, *arguments)
        return self.answers[key]
    return kept


def first_of(troubles):
    return next((trouble for trouble in troubles if trouble), None)


class Balance:
    """How a tree says that it is balanced: a word in each node with the parent and a mark."""

    def __init__(self, name, node, word, mask):
        self.name, self.node, self.word, self.mask = name, node, f"{node}.{word}", mask


RED_BLACK = Balance("red-black", "rb_node", "parent_color", 1)
AVL = Balance("AVL", "avl_node", "parent_lean", 3)


class Design:
    """Where a design keeps its areas: fields of its state. busy, free: a set, which is an rbtree and a list
    of the same areas. everything: a list of all areas, or of the used ones only; avl: a tree of the
    used ones among them; hash: buckets with the free ones. Where no range is described, it is free from
    the field `rest` on (from the start of the space if that is empty). each: an array of structs with a set
    of used areas in each, an rbtree and a list; pools: an array of structs with a list of cached areas in
    each; both as (array, struct, the set or list in it)."""

    def __init__(self, state, busy=None, free=None, everything=None, augmented=False, rest="", avl=None,
                 buckets=None, each=None, pools=None):
        self.state, self.everything, self.augmented, self.rest = state, everything, augmented, rest
        self.sets = {True: busy, False: free}
        self.roots = {True: f"{busy}.root.node" if busy else avl and f"{avl}.node",
                      False: free and f"{free}.root.node"}
        self.buckets, self.each, self.pools = buckets, each, pools
        self.balance = AVL if avl else RED_BLACK


DESIGNS = {
    "freetree": Design("struct freetree", busy="busy", free="free", augmented=True, rest=None),
    "nodes": Design("struct nodes", free="global.free", augmented=True, rest=None,
                    each=("node", "struct vmap_node", "busy"),
                    pools=("pool", "struct vmap_pool", "areas")),
    "freelist": Design("struct freetree", busy="busy", free="free", rest=None),
    "busytree": Design("struct busytree", busy="busy"),
    "busytree28": Design("struct busytree", busy="busy"),
    "avlhash": Design("struct avlhash", everything="all", rest="frontier", avl="used", buckets="unused"),
    "vmlist": Design("struct vmlist", everything="areas"),
}
DESIGNS |= {variant: DESIGNS["freetree"] for variant in ("freetree52", "freetree53", "freetree517")}


class Area(Record):
    """A struct vmap_area."""

    def __init__(self, address):
        super().__init__("struct vmap_area", address)
        self.start, self.end, self.kind = self["va_start"], self["va_end"], self["kind"]
        self.size = self.end - self.start

    @property
    def node(self):
        return self.at("rb_node")

    def vm(self):
        """The struct vm_struct of a busy area, or None; a pointer that leads nowhere counts as none."""
        pointer = self["vm"] if self.kind == BUSY else 0
        try:
            return Record("struct vm_struct", pointer) if pointer else None
        except Sentence:
            return None

    def __str__(self):
        return f"[{self.start:#x}, {self.end:#x})"


class Node:
    """An area in a tree: the way to it from the root as "LRR", and the node that leads to it."""

    def __init__(self, area, path, parent, balance):
        self.area, self.path, self.came_from, self.note = area, path, parent, ""
        word = area[balance.word]
        self.mark, self.parent = word & balance.mask, word & ~balance.mask
        self.left, self.right = area[f"{balance.node}.left"], area[f"{balance.node}.right"]
        self.broken = ""

    @property
    def red(self):
        return not self.mark


def use_of(area, vm):
    if not vm:
        return "vm pointer not valid (yet)" if area["vm"] else "vm_map_ram"
    return " ".join(name for bit, name in VM_FLAGS.items() if vm["flags"] & bit) or "reserved"


def guard_of(area, vm):
    """Bytes of guard page at the end of the area."""
    return 4096 if vm and not vm["flags"] & VM_NO_GUARD else 0


class Descriptors:
    """Which addresses can be a struct vmap_area: objects of its slab cache that are not free."""

    def __init__(self, cache):
        self.cache, self.pages = cache, {}
        try:
            self.buddy = kernel_buddy()
        except Sentence:
            self.buddy = None

    def look(self, address):
        try:
            found = slab_object(address, self.buddy)
        except Sentence:
            return None
        return found and (found.cache.address, found.address - found.index * found.cache["stride"],
                          found.cache["stride"])

    def why_not(self, address):
        """None, or what the address is instead."""
        if not self.buddy:
            return None
        page = address >> PAGE_SHIFT
        if page not in self.pages:
            self.pages[page] = self.look(address)
        slab = self.pages[page]
        if not slab or slab[0] != self.cache:
            return "which is not in the slabs of the vmap_area cache"
        if (address - slab[1]) % max(slab[2], 1):
            return "which is not where a vmap_area begins"
        if is_sealed(address, memory.number(address)):
            return "a vmap_area that has been freed"
        return None


class Space:
    """The kernel's struct vmap_space."""

    def __init__(self):
        self.answers = {}
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
        reason = astray(self.state) or astray(self.record["design"])
        if reason:
            raise Sentence(f"`state` or `design` of the space at {self.record.address:#x} is {reason}")
        design = Record("struct vmap_design", self.record["design"])
        self.retires = bool(design["retire"])
        self.design = memory.text(design["name"])
        self.since = memory.text(design["since"])
        self.locked = lock_state(self.record)
        if self.design not in DESIGNS:
            raise Sentence(f"design {self.design}: these helpers do not know its structures")
        self.kept = DESIGNS[self.design]
        self.descriptors = Descriptors(base + whole.offset("area_cache"))

    def has_tree(self, busy):
        return bool(self.kept.roots[busy])

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
        return memory.number(self.field(self.kept.roots[busy]))

    def area(self, link, field, via):
        """The area that a pointer to its link leads to; Sentence that names the pointer."""
        reason = astray(link)
        address = link - layout("struct vmap_area").offset(field)
        wrong = None if reason else self.descriptors.why_not(address)
        if reason or wrong:
            raise Sentence(f"{via} is {reason or f'{link:#x}, {wrong}'}")
        return Area(address)

    # ---- lists ---------------------------------------------------------------------------------

    def on_list(self, head, field, name):
        offset = layout("struct vmap_area").offset(field)
        who = f"its head {head:#x}"
        for address in list_nodes(head, offset, name):
            yield self.area(address + offset, field, f"{name}: `next` of {who}")
            who = f"element {address:#x}"

    @once
    def listed(self, busy):
        """(areas in list order, trouble); no free ones where the design does not describe these."""
        kept = self.kept.sets[busy]
        if kept:
            name = f"the {'busy' if busy else 'free'} list"
            return collect(self.on_list(self.field(f"{kept}.list"), "list", name))
        if busy and self.kept.each:
            lists = [listed for _name, _tree, listed in self.trees(True)]
            areas = [area for areas, _trouble in lists for area in areas]
            return sorted(areas, key=lambda area: area.start), first_of(trouble for _areas, trouble in lists)
        if not self.kept.everything:
            return [], None
        areas, trouble = self.everything()
        return [area for area in areas if (area.kind == FREE) != busy], trouble

    def elements(self, array, kind):
        """Addresses of the structs in an array of the state."""
        size = layout(self.kept.state).fields[array][1]
        return range(self.field(array), self.field(array) + size, layout(kind).size)

    @once
    def cached(self):
        """(ranges that the design keeps ready, trouble), pool after pool."""
        found, troubles = [], []
        array, kind, head = self.kept.pools or (None, None, None)
        for index, pool in enumerate(self.elements(array, kind) if array else ()):
            areas, trouble = collect(self.on_list(pool + layout(kind).offset(head), "list", f"pool {index}"))
            found += areas
            troubles.append(trouble)
        return found, first_of(troubles)

    @once
    def everything(self):
        return collect(self.on_list(self.field(self.kept.everything), "list", "the list of all areas"))

    @once
    def retired(self):
        """(lazily freed areas that no structure of the design holds, trouble), in no particular order."""
        if not self.retires:
            return [], None
        found, troubles = [], []
        for name in ("lazy", "purging"):
            areas, trouble = collect(self.on_list(self.record.at(name), "purge", f"the list `{name}`"))
            found += areas
            troubles += [trouble] if trouble else []
        return found, troubles[0] if troubles else None

    # ---- trees ---------------------------------------------------------------------------------

    @once
    def trees(self, busy):
        """[(name, (nodes, trouble), (areas, trouble))]: each tree, and the list of the same areas."""
        kind = "busy" if busy else "free"
        if self.has_tree(busy):
            return [(kind, self.tree(busy), self.listed(busy))]
        array, struct, member = self.kept.each if busy and self.kept.each else (None, None, None)
        found = []
        for index, node in enumerate(self.elements(array, struct) if array else ()):
            root, head = (node + layout(struct).offset(f"{member}.{name}") for name in ("root.node", "list"))
            name = f"{kind} {array} {index}"
            found.append((name, self.walk(memory.number(root), f"the tree of {name}"),
                          collect(self.on_list(head, "list", f"the list of {name}"))))
        return found

    @once
    def tree(self, busy):
        return self.walk(self.root(busy), f"the {'busy' if busy else 'free'} tree")

    def walk(self, root, name):
        """(every Node in address order, trouble): without recursion; where a pointer leads astray, into a
        cycle or deeper than any balanced tree, the branch ends, and its node says so."""
        balance = self.kept.balance
        found, stack, seen, trouble = [], [], set(), None
        link, path, parent, via = root, "", None, f"{name}: its root"
        while True:
            while link:
                try:
                    if link in seen or len(path) > MAX_DEPTH:
                        raise Sentence(f"{via} leads back to {link:#x}: it is no tree"
                                       if link in seen else f"{via} leads deeper than {MAX_DEPTH} levels")
                    node = Node(self.area(link, balance.node, via), path, parent, balance)
                except Sentence as sentence:
                    trouble = trouble or str(sentence)
                    if parent:
                        parent.broken = str(sentence)
                    break
                seen.add(link)
                stack.append(node)
                via = f"{name}: `left` of {node.area} (node {link:#x})"
                link, path, parent = node.left, node.path + "L", node
            if not stack:
                return found, trouble
            node = stack.pop()
            found.append(node)
            via = f"{name}: `right` of {node.area} (node {node.area.node:#x})"
            link, path, parent = node.right, node.path + "R", node

    def chains(self):
        """(bucket, address of the link, area) of each element of the hash; ends with a Sentence."""
        base = self.field(self.kept.buckets)
        count = layout(self.kept.state).fields[self.kept.buckets][1] // 8
        offset, seen = layout("struct vmap_area").offset("hash_node"), set()
        for bucket in range(count):
            link, who = base + 8 * bucket, f"`first` of hash bucket {bucket}"
            while memory.number(link):
                node = memory.number(link)
                if node in seen:
                    raise Sentence(f"{who} leads back to {node - offset:#x}: the chain runs in a circle")
                seen.add(node)
                area = self.area(node, "hash_node", who)
                yield bucket, link, area
                link, who = node, f"the hash link of {area}, in bucket {bucket},"

    # ---- the whole -----------------------------------------------------------------------------

    def troubles(self):
        """What broke off while the lists were read."""
        found = [self.listed(True)[1], self.listed(False)[1], self.retired()[1], self.cached()[1]]
        return list(dict.fromkeys(trouble for trouble in found if trouble))

    def undescribed_from(self):
        """From here on, what no area describes is free; below, it is an error."""
        if self.kept.rest is None:
            return self.end
        return memory.number(self.field(self.kept.rest)) if self.kept.rest else self.start

    def areas(self):
        """All areas, whatever holds them."""
        return [*self.listed(True)[0], *self.listed(False)[0], *self.retired()[0], *self.cached()[0]]

    @once
    def ranges(self):
        """(start, end, area or None) in address order; None where free space has no descriptor."""
        found, at, rest = [], self.start, self.undescribed_from()
        for area in sorted(self.areas(), key=lambda area: area.start):
            if area.start > at >= rest:
                found.append((at, area.start, None))
            found.append((area.start, area.end, area))
            at = area.end
        if self.end > at >= rest:
            found.append((at, self.end, None))
        return found

    def range_at(self, address):
        """(start, end, area or None) that covers the address, or None."""
        return next((entry for entry in self.ranges() if entry[0] <= address < entry[1]), None)

    def find(self, address):
        """The area of whatever kind that covers the address, or None."""
        entry = self.range_at(address)
        return entry[2] if entry else None

    def lowest(self, size, align):
        """The lowest aligned address with room for size bytes, from the list of ranges alone, or None."""
        start = None
        for low, high, area in self.ranges():
            if area and area.kind != FREE:
                start = None
                continue
            start = low if start is None else start
            aligned = (start + align - 1) & ~(align - 1)
            if aligned + size <= high:
                return aligned
        return None


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
