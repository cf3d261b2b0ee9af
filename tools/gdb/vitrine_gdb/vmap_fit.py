# SPDX-License-Identifier: MIT
"""`vmap tree --fit SIZE [ALIGN]`: where an allocation would go, and the way there, node by node.

It repeats the search of the design on the memory as it is, with numbers for the order in which the
nodes are asked, what is pruned, and why. freetree: find_vmap_lowest_match(); freelist: first_fit();
busytree: walk() with its hint; vmlist: find_gap(); avlhash: hash, then frontier, then the list.
"""
from .drawing import paint
from .kernel import PAGE_SIZE, Sentence, evaluate, human, memory, plural
from .spaces import FREE

MAX_ROWS = 255
NO_END = "the search does not end: the tree is broken, ask `vmap check`"
SUFFIXES = {"K": 10, "M": 20, "G": 30, "T": 40}
HASH_MIX, HASH_BITS = 0x9e3779b97f4a7c15, 6


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


def parse_request(words):
    """(size rounded up to pages, align), as the allocator sees them."""
    if not 1 <= len(words) <= 2:
        raise Sentence("usage: vmap tree --fit SIZE [ALIGN]     SIZE as in 20480, 20K, 5p (pages)")
    size = parse_size(words[0])
    align = max(parse_size(words[1]) if len(words) == 2 else PAGE_SIZE, PAGE_SIZE)
    if not 0 < size < 1 << 63 or align & (align - 1) or align >= 1 << 64:
        raise Sentence("SIZE must be more than 0 (and below 2^63), ALIGN a power of two")
    return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), align


def fit(start, end, size, align):
    """vmap_fit(): the lowest aligned start inside [start, end), or None."""
    aligned = (start + align - 1) & ~(align - 1)
    return aligned if aligned + size <= end else None


def edges(start, end, low, high):
    return {(True, True): "FL: the whole range", (True, False): "LE: its left edge",
            (False, True): "RE: its right edge", (False, False): "NE: its inside"}[
                start == low, end == high]


def why_not(start, end, size, align):
    if end - start < size:
        return f"too small ({human(end - start)})"
    return f"{human(end - start)}, but not from an address aligned to {human(align)}"


class TreeSearch:
    """freetree: lowest match over subtree_max_size."""

    def __init__(self, space, size, align):
        self.space, self.size, self.align = space, size, align
        self.nodes, self.trouble = space.tree(False)
        self.known = {node.area.node: node for node in self.nodes}
        self.steps, self.start, self.pruned = 0, None, []

    def max_of(self, link):
        return self.known[link].area["subtree_max_size"] if link in self.known else 0

    def node(self, link):
        if link not in self.known:
            raise Sentence(f"the search leaves the tree: {self.trouble or NO_END}")
        return self.known[link]

    def step(self, node, text, *colors):
        self.steps += 1
        # Each node is entered from above once and from its left side once.
        if self.steps > 2 * len(self.nodes) + 1:
            raise Sentence(NO_END)
        node.note += paint(f"  {self.steps}: {text}", *colors)

    def prune(self, link):
        if link in self.known and link not in self.pruned:
            self.pruned.append(link)
            self.known[link].note += paint(
                f"  x pruned: subtree_max {human(self.max_of(link))} < {human(self.size)}", "dim")

    def climb(self, node):
        link = node.area.node
        for _ in range(2 * len(self.nodes)):
            parent = self.node(link).parent
            if not parent or self.node(parent).right != link:
                return parent
            link = parent
        raise Sentence(NO_END)

    def run(self):
        link, left_done = self.space.root(False), False
        while link:
            node = self.node(link)
            area = node.area
            if not left_done and self.max_of(node.left) >= self.size and self.space.start < area.start:
                self.step(node, "go left first", "yellow")
                link = node.left
                continue
            if not left_done:
                self.prune(node.left)
            self.start = fit(area.start, area.end, self.size, self.align)
            if self.start is not None:
                self.step(node, f"TAKEN, {edges(self.start, self.start + self.size, area.start, area.end)}",
                          "green", "bold")
                return
            left_done = self.max_of(node.right) < self.size
            self.step(node, f"does not fit, {'climb' if left_done else 'go right'}", "yellow")
            if left_done:
                self.prune(node.right)
            link = self.climb(node) if left_done else node.right

    def show(self):
        from .vmap_tree import print_node
        shown = self.nodes
        if len(shown) > MAX_ROWS:
            shown = [node for node in shown if node.note]
            print(f"of {plural(len(self.nodes), 'node')} those on the way and the pruned ones:")
        for node in shown[:MAX_ROWS]:
            print_node(self.space, node, False, self.known)


