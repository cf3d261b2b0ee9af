# SPDX-License-Identifier: MIT
"""Record a run: boot, shell commands one after another, and where in it each of them was.

The guest runs only while it boots and while a command runs; in between it is stopped, so that no
time goes into the log in which somebody thinks. Every wait has a bound.
"""
import contextlib
import importlib
import re
import signal
import sys
import time

from session.machine import Failed, Machine

BOOT_SECONDS = 120
COMMAND_SECONDS = 120
STILL = 1.0  # seconds without an instruction, and the machine says that it is off or halted
UNASKED = 10.0  # the same, and it waits for an interrupt: a command asks for input that nobody will type
CTRL_C = "\x03"


class Recording:
    """One recorded run. commands: [{"text", "start", "end"}], in instructions."""

    def __init__(self, machine):
        self.machine, self.console = machine, machine.console
        self.commands, self.end = [], 0
        self.alive, self.off, self.running = True, False, False

    def instructions(self):
        answer = self.machine.qmp("query-replay")
        return answer["icount"] if answer else self.end

    def wait(self, position, seconds):
        """Until the prompt, or the machine is at rest, or the time is over; then it is stopped. What it said.
        That no instruction was executed for a while is no rest: the host may be busy. When the machine turned
        itself off, the recording ends where it was last seen before: a replay of the rest stops for ever, each time
        somewhere else."""
        deadline, before, last, since = time.monotonic() + seconds, -1, -1, 0.0
        while True:
            said, prompt = self.console.wait_for_prompt(position, 0.05)
            now, at = time.monotonic(), self.instructions()
            if at != last:
                before, last, since = last, at, now
            if prompt or self.console.ended or now > deadline or self.rests(now - since):
                break
        self.off = not prompt and self.machine.rests() == "off"
        self.machine.qmp("stop")
        self.end = max(self.end, before if self.off else self.instructions())
        self.alive = prompt
        return said

    def rests(self, still):
        """Whether a machine that was still for so many seconds stays so."""
        final = ("off", "halted", "waits") if still > UNASKED else ("off", "halted")
        return still > STILL and self.machine.rests() in final

    def boot(self):
        said = self.wait(0, BOOT_SECONDS)
        if not said or not self.end:
            raise Failed(f"nothing was recorded: {len(said)} bytes said, {self.end} instructions executed\n"
                         f"{self.machine.errors()}")
        return said

    def run(self, text, seconds=COMMAND_SECONDS):
        """One line typed at the guest's shell; its answer."""
        start, position = self.end, self.console.position()
        self.machine.qmp("cont")
        self.console.type(text + "\r")
        self.running = True
        said = self.wait(position, seconds).decode("utf-8", "replace").replace("\r", "")
        self.running = False
        self.commands.append({"text": text, "start": start, "end": self.end})
        return said.partition("\n")[2]

    def finish(self):
        """The log goes on for a moment behind the last instruction that counts: a replay that ran to the
        very end of a log would wait there for ever."""
        if self.alive:
            end, position = self.end, self.console.position()
            self.machine.qmp("cont")
            self.console.type("\r")
            self.wait(position, COMMAND_SECONDS)
            self.end = end
        self.end -= 1
        self.machine.qmp("quit")
        with contextlib.suppress(Exception):
            self.machine.process.wait(10)
        self.machine.close()

    def interrupt(self, *_):
        """Ctrl-C is for the shell command that runs; at other times it is for us: typed now, it would answer the
        next command with a prompt, before that has begun."""
        if not self.running:
            raise KeyboardInterrupt
        self.console.type(CTRL_C)


def script_lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise Failed(f"SCRIPT={path}: {error.strerror}") from None
    return [line for line in lines if line and not line.startswith("#")]


def typed_lines(recording):
    """What the user types, until Ctrl-D or `done`."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # gives input() a history
    print("Recording. Type commands for the kernel's shell; `done` or Ctrl-D opens GDB on the replay.")
    while recording.alive:
        try:
            line = input("vitrine> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:  # forgets the line, as in a shell
            print("^C")
            continue
        if line.strip() == "done":
            return
        yield line


def show(text):
    sys.stdout.write(re.sub(r"vitrine> $", "", text))
    sys.stdout.flush()


def record(command, directory, log, lines=None):
    """Record a boot and these lines (None: typed by the user); returns the Recording, finished."""
    machine = Machine(command, directory, log)
    recording = Recording(machine)
    before = signal.signal(signal.SIGINT, recording.interrupt)
    try:
        boot = recording.boot()
        typed = lines is None
        if typed:
            show(boot.decode("utf-8", "replace").replace("\r", ""))
        for line in typed_lines(recording) if typed else lines:
            if not recording.alive:
                break
            answer = recording.run(line)
            if typed:
                show(answer)
        if not recording.alive:
            print("the machine turned itself off; the recording ends shortly before that" if recording.off else
                  "the machine does not come back to its prompt; the recording ends here")
        recording.finish()
        return recording
    except KeyboardInterrupt:
        raise Failed("interrupted; nothing was recorded") from None
    finally:
        signal.signal(signal.SIGINT, before)
        machine.close()

