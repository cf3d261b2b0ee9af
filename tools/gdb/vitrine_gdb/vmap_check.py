# SPDX-License-Identifier: MIT
"""`vmap check`: invariants V1 to V6 verified from outside, on memory alone, without a line in common
with the kernel's own checks. Inside an operation some do not hold: that is what to look at then.

  V1  list  A -> B -> C        V2  parent links, colours,     V3  max(own size, left, right)
      tree  A  B  C in order       equal black heights            stored at each node, exactly
  V4  |busy|guard|free|lazy|   V5  |free|free| never          V6  find(first), find(last) -> the area
      no gap, no overlap                                          find(before), find(behind) -> not
"""
from .drawing import paint
from .kernel import PAGE_SIZE, Sentence, collect, memory, plural
from .spaces import AVL, BUSY, FREE, KINDS, LAZY, Space

LAWS = {
    "V1": "list order is the in-order walk of the tree, same elements",
    "V2": "red-black rules and parent links",
    "V3": "subtree_max_size is exact at every node",
    "V4": "the ranges tile the space: no gap, no overlap",
    "V5": "no two free neighbours touch",
    "V6": "find() meets each busy area at both ends, and nothing else",
}
NAMES = {True: "busy", False: "free"}


class Unknown(Exception):
    """A law that cannot be judged, because what it is about could not be read."""


def first(sentences):
    return next((sentence for sentence in sentences if sentence), None)


# ---- V1 -----------------------------------------------------------------------------------------

def check_kinds(space, busy):
    allowed = (BUSY,) if space.retires else (BUSY, LAZY)
    for area in space.listed(busy)[0]:
        retired = busy and area.kind == LAZY  # that is V6
        if area.kind not in (allowed if busy else (FREE,)) and not retired:
            return f"{NAMES[busy]}: {area} is of kind {area.kind} ({KINDS.get(area.kind, 'unknown')})"
    return None


def compare_orders(space, busy):
    listed, trouble = space.listed(busy)
    broken = trouble or out_of_order(NAMES[busy], listed) or check_kinds(space, busy)
    return broken or first(same_elements(*entry) for entry in space.trees(busy))


def out_of_order(name, listed):
    for one, two in zip(listed, listed[1:]):
        if one.start >= two.start:
            return f"{name} list: {one} stands before {two}"
    return None


def same_elements(name, tree, listing):
    """A tree and the list of the same areas; a tree that cannot be followed is V2's business."""
    listed, (nodes, trouble) = listing[0], tree
    if trouble:
        return None
    broken = out_of_order(name, listed)
    if broken:
        return broken
    walked = [node.area for node in nodes]
    for one, two in zip(listed, walked):
        if one.address != two.address:
            return f"{name}: the list has {one} where the tree has {two}"
    if len(listed) != len(walked):
        more = max(listed, walked, key=len)[min(len(listed), len(walked))]
        return f"{name}: {plural(len(listed), 'area')} on the list, {len(walked)} in the tree; " \
               f"{more} is missing in one"
    return None


def bucket_of(space, size):
    """avlhash_bucket()"""
    pages = size >> 12
    if memory.number(space.field("policy.hit"), 4):
        return pages.bit_length()
    return pages * 0x9e3779b97f4a7c15 % (1 << 64) >> 58


def check_hash(space):
    """avlhash: the hash holds exactly the unused areas, each in its bucket, each linked back."""
    entries, trouble = collect(space.chains())
    if trouble:
        return trouble
    for bucket, link, area in entries:
        if area["hash_node.link"] != link:
            return f"hash: {area} says that {area['hash_node.link']:#x} points to it, but {link:#x} does"
        if area.kind != FREE:
            return f"hash: {area} is of kind {KINDS.get(area.kind, area.kind)}"
        if bucket_of(space, area.size) != bucket:
            return f"hash: {area} is in bucket {bucket}, its size belongs into {bucket_of(space, area.size)}"
    listed = {area.address: area for area in space.listed(False)[0]}
    for _bucket, _link, area in entries:
        if area.address not in listed:
            return f"hash: {area} is not on the list of all areas"
    missing = listed.keys() - {area.address for _bucket, _link, area in entries}
    return f"unused {listed[min(missing)]} is in no bucket of the hash" if missing else None


def check_v1(space):
    broken = first(compare_orders(space, busy) for busy in (True, False))
    return broken or (check_hash(space) if space.kept.buckets else None)


# ---- V2 -----------------------------------------------------------------------------------------

