# SPDX-License-Identifier: MIT
"""A machine under test: QEMU through tools/qemu, its serial line on a unix socket, and the few verbs
that a test needs (run a command, expect a text, end). Timeouts are hang detectors, never targets."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PROMPT = "vitrine> "
HANG = 300  # seconds without an answer that mean "it hangs", on the slowest machine
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(text):
    """Terminal output without colours and carriage returns."""
    return ANSI.sub("", text).replace("\r", "")


class Machine:
    """Boots at once. Use as a context manager: QEMU is gone afterwards, whatever happened."""

    def __init__(self, boot="fast", mem="128M", cpu="max", smp=1, append="", flavour="og",
                 qemu=(), gdb=None):
        self.temp = tempfile.TemporaryDirectory(prefix="vitrine-test-")
        path = os.path.join(self.temp.name, "serial")
        self.qmp_path = os.path.join(self.temp.name, "qmp")
        command = [sys.executable, f"{ROOT}/tools/qemu", "--build", BUILD, "--boot", boot,
                   "--mem", mem, "--cpu", cpu, "--smp", str(smp), "--append", append,
                   "--flavour", flavour, "--serial", f"unix:{path},server=on,wait=on"]
        if gdb:
            command += ["--gdb", gdb]
        command += ["--", "-qmp", f"unix:{self.qmp_path},server=on,wait=off", *qemu]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        self.socket = self._connect(path)
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
                    raise AssertionError(f"QEMU did not start: {self.process.stderr.read()}") from None
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.socket.close()
        self.temp.cleanup()

    def expect(self, pattern, timeout=HANG):
        """Wait for a regular expression; returns what came before it, as plain text."""
        try:
            self.serial.expect(pattern, timeout=timeout)
        except (EOF, TIMEOUT) as problem:
            kind = "ended" if isinstance(problem, EOF) else "is silent"
            raise AssertionError(f"the machine {kind}; expected {pattern!r} after:\n"
                                 f"{plain(self.serial.before)[-3000:]}") from None
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

    def rest(self):
        """Everything until QEMU ends, and its exit status as tools/qemu reports it."""
        text = self.expect(EOF)
        return text, self.wait()

    def wait(self):
        return self.process.wait(HANG)


def numbers(text):
    """{'name': value} of every 'name: 123' or 'name 123' line: for comparing counts."""
    return {m[1].strip(): int(m[2]) for m in re.finditer(r"^([^\d\n]+?)[: ]+(\d+)\b", text, re.M)}
