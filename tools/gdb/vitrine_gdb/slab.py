# SPDX-License-Identifier: MIT
"""`slab`: the caches of small objects, what is in their slabs, and whether S1 and S2 hold."""
from .drawing import paint
from .kernel import MASK, PAGE_SIZE, KernelCommand, Record, Sentence, astray, collect, evaluate, layout, \
    list_nodes, lock_state, memory, plural, symbol_address
from .pages import DIRECT_MAP, SEAL, SLAB, USED, is_sealed, kernel_buddy, slab_object
from .under_way import inside

CACHES = "'mm/slab_cache.c'::all_caches"
END, CACHED = 0xffff, 0xfffe
MAX_CPUS = 64


def caches():
    """Every struct kmem_cache, in creation order."""
    offset = layout("struct kmem_cache").offset("link")
    head = symbol_address(CACHES)
    if not memory.number(head):
        raise Sentence("there are no slab caches yet")
    return [Record("struct kmem_cache", at) for at in list_nodes(head, offset, "the list of all caches")]


def name_of(cache):
    return memory.text(cache["name"])


def magazines(cache):
    """Free objects that wait in the CPUs' magazines."""
    kind = layout("struct slab_cpu")
    return sum(memory.number(cache.at("cpu") + cpu * kind.size + kind.offset("count"), 4)
               for cpu in range(MAX_CPUS))


class SlabCheck:
    """The slabs of one cache, list by list, and what is wrong with them."""

    def __init__(self, cache, buddy):
        self.cache, self.buddy, self.problems = cache, buddy, []
        self.slabs = {"partial": [], "full": [], "empty": []}
        self.in_use = 0

    def run(self):
        page = layout("struct page")
        for name in self.slabs:
            heads, trouble = collect(list_nodes(self.cache.at(name), page.offset("link"),
                                                f"the {name} list of {name_of(self.cache)}"))
            if trouble:
                self.problems.append(f"S1: {trouble}")
            for address in heads:
                frame, rest = divmod(address - self.buddy["pages"], page.size)
                head = Record("struct page", address)
                if rest or not self.buddy["start"] <= frame < self.buddy["end"] or head["state"] != USED \
                        or head["use"] != SLAB or head["owner"] != self.cache.address:
                    self.problems.append(f"S1: the {name} list of {name_of(self.cache)} leads to {address:#x}, which "
                                         "is not one of its slabs")
                    break
                self.slabs[name].append((frame, head))
                self.look(name, frame, head)
        self.counts()
        return self

    def look(self, name, frame, head):
        used, total = head["slab_inuse"], self.cache["per_slab"]
        fits = {"empty": used == 0, "full": used == total, "partial": 0 < used < total}[name]
        if not fits:
            self.problems.append(f"S1: the slab at frame {frame:#x} is on the {name} list of {name_of(self.cache)} "
                                 f"with {used} of {total} objects handed out")
        self.in_use += used
        self.chain(frame, head, total - used)

    def chain(self, frame, head, want):
        """S2: as many sealed objects as are free, then the end."""
        at, base = head["slab_free"], DIRECT_MAP + frame * PAGE_SIZE
        for seen in range(want):
            if at >= self.cache["per_slab"]:
                self.problems.append(f"S2: the free chain of the {name_of(self.cache)} slab at frame {frame:#x} has "
                                     f"{plural(seen, 'object')} instead of {want}")
                return
            address = base + at * self.cache["stride"]
            word = memory.number(address)
            if not is_sealed(address, word):
                self.problems.append(f"S2: the link of the free {name_of(self.cache)} object {address:#x} was "
                                     f"overwritten: {word:#x}")
                return
            at = word & 0xffff
        if at != END:
            self.problems.append(f"S2: the free chain of the {name_of(self.cache)} slab at frame {frame:#x} goes on "
                                 f"after its {plural(want, 'object')}")

    def counts(self):
        slabs = sum(len(group) for group in self.slabs.values())
        if slabs != self.cache["slabs"] or self.in_use != self.cache["in_use"]:
            self.problems.append(f"S1: {name_of(self.cache)} has {plural(slabs, 'slab')} with {self.in_use} objects "
                                 f"handed out, its counters say {self.cache['slabs']} and {self.cache['in_use']}")
        self.check_magazines()

    def check_magazines(self):
        """Objects in a magazine are sealed, and as many as its count says."""
        kind = layout("struct slab_cpu")
        for cpu in range(MAX_CPUS):
            base = self.cache.at("cpu") + cpu * kind.size
            at, count = memory.number(base + kind.offset("objects")), memory.number(base + kind.offset("count"), 4)
            for seen in range(min(count, 4096)):
                reason = astray(at)
                if reason or memory.number(at) != (at * SEAL & MASK) & ~0xffff | CACHED:
                    self.problems.append(f"S2: object {seen} of {count} in the magazine of CPU {cpu} for "
                                         f"{name_of(self.cache)} is {reason or f'{at:#x}, whose seal is broken'}")
                    return
                at = memory.number(at + 8) ^ (at * SEAL & MASK) & ~0xffff