def check_links(name, nodes):
    """Parent words, whatever the balance."""
    for node in nodes:
        parent = node.came_from.area.node if node.came_from else 0
        if node.parent != parent:
            return f"{name} tree: the parent of {node.area} is {parent:#x}, the node says {node.parent:#x}"
    return None


def check_colors(name, nodes):
    """No red child of a red node, a black root, as many black nodes on the way to each leaf."""
    blacks, height = {}, None
    for node in sorted(nodes, key=lambda node: len(node.path)):  # parents first
        above = node.came_from
        if node.red and (not above or above.red):
            return f"{name} tree: {node.area} is red, and so is its parent {above.area}" if above else \
                f"{name} tree: the root {node.area} is red"
        blacks[node.area.node] = (blacks[above.area.node] if above else 0) + (not node.red)
        for child in (node.left, node.right):
            if child:
                continue
            if height is not None and blacks[node.area.node] != height:
                return f"{name} tree: {blacks[node.area.node]} black nodes on the way to a leaf of " \
                       f"{node.area}, {height} on the way to another"
            height = blacks[node.area.node]
    return None


def check_heights(name, nodes):
    """AVL: the two sides differ by one at most, and the node says how."""
    heights = {0: 0}
    for node in sorted(nodes, key=lambda node: -len(node.path)):  # children first
        left, right = heights.get(node.left, 0), heights.get(node.right, 0)
        heights[node.area.node] = 1 + max(left, right)
        if abs(left - right) > 1:
            return f"{name} tree: at {node.area} one side is {left} high, the other {right}"
        if node.mark != 1 + right - left:
            return f"{name} tree: {node.area} has sides of height {left} and {right}, but says lean {node.mark}"
    return None


def check_v2(space):
    balance = check_heights if space.kept.balance is AVL else check_colors
    return first(trouble or check_links(name, nodes) or balance(name, nodes) for busy in (True, False)
                 for name, (nodes, trouble), _listed in space.trees(busy))


# ---- V3, V4, V5 ---------------------------------------------------------------------------------

def check_v3(space):
    """Every stored maximum against the true one of its subtree, computed bottom-up."""
    true = {}
    nodes, trouble = space.tree(False)
    if trouble:
        raise Unknown(trouble)
    wrong = []
    for node in sorted(nodes, key=lambda node: -len(node.path)):
        true[node.area.node] = max(node.area.size, true.get(node.left, 0), true.get(node.right, 0))
        if node.area["subtree_max_size"] != true[node.area.node]:
            wrong.append(node)
    if not wrong:
        return None
    node = wrong[0]
    more = f"; {plural(len(wrong), 'node')} in all" if len(wrong) > 1 else ""
    return f"{node.area} stores {node.area['subtree_max_size']:#x}, its subtree has " \
           f"{true[node.area.node]:#x}{more}"


def check_range(space, start, end):
    if start >= end:
        return f"[{start:#x}, {end:#x}) is empty or backwards"
    if (start | end) % PAGE_SIZE:
        return f"[{start:#x}, {end:#x}) does not begin and end at a page"
    if start < space.start or end > space.end:
        return f"[{start:#x}, {end:#x}) lies outside of the region"
    return None


def check_tiling(space):
    at = space.start
    for start, end, _area in space.ranges():
        broken = check_range(space, start, end)
        if broken:
            return broken
        if start != at:
            what = "belongs to no range" if start > at else "is covered twice"
            return f"[{min(at, start):#x}, {max(at, start):#x}) {what}"
        at = end
    if space.undescribed_from() > space.end:
        return f"the frontier {space.undescribed_from():#x} lies behind the region"
    return None if at == space.end else f"[{at:#x}, {space.end:#x}) belongs to no range"


def check_counters(space):
    """The counters are part of the bookkeeping."""
    used = [entry for entry in space.ranges() if entry[2] and entry[2].kind in (BUSY, LAZY)]
    cached = [area.size for area in space.cached()[0]]
    free = [entry for entry in space.ranges() if not entry[2] or entry[2].kind == FREE]
    extents = sum(1 for index, entry in enumerate(free) if not index or free[index - 1][1] != entry[0])
    for name, counted in (("busy_areas", len(used)), ("free_extents", extents),
                          ("busy_bytes", sum(end - start for start, end, _ in used)),
                          ("cached_areas", len(cached)), ("cached_bytes", sum(cached)),
                          ("free_bytes", sum(end - start for start, end, _ in free) + sum(cached))):
        if space.stat(name) != counted:
            return f"stats.{name} says {space.stat(name):#x}, the structures hold {counted:#x}"
    return None


