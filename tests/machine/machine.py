# SPDX-License-Identifier: MIT
"""A machine under test: QEMU through tools/qemu, its serial line on a unix socket, and the few verbs
that a test needs (run a command, expect a text, press a key, end). Timeouts are hang detectors, never
targets."""
import difflib
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
O = os.environ.get("BUILD", "build")  # the way make spells it: another spelling rebuilds everything
BUILD = os.path.join(ROOT, O)
PROMPT = "vitrine> "
HANG = 300  # seconds without an answer that mean "it hangs", on the slowest machine
KTEST_PASS, KTEST_FAIL, PANIC = 0x10, 0x11, 3  # what the kernel writes to the debug-exit port
TRIPLE_FAULT = 126  # tools/qemu's own
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text):
    """Terminal output without colours and carriage returns."""
    return ANSI.sub("", text).replace("\r", "")


def environment(**changes):
    """For a make that a test starts: the same output directory, nothing else from an outer make."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {**{k: v for k, v in os.environ.items() if k not in outer}, "O": O, **changes}


def make(*arguments, status=0):
    """Run make; returns what it said; the test fails when make does not end with that status."""
    result = subprocess.run(["make", f"O={O}", *arguments], cwd=ROOT, capture_output=True, text=True,
                            errors="replace", stdin=subprocess.DEVNULL, timeout=4 * HANG, check=False,
                            env=environment())
    text = result.stdout + result.stderr
    assert result.returncode == status, text[-6000:]
    return text


def differences(before, after):
    """Of two dictionaries of answers, as a readable diff; empty when they are equal."""
    return "\n".join(line for name in before for line in
                     difflib.unified_diff(before[name].splitlines(), after[name].splitlines(),
                                          f"{name} before", f"{name} after", lineterm="", n=0))


class Machine:
    """Boots at once. Use as a context manager: QEMU is gone afterwards, whatever happened."""

    def __init__(self, boot="fast", mem="128M", cpu="max", smp=1, append="", flavour="og", grub=(),
                 kernel=None, rootfs=None, qemu=(), gdb=False):
        self.temp = tempfile.TemporaryDirectory(prefix="vitrine-test-")
        self.log, self.gdb = f"{self.temp.name}/qemu.log", f"{self.temp.name}/gdb"
        serial, self.qmp_path = f"{self.temp.name}/serial", f"{self.temp.name}/qmp"
        command = [sys.executable, f"{ROOT}/tools/qemu", "--build", BUILD, "--boot", boot,
                   "--mem", mem, "--cpu", cpu, "--smp", str(smp), f"--append={append}",
                   "--flavour", flavour, "--log", self.log, *(f"--grub={line}" for line in grub),
                   "--serial", f"unix:{serial},server=on,wait=on"]
        command += ["--kernel", kernel] if kernel else []
        command += ["--rootfs", rootfs] if rootfs is not None else []
        command += ["--gdb", self.gdb] if gdb else []
        command += ["--", "-qmp", f"unix:{self.qmp_path},server=on,wait=off", *qemu]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        self.monitor = None
        try:
            self.socket = self._connect(serial)
        except AssertionError:
            self.close()
            raise
        self.serial = fdspawn(self.socket.fileno(), timeout=HANG, encoding="utf-8",
                              codec_errors="replace", maxread=65536)
        self.serial.delaybeforesend = None

    def _connect(self, path):
        connection = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + HANG
        while True:
            try:
                connection.connect(path)
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    connection.close()
                    raise AssertionError(f"QEMU did not start: {self.process.stderr.read()}") from None
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        for connection in (getattr(self, "socket", None), self.monitor):
            if connection:
                connection.close()
        self.temp.cleanup()

    # --- the serial line -------------------------------------------------------------------------

    def expect(self, pattern, timeout=HANG):
        """Wait for a regular expression; returns what came before it, as plain text."""
        try:
            self.serial.expect(pattern, timeout=timeout)
        except (EOF, TIMEOUT) as problem:
            said = plain(self.serial.before)[-3000:]
            if isinstance(problem, TIMEOUT):
                raise AssertionError(f"silent; expected {pattern!r} after:\n{said}") from None
            raise AssertionError(f"QEMU ended with status {self.wait()}; expected {pattern!r} after:\n"
                                 f"{said}\n{self.process.stderr.read()}") from None
        return plain(self.serial.before)

    def boot(self):
        """Up to the first prompt; returns the boot log."""
        return self.expect(PROMPT)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def run(self, command, timeout=HANG):
        """Type a command, return its answer (the echo taken off)."""
        self.send(command + "\r")
        answer = self.expect(PROMPT, timeout)
        return answer.partition("\n")[2]

    def pump(self, data, chunk=4096):
        """Send much, reading what comes back all the time: QEMU stops when nobody takes its output."""
        sent = 0
        while sent < len(data):
            readable, writable, _ = select.select([self.socket], [self.socket], [], HANG)
            assert readable or writable, f"neither takes nor gives anything after {sent} bytes"
            if readable:
                assert self.socket.recv(65536), f"QEMU ended after {sent} bytes"
            if writable:
                sent += self.socket.send(data[sent:sent + chunk], socket.MSG_DONTWAIT)

    def wake(self):
        """Whatever was typed before: to an empty prompt. What the full input queue lost is typed again."""
        for attempt in range(50):
            self.send(f"\x03\x03\r\x15echo awake-{attempt}\r")
            try:
                self.serial.expect(rf"\nawake-{attempt}\r*\n[^\n]*{PROMPT}", timeout=HANG / 50)
                return
            except TIMEOUT:
                continue
            except EOF:
                break
        raise AssertionError(f"does not come back:\n{plain(self.serial.before)[-3000:]}")

    def gauges(self):
        """What exists, exactly: pages that are not free, page tables, areas with their addresses and
        callers, objects of each cache. Pages of the slab count as free: a descriptor that survives may
        sit in another slab than before, so there the objects count. Every self-test is bracketed by
        emptying the caches of all floors; therefore the shortest one runs first."""
        assert " fail:0 " in self.run("selftest ktest.suites_are_in_order")
        memory = self.run("meminfo")
        free, slab = (int(re.search(rf"^{name}: +(\d+)", memory, re.M)[1]) for name in ("MemFree", "Slab"))
        memory = re.sub(r"^(MemFree|Slab):.*\n", "", memory, flags=re.M)
        objects = re.findall(r"^(\S+ +\d+) .* : tunables ", self.run("slabinfo"), re.M)
        return {"meminfo": f"free or slab: {free + slab}\n{memory}", "slabinfo": "\n".join(objects),
                "vmallocinfo": self.run("vmallocinfo"), "vmap list": self.run("vmap list")}

    def rest(self):
        """Everything until QEMU ends, and its exit status as tools/qemu reports it."""
        text = self.expect(EOF)
        return text, self.wait()

    def wait(self):
        return self.process.wait(HANG)

    # --- what is not on the serial line ----------------------------------------------------------

    def qmp(self, command, **arguments):
        """QEMU's machine protocol: one command, its answer."""
        if not self.monitor:
            self.monitor = socket.socket(socket.AF_UNIX)
            self.monitor.connect(self.qmp_path)
            self.monitor.settimeout(HANG)
            self.answers = self.monitor.makefile(encoding="utf-8")
            self.answers.readline()
            self.qmp("qmp_capabilities")
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self.answers:
            answer = json.loads(line)
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]
        raise AssertionError(f"QEMU ended during {command}")

    def press(self, *keys):
        """Each argument is a key, or keys held together: "a", "ret", "shift-a", "ctrl-c"."""
        for chord in keys:
            self.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in chord.split("-")],
                     **{"hold-time": 20})

    def physical_memory(self, address, size):
        path = f"{self.temp.name}/memory"
        self.qmp("pmemsave", val=address, size=size, filename=path)
        with open(path, "rb") as file:
            return file.read()

    def screenshot(self):
        """Width, height, rows of (red, green, blue) bytes."""
        path = f"{self.temp.name}/screen.ppm"
        self.qmp("screendump", filename=path)
        with open(path, "rb") as file:
            magic, size, depth, pixels = file.read().split(b"\n", 3)
        assert magic == b"P6" and depth == b"255"
        width, height = map(int, size.split())
        assert len(pixels) == 3 * width * height
        return width, height, pixels
