# SPDX-License-Identifier: MIT
"""Sessions at the shell: what a student types, what a cat on the keyboard types, and that nothing of it
loses memory or the prompt. `shell` compares pages, tables, areas and objects after every test."""
import re

import pytest
from machine import PROMPT, Machine, plain

pytestmark = pytest.mark.quick

ROW = re.compile(r"0x([0-9a-f]{16})-0x([0-9a-f]{16}) +(\d+[KMGTPE]) ")


def address_in(text):
    match = re.search(r"0xffffc9[0-9a-f]{10}", text)
    assert match, text
    return match[0]


def test_session(shell):
    assert "vmap" in shell.run("help")
    answer = shell.run("vmalloc 5p align=64K")
    address = address_in(answer)
    assert int(address, 16) % 0x10000 == 0
    assert re.search(rf"{address[2:]}-\w+ +20 KiB busy +5 vmalloc shell_vmalloc", shell.run("vmap list"))
    info = shell.run("vmallocinfo")
    assert re.search(rf"^{address}-0x[0-9a-f]{{16}} +24576 \S+\+0x\w+/0x\w+ pages=5 vmalloc N0=5$",
                     info, re.M), info
    walk = shell.run(f"pt {address}")
    assert re.search(r"^PTE +\d+  \w{16}  \w{16}  frame 0x\w+ kernel RW NX", walk, re.M), walk
    assert "allowed  read, write, no execute, kernel only" in walk
    what = shell.run(f"whatis {address}")
    assert "shell_vmalloc" in what and "vmalloc" in what, what
    assert "busy" in shell.run(f"vmap at {address}")
    shell.run(f"poke {address} 0x1122334455667788")
    assert "88 77 66 55 44 33 22 11" in shell.run(f"peek {address} 8")
    shell.run(f"vfree {address}")
    assert "freed by" in shell.run(f"vmap at {address}")
    check = shell.run("vmap check")
    for law in ("V1", "V2", "V3", "V4", "V5", "V6", "B1", "B2", "B3", "P1", "P2"):
        assert re.search(rf"^ +{law} +ok ", check, re.M), check
    assert "all invariants hold" in check


@pytest.mark.parametrize("command, words", [
    ("vmap", r"vmalloc region, 32 TiB"), ("vmap list all", r"^design freetree"),
    ("vmap tree", r"subtree_max_size"), ("vmap tree busy", r"busy tree"),
    ("vmap layout", r"^ffffc90000000000-ffffe8ffffffffff +32 TiB +vmalloc"),
    ("vmap stats", r"^fits +FL \d+"), ("vmap designs", r"^\* freetree +Linux 5\.2"),
    ("vmap purge", "lazy"), ("vmap check", "all invariants hold"), ("meminfo", r"^MemFree: +\d+ kB"),
    ("ptdump vmalloc", r"vmalloc\(\) Area"), ("log", "Vitrine"), ("log warn", ""), ("cpus", r"^features:"),
    ("help vmalloc", "^usage: vmalloc SIZE"), ("areas", "owns nothing"), ("fault", "uaf"),
    ("acpi", "APIC"), ("params", "vmap.check"), ("uptime", "TSC|HPET"), ("selftest list", "vmalloc"),
    ("echo a 'b  c'; echo d", "^a b  c\nd$"), ("columns", r"\d"), ("tlb-demo", ""), ("clear", "")])
def test_command_answers(shell, command, words):
    answer = shell.run(command)
    assert re.search(words, answer, re.M), answer
    if not command.startswith("log"):  # which remembers what other tests of this machine provoked
        assert "] BUG" not in answer and "PANIC" not in answer
    if not command.startswith("help"):
        assert "usage:" not in answer


def test_demo_runs_to_its_end(shell):
    answer = shell.run("vmap-demo")
    assert re.findall(r"^(\d)\. \S", answer, re.M) == list("1234567") and "BUG" not in answer, answer
    assert re.search(r"counted: [1-9] merges", answer), answer


def test_every_command_has_help(shell):
    names = re.findall(r"^  (\S+) +\S", shell.run("help"), re.M)
    assert len(names) > 25
    texts = {name: shell.run(f"help {name}") for name in names}
    for name, text in texts.items():
        assert text.startswith(f"usage: {name}"), name
    wide = [line for text in (shell.run("help"), shell.run("params"), *texts.values())
            for line in text.splitlines() if len(line) > 80]
    assert not wide, "wider than a terminal:\n" + "\n".join(wide)


