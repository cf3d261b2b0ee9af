# SPDX-License-Identifier: MIT
"""`cpus`: each processor, where it is, and which locks of the memory subsystem are held."""
from .kernel import KernelCommand, Record, Sentence, layout, lock_state, memory, symbol_address
from .under_way import cpus as running

LOCKS = [("struct vmap_space", "kernel_vmalloc.space", "lock"), ("struct vmalloc", "kernel_vmalloc", "lock"),
         ("struct flush_queue", "kernel_vmalloc.flush", "purge_lock"), ("struct buddy", "kernel_buddy", "lock"),
         ("struct pagetable", "kernel_pagetable", "lock"),
         ("struct kmem_cache", "kernel_vmalloc.area_cache", "lock")]


def where(stack):
    if not stack:
        return "?"
    function, path = stack[0]
    return f"{function}()" + (f" of {path}" if path else "")


def held_locks():
    for kind, expression, field in LOCKS:
        try:
            record = Record(kind, symbol_address(expression))
            state = lock_state(record, field)
            name = memory.text(record[f"{field}.name"])
        except Sentence:
            continue
        if state:
            yield f"lock `{name}` ({expression}.{field}) is {state}"


class Cpus(KernelCommand):
    """cpus

The processors: interrupts served, and where each one is right now; the locks that are held, by whom,
and where they were taken. `thread N` goes to CPU N - 1.

  %gs:0 -> struct cpu { self, id, apic_id, irq_depth ... }      cpus[0] is the boot CPU"""

    def __init__(self):
        super().__init__("cpus")

    def run(self, words):
        if words:
            raise Sentence("usage: cpus")
        stacks = dict(running())
        size = layout("struct cpu").size
        try:
            known = memory.number(symbol_address("'kernel/percpu.c'::cpus_known"), 4)
            base = symbol_address("cpus")
            found = [Record("struct cpu", base + size * number) for number in range(min(known, 64))]
        except Sentence:
            raise Sentence("the table of processors is not mapped yet") from None
        print("cpu  apic  state   interrupts  in one  where")
        for number, cpu in enumerate(found):
            state = "online" if cpu["online"] else "parked"
            print(f"{number:3}  {cpu['apic_id']:4}  {state}  {cpu['irq_count']:10}  "
                  f"{cpu['irq_depth'] and 'yes' or 'no':6}  {where(stacks.get(number + 1))}")
        for line in held_locks() or ():
            print(line)


Cpus()
