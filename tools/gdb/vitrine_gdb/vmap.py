# SPDX-License-Identifier: MIT
"""The command `vmap`; its subcommands are in vmap_list.py, vmap_tree.py and vmap_check.py."""
import gdb

from . import vmap_check, vmap_list, vmap_tree
from .kernel import KernelCommand, Sentence

SUBCOMMANDS = {"list": vmap_list.command_list, "tree": vmap_tree.command_tree,
               "check": vmap_check.command_check, "at": vmap_list.command_at}

USAGE = "usage: vmap [list [all|busy|free|lazy] | tree [free|busy] [all] | tree --fit SIZE [ALIGN] | " \
        "check | at ADDR]"


class Vmap(KernelCommand):
    """vmap [list [all | busy | free | lazy] | tree [free | busy] [all] | tree --fit SIZE [ALIGN] | check | at ADDR]

The kernel's vmalloc address space, read from its memory, in address order: busy, guard, lazy, free.
`list all` does not shorten runs; `list busy` and the others show the descriptors, in list order.

   |####|.......|########|..|%%%%%%|...............|      # busy    % lazy    . free

  struct vmap_space -> state: struct freetree
      free:  root (rbtree by address, subtree_max_size)   list (by address)
      busy:  root (rbtree by address)                     list (by address)
  struct vmap_area:  [va_start, va_end)  rb_node  list  vm | subtree_max_size  kind"""

    def __init__(self):
        super().__init__("vmap")

    def run(self, words):
        if words and words[0] in SUBCOMMANDS:
            SUBCOMMANDS[words[0]](words[1:])
        elif words:
            raise Sentence(USAGE)
        else:
            vmap_list.command_list(words)

    def complete(self, text, word):
        if " " in text.lstrip():
            return gdb.COMPLETE_EXPRESSION
        return [name for name in SUBCOMMANDS if name.startswith(word)]


Vmap()
