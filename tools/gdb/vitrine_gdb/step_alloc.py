# SPDX-License-Identifier: MIT
"""`step-alloc [N]`: let the kernel run to the next step of the allocator, and say which it is.

A step is the entry of a function that does one thing to the bookkeeping; the table names them. The
breakpoints are internal, and enabled only while this command runs. Bounded: it never waits for ever.
"""
import threading

import gdb

from .kernel import KernelCommand, Sentence, memory, plural

BOUND = 20  # seconds of a running kernel without a step
STEPS = {
    # addresses
    "vmap_space_alloc": "an address range is asked for",
    "find_vmap_lowest_match": "SEARCH the free tree, guided by subtree_max_size",
    "first_fit": "SEARCH the free list from its front",
    "find_gap": "SEARCH the list of used areas for a gap",
    "walk": "SEARCH the used areas for a gap, from a list position on",
    "look_in_hash": "SEARCH the hash for an unused area of this size",
    "adjust_va_to_fit_type": "CARVE the request out of a free range: FL, LE, RE or NE",
    "use_unused": "TAKE an unused area",
    "use_frontier": "TAKE new space behind the frontier",
    "insert_vmap_area": "ENTER the area among the busy ones",
    "rb_rotate": "ROTATE: V2 and V3 may not hold until it is done",
    "augment_tree_propagate_from": "PROPAGATE subtree_max_size towards the root: V3 does not hold until then",
    "vmap_retire": "RETIRE: freed, but it waits for its TLB flush",
    "flush_purge": "PURGE: one TLB flush for all that wait",
    "vmap_free_locked": "GIVE BACK one range",
    "merge_or_add_vmap_area": "MERGE it with its free neighbours, or add it",
    # frames
    "buddy_take_block": "buddy: TAKE a block, larger ones are split",
    "buddy_put_block": "buddy: PUT a block, and merge it with its buddies",
    "refill": "buddy: REFILL the list of this CPU",
    "drain_pages": "buddy: DRAIN the list of this CPU",
    # page tables
    "pt_entry_create": "page tables: a TABLE is needed for this entry",
    "pt_map": "page tables: MAP a range",
    "pt_map_pages": "page tables: MAP pages, one PTE each",
    "pt_unmap": "page tables: UNMAP, PTEs cleared",
}


class Steps:
    """The breakpoints, made at the first use, one for each function that this kernel has."""

    def __init__(self):
        self.points = {}

    def enable(self):
        for name in STEPS if not self.points else ():
            try:
                gdb.decode_line(name)
            except gdb.error:
                continue  # this kernel has no such function
            point = gdb.Breakpoint(name, internal=True)
            point.silent = True
            self.points[point.number] = (point, name)
        for point, _name in self.points.values():
            point.enabled = True

    def disable(self):
        for point, _name in self.points.values():
            if point.is_valid():
                point.enabled = False

    def forget(self, _event=None):
        for point, _name in self.points.values():
            if point.is_valid():
                point.delete()
        self.points.clear()


steps = Steps()


class Bounded:
    """Lets the kernel run; BOUND seconds after the first time it is interrupted. Keeps the stop event."""

    def __init__(self):
        self.event, self.expired = None, False
        self.timer = threading.Timer(BOUND, lambda: gdb.post_event(self.expire))

    def __enter__(self):
        gdb.events.stop.connect(self.stopped)
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.timer = None
        gdb.events.stop.disconnect(self.stopped)

    def stopped(self, event):
        self.event = event

    def expire(self):
        if self.timer:
            self.expired = True
            gdb.execute("interrupt")

    def proceed(self):
        gdb.execute("continue", to_string=True)
        return hit_step(self.event)


def hit_step(event):
    """The name of the step that stopped the kernel, or None: something else did."""
    for point in getattr(event, "breakpoints", ()):
        if point.number in steps.points:
            return steps.points[point.number][1]
    return None


class StepAlloc(KernelCommand):
    """step-alloc [N]

Run to the next step (the N-th next) of the allocator and say which it is.

  asked -> SEARCH -> CARVE -> PROPAGATE -> ROTATE ... -> ENTER -> frames -> MAP
  freed -> UNMAP -> RETIRE ... PURGE -> GIVE BACK -> MERGE -> PROPAGATE

The kernel runs, so something must happen: a shell command, or exec= on its command line. After 20 s
without a step it is interrupted. `vmap check` tells which invariant a step has just suspended."""

    def __init__(self):
        super().__init__("step-alloc")

    def run(self, words):
        if len(words) > 1 or (words and not (words[0].isdigit() and 0 < int(words[0]) <= 100000)):
            raise Sentence("usage: step-alloc [N]")
        name, done, wanted = None, 0, int(words[0]) if words else 1
        steps.enable()
        try:
            with Bounded() as bounded:
                while done < wanted and not bounded.expired:
                    name = bounded.proceed()
                    if not name:
                        break
                    done += 1
        except gdb.error as error:
            raise Sentence(f"the kernel cannot run: {error}") from None
        finally:
            steps.disable()
            memory.forget()
        self.tell(name, done, wanted, bounded.expired)

    @staticmethod
    def tell(name, done, wanted, expired):
        if expired:
            print(f"{done} of {plural(wanted, 'step')} within {BOUND} s" + (
                "; go on with step-alloc" if done else
                ": the kernel has nothing to allocate. Give it a shell command, and again."))
        elif not name:
            print("stopped by something else than a step:")
        if name:
            print(f"step     {STEPS[name]}")
        gdb.execute("frame")


gdb.events.new_objfile.connect(steps.forget)
StepAlloc()
