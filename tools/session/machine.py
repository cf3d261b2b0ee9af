# SPDX-License-Identifier: MIT
"""A QEMU process of a session, started through tools/qemu, and its machine protocol (QMP)."""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

from session.console import Console

INTERRUPT_FLAG = 1 << 9  # of RFLAGS


class Failed(Exception):
    """Why there is no session, for the user to read."""


def stop(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def appears(path, process, seconds=60):
    """Whether QEMU makes that socket, without connecting to it: it takes one only."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def make_snapshot_disk(path):
    """An empty disk that only holds snapshots; None without qemu-img."""
    try:
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
        return path
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


class Machine:
    """command: tools/qemu with its options. directory: for the sockets. log: of the serial line; without,
    nobody listens to that: what a replayed machine says is on record, and a reader disturbs it."""

    def __init__(self, command, directory, log=None):
        fifo, self.attach, self.qmp_path = (f"{directory}/{name}" for name in ("typed", "console", "qmp"))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.qmp_path)
        if log:
            Console.prepare(fifo, self.attach)
        with open(log or os.devnull, "wb") as said, open(fifo if log else os.devnull, "r+b", 0) as typed:
            self.process = subprocess.Popen(
                [*command, "--serial", "plain" if log else "null", "--qmp", self.qmp_path],
                stdin=typed, stdout=said, stderr=subprocess.PIPE, start_new_session=True, text=True)
        self.stream, self.answers, self.said = None, None, ""
        if log:
            self.console = Console(self.process, log, fifo, self.attach)
            self.console.start()

    def connect(self):
        """The machine protocol, once QEMU listens: the socket's name is there a moment before that."""
        if not appears(self.qmp_path, self.process):
            return False
        stream = socket.socket(socket.AF_UNIX)
        while stream.connect_ex(self.qmp_path):
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        self.stream, self.answers = stream, stream.makefile(encoding="utf-8")
        self.answers.readline()
        self.qmp("qmp_capabilities")
        return True

    def qmp(self, command, **arguments):
        """The answer of one command; None when QEMU is gone."""
        try:
            if not self.stream and not self.connect():
                return None
            self.stream.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
            for line in self.answers:
                answer = json.loads(line)
                if "event" not in answer:
                    return answer.get("return")
        except (OSError, ValueError):
            pass
        return None

    def rests(self):
        """How the machine stands still: "off" (shut down, or QEMU gone), "halted" (HLT, and no interrupt can
        end it), "waits" (HLT until one comes), or "" when it is only waiting for its share of this host."""
        status = self.qmp("query-status")
        if not status or not status["running"]:
            return "off"
        registers = self.qmp("human-monitor-command", **{"command-line": "info registers"})
        found = re.search(r"[ER]FL=([0-9a-f]+) .* HLT=(\d)", registers or "")
        if not found or found[2] == "0":
            return ""
        return "waits" if int(found[1], 16) & INTERRUPT_FLAG else "halted"

    def errors(self):
        if self.process.poll() is not None and not self.process.stderr.closed:
            self.said = self.process.stderr.read()
            self.process.stderr.close()
        return self.said

    def close(self):
        stop(self.process)


class Pulse(threading.Thread):
    """Keeps the main loop of a replaying QEMU awake. When the recorded guest was idle until a key came, the
    replay sleeps on until its next timer, mostly some 50 ms, before it looks into its log and finds the key;
    with a question over QMP now and then it looks at once. A replay of 54 typed commands: 2 s, not 22."""

    RUNNING, STOPPED = 0.001, 0.004  # seconds between two questions

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.machine = machine

    def run(self):
        while status := self.machine.qmp("query-status"):
            time.sleep(self.RUNNING if status["running"] else self.STOPPED)
