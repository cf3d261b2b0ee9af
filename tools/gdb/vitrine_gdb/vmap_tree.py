# SPDX-License-Identifier: MIT
"""`vmap tree`: a tree of the design lying on its side, rows in address order, the root at the left edge.

      ┌─ R [2,5)   subtree_max 3           left child: lower addresses, above
  ┌─ B [8,9)       subtree_max 3           R, B: the colour; in an AVL tree / = \\ for the higher side
  B [11,16)        subtree_max 7           the root
  └─ B [20,27)     subtree_max 7           right child: higher addresses, below
"""
from .drawing import branches, paint
from .kernel import MASK, Sentence, caller_name, human, plural
from .spaces import AVL, LAZY, Space
from .vmap_fit import draw_fit

MAX_ROWS = 255
USAGE = "usage: vmap tree [free|busy] [all] | vmap tree --fit SIZE [ALIGN]"
LEANS = {0: "/", 1: "=", 2: "\\"}  # left side higher, even, right side higher


def letter(space, node):
    if space.kept.balance is AVL:
        return LEANS.get(node.mark, "?")
    return paint("R", "red") if node.red else paint("B", "bold")


def children(nodes):
    """Node address -> Node."""
    return {node.area.node: node for node in nodes}


def max_below(node, known):
    """The largest subtree_max_size that the children store; 0 without any."""
    return max([known[child].area["subtree_max_size"] for child in (node.left, node.right)
                if child in known], default=0)


def augmentation(node, known):
    """The stored subtree_max_size, in red with the right value where V3 does not hold."""
    stored, exact = node.area["subtree_max_size"], max(node.area.size, max_below(node, known))
    if stored == exact:
        return f"subtree_max {human(stored)}"
    return paint(f"subtree_max {human(stored)}, V3 broken: should be {human(exact)}", "red")


def tail_of(space, node, busy, known):
    if busy:
        return ("lazy " if node.area.kind == LAZY else "") + caller_name(node.area["caller"])
    return augmentation(node, known) if space.augmented else ""


def print_node(space, node, busy, known):
    area = node.area
    broken = paint(f"  BROKEN: {node.broken}", "red") if node.broken else ""
    print(f"{paint(branches(node.path), 'dim')}{letter(space, node)} 0x{area.start:x}-0x{area.end:x} "
          f"{human(area.size & MASK)}  {tail_of(space, node, busy, known)}{node.note}{broken}".rstrip())


def need_tree(space, busy):
    kind = "busy" if busy else "free"
    if not space.has_tree(busy):
        raise Sentence(f"design {space.design} keeps no tree of {kind} areas: `vmap list`")
    if not space.root(busy):
        raise Sentence(f"the {kind} tree is empty")


def depth_to_draw(nodes, limit):
    """As many levels as fit into so many rows."""
    counts = {}
    for node in nodes:
        counts[len(node.path)] = counts.get(len(node.path), 0) + 1
    rows = 0
    for depth in sorted(counts):
        rows += counts[depth]
        if rows > limit:
            return max(depth - 1, 0)
    return max(counts)


def draw(space, busy, everything):
    need_tree(space, busy)
    nodes, trouble = space.tree(busy)
    if not nodes:
        raise Sentence(trouble)
    known = children(nodes)
    levels = max(len(node.path) for node in nodes) + 1
    print(f"{'busy' if busy else 'free'} tree of {space.design}: {plural(len(nodes), 'node')}, "
          f"{plural(levels, 'level')}; rows in address order, root leftmost")
    if not busy and space.augmented:
        print("subtree_max = subtree_max_size, the largest free range in the subtree")
    depth = levels if everything else depth_to_draw(nodes, MAX_ROWS)
    for node in nodes:
        if len(node.path) <= depth:
            print_node(space, node, busy, known)
    if levels - 1 > depth:
        print(f"only the top {plural(depth + 1, 'level')}; `vmap tree {'busy ' if busy else ''}all` "
              f"draws all")
    if space.locked:
        print(f"the space's lock is {space.locked}: the tree may be half changed")


def command_tree(words):
    space = Space()
    if words and words[0] == "--fit":
        draw_fit(space, words[1:])
        return
    kinds = [word for word in words if word in ("free", "busy")]
    if len(kinds) > 1 or any(word not in ("free", "busy", "all") for word in words):
        raise Sentence(USAGE)
    busy = kinds == ["busy"]
    if not kinds and not space.has_tree(False) and space.has_tree(True):
        print(f"{space.design} keeps no tree of free ranges; its tree of busy ones:")
        busy = True
    draw(space, busy, "all" in words)