class ListSearch:
    """The designs without an augmented tree: candidates one after the other, first fit."""

    def __init__(self, space, size, align):
        self.space, self.size, self.align = space, size, align
        self.steps, self.start, self.rows = 0, None, []

    def candidates(self):
        """(start, end, comment) in the order in which the design looks at them."""
        if self.space.has_tree(False):
            for area in self.space.listed(False)[0]:
                yield area.start, area.end, ""
        elif self.space.kept.buckets:
            yield from self.hash_candidates()
        else:
            yield from self.gaps()

    def gaps(self):
        """What lies between the used areas; busytree begins behind `cache` where its hint allows it."""
        at = self.space.start
        cached = self.hint()
        if cached:
            yield 0, 0, f"the hint covers this request: nothing below {cached:#x} has room"
            at = cached
        for area in self.space.listed(True)[0]:
            if area.start >= at:
                yield at, area.start, ""
                at = area.end
        yield at, self.space.end, ""

    def hint(self):
        """hint_covers() of busytree.c: where the walk begins, or None."""
        if self.space.design != "busytree":
            return None
        cache, hole, align = (memory.number(self.space.field(name))
                              for name in ("cache", "cached_hole_size", "cached_align"))
        known = {area.address: area for area in self.space.listed(True)[0]}
        if cache not in known or self.size <= hole or self.align < align:
            return None
        return known[cache].end

    def hash_candidates(self):
        bucket = (self.size >> 12) * HASH_MIX % (1 << 64) >> (64 - HASH_BITS)
        if memory.number(self.space.field("policy.hit"), 4):
            yield 0, 0, "policy AVLHASH_HIT_LARGER: this view knows the exact one only"
        yield 0, 0, f"bucket {bucket} of the hash, where sizes like {human(self.size)} are:"
        for index, _link, area in self.space.chains():
            if index == bucket and area.size == self.size:
                yield area.start, area.end, "same size"
            elif index == bucket:
                yield 0, 0, f"{area} has another size, {human(area.size)}"
        yield 0, 0, "nothing there: new space, behind the frontier"
        yield self.space.undescribed_from(), self.space.end, ""
        yield 0, 0, "nothing there: the list of all areas"
        for area in self.space.everything()[0]:
            if area.kind == FREE:
                yield area.start, area.end, ""

    def run(self):
        for low, high, comment in self.candidates():
            if not high:
                self.rows.append(paint(comment, "dim"))
                continue
            self.steps += 1
            self.start = fit(low, high, self.size, self.align)
            row = f"{self.steps:4}: 0x{low:x}-0x{high:x} {human(high - low)}  "
            if self.start is None:
                if low != high:
                    self.rows.append(row + paint(why_not(low, high, self.size, self.align), "yellow"))
                continue
            text = f"TAKEN, {edges(self.start, self.start + self.size, low, high)}"
            self.rows.append(row + paint(text, "green", "bold"))
            return

    def show(self):
        if len(self.rows) > MAX_ROWS:
            print(f"... {plural(len(self.rows) - MAX_ROWS, 'row')} before these")
        for row in self.rows[-MAX_ROWS:]:
            print(row)


def draw_fit(space, words):
    size, align = parse_request(words)
    if space.augmented and not space.root(False):
        raise Sentence("the free tree is empty")
    search = (TreeSearch if space.augmented else ListSearch)(space, size, align)
    search.run()
    search.show()
    looked = plural(search.steps, "node" if space.augmented else "range")
    if search.start is None:
        print(f"no free range holds {human(size)} aligned to {human(align)} (-ENOSPC), {looked} visited")
    else:
        print(f"{human(size)} aligned to {human(align)}: [{search.start:#x}, {search.start + size:#x}), "
              f"{looked} visited. vmalloc asks for one page more: the guard.")
