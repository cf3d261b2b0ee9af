# SPDX-License-Identifier: MIT
"""P1 and P2 from outside: every leaf of the kernel half against the areas and the page array.

  area   | page 0 | page 1 | guard |          vm->pages[0], [1]: the frames that it owns
  PTE       -> f1    -> f2    none            used frames, each mapped by one page of one area
"""
import struct

from . import pt
from .drawing import paint
from .kernel import PAGE_SHIFT, PAGE_SIZE, Sentence, astray, layout, memory, plural, symbol_address
from .pages import STATES, TABLE, UNMANAGED, USED, USED_TAIL, kernel_buddy, name_of, page_at
from .ptdump import HIGH_HALF, RANGES, visit
from .spaces import BUSY, Space, guard_of
from .under_way import inside

IOREMAP, OWNER_MASK, STARTING = 0x1, 0x2 | 0x200, 0x20
MAX_PAGES = 1 << 24


class Mappings:
    """Leaves of the vmalloc region by page, as (frame, address of the entry, its value)."""

    def __init__(self):
        self.troubles, self.pages = [], {}
        for run in visit(*RANGES["vmalloc"], self.troubles):
            for page in range(run.size >> PAGE_SHIFT) if run.value else ():
                self.pages[run.start + (page << PAGE_SHIFT)] = (run.frame + page, run.entry_at)


