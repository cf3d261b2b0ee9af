# SPDX-License-Identifier: MIT
"""struct page and what it says: the page array of the buddy, and which object of which slab an address
is. Shared by the commands that end at a frame.
"""
from .kernel import MASK, PAGE_SHIFT, Record, Sentence, caller_name, layout, memory, symbol_address

DIRECT_MAP = 0xffff888000000000
DIRECT_MAP_END = DIRECT_MAP + (64 << 40)
STATES = ["unmanaged", "free", "inside a free block", "on a per-CPU list", "used",
          "inside a used block"]
USES = ["other", "page table", "slab", "vmalloc", "user memory", "file in memory"]
UNMANAGED, FREE, FREE_TAIL, PCP, USED, USED_TAIL = range(6)
TABLE, SLAB, VMALLOC = 1, 2, 3
MAX_ORDER = 10
SEAL = 0x9e3779b97f4a7c15  # mm/slab_internal.h: the link of a free object carries its address, mixed


def name_of(table, index):
    return table[index] if index < len(table) else f"?{index}"


def kernel_buddy():
    """The struct buddy of the kernel, or a Sentence."""
    try:
        buddy = Record("struct buddy", symbol_address("kernel_buddy"))
    except Sentence as sentence:
        if "no symbol" in str(sentence):
            raise
        raise Sentence("the buddy is not initialised yet: its memory is not mapped") from None
    if not buddy["pages"]:
        raise Sentence("the buddy is not initialised yet")
    return buddy


def page_at(frame, buddy=None):
    """The struct page of a frame, or a Sentence."""
    buddy = buddy or kernel_buddy()
    if not buddy["start"] <= frame < buddy["end"]:
        raise Sentence(f"frame {frame:#x} is not RAM that the buddy manages")
    try:
        return Record("struct page", buddy["pages"] + frame * layout("struct page").size)
    except Sentence:
        raise Sentence(f"frame {frame:#x} lies in a hole of the RAM: it has no struct page") from None


def block_of(frame, buddy=None):
    """(first frame, struct page of it) of the used or free block that contains a frame; itself if none."""
    page = page_at(frame, buddy)
    wanted = {USED_TAIL: USED, FREE_TAIL: FREE}.get(page["state"])
    for order in range(1, MAX_ORDER + 1) if wanted is not None else ():
        head = frame & ~((1 << order) - 1)
        candidate = page_at(head, buddy)
        if candidate["state"] == wanted and candidate["order"] >= order:
            return head, candidate
    return frame, page


def describe_page(page, head=None):
    """"used, order 0, serves vmalloc"; the head of its block knows what it serves."""
    text = name_of(STATES, page["state"])
    if page["state"] in (FREE, USED):
        text += f", order {page['order']}"
    if page["state"] in (USED, USED_TAIL):
        text += f", serves {name_of(USES, (head or page)['use'])}"
    return text


def page_history(page):
    """Sentences about who had a page; an owner instead of callers where it is a slab."""
    if page["state"] == USED and page["use"] == SLAB:
        return []
    return [f"last {word} by {caller_name(page[field])}"
            for field, word in (("alloc_caller", "allocated"), ("free_caller", "freed")) if page[field]]


def is_sealed(address, word):
    """Does the first word of an object say that it is free?"""
    return word & ~0xffff == (address * SEAL & MASK) & ~0xffff


class SlabObject:
    """The object of a kmem_cache that an address of the direct map lies in."""

    def __init__(self, cache, head_frame, head, address):
        self.cache, self.head = cache, head
        start = DIRECT_MAP + (head_frame << PAGE_SHIFT)
        self.index, self.offset = divmod(address - start, max(cache["stride"], 1))
        self.address = address - self.offset
        self.padding = self.index >= cache["per_slab"]

    @property
    def free(self):
        return is_sealed(self.address, memory.number(self.address))


def slab_object(address, buddy=None):
    """The SlabObject of an address, or None where there is no slab."""
    if not DIRECT_MAP <= address < DIRECT_MAP_END:
        return None
    frame, head = block_of((address - DIRECT_MAP) >> PAGE_SHIFT, buddy)
    if head["state"] != USED or head["use"] != SLAB:
        return None
    return SlabObject(Record("struct kmem_cache", head["owner"]), frame, head, address)
