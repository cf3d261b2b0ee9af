# SPDX-License-Identifier: MIT
"""`who-changed NODE.FIELD`."""
import gdb

from .kernel import MASK, Sentence
from .spaces import Space
from .time_last_write import find_last_write
from .time_machine import TimeCommand, show_position

USAGE = "usage: who-changed NODE.FIELD, e.g. who-changed 0xffffc90000004000.subtree_max_size"
CALLERS = 12


def node_expression(node):
    """NODE as a struct: an expression of a struct or of a pointer to one; or a plain address, of a struct
    vmap_area or in the address space that one describes."""
    try:
        value = gdb.parse_and_eval(node)
    except gdb.error as error:
        raise Sentence(f"{node}: {error}") from None
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT:
        return f"({node})"
    if kind.code == gdb.TYPE_CODE_PTR and kind.target().strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        return f"(*({kind}) {int(value) & MASK:#x})"
    address, space = int(value) & MASK, Space()
    if space.start <= address < space.end:
        area = space.find(address)
        if not area:
            raise Sentence(f"no area describes {address:#x}")
        address = area.address
    return f"(*(struct vmap_area *) {address:#x})"


class WhoChanged(TimeCommand):
    """who-changed NODE.FIELD

Back to the instruction that last changed a field of a tree node, and how it came to be executed. NODE is
a struct vmap_area: its address, an address in the range that it describes, or an expression. FIELD may
lie deeper: rb_node.left.

              B 4 KiB  max 32 TiB <--- who-changed 0xffffc9000001f000.subtree_max_size
             /       \\
    R 92 KiB           R 32 TiB
    max 92 KiB         max 32 TiB"""

    def __init__(self):
        super().__init__("who-changed")

    def invoke(self, argument, from_tty):
        self.text = argument.strip()
        super().invoke("", from_tty)

    def travel(self, words, limit):
        node, field = self.split(self.text)
        find_last_write(f"{node_expression(node)}.{field}", limit)
        show_position()
        gdb.execute(f"backtrace -frame-arguments none {CALLERS}")

    @staticmethod
    def split(text):
        """At the first dot behind which only field names follow."""
        at = len(text)
        while True:
            dot = max(text.rfind(".", 0, at), text.rfind("->", 0, at))
            if dot < 0 or not all(word.isidentifier() for word in
                                  text[dot:].replace("->", ".").split(".")[1:]):
                break
            at = dot
        fields = text[at:].replace("->", ".").lstrip(".")
        if not fields or not text[:at]:
            raise Sentence(USAGE)
        # an expression such as a.b.c: the longest part that is a node decides
        return text[:at], fields


WhoChanged()
