# SPDX-License-Identifier: MIT
"""Death tests: every `fault KIND` in a machine of its own. Fatal ones must panic with the explanation,
the right culprits and a symbolised backtrace; refused ones must leave a working system. A triple
fault, a reboot or silence is a failure."""
import re

import pytest
from machine import PROMPT, Machine, plain
from pexpect import EOF

pytestmark = pytest.mark.quick

PANIC_STATUS = 3
FATAL = {
    "stack": [r"kernel stack overflow", r"guard page below the boot stack"],
    "guard": [r"out-of-bounds write \d+ bytes past the end of area", r"allocated by \w+\+0x"],
    "under": [r"before the start of area|past the end of area"],
    "uaf": [r"use after free", r"allocated by \w+\+0x", r"freed by \w+\+0x"],
    "null": [r"NULL pointer"],
    "wx": [r"W\^X violation: write", r"kernel text"],
    "rodata": [r"W\^X violation: write", r"kernel rodata"],
    "exec": [r"W\^X violation: jump", r"\(NX\)"],
    "noncanonical": [r"non-canonical"],
    "ud": [r"#UD|invalid opcode"],
    "div": [r"#DE|divide"],
    "assert": [r"assert"],
    "panic": [r"PANIC"],
}
REFUSED = {
    "double": [r"BUG: .*double free", r"allocated by", r"freed by"],
    "unaligned": [r"BUG: .*unaligned"],
    "middle": [r"BUG: .*not the start of an area"],
    "foreign": [r"BUG: .*foreign address"],
    "badpage": [r"BUG: ", r"pfn|PFN|page"],
}


@pytest.mark.parametrize("kind", FATAL)
def test_fatal_fault_explains_itself(kind):
    with Machine(append="panic=exit") as machine:
        machine.boot()
        machine.send(f"fault {kind}\r")
        text = plain(machine.expect(EOF))
        status = machine.wait()
    assert "PANIC" in text and status == PANIC_STATUS, (status, text[-3000:])
    for words in FATAL[kind]:
        assert re.search(words, text), f"no /{words}/ in:\n{text[-4000:]}"
    assert re.search(r"#\d+ +\w+\+0x\w+/0x\w+", text), "no symbolised backtrace"
    assert "next" in text.lower(), "no next step"


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_mistake_leaves_a_working_system(fast, kind):
    text = fast.run(f"fault {kind}")
    for words in REFUSED[kind]:
        assert re.search(words, text), f"no /{words}/ in:\n{text[-3000:]}"
    assert "fail:0" in fast.run("selftest vmalloc")


@pytest.mark.parametrize("kind", ["guard", "wx"])
def test_page_fault_shows_the_page_table_chain(kind):
    with Machine(append="panic=exit") as machine:
        machine.boot()
        machine.send(f"fault {kind}\r")
        text = plain(machine.expect(EOF))
    for level in ("PGD", "PUD", "PMD"):
        assert re.search(rf"{level}\[ *\d+\] at 0x\w+ = 0x\w+", text), text[-3000:]


def test_every_kind_that_is_listed_is_tested(fast):
    listed = set(re.findall(r"^ +([a-z]+) +\S", fast.run("fault"), re.M))
    assert listed == set(FATAL) | set(REFUSED), listed ^ (set(FATAL) | set(REFUSED))


def test_panic_halts_without_the_option(fast):
    fast.send("fault null\r")
    fast.expect("NULL pointer")
    assert fast.process.poll() is None


def test_prompt_survives_a_report(fast):
    fast.send("fault double\r")
    assert "BUG:" in fast.expect(PROMPT)
