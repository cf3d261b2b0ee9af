# SPDX-License-Identifier: MIT
"""$vmap_area(addr) and $page(addr), for conditions and print: NULL where there is none."""
import gdb

from . import pt
from .kernel import MASK, Sentence, memory
from .spaces import Space
from .whatis import page_at


def pointer(address, kind):
    return gdb.Value(address).cast(gdb.lookup_type(kind).pointer())


class VmapArea(gdb.Function):
    """$vmap_area(addr): the struct vmap_area * (busy, lazy or free) that covers addr, or NULL."""

    def __init__(self):
        super().__init__("vmap_area")

    def invoke(self, address):
        memory.forget()
        try:
            area = Space().find(int(address) & MASK)
        except Sentence:
            area = None
        return pointer(area.address if area else 0, "struct vmap_area")


class Page(gdb.Function):
    """$page(addr): the struct page * of the frame that a virtual address is mapped to, or NULL."""

    def __init__(self):
        super().__init__("page")

    def invoke(self, address):
        memory.forget()
        try:
            physical = pt.walk(int(address) & MASK).physical
            found = page_at(physical >> 12).address if physical is not None else 0
        except Sentence:
            found = 0
        return pointer(found, "struct page")


VmapArea()
Page()
