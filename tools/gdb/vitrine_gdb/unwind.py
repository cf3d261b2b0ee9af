# SPDX-License-Identifier: MIT
"""Backtraces through event_site_call (mm/event_site.asm), for which no compiler wrote down how to unwind it.

    sp ->  r11 r10 r9 r8 rdi rsi rdx rcx rax | return address | function, six arguments |  <- sp of the site
           pushed one after the other           pushed by call    pushed by EVENT()
"""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

from .kernel import Sentence, memory, symbol_address

NAME, SAVED, PUSHED = "event_site_call", 9, 7
SIZE = 128  # bytes to look at; it is shorter
PUSHES = (0, 1, 2, 3, 4, 5, 7, 9, 11, 13)  # offset behind the n-th: r8 and above take two bytes
POPS = (0, 2, 4, 6, 8, 9, 10, 11, 12, 13)
CALL = b"\xff\x54\x24", b"\xff\x94\x24"  # call [rsp + byte], call [rsp + four bytes]


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class EventSite(Unwinder):
    """Where the site's registers are while event_site_call runs, or waits for what it called."""

    def __init__(self):
        super().__init__("vitrine-event-site")
        self.start = self.behind_call = None

    def find(self):
        """Once: the function, and its instruction behind the call. False: this kernel has none."""
        if self.start is None:
            try:
                self.start = symbol_address(NAME)
                code = memory.read(self.start, SIZE)
            except Sentence:
                self.start = None
                return False
            at, length = min((code.find(opcode), length) for opcode, length in zip(CALL, (4, 7))
                             if opcode in code)
            self.behind_call = at + length
        return True

    def on_stack(self, offset):
        """Saved registers that lie on the stack at an instruction; None: it is not in the function."""
        if 0 <= offset < self.behind_call:
            return max(count for count, at in enumerate(PUSHES) if at <= offset)
        popped = [count for count, at in enumerate(POPS) if self.behind_call + at == offset]
        return SAVED - popped[0] if popped else None

    def __call__(self, frame):
        if not self.find():
            return None
        pc, sp, rbp = (frame.read_register(name) for name in ("rip", "rsp", "rbp"))
        mask = (1 << 64) - 1
        saved = self.on_stack((int(pc) & mask) - self.start)
        if saved is None:
            return None
        return_at = (int(sp) & mask) + 8 * saved
        try:  # not through the cache, which the machine has perhaps outrun
            back = int.from_bytes(bytes(gdb.selected_inferior().read_memory(return_at, 8)), "little")
        except (gdb.error, gdb.MemoryError):
            return None
        word = gdb.lookup_type("unsigned long")
        unwound = frame.create_unwind_info(FrameId(gdb.Value(return_at + 8).cast(word), gdb.Value(self.start).cast(word)))
        for register, value in (("rip", back), ("rsp", return_at + 8 + 8 * PUSHED), ("rbp", int(rbp) & mask)):
            unwound.add_saved_register(register, gdb.Value(value).cast(word))
        return unwound


def forget(_event=None):
    site.start = None


site = EventSite()
register_unwinder(None, site, replace=True)
gdb.events.new_objfile.connect(forget)
