# SPDX-License-Identifier: MIT
"""Where in time the machine stands, and how it gets elsewhere.

A replayed machine (`make gdb-reverse`) does what the recorded one did, instruction for instruction, so
an instruction number names a moment. To an earlier one: load the newest checkpoint before it and run
forward. A live machine (`make gdb`) has checkpoints only.

    checkpoint        checkpoint                 now            end of the recording
    ----|------------------|------------x---------|-----------------|
                           '--- run --->'  goto x

Whatever lets the machine run has a Limit: past it, the machine is interrupted and the command says how
far it got. Nothing runs past the end of the recording, where QEMU would wait for ever.
"""
import contextlib
import json
import os
import re
import signal
import threading
import time

import gdb

from .kernel import GONE, KernelCommand, Sentence, memory

END = "the end of the recording: nothing happened after this. `back`, `goto N`, `reverse-continue` lead away."
BEGINNING = "the beginning of the recording: nothing happened before this."
FORWARD = ("continue", "step", "next", "stepi", "nexti", "finish", "until", "advance", "jump")
WATCHPOINTS = (gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_ACCESS_WATCHPOINT)
REVERSE = ("reverse-continue", "reverse-step", "reverse-next", "reverse-stepi", "reverse-nexti",
           "reverse-finish")


def read_session():
    """What tools/gdb-session says about itself; {} when GDB was started by hand."""
    try:
        return json.loads(os.environ.get("VITRINE_SESSION", "{}"))
    except ValueError:
        return {}


session = read_session()


class TimeLimit(gdb.Parameter):
    """Seconds that a command may let the machine run before it says how far it got.

Commands that go through time are bounded by it, and so is reverse-continue."""

    set_doc = show_doc = "Seconds that a command may let the machine run."

    def __init__(self):
        super().__init__("time-limit", gdb.COMMAND_DATA, gdb.PARAM_UINTEGER)
        self.value = 60

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"Commands that go through time say how far they got after {value} seconds."


time_limit = TimeLimit()


class Expired(Sentence):
    """The limit of a command is over, or the user pressed Ctrl-C."""


INTERRUPTED = "after Ctrl-C"


@contextlib.contextmanager
def ctrl_c_ends():
    """Ctrl-C while the machine stands still is an exception of Python; here it is that of one that runs."""
    try:
        yield
    except KeyboardInterrupt:
        raise Expired(INTERRUPTED) from None


class Limit:
    """with Limit() as limit: the machine is interrupted when the time is over; check() then raises."""

    def __init__(self, seconds=None):
        self.seconds = (time_limit.value or 10**6) if seconds is None else seconds
        self.over = self.finished = None

    def __enter__(self):
        self.end = time.monotonic() + self.seconds
        self.over, self.finished = threading.Event(), threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()
        return self

    def watch(self):
        """GDB hands SIGINT on to the machine; a machine that does not react to the first gets more."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        wait = self.seconds
        while not self.finished.wait(wait):
            self.over.set()
            if running.is_set():
                os.kill(os.getpid(), signal.SIGINT)
            wait = 3

    def __exit__(self, *_):
        self.finished.set()

    def check(self):
        if self.over.is_set() or time.monotonic() >= self.end:
            raise Expired(f"after {self.seconds} s")


running = threading.Event()  # GDB waits for the machine: an interrupt goes there


@contextlib.contextmanager
def silence():
    """GDB reports every stop on its standard output, and no setting of GDB prevents it."""
    gdb.flush()
    keep, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(keep, 1)
        os.close(keep)


def backwards():
    """`reverse-stepi` is `stepi` with the direction changed: the hooks of both run, in this order."""
    return "reverse" in gdb.execute("show exec-direction", to_string=True).lower()


def watchpoints():
    """The user's. Backwards, too, QEMU stops behind a write: GDB sees no change of the value, and calls it a signal."""
    return [each for each in gdb.breakpoints() or () if each.enabled and each.type in WATCHPOINTS]


