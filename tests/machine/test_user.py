# SPDX-License-Identifier: MIT
"""Ring 3, typed: Debian's busybox as a shell, our programs, and both misbehaving.

After each test everything is compared with the state before it: pages that are not free, page tables, areas with their
addresses and callers, objects of each cache (Machine.gauges). Nothing is left out but what the first `run` ever brings,
which happens before: the unpacked root file system, whose archive goes to the buddy, and for each program that is
mapped for the first time its path, 16 bytes, which its pages keep.
"""
import json
import re
import subprocess
import sys

import pytest
from machine import BUILD, HANG, PROMPT, ROOT, Machine, differences, plain

ASH = "@@@ "  # what we make of the shell's prompt; typed in two pieces, so that the echo is not one
FUZZ_CALLS = 1000000


class Ash:
    """Busybox's shell on the machine's console; `with Ash(machine) as sh: sh("ls")`."""

    def __init__(self, machine, start="run sh"):
        self.machine = machine
        machine.send(start + "\r")
        machine.expect(r"[#$] (?:\x1b\[\w+)?$")
        machine.send("stty columns 250; PS1=@@'@ '\r")
        machine.expect(ASH)

    def __call__(self, line, timeout=HANG):
        """Type a line; its answer, the echo taken off."""
        self.machine.send(line + "\r")
        return self.machine.expect(ASH, timeout).partition("\n")[2]

    def start(self, line):
        """Type a line and wait until its first program runs: one that ^C reaches before it has the terminal misses it."""
        program, _, rest = line.partition("|")
        self.machine.send(f"sh -c \"echo star'ted' >&2; exec {program}\"" + (f" | {rest}\r" if rest else "\r"))
        self.machine.expect("started\r*\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.machine.send("exit\r")
            self.machine.expect(PROMPT)


class Ring3:
    """A machine whose root file system is there, and what it must look like between tests."""

    def __init__(self, boot):
        self.machine = Machine(boot=boot, mem="256M")
        self.machine.boot()
        assert "ring 3" in self.machine.run("run hello")
        with Ash(self.machine) as sh:
            sh("ls | cat > /tmp/x; rm /tmp/x; cat /proc/self/maps")
            for program in ("cow", "mapdemo", "threads 1 1", "sparse 1", "areas 1", "thrash 0 0", "faults list",
                            "vmtop -1", "badfiles", "fuzz 0 1"):
                sh(program)
        self.gauges = self.machine.gauges()


@pytest.fixture(scope="module")
def machines():
    known = {}
    yield known
    for ring3 in known.values():
        ring3.machine.close()


@pytest.fixture(params=["fast", "iso"])
def boot(request):
    return request.param


@pytest.fixture
def machine(machines, boot, request):
    """At the kernel's prompt; everything must be back when the test is over."""
    try:
        if boot not in machines:
            machines[boot] = Ring3(boot)
        ring3 = machines[boot]
        yield ring3.machine
        if getattr(request.node, "failed", True):
            machines.pop(boot).machine.close()
            return
        changed = differences(ring3.gauges, ring3.machine.gauges())
        assert not changed, f"this test left something behind:\n{changed}"
    except AssertionError:
        if boot in machines:
            machines.pop(boot).machine.close()
        raise


only_fast = pytest.mark.parametrize("boot", ["fast"], indirect=True)
pytestmark = pytest.mark.xdist_group("user")


# ---- busybox as the shell --------------------------------------------------------------------------------

@pytest.mark.quick
def test_ls(machine):
    with Ash(machine) as sh:
        answer = sh("ls -l /")
        assert re.search(r"^drwxr-xr-x .* bin$", answer, re.M) and re.search(r"^drwxrwxrwt .* tmp$", answer, re.M)
        assert re.search(r"^lrwxrwxrwx .* sbin -> bin$", answer, re.M), answer
        assert re.search(r"^-rwxr-xr-x +1 root +root +\d{7} .* /bin/busybox$", sh("ls -l /bin/busybox"), re.M)
        assert re.search(r"^crw\S+ .* 1, +3 .* /dev/null$", sh("ls -l /dev/null"), re.M)


@pytest.mark.quick
def test_proc(machine):
    kernel_says = machine.run("vmallocinfo")
    with Ash(machine) as sh:
        # Areas come with processes: kernel stacks. Those that were there before are there still, word for word.
        program_says = sh("cat /proc/vmallocinfo").splitlines()
        assert set(kernel_says.splitlines()) <= set(program_says)
        assert re.search(r"^Mem: +2\d{5} +\d+ +\d+ ", sh("free"), re.M)
        processes = sh("ps")
        assert re.search(r"^ *1?\d* +0? *root? .*\bsh\b", processes, re.M) or " sh" in processes, processes
        assert re.search(r"^[0-9a-f]{8,12}-[0-9a-f]{8,12} r-xp 0000\w+ \S+ \d+ +/bin/busybox$",
                         sh("cat /proc/self/maps"), re.M)
        assert "[stack]" in sh("cat /proc/self/maps") and "Node 0, zone" in sh("cat /proc/buddyinfo")
        assert "slabinfo - version: 2.1" in sh("cat /proc/slabinfo")
        assert float(sh("cat /proc/uptime").split()[0]) > 0
        assert re.search(r"Vitrine|Linux", sh("cat /proc/version"))
        assert re.search(r"^[0-9a-f]+-[0-9a-f]+ ", sh("cat /proc/vmap"), re.M)
        assert re.search(r"Mem: .*\n(.*\n)*.*PID", sh("top -b -n 1"))


@pytest.mark.quick
def test_pipelines_and_redirection(machine):
    with Ash(machine) as sh:
        assert sh("seq 100 | grep 7 | wc -l") == "19\n"
        assert sh("echo one > /tmp/x; echo two >> /tmp/x; tr a-z A-Z < /tmp/x | sort -r; rm /tmp/x") == "TWO\nONE\n"
        assert sh("cat /etc/passwd | sed s/root/ROOT/ | awk -F: '{print $1}'") == "ROOT\n"
        assert sh("(echo out; echo err >&2) 2>/dev/null") == "out\n"
        assert sh("cat <<E\rhere $((6*7))\rE") .endswith("here 42\n")
        assert sh("dd if=/dev/zero bs=4096 count=500 2>/dev/null | wc -c") == "2048000\n"
        assert sh("yes | head -n 3") == "y\ny\ny\n"  # `yes` dies of SIGPIPE
        assert sh("mkdir -p /tmp/a/b; echo x > /tmp/a/b/c; find /tmp -type f; rm -r /tmp/a") == "/tmp/a/b/c\n"
        assert "No such file" in sh("cat /no/such/file")
        assert "not found" in sh("nonsense")


@pytest.mark.quick
def test_background_jobs(machine):
    with Ash(machine) as sh:
        sh("sleep 1000 & sleep 1001 &")
        assert len(re.findall(r"Running +sleep 100[01]", sh("jobs"))) == 2
        assert sh("ps | grep -c 'sleep 100[01]'") == "2\n"
        sh("kill %1; kill -9 %2; wait")
        assert sh("jobs").strip() == "" or "Running" not in sh("jobs")
        assert sh("(sleep 0.01; exit 7) & wait $!; echo $?").startswith("7\n")


@pytest.mark.quick
def test_keys(machine):
    """Ctrl-C ends the program in front and not the shell; Ctrl-D is the end of the input."""
    with Ash(machine) as sh:
        for program in ("sleep 1000", "cat", "yes > /dev/null", "cat /dev/zero | cat > /dev/null"):
            sh.start(program)
            sh.machine.send("\x03")
            sh.machine.expect(ASH)
            assert sh("echo $?") == "130\n", program
        sh.start("cat")
        sh.machine.send("typed\r")
        sh.machine.expect(r"typed\r*\ntyped\r*\n")  # the echo, and what cat makes of it
        sh.machine.send("\x04")
        sh.machine.expect(ASH)
        assert sh("echo $?") == "0\n"
        assert sh("echo abd\x08c") == "abc\n"  # the shell's own line editor, in raw mode
        assert sh("stty -a | grep -o ' icanon'") == " icanon\n"


def test_a_thousand_forks(machine):
    with Ash(machine) as sh:
        assert sh("for i in $(seq 1000); do (exit 3); done; echo $?") == "3\n"
        assert sh("for i in $(seq 200); do /bin/true; done; echo $?") == "0\n"


# ---- our programs ----------------------------------------------------------------------------------------

PROGRAMS = [
    ("hello one two", r"process \d+, .*\n(.*\n)*  argv\[2\] = two\n"),
    ("badfiles", r"^(\d{4}) of \1 calls answered as they have to"),
    ("cow", r"child   just forked +64 KiB +32 KiB +64 KiB +0 KiB\n"
            r"child   has written 4 pages +64 KiB +40 KiB +48 KiB +16 KiB\n(.*\n)*"
            r"parent  has written all, no copy +64 KiB +64 KiB +0 KiB +64 KiB\n"),
    ("mapdemo", r"  \+ 10002000-10004000 r--p 00000000 \S+ \d+ *\n(.*\n)*  \+ 20000000-20040000 rw-p (.*\n)*all given"),
    ("threads 16 2000", r"16 threads, 32000 counted under the mutex of 32000, token passed 160 times of 160, 0 wrong"),
    ("sparse 1024 4", r"1024 MiB at .*\n.* all as written: 102\d KiB\n"),
    ("thrash 16 4", r"4 processes and a child of each: 0 found something wrong\n(.*\n)*a child took all memory and was ended"),
    ("vmtop -1", r"buddy: free blocks(.*\n)+.*\[[#.~]{64}\]"),
]


@pytest.mark.parametrize("command, expected", PROGRAMS, ids=[command.split()[0] for command, _ in PROGRAMS])
def test_program(machine, command, expected):
    answer = machine.run(f"run {command}")
    assert re.search(expected, answer), answer
    assert "BUG" not in answer and "exit status" not in answer, answer


def test_each_way_to_go_wrong(machine):
    answer = machine.run("run faults")
    right, of = map(int, re.search(r"^(\d+) of (\d+) mistakes ended as they have to$", answer, re.M).groups())
    assert right == of > 50 and "WRONG" not in answer, answer


@only_fast
def test_the_kernel_says_what_the_program_did(machine):
    for name, words in [("null-read", "read from 0 "), ("kernel-read", "0xffffffff80100000"), ("hlt", "SIGSEGV")]:
        answer = machine.run(f"run faults {name}")
        assert words in answer and "SIGSEGV" in answer, answer


@only_fast
def test_a_hundred_thousand_areas(boot):
    """O(log n): ten times as many areas cost the same again on top, not ten times as much. Counted in instructions."""
    with Machine(boot=boot, mem="256M", flavour="o2", qemu=("-icount", "shift=0,sleep=off")) as machine:
        machine.boot()
        answer = machine.run("run areas 100000")
    figures = {f["areas"]: f["ticks"] for f in map(json.loads, re.findall(r"@areas (\{.*\})", answer))
               if f["what"] == "mmap"}
    assert set(figures) == {1000, 10000, 100000} and "100000 areas made and unmade" in answer, answer
    first, second = figures[10000] - figures[1000], figures[100000] - figures[10000]
    assert second <= 2 * first and figures[100000] <= 2 * figures[1000], figures


# ---- hostile ---------------------------------------------------------------------------------------------

def kernel_bytes(machine):
    """Text and read-only data as they stand in physical memory."""
    with open(f"{BUILD}/og/kernel.sym", encoding="utf-8") as file:
        symbols = {name: int(address, 16) for address, _, name in map(str.split, file)}
    ranges = [(symbols[f"__{name}_start"], symbols[f"__{name}_end"]) for name in ("text", "rodata")]
    return [machine.physical_memory(start - 0xffffffff80000000, end - start) for start, end in ranges]


@only_fast
def test_fuzz(machine):
    """A million random calls by four processes at once: no report, nothing left, the kernel's own bytes unchanged."""
    before = kernel_bytes(machine)
    with Ash(machine) as sh:
        there = "|".join(sh("ls -A / /tmp").split())
    answer = machine.run(f"run fuzz {FUZZ_CALLS} 4", timeout=3 * HANG)
    assert re.search(rf"^{FUZZ_CALLS} random system calls by 4 processes, 0 did not get through$", answer, re.M), answer
    assert not re.search("BUG|panic|WARN", answer), answer
    assert kernel_bytes(machine) == before
    assert machine.run("vmap check").count("BROKEN") == 0
    with Ash(machine) as sh:  # it goes up to /tmp and / with chdir(".."), and leaves files there: they are no leak
        sh(f"for f in /* /.[!.]* /tmp/* /tmp/.[!.]*; do case \"${{f##*/}}\" in {there});; *) rm -rf \"$f\";; esac; done")


@only_fast
def test_killed_in_the_middle(machine):
    """Programs that fault, fork and map all the time, killed wherever they happen to be."""
    before = kernel_bytes(machine)
    with Ash(machine) as sh:
        for _ in range(10):
            sh("thrash 64 4 > /dev/null & thrash 64 4 > /dev/null &")
            sh("sleep 0.2; killall -9 thrash; wait")
        sh("rm -f /tmp/thrash.*")
        assert sh("ps | grep -c '[t]hrash'") == "0\n"
    assert kernel_bytes(machine) == before


@only_fast
def test_the_shell_is_killed(machine):
    """Its jobs get SIGHUP with it, and nothing stays."""
    sh = Ash(machine)
    sh("sleep 0.1 & (cat /dev/zero | cat > /dev/null) & sleep 0.2 &")
    machine.send("kill -9 $$\r")
    machine.expect(PROMPT)
    machine.run("run sleep 0.3")
    assert "no processes" in machine.run("ps")


# ---- the command line -----------------------------------------------------------------------------------

@pytest.mark.quick
def test_straight_into_the_shell(boot):
    with Machine(boot=boot, append="init=/bin/sh") as machine:
        machine.expect("# ")
        machine.send("echo $((6 * 7)) $$\r")
        machine.expect(r"\n42 1\r*\n# ")
        machine.send("exit\r")
        assert "MemTotal" in machine.boot() + machine.run("meminfo")  # the kernel's shell follows


@pytest.mark.quick
@only_fast
def test_strace(boot):
    with Machine(boot=boot, append="strace=1") as machine:
        machine.boot()
        answer = machine.run("run hello")
        assert re.search(r'execve\("/bin/hello"', answer) or "arch_prctl(" in answer, answer
        assert re.search(r"getpid\(\) += \d+", answer) and "exit_group(0)" in answer, answer


@pytest.mark.quick
@only_fast
def test_without_a_root_file_system(boot, tmp_path):
    broken = tmp_path / "broken.cpio"
    broken.write_bytes(b"070701 this is no archive" + bytes(5000))
    for options in ({"append": "rootfs=off"}, {"rootfs": ""}, {"mem": "8M"}, {"rootfs": str(broken)}):
        with Machine(boot=boot, **options) as machine:
            machine.boot()
            assert re.search("no such|not found|no root|ENOENT|EINVAL|no program", machine.run("run hello"), re.I)
            assert re.search(r"^# Totals: pass:[1-9]\d* fail:0 ", machine.run("selftest buddy"), re.M)


@pytest.mark.quick
@only_fast
def test_unknown_calls_are_named_once(boot):
    with Machine(boot=boot) as machine:
        machine.boot()
        machine.run("run hello")
        assert re.search(r"\bread\b(.*\n)*.*\bmmap\b", machine.run("syscalls"))


# ---- the archive ------------------------------------------------------------------------------------------

def make_rootfs(path):
    subprocess.run([sys.executable, f"{ROOT}/tools/mkrootfs", "--output", str(path), f"{BUILD}/user/hello"], check=True)
    return path.read_bytes()


@pytest.mark.quick
def test_the_archive_is_reproducible_and_busybox_is_debians(tmp_path):
    assert make_rootfs(tmp_path / "one") == make_rootfs(tmp_path / "two")
    inside = subprocess.run(["cpio", "-i", "--quiet", "--to-stdout", "./bin/busybox", "bin/busybox"], check=True,
                            stdin=open(f"{BUILD}/rootfs.cpio", "rb"), stdout=subprocess.PIPE).stdout
    with open("/bin/busybox", "rb") as file:
        assert inside == file.read()


def test_our_programs_run_on_linux_too():
    for command, expected in [*PROGRAMS[:5], ("faults", r"(\d+) of \1 mistakes")]:
        name, *arguments = command.split()
        answer = subprocess.run([f"{BUILD}/user/{name}", *arguments], capture_output=True, text=True, check=True,
                                timeout=HANG).stdout
        assert re.search(expected, plain(answer)), answer
