# SPDX-License-Identifier: MIT
"""`checkpoint [NAME]`, `checkpoints`, `rewind NAME`; and those that come by themselves.

    checkpoint --> savevm NAME      the whole machine: memory, CPUs, devices, about 3 MB each
    rewind     --> loadvm NAME

They are snapshots of QEMU in a disk of their own, so they work on every machine, recorded or live,
with one CPU or more. On a replay one is made every so often while operations are counted; when there
are too many, those that matter least go: the older, the farther apart (see Store.thin).
"""
import bisect
import os
import re

from .kernel import KernelCommand, Sentence, plural
from .time_machine import Limit, aside, machine, session, show_position

AUTOMATIC = "auto-"
MAX_AUTOMATIC = 40
MAX_BYTES = 1 << 30  # of the disk; with more in use, checkpoints are given up for each new one
SPACING = 200_000  # instructions, at least
LINE = re.compile(r"^(?:--|\d+)\s+(\S+)\s+(\S+ \S+)\s+(\d{4}-\S+ \S+)\s+(\S+)(?:\s+(\d+))?\s*$", re.M)


class Store:
    """The checkpoints of a replay, by instruction: (instruction, name) in order."""

    def __init__(self):
        self.known, self.full = None, False

    def read(self):
        """What QEMU has: [(name, size, date, clock, instruction or None)]."""
        answer = machine.monitor("info snapshots")
        return [(name, size, date, clock, int(at) if at else None)
                for name, size, date, clock, at in LINE.findall(answer)]

    def all(self):
        if self.known is None:
            self.known = sorted((at, name) for name, _, _, _, at in self.read() if at is not None)
        return self.known

    def before(self, at):
        """The newest one at or before an instruction."""
        index = bisect.bisect_right(self.all(), (at, "~"))
        if not index:
            raise Sentence(f"no checkpoint before instruction {at:,} is left")
        return self.all()[index - 1]

    def save(self, name, at):
        answer = machine.monitor(f"savevm {name}")
        if answer:
            raise Sentence(f"no checkpoint was made: {explain(answer)}")
        if at is not None:
            bisect.insort(self.all(), (at, name))

    def delete(self, name):
        machine.monitor(f"delvm {name}")
        if self.known:
            self.known = [each for each in self.known if each[1] != name]

    def automatic(self, at):
        """Make one here if the last is far enough; never complains: without, going back is only slower."""
        if self.full or at - self.before(at)[0] < SPACING:
            return
        self.thin(MAX_AUTOMATIC - 1 if self.bytes() < MAX_BYTES else MAX_AUTOMATIC // 2)
        try:
            self.save(f"{AUTOMATIC}{at}", at)
        except Sentence as sentence:
            self.full = True
            print(f"(no more checkpoints, going back takes longer: {sentence})")

    def thin(self, keep):
        """Give up automatic ones until `keep` are left. Each is worth its distance from its neighbours,
        divided by its age: old moments keep few, recent ones many."""
        while True:
            moments = self.all()
            mine = [i for i, (_, name) in enumerate(moments) if name.startswith(AUTOMATIC)]
            if len(mine) <= keep:
                return
            newest = moments[-1][0] + SPACING

            def worth(i):
                after = moments[i + 1][0] if i + 1 < len(moments) else newest
                return (after - moments[i - 1][0]) / (newest - moments[i][0])
            self.delete(moments[min(mine, key=worth)][1])

    @staticmethod
    def bytes():
        try:
            return os.stat(session["snapshots"]).st_blocks * 512
        except (OSError, KeyError, TypeError):
            return 0


def explain(answer):
    """QEMU's refusal, with what it means."""
    text = answer.replace("Error: ", "")
    if "No block device" in answer or "no block device" in answer:
        return "the machine has no disk for snapshots. `make gdb` gives it one where qemu-img is installed."
    if "does not allow" in answer:
        return f"{text}. A `stepi` further it may be possible."
    if re.search("space|too large|writing|quota|-28|-27", answer, re.I):
        return f"{text}. The disk is full: `checkpoint delete NAME` or free space, and try again."
    return text


store = Store()


def go(target, limit):
    """To a moment of the recording: the nearest checkpoint before it, then forward."""
    at = machine.need_replay()
    moment, name = store.before(target)
    if target < at or moment > at:
        machine.load(name)
    machine.run_to(target, limit)


class Checkpoint(KernelCommand):
    """checkpoint [NAME]
checkpoint delete NAME

Keep the machine as it is now; `rewind NAME` comes back to it, `checkpoints` lists all. Works on a live
machine and on a replay. What is outside the machine is not kept: the text on your terminal, GDB's
breakpoints."""

    def __init__(self):
        super().__init__("checkpoint")

    def run(self, words):
        if len(words) == 2 and words[0] == "delete":
            self.need(words[1])
            store.delete(words[1])
            print(f"checkpoint {words[1]} is gone")
            return
        if len(words) > 1 or (words and not re.fullmatch(r"[A-Za-z_][\w.-]*", words[0])):
            raise Sentence("usage: checkpoint [NAME], a name of letters, digits, `-`, `_` and `.`")
        taken = {name for name, *_ in store.read()}
        name = words[0] if words else next(name for name in (f"c{i}" for i in range(1, 10**6))
                                           if name not in taken)
        if name in taken:
            raise Sentence(f"there is a checkpoint {name} already: another name, "
                           f"or `checkpoint delete {name}`")
        store.save(name, machine.now())
        print(f"checkpoint {name}; `rewind {name}` comes back here")

    @staticmethod
    def need(name):
        names = [each for each, *_ in store.read()]
        if name not in names:
            kept = [each for each in names if not each.startswith(AUTOMATIC)]
            only = f", only {', '.join(kept)}" if kept else ""
            raise Sentence(f"no checkpoint {name}{only}; "
                           "`checkpoints` lists all")


class Checkpoints(KernelCommand):
    """checkpoints

All checkpoints: name, size, when it was made, the machine's clock, on a replay its instruction."""

    def __init__(self):
        super().__init__("checkpoints")

    def run(self, words):
        if words:
            raise Sentence("usage: checkpoints")
        kept = store.read()
        for name, size, date, clock, at in kept:
            print(f"{name:<20} {size:>9}  {date}  {clock}{f'  instruction {at:,}' if at is not None else ''}")
        print(f"{plural(len(kept), 'checkpoint')}, {Store.bytes() >> 20} MB on the disk" if kept else
              "no checkpoints; `checkpoint [NAME]` makes one")


class Rewind(KernelCommand):
    """rewind NAME

The machine as it was at `checkpoint NAME`. GDB's breakpoints stay as they are now."""

    def __init__(self):
        super().__init__("rewind")

    def run(self, words):
        if len(words) != 1:
            raise Sentence("usage: rewind NAME (`checkpoints` lists them)")
        Checkpoint.need(words[0])
        with aside(), Limit():
            machine.load(words[0])
        if machine.now() is not None and machine.end:
            machine.monitor(f"replay_break {machine.end}")
        show_position()


Checkpoint()
Checkpoints()
Rewind()
