# SPDX-License-Identifier: MIT
"""Replay the event log against a model of our own: V1-V7, P1-P3, B1-B3 seen from the outside. The model
knows only what the records say; each record must be possible in the state that the ones before it have
led to, and after each operation the laws must hold."""
import bisect
from collections import defaultdict

from .story import explain

FULL_CHECK_LIMIT = 300  # free ranges up to which everything is verified after each operation
FULL_CHECK_EVERY = 64   # ... beyond, after every so many
LOWEST_FIT, AUGMENTED, FREE_TREE, GIVES_UP = 1, 2, 4, 8
PAGE, TOP_ORDER = 4096, 10
HASH_PROBES = 32        # ranges that avlhash looks at before it gives up on a hit
RED, BLACK = 0, 1
WRITABLE, NO_EXECUTE = 1 << 1, 1 << 63
USER_END = 1 << 47  # below are the mappings of programs, which may ask for anything
VMALLOC, VFREE = 0, 1  # words of BEGIN and END
RETURNS_AREA = {0, 2, 8, 9}
TAKES_AREA = {1, 3}


class Divergence(Exception):
    """The log says something that cannot be so."""


def law(condition, text):
    if not condition:
        raise Divergence(text)


def show(start, end):
    return f"[{start:#x}, {end:#x})"


