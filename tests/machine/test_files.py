# SPDX-License-Identifier: MIT
"""The files of ring 3, whole machine: damaged archives at boot, the tree from the kernel shell, the console between the
kernel shell and programs, a file system that is full, /proc while processes come and go."""
import os
import re
import stat
import subprocess

import pytest
from machine import BUILD, PROMPT, Machine, differences
from test_user import ASH, Ash

pytestmark = pytest.mark.xdist_group("files")


def entry(name, mode, content=b"", size=None):
    """One member of a newc archive."""
    fields = (1, mode, 0, 0, 1, 0, len(content) if size is None else size, 0, 0, 0, 0, len(name) + 1, 0)
    out = b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
    out += b"\0" * (-len(out) % 4) + content
    return out + b"\0" * (-len(content) % 4)


DIR, FILE, TRAILER = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755, entry(b"TRAILER!!!", 0)
HELLO = entry(b"bin", DIR) + entry(b"bin/hello", FILE, b"not a program")
DAMAGED = {
    "no archive at all": (b"\x7fELF" * 100, 0, "no header"),
    "cut in a header": (HELLO + TRAILER[:60], len(HELLO), "cut off"),
    "no trailer": (HELLO, len(HELLO), "no trailer"),
    "larger than it is": (HELLO + entry(b"x", FILE, b"", 0xffffffff) + TRAILER, len(HELLO), "cut off"),
    "out of the root": (HELLO + entry(b"../x", FILE) + TRAILER, len(HELLO), "leaves its directory"),
    "in a file": (HELLO + entry(b"bin/hello/x", FILE) + TRAILER, len(HELLO), "no directory"),
    "in nothing": (HELLO + entry(b"a/b", FILE) + TRAILER, len(HELLO), "is not there"),
    "a file on a directory": (HELLO + entry(b"bin", FILE) + TRAILER, len(HELLO), "name of a directory"),
    "deep": (b"".join(entry(b"/".join([b"d"] * n), DIR) for n in range(1, 1500)) + entry(b"d", FILE) + TRAILER,
             None, "name of a directory"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_archives(name, tmp_path):
    """The offset is named, nothing of the archive is there, the kernel goes on."""
    archive, offset, why = DAMAGED[name]
    path = tmp_path / "rootfs.cpio"
    path.write_bytes(archive)
    with Machine(rootfs=str(path)) as machine:
        machine.boot()
        answer = machine.run("ls")
        assert why in answer and (offset is None or f"at offset {offset} " in answer), answer
        listing = machine.run("ls")
        assert re.search(r" dev$", listing, re.M) and not re.search(r" (bin|a|x|d)$", listing, re.M), listing
        assert re.search(r"^# Totals: pass:[1-9]\d* fail:0 ", machine.run("selftest slab"), re.M)


@pytest.fixture(scope="module")
def machine():
    with Machine() as machine:
        machine.boot()
        with Ash(machine) as sh:
            sh("ls | cat > /tmp/x; rm /tmp/x")
        yield machine


@pytest.mark.quick
def test_the_tree_from_the_kernel_shell(machine):
    assert re.search(r"^drwxr-xr-x +\d+ +0 bin$", machine.run("ls /"), re.M)
    assert re.search(r"^crw-rw-rw- +1 +1, +3 null$", machine.run("ls /dev"), re.M)
    assert machine.run("cat /etc/passwd").startswith("root:x:0:0:")
    assert "not a regular file" in machine.run("cat /dev/console")
    assert "ENOENT" in machine.run("cat /none") and "ENOTDIR" in machine.run("ls /etc/passwd/x")
    assert machine.run("cat /proc/buddyinfo").splitlines()[0].startswith("Node 0, zone")
    ranges = machine.run("vmap ranges").splitlines()
    ends = [re.match(r"([0-9a-f]{16})-([0-9a-f]{16}) (busy|free|lazy|cached) +\d+ guard=\d+", line).groups()[:2]
            for line in ranges]
    assert all(before[1] == after[0] for before, after in zip(ends, ends[1:])), "the ranges tile the space"


@pytest.mark.quick
def test_the_console_goes_back_and_forth(machine):
    """A Ctrl-C that a program got is not the shell's; what nobody has read is."""
    machine.send("run cat\r")
    machine.expect("\n")
    machine.send("some text\r")
    machine.expect("some text\r*\nsome text")
    machine.send("half\x03")
    machine.expect("ended by SIGINT")
    machine.expect(PROMPT)
    assert "MemTotal" in machine.run("meminfo")
    machine.send("run sh\r")
    machine.expect("# ")
    machine.send("exit\rbuddyinfo\r")
    machine.expect("zone   Normal")
    machine.expect(PROMPT)
    assert "^C" not in machine.run("cpus")


def test_background_readers_are_stopped(machine):
    with Ash(machine) as sh:
        sh("cat &")
        assert "Stopped (tty input)" in sh("jobs")
        sh.machine.send("fg\r")
        sh.machine.expect("cat")
        sh.machine.send("now it may\r")
        sh.machine.expect("now it may\r*\nnow it may")
        sh.machine.send("\x1a")
        sh.machine.expect(ASH)
        sh("kill -9 %1")
        assert "Killed" in sh("jobs")  # or the shell, not knowing yet, would not let go of a stopped job


def test_an_editor(machine):
    """vi: raw mode, an escape key that begins no sequence, the screen's size."""
    with Ash(machine) as sh:
        for keys, answer in (("vi /tmp/letter\r", "~"), ("ione two", "one two"), ("\x1b", "Modified"), ("0x", "ne two"),
                             (":wq\r", ASH)):
            sh.machine.send(keys)
            sh.machine.serial.expect(answer)
        assert sh("cat /tmp/letter; rm /tmp/letter") == "ne two\n"


def test_a_full_file_system(machine):
    """ENOSPC at half of memory; removed, it is all there again."""
    with Ash(machine) as sh:
        before = sh("free | grep Mem").split()[3]
        assert "No space left" in sh("dd if=/dev/zero of=/tmp/big bs=1M 2>&1")
        assert "100%" in sh("df /") and "No space" in sh("echo x 2>&1 > /tmp/other || echo No space")
        sh("rm /tmp/big /tmp/other")
        after = sh("free | grep Mem").split()[3]
        assert abs(int(before) - int(after)) < 200, (before, after)
        assert sh("echo room > /tmp/y; cat /tmp/y; rm /tmp/y") == "room\n"


def test_proc_while_processes_come_and_go(machine):
    before = machine.gauges()
    with Ash(machine) as sh:
        sh("(while :; do cat /proc/[0-9]*/*maps /proc/[0-9]*/stat* /proc/[0-9]*/cmdline; ls -l /proc/[0-9]*/fd; done)"
           " > /dev/null 2>&1 &")
        assert sh("for i in $(seq 40); do ls / | cat | wc -l > /dev/null; done; echo $?") == "0\n"
        sh("kill %1; wait")
    changed = differences(before, machine.gauges())
    assert not changed, changed


def test_linux_says_the_same_of_bad_arguments():
    if not os.path.exists(f"{BUILD}/user/badfiles"):
        pytest.skip("no musl-gcc")
    result = subprocess.run([f"{BUILD}/user/badfiles"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout
