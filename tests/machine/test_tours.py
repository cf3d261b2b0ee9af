# SPDX-License-Identifier: MIT
"""docs/tours/*.md, typed word for word. The `gdb` blocks of a tour are sessions: one that begins with
`$ make gdb ...` or `$ make gdb-reverse ...` starts a session, those that follow go on in it. What is
printed below a command must be all that the command answers, except where a line `...` stands for some.

Compared are words, vmalloc addresses, sizes, orders, counts and invariants. Not compared is what another
compiler or boot path changes: line numbers, addresses of code and data, frames, instruction counts, times.
"""
import json
import os
import re

import pytest
from machine import ROOT, make
from test_docs import FILES, blocks

pytestmark = pytest.mark.xdist_group("make")

TOURS = [path for path in FILES if path.startswith("docs/tours/") and not path.endswith("README.md")]
START = re.compile(r"^\$ make (gdb|gdb-reverse)((?: [A-Z]+=(?:'[^']*'|\S*))*)$")
OPTION = re.compile(r"([A-Z]+)=(?:'([^']*)'|(\S*))")
MARK = "@@ "
TROUBLE = ("Traceback", "g' packet", "Python Exception", "Undefined command")

# Runs in GDB: types the commands, a mark before the answer of each. A command that fails says so and the
# session goes on, as it does for somebody who types.
DRIVER = """
import gdb, json
for number, command in enumerate(json.load(open({path!r}))):
    gdb.write("\\n%s%d\\n" % ({mark!r}, number))
    try:
        gdb.execute(command, True)
    except gdb.error as error:
        gdb.write("%s\\n" % error)
gdb.write("\\n%send\\n" % {mark!r})
"""


def sessions(path):
    """[(target, {make variable: value}, [(command, [expected lines])])]"""
    found = []
    for body in blocks(path, "gdb"):
        for line in body.splitlines():
            start = START.match(line)
            if start:
                options = {name: quoted or word for name, quoted, word in OPTION.findall(start[2])}
                found.append((start[1], options, []))
            elif line.startswith("(gdb) "):
                found[-1][2].append((line[len("(gdb) "):].split("   #")[0].strip(), []))
            elif line.strip():
                found[-1][2][-1][1].append(line)
    return found


def shape(line):
    """A line without what a compiler, a boot path or the clock decides."""
    line = re.sub(r"0x(?!ffff[ce]9)[0-9a-f]{6,16}\b|\b(?!ffff[ce]9)[0-9a-f]{16}\b", "#", line)
    line = re.sub(r"((?:frame|physical|table at|page at|block|pfn|page)  *)0x[0-9a-f]+", r"\1#", line)
    line = re.sub(r"\+0x[0-9a-f]+(/0x[0-9a-f]+)?", "+#", line)
    line = re.sub(r"(\.(?:c|h|asm):)\d+", r"\1#", line)
    line = re.sub(r"^\d+\t", "#\t", line)
    line = re.sub(r"(Breakpoint) \d[\d.]*", r"\1 #", line)
    line = re.sub(r"(instruction) [\d,]+|\b[\d,]+ (instructions?)\b", r"\1\2 #", line)
    line = re.sub(r"\b[\d.,]+ (s|ms|us|ns)\b", r"# \1", line)
    return re.sub(r"\s+", " ", line).strip()


def type_session(target, options, commands, directory, boot):
    """The answers of the commands, one text each."""
    path, driver = directory / "commands.json", directory / "driver.py"
    path.write_text(json.dumps(commands))
    driver.write_text(DRIVER.format(path=str(path), mark=MARK))
    text = make(target, *(f"{name}={value}" for name, value in {**options, "BOOT": boot}.items()),
                f"GDBFLAGS=-batch -x {driver}")
    for trouble in TROUBLE:
        assert trouble not in text, text
    answers = re.split(rf"^{MARK}(?:\d+|end)\n", text, flags=re.M)
    assert len(answers) == len(commands) + 2, text
    return answers[1:-1]


def compare(command, expected, answer):
    """Line for line; `...` in the document stands for any lines, of which there may be none."""
    want = [shape(line) for line in expected]
    have = [shape(line) for line in answer.splitlines() if line.strip()]
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in want)
    assert re.fullmatch(pattern, "".join(f"{line}\n" for line in have)), (
        f"`{command}` answers\n{answer}\nthe tour says\n" + "\n".join(expected) +
        f"\n\ncompared were\n{have}\n{want}")


@pytest.mark.parametrize("boot", ["fast", "iso"])
@pytest.mark.parametrize("path", TOURS)
def test_tour(path, boot, tmp_path):
    for number, (target, options, typed) in enumerate(sessions(path)):
        directory = tmp_path / str(number)
        directory.mkdir()
        answers = type_session(target, options, [command for command, _ in typed], directory, boot)
        for (command, expected), answer in zip(typed, answers):
            compare(command, expected, answer)


@pytest.mark.parametrize("path", TOURS)
def test_a_tour_is_complete(path):
    """Each has a drawing, an end that says what was seen, and something to do; the index links to it."""
    with open(f"{ROOT}/{path}", encoding="utf-8") as file:
        text = file.read()
    assert len(sessions(path)) >= 1 and "```\n" in text
    assert "\n## What you have seen\n" in text and "\n## Exercises\n" in text
    with open(f"{ROOT}/docs/tours/README.md", encoding="utf-8") as file:
        assert f"({os.path.basename(path)})" in file.read()


def test_the_comparison_is_strict():
    """Words, vmalloc addresses and numbers count; what a compiler decides does not."""
    compare("x", ["B 0xffffc9000001f000 4 KiB", "...", "V3 BROKEN"],
            "B 0xffffc9000001f000   4 KiB\nanything\nV3 BROKEN\n")
    compare("x", ["Breakpoint 3.1, f (...) at mm/vmalloc.c:51", "51\t{", "#1 0xffffffff80123456 in g"],
            "Breakpoint 2, f (...) at mm/vmalloc.c:57\n57\t{\n#1 0xffffffff80654321 in g\n")
    for want, have in (("V3 BROKEN", "V3 ok"), ("4 KiB", "8 KiB"), ("order 3", "order 4"),
                       ("[0xffffc90000004000", "[0xffffc90000005000"), ("a", "a\nb"), ("a\n...\nb", "a"),
                       ("51\tx = 1;", "51\tx = 2;")):
        with pytest.raises(AssertionError):
            compare("x", want.splitlines(), have)
