# SPDX-License-Identifier: MIT
"""`whatis-addr ADDR`: one address through the whole house, as the shell's `whatis` does."""
from . import pt
from .kernel import KernelCommand, Record, Sentence, evaluate, layout, memory, plural, symbol_address, \
    symbolise
from .pages import block_of, describe_page, page_at, page_history, slab_object
from .spaces import Space
from .vmap_list import show_at


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


def show_frame(frame):
    page = page_at(frame)
    print(f"frame    {frame:#x}: {describe_page(page, block_of(frame)[1])}, struct page at {page.address:#x}")
    for sentence in page_history(block_of(frame)[1]) if page["state"] else ():
        print(f"         {sentence}")


def show_object(address):
    """An address of the direct map may be an object of a slab."""
    found = slab_object(address)
    if not found:
        return
    cache = f"cache {memory.text(found.cache['name'])}, objects of {plural(found.cache['size'], 'byte')}"
    if found.padding:
        print(f"slab     {cache}; behind the last object")
        return
    inside = f", byte {found.offset:#x} of it" if found.offset else ""
    print(f"slab     {cache}; object {found.index} at {found.address:#x}{inside}, "
          f"{'free' if found.free else 'in use'}")


class WhatisAddr(KernelCommand):
    """whatis-addr ADDR

What an address is, to the end: region, symbol, area (or the one that was there) and the page of it, the
way through the page tables, frame, state in the buddy, owner.

  address -> region -> area, page 2 of 3 -> PGD PUD PMD PTE -> frame -> struct page -> who allocated it"""

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
        if region and region[0] == "direct map":
            self.attempt(lambda: show_object(address))

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
        chain = " ".join(f"{pt.LEVELS[step.level]}[{step.index}]" for step in result.steps)
        if result.physical is None:
            print(f"mapping  none: {result.why()} ({chain})")
            return
        print(f"mapping  {chain} -> physical {result.physical:#x}, {'RW' if result.writable else 'RO'} "
              f"{'X' if result.executable else 'NX'}")
        show_frame(result.physical >> 12)


WhatisAddr()
