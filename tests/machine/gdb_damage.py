# SPDX-License-Identifier: MIT
"""Sourced by GDB (test_gdb_damage.py): each kind of damage once, into the memory of a stopped kernel; what
the commands say about it; the damage undone; whether they are content again. One JSON line per damage:
[name, command, law, what it said, what it said afterwards]."""
import json

import gdb
from vitrine_gdb import pt, slab
from vitrine_gdb.kernel import Record, layout, memory, symbol_address
from vitrine_gdb.pages import DIRECT_MAP, FREE, USED, kernel_buddy
from vitrine_gdb.spaces import BUSY, Space

NULL, UNMAPPED, WILD, MISALIGNED = 0, 0xffff7000, 0x1234567890abcdef, 0xffff888000100001
AREA, PAGE = "struct vmap_area", "struct page"
CHECKS = {"V": "vmap check", "B": "buddy", "P": "ptdump --check", "S": "slab"}


def write(address, data):
    gdb.selected_inferior().write_memory(address, data)
    memory.forget()


class Damage:
    """with Damage() as damage: damage.word(address, value) ...; afterwards all is as before."""

    def __enter__(self):
        self.before = []
        return self

    def bytes(self, address, data):
        self.before.append((address, memory.read(address, len(data))))
        write(address, data)

    def word(self, address, value, size=8):
        self.bytes(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def field(self, kind, address, field, value):
        offset, size = layout(kind).fields[field]
        self.word(address + offset, value, size)

    def area(self, area, field, value):
        self.field(AREA, area.address, field, value)

    def __exit__(self, *_):
        for address, data in reversed(self.before):
            write(address, data)


def link(area):
    return area.at("list")


def swap(damage, areas, at):
    """Elements at and at + 1 of a list change places; every link of the list is right afterwards."""
    before, one, two, behind = (link(area) for area in areas[at - 1:at + 3])
    for left, right in ((before, two), (two, one), (one, behind)):
        damage.word(left, right)
        damage.word(right + 8, left)


# ---- what every design has ------------------------------------------------------------------------

def ranges(space, busy):
    return space.listed(busy)[0]


def list_damages(busy):
    name = "busy" if busy else "free"
    yield f"{name} list: an element left out", "V1", lambda d, s: d.word(
        link(ranges(s, busy)[1]), link(ranges(s, busy)[3]))
    yield f"{name} list: a circle", "V1", lambda d, s: d.word(link(ranges(s, busy)[4]), link(ranges(s, busy)[1]))
    yield f"{name} list: a pointer to nowhere", "V1", lambda d, s: d.word(link(ranges(s, busy)[2]), UNMAPPED)
    yield f"{name} list: a pointer that is no address", "V1", lambda d, s: d.word(link(ranges(s, busy)[2]), WILD)
    yield f"{name} list: a misaligned pointer", "V1", lambda d, s: d.word(link(ranges(s, busy)[2]), MISALIGNED)
    yield f"{name} list: a wrong link back", "V1", lambda d, s: d.word(
        link(ranges(s, busy)[3]) + 8, link(ranges(s, busy)[1]))
    yield f"{name} list: a pointer into an object", "V1", lambda d, s: d.word(
        link(ranges(s, busy)[2]), link(ranges(s, busy)[3]) + 16)
    yield f"{name} list: two elements out of order", "V1", lambda d, s: swap(d, ranges(s, busy), 2)


def kind_damage():
    yield "a free range that says it is busy", "V1", lambda d, s: d.area(ranges(s, False)[2], "kind", 1)


def tiling_damages():
    def twice(damage, space):
        one, two = ranges(space, True)[1:3]
        damage.area(two, "va_start", one.start)
        damage.area(two, "va_end", one.end)
    yield "a busy range that is a page too long", "V4", lambda d, s: d.area(
        ranges(s, True)[2], "va_end", ranges(s, True)[2].end + 4096)
    yield "a busy range that is a page too short", "V4", lambda d, s: d.area(
        ranges(s, True)[2], "va_end", ranges(s, True)[2].end - 4096)
    yield "a range that begins inside of a page", "V4", lambda d, s: d.area(
        ranges(s, True)[2], "va_start", ranges(s, True)[2].start + 8)
    yield "a range that ends before it begins", "V4", lambda d, s: d.area(ranges(s, True)[2], "va_end", 4096)
    yield "the same range twice", "V4", twice
    yield "a counter that is one off", "V4", lambda d, s: d.field(
        "struct vmap_space", s.record.address, "stats.busy_areas", s.stat("busy_areas") + 1)


def free_damages():
    yield "a free range that is a page too short", "V4", lambda d, s: d.area(
        ranges(s, False)[2], "va_end", ranges(s, False)[2].end - 4096)
    yield "two free neighbours that touch", "V5", lambda d, s: d.area(
        ranges(s, False)[1], "va_end", ranges(s, False)[2].start)


# ---- trees ----------------------------------------------------------------------------------------

def nodes(space, busy):
    """Of the tree, or of the first of several."""
    return space.trees(busy)[0][1][0]


def root(space, busy):
    return next(node.area.node for node in nodes(space, busy) if not node.path)


def pick(space, busy, wanted):
    """The first node of a tree that is wanted."""
    return next(node for node in nodes(space, busy) if wanted(node))


def inner(node):
    return node.left and node.right and node.came_from


def leaf(node):
    return not node.left and not node.right and node.came_from


def tree_damages(busy):
    tree = "busy" if busy else "free"

    def offsets(space):
        return f"{space.kept.balance.node}.left", f"{space.kept.balance.node}.right"

    def into_circle(damage, space):
        damage.area(pick(space, busy, leaf).area, offsets(space)[1], root(space, busy))

    def parent(damage, space):
        node = pick(space, busy, lambda node: leaf(node) and node.came_from.came_from)
        damage.area(node.area, space.kept.balance.word, root(space, busy) | node.mark)

    def colour(damage, space):
        node = pick(space, busy, leaf)
        damage.area(node.area, space.kept.balance.word, node.parent | node.mark ^ 1)

    def root_colour(damage, space):
        node = pick(space, busy, lambda node: not node.came_from)
        damage.area(node.area, space.kept.balance.word, node.parent | node.mark ^ 1)

    yield f"{tree} tree: a branch lost", "V1", lambda d, s: d.area(
        pick(s, busy, inner).area, offsets(s)[0], NULL)
    yield f"{tree} tree: a circle", "V2", into_circle
    yield f"{tree} tree: a pointer to nowhere", "V2", lambda d, s: d.area(
        pick(s, busy, inner).area, offsets(s)[1], UNMAPPED)
    yield f"{tree} tree: a pointer that is no address", "V2", lambda d, s: d.area(
        pick(s, busy, inner).area, offsets(s)[0], WILD)
    yield f"{tree} tree: a wrong parent", "V2", parent
    yield f"{tree} tree: a leaf of the wrong colour or lean", "V2", colour
    yield f"{tree} tree: a root of the wrong colour or lean", "V2", root_colour


def augmentation_damages():
    for name, wanted, value in (("a leaf stores too much", leaf, 1 << 40), ("a node stores nothing", inner, 0),
                                ("the root stores too little", lambda node: not node.came_from, 4096)):
        yield f"augmentation: {name}", "V3", lambda d, s, wanted=wanted, value=value: d.area(
            pick(s, False, wanted).area, "subtree_max_size", value)


# ---- lazy, hash, pools -----------------------------------------------------------------------------

def lazy_damages():
    yield "lazy list: a pointer to nowhere", "V4", lambda d, s: d.word(s.retired()[0][0].at("purge"), UNMAPPED)
    yield "lazy list: a circle", "V4", lambda d, s: d.word(
        s.retired()[0][1].at("purge"), s.retired()[0][0].at("purge"))
    yield "a freed range that find() still meets", "V6", lambda d, s: d.area(ranges(s, True)[2], "kind", 2)


def hash_damages():
    def entry(space, number):
        return list(space.chains())[number]

    def left_out(damage, space):
        _bucket, at, area = entry(space, 0)
        damage.word(at, area["hash_node.next"])

    def moved(damage, space):
        bucket, at, area = entry(space, 0)
        free = next(b for b in range(64) if not memory.number(space.field("unused") + 8 * b) and b != bucket)
        damage.word(at, area["hash_node.next"])
        damage.word(space.field("unused") + 8 * free, area.at("hash_node"))
        damage.area(area, "hash_node.link", space.field("unused") + 8 * free)
        damage.area(area, "hash_node.next", 0)
    yield "hash: an area left out", "V1", left_out
    yield "hash: an area in the wrong bucket", "V1", moved
    yield "hash: a circle", "V1", lambda d, s: d.area(
        entry(s, 0)[2], "hash_node.next", entry(s, 0)[2].at("hash_node"))
    yield "hash: a pointer to nowhere", "V1", lambda d, s: d.word(entry(s, 0)[1], UNMAPPED)
    yield "hash: a wrong link back", "V1", lambda d, s: d.area(entry(s, 0)[2], "hash_node.link", WILD)


def pool_damages():
    yield "pool: a circle", "V4", lambda d, s: d.word(link(s.cached()[0][0]), link(s.cached()[0][0]))
    yield "pool: a pointer to nowhere", "V4", lambda d, s: d.word(link(s.cached()[0][0]), UNMAPPED)
    yield "pool: a range that is a page too long", "V4", lambda d, s: d.area(
        s.cached()[0][0], "va_end", s.cached()[0][0].end + 4096)


# ---- frames, page tables, slabs ---------------------------------------------------------------------

def head_at(frame):
    return kernel_buddy()["pages"] + frame * layout(PAGE).size


def free_block(order):
    """(list head, frame) of the first block on the free list of the order."""
    buddy, kind = kernel_buddy(), layout("struct buddy_area")
    head = buddy.at("areas") + order * kind.size
    return head, (memory.number(head) - layout(PAGE).offset("link") - buddy["pages"]) // layout(PAGE).size


def largest():
    return next(order for order in range(10, 1, -1) if memory.number(free_block(order)[0]) != free_block(order)[0])


def used_frame():
    """The frame of the first page of the first area with pages."""
    return owner()[1]


def owner():
    """(area, frame of its page 0, address of the PTE) of an area with pages, a guard and a neighbour."""
    for area in Space().listed(True)[0]:
        vm = area.vm()
        if area.kind == BUSY and vm and vm["nr_pages"] > 1 and vm["pages"]:
            walk = pt.walk(area.start)
            return area, walk.physical >> 12, walk.steps[-1].entry_at
    raise AssertionError("no area with pages")


def entry_at(address):
    return pt.walk(address).steps[-1].entry_at


def buddy_damages():
    def split(damage, _space):
        """Both halves free, of the order below."""
        order = largest()
        frame = free_block(order)[1]
        for half in (frame, frame + (1 << order - 1)):
            damage.field(PAGE, head_at(half), "state", FREE)
            damage.field(PAGE, head_at(half), "order", order - 1)
    number = kernel_buddy().at
    yield "free blocks: a pointer to nowhere", "B1", lambda d, s: d.word(free_block(largest())[0], UNMAPPED)
    yield "free blocks: a circle", "B1", lambda d, s: d.field(
        PAGE, head_at(free_block(10)[1]), "link", head_at(free_block(10)[1]) + layout(PAGE).offset("link"))
    yield "a free block of another order than its list", "B1", lambda d, s: d.field(
        PAGE, head_at(free_block(10)[1]), "order", 9)
    yield "a free block that says it is used", "B1", lambda d, s: d.field(
        PAGE, head_at(free_block(10)[1]), "state", USED)
    yield "a free list that is one longer than it says", "B1", lambda d, s: d.word(
        free_block(10)[0] + layout("struct buddy_area").offset("count"), 1)
    yield "two free buddies", "B2", split
    yield "a frame inside a free block that says it is used", "B3", lambda d, s: d.field(
        PAGE, head_at(free_block(10)[1] + 5), "state", USED)
    yield "a frame that is lost", "B3", lambda d, s: d.word(number("managed"), kernel_buddy()["managed"] + 1)
    yield "free pages counted wrong", "B3", lambda d, s: d.word(number("free"), kernel_buddy()["free"] - 1)
    yield "page tables counted wrong", "B3", lambda d, s: d.word(number("use_pages") + 8, 3)


def table_damages():
    def writable_text(damage, _space):
        at = entry_at(symbol_address("__text_start"))
        damage.word(at, memory.number(at) | pt.W)

    def stray_table(damage, _space):
        at = pt.walk(owner()[0].start).steps[-2].entry_at
        damage.word(at, memory.number(at) & ~pt.FRAME | owner()[1] << 12)
    yield "a page of an area without its translation", "P1", lambda d, s: d.word(owner()[2], 0)
    yield "a page mapped to the frame of another", "P1", lambda d, s: d.word(
        owner()[2], memory.number(owner()[2] + 8))
    yield "a guard page that is mapped", "P1", lambda d, s: d.word(
        entry_at(owner()[0].end - 4096), memory.number(owner()[2]))
    yield "a translation that no area has", "P1", lambda d, s: d.word(
        entry_at(ranges(s, False)[2].start), memory.number(owner()[2]))
    yield "an area's frame that is free", "P1", lambda d, s: d.field(PAGE, head_at(used_frame()), "state", FREE)
    yield "an entry that leads to a table in no table", "P1", stray_table
    yield "an entry that leads to a table without memory", "P1", lambda d, s: d.word(
        pt.walk(owner()[0].start).steps[-2].entry_at, 0x000fffffff000023)
    yield "data that is executable", "P2", lambda d, s: d.word(owner()[2], memory.number(owner()[2]) & ~pt.NX)
    yield "code that is writable", "P2", writable_text


def area_cache():
    return next(cache for cache in slab.caches() if slab.name_of(cache) == "vmap_area")


def slab_heads(*lists):
    return [(name, Record(PAGE, memory.number(area_cache().at(name)) - layout(PAGE).offset("link")))
            for name in lists if memory.number(area_cache().at(name)) != area_cache().at(name)]


def slab_damages():
    def broken_link(damage, _space):
        head = slab_heads("partial")[0][1]
        frame = (head.address - kernel_buddy()["pages"]) // layout(PAGE).size
        damage.word(DIRECT_MAP + frame * 4096 + head["slab_free"] * area_cache()["stride"], 0)
    yield "slab: an object counted twice", "S1", lambda d, s: d.field(
        PAGE, slab_heads("partial", "full")[0][1].address, "slab_inuse",
        slab_heads("partial", "full")[0][1]["slab_inuse"] + 1)
    yield "slab: a list that leads nowhere", "S1", lambda d, s: d.word(
        area_cache().at(slab_heads("partial", "full")[0][0]), UNMAPPED)
    yield "slab: a slab that is counted and not there", "S1", lambda d, s: d.word(
        area_cache().at("slabs"), area_cache()["slabs"] + 1)
    if slab_heads("partial"):
        yield "slab: a free object that was written to", "S2", broken_link
    yield "slab: a magazine that leads nowhere", "S2", lambda d, s: (
        d.field("struct slab_cpu", area_cache().at("cpu"), "objects", UNMAPPED),
        d.field("struct slab_cpu", area_cache().at("cpu"), "count", 3))


# ---- all of them ----------------------------------------------------------------------------------

def damages(space):
    kept = space.kept
    yield from list_damages(True)
    yield from tiling_damages()
    if kept.sets[False]:
        yield from kind_damage()
        yield from free_damages()
        yield from list_damages(False)
    for busy in (True, False):
        if space.trees(busy):
            yield from tree_damages(busy)
    if space.augmented:
        yield from augmentation_damages()
    if space.retires and len(space.retired()[0]) > 1:
        yield from lazy_damages()
    if kept.buckets:
        yield from hash_damages()
    if kept.pools and space.cached()[0]:
        yield from pool_damages()
    if space.design == "freetree":
        yield from buddy_damages()
        yield from table_damages()
        yield from slab_damages()


def said(command):
    return gdb.execute(command, to_string=True)


def run():
    for name, law, plant in list(damages(Space())):
        command = CHECKS[law[0]]
        with Damage() as damage:
            memory.forget()
            plant(damage, Space())
            assert damage.before, name
            broken = said(command)
        print("damage " + json.dumps([name, command, law, broken, said(command)]))


if __name__ == "__main__":
    run()
