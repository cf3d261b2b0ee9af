# SPDX-License-Identifier: MIT
"""`buddy`: the free blocks of the page allocator by order, with B1 and B2 checked on the way."""
from .drawing import paint
from .kernel import KernelCommand, Record, Sentence, human, layout, list_nodes, plural, symbol_address
from .kernel import PAGE_SIZE, memory

STATES = ["unmanaged", "free", "inside a free block", "on a per-CPU list", "used",
          "inside a used block"]
USES = ["other", "page table", "slab", "vmalloc"]
FREE = 1
SHOWN = 6
ORDERS = 11


def page_array(buddy):
    return buddy["pages"], layout("struct page").size


def walk_order(buddy, order, problems):
    """Frame numbers of the free blocks of one order."""
    area = layout("struct buddy_area")
    head = buddy.at("areas") + order * area.size + area.offset("blocks")
    pages, size = page_array(buddy)
    out = []
    for address in list_nodes(head, layout("struct page").offset("link")):
        page = Record("struct page", address)
        frame, rest = divmod(address - pages, size)
        if rest or not buddy["start"] <= frame < buddy["end"]:
            problems.append(f"B1: order {order}: {address:#x} is no struct page of this buddy")
            break
        if page["state"] != FREE or page["order"] != order:
            problems.append(f"B1: frame {frame:#x} is on the list of order {order}, but says "
                            f"{STATES[page['state']] if page['state'] < 6 else '?'}, order {page['order']}")
        if frame & ((1 << order) - 1):
            problems.append(f"B1: frame {frame:#x} is not aligned to order {order}")
        out.append(frame)
    return out


def missed_merges(frames, order):
    """B2: two buddies both free."""
    known = set(frames)
    return [f"B2: frames {frame:#x} and {frame ^ 1 << order:#x} of order {order} are both free"
            for frame in frames if frame < frame ^ 1 << order and frame ^ 1 << order in known]


class Buddy(KernelCommand):
    """buddy

Free blocks of each order, first few by frame number, and whether B1 (aligned, on the right list) and
B2 (no two free buddies) hold.

  kernel_buddy.areas[order].blocks -> struct page.link -> ...     buddy = frame ^ (1 << order)"""

    def __init__(self):
        super().__init__("buddy")

    def run(self, words):
        if words:
            raise Sentence("usage: buddy")
        buddy = self.instance()
        problems, free = [], 0
        area = layout("struct buddy_area")
        print(f"buddy {memory.text(buddy['name'])}: {plural(buddy['managed'], 'page')} managed")
        print("order  blocks      size  first frames")
        for order in range(ORDERS):
            frames = walk_order(buddy, order, problems)
            if order < ORDERS - 1:
                problems += missed_merges(frames, order)
            counted = memory.number(buddy.at("areas") + order * area.size + area.offset("count"))
            if counted != len(frames):
                problems.append(f"B3: order {order}: counter {counted}, list {len(frames)}")
            free += len(frames) << order
            some = " ".join(f"{frame:#x}" for frame in frames[:SHOWN])
            more = " ..." if len(frames) > SHOWN else ""
            print(f"{order:5}  {len(frames):6}  {human(PAGE_SIZE << order):>8}  {some}{more}".rstrip())
        if free != buddy["free"]:
            problems.append(f"B3: the lists hold {free} pages, the counter says {buddy['free']}")
        print(f"{plural(free, 'page')} free on these lists, {human(free * PAGE_SIZE)}")
        for problem in problems[:20]:
            print(paint(problem, "red"))
        if not problems:
            print("B1 and B2 hold")
        elif buddy["lock.holder"]:
            print("its lock is held: an operation is under way, and may restore them")

    @staticmethod
    def instance():
        address = symbol_address("kernel_buddy")
        try:
            buddy = Record("struct buddy", address)
        except Sentence:
            raise Sentence("the buddy is not initialised yet: its memory is not mapped") from None
        if not buddy["pages"]:
            raise Sentence("the buddy is not initialised yet")
        return buddy


Buddy()
