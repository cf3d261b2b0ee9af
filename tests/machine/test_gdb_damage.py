# SPDX-License-Identifier: MIT
"""What the GDB commands say about a kernel that is broken, about one that is only in the middle of
something, and to arguments that make no sense. One session each; the work is in gdb_*.py, which GDB sources."""
import json
import re

import pytest
from machine import ROOT
from test_gdb import gdb

pytestmark = pytest.mark.xdist_group("gdb damage")

# Leaves free ranges between busy ones, two that wait for their flush and, in `nodes`, some in pools.
STATE = 'exec="vmalloc 1p count=12; vmalloc 300p count=12; vfree 2 4 6 8 10 14 16 18 20 22; vmap purge; ' \
        'vfree 17; vmalloc 2p; vfree 12"'
BUSY = 'exec="vmalloc 1p count=20; vmalloc 3p align=64K count=8; vfree 3 5 7 9 22 24; vmap purge; ' \
       'vmalloc 9p count=6; vfree all; vmap purge; vmalloc 5p count=30; vfree all; vmap purge"'
DAMAGES = {"freetree": 69, "nodes": 48, "freelist": 42, "avlhash": 26, "busytree": 21, "vmlist": 14}
STOPS = {"freetree": 450, "freelist": 110, "busytree": 110, "avlhash": 110, "vmlist": 110, "nodes": 110}
# Which commands must name the pointer that was broken.
NAMED_BY = {
    "circle": ("vmap", "vmap list all", "vmap list busy", "vmap check", "vmap at", "whatis-addr"),
    "wild_list": ("vmap", "vmap list all", "vmap list free", "vmap check", "vmap at", "whatis-addr"),
    "wild_tree": ("vmap tree busy all", "vmap check"),
    "circle_in_tree": ("vmap tree all", "vmap check"),
    "wild_state": ("vmap", "vmap tree all", "vmap check", "vmap at", "whatis-addr"),
}
NONSENSE = ("Traceback", "Python Exception", "Error while executing", "makes no sense (", "GDB could not")


def lines_of(text, word):
    return [json.loads(line[len(word) + 1:]) for line in text.splitlines() if line.startswith(f"{word} ")]


def source(script, state, *before, stop="shell_run"):
    """A GDB script of ours, at the prompt that is about to appear."""
    return gdb(f"break {stop}", "continue", "continue", *before,
               f'python import sys; sys.path.insert(0, "{ROOT}/tests/machine")',
               f"source {ROOT}/tests/machine/{script}", append=state)


def broken_laws(text):
    return re.findall(r"^  (\w\d)  BROKEN", text, re.M) + re.findall(r"^([BS]\d): ", text, re.M)


@pytest.mark.parametrize("design", DAMAGES)
def test_each_damage_is_found_under_its_law_and_forgotten_when_undone(design):
    found = lines_of(source("gdb_damage.py", f"vmap={design} {STATE}"), "damage")
    for name, command, law, said, after in found:
        assert law in broken_laws(said), f"{design}: `{command}` did not find: {name}\n{said}"
        assert not broken_laws(after), f"{design}: `{command}` still complains after: {name}\n{after}"
    assert len(found) == DAMAGES[design], [name for name, *_ in found]


@pytest.mark.parametrize("design", STOPS)
def test_no_false_alarm_at_random_events(design):
    """docs/gdb.md says what a false alarm is."""
    stops = STOPS[design]
    text = gdb("break boot_actions_run", "continue", "continue", f"set $stops={stops}", "set $seed=2026",
               f"source {ROOT}/tests/machine/gdb_stops.py", append=f"vmap={design} trace=on {BUSY}", mem="16M")
    between = re.search(rf"^stops {stops}, between operations (\d+), broken in the middle (\d+), false 0$", text,
                        re.M)
    assert between and int(between[1]) > 0, text


def test_nonsense_and_wild_pointers_get_a_sentence():
    answers = lines_of(source("gdb_nonsense.py", STATE), "answer")
    assert len(answers) > 600, len(answers)
    for broken, command, answer, pointer in answers:
        for trouble in NONSENSE:
            assert trouble not in answer, f"{broken}: `{command}`\n{answer}"
        assert answer.strip(), f"{broken}: `{command}` says nothing"
        if any(command == name or re.fullmatch(rf"{name} 0x\w+", command) for name in NAMED_BY.get(broken, ())):
            assert pointer in answer, f"{broken}: `{command}` does not name {pointer}\n{answer}"
    assert "all hold" in answers[-1][2], answers[-1]
