# SPDX-License-Identifier: MIT
"""The kernel's own GDB commands. `make gdb` loads this; by hand: `gdb -x tools/gdb/vitrine.py`.

Everything is in the package vitrine_gdb beside this file, one command per module. All of it reads
memory only and calls nothing in the kernel, so it works at any instruction. `help vitrine` lists it.
"""
import importlib
import os
import sys

import gdb

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["kernel", "unwind", "vmap", "page", "buddy", "slab", "pt", "ptdump", "whatis", "processes", "add_process", "cpus", "klog", "trace", "step_alloc",
           "printers", "functions", "time_machine", "time_checkpoints", "time_operations", "time_events", "time_now",
           "time_goto", "time_step", "time_search", "time_last_write", "time_who_changed", "time_last_area",
           "console"]

# Sourced again after an edit, the new code counts.
for name in [name for name in sys.modules if name.split(".")[0] == "vitrine_gdb"]:
    del sys.modules[name]
sys.dont_write_bytecode = True
for path in (os.path.dirname(HERE), HERE):  # tools/eventlog is shared with tools/trace
    if path not in sys.path:
        sys.path.insert(0, path)
for name in MODULES:
    importlib.import_module(f"vitrine_gdb.{name}")


class Vitrine(gdb.Command):
    """The kernel's commands. These read memory only (but step-alloc, which lets the kernel run):

  vmap                    the vmalloc address space in address order: busy, guard, lazy, free
  vmap list [all|busy|free|lazy]    the same; unshortened; one kind with its descriptors
  vmap tree [busy] [all]  the tree of the design, with colours and subtree_max_size
  vmap tree --fit SIZE [ALIGN]    the way an allocation takes through it, pruned subtrees marked
  vmap check              V1 to V6, verified from outside
  vmap at ADDR            the area at an address, or the one that was there
  whatis-addr ADDR        region, area, page table, frame, owner
  page ADDR               the frame behind an address, its block, who had it
  buddy                   free page blocks of each order, with B1, B2 and B3
  slab [CACHE|ADDR]       the caches, one cache, one object, with S1 and S2
  pt ADDR, pt PID:ADDR    one translation, level by level
  processes [PID]         who runs in ring 3; the areas of one
  add-process PID         the symbols of its program
  ptdump [kernel|vmalloc|--check]    all page tables, merged; P1 and P2
  cpus                    what each processor does, and the locks that are held
  klog [N]                the kernel's log ring (the last N lines)
  trace [show [OPERATION] | last [N]]    the event log, an operation told step by step
  step-alloc [N]          run to the next step of the allocator

  checkpoint [NAME], checkpoints, rewind NAME    the machine kept as it is, and back
  console [N], console type TEXT                 the kernel's serial line
  operation COMMAND       a shell command, stopped at the operation that it makes
On a recording (make gdb-reverse), besides reverse-step and the like:
  now                     instruction, operation, event, shell command
  goto N, back [N], forth [N]    through time, by allocator operations; inside of one, by its events
  last-write EXPRESSION, who-changed NODE.FIELD    the instruction that wrote it
  last-alloc ADDR, last-free ADDR                  the operation that did it

Functions for expressions: $vmap_area(addr), $page(addr), $lowest_match(size, align)."""

    def __init__(self):
        super().__init__("vitrine", gdb.COMMAND_DATA)

    def invoke(self, _argument, _from_tty):
        print(self.__doc__)


Vitrine()