def check_v4(space):
    trouble = space.listed(True)[1] or space.listed(False)[1]
    if trouble:
        raise Unknown(trouble)
    return space.retired()[1] or space.cached()[1] or check_tiling(space) or check_counters(space)


def check_v5(space):
    free, trouble = space.listed(False)
    for one, two in zip(free, free[1:]):
        if one.end == two.start:
            return f"{one} and {two} touch"
    if trouble:
        raise Unknown(trouble)
    lowered = space.kept.buckets and not memory.number(space.field("policy.frontier"), 4)
    if lowered and free and free[-1].end == space.undescribed_from():
        return f"unused {free[-1]} touches the frontier"
    return None


# ---- V6 -----------------------------------------------------------------------------------------

def tree_find(space):
    """find() of the designs with trees: down from the root, by address."""
    known = {node.area.node: node for _name, (nodes, _trouble), _listed in space.trees(True) for node in nodes}
    roots = [node for node in known.values() if not node.path]

    def find(address):
        for node in roots:
            while node:
                if node.area.start <= address < node.area.end:
                    return node.area.address
                node = known.get(node.left if address < node.area.start else node.right)
        return 0
    return find


def list_find(space):
    """... and with a list: the first element that ends above the address decides."""
    areas = space.listed(True)[0]

    def find(address):
        for area in areas:
            if address < area.end:
                return area.address if address >= area.start else 0
        return 0
    return find


def check_v6(space):
    """Like the kernel's find(); what it meets there must be BUSY to be an answer."""
    busy, trouble = space.listed(True)
    trouble = trouble or first(tree[1] for _name, tree, _listed in space.trees(True))
    if trouble:
        raise Unknown(trouble)
    retired = {area.address for area in busy if area.kind == LAZY}
    if space.retires and retired:
        area = next(area for area in busy if area.kind == LAZY)
        return f"{area} is lazily freed, but find() still meets it"
    find = tree_find(space) if space.trees(True) else list_find(space)
    for area in busy:
        for address in (area.start, area.end - 1):
            if find(address) != area.address:
                return f"find({address:#x}) misses busy {area}"
        for address in (area.start - 1, area.end):
            if find(address) == area.address:
                return f"find({address:#x}) answers with busy {area}"
    for area in space.retired()[0]:
        if find(area.start) or find(area.end - 1):
            return f"find() answers inside of lazily freed {area}"
    return None


CHECKS = {"V1": check_v1, "V2": check_v2, "V3": check_v3, "V4": check_v4, "V5": check_v5, "V6": check_v6}


def has_not(space, law):
    """What the design would need for the law to mean something, or None."""
    if law == "V2" and not space.has_tree(True) and not space.has_tree(False):
        return "tree"
    return "augmented tree" if law == "V3" and not space.augmented else None


def title(space, law):
    if law == "V2" and space.kept.balance is AVL:
        return "AVL rules and parent links"
    return LAWS[law]


def judge(space):
    """{law: (verdict, sentence or None)}; verdict: "ok", "BROKEN", "?" (cannot be told) or "none"."""
    verdicts = {}
    for law, check in CHECKS.items():
        missing = has_not(space, law)
        if missing:
            verdicts[law] = "none", f"{space.design} has no {missing}"
            continue
        try:
            wrong = check(space)
            verdicts[law] = ("BROKEN", wrong) if wrong else ("ok", None)
        except Unknown as unknown:
            verdicts[law] = "?", str(unknown)
        except Sentence as sentence:
            verdicts[law] = "BROKEN", str(sentence)
    return verdicts


COLORS = {"ok": "green", "BROKEN": "red", "?": "yellow", "none": "dim"}


def command_check(words):
    if words:
        raise Sentence("usage: vmap check")
    space = Space()
    verdicts = judge(space)
    for law, (verdict, sentence) in verdicts.items():
        print(f"  {law}  {paint(f'{verdict:6}', COLORS[verdict])}  {title(space, law)}"
              + (f"\n              {sentence}" if sentence else ""))
    if any(verdict in ("BROKEN", "?") for verdict, _ in verdicts.values()):
        if space.locked:
            print(f"the space's lock is {space.locked}: an operation is under way, and may restore them")
        return
    print(f"all hold, over {plural(len(space.listed(True)[0]) + len(space.retired()[0]), 'busy or lazy area')}"
          f" and {plural(len(space.listed(False)[0]), 'free descriptor')}")
