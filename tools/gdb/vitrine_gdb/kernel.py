# SPDX-License-Identifier: MIT
"""Reading the stopped kernel: memory through a cache, structures through their debug information, and
the base of every command, which turns whatever goes wrong into a sentence.

Nothing here trusts what it reads: a wild pointer ends in Sentence, and who follows links counts them.
"""
import contextlib

import gdb

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
MASK = (1 << 64) - 1
POISON = 0xdead000000000000
NOT_NUMBERS = (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY)
GONE = "no machine is there: QEMU has ended, or was never connected. Leave GDB and start again."
NOT_YET = "the vmap space is not initialised yet"


class Sentence(Exception):
    """Why a command has no answer, for the user to read."""


class Memory:
    """Reads of the inferior in whole pages, kept until forget(): a tree walk touches few of them."""

    def __init__(self):
        self.pages = {}

    def forget(self):
        self.pages.clear()

    def page(self, base):
        if base not in self.pages:
            try:
                data = gdb.selected_inferior().read_memory(base, PAGE_SIZE)
                self.pages[base] = bytes(data)
            except (gdb.error, gdb.MemoryError, OverflowError, ValueError):
                self.pages[base] = None
        return self.pages[base]

    def read(self, address, length):
        out = b""
        while len(out) < length:
            at = (address + len(out)) & MASK
            page = self.page(at & ~(PAGE_SIZE - 1))
            if page is None:
                raise Sentence(f"memory at {at:#x} cannot be read")
            offset = at & (PAGE_SIZE - 1)
            out += page[offset:offset + length - len(out)]
        return out

    def number(self, address, size=8):
        return int.from_bytes(self.read(address, size), "little")

    def text(self, address, limit=120):
        """The C string at an address; "" for NULL."""
        out = b""
        while address and len(out) < limit:
            byte = self.read(address + len(out), 1)
            if byte == b"\0":
                break
            out += byte
        return out.decode("utf-8", "replace")


memory = Memory()
layouts = {}


class Layout:
    """Offsets and sizes of a struct's fields, nested ones as "rb_node.left", from the debug info."""

    def __init__(self, name):
        try:
            kind = gdb.lookup_type(name)
        except gdb.error:
            raise Sentence(f"the kernel has no debug information about {name}") from None
        self.name = name
        self.size = kind.sizeof
        self.fields = {}
        self.collect(kind, 0, "")

    def collect(self, kind, base, prefix):
        for field in kind.fields():
            if not hasattr(field, "bitpos"):
                continue
            inner = field.type.strip_typedefs()
            offset = base + field.bitpos // 8
            if field.name:
                self.fields[prefix + field.name] = (offset, inner.sizeof)
            if inner.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
                self.collect(inner, offset, f"{prefix}{field.name}." if field.name else prefix)

    def offset(self, field):
        if field not in self.fields:
            raise Sentence(f"{self.name} has no field {field}: kernel and helpers do not match")
        return self.fields[field][0]


def layout(name):
    if name not in layouts:
        layouts[name] = Layout(name)
    return layouts[name]


class Record:
    """One structure in memory: record["field"] is its number, record.at("field") its address."""

    def __init__(self, name, address):
        self.layout = layout(name)
        self.address = address & MASK
        self.data = memory.read(self.address, self.layout.size)

    def __getitem__(self, field):
        offset = self.layout.offset(field)
        size = self.layout.fields[field][1]
        return int.from_bytes(self.data[offset:offset + size], "little")

    def at(self, field):
        return self.address + self.layout.offset(field)


symbols = {}


def forget_symbols(_event=None):
    layouts.clear()
    symbols.clear()


def symbol_address(expression):
    """The address of a variable; reads no memory of the inferior."""
    try:
        return int(gdb.parse_and_eval(f"&{expression}")) & MASK
    except gdb.error:
        raise Sentence(f"no symbol {expression}: load the kernel first (`file build/og/kernel.elf`)") \
            from None


def evaluate(text):
    """An address or number the user typed: an expression, but one that may not call functions."""
    switch = "may-call-functions"
    try:
        before = gdb.parameter(switch)
    except RuntimeError:
        before = None
    try:
        if before:
            gdb.execute(f"set {switch} off", to_string=True)
        value = gdb.parse_and_eval(text)
        if value.type.strip_typedefs().code in NOT_NUMBERS and value.address is not None:
            value = value.address
        return int(value) & MASK
    except (gdb.error, gdb.MemoryError, OverflowError) as error:
        raise Sentence(f"'{text}' is not an address: {error}") from None
    finally:
        if before:
            gdb.execute(f"set {switch} on", to_string=True)