def show_table(all_caches, checks):
    print("cache              size  in use  cached  objects  slabs  pages")
    for cache in all_caches:
        cached = magazines(cache)
        print(f"{name_of(cache):16} {cache['size']:6}  {cache['in_use'] - cached:6}  {cached:6}  "
              f"{cache['slabs'] * cache['per_slab']:7}  {cache['slabs']:5}  {cache['slabs'] << cache['order']:5}")
    show_problems([problem for check in checks for problem in check.problems], all_caches)


def show_problems(problems, all_caches):
    for problem in problems[:20]:
        print(paint(problem, "red"))
    if not problems:
        print("S1 and S2 hold")
    else:
        held = [f"the lock of {name_of(cache)} is {lock_state(cache)}" for cache in all_caches if lock_state(cache)]
        for sentence in held or inside("mm/slab", "mm/kmalloc"):
            print(f"{sentence}: an operation is under way, and may restore them")


def show_cache(cache, buddy):
    check = SlabCheck(cache, buddy).run()
    print(f"cache {name_of(cache)} at {cache.address:#x}: objects of {plural(cache['size'], 'byte')}, one every "
          f"{cache['stride']}, {cache['per_slab']} in a slab of {plural(1 << cache['order'], 'page')}")
    for name, group in check.slabs.items():
        for frame, head in group:
            filled = "#" * (head["slab_inuse"] * 32 // max(cache["per_slab"], 1))
            print(f"{name:8} frame {frame:#x} at {DIRECT_MAP + frame * PAGE_SIZE:#x}  |{filled:.<32}| "
                  f"{head['slab_inuse']} of {cache['per_slab']}")
    print(f"{cache['allocs']:,} allocations and {cache['frees']:,} frees by the slow path, {magazines(cache)} objects "
          "in magazines")
    show_problems(check.problems, [cache])


def show_object(address, buddy):
    found = slab_object(address, buddy)
    if not found:
        raise Sentence(f"{address:#x} is in no slab: `whatis-addr` tells what it is")
    if found.padding:
        raise Sentence(f"{address:#x} lies behind the last object of its slab ({name_of(found.cache)})")
    word = memory.number(found.address)
    state = "in use"
    if found.free:
        state = "free, in a magazine" if word & 0xffff == CACHED else "free"
    print(f"object {found.index} of a {name_of(found.cache)} slab, [{found.address:#x}, "
          f"{found.address + found.cache['size']:#x}), {state}" + (f"; byte {found.offset:#x} of it" if found.offset else ""))


class Slab(KernelCommand):
    """slab [CACHE | ADDR]

The caches; the slabs of one; the object at an address. What is checked on the way:
  S1  a slab is on the list that its fill asks for, and the counts agree
  S2  the chain from slab_free visits each free object once; a free object carries its seal

  kmem_cache -> partial, full, empty -> struct page (slab_inuse, slab_free) -> |obj|free|obj|free|
                                                          first free index -------^  next -----^"""

    def __init__(self):
        super().__init__("slab")

    def run(self, words):
        buddy, found = kernel_buddy(), caches()
        if not words:
            show_table(found, [SlabCheck(cache, buddy).run() for cache in found])
            return
        named = [cache for cache in found if len(words) == 1 and name_of(cache) == words[0]]
        if named:
            show_cache(named[0], buddy)
        else:
            show_object(evaluate(" ".join(words)), buddy)


Slab()
