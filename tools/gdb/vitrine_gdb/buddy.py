# SPDX-License-Identifier: MIT
"""`buddy`: the free blocks of the page allocator by order, and B1, B2 and B3."""
from .buddy_check import ORDERS, check
from .drawing import paint
from .kernel import PAGE_SIZE, KernelCommand, Sentence, human, lock_state, memory, plural
from .pages import kernel_buddy
from .under_way import inside

SHOWN = 6


class Buddy(KernelCommand):
    """buddy

Free blocks of each order, first few by frame number, and whether these hold:
  B1  a free block of order k is aligned to k and on exactly one list, that of order k
  B2  a free block and its free buddy of the same order never coexist
  B3  pages managed == free + per-CPU + used

  kernel_buddy.areas[order].blocks -> struct page.link -> ...     buddy = frame ^ (1 << order)

  order 2   |  0  |        free, frames 0..3
  order 1         |4 |     free, frames 4..5; its buddy, 6..7, is split
  order 0            |6|#| 6 free, 7 used: 6 ^ 1 = 7"""

    def __init__(self):
        super().__init__("buddy")

    def run(self, words):
        if words:
            raise Sentence("usage: buddy")
        buddy = kernel_buddy()
        checked = check(buddy)
        print(f"buddy {memory.text(buddy['name'])}: {plural(buddy['managed'], 'page')} managed")
        print("order  blocks      size  first frames")
        free = 0
        for order in range(ORDERS):
            frames = checked.free[order]
            free += len(frames) << order
            some = " ".join(f"{frame:#x}" for frame in frames[:SHOWN])
            more = " ..." if len(frames) > SHOWN else ""
            print(f"{order:5}  {len(frames):6}  {human(PAGE_SIZE << order):>8}  {some}{more}".rstrip())
        print(f"{plural(free, 'page')} free on these lists ({human(free * PAGE_SIZE)}), {checked.pcp} on per-CPU "
              f"lists, {checked.used} used")
        for problem in checked.problems[:20]:
            print(paint(problem, "red"))
        if len(checked.problems) > 20:
            print(paint(f"... {len(checked.problems) - 20} more", "red"))
        if not checked.problems:
            print("B1, B2 and B3 hold")
        elif lock_state(buddy):
            print(f"its lock is {lock_state(buddy)}: an operation is under way, and may restore them")
        else:
            for sentence in inside("mm/buddy"):
                print(f"{sentence}: an operation is under way, and may restore them")


Buddy()
