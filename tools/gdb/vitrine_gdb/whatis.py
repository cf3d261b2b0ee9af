# SPDX-License-Identifier: MIT
"""`whatis-addr ADDR`: one address through the whole house, as the shell's `whatis` does."""
from . import pt
from .buddy import STATES, USES, Buddy
from .kernel import KernelCommand, Record, Sentence, caller_name, evaluate, layout, memory, \
    symbol_address, symbolise
from .spaces import Space
from .vmap_list import show_at

VMEMMAP = 0xffffea0000000000
USED = (4, 5)
SLAB = 2


def region_of(address):
    """The row of mm/layout.c's table that contains the address, as (name, base), or None."""
    row = layout("struct layout_region")
    table = symbol_address("layout_regions")
    count = memory.number(symbol_address("layout_region_count"), 4)
    for index in range(min(count, 32)):
        region = Record("struct layout_region", table + index * row.size)
        if region["base"] <= address and (address < region["end"] or not region["end"]):
            return memory.text(region["name"]), region["base"]
    return None


def name_of(table, index):
    return table[index] if index < len(table) else f"?{index}"


def page_at(frame):
    """The struct page of a frame, or a Sentence."""
    buddy = Buddy.instance()
    if not buddy["start"] <= frame < buddy["end"]:
        raise Sentence(f"frame {frame:#x} is not RAM that the buddy manages")
    return Record("struct page", buddy["pages"] + frame * layout("struct page").size)


def describe_page(page):
    state = name_of(STATES, page["state"])
    detail = f", order {page['order']}" if page["state"] in (1, 4) else ""
    if page["state"] in USED:
        detail += f", serves {name_of(USES, page['use'])}"
    return state + detail


def show_frame(frame):
    page = page_at(frame)
    print(f"frame    {frame:#x}: {describe_page(page)}, struct page at {page.address:#x}")
    if page["state"] == 4 and page["use"] == SLAB:
        cache = Record("struct kmem_cache", page["owner"])
        print(f"slab     cache {memory.text(cache['name'])}, objects of {cache['size']} bytes")
    elif page["state"]:
        for field, word in (("alloc_caller", "allocated"), ("free_caller", "freed")):
            if page[field]:
                print(f"         last {word} by {caller_name(page[field])}")


class WhatisAddr(KernelCommand):
    """whatis-addr ADDR

What an address is: region, symbol, area (or the one that was there), mapping, frame, owner."""

    def __init__(self):
        super().__init__("whatis-addr")

    def run(self, words):
        if not words:
            raise Sentence("usage: whatis-addr ADDR")
        address = evaluate(" ".join(words))
        print(f"address  {address:#x}")
        region = region_of(address)
        print(f"region   {region[0] if region else 'none: a hole of the layout'}")
        symbol = symbolise(address)
        if not symbol.startswith("0x") and symbol != "-":
            print(f"symbol   {symbol}")
        if region and region[0] == "vmalloc":
            self.attempt(lambda: show_at(Space(), address))
        self.attempt(lambda: self.mapping(address))

    @staticmethod
    def attempt(step):
        """One part that cannot be answered does not take the others with it."""
        try:
            step()
        except Sentence as sentence:
            print(f"         {sentence}")

    @staticmethod
    def mapping(address):
        result = pt.walk(address)
        if result.physical is None:
            print(f"mapping  none: the {pt.LEVELS[result.steps[-1].level]} is not present")
            return
        print(f"mapping  physical {result.physical:#x}, {'RW' if result.writable else 'RO'} "
              f"{'X' if result.executable else 'NX'}")
        show_frame(result.physical >> 12)


WhatisAddr()