# --- Linux's formats, to the column ------------------------------------------------------------------

def test_buddyinfo_format(shell):
    """fs/proc: "Node %d, zone %8s " and "%6lu " for each order."""
    line = shell.run("buddyinfo").strip("\n")
    assert re.fullmatch(r"Node 0, zone   Normal ( {0,5}\d+ ){11}", line), repr(line)


def test_meminfo_format(shell):
    for line in shell.run("meminfo").splitlines():
        assert not line or re.fullmatch(r"\w+: +\d+ kB", line), line


def test_slabinfo_format(shell):
    version, titles, *rows = shell.run("slabinfo").strip().splitlines()
    assert version == "slabinfo - version: 2.1"
    assert titles == ("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : "
                      "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
                      "<sharedavail>")
    for row in rows:
        assert re.fullmatch(r"\S+ +\d+ +\d+ +\d+ +\d+ +\d+ : tunables +0 +0 +0 : "
                            r"slabdata +\d+ +\d+ +0", row), row


def test_vmallocinfo_format(shell):
    shell.run("vmalloc 3p")
    rows = shell.run("vmallocinfo").strip().splitlines()
    shell.run("vfree all")
    assert len(rows) >= 3
    for row in rows:
        assert re.fullmatch(r"0x[0-9a-f]{16}-0x[0-9a-f]{16} +\d+( \S+\+0x\w+/0x\w+)?( pages=\d+)?"
                            r"( phys=0x\w+)?( ioremap)?( vmalloc)?( vmap)?( user)?( N0=\d+)?", row), row


def test_ptdump_format(shell):
    answer = shell.run("ptdump")
    rows = [line for line in answer.splitlines() if line.startswith("0x")]
    assert rows and "---[ vmalloc() Area ]---" in answer
    last = None
    for row in rows:
        match = ROW.match(row)
        assert match and re.search(r" (pgd|p4d|pud|pmd|pte)$", row), row
        assert last in (None, match[1]) or answer.index(row) > answer.index("---["), row
        last = match[2]
    assert "Checked W+X mappings: passed, no W+X pages found." in answer


# --- what must be refused ----------------------------------------------------------------------------

NO_NUMBER, RANGE, NOWHERE = "is not a number", "is out of range", "neither an address"


@pytest.mark.parametrize("line, words", [
    ("vmalloc", "usage:"), ("vmalloc 0", "0 bytes are no area"), ("vmalloc abc", NO_NUMBER),
    ("vmalloc 5p align=3", "not a power of two"), ("vmalloc 5p align=", NO_NUMBER),
    ("vmalloc 5p align=0", RANGE), ("vmalloc -1", NO_NUMBER), ("vmalloc 1e9", NO_NUMBER),
    ("vmalloc 0xffffffffffffffffff", RANGE), ("vmalloc 99999999999999999999p", RANGE),
    ("vmalloc 18446744073709551615", "returned NULL"), ("vmalloc 0xfffffffffffff000", "returned NULL"),
    ("vmalloc 32T", "returned NULL"), ("vmalloc 4503599627370496p", RANGE),
    ("vmalloc 1p align=64T", RANGE),
    ("vmalloc 1p bogus=1", "usage:|bogus"),
    ("vfree", "usage:"), ("vfree xyz", NOWHERE), ("vfree 0", "nothing of that kind has number 0"),
    ("vfree 0x1234567 force", "BUG: .*foreign address"), ("vfree -1", NOWHERE), ("pt", "usage:"),
    ("pt zzz", NOWHERE), ("pt 0x800000000000", "canonical"), ("pages 11", RANGE),
    ("pages -1", NO_NUMBER), ("free-pages 77", "nothing of that kind"), ("vmap nonsense", "usage:"),
    ("vmap check 7", RANGE), ("vmap at", "usage:"), ("vmap at 5", ""), ("fault nonsense", "no fault"),
    ("selftest nosuchsuite", "no suite or test"), ("nosuchcommand", "unknown command"),
    ("vmallco 5p", "vmalloc"), ("vmalloc 'unmatched", "unmatched ' quote"), ("peek 0", r"\?\?"),
    ("peek", "usage:"), ("peek 0xffffffffffffffff 64", "past the end of the address space"),
    ("poke", "usage:"),
    ("poke 0 1", ""), ("poke kernel_main 1", ""), ("vrealloc 1 2", "nothing of that kind"),
    ("kmalloc 0", ""), ("kmalloc 99999999999", ""), ("kfree 0x12345", ""), ("kfree 12345", ""),
    ("whatis", "usage:"), ("whatis 0x8000000000000000", "canonical"), ("log 99", "usage:"),
    ("repeat", "usage:"), ("repeat 0 echo x", ""), ("repeat -1 echo x", ""), ("columns 3", RANGE),
    ("help nosuchcommand", "nosuchcommand"), (" ".join(["echo"] + ["x"] * 400), "more words than a command may have"),
    ("ptdump nonsense", "usage:|nonsense"), (";;;", ""), ("echo \x00\x7f", "")])
