# SPDX-License-Identifier: MIT
"""`vmap tree`: the red-black tree lying on its side, rows in address order, the root at the left edge.

`vmap tree --fit SIZE [ALIGN]` repeats the search of find_vmap_lowest_match() (mm/vmap/freetree.c) on
the memory as it is and marks its way: which node is asked when, which subtree is pruned and why.
"""
from .drawing import branches, paint
from .kernel import MAX_NODES, PAGE_SIZE, Sentence, caller_name, evaluate, human, memory, plural
from .spaces import LAZY, Area, Space

MAX_DEPTH = 64
MAX_ROWS = 255
NO_END = "the search does not end: the tree is broken, ask `vmap check`"
SUFFIXES = {"K": 10, "M": 20, "G": 30, "T": 40}


class Node:
    """A tree node with its place in the picture."""

    def __init__(self, area, path):
        self.area, self.path, self.note = area, path, ""


def nodes_in_order(space, busy):
    """Every node with its path; a cycle or a tree deeper than any balanced one is cut with a note."""
    out, stack, seen = [], [], set()
    node, path = space.root(busy), ""
    while stack or node:
        while node and node not in seen and len(path) <= MAX_DEPTH:
            seen.add(node)
            entry = Node(Area.of_node(node), path)
            stack.append(entry)
            node, path = entry.area["rb_node.left"], path + "L"
        if node:
            stack[-1].note = paint(f" BROKEN: leads on to {node:#x} again, or too deep", "red")
        entry = stack.pop()
        out.append(entry)
        node, path = entry.area["rb_node.right"], entry.path + "R"
    return out


def max_of(node):
    return Area.of_node(node)["subtree_max_size"] if node else 0


def augmentation(area):
    """The stored subtree_max_size, in red with the right value where V3 does not hold."""
    stored = area["subtree_max_size"]
    exact = max(area.size, max_of(area["rb_node.left"]), max_of(area["rb_node.right"]))
    if stored == exact:
        return f"subtree_max {human(stored)}"
    return paint(f"subtree_max {human(stored)}, V3 broken: should be {human(exact)}", "red")


def print_node(node, busy, augmented):
    area = node.area
    letter = paint("R", "red") if area.red else paint("B", "bold")
    if busy:
        tail = ("lazy " if area.kind == LAZY else "") + caller_name(area["caller"])
    else:
        tail = augmentation(area) if augmented else ""
    print(f"{paint(branches(node.path), 'dim')}{letter} 0x{area.start:x}-0x{area.end:x} "
          f"{human(area.size)}  {tail}{node.note}".rstrip())


def need_tree(space, busy):
    kind = "busy" if busy else "free"
    if not space.has_tree(busy):
        raise Sentence(f"design {space.design} keeps no red-black tree of {kind} areas: `vmap list`")
    if not space.root(busy):
        raise Sentence(f"the {kind} tree is empty")


def draw(space, busy):
    need_tree(space, busy)
    nodes = nodes_in_order(space, busy)
    levels = max(len(node.path) for node in nodes) + 1
    print(f"{'busy' if busy else 'free'} tree of {space.design}: {plural(len(nodes), 'node')}, "
          f"{plural(levels, 'level')}; rows in address order, root leftmost")
    if not busy and space.augmented:
        print("subtree_max = subtree_max_size, the largest free range in the subtree")
    depth = MAX_DEPTH
    while len(nodes) > MAX_ROWS and sum(len(node.path) <= depth for node in nodes) > MAX_ROWS:
        depth -= 1
    for node in nodes:
        if len(node.path) <= depth:
            print_node(node, busy, space.augmented)
    if levels - 1 > depth:
        print(f"only the top {depth + 1} levels are drawn")


def parse_size(text):
    """20480, 0x5000, 20K, 5p (pages)."""
    body, shift = text, 0
    if text[-1:] == "p":
        body, shift = text[:-1], 12
    elif text[-1:].upper() in SUFFIXES and not text.lower().startswith("0x"):
        body, shift = text[:-1], SUFFIXES[text[-1:].upper()]
    try:
        return int(body, 0) << shift
    except ValueError:
        return evaluate(text)


