# SPDX-License-Identifier: MIT
"""$vmap_area(addr), $page(addr), $lowest_match(size, align): for conditions and print; NULL or 0 where
there is none. They read memory only, like the commands."""
import gdb

from . import pt
from .kernel import MASK, PAGE_SIZE, Sentence, memory
from .pages import page_at
from .spaces import Space


def pointer(address, kind):
    return gdb.Value(address).cast(gdb.lookup_type(kind).pointer())


class KernelFunction(gdb.Function):
    """Answers with answer(); where that has none, with 0."""

    kind = None  # the struct that the answer points to

    def answer(self, *arguments):
        raise NotImplementedError

    def invoke(self, *arguments):
        memory.forget()
        try:
            found = self.answer(*[int(argument) & MASK for argument in arguments])
        except Sentence:
            found = 0
        except (gdb.error, gdb.MemoryError, TypeError, ValueError) as error:
            raise gdb.GdbError(f"no answer: {error}") from None
        finally:
            memory.forget()
        return pointer(found, self.kind) if self.kind else gdb.Value(found).cast(
            gdb.lookup_type("unsigned long"))


class VmapArea(KernelFunction):
    """$vmap_area(addr): the struct vmap_area * (busy, lazy or free) that covers addr, or NULL."""

    kind = "struct vmap_area"

    def __init__(self):
        super().__init__("vmap_area")

    def answer(self, address):
        area = Space().find(address)
        return area.address if area else 0


class PageOf(KernelFunction):
    """$page(addr): the struct page * of the frame that a virtual address is mapped to, or NULL."""

    kind = "struct page"

    def __init__(self):
        super().__init__("page")

    def answer(self, address):
        physical = pt.walk(address).physical
        return page_at(physical >> 12).address if physical is not None else 0


class LowestMatch(KernelFunction):
    """$lowest_match(size, align): the lowest free address aligned to align with room for size bytes, or 0.
Computed from the list of all ranges, so it also judges designs that choose another place."""

    def __init__(self):
        super().__init__("lowest_match")

    def answer(self, size, align=PAGE_SIZE):
        align = max(align, PAGE_SIZE)
        if not 0 < size < 1 << 63 or align & (align - 1):
            return 0
        return Space().lowest((size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), align) or 0


VmapArea()
PageOf()
LowestMatch()
