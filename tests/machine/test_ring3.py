# SPDX-License-Identifier: MIT
"""What lies between a program and the kernel: the same promises as Linux's, NMIs at any instruction of the way in and
out, processors with and without XSAVE and SMAP, and processes as the kernel's own shell sees them."""
import os
import re
import subprocess
import sys

import pytest
from machine import BUILD, HANG, ROOT, Machine

NMIS = 400


def promises(text):
    """The lines of `abi` without what the kernel says in between."""
    return [line for line in text.replace("\r", "").split("\n") if re.match(r"\S.{33} ", line) and line[0] != "["
            and not re.match(r"\d+ \(abi\)", line)]


@pytest.mark.quick
@pytest.mark.parametrize("cpu", ["max", "qemu64", "Nehalem", "Haswell"])
@pytest.mark.parametrize("flavour", ["og", "o2"])
def test_promises_are_linuxs(cpu, flavour):
    """The same binary says the same on this machine's Linux and on Vitrine."""
    program = os.path.abspath(f"{BUILD}/user/abi")
    linux = subprocess.run([program], capture_output=True, text=True, check=True, timeout=HANG).stdout
    with Machine(cpu=cpu, flavour=flavour) as machine:
        machine.boot()
        assert promises(machine.run("run abi")) == promises(linux)
        assert len(promises(linux)) > 60


def test_nmi_at_any_instruction_of_a_call():
    """With the program's GS and the kernel's code, on the kernel's stack or still on the program's: NMIs are counted."""
    with Machine(flavour="o2") as machine:
        machine.boot()
        machine.run("run hello")
        machine.send("run sh -c 'while :; do :; done' &\r")
        machine.send("run ubench 16; run ubench 16; run ubench 16; run ubench 16\r")
        for _ in range(NMIS):
            machine.qmp("inject-nmi")
        machine.wake()
        counted = int(re.search(r"online +\d+ +(\d+)", machine.run("cpus"))[1])
        assert 0 < counted <= NMIS
        assert "MemTotal" in machine.run("meminfo")


@pytest.mark.quick
def test_processes_from_the_kernels_shell():
    with Machine() as machine:
        machine.boot()
        assert "no processes" in machine.run("ps")
        assert "EINVAL" not in machine.run("run sleep 1000 &")
        pid = re.search(r"^ *(\d+) .* sleep$", machine.run("ps"), re.M)[1]
        assert any(re.search(rf"^ *{pid} +0 .* sleeps +time ", machine.run("ps"), re.M) for _ in range(100))
        assert re.search(r"^7f\S+ rw-p .*\[stack\]", machine.run(f"maps {pid}"), re.M)
        assert "usage" in machine.run("kill").lower()
        assert "no process 77" in machine.run("kill 77")
        machine.run(f"kill {pid} STOP")
        assert any(re.search(rf"^ *{pid} .* stopped ", machine.run("ps"), re.M) for _ in range(100))
        machine.run(f"kill {pid} KILL")
        assert any("no processes" in machine.run("ps") for _ in range(100))


@pytest.mark.quick
def test_exit_status_is_told():
    with Machine() as machine:
        machine.boot()
        assert "false: exit status 1" in machine.run("run false")
        assert "ended by SIGKILL" in machine.run("run sh -c 'kill -9 $$'")
        assert "ENOENT" in machine.run("run no-such-program")
        assert "EACCES" in machine.run("run /tmp")


@pytest.mark.quick
def test_strace_is_straces_format():
    with Machine(append="strace=1") as machine:
        machine.boot()
        said = machine.run("run sh -c 'echo hi > /tmp/a; sleep 0.01 & kill -9 $!; wait; rm /tmp/a; cat /tmp/a'")
    for line in (r'openat\(AT_FDCWD, "/tmp/a", O_WRONLY\|O_CREAT\|O_TRUNC, 0666\) += \d+', r'write\(1, "hi\\n", 3\) += 3',
                 r"clone\(CLONE_CHILD_CLEARTID\|CLONE_CHILD_SETTID\|SIGCHLD, NULL, .*\) += \d+", r"--- SIGCHLD ---",
                 r"kill\(\d+, SIGKILL\) += 0", r"\+\+\+ killed by SIGKILL \+\+\+", r"brk\(NULL\) += 0x[0-9a-f]+",
                 r'openat\(AT_FDCWD, "/tmp/a", O_RDONLY, 0\) += -1 ENOENT', r"\+\+\+ exited with 1 \+\+\+"):
        assert re.search(rf"^\d+ {line}\r*$", said, re.M), f"{line}\n{said}"


SOURCE = """#include <stdio.h>
static int answer = 42, *pointer = &answer;
int main(int argc, char **argv) { printf("%d %s %.1f\\n", *pointer, argv[argc - 1], argc / 2.0); return 7; }
"""


def test_static_pie_and_other_c_libraries(tmp_path):
    """glibc's start-up code, relocations at an address that the kernel chose; and a dynamic program, which is refused."""
    (tmp_path / "a.c").write_text(SOURCE)
    programs = {"pie": ["-static-pie"], "static": ["-static"], "dynamic": []}
    for name, options in programs.items():
        built = subprocess.run(["gcc", "-O1", *options, "-o", str(tmp_path / name), str(tmp_path / "a.c")],
                               capture_output=True, text=True, check=False)
        if built.returncode:
            pytest.skip(f"no {name} program can be made here: {built.stderr}")
    subprocess.run([sys.executable, f"{ROOT}/tools/mkrootfs", "--output", str(tmp_path / "rootfs"),
                    *(str(tmp_path / name) for name in programs)], check=True)
    with Machine(rootfs=str(tmp_path / "rootfs"), mem="256M") as machine:
        machine.boot()
        for name in ("pie", "static"):
            answer = machine.run(f"run {name} last")
            assert "42 last 1.0" in answer and f"{name}: exit status 7" in answer, answer
        assert re.search("ENOEXEC(.*\\n)+.*interpreter", machine.run("run dynamic"))


@pytest.mark.quick
@pytest.mark.parametrize("cpu", ["max", "qemu64"])
def test_the_kernel_keeps_its_addresses_to_itself(cpu):
    with Machine(cpu=cpu, mem="256M") as machine:
        machine.boot()
        machine.run("run thrash 8 2")  # frames that others have filled
        answer = machine.run("run leaks")
        assert "0 places told something" in answer and "exit status" not in answer, answer