def fit(area, size, align, low, high):
    """vmap_fit(): the lowest aligned start inside the range, or None."""
    start = (max(area.start, low) + align - 1) & ~(align - 1)
    return start if start + size <= min(area.end, high) else None


class Search:
    """The lowest-match search, step by step, with its reasons."""

    def __init__(self, space, size, align):
        self.space, self.size, self.align = space, size, align
        self.notes, self.steps, self.start = {}, 0, None
        # Each node is entered from above once and from its left side once.
        self.limit = 2 * min(space.stat("free_extents"), MAX_NODES) + MAX_DEPTH

    def note(self, node, text):
        self.notes[node] = self.notes.get(node, "") + text

    def prune(self, node):
        if node and node not in self.notes:
            self.note(node, paint("  x pruned: too small everywhere below", "dim"))

    def climb(self, area):
        node, parent = area.node, area.parent
        for _ in range(MAX_DEPTH):
            if not parent or node != Area.of_node(parent)["rb_node.right"]:
                return parent
            node, parent = parent, Area.of_node(parent).parent
        raise Sentence(NO_END)

    def run(self):
        node, left_done = self.space.root(False), False
        while node:
            self.steps += 1
            if self.steps > self.limit:
                raise Sentence(NO_END)
            area = Area.of_node(node)
            left, right = area["rb_node.left"], area["rb_node.right"]
            if not left_done and max_of(left) >= self.size and self.space.start < area.start:
                self.note(node, paint(f"  {self.steps}: go left first", "yellow"))
                node = left
                continue
            if not left_done:
                self.prune(left)
            self.start = fit(area, self.size, self.align, self.space.start, self.space.end)
            if self.start is not None:
                self.note(node, paint(f"  {self.steps}: TAKEN, {self.kind(area)}", "green", "bold"))
                return
            left_done = max_of(right) < self.size
            step = "climb" if left_done else "go right"
            self.note(node, paint(f"  {self.steps}: does not fit, {step}", "yellow"))
            if left_done:
                self.prune(right)
            node = self.climb(area) if left_done else right

    def kind(self, area):
        left, right = self.start == area.start, self.start + self.size == area.end
        return {(True, True): "FL: the whole range", (True, False): "LE: its left edge",
                (False, True): "RE: its right edge", (False, False): "NE: its inside"}[left, right]


def draw_fit(space, words):
    if not 1 <= len(words) <= 2:
        raise Sentence("usage: vmap tree --fit SIZE [ALIGN]     SIZE as in 20480, 20K, 5p (pages)")
    size = parse_size(words[0])
    align = max(parse_size(words[1]) if len(words) == 2 else PAGE_SIZE, PAGE_SIZE)
    if size <= 0 or align & (align - 1):
        raise Sentence("SIZE must be more than 0, ALIGN a power of two")
    need_tree(space, False)
    if not space.augmented:
        raise Sentence(f"--fit repeats the search of freetree; {space.design} walks its list instead")
    size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)
    search = Search(space, size, align)
    search.run()
    for node in nodes_in_order(space, False)[:MAX_ROWS]:
        node.note += search.notes.get(node.area.node, "")
        print_node(node, False, True)
    if search.start is None:
        print(f"no free range holds {human(size)} aligned to {human(align)} (-ENOSPC), "
              f"{plural(search.steps, 'node')} visited")
    else:
        print(f"{human(size)} aligned to {human(align)}: [{search.start:#x}, {search.start + size:#x}), "
              f"{plural(search.steps, 'node')} visited. vmalloc asks for one page more: the guard.")


def command_tree(words):
    memory.forget()
    space = Space()
    if words and words[0] == "--fit":
        draw_fit(space, words[1:])
    elif words in ([], ["busy"]):
        draw(space, bool(words))
    else:
        raise Sentence("usage: vmap tree [busy] | vmap tree --fit SIZE [ALIGN]")
