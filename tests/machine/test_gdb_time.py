# SPDX-License-Identifier: MIT
"""`make gdb-reverse`, scripted: a planted corruption found backwards, `back` and `forth` by operations and by
events, a hundred reverse commands, sessions side by side and one after another, and what happens when QEMU
dies or the disk for checkpoints is full. VITRINE_SESSIONS=100 runs as many sessions in a row."""
import json
import os
import re
import subprocess

import pexpect
import pytest
from machine import HANG, O, ROOT, environment
from test_gdb import gdb

pytestmark = pytest.mark.xdist_group("gdb time")

HOLES = "vmalloc 1p count=12; vfree 2 4 6 8 10; vmap purge"
LEAF = "0xffffc90000002000"  # a free range of two pages, too small for what follows
MANY, SIZES = 450, range(10, 60)
SESSIONS = int(os.environ.get("VITRINE_SESSIONS", "2"))
UNTIDY = ("Traceback", "Python Exception", "Error while executing")


def facts(text, word):
    return [json.loads(line[len(word) + 1:]) for line in text.splitlines() if line.startswith(f"{word} {{")]


def reverse(*commands, **variables):
    text = gdb(*commands, target="gdb-reverse", **variables)
    assert "Recorded: " in text, text
    return text


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A run whose first free leaf loses its subtree_max_size, 500 operations before the end; and what one GDB
    session on it had to say."""
    where = gdb("break boot_actions_run", "continue", "continue", "break editor_start", "continue",
                f"print/x (long)&$vmap_area({LEAF})->subtree_max_size", append=f'trace=on exec="{HOLES}"')
    address = re.search(r"^\$1 = (0x[0-9a-f]+)$", where, re.M)[1]
    script = tmp_path_factory.mktemp("record") / "script"
    script.write_text(f"{HOLES}\npoke {address} 4096\nvmalloc 9p count={MANY}\n" +
                      "".join(f"vmalloc {pages}p\n" for pages in SIZES))
    os.environ["VITRINE_TASKS"] = "back events reverse"
    return reverse("set time-limit 250", "vmap check", f"last-write $vmap_area({LEAF})->subtree_max_size", "now", "stepi", "vmap check",
                   f"source {ROOT}/tests/machine/gdb_back.py", "info breakpoints", SCRIPT=script)


def test_last_write_finds_a_planted_corruption(recording):
    assert re.search(r"V3  BROKEN .*\n +\[0xffffc90000002000, .* stores 0x1000, its subtree has 0x2000", recording)
    assert re.search(r"subtree_max_size at 0x\w+: 8192 -> 4096\n.*during `poke 0x\w+ 4096`", recording), recording
    assert re.search(r"poke_run \(.*\n\d+\t +\*\(volatile u64 \*\)address = value;", recording), recording
    assert len(re.findall("V3  BROKEN", recording)) == 2, "before, and right after the write"


def test_back_lands_on_each_operation(recording):
    """Fifty times, from the end: against the kernel's own counts and the arguments of the call."""
    end, stands = facts(recording, "end")[0], facts(recording, "back")
    assert len(stands) == len(SIZES)
    for number, (stand, pages) in enumerate(zip(stands, reversed(SIZES)), 1):
        assert stand["function"] == "vmalloc_range" and stand["size"] == pages * 4096, stand
        assert stand["operations"] == end["operations"] - number, stand
        assert stand["allocs"] == end["allocs"] - number, stand


def test_forth_goes_through_the_events_of_an_operation(recording):
    """The same steps as the kernel's log has in the end, each at its line in the source."""
    told = re.findall(r"^ +\d+ +([A-Z_]+) +(.*)$", facts(recording, "told")[0]["said"], re.M)
    stops = facts(recording, "event")
    assert len(told) > 10 and len(stops) == len(told), (told, stops)
    for (name, sentence), stop in zip(told, stops):
        assert f"comes now:  {name}  {sentence}\n" in stop["said"], (name, sentence, stop)
        assert re.search(r"^\d+\t.*(EVENT|STEP|event|tell)\w*\(", stop["line"], re.M | re.I), (name, stop["line"])