def test_bad_arguments_are_refused(shell, line, words):
    answer = shell.run(line)
    assert re.search(words, answer), answer
    assert "PANIC" not in answer
    assert answer.strip() or line in (";;;", "repeat 0 echo x", "echo \x00\x7f"), "no answer at all"


def test_misuse_is_reported_and_survived(fast):
    before = fast.gauges()
    address = int(address_in(fast.run("vmalloc 4p")), 16)
    assert "not the start of an area" in fast.run(f"vfree {address + 4096:#x} force")
    assert "unaligned" in fast.run(f"vfree {address + 8:#x} force")
    assert "foreign" in fast.run("vfree 0xffffffff80100000 force")
    fast.run(f"vfree {address:#x}")
    answer = fast.run(f"vfree {address:#x} force")
    assert "double free" in answer and re.search(r"#\d+ +vfree\+", answer), answer
    assert fast.gauges() == before
    assert " fail:0 " in fast.run("selftest vmalloc")


def test_memory_exhausted_and_back(shell):
    answer = shell.run("vmalloc 1M count=1000")
    made = re.search(r"^(\d+) of 1000 areas allocated", answer, re.M)
    assert made and 100 < int(made[1]) < 128 and "returned NULL" in answer, answer
    while "64 of 64 areas" in (answer := shell.run("vmalloc 1p count=64")):
        assert "BUG" not in answer
    for command in ("vmap", "vmap tree", "vmallocinfo", "buddyinfo", "pt kernel_main", "areas"):
        answer = shell.run(command)
        assert answer.strip() and "BUG" not in answer and "PANIC" not in answer, answer
    assert "all invariants hold" in shell.run("vmap check")
    assert "areas freed" in shell.run("vfree all")
    assert "all invariants hold" in shell.run("vmap check")


# --- the line editor ---------------------------------------------------------------------------------

def test_line_of_ten_thousand_bytes(shell):
    shell.send("x" * 10000 + "\r")
    assert "longer than" in shell.expect(PROMPT)
    assert "MemTotal" in shell.run("meminfo")


def test_editing_history_and_completion(shell):
    for keys, words in [("meminfx\x7fo", "MemTotal"), ("\x1b[A", "MemTotal"), ("buddyi\t", "Normal"),
                        ("eminfo\x01m", "MemTotal"), ("echo b\x1b[D\x1b[Da \x05 c", "a  b c|a b c"),
                        ("junk\x15meminfo", "MemTotal"), ("echo one two\x17three", "one three"),
                        ("\x1b[A\x1b[A\x1b[B", "one three"), ("half a line\x03meminfo", "MemTotal")]:
        shell.send(keys + "\r")
        answer = shell.expect(PROMPT)
        if "\x03" in keys:
            answer = shell.expect(PROMPT)
        assert re.search(words, answer), (keys, answer)
    shell.send("vm\t\t")
    assert "vmap-demo" in shell.expect("vmap-demo") + "vmap-demo"
    shell.send("\x15\r")
    shell.wake()


# --- options that act on the shell, and the ways out -------------------------------------------------

def test_color_can_be_off():
    with Machine(append="color=off exec=vmap") as machine:
        machine.serial.expect(PROMPT)
        assert "\x1b[3" not in machine.serial.before and "busy" in machine.serial.before


@pytest.mark.parametrize("command, status", [("poweroff", 0), ("reboot", 0)])
def test_leaves_qemu(fast, command, status):
    fast.send(command + "\r")
    assert fast.rest()[1] == status


def test_exec_option_runs_commands():
    with Machine(append="exec=\"vmalloc 3p; vmap check; poweroff\"") as machine:
        text, status = machine.rest()
        assert "12 KiB, 3 pages" in plain(text) and "V1" in text and status == 0, text
