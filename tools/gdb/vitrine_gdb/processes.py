# SPDX-License-Identifier: MIT
"""`processes`: who runs in ring 3, with its memory. Also for the other commands: a process by its number, its page
table, its areas."""
from .kernel import KernelCommand, Record, Sentence, layout, list_nodes, memory, plural, symbol_address

LIST = "'proc/task.c'::all_processes"
RIGHTS = [(1, "r"), (2, "w"), (4, "x")]
MAP_SHARED = 1


class Area:
    """One struct vma."""

    def __init__(self, record):
        self.start, self.end, self.prot, self.flags = (record[name] for name in ("start", "end", "prot", "flags"))
        self.store, self.pgoff, self.name = record["store"], record["pgoff"], memory.text(record["name"])

    def rights(self):
        return "".join(letter if self.prot & bit else "-" for bit, letter in RIGHTS) + \
            ("s" if self.flags & MAP_SHARED else "p")


class Process:
    """One struct process."""

    def __init__(self, address):
        self.record = Record("struct process", address)
        self.pid = self.record["pid"]
        self.name = memory.text(self.record.at("name"), 16)
        self.space = Record("struct uspace", self.record["space"]) if self.record["space"] else None
        parent = self.record["parent"]
        self.parent = Record("struct process", parent)["pid"] if parent else 0

    def root(self):
        """Physical address of its page table."""
        if not self.space:
            raise Sentence(f"process {self.pid} has no memory any more: only its exit status is left")
        return self.space["pt.root"]

    def areas(self):
        self.root()
        for address in list_nodes(self.space.at("list"), layout("struct vma").offset("link"), "the list of areas"):
            yield Area(Record("struct vma", address))

    def state(self):
        if self.record["zombie"]:
            return "zombie"
        return "stopped" if self.record["stopped"] else ""


def every_process():
    head = symbol_address(LIST)
    if not memory.number(head):
        raise Sentence("there are no processes yet")
    for address in list_nodes(head, layout("struct process").offset("all"), "the list of processes"):
        yield Process(address)


def process(pid):
    """The process with that number; a Sentence when there is none."""
    found = list(every_process())
    for one in found:
        if one.pid == pid:
            return one
    numbers = ", ".join(str(one.pid) for one in found) or "none at all"
    raise Sentence(f"no process {pid}; there are: {numbers}")


def pid_of(text):
    if not text.isdigit():
        raise Sentence(f"'{text}' is not the number of a process; `processes` lists them")
    return int(text)


class Processes(KernelCommand):
    """processes [PID]

Every process: number, parent, page table, areas and pages, program. With PID: its areas, as /proc/PID/maps has them.

  all_processes -> struct process { pid, space } -> struct uspace { pt.root, areas (a tree by address) } -> struct vma"""

    def __init__(self):
        super().__init__("processes")

    def run(self, words):
        if len(words) > 1:
            raise Sentence("usage: processes [PID]")
        if words:
            self.show_areas(process(pid_of(words[0])))
            return
        found = list(every_process())
        print("  pid parent  page table  areas    anon    file  tables  program")
        for one in found:
            self.show(one)
        print(plural(len(found), "process").replace("processs", "processes"))

    @staticmethod
    def show(one):
        if not one.space:
            print(f"{one.pid:5} {one.parent:6}  {'-':>10}  {'':30}  {one.name} ({one.state() or 'no memory'})")
            return
        stats = [one.space[f"stats.{name}"] for name in ("areas", "anon_pages", "file_pages", "tables")]
        counts = "{:6} {:7} {:7} {:7}".format(*stats)
        print(f"{one.pid:5} {one.parent:6}  {one.root():#10x} {counts}  {one.name}"
              + (f" ({one.state()})" if one.state() else ""))

    @staticmethod
    def show_areas(one):
        for area in one.areas():
            print(f"{area.start:012x}-{area.end:012x} {area.rights()} {area.pgoff << 12:08x}  {area.name}".rstrip())


Processes()