class TimeMachine:
    """The connected machine. busy: the package itself lets it run; stops are nobody else's business."""

    def __init__(self):
        self.busy, self.reversing, self.seeking, self.cut = False, None, False, None
        self.interrupted = False  # the last stop was an interrupt: the user's, a Limit's, a replay_break

    # --- asking -----------------------------------------------------------------------------------

    def monitor(self, command):
        """QEMU's answer to a monitor command."""
        try:
            return gdb.execute(f"monitor {command}", to_string=True).strip()
        except gdb.error as error:
            raise Sentence(f"{GONE} ({error})") from None

    def now(self):
        """The number of instructions executed; None on a machine that is not a replay."""
        found = re.search(r"^Replaying .*instruction count = (\d+)", self.monitor("info replay"), re.M)
        return int(found[1]) if found else None

    def need_replay(self):
        at = self.now()
        if at is None:
            raise Sentence("this machine is not a recording: it cannot go back by itself. "
                           "`make gdb-reverse` records one; here, `checkpoint` and `rewind` work.")
        return at

    @property
    def end(self):
        return session.get("end")

    # --- moving -----------------------------------------------------------------------------------

    def run(self, limit, target=None):
        """Forward to the next stop, whatever it is, but a Ctrl-C before the target."""
        was_busy, self.busy, self.interrupted = self.busy, True, False
        try:
            with silence():
                running.set()
                try:
                    gdb.execute("continue", to_string=True)
                except gdb.error as error:
                    raise Sentence(f"{GONE} ({error})") from None
                except KeyboardInterrupt:
                    self.interrupted = True
                finally:
                    running.clear()
        finally:
            self.busy = was_busy
            memory.forget()
        limit.check()
        if self.interrupted and (target is None or self.now() < target):
            raise Expired(INTERRUPTED)

    def run_to(self, target, limit, stop=lambda at: False):
        """Forward to an instruction; earlier where stop(at) at a stop says so. Where it arrived. After a jump in
        time GDB does not know that it stands on a breakpoint: its first stop is where it starts."""
        at, stuck = self.now(), False
        while at < target:
            self.monitor(f"replay_break {target}")
            self.run(limit, target)
            before, at = at, self.now()
            if stop(at):
                break
            if at == before and stuck:
                raise Sentence(f"the machine does not get past instruction {at:,}")
            stuck = at == before
        return at

    def load(self, name):
        """The machine as it was when the checkpoint was made; GDB forgets what it knew."""
        answer = self.monitor(f"loadvm {name}")
        if answer:
            raise Sentence(f"checkpoint {name} cannot be loaded: {answer}")
        self.forget()

    @staticmethod
    def forget():
        for command in ("maintenance flush register-cache", "flushregs"):  # GDB 12 on, before
            with contextlib.suppress(gdb.error):
                gdb.execute(command, to_string=True)
                break
        with contextlib.suppress(gdb.error):
            gdb.execute("maintenance flush dcache", to_string=True)
        memory.forget()

    def abandon_reverse(self):
        """After an interrupted reverse command QEMU still searches; one that ends cures it."""
        self.busy = True
        try:
            with silence(), aside():
                gdb.execute("reverse-stepi", to_string=True)
        except gdb.error:
            pass
        finally:
            self.busy = False

    # --- what the user's own commands must not do -------------------------------------------------

    def guard(self, command):
        """Before each of the user's commands that run the machine."""
        if self.busy or not session.get("mode") == "replay":
            return
        at = self.now()
        if command in REVERSE:
            self.seeking = command == "reverse-continue"
            self.stop_cutting()
            self.cut = Limit()
            self.reversing = self.cut.__enter__()
            running.set()
        elif self.end and at is not None and at >= self.end and not backwards():
            raise gdb.GdbError(END)

    def stop_cutting(self):
        running.clear()
        if self.cut:
            self.cut.__exit__()
        self.cut = None

    def stopped(self, event):
        """After each stop: say where it is when that is an end, and never run past the end."""
        self.interrupted = isinstance(event, gdb.SignalEvent) and event.stop_signal == "SIGINT"
        if self.busy or session.get("mode") != "replay":
            return
        with contextlib.suppress(Sentence, gdb.error):
            self.after_stop(isinstance(event, (gdb.SignalEvent, gdb.BreakpointEvent)))

    def after_stop(self, explained):
        reversing, self.reversing = self.reversing, None
        seeking, self.seeking = self.seeking, False
        over = reversing and reversing.over.is_set()
        self.stop_cutting()
        if reversing and self.interrupted:
            self.abandon_reverse()
            print(f"Going back was interrupted{f' after {reversing.seconds} s' if over else ''}, at "
                  f"instruction {self.now():,}. Breakpoints in busy code make it slow: disable them, "
                  "or use `back`, `last-write`; `set time-limit SECONDS` allows more.")
        at = self.now()
        if at == 0:
            print(BEGINNING)
        elif seeking and not explained and watchpoints():
            watched = ", ".join(each.expression for each in watchpoints())
            print(f"The instruction before this one wrote to what is watched ({watched}): `reverse-stepi` undoes it.")
        if self.end and at < self.end:
            self.monitor(f"replay_break {self.end}")
        elif self.end:
            print(END)
        for each in watchpoints() if reversing else ():  # GDB takes down the value anew: it is an older one now
            each.enabled = False
            each.enabled = True


machine = TimeMachine()


@contextlib.contextmanager
def aside():
    """The user's breakpoints and watchpoints do not count meanwhile: QEMU runs every page that has one
    twenty times slower."""
    mine = [each for each in gdb.breakpoints() or () if each.enabled]
    for each in mine:
        each.enabled = False
    try:
        yield
    finally:
        for each in mine:
            with contextlib.suppress(gdb.error, RuntimeError):
                each.enabled = True


def show_position():
    """The frame that the machine now stands in, as after every stop of GDB."""
    gdb.execute("frame")


class TimeGuard(gdb.Command):
    """time-guard COMMAND: runs before every command that moves the machine (`help user-defined`)."""

    def __init__(self):
        super().__init__("time-guard", gdb.COMMAND_OBSCURE)

    def invoke(self, argument, _from_tty):
        try:
            machine.guard(argument)
        except Sentence as sentence:
            raise gdb.GdbError(str(sentence)) from None


def hook_commands():
    for command in FORWARD + REVERSE:
        gdb.execute(f"define hook-{command}\ntime-guard {command}\nend", to_string=True)


class TimeCommand(KernelCommand):
    """A command that moves the machine: other breakpoints set aside, with a limit. run(words) becomes
    travel(words, limit); when the limit is over, so_far() says how far it got and how to go on."""

    def travel(self, words, limit):
        raise NotImplementedError

    def so_far(self):
        return f"at instruction {machine.now():,}; the same command again goes on"

    def run(self, words):
        try:
            with aside(), Limit() as limit, ctrl_c_ends():
                self.travel(words, limit)
        except Expired as expired:
            raise Sentence(f"not finished {expired}: {self.so_far()}. "
                           "`set time-limit SECONDS` allows more.") from None
        finally:
            if machine.end:
                with contextlib.suppress(Sentence):
                    if machine.now() < machine.end:
                        machine.monitor(f"replay_break {machine.end}")


TimeGuard()
gdb.events.stop.connect(machine.stopped)
if session.get("mode") == "replay":
    hook_commands()
