# SPDX-License-Identifier: MIT
"""`page ADDR`: the struct page behind an address, and the block it belongs to."""
from . import pt
from .kernel import MASK, PAGE_SHIFT, KernelCommand, Sentence, evaluate, human, layout, plural
from .pages import DIRECT_MAP, PCP, SLAB, USED, USED_TAIL, block_of, describe_page, kernel_buddy, \
    page_at, page_history, slab_object

VMEMMAP_SIZE = 1 << 40


def frame_behind(address, buddy):
    """(frame, how it was found): a struct page, a virtual address, or a physical one below 1 TiB."""
    size = layout("struct page").size
    if buddy["pages"] <= address < buddy["pages"] + VMEMMAP_SIZE:
        offset = address - buddy["pages"]
        inside = f", {offset % size} bytes inside of it" if offset % size else ""
        return offset // size, f"a struct page{inside}"
    if address < 1 << 40:
        return address >> PAGE_SHIFT, "taken as a physical address"
    walk = pt.walk(address)
    if walk.physical is None:
        raise Sentence(f"{address:#x} is not mapped: {walk.why()}")
    return walk.physical >> PAGE_SHIFT, f"mapped to physical {walk.physical:#x}"


def show_block(frame, page, buddy):
    head, first = block_of(frame, buddy)
    if first["order"] and first["state"] != PCP:
        print(f"block    frames {head:#x} to {head + (1 << first['order']) - 1:#x}, order {first['order']} "
              f"({human(4096 << first['order'])})" + (f", its head is {head:#x}" if head != frame else ""))
    if first["state"] == USED and first["use"] == SLAB:
        found = slab_object(DIRECT_MAP + (frame << PAGE_SHIFT), buddy)
        free = found.cache["per_slab"] - first["slab_inuse"]
        print(f"slab     cache at {found.cache.address:#x}, {plural(first['slab_inuse'], 'object')} handed out, "
              f"{free} free")
    elif page["state"] in (USED, USED_TAIL):
        print(f"users    {first['refcount']}")
    for sentence in page_history(first):
        print(f"         {sentence}")


class Page(KernelCommand):
    """page ADDR

The frame behind an address: its struct page, its block, who had it. ADDR is virtual, a struct page *,
or physical (below 1 TiB).

  frame n  <->  struct page at VMEMMAP + n * sizeof(struct page)  <->  content at DIRECT_MAP + n * 4096"""

    def __init__(self):
        super().__init__("page")

    def run(self, words):
        if not words:
            raise Sentence("usage: page ADDR")
        address = evaluate(" ".join(words))
        buddy = kernel_buddy()
        frame, how = frame_behind(address, buddy)
        print(f"address  {address:#x}: {how}")
        page = page_at(frame, buddy)
        print(f"frame    {frame:#x}: {describe_page(page, block_of(frame)[1])}")
        print(f"page     struct page at {page.address:#x}, content at {DIRECT_MAP + (frame << PAGE_SHIFT) & MASK:#x}")
        show_block(frame, page, buddy)


Page()
