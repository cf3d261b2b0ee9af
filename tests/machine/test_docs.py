# SPDX-License-Identifier: MIT
"""The documentation cannot rot: its commands are executed and its captures compared.

In README.md and docs/*.md a fenced block says by its info string what it is:
    vitrine   typed at the kernel's shell, one machine per file, in order; a block that begins with
              `$ make fast APPEND='...'` has a machine of its own with that command line. What follows a
              command must appear in the answer, in this order; numbers and addresses may differ; a
              line `...` stands for any lines
    fatal     as vitrine, but the machine dies of the command: each gets one of its own
    trace     a machine whose event log goes to a file, and tools/trace on that: test_trace.py
    gdb       typed at (gdb) in a stopped kernel, compared in the same way; a line `$ make gdb` above
              them may give the kernel's command line (APPEND); `$ make gdb-reverse ... OP='...'` records
    sh        typed at the host's shell; every `$ command` must be one that COVERED names, with the
              test that runs it
"""
import glob
import os
import re

import pytest
from machine import ROOT, Machine, plain
from pexpect import EOF
from test_gdb import gdb

pytestmark = pytest.mark.quick

FILES = ["README.md", *sorted(os.path.relpath(path, ROOT) for path in
                              glob.glob(f"{ROOT}/docs/**/*.md", recursive=True))]
OWN_MACHINE = r"\$ make fast APPEND='([^']*)'\n"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

# Host commands that the documents show -> the test that executes the same thing.
COVERED = {
    r"\./setup( all)?": "test_tree.py::test_setup_is_idempotent",
    r"\./setup run": "test_tree.py::test_setup_run_reaches_the_prompt",
    r"\./setup test(-quick)?": "the run that you are in",
    r"git clone .*|cd vitrine": "CI starts from a clone",
    r"make (run|fast)( [A-Z]+=\S+| APPEND='[^']*')*": "test_tree.py::test_setup_run_reaches_the_prompt",
    r"make gdb-reverse( [A-Z]+=\S+| OP='[^']*')*": "test_gdb_time.py",
    r"make gdb( [A-Z]+=\S+| GDBFLAGS='[^']*')*": "test_gdb.py",
    r"make test(-quick)?( PYTESTFLAGS='[^']*')?": "the run that you are in",
    r"make (help|doctor|lint|format|clean)": "test_tree.py",
    r"make (iso|disk|host-tests|host-check)?": "test_boot.py, test_host.py",
    r"make (bench|bench-docs|bench bench-docs)": "test_bench.py: bench/run, bench/plot and bench/docs, on less",
    r"make bench-linux": "test_bench.py: all of bench/linux/run but the download and the boot",
    r"make planted|tests/planted/run --only \w+": "on demand; test_tree.py sees that every bug can still be planted",
    r"make profile( WORKLOAD=\S+| PROFILEFLAGS='[^']*')*": "test_bench.py::test_profile_adds_up",
    r"(VMAP_RANDOM_OPS=\d+ )?build/host/test_\w+": "test_host.py",
    r"tools/trace (info|story|replay|perfetto) .*": "test_trace.py",
}


def blocks(path, kind):
    with open(f"{ROOT}/{path}", encoding="utf-8") as file:
        return [body for name, body in BLOCK.findall(file.read()) if name == kind]


def steps(body, prompt):
    """[(command, [expected lines])]"""
    found = []
    for line in body.splitlines():
        if line.startswith(prompt):
            found.append((line[len(prompt):].split("   #")[0].strip(), []))
        elif found and line.strip() and line.strip() != "...":
            found[-1][1].append(line)
    return found


def shape(line):
    """A line without what differs from run to run: numbers, units, widths of columns and bars."""
    line = re.sub(r"^\w[\w ,]* \.\.\.(?=\w)", "", line)  # a progress line that was written over
    line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{12,16}\b", "#", line)
    line = re.sub(r"\d[\d,.]*", "#", line)
    line = re.sub(r"# ?(B|KiB|MiB|GiB|TiB|kB|us|ms|ns|s)\b", "#", line)
    line = re.sub(r"([░▒▓█▁▂▃▄▅▆▇─═━·.~])\1+", r"\1", line)
    line = re.sub(r"^[ ,`|│┌└─-]+([RB] #)", r"\1", line)  # branches of a tree: UTF-8 or ASCII
    return re.sub(r"\s+", " ", line).strip()


def assert_shown(expected, answer, command):
    have = [shape(line) for line in answer.splitlines()]
    at = 0
    for line in expected:
        want = shape(line)
        assert want in have[at:], f"`{command}` no longer prints:\n  {line}\nbut:\n{answer}"
        at += have[at:].index(want) + 1


def type_all(machine, bodies):
    machine.boot()
    for body in bodies:
        for command, expected in steps(body, "vitrine> "):
            assert_shown(expected, machine.run(command), command)


@pytest.mark.parametrize("path", [path for path in FILES if blocks(path, "vitrine")])
def test_shell_captures(path):
    own = [(re.match(OWN_MACHINE, body), body) for body in blocks(path, "vitrine")]
    with Machine(boot="iso" if path == "README.md" else "fast") as machine:
        type_all(machine, [body for boot, body in own if not boot])
    for boot, body in own:
        if boot:
            with Machine(append=boot[1]) as machine:
                type_all(machine, [body])


@pytest.mark.parametrize("path", [path for path in FILES if blocks(path, "fatal")])
def test_fatal_captures(path):
    for body in blocks(path, "fatal"):
        for command, expected in steps(body, "vitrine> "):
            with Machine(append="panic=exit") as machine:
                machine.boot()
                machine.send(command + "\r")
                assert_shown(expected, plain(machine.expect(EOF)), command)


@pytest.mark.xdist_group("make")
@pytest.mark.parametrize("path", [path for path in FILES if blocks(path, "gdb")
                                  and not path.startswith("docs/tours/")])  # those: test_tours.py
def test_gdb_captures(path, tmp_path):
    for number, body in enumerate(blocks(path, "gdb")):
        commands = steps(body, "(gdb) ")
        script = tmp_path / f"{number}.gdb"  # a file, so that neither make nor the shell reads `$`
        script.write_text("".join(f"{command}\n" for command, _ in commands))
        append = re.search(r"^\$ make gdb.* APPEND='([^']*)'", body, re.M)
        recorded = re.search(r"^\$ make gdb-reverse.* OP='([^']*)'", body, re.M)
        answer = gdb(f"source {script}", append=append[1] if append else "",
                     **({"target": "gdb-reverse", "OP": recorded[1]} if recorded else {}))
        for command, expected in commands:
            assert_shown(expected, answer, command)


@pytest.mark.parametrize("path", FILES)
def test_host_commands_are_covered(path):
    for body in blocks(path, "sh"):
        for line in body.splitlines():
            if line.startswith("$ "):
                command = line[2:].split("   #")[0].strip()
                assert any(re.fullmatch(pattern, command) for pattern in COVERED), \
                    f"{path} shows `{command}`: name the test that runs it in COVERED"


@pytest.mark.parametrize("path", FILES)
def test_links_lead_somewhere(path):
    with open(f"{ROOT}/{path}", encoding="utf-8") as file:
        text = file.read()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)), f"{path}: {target}"