def test_a_hundred_reverse_commands(recording):
    """None hangs (each has a bound), each goes back, the commands of time travel as well."""
    steps = facts(recording, "reverse")
    assert len(steps) == 100
    for step in steps:
        gone = step["before"] - step["after"]
        # between the lines of inlined calls GDB steps without an instruction
        assert gone < 0 if step["command"].startswith("forth") else gone >= (step["command"] != "reverse-step"), step
        assert "not finished" not in step["said"] and "interrupted" not in step["said"], step
    assert "No breakpoints or watchpoints." in recording, "the package left a breakpoint behind"
    assert not any(words in recording for words in UNTIDY), recording


@pytest.mark.parametrize("number", range(SESSIONS))
def test_sessions_in_a_row(number):
    text = reverse("back", "reverse-stepi", "break vmap_space_alloc", "reverse-continue", "delete",
                   "watch kernel_vmalloc.space.stats.allocs", "reverse-continue", "delete", "reverse-next", "now",
                   "goto end", "back", "forth event 3", "last-write kernel_vmalloc.space.stats.allocs",
                   OP=f"vmalloc {number + 1}p", flavour="o2" if number % 2 else "og")
    for words in (r"^Breakpoint 1(\.\d+)?, (0x\w+ in )?vmap_space_alloc", r"wrote to what is watched \(",
                  r"^instruction [\d,]+ of ", r"comes now:  VISIT", r"stats\.allocs at 0x\w+: \d+ -> \d+"):
        assert re.search(words, text, re.M), f"no {words} in {text}"
    assert not any(words in text for words in UNTIDY), text


def test_the_end_and_commands_cut_short(monkeypatch):
    """From the end all of GDB's reverse commands lead away; Ctrl-C ends a command, and the same one again goes on."""
    monkeypatch.setenv("VITRINE_TASKS", "edges")
    text = reverse(f"source {ROOT}/tests/machine/gdb_back.py", OP="vmalloc 3p")
    for stop in facts(text, "leave"):
        back = stop["command"].startswith("reverse")
        assert (stop["gone"] > 0) == back and ("end of the recording" in stop["said"]) == (not back), stop
    cut, again, goto, register = (facts(text, word)[0] for word in ("cut", "again", "goto", "register"))
    assert "after Ctrl-C" in cut["said"] and cut["at"] == cut["end"] and 20 < cut["known"] < 30, cut
    assert again["at"] == again["wanted"] and again["same"], again
    assert goto["at"] == goto["wanted"], goto
    assert "size is not in memory" in register["said"], register
    assert facts(text, "watch")[0]["said"].count("wrote to what is watched (kernel_vmalloc.space.stats.allocs)") == 1, text
    assert re.search(r"^Hardware watchpoint 1: .*\n\nOld value = 15\nNew value = 16\n", text, re.M), text
    assert not any(words in text for words in UNTIDY), text


@pytest.mark.parametrize("last, commands", [("done", 3), ("poweroff", 4)])
def test_a_recording_typed_by_hand(last, commands):
    """Ctrl-C at our prompt forgets the line; it does not reach the kernel, whose answers would be one behind. A
    machine that turned itself off has a replay all the same."""
    with pexpect.spawn("make", [f"O={O}", "gdb-reverse", "BOOT=fast", "GDBFLAGS=-batch -ex console"], cwd=ROOT,
                       timeout=HANG, encoding="utf-8", env=environment(TERM="dumb")) as child:
        child.expect("opens GDB on the replay")
        child.expect_exact("vitrine> ")
        child.send("vmalloc 9p")
        child.expect_exact("vmalloc 9p")
        child.sendintr()
        for command, answer in (("vmalloc 3p", "3 pages and a guard"), ("areas", "vmalloc  0x"),
                                ("vfree 1", "freed; ")):
            child.expect_exact("vitrine> ")
            child.sendline(command)
            child.expect_exact(answer)
        child.expect_exact("vitrine> ")
        child.sendline(last)
        child.expect_exact(f", {commands} shell commands")
        child.expect(pexpect.EOF)
        assert "9p" not in child.before, child.before


