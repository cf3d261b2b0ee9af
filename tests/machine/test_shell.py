# SPDX-License-Identifier: MIT
"""A scripted session at the shell: what a student types, what a cat on the keyboard types, and that
nothing of it loses memory or the prompt."""
import random
import re

import pytest
from machine import PROMPT, Machine, plain

pytestmark = pytest.mark.quick


def address_in(text):
    match = re.search(r"0xffffc9[0-9a-f]{10}", text)
    assert match, text
    return match[0]


def test_session(fast):
    assert "vmap" in fast.run("help")
    assert "freetree" in fast.run("vmap designs")
    answer = fast.run("vmalloc 5p align=64K")
    address = address_in(answer)
    assert int(address, 16) % 0x10000 == 0
    assert address[2:] in fast.run("vmap list")
    info = fast.run("vmallocinfo")
    assert re.search(rf"^{address}-0x[0-9a-f]{{16}} +24576 \S+\+0x\w+/0x\w+ pages=5 vmalloc",
                     info, re.M), info
    assert "PTE" in fast.run(f"pt {address}")
    assert "vmalloc" in fast.run(f"whatis {address}")
    fast.run(f"vfree {address}")
    assert address not in re.sub(r".*unpurged.*", "", fast.run("vmallocinfo"))
    for number in range(1, 7):
        assert f"V{number}" in fast.run("vmap check")


@pytest.mark.parametrize("command", ["vmap", "vmap list", "vmap tree", "vmap tree busy", "vmap layout",
                                     "vmap stats", "buddyinfo", "meminfo", "slabinfo", "vmallocinfo",
                                     "ptdump", "ptdump vmalloc", "log", "cpus", "help", "vmap-demo",
                                     "areas", "fault"])
def test_command_answers(fast, command):
    answer = fast.run(command)
    assert answer.strip() and "usage:" not in answer and "unknown" not in answer


def test_buddyinfo_format(fast):
    line = plain(fast.run("buddyinfo")).strip("\n")
    assert re.fullmatch(r"Node 0, zone +Normal( +\d+){11} ?", line), line


def test_ptdump_format(fast):
    answer = fast.run("ptdump")
    rows = [line for line in answer.splitlines() if line.startswith("0x")]
    assert rows and "---[ vmalloc() Area ]---" in answer
    for row in rows:
        assert re.match(r"0x[0-9a-f]{16}-0x[0-9a-f]{16} +\d+[KMGTPE] ", row), row
        assert re.search(r" (pgd|p4d|pud|pmd|pte)$", row), row
    assert "Checked W+X mappings: passed, no W+X pages found." in answer


@pytest.mark.parametrize("line", [
    "vmalloc", "vmalloc 0", "vmalloc abc", "vmalloc 5p align=3", "vmalloc 5p align=", "vmalloc -1",
    "vmalloc 0xffffffffffffffffff", "vmalloc 18446744073709551615", "vmalloc 99999999999999999999p",
    "vfree", "vfree xyz", "vfree 0", "vfree 0x1234567", "pt", "pt zzz", "pages 11", "pages -1",
    "vmap nonsense", "vmap check 7", "fault nonsense", "selftest nosuchsuite", "nosuchcommand",
    "vmalloc 'unmatched", "peek 0", "peek", "poke", "vrealloc 1 2", "kfree 12345"])
def test_bad_arguments_are_refused(fast, line):
    before = fast.run("meminfo")
    answer = fast.run(line)
    assert answer.strip(), f"{line}: no answer at all"
    assert "PANIC" not in answer
    free = r"MemFree: +(\d+)"
    assert abs(int(re.search(free, fast.run("meminfo"))[1]) - int(re.search(free, before)[1])) < 256


def test_misuse_is_reported_and_survived(fast):
    address = address_in(fast.run("vmalloc 4p"))
    inside = hex(int(address, 16) + 4096)
    assert "not the start of an area" in fast.run(f"vfree {inside}")
    assert "unaligned" in fast.run(f"vfree {hex(int(address, 16) + 8)}")
    assert "foreign" in fast.run("vfree 0xffffffff80100000")
    fast.run(f"vfree {address}")
    answer = fast.run(f"vfree {address}")
    assert "double free" in answer and "vfree_from" in answer or "backtrace" in answer.lower()
    assert "fail:0" in fast.run("selftest vmalloc")


def test_line_of_ten_thousand_bytes(fast):
    fast.send("x" * 10000 + "\r")
    assert "longer than" in fast.expect(PROMPT)
    assert "MemTotal" in fast.run("meminfo")


def test_binary_garbage(fast):
    noise = random.Random(1)
    fast.send(bytes(noise.randrange(256) for _ in range(20000)))
    fast.send("\x03\r")
    fast.expect(PROMPT)
    fast.send("\x15\r")
    assert "MemTotal" in fast.expect("MemTotal|" + PROMPT) or "MemTotal" in fast.run("meminfo") \
        or "MemTotal" in fast.run("meminfo")


def test_editing_history_and_completion(fast):
    fast.send("meminfx\x7fo\r")
    assert "MemTotal" in fast.expect(PROMPT)
    fast.send("\x1b[A\r")
    assert "MemTotal" in fast.expect(PROMPT)
    fast.send("buddyi\t\r")
    assert "Normal" in fast.expect(PROMPT)


def test_memory_exhausted_and_back(fast):
    free = r"MemFree: +(\d+)"
    fast.run("vmalloc 1p")
    fast.run("vfree all")
    fast.run("vmap purge")
    before = int(re.search(free, fast.run("meminfo"))[1])
    answer = fast.run("vmalloc 1M count=1000")
    assert re.search(r"fail|no memory|NULL|out of memory", answer, re.I), answer[-500:]
    assert "MemTotal" in fast.run("meminfo")
    fast.run("vfree all")
    fast.run("vmap purge")
    after = int(re.search(free, fast.run("meminfo"))[1])
    assert abs(before - after) < 1024, (before, after)


@pytest.mark.parametrize("command, status", [("poweroff", 0)])
def test_poweroff(command, status):
    with Machine() as machine:
        machine.boot()
        machine.send(command + "\r")
        assert machine.rest()[1] == status


def test_exec_option_runs_commands():
    with Machine(append="exec=\"vmalloc 3p; vmap check; poweroff\"") as machine:
        text, status = machine.rest()
        assert "V1" in text and status == 0
