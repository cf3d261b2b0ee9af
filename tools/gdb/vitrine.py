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
MODULES = ["kernel", "spaces", "drawing", "vmap_list", "vmap_tree", "vmap_check", "vmap", "buddy",
           "pt", "klog", "whatis", "printers", "functions"]

# Sourced again after an edit, the new code counts.
for name in [name for name in sys.modules if name.split(".")[0] == "vitrine_gdb"]:
    del sys.modules[name]
sys.dont_write_bytecode = True
if HERE not in sys.path:
    sys.path.insert(0, HERE)
for name in MODULES:
    importlib.import_module(f"vitrine_gdb.{name}")


class Vitrine(gdb.Command):
    """The kernel's commands, all reading memory only:

  vmap                    summary of the vmalloc address space
  vmap list               every range in address order: busy, guard, lazy, free
  vmap tree [busy]        the red-black tree, with subtree_max_size
  vmap tree --fit SIZE [ALIGN]    the way an allocation takes through it, pruned subtrees marked
  vmap check              V1 to V5, verified from outside
  vmap at ADDR            the area at an address, or the one that was there
  buddy                   free page blocks of each order, with B1 and B2
  pt ADDR                 one translation, level by level
  whatis-addr ADDR        region, area, page table, frame, owner
  klog [N]                the kernel's log ring (the last N lines)

Functions for expressions: $vmap_area(addr), $page(addr)."""

    def __init__(self):
        super().__init__("vitrine", gdb.COMMAND_DATA)

    def invoke(self, _argument, _from_tty):
        print(self.__doc__)


Vitrine()