def test_two_sessions_side_by_side():
    processes = [subprocess.Popen(
        ["make", f"O={O}", "gdb", "BOOT=fast", f"OP=vmalloc {pages}p",
         "GDBFLAGS=-batch -ex 'print size' -ex 'console 1' -ex 'shell sleep 1' -ex 'print size' -ex 'info source'"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
        for pages in (3, 5)]
    try:
        answers = [process.communicate(timeout=HANG)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for pages, answer in zip((3, 5), answers):
        for wanted in (f"$1 = {pages * 4096}", f"vitrine> vmalloc {pages}p", f"$2 = {pages * 4096}", "mm/vmalloc.c"):
            assert wanted in answer, answer


def test_an_editor_over_mi():
    """tools/gdb-mi, which .vscode/launch.json names: MI on stdin and stdout, nothing else on them."""
    steps = ["-break-insert shell_run", "-exec-continue", "-exec-continue", "-stack-list-frames",
             '-interpreter-exec console "vmap check"', "-gdb-exit"]
    process = subprocess.Popen([f"{ROOT}/tools/gdb-mi", "--interpreter=mi"], stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    try:
        said = []
        for step in steps:
            process.stdin.write(step + "\n")
            process.stdin.flush()
            wanted = "*stopped" if "continue" in step else "^exit" if "exit" in step else "^done"
            while True:
                line = process.stdout.readline()
                assert line, f"GDB ended at {step}:\n{''.join(said)}"
                said.append(line)
                if line.startswith(wanted) and "0x000000000000fff0" not in line:
                    break
    finally:
        process.stdin.close()
        process.wait(HANG)
        process.stdout.close()
    text = "".join(said)
    assert 'func="shell_run"' in text and 'fullname="' in text and "  V6  " in text, text
    assert all(line[0] in "*=~^&@(" for line in said), text


# Ends the QEMU of this very session: the one that has its disk for snapshots open.
KILL_QEMU = """python
import glob, json, os, signal
disk = json.loads(os.environ["VITRINE_SESSION"])["snapshots"].encode()
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        command = open(path, "rb").read()
    except OSError:  # ended meanwhile
        continue
    if command.startswith(b"qemu-system") and disk in command:
        os.kill(int(path.split("/")[2]), signal.SIGKILL)
end
"""


@pytest.mark.parametrize("target", ["gdb", "gdb-reverse"])
def test_qemu_killed_under_gdb(target, tmp_path):
    script = tmp_path / "kill.gdb"
    asked = ["vmap", "now", "back", "goto 3", "vmap check", "buddy", "checkpoint", "checkpoints", "rewind c1",
             "last-write kernel_vmalloc.ready", "operation vmalloc 3p", "step-alloc", "trace show", "cpus"]
    script.write_text(KILL_QEMU + "".join(f"echo asked {command}\\n\n{command}\n" for command in asked))
    text = gdb(f"source {script}", "print 40 + 2", "console 1", target=target, OP="vmalloc 3p")
    answers = re.split(r"^asked .*$", text, flags=re.M)[1:]
    assert len(answers) == len(asked) and "$1 = 42" in text, text
    for command, answer in zip(asked, answers):
        assert "no machine is there: QEMU has ended" in answer, f"`{command}`\n{text}"
    assert not any(words in text for words in UNTIDY), text


def test_a_full_disk_for_checkpoints():
    """A limit on the size of files, as a full disk answers a write."""
    text = subprocess.run(
        ["sh", "-c", f"ulimit -f {12 << 10}; exec make O={O} gdb-reverse BOOT=fast OP='vmalloc 3p' GDBFLAGS=\"-batch "
         "-ex 'checkpoint a' -ex 'checkpoint b' -ex 'checkpoint c' -ex 'checkpoint d' -ex now -ex back "
         "-ex 'reverse-stepi' -ex 'checkpoints' -ex 'vmap check'\""],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False, env=environment()).stdout
    assert len(re.findall(r"no checkpoint was made: .*\n?.*The disk is full: `checkpoint delete NAME`", text)) >= 2, text
    assert re.search(r"^instruction [\d,]+ of ", text, re.M) and "V6  ok" in text, text
    assert not any(words in text for words in UNTIDY), text