def symbolise(address):
    """"vfree+26" for a code address, "-" for 0."""
    if address not in symbols:
        symbols[address] = look_symbol_up(address)
    return symbols[address]


def look_symbol_up(address):
    if not address:
        return "-"
    try:
        text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    except gdb.error:
        return f"{address:#x}"
    if " in section" not in text:
        return f"{address:#x}"
    name, _, offset = text.split(" in section")[0].partition(" + ")
    return f"{name}+{int(offset):#x}" if offset else name


def caller_name(packed):
    """struct page and vmap_area keep callers in 32 bits, as the distance from KERNEL_BASE."""
    return symbolise(0xffffffff80000000 + packed if packed else 0)


def human(size):
    """4 KiB, 1.5 MiB, as the kernel's %pM writes it."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    index = 0
    while index + 1 < len(units) and size >> (10 * (index + 1)):
        index += 1
    value = round(size / (1 << (10 * index)), 1)
    return f"{value:.0f} {units[index]}" if value == int(value) else f"{value} {units[index]}"


def plural(number, noun):
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def astray(pointer):
    """Why nothing can be read behind a pointer, for a sentence that names it; None when it can be."""
    if not pointer:
        return "NULL"
    if pointer & ~0xffff == POISON:
        return f"{pointer:#x}, the poison that list_del() leaves in an element it takes out"
    if pointer >> 47 not in (0, 0x1ffff):
        return f"{pointer:#x}, which is no address"
    if pointer & 7:
        return f"{pointer:#x}, which is misaligned"
    try:
        memory.read(pointer, 16)
    except Sentence:
        return f"{pointer:#x}, where nothing is mapped"
    return None


def list_nodes(head, field_offset, name=None):
    """Addresses of the structures on a struct list_head, each once. What is wrong is a Sentence: a lost
    link or a cycle where it is met, a wrong link back only at the end, because the way on is known."""
    name = name or f"the list at {head:#x}"
    seen, wrong, previous = set(), None, head
    who, node = f"its head {head:#x}", memory.number(head)
    while node != head:
        reason = astray(node)
        if reason:
            raise Sentence(f"{name}: `next` of {who} is {reason}")
        if node in seen:
            raise Sentence(f"{name} runs in a circle: `next` of {who} leads back to {node - field_offset:#x}")
        back = memory.number(node + 8)
        if back != previous and not wrong:
            wrong = f"{name}: `prev` of element {node - field_offset:#x} is {astray(back) or hex(back)}, " \
                    f"but {who} stands before it"
        seen.add(node)
        yield node - field_offset
        who, previous, node = f"element {node - field_offset:#x}", node, memory.number(node)
    back = memory.number(head + 8)
    if back != previous and not wrong:
        wrong = f"{name}: `prev` of its head {head:#x} is {astray(back) or hex(back)}, but {who} is the last"
    if wrong:
        raise Sentence(wrong)


def collect(iterator):
    """(everything that it yields, the sentence with which it ended or None)."""
    found = []
    try:
        for item in iterator:
            found.append(item)
    except Sentence as sentence:
        return found, str(sentence)
    return found, None


def lock_state(record, field="lock"):
    """"" or who holds a struct spinlock and where it was taken."""
    holder = record[f"{field}.holder"]
    if not holder:
        return ""
    return f"held by CPU {holder - 1}, taken in {symbolise(record[f'{field}.taken_at'])}"


class KernelCommand(gdb.Command):
    """A command whose run(words) may raise Sentence; whatever else goes wrong becomes one, too."""

    needs_machine = True  # without one GDB reads the kernel's file: as if nothing had happened yet

    def __init__(self, name, prefix=False):
        super().__init__(name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION, prefix)

    def run(self, words):
        raise NotImplementedError

    def machine_is_missing(self):
        return self.needs_machine and not gdb.selected_inferior().threads()

    def invoke(self, argument, _from_tty):
        memory.forget()
        try:
            if self.machine_is_missing():
                raise Sentence(GONE)
            self.run(gdb.string_to_argv(argument))
        except Sentence as sentence:
            print(sentence)
        except (gdb.error, gdb.MemoryError) as error:
            print(f"{GONE} ({error})" if self.machine_is_missing() else f"GDB could not do that: {error}")
        except KeyboardInterrupt:
            print("(stopped)")
        except Exception as error:  # whatever lies in memory, the answer is a sentence
            print(f"what was read makes no sense ({type(error).__name__}: {error})")
        finally:
            memory.forget()


with contextlib.suppress(AttributeError):
    gdb.events.new_objfile.connect(forget_symbols)
