# SPDX-License-Identifier: MIT
"""`vmap`, `vmap list`, `vmap at ADDR`: the ranges of the vmap space."""
from .drawing import paint
from .kernel import Sentence, caller_name, evaluate, human, memory, plural, symbolise
from .spaces import BUSY, FREE, KINDS, LAZY, Space, guard_of, history_of, use_of

MERGE_FROM = 4
COLORS = {BUSY: "green", LAZY: "yellow", FREE: "dim"}


def summary(space):
    busy = space.stat("busy_areas") - space.flush("count")
    lock = ", its lock is HELD: an operation is under way" if space.locked else ""
    print(f"vmalloc region {space.start:#x}-{space.end:#x}, design {space.design} ({space.since}){lock}")
    print(f"{plural(busy, 'area')} busy, {space.flush('count')} lazy, "
          f"{plural(space.stat('free_extents'), 'free range')}; "
          f"{plural(space.stat('allocs'), 'allocation')}, {plural(space.stat('frees'), 'free')}, "
          f"vmap.check={space.record['check_level']}")


def row(start, end, kind, detail, color):
    print(f"0x{start:016x}-0x{end:016x} {human(end - start):>9}  {paint(f'{kind:5}', color)} {detail}".rstrip())


def describe(area, vm):
    if area.kind == LAZY:
        return "waits for its TLB flush"
    if area.kind != BUSY:
        return ""
    caller = symbolise(vm["caller"]) if vm else caller_name(area["caller"])
    pages = f"{plural(vm['nr_pages'], 'page')} " if vm else ""
    return f"{pages}{use_of(area, vm)}  {caller}"


def show_range(start, end, area):
    if area is None:
        row(start, end, "free", "", "dim")
        return
    vm = area.vm()
    guard = guard_of(area, vm)
    row(start, end - guard, KINDS.get(area.kind, f"?{area.kind}"), describe(area, vm),
        COLORS.get(area.kind, "red"))
    if guard:
        row(end - guard, end, "guard", "", "red")


def alike(one, two):
    """Neighbours that a run may merge: same kind, size, owner."""
    area, following = one[2], two[2]
    return (area and following and one[1] == two[0] and area.kind == following.kind != FREE
            and area.size == following.size and area["caller"] == following["caller"])


def show_runs(ranges):
    index = 0
    while index < len(ranges):
        last = index
        while last + 1 < len(ranges) and alike(ranges[last], ranges[last + 1]):
            last += 1
        if last - index + 1 >= MERGE_FROM:
            show_range(*ranges[index])
            print(paint(f"  ... {last - index - 1:,} more like this (`vmap list all` shows them)", "dim"))
            show_range(*ranges[last])
            index = last + 1
        else:
            show_range(*ranges[index])
            index += 1


def command_list(words):
    if words not in ([], ["all"]):
        raise Sentence("usage: vmap list [all]")
    space = Space()
    ranges = list(space.ranges())
    if words:
        for entry in ranges:
            show_range(*entry)
    else:
        show_runs(ranges)
    summary(space)


def command_summary(words):
    if words:
        raise Sentence("usage: vmap [list [all] | tree [busy] | tree --fit SIZE [ALIGN] | check | at ADDR]")
    summary(Space())


def show_at(space, address):
    """What whatis-addr and `vmap at` say about an address of the region."""
    area = space.find(address)
    if not area or area.kind == FREE:
        where = f"free range {area}, {human(area.size)}" if area else "no area"
        print(f"area     none: {where}")
    elif area.kind == LAZY:
        print(f"area     {area} freed, waits for its TLB flush")
    else:
        vm = area.vm()
        guard = guard_of(area, vm)
        print(f"area     {area} {use_of(area, vm)}, {human(area.size)} with its guard, vmap_area at "
              f"{area.address:#x}")
        print(f"owner    {symbolise(vm['caller']) if vm else caller_name(area['caller'])}")
        offset = address - area.start
        where = "guard page" if address >= area.end - guard else f"page {offset >> 12}"
        print(f"position {where}, byte {offset:#x} of the area")
        return
    old = history_of(space, address)
    if old:
        print(f"before   [{old['start']:#x}, {old['end']:#x}): allocated by {symbolise(old['alloc_caller'])}, "
              f"freed by {symbolise(old['free_caller'])}")


def command_at(words):
    if not words:
        raise Sentence("usage: vmap at ADDR")
    space = Space()
    address = evaluate(" ".join(words))
    if not space.start <= address < space.end:
        raise Sentence(f"{address:#x} is not in the vmalloc region; whatis-addr knows all regions")
    memory.forget()
    show_at(space, address)