def owned_frames(vm):
    """Frames by vm->pages, or None where the area lists none."""
    if vm["flags"] & IOREMAP:
        first = vm["phys_addr"] >> PAGE_SHIFT
        pages = max(vm["size"] - (0 if vm["flags"] & 0x40 else PAGE_SIZE), 0) >> PAGE_SHIFT
        return [first + page for page in range(pages)]
    if not vm["pages"]:
        return None
    reason = astray(vm["pages"])
    if reason or vm["nr_pages"] > MAX_PAGES:
        raise Sentence(f"`pages` of the area at {vm['addr']:#x} is {reason}" if reason else
                       f"the area at {vm['addr']:#x} claims {vm['nr_pages']} pages")
    size, base = layout("struct page").size, kernel_buddy()["pages"]
    pointers = struct.unpack(f"<{vm['nr_pages']}Q", memory.read(vm["pages"], 8 * vm["nr_pages"]))
    return [(pointer - base) // size for pointer in pointers]


def check_area(area, vm, mappings, owners):
    """P1 for one area; the pages that it accounts for leave mappings."""
    if vm["addr"] != area.start or vm["size"] != area.size:
        return f"area {area} belongs to a vm_struct of [{vm['addr']:#x}, {vm['addr'] + vm['size']:#x})"
    frames, ram = owned_frames(vm), not vm["flags"] & IOREMAP
    count = len(frames) if frames is not None else vm["nr_pages"]
    for page in range(count):
        at = area.start + (page << PAGE_SHIFT)
        frame, entry_at = mappings.pop(at, (None, 0))
        if frame is None:
            return f"page {page} of area {area}, {at:#x}, has no translation"
        if frames is not None and frame != frames[page]:
            return f"{at:#x} is mapped to frame {frame:#x} (PTE at {entry_at:#x}), the area says {frames[page]:#x}"
        if not ram:
            continue
        if frame in owners and vm["flags"] & OWNER_MASK:
            return f"frame {frame:#x} is mapped at {at:#x} and at {owners[frame]:#x}, both areas own it"
        if vm["flags"] & OWNER_MASK:
            owners[frame] = at
        state = page_at(frame)["state"]
        if state not in (USED, USED_TAIL):
            return f"{at:#x} is mapped to frame {frame:#x}, which is {name_of(STATES, state)} (PTE at {entry_at:#x})"
    if guard_of(area, vm) and area.end - PAGE_SIZE in mappings:
        frame, entry_at = mappings[area.end - PAGE_SIZE]
        return f"the guard page of area {area} is mapped to frame {frame:#x} (PTE at {entry_at:#x})"
    return None


def check_p1(space):
    found = Mappings()
    left, owners = found.pages, {}
    areas, trouble = space.listed(True)
    if found.troubles or trouble:
        return found.troubles[0] if found.troubles else f"which areas live cannot be told: {trouble}"
    for area in areas:
        vm = area.vm() if area.kind == BUSY else None
        if area["vm"] and area.kind == BUSY and not vm:
            return f"`vm` of area {area} (vmap_area {area.address:#x}) is {astray(area['vm'])}"
        if not vm or vm["flags"] & STARTING:  # vm_map_ram, or not complete yet: nothing to compare with
            for at in range(area.start, area.end, PAGE_SIZE) if area.size < 1 << 32 else ():
                left.pop(at, None)
            continue
        broken = check_area(area, vm, left, owners)
        if broken:
            return broken
    for at, (frame, entry_at) in left.items():
        area = space.find(at)
        if not area or area.kind != BUSY:
            return f"{at:#x} is mapped to frame {frame:#x} (PTE at {entry_at:#x}), but no live area has it"
    return None


def check_tables(buddy):
    """Every table of the vmalloc region is a page that serves as one."""
    broken = []
    walk_tables(pt.root_table(), 3, 0, broken, buddy)
    return broken[0] if broken else None


def walk_tables(table, level, base, broken, buddy):
    data = memory.read(pt.DIRECT_MAP + table, PAGE_SIZE)
    for index, value in enumerate(struct.unpack("<512Q", data)):
        if not value & pt.P or level == 0 or (level < 3 and value & pt.PS):
            continue
        at = base + (index << (12 + 9 * level))
        if level == 3 and index < 256:
            continue
        entry = f"{pt.LEVELS[level]}[{index}] at {pt.DIRECT_MAP + table + 8 * index:#x}"
        below = value & pt.FRAME
        try:
            page = page_at(below >> PAGE_SHIFT, buddy)
        except Sentence as sentence:
            broken.append(f"{entry} leads to a table at {below:#x}, but {sentence}")
            continue
        if page["state"] != UNMANAGED and not (page["state"] == USED and page["use"] == TABLE):
            broken.append(f"{entry} leads to a table in frame {below >> PAGE_SHIFT:#x}, which is no page table, "
                          f"but {name_of(STATES, page['state'])}")
            continue
        walk_tables(below, level - 1, at, broken, buddy)


def check_p2():
    troubles = []
    text = symbol_address("__text_start"), symbol_address("__text_end")
    for run in visit(HIGH_HALF, 1 << 64, troubles):
        if not run.executable:
            continue
        what = None
        if run.writable:
            what = "writable and executable"
        elif run.start < text[0] or run.end > text[1]:
            what = "executable, but not kernel text"
        if what:
            return f"[{run.start:#x}, {run.end:#x}) is {what} ({pt.LEVELS[run.level]} at {run.entry_at:#x} = " \
                   f"{run.value:#x})"
    return troubles[0] if troubles else None


def verdicts():
    """{law: sentence or None}"""
    found, buddy = {}, kernel_buddy()
    space = Space()
    for law, check in (("P1", lambda: check_tables(buddy) or check_p1(space)), ("P2", check_p2)):
        try:
            found[law] = check()
        except Sentence as sentence:
            found[law] = str(sentence)
    return found


TITLES = {"P1": "each page of a live area has a PTE to an allocated frame, a guard page none",
          "P2": "nothing is writable and executable, only kernel text is executable"}


def command_check():
    found = verdicts()
    for law, broken in found.items():
        verdict = paint("BROKEN", "red") if broken else paint("ok    ", "green")
        print(f"  {law}  {verdict}  {TITLES[law]}" + (f"\n              {broken}" if broken else ""))
    if any(found.values()):
        for sentence in inside("mm/vm", "mm/vfree", "mm/vrealloc", "mm/pgtable"):
            print(f"{sentence}: an operation is under way, and may restore them")
    else:
        print(f"both hold; {plural(memory.number(symbol_address('kernel_pagetable.tables')), 'page')} of tables")
