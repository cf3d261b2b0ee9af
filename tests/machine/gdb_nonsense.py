# SPDX-License-Identifier: MIT
"""Sourced by GDB (test_gdb_damage.py): every command of `help vitrine` with arguments that make no sense, and
with a wild pointer and a circle in the kernel's lists and trees. One JSON line per answer:
[what was broken, command, answer, the pointer that it should name or ""]."""
import json
import re

import gdb
from gdb_damage import UNMAPPED, WILD, Damage, leaf, link, pick, ranges
from vitrine_gdb.kernel import memory
from vitrine_gdb.spaces import Space

ADDRESSES = ("0", "1", "0x1000", "0xdeadbeefdeadbeef", "0x8000000000000000", "0xffffffffffffffff", "-1",
             "0xffffc90000000003", "0xffff888fffffffff", "0xffffea0000000001", "0xfee00000", "kernel_main",
             "no_such_symbol", "1 +", "'", "\"", "$sp", "kernel_vmalloc", "3.5", "vmalloc(4096)", "*(int *) 0", "%s",
             "99999999999999999999999")
WORDS = ("", "x", "1 2 3", "--fit", "--check x", "busy free", "-1", "0", "18446744073709551616")
WITH_ADDRESS = ("vmap at", "whatis-addr", "page", "pt", "slab", "vmap tree --fit", "vmap tree --fit 4096",
                "last-write", "last-alloc", "last-free", "who-changed", "print $vmap_area", "print $page",
                "print $lowest_match")
WITH_WORDS = ("vmap", "vmap list", "vmap tree", "vmap check", "buddy", "slab", "ptdump", "cpus", "klog", "trace",
              "trace show", "trace last", "checkpoint", "checkpoints", "rewind", "checkpoint delete", "console",
              "now", "goto", "back", "forth", "time-begin")
# Those that would let the machine run, or that are fine, are asked only what they refuse.
SOME_WORDS = {"step-alloc": ("x", "0", "1 2", "-3"), "operation": ("",), "set time-limit": ("x", "-5")}
LOOK = ("vmap", "vmap list all", "vmap list busy", "vmap list free", "vmap tree all", "vmap tree busy all",
        "vmap tree --fit 8k", "vmap check", "vmap at {0:#x}", "whatis-addr {0:#x}", "print $vmap_area({0:#x})",
        "print $lowest_match(8192, 4096)", "ptdump --check", "buddy", "slab", "page {0:#x}", "cpus")


def say(broken, command, pointer=""):
    memory.forget()
    try:
        answer = gdb.execute(command, to_string=True)
    except gdb.error as error:
        answer = f"error: {error}"
    print("answer " + json.dumps([broken, command, answer, pointer]))


def nonsense():
    for command in WITH_ADDRESS:
        for address in ADDRESSES:
            say("", f"{command}({address})" if command.startswith("print") else f"{command} {address}")
    for command in WITH_WORDS:
        for words in WORDS:
            say("", f"{command} {words}".strip())
    for command, words in SOME_WORDS.items():
        for word in words:
            say("", f"{command} {word}".strip())
    for name in [each.split()[0] for each in gdb.execute("info breakpoints", to_string=True).splitlines()[1:]
                 if re.match(r"\d+ ", each)]:
        assert name in ("1", "2"), "a breakpoint was left behind"


def circle(damage, space):
    areas = ranges(space, True)
    damage.word(link(areas[4]), link(areas[1]))
    return areas[4].start, f"{areas[1].address:#x}"


def wild_list(damage, space):
    areas = ranges(space, False)
    damage.word(link(areas[2]), WILD)
    return areas[2].start, f"{WILD:#x}"


def wild_tree(damage, space):
    node = pick(space, True, leaf)
    damage.area(node.area, "rb_node.left", UNMAPPED)
    return node.area.start, f"{UNMAPPED:#x}"


def circle_in_tree(damage, space):
    node = pick(space, False, leaf)
    damage.area(node.area, "rb_node.right", space.root(False))
    return node.area.start, f"{space.root(False):#x}"


def wild_descriptor(damage, space):
    area = ranges(space, True)[3]
    damage.area(area, "vm", WILD)
    return area.start, ""


def wild_state(damage, space):
    damage.field("struct vmap_space", space.record.address, "state", WILD)
    return space.start, f"{WILD:#x}"


def run():
    nonsense()
    for plant in (circle, wild_list, wild_tree, circle_in_tree, wild_descriptor, wild_state):
        with Damage() as damage:
            memory.forget()
            address, pointer = plant(damage, Space())
            for command in LOOK:
                say(plant.__name__, command.format(address), pointer)
    say("", "vmap check")


run()
