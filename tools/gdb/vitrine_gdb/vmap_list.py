# SPDX-License-Identifier: MIT
"""`vmap`, `vmap list`, `vmap at ADDR`: the ranges of the vmap space, merged in address order.

  0xffffc90000000000-0xffffc90000003000    12 KiB  busy  3 pages vmalloc  start_demo+0x2a
  0xffffc90000003000-0xffffc90000004000     4 KiB  guard       no PTE: who runs over the end faults
  0xffffc90000004000-0xffffc90000009000    20 KiB  lazy        freed, not yet reusable
  0xffffc90000009000-0xffffe90000000000    32 TiB  free
"""
from .drawing import paint
from .kernel import MASK, Sentence, caller_name, evaluate, human, memory, plural, symbolise
from .spaces import BUSY, CACHED, FREE, KINDS, LAZY, Space, guard_of, history_of, use_of

MERGE_FROM = 4
COLORS = {BUSY: "green", LAZY: "yellow", FREE: "dim", CACHED: "cyan"}


def summary(space):
    busy = space.stat("busy_areas") - space.flush("count")
    print(f"vmalloc region {space.start:#x}-{space.end:#x}, design {space.design} ({space.since})")
    print(f"{plural(busy, 'area')} busy, {space.flush('count')} lazy, "
          f"{plural(space.stat('free_extents'), 'free range')}; "
          f"{plural(space.stat('allocs'), 'allocation')}, {plural(space.stat('frees'), 'free')}, "
          f"vmap.check={space.record['check_level']}")
    if space.locked:
        print(f"its lock is {space.locked}: an operation is under way")


def show_troubles(space):
    for trouble in space.troubles():
        print(paint(f"broken off: {trouble}", "red"))


def row(start, end, kind, detail, color):
    print(f"0x{start:016x}-0x{end:016x} {human(end - start & MASK):>9}  {paint(f'{kind:5}', color)} {detail}".rstrip())


def describe(area, vm):
    if area.kind == LAZY:
        return "waits for its TLB flush"
    if area.kind == CACHED:
        return f"kept ready, pool of node {area['node'] - 1}"
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
    space = Space()
    if words == ["all"]:
        for entry in space.ranges():
            show_range(*entry)
    elif words in (["busy"], ["free"], ["lazy"]):
        list_descriptors(space, words[0])
    elif words:
        raise Sentence("usage: vmap list [all | busy | free | lazy]")
    else:
        show_runs(space.ranges())
    show_troubles(space)
    if not words or words == ["all"]:
        summary(space)


def list_descriptors(space, kind):
    """One structure in its own order, with the objects that it consists of."""
    areas, _trouble = space.retired() if kind == "lazy" and space.retires else space.listed(kind != "free")
    if kind == "lazy":
        areas = [area for area in areas if area.kind == LAZY]
    for area in areas:
        print(f"vmap_area {area.address:#x}  {area} {human(area.size & MASK):>9}  "
              f"{KINDS.get(area.kind, f'kind {area.kind}?')}  {describe(area, area.vm())}".rstrip())
    if kind == "free" and not areas and not space.listed(False)[1]:
        print(f"design {space.design} describes no free range: what lies between the areas is free")
    else:
        print(f"{plural(len(areas), 'descriptor')}, in list order")


def show_at(space, address):
    """What whatis-addr and `vmap at` say about an address of the region."""
    start, end, area = space.range_at(address) or (0, 0, None)
    show_troubles(space)
    if not area or area.kind == FREE:
        described = f", vmap_area at {area.address:#x}" if area else ""
        where = f"free range [{start:#x}, {end:#x}), {human(end - start)}{described}" if end else \
            "it belongs to no range (V4: `vmap check`)"
        print(f"area     none: {where}")
    elif area.kind == CACHED:
        print(f"area     none: {area} is kept ready in the pool of node {area['node'] - 1}, vmap_area at "
              f"{area.address:#x}")
    elif area.kind == LAZY:
        print(f"area     {area} freed, waits for its TLB flush, vmap_area at {area.address:#x}")
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
