# SPDX-License-Identifier: MIT
"""`vmap check`: invariants V1 to V5 verified from outside, on memory alone, without a line in common
with the kernel's own checks. Inside an operation some do not hold: that is what to look at then.
"""
from .drawing import paint
from .kernel import MAX_NODES, Sentence, plural
from .spaces import Area, Space

LAWS = {
    "V1": "list order is the in-order walk of the tree, same elements",
    "V2": "red-black rules and parent links",
    "V3": "subtree_max_size is exact at every node",
    "V4": "the ranges tile the space: no gap, no overlap",
    "V5": "no two free neighbours touch",
}


def compare_orders(space):
    """V1, for both pairs; lists are also checked for ascending addresses."""
    for busy in (True, False):
        name = "busy" if busy else "free"
        listed = list(space.listed(busy))
        for one, two in zip(listed, listed[1:]):
            if one.start >= two.start:
                return f"{name} list: {one} stands before {two}"
        if not space.has_tree(busy):
            continue
        walked = list(space.in_order(busy))
        if [area.address for area in listed] == [area.address for area in walked]:
            continue
        for one, two in zip(listed, walked):
            if one.address != two.address:
                return f"{name}: the list has {one} where the tree has {two}"
        return f"{name}: {len(listed)} areas on the list, {len(walked)} in the tree"
    return None


def check_colors(space, busy):
    """V2 without recursion: parent, colour, black height of every node, bounded against cycles."""
    name = "busy" if busy else "free"
    stack, seen, height = [(space.root(busy), 0, False, 0)], set(), None
    while stack:
        node, parent, parent_red, blacks = stack.pop()
        if not node:
            if height is not None and blacks != height:
                return f"{name} tree: {blacks} and {height} black nodes on the way to two leaves"
            height = blacks
            continue
        if node in seen or len(seen) > MAX_NODES:
            return f"{name} tree: node {node:#x} is reached twice"
        seen.add(node)
        area = Area.of_node(node)
        if area.parent != parent:
            return f"{name} tree: the parent of {area} is {parent:#x}, the node says {area.parent:#x}"
        if area.red and (parent_red or not parent):
            return f"{name} tree: {area} is red, and so is its parent" if parent else \
                f"{name} tree: the root {area} is red"
        for child in ("rb_node.left", "rb_node.right"):
            stack.append((area[child], node, area.red, blacks + (not area.red)))
    return None


def check_trees(space):
    for busy in (True, False):
        broken = check_colors(space, busy) if space.has_tree(busy) else None
        if broken:
            return broken
    return None


def check_sizes(space):
    """V3: every stored maximum against the true one of its subtree, computed bottom-up."""
    true = {}
    order = list(space.in_order(False))
    children = {area.node: (area["rb_node.left"], area["rb_node.right"]) for area in order}
    areas = {area.node: area for area in order}
    stack = [(space.root(False), False)]
    while stack:
        node, done = stack.pop()
        if not node:
            continue
        left, right = children[node]
        if not done:
            stack += [(node, True), (left, False), (right, False)]
            continue
        true[node] = max(areas[node].size, true.get(left, 0), true.get(right, 0))
        stored = areas[node]["subtree_max_size"]
        if stored != true[node]:
            return f"{areas[node]} stores {stored:#x}, its subtree has {true[node]:#x}"
    return None


def check_tiling(space):
    at = space.start
    for start, end, _area in space.ranges():
        if start >= end:
            return f"[{start:#x}, {end:#x}) is empty or backwards"
        if start != at:
            what = "belongs to no range" if start > at else "is covered twice"
            return f"[{min(at, start):#x}, {max(at, start):#x}) {what}"
        at = end
    return None if at == space.end else f"[{at:#x}, {space.end:#x}) belongs to no range"


def check_neighbours(space):
    free = list(space.listed(False))
    for one, two in zip(free, free[1:]):
        if one.end == two.start:
            return f"{one} and {two} touch"
    return None


def count_nodes(space):
    busy = sum(1 for _ in space.listed(True))
    free = sum(1 for _ in space.listed(False))
    return busy, free


CHECKS = {"V1": compare_orders, "V2": check_trees, "V3": check_sizes, "V4": check_tiling,
          "V5": check_neighbours}


def has_not(space, law):
    """What the design would need for the law to mean something, or None."""
    if law == "V2" and not space.has_tree(True) and not space.has_tree(False):
        return "red-black tree"
    return "augmented tree" if law == "V3" and not space.augmented else None


def command_check(words):
    if words:
        raise Sentence("usage: vmap check")
    space = Space()
    broken = 0
    for law, check in CHECKS.items():
        missing = has_not(space, law)
        if missing:
            print(f"  {law}  {paint('none  ', 'dim')}  {LAWS[law]}: {space.design} has no {missing}")
            continue
        verdict = paint("BROKEN", "red")
        try:
            wrong = check(space)
        except Sentence as sentence:
            wrong = str(sentence)
            if law not in ("V1", "V2"):  # these two are about the links, and links were the trouble
                verdict = paint("?     ", "yellow")
        broken += wrong is not None
        verdict = verdict if wrong else paint("ok    ", "green")
        print(f"  {law}  {verdict}  {LAWS[law]}" + (f"\n              {wrong}" if wrong else ""))
    if broken and space.locked:
        print("the space's lock is held: an operation is under way, and may restore them")
    elif not broken:
        busy, free = count_nodes(space)
        print(f"all hold, over {plural(busy, 'busy or lazy area')} and {plural(free, 'free descriptor')}")