class Ranges:
    """Ranges that do not overlap, by address."""

    def __init__(self):
        self.starts, self.ends, self.total = [], {}, 0

    def add(self, start, end):
        at = bisect.bisect_left(self.starts, start)
        below = self.starts[at - 1] if at else None
        law(start < end, f"V4: {show(start, end)} is no range")
        law(below is None or self.ends[below] <= start,
            f"V4: {show(start, end)} overlaps {show(below or 0, self.ends.get(below, 0))}")
        law(at == len(self.starts) or end <= self.starts[at],
            f"V4: {show(start, end)} overlaps the range at {self.starts[at:at + 1]}")
        self.starts.insert(at, start)
        self.ends[start] = end
        self.total += end - start

    def remove(self, start, end):
        law(self.ends.get(start) == end, f"V4: {show(start, end)} is not one of these ranges")
        del self.starts[bisect.bisect_left(self.starts, start)]
        del self.ends[start]
        self.total -= end - start

    def containing(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        if at >= 0 and address < self.ends[self.starts[at]]:
            return self.starts[at], self.ends[self.starts[at]]
        return None

    def items(self):
        return [(start, self.ends[start]) for start in self.starts]


class Node:
    """Of the free tree."""

    def __init__(self, key, parent):
        self.key, self.parent, self.left, self.right = key, parent, None, None
        self.color, self.value = RED, 0


class Tree:
    """The free tree as the records have changed it: V1, V2, V3."""

    def __init__(self):
        self.root, self.nodes = None, {}

    def node(self, key):
        law(key in self.nodes, f"V1: {key:#x} is no node of the free tree")
        return self.nodes[key]

    def point(self, parent, old, new):
        """Whoever pointed down to `old` points to `new`."""
        if not parent:
            self.root = new
        elif parent.left is old:
            parent.left = new
        else:
            parent.right = new
        if new:
            new.parent = parent

    def enter(self, key):
        """As a leaf, where its address belongs; returns it."""
        parent, at = None, self.root
        while at:
            law(key != at.key, f"V1: {key:#x} is in the tree already")
            parent, at = at, at.left if key < at.key else at.right
        node = self.nodes[key] = Node(key, parent)
        if not parent:
            self.root = node
        elif key < parent.key:
            parent.left = node
        else:
            parent.right = node
        return node

    def rename(self, old, new):
        if old in self.nodes:
            node = self.nodes.pop(old)
            node.key = new
            self.nodes[new] = node

    def erase(self, key):
        node = self.node(key)
        if node.left and node.right:
            follower = node.right
            while follower.left:
                follower = follower.left
            self.cut(follower)
            self.point(node.parent, node, follower)
            follower.color, follower.left, follower.right = node.color, node.left, node.right
            for child in (node.left, node.right):
                if child:
                    child.parent = follower
        else:
            self.cut(node)
        del self.nodes[key]

    def cut(self, node):
        child = node.left or node.right
        self.point(node.parent, node, child)
        if child:
            child.color = BLACK

    def rotate(self, top, up, to_left):
        law(up is (top.right if to_left else top.left),
            f"{up.key:#x} is not the child that takes the place of {top.key:#x}")
        middle = up.left if to_left else up.right
        self.point(top.parent, top, up)
        if to_left:
            top.right, up.left = middle, top
        else:
            top.left, up.right = middle, top
        top.parent = up
        if middle:
            middle.parent = top

    def verify(self, sizes, augmented):
        """V1: its walk in order is `sizes`, a list of (start, size). V2, V3."""
        order, heights, stack, at = [], set(), [], self.root
        law(not at or at.color == BLACK, "V2: the root is red")
        while stack or at:
            while at:
                stack.append(at)
                at = at.left
            at = stack.pop()
            order.append(at)
            at = at.right
        law([node.key for node in order] == [start for start, _ in sizes],
            "V1: the walk of the free tree is not the list of the free ranges")
        for node, (start, length) in zip(order, sizes):
            children = [child for child in (node.left, node.right) if child]
            law(node.color == BLACK or all(child.color == BLACK for child in children),
                f"V2: {start:#x} is red and so is a child of it")
            largest = max([length] + [child.value for child in children])
            law(not augmented or node.value == largest,
                f"V3: subtree_max_size of {start:#x} is {node.value:#x}, its subtree has {largest:#x}")
            if not (node.left and node.right):
                heights.add(self.blacks_above(node))
        law(len(heights) < 2, "V2: paths with different numbers of black nodes")

    @staticmethod
    def blacks_above(node):
        count = 0
        while node:
            count += node.color
            node = node.parent
        return count


class Buddy:
    """Blocks by order, and whose pages are where."""

    def __init__(self):
        self.known, self.managed, self.free, self.waiting = False, 0, 0, 0
        self.blocks = [0] * (TOP_ORDER + 1)
        self.listed = {}  # frame -> order of blocks that were put since the log began

    def put(self, frame, order):
        law(frame % (1 << order) == 0, f"B1: a block of order {order} at frame {frame:#x}")
        law(self.listed.get(frame ^ 1 << order) != order or order == TOP_ORDER,
            f"B2: frame {frame:#x} and its buddy are both free, order {order}")
        law(frame not in self.listed, f"B1: frame {frame:#x} is on a list already")
        self.listed[frame] = order
        self.blocks[order] += 1

    def take(self, frame, order):
        law(self.listed.pop(frame, order) == order, f"B1: frame {frame:#x} is not of order {order}")
        self.blocks[order] -= 1
        law(not self.known or self.blocks[order] >= 0, f"B3: less than no block of order {order}")


class Model:
    """Everything that the records talk about. apply() takes them one after the other."""

    def __init__(self, kinds):
        self.kinds = kinds
        self.buddy, self.operations = Buddy(), 0
        self.reset(0, 0, 0)

    def reset(self, start, end, caps):
        self.start, self.end, self.caps = start, end, caps
        self.free, self.busy, self.lazy, self.cached = Ranges(), Ranges(), Ranges(), Ranges()
        self.tree, self.flushed, self.limbo, self.hash = Tree(), {}, {}, {}
        self.request = self.cut = self.expected = self.joined = None
        self.entries, self.frames, self.old_areas = {}, {}, set()
        self.known = False
        self.begun = defaultdict(list)
        self.state_at = None

    def apply(self, event):
        handler = getattr(self, "on_" + event.name.lower(), None)
        if handler and (self.known or event.name.startswith(("STATE", "BEGIN", "END"))):
            handler(event, *event.args)

    # ---- how things stood -----------------------------------------------------------------------

    def on_state_space(self, event, start, end, caps, *_):
        self.reset(start, end, caps)
        self.state_at = event.number

    def on_state_range(self, _, start, end, kind, *__):
        (self.free, self.busy, self.lazy, self.cached)[kind].add(start, end)
        if kind == 1:
            self.old_areas.add(start)
        if kind == 2:
            self.flushed[start] = False

    def on_state_node(self, _, start, __, color, value):
        node = self.tree.enter(start)
        node.color, node.value = color, value

    def on_state_pages(self, _, managed, free, waiting, *__):
        self.buddy = Buddy()
        self.buddy.managed, self.buddy.free, self.buddy.waiting = managed, free, waiting

    def on_state_blocks(self, _, order, count, *__):
        self.buddy.blocks[order] = count

    def on_state_done(self, *_):
        self.known = self.buddy.known = True
        self.hash = self.unused()
        self.verify()

    # ---- operations -----------------------------------------------------------------------------

    def on_begin(self, event, call, what, *_):
        self.begun[event.cpu].append((call, what, len(self.entries)))
        self.joined = None
        if self.known and call in TAKES_AREA:
            self.freeing = what

    def on_end(self, event, call, result, *_):
        if not self.begun[event.cpu]:
            return
        begun, asked, _ = self.begun[event.cpu].pop()
        law(begun == call, "an operation ends that has not begun")
        if not self.known:
            return
        self.finish_growth()
        if call in RETURNS_AREA and result:
            area = self.busy.containing(result)
            law(area and area[0] == result, f"V6: {result:#x} was returned, no area begins there")
            if call == VMALLOC:
                self.whole_area_is_mapped(result, asked, area[1])
        if self.begun[event.cpu]:
            return
        self.operations += 1
        if len(self.free.starts) <= FULL_CHECK_LIMIT or self.operations % FULL_CHECK_EVERY == 0:
            self.verify()

    def whole_area_is_mapped(self, start, asked, end):
        pages = -(-asked // PAGE)
        for page in range(start, start + pages * PAGE, PAGE):
            law(page in self.entries, f"P1: page {page:#x} of a new area has no entry")
        for page in range(start + pages * PAGE, end, PAGE):
            law(page not in self.entries or end - start >= 512 * PAGE,
                f"P1: the guard page {page:#x} has an entry")

    def unused(self):
        """What the hash of avlhash must hold: all free ranges but the one behind the frontier."""
        if self.caps & (FREE_TREE | LOWEST_FIT):
            return {}
        return {start: end for start, end in self.free.items() if end != self.end}

    def verify(self):
        """V4 and V5 over everything, V1-V3 of the free tree, B3."""
        everything = sorted(self.free.items() + self.busy.items() + self.lazy.items() +
                            self.cached.items())
        at = self.start
        for start, end in everything:
            law(start == at, f"V4: a gap or an overlap at {min(start, at):#x}")
            at = end
        law(at == self.end, f"V4: nothing covers {show(at, self.end)}")
        free = self.free.items()
        for (_, end), (start, _) in zip(free, free[1:]):
            law(end != start, f"V5: free ranges touch at {start:#x}")
        law(self.hash == self.unused(), "V1: the hash does not hold the unused ranges")
        if self.caps & AUGMENTED:
            self.tree.verify([(start, end - start) for start, end in free], True)

    # ---- search ---------------------------------------------------------------------------------

    def on_search(self, _, size, align, low, high):
        self.request, self.expected = (size, align, low, high), self.tree.root

    def lowest_fit(self):
        size, align, low, high = self.request
        at = max(bisect.bisect_right(self.free.starts, low) - 1, 0)
        for start in self.free.starts[at:]:
            fit = -(-max(start, low) // align) * align
            if fit + size <= min(self.free.ends[start], high):
                return fit
            if start >= high:
                break
        return None

    def on_visit(self, _, start, end, largest, *__):
        if not self.caps & AUGMENTED or not self.request:
            return
        law(self.expected and self.expected.key == start,
            f"the search visits {start:#x}, but its way leads elsewhere")
        law(self.free.ends.get(start) == end and self.expected.value == largest,
            f"V3: the visited {show(start, end)} is not what the tree has")
        self.at = self.expected

    def on_go_left(self, _, __, largest, *___):
        law(self.at.left and self.at.left.value == largest >= self.request[0],
            "the search goes left, where nothing is large enough")
        self.expected = self.at.left

    def on_prune_left(self, _, __, largest, why, *___):
        if self.caps & AUGMENTED:
            left = self.at.left
            law((left.value if left else 0) == largest, "V3: what is pruned is not what is there")
            law(why != 1 or largest < self.request[0], "a side is pruned that is large enough")
            law(why != 3 or largest < self.longest(), "a side is pruned that would do at any alignment")

    def on_go_right(self, _, __, largest, *___):
        law(self.at.right and self.at.right.value == largest >= self.request[0],
            "the search goes right, where nothing is large enough")
        self.expected = self.at.right

    def longest(self):
        """What holds the request wherever it begins."""
        return self.request[0] + self.request[1] - 1

    def on_prune_right(self, _, __, largest, why, *___):
        if self.caps & AUGMENTED:
            right = self.at.right
            law((right.value if right else 0) == largest, "V3: what is pruned is not what is there")
            law(why > 1 or largest < self.request[0], "a side is pruned that is large enough")
            law(why != 3 or largest < self.longest(), "a side is pruned that would do at any alignment")

    def on_climb(self, _, start, *__):
        self.expected = self.tree.node(start)

    def on_take(self, _, start, end, chosen, size):
        law(self.free.ends.get(start) == end, f"V4: {show(start, end)} is taken from, but not free")
        law(start <= chosen and chosen + size <= end, f"{chosen:#x} is taken outside of the range")
        if self.request and self.caps & LOWEST_FIT:
            lowest = self.lowest_fit()
            law(chosen == lowest, f"V7: {chosen:#x} is taken, the lowest fit is {lowest or 0:#x}")
        self.request = None

    def on_no_room(self, *_):
        lowest = self.lowest_fit() if self.request and not self.caps & GIVES_UP else None
        law(lowest is None, f"V7: no room is found, but {lowest or 0:#x} fits")
        self.request = None

    def on_look(self, _, start, end, *__):
        law(start == end or end in (self.free.ends.get(start), self.hash.get(start)),
            f"V4: the search looks at {show(start, end)}, which is not free")

    # ---- the hash, the pools --------------------------------------------------------------------

    def on_hash_add(self, _, start, end, *__):
        law(start not in self.hash, f"V1: {start:#x} is in the hash already")
        self.hash[start] = end
        if not self.free.containing(start):
            self.leave_limbo(start, end)
            self.free.add(start, end)

    def on_hash_drop(self, _, start, *__):
        law(self.hash.pop(start, None), f"V1: {start:#x} is not in the hash")

    def on_hash_hit(self, _, start, end, *__):
        law(self.hash.get(start) == end, f"V1: {show(start, end)} is not in the hash")

    def on_hash_miss(self, _, size, *__):
        law(len(self.hash) > HASH_PROBES or self.request[1] > PAGE or
            all(end - start != size for start, end in self.hash.items()),
            "an unused range of this very size is in the hash")

    def on_frontier(self, _, start, down, *__):
        if down and start in self.limbo:  # at the end of the space: nothing to merge with
            self.free.add(start, self.limbo.pop(start))

    def on_pool_add(self, _, start, end, *__):
        law(self.limbo.pop(start, None) == end, f"V4: {show(start, end)} was not given back")
        self.cached.add(start, end)

    def on_pool_hit(self, _, start, end, *__):
        self.cached.remove(start, end)
        self.cut = (start, end)

    def on_pool_drop(self, _, start, end, *__):
        self.cached.remove(start, end)
        self.limbo[start] = end

    # ---- carve ----------------------------------------------------------------------------------

    def begin_cut(self, start, end, cut_start, cut_end):
        self.free.remove(start, end)
        law(start <= cut_start < cut_end <= end, "what is carved is not inside of the range")
        self.cut = (cut_start, cut_end)

    def on_carve_fl(self, _, start, end, cut_start, cut_end):
        self.begin_cut(start, end, cut_start, cut_end)
        law((start, end) == self.cut, "FL, but not all of it is taken")

    def on_carve_le(self, _, start, end, cut_start, cut_end):
        self.begin_cut(start, end, cut_start, cut_end)
        law(cut_start == start and cut_end < end, "LE, but not at the left edge")
        self.free.add(cut_end, end)
        self.tree.rename(start, cut_end)

    def on_carve_re(self, _, start, end, cut_start, cut_end):
        self.begin_cut(start, end, cut_start, cut_end)
        law(cut_end == end and start < cut_start, "RE, but not at the right edge")
        self.free.add(start, cut_start)

    def on_carve_ne(self, _, start, end, cut_start, cut_end):
        self.begin_cut(start, end, cut_start, cut_end)
        law(start < cut_start and cut_end < end, "NE, but at an edge")
        self.free.add(start, cut_start)
        self.free.add(cut_end, end)
        self.tree.rename(start, cut_end)

    def finish_growth(self):
        """What was carved and never linked made the area before it larger (vrealloc)."""
        if not self.cut:
            return
        start, end = self.cut
        area = self.busy.containing(start - 1)
        law(area and area[1] == start, f"V4: {show(start, end)} was carved and belongs to nobody")
        self.busy.remove(*area)
        self.busy.add(area[0], end)
        self.cut = None

    # ---- trees and lists ------------------------------------------------------------------------

    def on_link(self, _, start, end, __, busy):
        if busy:
            law(self.cut == (start, end), f"{show(start, end)} is used, but was not carved")
            self.busy.add(start, end)
            self.cut = None
            return
        if self.free.ends.get(start) != end:
            self.leave_limbo(start, end)
            self.free.add(start, end)
        if self.caps & AUGMENTED:
            self.tree.enter(start)

    def on_gap(self, _, start, end, *__):
        self.leave_limbo(start, end)
        self.free.add(start, end)

    def on_unlink(self, _, start, end, __, busy):
        if busy and not self.caps & FREE_TREE and start not in self.busy.ends:
            law(start in self.limbo or self.free.containing(start),
                f"V4: {show(start, end)} leaves the used ranges, but was not given back")
        elif busy:
            self.busy.remove(start, end)
            self.old_areas.discard(start)
            self.limbo[start] = end
        elif self.caps & AUGMENTED:
            self.tree.erase(start)

    def on_rotate(self, _, top, up, to_right, *__):
        if top in self.tree.nodes and up in self.tree.nodes:
            self.tree.rotate(self.tree.node(top), self.tree.node(up), not to_right)

    def on_recolour(self, _, key, color, *__):
        if key in self.tree.nodes:
            self.tree.node(key).color = color

    def on_propagate(self, _, key, old, new, *__):
        node = self.tree.node(key)
        law(old in (0, node.value), f"V3: {key:#x} has {node.value:#x}, not {old:#x}")
        node.value = new

    def leave_limbo(self, start, end):
        """A range becomes free: one that was given back, or the tail of an area that shrinks."""
        if self.limbo.get(start) == end:
            del self.limbo[start]
            return
        area = self.busy.containing(start)
        law(area and area[1] == end and area[0] < start,
            f"V4: {show(start, end)} becomes free, but was not given back")
        self.busy.remove(*area)
        self.busy.add(area[0], start)

    def on_merge_left(self, _, start, end, given, given_end):
        law(end == given, "what merges does not touch")
        self.leave_limbo(given, given_end)
        self.free.remove(start, end)
        self.free.add(start, given_end)
        self.joined = (start, given_end, given)

    def on_merge_right(self, _, start, end, given, given_end):
        law(given_end == start, "what merges does not touch")
        self.free.remove(start, end)
        if self.joined and self.joined[1] == start:
            law(self.joined[2] == given, "what merges to the right is not what merged to the left")
            self.free.remove(*self.joined[:2])
            self.free.add(self.joined[0], end)
        else:
            self.leave_limbo(given, given_end)
            self.free.add(given, end)
            self.tree.rename(start, given)
        self.joined = None

    # ---- lazily -----------------------------------------------------------------------------------

    def to_lazy(self, start, end):
        if start in self.limbo:
            law(self.limbo.pop(start) == end, f"{show(start, end)} is not what was given back")
        else:  # the designs without free ranges keep them among the used ones
            law(not self.caps & FREE_TREE, f"V6: {show(start, end)} waits, but is among the used ranges")
            self.busy.remove(start, end)

    def on_lazy_queue(self, _, start, end, *__):
        self.to_lazy(start, end)
        self.lazy.add(start, end)
        self.flushed[start] = False

    def on_lazy_join(self, _, start, end, into, into_end):
        self.to_lazy(start, end)
        old = (into, start) if into_end == end else (end, into_end)
        self.lazy.remove(*old)
        self.flushed.pop(old[0], None)
        self.lazy.add(into, into_end)
        self.flushed[into] = False

    def on_purge(self, _, start, end, ranges, pages):
        law(ranges == len(self.lazy.starts) and pages * PAGE == self.lazy.total,
            f"{len(self.lazy.starts)} ranges of {self.lazy.total // PAGE} pages wait, {ranges} of {pages}"
            " are purged")
        law(all(start <= low and high <= end for low, high in self.lazy.items()),
            "a range waits outside of what is purged")

    def on_flush_range(self, _, start, end, *__):
        for low in self.lazy.starts:
            if start <= low and self.lazy.ends[low] <= end:
                self.flushed[low] = True

    def on_flush_all(self, *_):
        self.flushed = dict.fromkeys(self.lazy.starts, True)

    def on_free(self, _, start, end, *__):
        law(self.lazy.ends.get(start) == end, f"V4: {show(start, end)} is given back and did not wait")
        law(self.flushed.get(start), f"P3: {show(start, end)} is given back before a flush")
        self.lazy.remove(start, end)
        self.flushed.pop(start, None)
        self.limbo[start] = end
        self.joined = None

    # ---- pages and entries -------------------------------------------------------------------------

    def in_space(self, address):
        return self.start <= address < self.end

    def on_pte_set(self, _, address, entry, level, *__):
        law(address < USER_END or not entry & WRITABLE or entry & NO_EXECUTE,
            f"P2: {address:#x} is writable and executable")
        if not self.in_space(address):
            return
        self.finish_growth()
        law(self.busy.containing(address), f"P1: {address:#x} is mapped and belongs to nobody")
        for page in range(address, address + (PAGE << 9 * level), PAGE):
            law(page not in self.entries or level == 0, f"P1: {page:#x} is mapped twice")
            self.entries[page] = entry

    def on_pte_clear(self, _, address, __, level, *___):
        if not self.in_space(address):
            return
        area = self.busy.containing(address)
        law(address in self.entries or (area and area[0] in self.old_areas),
            f"P1: the entry of {address:#x} is cleared and was never set")
        for page in range(address, address + (PAGE << 9 * level), PAGE):
            self.entries.pop(page, None)

    def on_pages_take(self, _, count, *__):
        self.buddy.waiting -= count
        law(self.buddy.waiting >= 0, "B3: more pages than wait are taken from the list of a CPU")

    def on_pages_give(self, _, count, *__):
        self.buddy.waiting += count

    on_pcp_refill = on_pages_give

    def on_pcp_drain(self, _, count, *__):
        self.buddy.waiting -= count

    def on_block_take(self, _, frame, order, wanted, *__):
        law(order >= wanted, f"a block of order {order} is taken for order {wanted}")
        self.buddy.take(frame, order)
        self.buddy.free -= 1 << wanted

    def on_block_split(self, _, frame, order, *__):
        self.buddy.put(frame, order)

    def on_block_merge(self, _, frame, order, *__):
        self.buddy.take(frame, order)

    def on_block_put(self, _, frame, order, *__):
        self.buddy.put(frame, order)


class Result:
    """events replayed, operations completed, and the first thing that cannot be (a sentence)."""

    def __init__(self):
        self.events = self.operations = 0
        self.problem = None


def replay(log, observe=None):
    """Through all records; observe(model, event) after each. Stops at the first divergence."""
    result, model = Result(), Model(log.kinds)
    losses = sorted(log.losses)
    for event in log.events:
        if losses and event.number >= losses[0][0]:
            result.problem = (f"record {losses[0][0]}: {losses[0][2]} records of CPU {losses[0][1]} are"
                              " lost; what follows cannot be judged")
            break
        try:
            model.apply(event)
        except Divergence as why:
            result.problem = (f"record {event.number} (operation {event.operation}, "
                              f"{event.name}: {explain(event, log.kinds)}): {why}")
            break
        result.events += 1
        if observe:
            observe(model, event)
    result.operations = model.operations
    return result, model
